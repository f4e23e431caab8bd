"""Orders as Kraken Futures prints them, and its order arguments as the engine takes them."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from brokers.models import OrderSide
from brokers.numbers import ceil_to_step, floor_to_step
from brokers.sandbox.orders import (
    CancelReason,
    Fill,
    Order,
    OrderSpec,
    OrderStatus,
    OrderType,
    TimeInForce,
    Trigger,
    TriggerKind,
)
from brokers.sandbox.wire.base import Wire
from brokers.sandbox.wire.krakenfutures.envelope import figure, iso, number

SIDES = {"buy": OrderSide.BUY, "sell": OrderSide.SELL}
TIMES = {
    "lmt": TimeInForce.GTC,
    "post": TimeInForce.POST_ONLY,
    "ioc": TimeInForce.IOC,
    "mkt": TimeInForce.IOC,
    "stp": TimeInForce.GTC,
    "take_profit": TimeInForce.GTC,
}
"""Kraken's order types that the engine has: fill-or-kill and trailing stops are not among them."""

STOPS = frozenset({"stp", "take_profit"})
SIGNALS = {"mark": TriggerKind.MARK, "index": TriggerKind.INDEX, "last": TriggerKind.LAST}
LONGEST_ID = 100
PROTECTION = Decimal("0.01")
"""How far from the mark a `mkt` order may fill."""

EVENTS = {
    OrderStatus.OPEN: "OrderPlaced",
    OrderStatus.UNTRIGGERED: "OrderPlaced",
    OrderStatus.FILLED: "OrderFilled",
    OrderStatus.CANCELLED: "OrderCancelled",
}
STATUSES = {
    OrderStatus.OPEN: "ENTERED_BOOK",
    OrderStatus.UNTRIGGERED: "TRIGGER_PLACED",
    OrderStatus.FILLED: "FULLY_EXECUTED",
    OrderStatus.CANCELLED: "CANCELLED",
}
REASONS = {
    CancelReason.BY_USER: "CANCELLED_BY_USER",
    CancelReason.LIQUIDATION: "LIQUIDATION_ORDER",
    CancelReason.WOULD_TAKE: "POST_WOULD_EXECUTE_REASON",
    CancelReason.POSITION_GONE: "WOULD_NOT_REDUCE_POSITION",
}


class WrongArgument(Exception):
    """An argument that Kraken refuses: by the `status` of a `sendStatus`, or by a `code` for the request."""

    def __init__(self, status: str = "", code: int = 0) -> None:
        super().__init__(status or str(code))
        self.status = status
        self.code = code


def order_spec(wire: Wire, given: Mapping[str, str]) -> OrderSpec:
    """Build the engine's order out of Kraken's arguments.

    Raises:
        WrongArgument: one of them is wrong.
        Rejection: the contract is not listed.
    """
    kind = given.get("orderType", "")
    if kind not in TIMES:
        raise WrongArgument(code=11)
    side = SIDES.get(given.get("side", ""))
    if side is None:
        raise WrongArgument(status="invalidSide")
    own = given.get("cliOrdId") or None
    if own is not None and len(own) > LONGEST_ID:
        raise WrongArgument(status="clientOrderIdTooLong")
    size = number(given.get("size"))
    if size is None:
        raise WrongArgument(status="invalidSize")
    instrument = wire.engine.instrument(given.get("symbol", "").upper())
    price = number(given.get("limitPrice"))
    if kind == "mkt":
        price = _protected(wire.engine.ticker(instrument.name).mark, side, instrument.price_step)
    trigger = None
    if kind in STOPS:
        at = number(given.get("stopPrice"))
        if at is None:
            raise WrongArgument(status="invalidPrice")
        trigger = Trigger(price=at, kind=SIGNALS.get(given.get("triggerSignal", "last"), TriggerKind.LAST))
    return OrderSpec(
        symbol=instrument.name,
        side=side,
        quantity=instrument.from_contracts(size),
        type=OrderType.MARKET if kind in STOPS and price is None else OrderType.LIMIT,
        time_in_force=TIMES[kind],
        price=price,
        client_id=own,
        reduce_only=given.get("reduceOnly", "").lower() == "true",
        trigger=trigger,
        deadline_ms=_deadline(wire, given.get("processBefore")),
    )


def _protected(mark: Decimal, side: OrderSide, step: Decimal) -> Decimal:
    if side is OrderSide.BUY:
        return ceil_to_step(mark * (1 + PROTECTION), step)
    return floor_to_step(mark * (1 - PROTECTION), step)


def _deadline(wire: Wire, text: str | None) -> int | None:
    """Return `processBefore` on the engine's clock: it is judged when the order would enter, however late."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise WrongArgument(code=4) from None
    if moment.tzinfo is None:
        raise WrongArgument(code=4)
    return wire.engine_ms(round(moment.timestamp() * 1000))


class OrderDesk:
    """Prints the engine's orders."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def event_order(self, order: Order, filled: Decimal | None = None) -> dict[str, Any]:
        """Return the order of an order event."""
        return {
            "orderId": order.order_id,
            "cliOrdId": order.client_id,
            "type": order_type(order),
            "symbol": order.symbol,
            "side": order.side.value,
            "quantity": figure(order.quantity),
            "filled": figure(order.filled if filled is None else filled),
            "limitPrice": figure(order.spec.price),
            "reduceOnly": order.reduce_only,
            "timestamp": self._time(order.created_ms),
            "lastUpdateTimestamp": self._time(order.updated_ms),
        }

    def open_order(self, order: Order) -> dict[str, Any]:
        """Return a row of `openorders`; a stop is called `stop` there."""
        trigger = order.spec.trigger
        waits = order.status is OrderStatus.UNTRIGGERED
        row: dict[str, Any] = {
            "order_id": order.order_id,
            "symbol": order.symbol,
            "side": order.side.value,
            "orderType": "stop" if waits else "lmt",
            "limitPrice": figure(order.spec.price),
            "unfilledSize": figure(order.remaining),
            "receivedTime": self._time(order.created_ms),
            "status": "partiallyFilled" if order.filled else "untouched",
            "filledSize": figure(order.filled),
            "reduceOnly": order.reduce_only,
            "lastUpdateTime": self._time(order.updated_ms),
        }
        if order.client_id is not None:
            row["cliOrdId"] = order.client_id
        if waits and trigger is not None:
            row |= {"stopPrice": figure(trigger.price), "triggerSignal": trigger.kind.value}
        return row

    def status(self, order: Order) -> dict[str, Any]:
        """Return a row of `orders/status`."""
        waits = order.status is OrderStatus.UNTRIGGERED
        reason = None if order.cancel_reason is None else REASONS.get(order.cancel_reason, "PARTIAL_FILL")
        printed = self.event_order(order) | {"type": "TRIGGER_ORDER" if waits else "ORDER"}
        return {"order": printed, "status": STATUSES[order.status], "updateReason": reason, "error": None}

    def fill(self, fill: Fill) -> dict[str, Any]:
        """Return a row of `fills`."""
        row: dict[str, Any] = {
            "fill_id": fill.fill_id,
            "symbol": fill.symbol,
            "side": fill.side.value,
            "order_id": fill.order_id or "",
            "fillTime": self._time(fill.ms),
            "size": figure(fill.quantity),
            "price": figure(fill.price),
            "fillType": "maker" if fill.maker else "taker",
        }
        if fill.client_id is not None:
            row["cliOrdId"] = fill.client_id
        return row

    def element(self, order: Order) -> dict[str, Any]:
        """Return the latest event of an order as the order history has it: its figures are text."""
        stamp = self._wire.stamp(order.updated_ms)
        printed = {
            "uid": order.order_id,
            "clientId": order.client_id or "",
            "tradeable": order.symbol,
            "direction": order.side.value.capitalize(),
            "quantity": str(order.quantity),
            "filled": str(order.filled),
            "orderType": order_type(order),
            "reduceOnly": order.reduce_only,
            "timestamp": self._wire.stamp(order.created_ms),
            "lastUpdateTimestamp": stamp,
        }
        event = {EVENTS[order.status]: {"order": printed, "reason": "", "reducedQuantity": ""}}
        return {"uid": f"event-{order.order_id}", "timestamp": stamp, "event": event}

    def _time(self, engine_ms: int) -> str:
        return iso(self._wire.stamp(engine_ms))


def order_type(order: Order) -> str:
    """Return Kraken's word for an order's type in events."""
    if order.status is OrderStatus.UNTRIGGERED:
        return "stp"
    return "ioc" if order.spec.time_in_force is TimeInForce.IOC else "lmt"
