"""Totals, loans, isolated positions, and figures that contradict one another."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import AccountSnapshot, FindingCode, MarginMode, Measure, UnitKind
from brokers.venues.cryptocom.envelope import row_of

Row = dict[str, Any]
Snap = Callable[..., AccountSnapshot]


def codes(snapshot: AccountSnapshot) -> list[FindingCode]:
    return [finding.code for finding in snapshot.findings]


@pytest.mark.parametrize("rows", [[], [{}, {}]])
def test_a_balance_without_its_one_row_is_no_flat_account(rows: list[Row]) -> None:
    with pytest.raises(MalformedAnswer, match=f"{len(rows)} rows"):
        row_of({"code": 0, "result": {"data": rows}}, "private/user-balance")


@pytest.mark.parametrize("payload", [{"code": 0}, {"code": 0, "result": {}}, {"code": 0, "result": []}, []])
def test_an_answer_without_its_list_is_foreign(payload: object) -> None:
    with pytest.raises(MalformedAnswer):
        row_of(payload, "private/user-balance")


@pytest.mark.parametrize(
    "name",
    [
        "total_margin_balance",
        "total_initial_margin",
        "total_available_balance",
        "total_maintenance_margin",
    ],
)
@pytest.mark.parametrize("value", [None, "", "NaN", "1,000.5"])
def test_a_total_that_is_not_there_is_missing_and_never_zero(
    snap: Snap, live: tuple[Row, Row], name: str, value: object
) -> None:
    balance, position = live
    snapshot = snap({**balance, name: value}, position)
    assert FindingCode.TOTALS_MISSING in codes(snapshot)
    unit = snapshot.units[0]
    figures = {
        "total_margin_balance": unit.margin_equity,
        "total_initial_margin": unit.initial_margin,
        "total_available_balance": unit.available_margin,
        "total_maintenance_margin": unit.maintenance_margin,
    }
    assert figures.pop(name) is None
    assert None not in figures.values()


@pytest.mark.parametrize(
    ("changes", "contradicts"),
    [
        ({"total_available_balance": "106.06840487"}, False),  # a cent of rounding
        ({"total_available_balance": "106.16840487"}, True),
        ({"total_available_balance": "0"}, True),
        ({"total_margin_balance": "0"}, True),
        ({"total_haircut": "9.84569226"}, True),
        ({"total_haircut": None}, False),
        ({"total_position_im": None}, False),
        (
            {
                "total_initial_margin": "200",
                "total_position_im": "194.15430774",
                "total_available_balance": "0",
            },
            False,
        ),
        ({"total_maintenance_margin": "0"}, True),
    ],
)
def test_figures_of_one_answer_must_agree(
    snap: Snap,
    live: tuple[Row, Row],
    changes: Row,
    contradicts: bool,  # noqa: FBT001 - pytest's parameter
) -> None:
    balance, position = live
    snapshot = snap({**balance, **changes}, position)
    assert (FindingCode.INCONSISTENT in codes(snapshot)) is contradicts


def test_totals_that_speak_of_positions_while_none_is_listed_are_torn(
    snap: Snap, live: tuple[Row, Row]
) -> None:
    balance, _ = live
    assert codes(snap(balance)) == [FindingCode.INCONSISTENT]


def test_margin_of_resting_orders_alone_is_not_torn(snap: Snap, live: tuple[Row, Row]) -> None:
    balance, _ = live
    assert codes(snap({**balance, "total_position_cost": "0"})) == []


@pytest.mark.parametrize("word", [True, "true"])
def test_the_venues_own_liquidation_is_told(snap: Snap, live: tuple[Row, Row], word: object) -> None:
    balance, position = live
    (finding,) = snap({**balance, "is_liquidating": word}, position).findings
    assert (finding.code, finding.unit) == (FindingCode.VENUE_ACTING, "account")


@pytest.mark.parametrize("word", [False, "false", None])
def test_calm_is_no_liquidation(snap: Snap, live: tuple[Row, Row], word: object) -> None:
    balance, position = live
    assert snap({**balance, "is_liquidating": word}, position).findings == ()


def test_the_units_profit_is_that_since_entry_and_not_of_the_session(
    snap: Snap, live: tuple[Row, Row]
) -> None:
    unit = snap(*live).units[0]
    assert unit.unrealized_pnl == Decimal("14.72175")
    assert unit.wallet_balance is None


def test_a_negative_quantity_is_a_loan_at_a_yearly_rate(snap: Snap, documented: Row) -> None:
    documented |= {"total_position_cost": "0"}
    cro, usd = snap(documented).collaterals
    assert (cro.currency, cro.debt, cro.interest_rate) == ("CRO", Decimal(0), None)
    assert cro.value == Decimal("4776.107959969951")
    assert (usd.currency, usd.wallet_balance, usd.debt) == ("USD", Decimal("-113.5"), Decimal("113.5"))
    assert usd.interest_rate == Decimal("0.08760")


def test_a_positions_share_leaves_the_haircut_out(snap: Snap, documented: Row) -> None:
    held = [
        {
            "quantity": "0.2",
            "open_pos_cost": "12000",
            "open_position_pnl": "0",
            "instrument_name": "BTCUSD-PERP",
        },
        {
            "quantity": "-50",
            "open_pos_cost": "-4000",
            "open_position_pnl": "0",
            "instrument_name": "LTCUSD-PERP",
        },
    ]
    first, second = snap(documented, *held).positions
    assert first.initial_margin == Decimal("486.31273202") * 3 / 4
    assert second.initial_margin == Decimal("486.31273202") / 4
    assert first.maintenance_margin is not None
    assert second.maintenance_margin is not None
    total = first.maintenance_margin + second.maintenance_margin
    assert round(total, 6) == round(Decimal("486.31273202") / 2, 6)


def test_an_isolated_position_is_a_unit_of_its_own(snap: Snap, live: tuple[Row, Row], isolated: Row) -> None:
    balance, position = live
    leg = {
        "quantity": "0.002",
        "open_pos_cost": "10.9",
        "open_position_pnl": "0.059",
        "instrument_name": "LTCUSD-PERP",
        "isolation_id": "19848526",
        "isolation_type": "ISOLATED_MARGIN",
    }
    snapshot = snap({**balance, "isolated_positions": [isolated]}, position, leg)
    assert snapshot.findings == ()
    wallet, own = snapshot.units
    assert (own.key, own.kind, own.parent) == ("isolated:19848526", UnitKind.ISOLATED_POSITION, wallet.key)
    assert own.measures == {Measure.MAINTENANCE}
    assert (own.margin_equity, own.maintenance_margin) == (Decimal("8.96326705"), Decimal("0.54810001"))
    cross, alone = snapshot.positions
    assert (cross.unit, cross.margin_mode) == ("account", MarginMode.CROSS)
    assert (alone.unit, alone.margin_mode) == ("isolated:19848526", MarginMode.ISOLATED)
    assert alone.initial_margin == Decimal("1.09620001")
    assert wallet.unrealized_pnl == Decimal("14.72175")


def test_an_isolated_position_without_totals_is_there_and_unknown(snap: Snap, live: tuple[Row, Row]) -> None:
    balance, position = live
    leg = {**position, "isolation_id": "7", "isolation_type": "ISOLATED_MARGIN"}
    snapshot = snap(balance, position, leg)
    assert set(codes(snapshot)) == {FindingCode.TOTALS_MISSING}
    assert {finding.unit for finding in snapshot.findings} == {"isolated:7"}
    assert snapshot.unit("isolated:7").margin_equity is None


def test_an_isolated_unit_without_its_position_is_torn(
    snap: Snap, live: tuple[Row, Row], isolated: Row
) -> None:
    balance, position = live
    (finding,) = snap({**balance, "isolated_positions": [isolated]}, position).findings
    assert (finding.code, finding.unit) == (FindingCode.INCONSISTENT, "isolated:19848526")
