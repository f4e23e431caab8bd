"""Giving back debt, at every kind of account: what can be, no more than that, and only what is claimed."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import NotSupported
from brokers.models import Collateral
from brokers.orders import Repayment, Verdict
from brokers.sandbox.faults import GATEWAY, FaultKind
from brokers.sandbox.history import Repaid
from tests.brokers.conformance.cases import CASES, Case

pytestmark = pytest.mark.wire

Station = Any  # the fixture's type lives in conftest
OWED, PART = Decimal(5_000), Decimal("1234.5")

REPAYS = (
    "binance-cross-classic",
    "binance-portfolio",
    "binance-portfolio-hedge",
    "bybit-cross",
    "bybit-cross-hedge",
    "bybit-portfolio",
    "bybit-cross-all-kinds",
    "bybit-uta1",
)
"""Accounts with a call that gives back debt."""

IN_OTHER_COINS = ("binance-cross-pro", "binance-isolated", "bybit-cross-usdc", "bybit-cross-inverse")
"""The same, whose debts here are other ones."""

ANSWERED = {
    FaultKind.SLOW,
    FaultKind.PARTIAL_FILL,
    FaultKind.OUTSIDER_TRADES,
    FaultKind.EMPTY_POSITIONS,
    FaultKind.ZERO_EQUITY,
    FaultKind.STALE_TIMESTAMP,
}
"""Faults under which the venue says what became of a repayment."""

TROUBLES = pytest.mark.parametrize(
    ("kind", "executes"),
    [(kind, False) for kind in FaultKind] + [(kind, True) for kind in sorted(GATEWAY)],
)


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    """Every kind of account, with 5,000 borrowed of the venue's currency."""
    found = replace(CASES[request.param], borrowed=str(OWED))
    return replace(found, wallets={**found.wallets, "USDT": "40000"}) if found.levels else found


def asked(station: Station, amount: Decimal) -> Repayment:
    return Repayment(unit="account", currency=station.case.venue.currency, amount=amount, client_id="0" * 32)


def given(station: Station) -> list[Decimal]:
    """What the venue was given back, in order."""
    return [event.amount for event in station.engine.history if isinstance(event, Repaid)]


async def debt(station: Station) -> Collateral:
    """Read what is owed."""
    rows = (await station.snapshot()).collaterals
    return next(row for row in rows if row.currency == station.case.venue.currency)


async def test_who_has_no_call_says_so_without_asking_and_shows_nothing_repayable(
    request: pytest.FixtureRequest, station: Station
) -> None:
    can = station.broker.capabilities.repay
    rows = (await station.snapshot()).collaterals
    assert any(row.repayable is not None for row in rows) is any(
        request.node.callspec.params["case"] == name for name in REPAYS + IN_OTHER_COINS
    )
    if can:
        return
    seen = len(station.server.received)
    with pytest.raises(NotSupported):
        await station.broker.repay(asked(station, PART))
    assert len(station.server.received) == seen


@pytest.mark.parametrize("case", REPAYS, indirect=True)
async def test_what_can_be_given_back_is_shown_and_is_given_back_once(station: Station) -> None:
    before, row = (await station.snapshot()).units[0], await debt(station)
    assert (row.debt, row.repayable) == (OWED, OWED)

    report = await station.broker.repay(asked(station, PART))
    assert (report.verdict, report.repayment.amount) == (Verdict.ACCEPTED, PART)
    assert given(station) == [PART]
    after, left = (await station.snapshot()).units[0], await debt(station)
    assert (left.debt, left.repayable) == (OWED - PART, OWED - PART)
    assert after.margin_equity == before.margin_equity
    initial, maintenance = map(Decimal, station.case.debt_rates)
    assert after.maintenance_margin == pytest.approx(before.maintenance_margin - PART * maintenance)
    assert after.initial_margin == pytest.approx(before.initial_margin - PART * initial)


@pytest.mark.parametrize("case", REPAYS, indirect=True)
async def test_all_of_it_can_be_given_back(station: Station) -> None:
    assert (await station.broker.repay(asked(station, OWED))).verdict is Verdict.ACCEPTED
    row = await debt(station)
    assert (row.debt, row.repayable) == (0, 0)


@pytest.mark.parametrize("case", REPAYS, indirect=True)
@pytest.mark.parametrize("amount", [OWED + 1, OWED * 100])
async def test_more_than_is_owed_is_refused_and_nothing_is_given_back(
    station: Station, amount: Decimal
) -> None:
    report = await station.broker.repay(asked(station, amount))
    assert report.verdict is Verdict.REJECTED
    assert report.code is not None
    assert given(station) == []
    assert (await debt(station)).debt == OWED


@pytest.mark.parametrize("case", REPAYS, indirect=True)
async def test_a_venue_that_takes_nothing_back_now_is_believed(station: Station) -> None:
    station.engine.controls.repayments_blocked = True
    report = await station.broker.repay(asked(station, PART))
    assert report.verdict is Verdict.REJECTED
    assert given(station) == []


@pytest.mark.parametrize("case", ["okx-futures", "okx-multi-currency-hedge", "okx-portfolio"], indirect=True)
async def test_okx_takes_nothing_back_outside_spot_mode(station: Station) -> None:
    report = await station.broker.repay(asked(station, PART))
    assert (report.verdict, report.code) == (Verdict.REJECTED, "51010")
    assert given(station) == []


@pytest.mark.parametrize("case", ["binance-cross-classic", "binance-portfolio", "bybit-cross"], indirect=True)
@TROUBLES
async def test_a_repayment_under_a_fault_claims_nothing_that_is_not_so_and_the_debt_tells(
    station: Station,
    kind: FaultKind,
    executes: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    await station.snapshot()
    station.trouble(kind, executes=executes)
    report = await station.broker.repay(asked(station, PART))
    await station.calm()

    taken = given(station)
    assert taken in ([], [PART])
    match report.verdict:
        case Verdict.ACCEPTED:
            assert taken == [PART]
        case Verdict.REJECTED:
            assert taken == []
        case Verdict.UNKNOWN:
            assert kind not in ANSWERED
        case Verdict.EXISTS:
            pytest.fail("no venue knows a repayment by an id of ours")
    assert (await debt(station)).debt == OWED - sum(taken)
