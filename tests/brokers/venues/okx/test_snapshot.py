"""The account as a whole: units by level, figures of the documented samples, what is torn or missing."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.hooks import SnapshotContext
from brokers.models import AccountSnapshot, FindingCode, MarginMode, Measure, PositionMode, Side, UnitKind
from brokers.venues.okx.snapshot import RawSnapshot, read_snapshot

Row = dict[str, Any]
Parse = Callable[..., AccountSnapshot]


def codes(snapshot: AccountSnapshot) -> set[FindingCode]:
    return {finding.code for finding in snapshot.findings}


def test_total_equity_is_not_the_margin_equity(parse: Parse, pooled_row: Row) -> None:
    assert parse(pooled_row).unit("account").margin_equity == Decimal("152550.80919105993")


@pytest.mark.parametrize(
    ("level", "label", "margin_mode"),
    [
        ("2", "futures mode", None),
        ("3", "multi-currency margin", None),
        ("4", "portfolio margin", MarginMode.PORTFOLIO),
    ],
)
def test_account_level_is_named(
    context_of: Callable[..., SnapshotContext], level: str, label: str, margin_mode: MarginMode | None
) -> None:
    mode = context_of(level, posMode="long_short_mode").mode
    assert (mode.label, mode.margin_mode, mode.position_mode) == (label, margin_mode, PositionMode.HEDGE)


def test_futures_mode_has_one_unit_per_settle_currency(
    parse: Parse, futures_row: Row, swap_row: Row, inverse_row: Row
) -> None:
    snapshot = parse(futures_row, swap_row, inverse_row, level="2")
    assert [unit.key for unit in snapshot.units] == ["USDT", "BTC"]
    usdt, btc = snapshot.units
    assert usdt.kind is UnitKind.CURRENCY
    assert (usdt.initial_margin, usdt.maintenance_margin, usdt.available_margin) == (2000, 160, 3000)
    assert usdt.venue_ratio == 1 / Decimal("27.5")
    assert btc.currency == "BTC"
    assert btc.margin_equity == Decimal("0.5")
    assert {position.unit for position in snapshot.positions} == {"USDT", "BTC"}
    assert snapshot.findings == ()


def test_currency_equity_leaves_out_what_isolated_positions_hold(parse: Parse, futures_row: Row) -> None:
    assert parse(futures_row, level="2").unit("USDT").margin_equity == 5000


def test_documented_currency_sample_is_cash_and_pnl_beside_what_bots_hold(
    parse: Parse, futures_row: Row, swap_row: Row
) -> None:
    # OKX docs, account/balance sample: eq = cashBal + upl + stgyEq.
    futures_row["details"] = [
        {
            "ccy": "USDT",
            "eq": "4992.890093622894",
            "cashBal": "4850.435693622894",
            "upl": "-7.545600000000006",
            "stgyEq": "150",
            "isoEq": "0",
            "isoUpl": "0",
            "frozenBal": "158.573",
            "availEq": "4834.3170936228935",
            "imr": "8.573",
            "mmr": "1",
            "mgnRatio": "4000",
        }
    ]
    unit = parse(futures_row, swap_row, level="2").unit("USDT")
    assert unit.margin_equity is not None
    assert unit.wallet_balance is not None
    assert unit.unrealized_pnl is not None
    assert abs(unit.margin_equity - unit.wallet_balance - unit.unrealized_pnl) < Decimal("1e-9")


def test_isolated_equity_left_out_makes_the_currencys_equity_unknown(
    parse: Parse, futures_row: Row, isolated_row: Row
) -> None:
    futures_row["details"][0]["isoEq"] = ""
    snapshot = parse(futures_row, isolated_row, level="2")
    assert snapshot.unit("USDT").margin_equity is None
    assert FindingCode.FIELD_MISSING in codes(snapshot)


@pytest.mark.parametrize(
    ("cash", "pnl", "equity", "missing"),
    [
        ("5220", "80", 5300, False),
        ("5200", "80", None, True),
        ("5200", "", None, True),
        ("", "80", None, True),
    ],
)
def test_what_bots_hold_is_missing_and_not_nothing_where_cash_and_pnl_leave_it_open(
    parse: Parse, futures_row: Row, swap_row: Row, *, cash: str, pnl: str, equity: int | None, missing: bool
) -> None:
    del futures_row["details"][1:]
    futures_row["details"][0] |= {"stgyEq": "", "isoEq": "0", "isoUpl": "0", "cashBal": cash, "upl": pnl}
    snapshot = parse(futures_row, swap_row, level="2")
    assert snapshot.unit("USDT").margin_equity == equity
    details = {finding.detail for finding in snapshot.findings}
    assert details == ({"stgyEq is missing"} if missing else set())


def test_currency_without_cross_positions_states_nothing_and_is_not_measured(
    parse: Parse, futures_row: Row
) -> None:
    futures_row["details"] = [
        {
            "ccy": "USDT",
            "eq": "1000",
            "cashBal": "1000",
            "availEq": "1000",
            "imr": "",
            "mmr": "",
            "mgnRatio": "",
        }
    ]
    snapshot = parse(futures_row, level="2")
    unit = snapshot.unit("USDT")
    assert unit.measures == frozenset()
    assert (unit.margin_equity, unit.initial_margin, unit.venue_ratio) == (1000, None, None)
    assert snapshot.findings == ()


def test_currency_that_margins_nothing_is_collateral_only(parse: Parse, futures_row: Row) -> None:
    snapshot = parse(futures_row, level="2")
    assert "OKB" not in {unit.key for unit in snapshot.units}
    assert [collateral.currency for collateral in snapshot.collaterals] == ["USDT", "BTC", "OKB"]


def test_isolated_position_is_a_unit_of_its_own(parse: Parse, futures_row: Row, isolated_row: Row) -> None:
    snapshot = parse(futures_row, isolated_row, level="2")
    unit = snapshot.unit("isolated:BTC-USDT-SWAP:short")
    assert unit.kind is UnitKind.ISOLATED_POSITION
    assert unit.measures == {Measure.MAINTENANCE}
    assert (unit.margin_equity, unit.maintenance_margin, unit.parent) == (300, 24, "USDT")
    assert unit.venue_ratio == 1 / Decimal("11.11")
    assert snapshot.positions_under("USDT") == snapshot.positions


def test_isolated_unit_of_a_pooled_account_is_in_the_accounts_currency(
    parse: Parse, pooled_row: Row, isolated_row: Row
) -> None:
    unit = parse(pooled_row, isolated_row).unit("isolated:BTC-USDT-SWAP:short")
    assert (unit.currency, unit.parent) == ("USD", "account")
    assert unit.margin_equity == (320 - 20) * Decimal("0.9995")
    assert unit.maintenance_margin == 24 * Decimal("0.9995")


def test_documented_isolated_sample_has_margin_and_pnl_as_equity() -> None:
    # OKX docs, account/positions sample: (margin + upl) / mgnRatio is the maintenance margin plus a fee.
    margin, pnl = Decimal("0.000317654"), Decimal("-0.0000033452492717")
    ratio, maintenance = Decimal("9.404143929947395"), Decimal("0.0000318005395854")
    requirement = (margin + pnl) / ratio
    assert maintenance < requirement < maintenance * Decimal("1.06")


def test_ratio_left_out_with_positions_open_is_unknown(parse: Parse, pooled_row: Row, swap_row: Row) -> None:
    snapshot = parse({**pooled_row, "mgnRatio": ""}, swap_row)
    assert snapshot.unit("account").venue_ratio is None
    assert codes(snapshot) == {FindingCode.TOTALS_MISSING}


def test_ratio_left_out_without_positions_is_no_risk(parse: Parse, pooled_row: Row) -> None:
    row = {**pooled_row, "imr": "0", "mmr": "0", "mgnRatio": ""}
    snapshot = parse(row)
    assert snapshot.unit("account").venue_ratio is None
    assert snapshot.findings == ()


def test_available_equity_may_be_left_out(parse: Parse, pooled_row: Row, swap_row: Row) -> None:
    # OKX docs, account/balance: one of its own samples has `"availEq": ""` beside a set adjEq.
    snapshot = parse({**pooled_row, "availEq": ""}, swap_row)
    assert snapshot.unit("account").available_margin is None
    assert snapshot.findings == ()


def test_profit_of_options_is_not_held_against_the_positions(
    parse: Parse, pooled_row: Row, swap_row: Row
) -> None:
    option = {"instId": "BTC-USD-250926-100000-C", "instType": "OPTION", "mgnMode": "cross", "pos": "1"}
    assert parse({**pooled_row, "upl": "1000"}, swap_row).unit("account").unrealized_pnl == 1000
    mixed = parse({**pooled_row, "upl": "21000"}, swap_row, {**option, "ccy": "BTC"})
    assert mixed.unit("account").unrealized_pnl is None


@pytest.mark.parametrize("cash", ["5200", "4880"], ids=["with isolated margin", "without"])
def test_cash_of_cross_positions_is_told_by_equity_and_pnl(parse: Parse, futures_row: Row, cash: str) -> None:
    futures_row["details"][0].update(cashBal=cash, eq="5280")
    unit = parse(futures_row, level="2").unit("USDT")
    assert (unit.margin_equity, unit.wallet_balance, unit.unrealized_pnl) == (4980, 4880, 100)


def test_an_isolated_position_is_judged_without_its_ratio(
    parse: Parse, futures_row: Row, isolated_row: Row
) -> None:
    snapshot = parse(futures_row, {**isolated_row, "mgnRatio": ""}, level="2")
    unit = snapshot.unit("isolated:BTC-USDT-SWAP:short")
    assert (unit.margin_equity, unit.maintenance_margin, unit.venue_ratio) == (300, 24, None)
    assert not [finding for finding in snapshot.findings if finding.unit == unit.key]
    blind = parse(futures_row, {**isolated_row, "mgnRatio": "", "mmr": ""}, level="2")
    assert FindingCode.TOTALS_MISSING in codes(blind)


@pytest.mark.parametrize("field", ["adjEq", "imr", "mmr"])
def test_account_figure_left_out_is_missing_and_never_zero(
    parse: Parse, pooled_row: Row, swap_row: Row, field: str
) -> None:
    snapshot = parse({**pooled_row, field: ""}, swap_row)
    unit = snapshot.unit("account")
    figures = (unit.margin_equity, unit.initial_margin, unit.maintenance_margin, unit.available_margin)
    assert figures.count(None) == 1
    assert FindingCode.TOTALS_MISSING in codes(snapshot)


@pytest.mark.parametrize("damage", ["NaN", "Infinity", "152,550.80", "1e40", True, [1]])
def test_damaged_account_figure_is_a_finding(parse: Parse, pooled_row: Row, damage: object) -> None:
    snapshot = parse({**pooled_row, "adjEq": damage})
    assert snapshot.unit("account").margin_equity is None
    assert FindingCode.FIELD_DAMAGED in codes(snapshot)


@pytest.mark.parametrize("ratio", ["0", "-0.4"])
def test_ratio_of_zero_or_less_goes_only_with_equity_gone(parse: Parse, pooled_row: Row, ratio: str) -> None:
    assert FindingCode.INCONSISTENT in codes(parse({**pooled_row, "mgnRatio": ratio}))
    bankrupt = parse({**pooled_row, "mgnRatio": ratio, "adjEq": "-10"})
    assert bankrupt.findings == ()
    assert bankrupt.unit("account").margin_equity == -10


@pytest.mark.parametrize("sign", ["", "-"])
def test_debt_is_positive_whatever_sign_it_comes_with(parse: Parse, pooled_row: Row, sign: str) -> None:
    pooled_row["details"][0] |= {"liab": f"{sign}12", "interest": f"{sign}0.1"}
    (usdt,) = parse(pooled_row).collaterals
    assert (usdt.debt, usdt.interest) == (12, Decimal("0.1"))


def test_debt_left_out_is_not_stated(parse: Parse, futures_row: Row) -> None:
    usdt, *_ = parse(futures_row, level="2").collaterals
    assert (usdt.debt, usdt.interest) == (None, None)


def test_cross_liability_stands_in_for_the_liability(parse: Parse, pooled_row: Row) -> None:
    pooled_row["details"][0] |= {"liab": "", "crossLiab": "-7"}
    assert parse(pooled_row).collaterals[0].debt == 7


@pytest.mark.parametrize("level", ["5", "x"])
def test_unknown_account_level_is_flagged(parse: Parse, pooled_row: Row, level: str) -> None:
    assert FindingCode.MODE_UNKNOWN in codes(parse(pooled_row, level=level))


def test_age_is_that_of_the_totals_not_of_the_last_trade(
    parse: Parse, pooled_row: Row, swap_row: Row
) -> None:
    snapshot = parse(pooled_row, swap_row)
    assert snapshot.as_of == datetime(2025, 7, 11, 14, 15, 39, 82000, tzinfo=UTC)
    assert snapshot.positions[0].updated_at == datetime(2025, 7, 9, 22, 26, 40, tzinfo=UTC)


def test_balance_without_a_time_is_a_finding(parse: Parse, pooled_row: Row) -> None:
    assert FindingCode.TIME_MISSING in codes(parse({**pooled_row, "uTime": ""}))


def test_totals_of_positions_that_are_not_listed_are_torn(parse: Parse, pooled_row: Row) -> None:
    row = {**pooled_row, "notionalUsdForSwap": "60000", "notionalUsdForFutures": "0"}
    assert FindingCode.INCONSISTENT in codes(parse(row))


def test_maintenance_margin_that_nothing_explains_is_torn(parse: Parse, pooled_row: Row) -> None:
    row = {**pooled_row, "ordFroz": "0", "borrowFroz": "0", "details": []}
    assert FindingCode.INCONSISTENT in codes(parse(row))


@pytest.mark.parametrize(
    "reason", [{"ordFroz": "13.3"}, {"borrowFroz": "88"}, {"details": [{"ccy": "BTC", "liab": "1"}]}]
)
def test_orders_and_debt_explain_maintenance_margin_without_positions(
    parse: Parse, pooled_row: Row, reason: Row
) -> None:
    row = {**pooled_row, "ordFroz": "0", "borrowFroz": "0", "details": [], **reason}
    assert FindingCode.INCONSISTENT not in codes(parse(row))


def test_positions_without_any_maintenance_margin_are_torn(
    parse: Parse, pooled_row: Row, swap_row: Row
) -> None:
    assert FindingCode.INCONSISTENT in codes(parse({**pooled_row, "mmr": "0"}, swap_row))


def test_currency_margin_without_its_positions_is_torn(parse: Parse, futures_row: Row, swap_row: Row) -> None:
    snapshot = parse(futures_row, swap_row, level="2")
    assert {(f.code, f.unit) for f in snapshot.findings} == {(FindingCode.INCONSISTENT, "BTC")}


def test_positions_margined_in_a_currency_the_balance_does_not_list(
    parse: Parse, futures_row: Row, inverse_row: Row, swap_row: Row
) -> None:
    futures_row["details"] = futures_row["details"][:1]
    snapshot = parse(futures_row, swap_row, inverse_row, level="2")
    assert snapshot.unit("BTC").margin_equity is None
    assert {(f.code, f.unit) for f in snapshot.findings} == {(FindingCode.TOTALS_MISSING, "BTC")}


def test_collateral_being_converted_is_the_venue_acting(parse: Parse, pooled_row: Row) -> None:
    pooled_row["details"][0]["colBorrAutoConversion"] = "5"
    assert FindingCode.VENUE_ACTING in codes(parse(pooled_row))


@pytest.mark.parametrize(
    ("balance", "positions"),
    [
        ({"code": "0"}, {"code": "0", "data": []}),
        ({"code": "0", "data": []}, {"code": "0", "data": []}),
        ({"code": "0", "data": [{"adjEq": "1", "details": None}]}, {"code": "0", "data": []}),
        ({"code": "0", "data": [{"adjEq": "1", "details": []}]}, {"code": "0", "data": None}),
        ({"code": "0", "data": [{"adjEq": "1", "details": []}]}, {"code": "0", "data": ["x"]}),
        ([], {"code": "0", "data": []}),
    ],
)
def test_foreign_shape_is_refused(
    context_of: Callable[..., SnapshotContext], balance: object, positions: object
) -> None:
    with pytest.raises(MalformedAnswer):
        read_snapshot(RawSnapshot(balance=balance, positions=positions), context_of())


def test_currencies_may_be_left_out_of_a_pool_but_not_of_a_futures_account(
    parse: Parse, pooled_row: Row, futures_row: Row, swap_row: Row
) -> None:
    del pooled_row["details"], futures_row["details"]
    snapshot = parse(pooled_row, swap_row)
    assert (snapshot.collaterals, snapshot.findings) == ((), ())
    with pytest.raises(MalformedAnswer):
        parse(futures_row, swap_row, level="2")


def test_short_and_long_of_one_symbol_are_two_positions(parse: Parse, pooled_row: Row, swap_row: Row) -> None:
    long, short = {**swap_row, "posSide": "long"}, {**swap_row, "posSide": "short"}
    assert [p.side for p in parse(pooled_row, long, short).positions] == [Side.LONG, Side.SHORT]
