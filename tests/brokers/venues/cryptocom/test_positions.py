"""Rows of get-positions: size, side, entry, mark, and what cannot be trusted."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountSnapshot, FindingCode, Side
from brokers.venues.cryptocom.snapshot import read_prices

Row = dict[str, Any]
Snap = Callable[..., AccountSnapshot]


def ticker(last: object, bid: object = None, ask: object = None, name: str = "LTCUSD-PERP") -> Row:
    return {"i": name, "a": last, "b": bid, "k": ask, "t": 1688015919091}


def test_a_short_has_signed_figures_and_a_positive_size(snap: Snap, live: tuple[Row, Row]) -> None:
    balance, row = live
    row |= {"quantity": "-2", "open_pos_cost": "-140", "open_position_pnl": "-6", "cost": "-141"}
    (position,) = snap(balance, row).positions
    assert (position.side, position.quantity) == (Side.SHORT, Decimal(2))
    assert (position.entry_price, position.mark_price) == (Decimal(70), Decimal(73))
    assert position.notional == Decimal(146)


@pytest.mark.parametrize("zero", ["0", "0.0", "-0.000", 0])
def test_what_was_held_once_is_no_position(snap: Snap, live: tuple[Row, Row], zero: object) -> None:
    balance, row = live
    flat = {**row, "instrument_name": "BTCUSD-PERP", "quantity": zero, "open_pos_cost": "0.0"}
    snapshot = snap(balance, row, flat)
    assert [position.symbol for position in snapshot.positions] == ["LTCUSD-PERP"]
    assert snapshot.findings == ()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"quantity": "NaN"}, FindingCode.FIELD_DAMAGED),
        ({"quantity": None}, FindingCode.FIELD_MISSING),
        ({"open_pos_cost": ""}, FindingCode.FIELD_MISSING),
        ({"open_position_pnl": "Infinity"}, FindingCode.FIELD_DAMAGED),
        ({"instrument_name": None}, FindingCode.FIELD_MISSING),
        ({"instrument_name": "DOGEUSD-PERP"}, FindingCode.SYMBOL_UNKNOWN),
        ({"isolation_type": "ISOLATED_MARGIN"}, FindingCode.FIELD_MISSING),
    ],
)
def test_a_damaged_row_leaves_a_finding(
    snap: Snap, live: tuple[Row, Row], change: Row, code: FindingCode
) -> None:
    balance, row = live
    assert code in [finding.code for finding in snap(balance, {**row, **change}).findings]


def test_two_rows_for_one_position_are_a_contradiction(snap: Snap, live: tuple[Row, Row]) -> None:
    balance, row = live
    snapshot = snap(balance, row, row)
    assert [finding.code for finding in snapshot.findings] == [FindingCode.INCONSISTENT]
    assert len(snapshot.positions) == 1


@pytest.mark.parametrize("last", ["69.1", "64", "74"])
def test_the_mark_is_the_one_behind_the_rows_own_profit(snap: Snap, live: tuple[Row, Row], last: str) -> None:
    balance, row = live
    (position,) = snap(balance, row, tickers=(ticker(last),)).positions
    assert position.mark_price is not None
    assert round(position.mark_price, 4) == Decimal("69.1252")


def test_a_profit_that_tells_another_price_altogether_does_not_make_the_mark(
    snap: Snap, live: tuple[Row, Row]
) -> None:
    balance, row = live
    (position,) = snap(balance, row, tickers=(ticker("50"),)).positions
    assert position.mark_price == Decimal(50)
    assert position.notional == Decimal(235)


def test_without_a_profit_the_ticker_makes_the_mark(snap: Snap, live: tuple[Row, Row]) -> None:
    balance, row = live
    (position,) = snap(balance, {**row, "open_position_pnl": None}, tickers=(ticker("69"),)).positions
    assert (position.mark_price, position.unrealized_pnl) == (Decimal(69), None)


@pytest.mark.parametrize(
    ("last", "bid", "ask", "price"),
    [
        ("100", "99", "101", "100"),
        ("90", "99", "101", "99"),
        ("110", "99", "101", "101"),
        (None, "99", "101", "100"),
        ("100", None, None, "100"),
        ("100", "102", "101", "100"),
    ],
)
def test_a_last_price_is_held_inside_the_spread(
    answer: Callable[..., Row], last: object, bid: object, ask: object, price: str
) -> None:
    assert read_prices([answer(ticker(last, bid, ask))]) == {"LTCUSD-PERP": Decimal(price)}


@pytest.mark.parametrize("last", [None, "", "0", "NaN", "-5"])
def test_a_ticker_without_a_price_is_left_out(answer: Callable[..., Row], last: object) -> None:
    assert read_prices([answer(ticker(last))]) == {}
