"""OPTION rows: watched with the venue's own margins, valued by their delta, and never cut."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountSnapshot, FindingCode, MarginMode, Measure, Position, Side
from brokers.orders import ClientOrderId, ReduceOrder

Row = dict[str, Any]
Parse = Callable[..., AccountSnapshot]


@pytest.fixture
def option_row() -> Row:
    """Two sold calls of 0.01 BTC each. The fields are those OKX documents for options; figures made up."""
    return {
        "instType": "OPTION",
        "instId": "BTC-USD-250926-100000-C",
        "pos": "-2",
        "posSide": "net",
        "mgnMode": "cross",
        "ccy": "BTC",
        "avgPx": "0.02",
        "markPx": "0.025",
        "idxPx": "60000",
        "usdPx": "60000",
        "notionalUsd": "1200",
        "optVal": "-0.0005",
        "deltaBS": "-480",
        "deltaPA": "-0.0085",
        "lever": "",
        "liqPx": "",
        "imr": "0.003",
        "mmr": "0.0012",
        "margin": "",
        "mgnRatio": "40",
        "upl": "-0.0001",
        "uTime": "1752100000000",
    }


@pytest.fixture
def only(parse: Parse, pooled_row: Row, futures_row: Row) -> Callable[..., tuple[Position, AccountSnapshot]]:
    """Parse a single row at an account level."""

    def read(row: Row, level: str = "3") -> tuple[Position, AccountSnapshot]:
        snapshot = parse(futures_row if level == "2" else pooled_row, row, level=level)
        (position,) = snapshot.positions
        return position, snapshot

    return read


Only = Callable[..., tuple[Position, AccountSnapshot]]


@pytest.mark.parametrize(
    ("delta", "dollars"),
    [("-480", 480), ("480", 480), ("-0.008", 480), ("0.02", 1200), ("0.021", Decimal("0.021"))],
    ids=["dollars", "of either sign", "coins", "coins of the whole face", "no coins: more than the face"],
)
def test_it_counts_with_its_delta_and_not_with_its_face(
    only: Only, option_row: Row, delta: str, dollars: Decimal
) -> None:
    position, snapshot = only(option_row | {"deltaBS": delta})
    assert position.notional == dollars
    assert snapshot.findings == ()
    in_coin, _ = only(option_row | {"deltaBS": delta}, level="2")
    assert in_coin.notional == dollars / Decimal(60000)


@pytest.mark.parametrize(
    ("delta", "coins"), [("-480", "-0.008"), ("-0.008", "-0.008"), ("480", "0.008"), ("0.02", "0.02")]
)
def test_its_delta_is_told_in_coins_with_the_venue_s_sign(
    only: Only, option_row: Row, delta: str, coins: str
) -> None:
    position, _ = only(option_row | {"deltaBS": delta})
    assert position.delta == Decimal(coins)


@pytest.mark.parametrize("name", ["deltaBS", "notionalUsd", "idxPx"])
def test_a_delta_with_a_figure_missing_is_not_known(only: Only, option_row: Row, name: str) -> None:
    position, _ = only(option_row | {name: ""})
    assert position.delta is None


@pytest.mark.parametrize("name", ["deltaBS", "notionalUsd", "idxPx", "usdPx"])
def test_a_delta_that_is_not_to_be_told_is_unknown(only: Only, option_row: Row, name: str) -> None:
    position, _ = only(option_row | {name: ""}, level="2")
    assert position.notional is None


@pytest.mark.parametrize(("size", "side"), [("-2", Side.SHORT), ("2", Side.LONG)])
def test_the_sign_tells_who_bought(only: Only, option_row: Row, size: str, side: Side) -> None:
    position, _ = only(option_row | {"pos": size})
    assert (position.side, position.quantity, position.unit) == (side, 2, "account")


def test_cross_margins_are_the_rows_own(only: Only, option_row: Row) -> None:
    position, snapshot = only(option_row, level="2")
    assert (position.initial_margin, position.maintenance_margin) == (Decimal("0.003"), Decimal("0.0012"))
    assert (position.margin_mode, position.unit) == (MarginMode.CROSS, "BTC")
    assert [finding.unit for finding in snapshot.findings] == ["USDT"], "whose margin no row explains"
    bought, snapshot = only(option_row | {"pos": "2", "imr": "", "mmr": ""})
    assert (bought.initial_margin, bought.maintenance_margin) == (None, None)
    assert snapshot.findings == ()


def test_a_sold_isolated_one_is_a_unit(only: Only, option_row: Row) -> None:
    position, snapshot = only(
        option_row | {"mgnMode": "isolated", "imr": "", "margin": "0.004", "mgnRatio": "2"}, level="2"
    )
    unit = snapshot.unit(position.unit)
    assert unit.measures == {Measure.MAINTENANCE}
    assert (unit.margin_equity, unit.venue_ratio) == (Decimal("0.0039"), Decimal("0.5"))


@pytest.mark.parametrize("mode", ["isolated", "cash"])
def test_a_bought_one_that_stands_alone_cannot_be_liquidated(only: Only, option_row: Row, mode: str) -> None:
    blank = dict.fromkeys(("imr", "mmr", "margin", "mgnRatio", "upl"), "")
    position, snapshot = only(option_row | blank | {"pos": "2", "mgnMode": mode})
    assert snapshot.unit(position.unit).measures == frozenset()
    assert snapshot.findings == ()


@pytest.mark.parametrize("name", ["margin", "mmr", "upl"])
def test_a_sold_isolated_one_without_its_figures_is_a_finding(only: Only, option_row: Row, name: str) -> None:
    row = option_row | {"mgnMode": "isolated", "imr": "", "margin": "0.004", "mgnRatio": ""}
    _, snapshot = only(row | {name: ""}, level="2")
    assert FindingCode.TOTALS_MISSING in {finding.code for finding in snapshot.findings}


def test_no_order_is_built_for_it(only: Only, option_row: Row) -> None:
    position, _ = only(option_row)
    assert not position.reducible
    with pytest.raises(ValueError, match="no order can only reduce it"):
        ReduceOrder(
            position=position,
            quantity=Decimal(1),
            client_order_id=ClientOrderId("0123456789abcdef0123456789abcdef"),
            deadline=datetime(2025, 7, 11, tzinfo=UTC),
        )
