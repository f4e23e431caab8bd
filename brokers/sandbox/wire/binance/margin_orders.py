"""Margin orders: place, look up, list, cancel; one account of the two, as `isIsolated` says.

Source: Binance docs, "Margin Account New Order", "Query Margin Account's Order", "Margin Account Cancel
Order".
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from brokers.models import MarginMode, OrderSide
from brokers.numbers import ZERO
from brokers.sandbox.orders import (
    CancelReason,
    Order,
    OrderSpec,
    OrderStatus,
    OrderType,
    Rejection,
    TimeInForce,
    Trigger,
    TriggerDirection,
    TriggerKind,
)
from brokers.sandbox.wire.base import Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.binance.listing import Listing, money, on_grid
from brokers.sandbox.wire.binance.margin_refusals import NO_ACCOUNT, NO_SUCH_ORDER, refuse, rejected
from brokers.sandbox.wire.binance.pace import Pace
from brokers.sandbox.wire.binance.parameters import Parameters
from brokers.sandbox.wire.binance.refusals import refuse as refuse_code
from brokers.sandbox.wire.binance.signature import window

SIDES = MappingProxyType({"BUY": OrderSide.BUY, "SELL": OrderSide.SELL})
KINDS = MappingProxyType(
    {
        "LIMIT": OrderType.LIMIT,
        "MARKET": OrderType.MARKET,
        "STOP_LOSS": OrderType.MARKET,
        "STOP_LOSS_LIMIT": OrderType.LIMIT,
        "TAKE_PROFIT": OrderType.MARKET,
        "TAKE_PROFIT_LIMIT": OrderType.LIMIT,
    }
)
TIMES = MappingProxyType({"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC})

BORROWING = frozenset({"MARGIN_BUY", "AUTO_BORROW_REPAY"})
REPAYING = frozenset({"AUTO_REPAY", "AUTO_BORROW_REPAY"})
SIDE_EFFECTS: Mapping[str, str] = {
    word: word for word in ("NO_SIDE_EFFECT", "MARGIN_BUY", "AUTO_REPAY", "AUTO_BORROW_REPAY")
}

NEITHER = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"


class MarginOrderDesk:
    """Answer what is traded; `isolated`: whose orders these are."""

    def __init__(self, wire: Wire, listing: Listing, *, isolated: bool) -> None:
        self._wire = wire
        self._engine = wire.engine
        self._listing = listing
        self._isolated = isolated
        self._pace = Pace()

    def place(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `POST /sapi/v1/margin/order`."""
        headers = self._pace.count(account, request.now_ms)
        asked = self._asked(request)
        one = self._listing.instrument(asked.required("symbol"))
        word = asked.required("type")
        kind = asked.word("type", KINDS, -1116)
        limited = kind is OrderType.LIMIT
        effect = asked.word("sideEffectType", SIDE_EFFECTS, -1102) if asked.text("sideEffectType") else ""
        sent_at, recv_window = window(request)
        side = asked.word("side", SIDES, -1117)
        spec = OrderSpec(
            symbol=one.name,
            side=side,
            quantity=asked.number("quantity"),
            type=kind,
            time_in_force=asked.word("timeInForce", TIMES, -1115) if limited else TimeInForce.GTC,
            price=asked.number("price") if limited else None,
            client_id=asked.client_id("newClientOrderId"),
            margin_mode=MarginMode.ISOLATED if self._isolated else MarginMode.CROSS,
            trigger=_trigger(word, side, asked),
            deadline_ms=self._wire.engine_ms(sent_at + recv_window),
            borrows=effect in BORROWING,
            repays=effect in REPAYING,
        )
        try:
            order = self._engine.place(account, spec)
        except Rejection as rejection:
            raise rejected(rejection) from None
        full = asked.text("newOrderRespType") in {"RESULT", "FULL"}
        return WireAnswer(payload=self._placed(order, full=full), headers=headers)

    def find(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /sapi/v1/margin/order`."""
        return WireAnswer(payload=self._row(self._found(request, account)))

    def open(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /sapi/v1/margin/openOrders`: of isolated pairs one by one, else of all."""
        asked = self._asked(request)
        symbol = asked.required("symbol") if self._isolated else asked.text("symbol")
        name = None if symbol is None else self._listing.instrument(symbol).name
        orders = self._engine.open_orders(account, name)
        return WireAnswer(payload=[self._row(order) for order in orders])

    def lists(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /sapi/v1/margin/openOrderList`: the sandbox takes no orders that belong together."""
        self._asked(request)
        del account
        return WireAnswer(payload=[])

    def cancel(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `DELETE /sapi/v1/margin/order`."""
        asked = self._asked(request)
        name = self._listing.instrument(asked.required("symbol")).name
        order_id, client_id = asked.text("orderId"), asked.text("origClientOrderId")
        if order_id is None and client_id is None:
            raise refuse_code(-1102, NEITHER)
        try:
            done = self._engine.cancel(account, order_id=order_id, client_id=client_id, symbol=name)
        except Rejection as rejection:
            raise rejected(rejection) from None
        row = self._row(done)
        return WireAnswer(
            payload={**row, "orderId": str(row["orderId"]), "origClientOrderId": done.client_id}
        )

    def cancel_all(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `DELETE /sapi/v1/margin/openOrders`: of one symbol."""
        asked = self._asked(request)
        name = self._listing.instrument(asked.required("symbol")).name
        orders = self._engine.open_orders(account, name)
        done = [self._engine.cancel(account, order_id=order.order_id) for order in orders]
        return WireAnswer(payload=[self._row(order) for order in done])

    def _asked(self, request: WireRequest) -> Parameters:
        asked = Parameters(request)
        if asked.flag("isIsolated") is not self._isolated:
            raise refuse(NO_ACCOUNT)
        return asked

    def _found(self, request: WireRequest, account: str) -> Order:
        asked = self._asked(request)
        name = self._listing.instrument(asked.required("symbol")).name
        order_id, client_id = asked.text("orderId"), asked.text("origClientOrderId")
        if order_id is None and client_id is None:
            raise refuse_code(-1102, NEITHER)
        order = self._engine.find_order(account, order_id=order_id, client_id=client_id, symbol=name)
        if order is None:
            raise refuse(NO_SUCH_ORDER)
        return order

    def _placed(self, order: Order, *, full: bool) -> dict[str, Any]:
        row = self._row(order)
        named = {name: row[name] for name in ("symbol", "orderId", "clientOrderId", "isIsolated")}
        answer = {**named, "transactTime": row["updateTime"]}
        shown = ("price", "origQty", "executedQty", "cummulativeQuoteQty", "status", "timeInForce", "type")
        told = {name: row[name] for name in (*shown, "side", "selfTradePreventionMode")}
        return {**answer, **told} if full else answer

    def _row(self, order: Order) -> dict[str, Any]:
        symbol = str(self._listing.symbol(order.symbol))
        one = self._listing.instrument(symbol)
        spec, trigger = order.spec, order.spec.trigger
        price = ZERO if spec.price is None else spec.price
        stop = ZERO if trigger is None else trigger.price
        return {
            "clientOrderId": order.client_id or "",
            "cummulativeQuoteQty": money((order.average_price or ZERO) * order.filled),
            "executedQty": on_grid(order.filled, one.lot_step),
            "icebergQty": "0.00000000",
            "isWorking": order.status is not OrderStatus.UNTRIGGERED,
            "orderId": int(order.order_id),
            "origQty": on_grid(order.quantity if spec.quantity is None else spec.quantity, one.lot_step),
            "price": on_grid(price, one.price_step),
            "side": order.side.upper(),
            "status": _status(order),
            "stopPrice": on_grid(stop, one.price_step),
            "symbol": symbol,
            "isIsolated": self._isolated,
            "time": self._wire.stamp(order.created_ms),
            "timeInForce": "IOC" if spec.time_in_force is TimeInForce.IOC else "GTC",
            "type": _kind(order),
            "selfTradePreventionMode": "NONE",
            "updateTime": self._wire.stamp(order.updated_ms),
        }


def _trigger(word: str, side: OrderSide, asked: Parameters) -> Trigger | None:
    """Return when an order wakes: a stop sells below and buys above, a take-profit the other way."""
    if word in {"LIMIT", "MARKET"}:
        return None
    price = asked.number("stopPrice")
    if price is None:
        raise refuse_code(
            -1102, "Mandatory parameter 'stopPrice' was not sent, was empty/null, or malformed."
        )
    rises = word.startswith("STOP") is (side is OrderSide.BUY)
    direction = TriggerDirection.RISES if rises else TriggerDirection.FALLS
    return Trigger(price=price, kind=TriggerKind.LAST, direction=direction)


def _kind(order: Order) -> str:
    """Name an order's type; a stop keeps its name after it was triggered."""
    limited = order.spec.type is OrderType.LIMIT
    if order.spec.trigger is None:
        return "LIMIT" if limited else "MARKET"
    rises = order.spec.trigger.direction is TriggerDirection.RISES
    stop = rises is (order.side is OrderSide.BUY)
    return f"{'STOP_LOSS' if stop else 'TAKE_PROFIT'}{'_LIMIT' if limited else ''}"


def _status(order: Order) -> str:
    if order.status is OrderStatus.FILLED:
        return "FILLED"
    if order.status is OrderStatus.CANCELLED:
        return "CANCELED" if order.cancel_reason is CancelReason.BY_USER else "EXPIRED"
    return "PARTIALLY_FILLED" if order.filled else "NEW"
