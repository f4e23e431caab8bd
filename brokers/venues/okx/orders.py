"""Orders at OKX: raw rows -> our models, and what is sent to reduce a position."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from brokers.errors import MalformedAnswer, NotSupported
from brokers.models import MarginMode, OrderSide, Position, Symbol
from brokers.numbers import decimal_from, decimal_or_none, floor_to_step, plain
from brokers.order_rows import side_of, state_of, text_of
from brokers.orders import ClientOrderId, OpenOrder, OrderBook, OrderReport, OrderState, ReduceOrder, Verdict
from brokers.venues.okx.markets import is_pair
from brokers.venues.okx.positions import USD

ALGO_TYPES = ("conditional", "oco", "trigger", "move_order_stop", "iceberg", "twap")
"""The algo books; each is listed by a call of its own."""

SIDES = {"buy": OrderSide.BUY, "sell": OrderSide.SELL}

STATES: Mapping[str, OrderState] = MappingProxyType(
    {
        "live": OrderState.OPEN,
        "partially_filled": OrderState.OPEN,
        "filled": OrderState.FILLED,
        "canceled": OrderState.CANCELLED,
        "mmp_canceled": OrderState.CANCELLED,
    }
)

CLOSING_LEGS = frozenset({("long", OrderSide.SELL), ("short", OrderSide.BUY)})
"""In long/short mode an order against its leg can only reduce; OKX knows no reduce-only flag there."""

OVER_MARK = Decimal("1.01")
"""The most, in mark prices, that is paid at market to buy back what a short in a pair owes."""

LEGS = frozenset({"long", "short"})
FLAGS = frozenset({"true", "false"})


def read_open_order(row: Mapping[str, Any]) -> OpenOrder:
    """Read a row of `trade/orders-pending`.

    Raises:
        MalformedAnswer: it names no order, instrument or side.
        NumberError: a figure is damaged.
    """
    size, filled = decimal_or_none(row.get("sz")), decimal_or_none(row.get("accFillSz"))
    return OpenOrder(
        order_id=text_of(row, "ordId"),
        client_order_id=str(row.get("clOrdId") or "") or None,
        symbol=Symbol(text_of(row, "instId")),
        side=side_of(row, SIDES),
        quantity=None if size is None or filled is None else size - filled,
        price=decimal_or_none(row.get("px")),
        reduce_only=_can_only_reduce(row),
        book=OrderBook.ACTIVE,
        kind=text_of(row, "ordType"),
    )


def read_algo_order(row: Mapping[str, Any]) -> OpenOrder:
    """Read a row of `trade/orders-algo-pending`.

    An order by `closeFraction` has no size: it closes the position, whatever that is when it triggers. Spot
    orders carry no flag; one that sells for cash sells what is owned, and is a stop as any other.

    Raises:
        MalformedAnswer: it names no order, instrument or side, or is the owner's protection or not by a flag
            that is missing.
        NumberError: a figure is damaged.
    """
    spot = row.get("instType") == "SPOT"
    sells_own = spot and row.get("tdMode") == "cash" and side_of(row, SIDES) is OrderSide.SELL
    reduces = _can_only_reduce(row) or bool(row.get("closeFraction")) or sells_own
    if not (reduces or spot) and row.get("posSide") not in LEGS and _flag_word(row) not in FLAGS:
        raise MalformedAnswer("an algo order without reduceOnly")
    return OpenOrder(
        order_id=text_of(row, "algoId"),
        client_order_id=str(row.get("algoClOrdId") or "") or None,
        symbol=Symbol(text_of(row, "instId")),
        side=side_of(row, SIDES),
        quantity=decimal_or_none(row.get("sz")),
        price=decimal_or_none(row.get("triggerPx") or row.get("slTriggerPx") or row.get("tpTriggerPx")),
        reduce_only=reduces,
        book=OrderBook.TRIGGER,
        kind=text_of(row, "ordType"),
    )


def read_report(row: Mapping[str, Any], client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
    """Read a row of `trade/order` or `trade/orders-history`.

    OKX writes a fee that was paid as a negative number; ours is positive.

    Raises:
        MalformedAnswer: it is another order's row, or in a state OKX does not document.
        NumberError: a figure is missing or damaged.
    """
    if row.get("clOrdId") != client_order_id or row.get("instId") != symbol:
        raise MalformedAnswer("trade/order: the row of another order")
    state = state_of(row.get("state"), STATES, "trade/order")
    fee = decimal_or_none(row.get("fee"))
    return OrderReport(
        client_order_id=client_order_id,
        symbol=symbol,
        verdict=Verdict.ACCEPTED,
        state=state,
        order_id=text_of(row, "ordId"),
        filled=decimal_from(row.get("accFillSz")),
        average_price=decimal_or_none(row.get("avgPx")),
        fee=None if fee is None else -fee,
    )


def order_params(order: ReduceOrder, price_step: Decimal | None = None) -> dict[str, object]:
    """Return the body of `trade/order`.

    The trade mode, the leg and a pair's margin currency come from the position row, never from a setting: a
    wrong one would open a second position. `reduceOnly` exists in net mode only; in long/short mode a closing
    order only reduces. A market order that buys a pair counts in quote currency and could buy more than is
    owed: in its place goes an immediate limit somewhat above the mark price, on the grid of `price_step`.

    Source: OKX docs, trade/order; OKX help, "OKX to upgrade the position-closing feature" (June 2023).
    """
    position = order.position
    price = order.limit_price
    if price is None and is_pair(order.symbol) and order.side is OrderSide.BUY:
        price = _price_to_buy(position, price_step)
    body: dict[str, object] = {
        "instId": str(order.symbol),
        "tdMode": trade_mode(position),
        "side": order.side.value,
        "ordType": "market" if price is None else "ioc",
        "sz": plain(order.quantity),
        "clOrdId": str(order.client_order_id),
    }
    if price is not None:
        body["px"] = plain(price)
    if currency := margin_currency(position):
        body["ccy"] = currency
    if position.hedged:
        body["posSide"] = position.side.value
    else:
        body["reduceOnly"] = True
    return body


def margin_currency(position: Position) -> str | None:
    """Return OKX's `ccy` of a position in a pair, which has one for each currency that margins it."""
    return position.settle if is_pair(position.symbol) and position.settle != USD else None


def _price_to_buy(position: Position, step: Decimal | None) -> Decimal:
    """Return the most to pay for what a short owes.

    Raises:
        NotSupported: the position has no mark price.
    """
    if position.mark_price is None:
        raise NotSupported(f"okx: {position.symbol} cannot be bought back without a mark price")
    price = position.mark_price * OVER_MARK
    return price.quantize(position.mark_price) if step is None else floor_to_step(price, step)


def trade_mode(position: Position) -> str:
    """Return OKX's `tdMode` of a position."""
    return "isolated" if position.margin_mode is MarginMode.ISOLATED else "cross"


def _can_only_reduce(row: Mapping[str, Any]) -> bool:
    """Tell whether an order can only reduce. OKX writes the flag as text, and as a boolean in requests."""
    return _flag_word(row) == "true" or (row.get("posSide"), side_of(row, SIDES)) in CLOSING_LEGS


def _flag_word(row: Mapping[str, Any]) -> str:
    return str(row.get("reduceOnly")).lower()
