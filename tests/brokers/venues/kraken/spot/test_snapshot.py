from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import AccountSnapshot, FindingCode, MarginMode, Measure, Side
from brokers.venues.kraken.spot.positions import annual_rate
from daemon.risk.margin import effective_leverage, maintenance_usage, utilization, worst_ratio

See = Callable[..., AccountSnapshot]
D = Decimal

SAMPLE = {
    "eb": "1101.3425",
    "tb": "392.2264",
    "m": "7.0354",
    "n": "-10.0232",
    "c": "21.1063",
    "v": "31.1297",
    "e": "382.2032",
    "mf": "375.1678",
    "ml": "5432.57",
}
"""Kraken's own sample of a trade balance."""

FLAT = {
    "eb": "1000.0000",
    "tb": "1000.0000",
    "m": "0.0000",
    "n": "0.0000",
    "e": "1000.0000",
    "mf": "1000.0000",
}

LONG = {
    "pair": "XXBTZUSD",
    "type": "buy",
    "time": 1616666559.8974,
    "cost": "104610.52842",
    "vol": "8.82412861",
    "vol_closed": "0.20200000",
    "margin": "20922.10568",
    "value": "258797.5",
    "net": "+154186.9728",
    "terms": "0.0100% per 4 hours",
}
"""Kraken's own sample of an open position."""


def totals(used: str, equity: str, **changes: str) -> dict[str, str]:
    """A consistent trade balance of so much used margin and equity."""
    m, e = D(used), D(equity)
    row = {"eb": equity, "tb": equity, "m": used, "n": "0", "e": equity, "mf": str(e - m)}
    return row | ({"ml": f"{100 * e / m:.2f}"} if m else {}) | changes


def codes(snapshot: AccountSnapshot) -> list[FindingCode]:
    return [finding.code for finding in snapshot.findings]


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


# ---------------------------------------------------------------- the documented samples


def test_the_documented_trade_balance_gives_its_three_ratios(see: See) -> None:
    (unit,) = see().units
    used = worst_ratio(utilization(unit.initial_margin, unit.available_margin, unit.margin_equity))
    certain = worst_ratio(maintenance_usage(unit.maintenance_margin, unit.margin_equity, None))
    assert float(used) == pytest.approx(0.018408, abs=1e-6)
    assert f"{certain:.4%}" == "0.7363%"
    assert f"{unit.venue_ratio:.4%}" == "1.4726%"
    assert (unit.wallet_balance, unit.unrealized_pnl) == (D("392.2264"), D("-10.0232"))
    assert f"{effective_leverage(D(SAMPLE['v']), unit.margin_equity):.4f}" == "0.0814"
    assert see().findings == ()


def test_the_documented_position_is_what_is_not_closed_yet(see: See) -> None:
    (position,) = see(totals("20922.10568", "90000"), {"TF5GVO-T7ZZ2-6NBKBI": LONG}).positions
    assert position.quantity == D("8.62212861")
    assert f"{position.leverage_setting:.2f}" == "5.00"
    assert f"{position.mark_price:.1f}" == "30015.5"
    assert f"{position.entry_price:.2f}" == "11855.05"
    assert position.notional == D("258797.5")
    assert (position.side, position.margin_mode, position.settle) == (Side.LONG, MarginMode.CROSS, "USD")
    share = position.quantity / D("8.82412861")
    assert position.initial_margin == D("20922.10568") * share
    assert position.maintenance_margin == position.initial_margin * D("0.4")
    assert f"{position.unrealized_pnl:.2f}" == f"{D('258797.5') - D('104610.52842') * share:.2f}"


def test_the_loan_is_implied_by_the_position_and_its_terms(see: See) -> None:
    (loan,) = see(totals("20922.10568", "90000"), {"T1": LONG}).collaterals
    assert (loan.currency, loan.interest_rate) == ("USD", D("0.219"))
    assert f"{loan.debt:.2f}" == "102215.81"
    short = LONG | {"type": "sell", "terms": "0.02% per 4 hours"}
    (owed,) = see(totals("20922.10568", "90000"), {"T1": short}).collaterals
    assert (owed.currency, owed.debt, owed.interest_rate) == ("BTC", D("8.62212861"), D("0.438"))


@pytest.mark.parametrize("terms", [None, 4, "", "0.01% per day", "free", "-1% per 4 hours", "1% per 0 hours"])
def test_terms_that_are_none_make_no_rate(terms: object) -> None:
    assert annual_rate(terms) is None


# ---------------------------------------------------------------- what liquidates, and when


@pytest.mark.parametrize(
    ("equity", "used", "certain", "early"),
    [
        ("1111.11", "90", "36", "72"),
        ("1000", "100", "40", "80"),
        ("800", "125", "50", "100"),
        ("400", "250", "100", "200"),
    ],
)
def test_kraken_may_act_at_a_margin_level_of_80_and_does_at_40(
    see: See, equity: str, used: str, certain: str, early: str
) -> None:
    row = LONG | {"margin": "1000", "cost": "5000", "vol": "1", "vol_closed": "0", "value": "5000"}
    (unit,) = see(totals("1000", equity), {"T1": row}).units
    assert unit.measures == frozenset(Measure)
    assert round(100 * unit.initial_margin / unit.margin_equity) == int(used)
    assert round(100 * unit.maintenance_margin / unit.margin_equity) == int(certain)
    assert round(100 * unit.venue_ratio) == int(early)


def test_the_strictest_pair_that_is_held_sets_the_levels(see: See) -> None:
    euro = LONG | {"pair": "XXBTZEUR", "margin": "1000", "cost": "5000", "vol": "1", "vol_closed": "0"}
    (unit,) = see(totals("1100", "11000"), {"T1": euro | {"value": "5000"}}, rates={"EUR": D("1.1")}).units
    assert unit.maintenance_margin == D("1100") * D("0.45")
    assert unit.venue_ratio == D("90") / D("1000")


# ---------------------------------------------------------------- one row for every opening trade


def test_rows_of_one_pair_and_side_are_one_position_and_the_oldest_names_the_leverage(see: See) -> None:
    old = LONG | {
        "time": 100.0,
        "vol": "2",
        "vol_closed": "1.5",
        "cost": "20000",
        "margin": "10000",
        "value": "6000",
    }
    young = LONG | {
        "time": 200.0,
        "vol": "1",
        "vol_closed": "0",
        "cost": "13000",
        "margin": "2600",
        "value": "12000",
    }
    snapshot = see(totals("5100", "20000"), {"T2": young, "T1": old})
    (position,) = snapshot.positions
    assert snapshot.findings == ()
    assert position.quantity == D("1.5")
    assert position.entry_price == (D("5000") + D("13000")) / D("1.5")
    assert position.mark_price == D("12000")
    assert position.initial_margin == D("2500") + D("2600")
    assert position.unrealized_pnl == D("18000") - D("18000")
    assert position.leverage_setting == D("2")


def test_a_coin_is_hedged_between_its_pairs(see: See) -> None:
    other = LONG | {"pair": "XXBTZEUR", "type": "sell"}
    rows = {"T1": LONG, "T2": other, "T3": LONG | {"pair": "XETHZEUR"}, "T4": LONG | {"pair": "NEWUSD"}}
    held = see(totals("60000", "90000"), rows, {"EUR": D("1.1")}).positions
    names = {position.symbol: position.netting for position in held}
    assert names == {"XXBTZUSD": "BTC", "XXBTZEUR": "BTC", "XETHZEUR": "ETH", "NEWUSD": None}


def test_a_trade_that_is_closed_whole_is_no_position(see: See) -> None:
    done = LONG | {"vol": "1", "vol_closed": "1", "value": "0"}
    snapshot = see(FLAT, {"T1": done})
    assert (snapshot.positions, snapshot.findings) == ((), ())


def test_a_position_in_another_currency_is_told_in_dollars(see: See) -> None:
    euro = LONG | {
        "pair": "XETHZEUR",
        "type": "sell",
        "vol": "10",
        "vol_closed": "0",
        "cost": "30000",
        "margin": "6000",
        "value": "33000",
    }
    snapshot = see(totals("6600", "20000"), {"T1": euro}, rates={"EUR": D("1.1")})
    (position,) = snapshot.positions
    assert snapshot.findings == ()
    assert (position.settle, position.mark_price, position.entry_price) == ("USD", D(3300), D(3000))
    assert (position.notional, position.initial_margin) == (D("36300.0"), D("6600.0"))
    assert position.unrealized_pnl == D("-3300.0")


def test_without_a_rate_a_position_in_another_currency_is_not_judged(see: See) -> None:
    euro = LONG | {"pair": "XETHZEUR"}
    snapshot = see(totals("22000", "90000"), {"T1": euro})
    assert snapshot.positions[0].notional is None
    assert codes(snapshot) == [FindingCode.FIELD_MISSING]


def test_a_pair_is_known_by_its_altname_too(see: See) -> None:
    snapshot = see(positions={"T1": LONG | {"pair": "XBTUSD"}}, balance=totals("20922.10568", "90000"))
    assert [position.symbol for position in snapshot.positions] == ["XXBTZUSD"]


# ---------------------------------------------------------------- flat, or torn


@pytest.mark.parametrize("empty", [{}, []])
def test_an_empty_list_is_flat_only_beside_a_used_margin_of_zero(see: See, empty: object) -> None:
    flat = see(FLAT, empty)
    assert (flat.positions, flat.findings) == ((), ())
    assert flat.units[0].venue_ratio is None
    torn = see(SAMPLE, empty)
    assert codes(torn) == [FindingCode.INCONSISTENT]
    assert "no position is listed" in torn.findings[0].detail


def test_rows_beside_a_used_margin_of_zero_contradict_it(see: See) -> None:
    assert codes(see(FLAT, {"T1": LONG})) == [FindingCode.INCONSISTENT]


def test_more_used_margin_than_all_rows_can_need_means_a_lost_row(see: See) -> None:
    fallen = LONG | {"value": "51000"}
    snapshot = see(totals("30000", "90000"), {"T1": fallen})
    assert codes(snapshot) == [FindingCode.INCONSISTENT]
    assert "at most 20922.1057" in snapshot.findings[0].detail


def test_used_margin_may_follow_the_price(see: See) -> None:
    """A long that has risen, at a leverage of five: 51759.5 by its value of now, 20922.1 by its opening."""
    for used in ("20442.36", "51759.5"):
        assert codes(see(totals(used, "90000"), {"T1": LONG})) == []
    assert codes(see(totals("57000", "90000"), {"T1": LONG})) == [FindingCode.INCONSISTENT]


def test_a_list_of_rows_is_read_like_an_object_of_them(see: See) -> None:
    listed = see(totals("20922.10568", "90000"), [LONG])
    assert (listed.positions, listed.findings) == (
        see(totals("20922.10568", "90000"), {"T": LONG}).positions,
        (),
    )


@pytest.mark.parametrize("positions", ["", 3, "none", [3], {"T1": None}, {"T1": "open"}])
def test_a_result_of_another_shape_is_no_picture(see: See, positions: object) -> None:
    with pytest.raises(MalformedAnswer):
        see(SAMPLE, positions)


def test_a_missing_margin_level_is_built_where_margin_is_used_and_never_safe(see: See) -> None:
    snapshot = see(without(SAMPLE, "ml"))
    assert codes(snapshot) == []
    assert f"{snapshot.units[0].venue_ratio:.4%}" == "1.4726%"
    assert see(totals("100", "80", ml="")).units[0].venue_ratio == 1
    assert codes(see(SAMPLE | {"ml": "NaN"})) == [FindingCode.FIELD_DAMAGED]


@pytest.mark.parametrize("name", ["e", "m", "mf"])
def test_a_missing_total_is_missing(see: See, name: str) -> None:
    assert FindingCode.TOTALS_MISSING in codes(see(without(SAMPLE, name)))


def test_an_empty_trade_balance_is_no_zero(see: See) -> None:
    snapshot = see({}, {})
    (unit,) = snapshot.units
    assert (unit.margin_equity, unit.initial_margin, unit.maintenance_margin) == (None, None, None)
    assert codes(snapshot) == [FindingCode.TOTALS_MISSING] * 3


@pytest.mark.parametrize(
    "changes",
    [{"e": "372.2032"}, {"mf": "380.1678"}, {"ml": "5532.57"}, {"n": "10.0232"}, {"e": "0", "mf": "-7.0354"}],
)
def test_totals_that_contradict_each_other_are_found(see: See, changes: dict[str, str]) -> None:
    assert FindingCode.INCONSISTENT in codes(see(SAMPLE | changes))


@pytest.mark.parametrize("changes", [{"ml": "NaN"}, {"m": "7,03"}, {"e": "Infinity"}])
def test_a_damaged_total_is_damage(see: See, changes: dict[str, str]) -> None:
    assert FindingCode.FIELD_DAMAGED in codes(see(SAMPLE | changes))


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"type": "long"}, FindingCode.FIELD_DAMAGED),
        ({"pair": ""}, FindingCode.FIELD_DAMAGED),
        ({"pair": "XXBTZJPY"}, FindingCode.SYMBOL_UNKNOWN),
        ({"vol": None}, FindingCode.FIELD_MISSING),
        ({"vol_closed": "NaN"}, FindingCode.FIELD_DAMAGED),
        ({"vol_closed": "9"}, FindingCode.INCONSISTENT),
        ({"value": None}, FindingCode.FIELD_MISSING),
        ({"margin": ""}, FindingCode.FIELD_MISSING),
        ({"cost": "1e999"}, FindingCode.FIELD_DAMAGED),
    ],
)
def test_a_damaged_row_is_found_and_never_dropped_in_silence(
    see: See, row: dict[str, Any], code: FindingCode
) -> None:
    assert code in codes(see(totals("20922.10568", "90000"), {"T1": LONG | row}))


def test_a_long_and_a_short_in_one_pair_cannot_be(see: See) -> None:
    snapshot = see(totals("41844.21", "90000"), {"T1": LONG, "T2": LONG | {"type": "sell"}})
    assert codes(snapshot) == [FindingCode.INCONSISTENT]


def test_a_picture_is_as_old_as_its_question(see: See) -> None:
    snapshot = see()
    assert (snapshot.fetched_at - snapshot.as_of).total_seconds() == 0.3
