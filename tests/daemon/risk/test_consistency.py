from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import (
    ContractKind,
    Finding,
    FindingCode,
    MarginMode,
    Side,
    Symbol,
    UnitKind,
)
from daemon.risk.assessment import Assessment, Protection
from daemon.risk.gate import Weight
from daemon.risk.reason import Reason

D = Decimal
BUILD = Any


def reasons(assessment: Assessment) -> list[Reason]:
    return [gate.reason for gate in assessment.gates]


@pytest.mark.parametrize(
    ("age", "found"),
    [
        (0, []),
        (3, []),
        (4.9, []),
        (5.1, [Reason.STALE, Reason.TORN]),
        (-0.9, []),
        (-1.1, [Reason.FUTURE_DATED]),
    ],
    ids=["fresh", "underway", "age < max", "age > max", "ahead < tolerance", "ahead > tolerance"],
)
def test_age_by_the_venues_clock(*, build: BUILD, age: float, found: list[Reason]) -> None:
    assert reasons(build.judge(build.book(100_000, age=age))) == found


def test_a_snapshot_grows_old_while_it_waits(build: BUILD) -> None:
    snapshot = build.book(100_000, age=1)

    assert reasons(build.judge(snapshot, now=build.at(4))) == []
    assert reasons(build.judge(snapshot, now=build.at(4.1))) == [Reason.STALE]


def test_every_finding_blocks_what_it_is_about(build: BUILD) -> None:
    for code in FindingCode:
        finding = Finding(code=code, detail="page 2 of 3 missing")
        assessment = build.judge(build.book(100_000, findings=[finding]))

        assert reasons(assessment) == [Reason(code.value)]
        assert not assessment.actionable
        assert assessment.protection is Protection.UNPROTECTED


def test_a_finding_about_a_unit_that_is_not_shown_is_about_the_whole_account(build: BUILD) -> None:
    finding = Finding(code=FindingCode.MODE_UNKNOWN, detail="no mode we know", unit="somewhere else")
    assessment = build.judge(build.book(100_000, findings=[finding]))

    assert [gate.unit for gate in assessment.gates] == [None]
    assert not assessment.actionable


@pytest.mark.parametrize("code", [FindingCode.SYMBOL_UNKNOWN, FindingCode.PRICE_UNKNOWN])
def test_an_unknown_instrument_blocks_its_own_position_and_not_the_unit(
    build: BUILD, code: FindingCode
) -> None:
    finding = Finding(code=code, detail="delisted", symbol=Symbol("BTCUSDT"))
    assessment = build.judge(build.book(100_000, findings=[finding], markets=[]))

    assert assessment.units[0].actionable
    assert assessment.gates[0].weight is Weight.POSITION
    assert assessment.gates[0].unit == "account"
    assert assessment.protection is Protection.UNPROTECTED


@pytest.mark.parametrize(
    ("stated", "found"),
    [("2500", []), ("2250", []), ("2249", [Reason.MARGIN_BELOW_POSITIONS]), ("9000", [])],
    ids=["M=sum", "M=0.9 sum", "M<0.9 sum", "M>sum: orders or debt"],
)
def test_a_unit_shows_at_least_the_maintenance_of_its_positions(
    *, build: BUILD, stated: str, found: list[Reason]
) -> None:
    assert reasons(build.judge(build.book(100_000, unit={"maintenance_margin": D(stated)}))) == found


def test_a_unit_shows_at_least_the_initial_margin_of_its_positions(build: BUILD) -> None:
    short = build.book(100_000, unit={"initial_margin": D(4000)})
    with_orders = build.book(100_000, unit={"initial_margin": D(20_000), "available_margin": D(80_000)})

    assert reasons(build.judge(short)) == [Reason.MARGIN_BELOW_POSITIONS]
    assert reasons(build.judge(with_orders)) == []


@pytest.mark.parametrize(
    ("stated", "found"),
    [(None, [Reason.AVAILABLE_MISMATCH]), ("0.5", [Reason.AVAILABLE_MISMATCH]), ("0.95", [])],
    ids=["nobody says so", "the venue says otherwise", "the venue says the same"],
)
def test_available_margin_far_below_equity_needs_the_venues_own_word(
    *, build: BUILD, stated: str | None, found: list[Reason]
) -> None:
    """Equity 100,000 and 40,000 used, of which a haircut leaves 2,000 available: 95 % used."""
    told = None if stated is None else D(stated)
    unit = {"initial_margin": D(40_000), "available_margin": D(2_000), "venue_utilization": told}
    assessment = build.judge(build.book(100_000, unit=unit))

    assert reasons(assessment) == found
    assert assessment.utilization == D(40_000) / D(42_000)


def test_of_a_hedge_only_the_larger_leg_must_be_covered(build: BUILD) -> None:
    legs = [build.Row(hedged=True, quantity="2"), build.Row(hedged=True, side=Side.SHORT)]

    netted = build.book(100_000, legs, unit={"maintenance_margin": D(5000), "initial_margin": D(10_000)})
    lost = build.book(100_000, legs, unit={"maintenance_margin": D(4000), "initial_margin": D(10_000)})

    assert reasons(build.judge(netted)) == []
    assert reasons(build.judge(lost)) == [Reason.MARGIN_BELOW_POSITIONS]


@pytest.mark.parametrize(
    "row_changes",
    [{"maintenance_margin": None}, {"settle": "BNFCR"}, {"margin_mode": MarginMode.PORTFOLIO}],
    ids=["row states none", "no rate", "portfolio margin"],
)
def test_where_no_sum_can_be_made_none_is_held_against_the_unit(
    *, build: BUILD, row_changes: dict[str, Any]
) -> None:
    snapshot = build.book(100_000, unit={"maintenance_margin": D(1)})
    bent = replace(snapshot, positions=(replace(snapshot.positions[0], **row_changes),))

    assert Reason.MARGIN_BELOW_POSITIONS not in reasons(build.judge(bent))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"notional": D(50_400)}, []),
        ({"notional": D(50_600)}, [Reason.NOTIONAL_MISMATCH]),
        ({"notional": D(500)}, [Reason.NOTIONAL_MISMATCH]),
        ({"unrealized_pnl": D(990)}, []),
        ({"unrealized_pnl": D(-1100)}, [Reason.PNL_MISMATCH]),
        ({"unrealized_pnl": None}, []),
        ({"entry_price": None}, []),
        ({"mark_price": None}, []),
    ],
)
def test_notional_and_profit_follow_from_quantity_and_prices(
    *, build: BUILD, change: dict[str, Any], found: list[Reason]
) -> None:
    snapshot = build.book(100_000)
    bent = replace(snapshot, positions=(replace(snapshot.positions[0], **change),))

    assert reasons(build.judge(bent)) == found


def test_a_contract_size_mistake_is_seen_on_inverse_contracts_too(build: BUILD) -> None:
    rules = build.rules(
        "BTCUSD", base="BTC", quote="USD", settle="BTC", kind=ContractKind.INVERSE, contract_size=D(100)
    )
    row = build.Row(symbol="BTCUSD", quantity="50").position(
        settle="BTC",
        kind=ContractKind.INVERSE,
        notional=D("0.1"),
        initial_margin=D("0.01"),
        maintenance_margin=D("0.005"),
        unrealized_pnl=D(0),
    )
    unit = build.unit(
        "account", equity=1, currency="BTC", initial_margin=D("0.01"), maintenance_margin=D("0.005")
    )
    sound = build.snapshot(units=[unit], positions=[row], markets=[rules])
    wrong = replace(sound, markets={rules.symbol: replace(rules, contract_size=D(1))})

    assert reasons(build.judge(sound)) == []
    assert Reason.NOTIONAL_MISMATCH in reasons(build.judge(wrong))


@pytest.mark.parametrize(
    ("kind", "equity", "found"),
    [
        (UnitKind.CURRENCY, "100000", []),
        (UnitKind.CURRENCY, "91000", []),
        (UnitKind.CURRENCY, "89000", [Reason.EQUITY_MISMATCH]),
        (UnitKind.CURRENCY, "112000", [Reason.EQUITY_MISMATCH]),
        (UnitKind.ACCOUNT, "89000", []),
        (UnitKind.ACCOUNT, "112000", [Reason.EQUITY_MISMATCH]),
        (UnitKind.ACCOUNT, "0", [Reason.EQUITY_MISMATCH, Reason.EQUITY_BROKEN]),
    ],
    ids=["E=W+U", "within", "E<W+U", "E>W+U", "haircut", "E>W+U mixed", "E=0 with a full wallet"],
)
def test_equity_is_wallet_plus_unrealized_pnl(
    *, build: BUILD, kind: UnitKind, equity: str, found: list[Reason]
) -> None:
    snapshot = build.book(100_000, unit={"margin_equity": D(equity), "kind": kind})

    assert reasons(build.judge(snapshot)) == found
