"""MARGIN rows: a position in a pair, held in one currency and owing the other."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.errors import NotSupported
from brokers.fields import Fields
from brokers.models import (
    AccountSnapshot,
    ContractKind,
    FindingCode,
    MarginMode,
    MarketRules,
    Measure,
    OrderSide,
    Position,
    Side,
    Symbol,
    UnitKind,
)
from brokers.orders import ClientOrderId, ReduceOrder
from brokers.venues.okx.exposures import spot_margin
from brokers.venues.okx.markets import instrument_type
from brokers.venues.okx.orders import order_params

Row = dict[str, Any]
Parse = Callable[..., AccountSnapshot]
PAIR = Symbol("BTC-USDT")


@pytest.fixture
def sample() -> Row:
    """A long of a fifth of its value margined in its coin. Source: OKX docs, account/positions sample."""
    return {
        "instType": "MARGIN",
        "instId": "BTC-USDT",
        "pos": "0.00190433573",
        "availPos": "0.00190433573",
        "posSide": "net",
        "posCcy": "BTC",
        "ccy": "BTC",
        "mgnMode": "isolated",
        "avgPx": "62961.4",
        "markPx": "62891.9",
        "lever": "5",
        "liab": "-99.9998177776581948",
        "liabCcy": "USDT",
        "interest": "0",
        "imr": "",
        "margin": "0.000317654",
        "mmr": "0.0000318005395854",
        "mgnRatio": "9.404143929947395",
        "liqPx": "53615.448336593756",
        "notionalUsd": "119.756628017499",
        "upl": "-0.0000033452492717",
        "usdPx": "",
        "uTime": "1724742632153",
    }


@pytest.fixture
def short(sample: Row) -> Row:
    """A short of 0.002 BTC at 63,000: `pos` is what the sale brought and the margin of 31.45 USDT."""
    return sample | {
        "pos": "157.45",
        "posCcy": "USDT",
        "ccy": "USDT",
        "avgPx": "63000",
        "liab": "-0.002",
        "liabCcy": "BTC",
        "interest": "-0.0000001",
        "margin": "31.45",
        "mmr": "2.5",
        "mgnRatio": "12",
        "notionalUsd": "125.78",
        "upl": "0.2162",
    }


@pytest.fixture
def cross(sample: Row) -> Row:
    """A cross long of 0.1 BTC, margined in USDT."""
    return sample | {
        "pos": "0.1",
        "ccy": "USDT",
        "mgnMode": "cross",
        "liab": "-6296.14",
        "imr": "1257.84",
        "margin": "",
        "mmr": "125.78",
        "mgnRatio": "27.5",
        "notionalUsd": "6288.5",
        "upl": "-6.95",
    }


def codes(snapshot: AccountSnapshot) -> set[FindingCode]:
    return {finding.code for finding in snapshot.findings}


def order(position: Position, price: str | None = None) -> ReduceOrder:
    return ReduceOrder(
        position=position,
        quantity=position.quantity,
        client_order_id=ClientOrderId("0123456789abcdef0123456789abcdef"),
        deadline=datetime(2025, 7, 11, tzinfo=UTC),
        limit_price=None if price is None else Decimal(price),
    )


# ---------------------------------------------------------------- what is held


def test_the_documented_long_is_a_unit_in_its_coin(parse: Parse, futures_row: Row, sample: Row) -> None:
    snapshot = parse(futures_row, sample, level="2")
    (position,) = snapshot.positions
    assert (position.symbol, position.side, position.kind) == (PAIR, Side.LONG, ContractKind.LINEAR)
    assert (position.margin_mode, position.hedged) == (MarginMode.ISOLATED, False)
    assert (position.quantity, position.settle) == (Decimal("0.00190433573"), "BTC")
    assert position.notional == Decimal("0.00190433573"), "in its coin, a coin is worth a coin"
    unit = snapshot.unit("isolated:BTC-USDT:long")
    assert (unit.kind, unit.currency, unit.parent) == (UnitKind.ISOLATED_POSITION, "BTC", "BTC")
    assert unit.measures == {Measure.MAINTENANCE}
    assert unit.venue_ratio == 1 / Decimal("9.404143929947395")
    assert FindingCode.INCOMPLETE not in codes(snapshot)


def test_the_documented_equity_is_what_is_left_after_the_debt(
    parse: Parse, futures_row: Row, sample: Row
) -> None:
    """Held - |liab| / markPx, to the last digits published."""
    unit = parse(futures_row, sample, level="2").unit("isolated:BTC-USDT:long")
    left = Decimal("0.00190433573") - Decimal("99.9998177776581948") / Decimal("62891.9")
    assert unit.margin_equity is not None
    assert unit.maintenance_margin is not None
    assert abs(unit.margin_equity - left) < Decimal("1e-11")
    assert f"{unit.maintenance_margin / unit.margin_equity:.4%}" == "10.1176%"
    assert f"{unit.venue_ratio:.4%}" == "10.6336%", "the venue's holds the liquidation fee"


def test_a_short_is_as_large_as_its_debt_and_not_as_what_it_holds(
    parse: Parse, futures_row: Row, short: Row
) -> None:
    snapshot = parse(futures_row, short, level="2")
    (position,) = snapshot.positions
    assert (position.side, position.closing_side) == (Side.SHORT, OrderSide.BUY)
    assert (position.quantity, position.settle) == (Decimal("0.002"), "USDT")
    assert position.notional == Decimal("0.002") * Decimal("62891.9")
    assert snapshot.unit("isolated:BTC-USDT:short").margin_equity == Decimal("31.6662")


def test_a_cross_position_belongs_to_its_margin_currency(parse: Parse, futures_row: Row, cross: Row) -> None:
    snapshot = parse(futures_row, cross, level="2")
    (position,) = snapshot.positions
    assert (position.unit, position.settle, position.margin_mode) == ("USDT", "USDT", MarginMode.CROSS)
    assert (position.initial_margin, position.maintenance_margin) == (Decimal("1257.84"), Decimal("125.78"))
    assert position.notional == Decimal("6289.19")
    in_coin, other = cross | {"ccy": "BTC", "imr": "0.02", "mmr": "0.002", "upl": "-0.0001"}, futures_row
    assert parse(other, in_coin, level="2").positions[0].unit == "BTC"


def test_a_pair_is_told_by_its_name_where_the_type_is_left_out(
    parse: Parse, futures_row: Row, short: Row
) -> None:
    del short["instType"]
    (position,) = parse(futures_row, short, level="2").positions
    assert (position.side, position.quantity) == (Side.SHORT, Decimal("0.002"))


def test_a_pool_counts_it_in_dollars_by_its_notional(parse: Parse, pooled_row: Row, sample: Row) -> None:
    snapshot = parse(pooled_row, sample)
    (position,) = snapshot.positions
    rate = Decimal("119.756628017499") / Decimal("0.00190433573")
    assert (position.settle, position.notional) == ("USD", Decimal("119.756628017499"))
    assert position.maintenance_margin == Decimal("0.0000318005395854") * rate
    assert snapshot.unit(position.unit).parent == "account"


def test_pairs_make_no_currency_a_unit(parse: Parse, futures_row: Row) -> None:
    futures_row["details"][2]["ccy"] = "USDC"
    assert [unit.key for unit in parse(futures_row, level="2").units] == ["USDT", "BTC"]


# ---------------------------------------------------------------- what cannot be read


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"posCcy": ""}, FindingCode.FIELD_DAMAGED),
        ({"posCcy": "ETH"}, FindingCode.FIELD_DAMAGED),
        ({"pos": "-157.45"}, FindingCode.FIELD_DAMAGED),
        ({"liab": ""}, FindingCode.FIELD_MISSING),
        ({"liab": "NaN"}, FindingCode.FIELD_DAMAGED),
        ({"liab": "0"}, FindingCode.FIELD_DAMAGED),
        ({"liabCcy": "USDT"}, FindingCode.FIELD_DAMAGED),
        ({"liabCcy": ""}, FindingCode.FIELD_DAMAGED),
        ({"pos": "NaN"}, FindingCode.FIELD_DAMAGED),
    ],
)
def test_a_row_that_cannot_be_read_is_a_finding_and_no_position(
    parse: Parse, futures_row: Row, short: Row, changes: Row, code: FindingCode
) -> None:
    snapshot = parse(futures_row, short | changes, level="2")
    assert snapshot.positions == ()
    assert (code, PAIR) in {(finding.code, finding.symbol) for finding in snapshot.findings}


@pytest.mark.parametrize("name", ["margin", "mmr", "upl"])
def test_a_missing_margin_is_missing(parse: Parse, futures_row: Row, sample: Row, name: str) -> None:
    snapshot = parse(futures_row, sample | {name: "", "mgnRatio": ""}, level="2")
    assert FindingCode.FIELD_MISSING in codes(snapshot)
    assert FindingCode.TOTALS_MISSING in codes(snapshot)


def test_margin_put_aside_by_hand_is_no_position(parse: Parse, futures_row: Row, sample: Row) -> None:
    empty = sample | {"pos": "0", "posCcy": "", "liab": "", "liabCcy": "", "margin": "5", "mmr": ""}
    assert parse(futures_row, empty, level="2").positions == ()


def test_two_positions_in_one_pair_are_not_told_apart(parse: Parse, futures_row: Row, cross: Row) -> None:
    other = cross | {"ccy": "BTC", "imr": "0.02", "mmr": "0.002"}
    assert FindingCode.INCONSISTENT in codes(parse(futures_row, cross, other, level="2"))


# ---------------------------------------------------------------- orders


def test_a_long_is_sold_in_base_currency(parse: Parse, futures_row: Row, sample: Row) -> None:
    (position,) = parse(futures_row, sample, level="2").positions
    assert order_params(order(position), Decimal("0.1")) == {
        "instId": "BTC-USDT",
        "tdMode": "isolated",
        "ccy": "BTC",
        "side": "sell",
        "ordType": "market",
        "sz": "0.00190433573",
        "clOrdId": "0123456789abcdef0123456789abcdef",
        "reduceOnly": True,
    }


def test_a_short_is_bought_back_by_a_limit_that_counts_in_base_currency(
    parse: Parse, futures_row: Row, short: Row
) -> None:
    """OKX docs, place order, `sz`: MARGIN buy market orders count in quote currency, limit orders in base."""
    (position,) = parse(futures_row, short, level="2").positions
    body = order_params(order(position), Decimal("0.1"))
    assert (body["side"], body["ordType"], body["sz"]) == ("buy", "ioc", "0.002")
    assert Decimal(str(body["px"])) == Decimal("63520.8"), "1 % above mark, on the grid"
    assert (body["ccy"], body["tdMode"], body["reduceOnly"]) == ("USDT", "isolated", True)
    assert order_params(order(position))["px"] == "63520.8", "the mark's own grid without rules"
    assert order_params(order(position, "62950"), Decimal("0.1"))["px"] == "62950"


def test_a_short_without_a_mark_price_is_not_bought_back_blindly(
    parse: Parse, futures_row: Row, short: Row
) -> None:
    (position,) = parse(futures_row, short | {"markPx": ""}, level="2").positions
    assert position.notional is None
    with pytest.raises(NotSupported):
        order_params(order(position), Decimal("0.1"))


def test_a_cross_order_names_its_margin_currency(parse: Parse, futures_row: Row, cross: Row) -> None:
    (position,) = parse(futures_row, cross, level="2").positions
    body = order_params(order(position))
    assert (body["tdMode"], body["ccy"], body["sz"]) == ("cross", "USDT", "0.1")


def test_contracts_name_none(parse: Parse, futures_row: Row, swap_row: Row) -> None:
    (position,) = parse(futures_row, swap_row, level="2").positions
    assert "ccy" not in order_params(order(position))


def test_pairs_are_traded_in_base_currency(markets: dict[Symbol, MarketRules]) -> None:
    rules = markets[PAIR]
    assert (rules.base, rules.quote, rules.settle, rules.contract_size) == ("BTC", "USDT", "USDT", 1)
    assert (rules.lot_step, rules.min_quantity) == (Decimal("0.00000001"), Decimal("0.00001"))
    assert rules.max_market_quantity == rules.max_limit_quantity == 9999999999
    kinds = [instrument_type(name) for name in ("BTC-USDT", "BTC-USDT-SWAP", "BTC-USD-250926")]
    assert kinds == ["MARGIN", "SWAP", "FUTURES"]


# ---------------------------------------------------------------- properties

SIZES = st.decimals("0.00000001", "1000000", places=8)
PRICES = st.decimals("0.01", "1000000", places=2)


@given(size=SIZES, mark=PRICES)
def test_notional_is_exact_in_either_margin_currency(size: Decimal, mark: Decimal) -> None:
    row = {"posCcy": "BTC", "liabCcy": "USDT", "liab": "-1"}
    for currency, worth in (("BTC", size), ("USDT", size * mark)):
        found = spot_margin(size, mark, PAIR, currency, Fields(row, []))
        assert found is not None
        assert (found.side, found.quantity, found.notional) == (Side.LONG, size, worth)
    row = {"posCcy": "USDT", "liabCcy": "BTC", "liab": str(-size)}
    for currency, worth in (("BTC", size), ("USDT", size * mark)):
        found = spot_margin(Decimal(5), mark, PAIR, currency, Fields(row, []))
        assert found is not None
        assert (found.side, found.quantity, found.notional) == (Side.SHORT, size, worth)
