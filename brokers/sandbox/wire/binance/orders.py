"""Order endpoints of the matching engine: place, look up, list, cancel."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from brokers.models import OrderSide, PositionMode, Side
from brokers.sandbox.orders import Order, OrderSpec, OrderStatus, OrderType, Rejection, TimeInForce
from brokers.sandbox.wire.base import Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.binance.account import margin_mode_of
from brokers.sandbox.wire.binance.listing import Listing, quantity_of
from brokers.sandbox.wire.binance.order_rows import TIMES_IN_FORCE, OrderRows
from brokers.sandbox.wire.binance.pace import Pace
from brokers.sandbox.wire.binance.parameters import Parameters
from brokers.sandbox.wire.binance.refusals import MESSAGES, code_of, refuse, rejected
from brokers.sandbox.wire.binance.signature import window

ORDER_SIDES = MappingProxyType({"BUY": OrderSide.BUY, "SELL": OrderSide.SELL})
LEGS: Mapping[str, Side | None] = MappingProxyType({"BOTH": None, "LONG": Side.LONG, "SHORT": Side.SHORT})
TYPES = MappingProxyType({"LIMIT": OrderType.LIMIT, "MARKET": OrderType.MARKET})
CLOSING = frozenset({(Side.LONG, OrderSide.SELL), (Side.SHORT, OrderSide.BUY)})
MOST_AT_ONCE = 10


class OrderDesk:
    """Answer what is traded. `may_open`: whether an account may do more than reduce now."""

    def __init__(
        self,
        wire: Wire,
        listing: Listing,
        rows: OrderRows,
        pace: Pace,
        *,
        may_open: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._wire = wire
        self._may_open = may_open
        self._engine = wire.engine
        self._listing = listing
        self._rows = rows
        self._pace = pace

    def place(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `POST .../order`."""
        headers = self._pace.count(account, request.now_ms)
        asked = Parameters(request)
        instrument = self._listing.instrument(asked.required("symbol"))
        kind = asked.word("type", TYPES, -1116)
        limited = kind is OrderType.LIMIT
        sent_at, recv_window = window(request)
        spec = OrderSpec(
            symbol=instrument.name,
            side=asked.word("side", ORDER_SIDES, -1117),
            quantity=quantity_of(asked.number("quantity"), instrument),
            type=kind,
            time_in_force=asked.word("timeInForce", TIMES_IN_FORCE, -1115) if limited else TimeInForce.GTC,
            price=asked.number("price") if limited else None,
            client_id=asked.client_id("newClientOrderId"),
            reduce_only=asked.flag("reduceOnly"),
            position_side=leg_of(asked, self._engine.accounts[account].position_mode),
            margin_mode=margin_mode_of(self._engine, account, instrument.name),
            deadline_ms=self._wire.engine_ms(sent_at + recv_window),
        )
        closes = spec.reduce_only or (spec.position_side, spec.side) in CLOSING
        if not closes and not self._may_open(account):
            raise refuse(-4400)
        try:
            order = self._engine.place(account, spec)
        except Rejection as rejection:
            raise rejected(rejection) from None
        told = asked.text("newOrderRespType") == "RESULT"
        row = self._rows.active(order) if told else self._rows.acknowledged(order)
        return WireAnswer(payload=row, headers=headers)

    def find(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET .../order`."""
        return WireAnswer(payload=self._rows.active(self._found(request, account)))

    def find_open(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET .../openOrder`."""
        order = self._found(request, account)
        if not order.is_open:
            raise refuse(-2013)
        return WireAnswer(payload=self._rows.active(order))

    def open(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET .../openOrders`, with or without a symbol."""
        return WireAnswer(payload=[self._rows.active(order) for order in self._active(request, account)])

    def all(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET .../allOrders`: of one symbol, oldest first."""
        name = self._listing.instrument(Parameters(request).required("symbol")).name
        orders = [order for order in self._engine.orders(account, name) if not waits(order)]
        return WireAnswer(payload=[self._rows.active(order) for order in orders])

    def cancel(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `DELETE .../order`."""
        asked = Parameters(request)
        name = self._listing.instrument(asked.required("symbol")).name
        order_id, client_id = asked.text("orderId"), asked.text("origClientOrderId")
        if order_id is None and client_id is None:
            raise refuse(
                -1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
            )
        row = self._cancelled(account, name, order_id=order_id, client_id=client_id)
        if "code" in row:
            raise refuse(row["code"])
        return WireAnswer(payload=row)

    def cancel_all(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `DELETE .../allOpenOrders`: of one symbol, without its algo orders."""
        Parameters(request).required("symbol")
        for order in self._active(request, account):
            self._engine.cancel(account, order_id=order.order_id)
        message = "The operation of cancel all open order is done."
        return WireAnswer(payload={"code": 200, "msg": message})

    def cancel_batch(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `DELETE .../batchOrders`: a row or an error per order, in the request's order."""
        asked = Parameters(request)
        name = self._listing.instrument(asked.required("symbol")).name
        ids, client_ids = (
            _listed(asked, "orderIdList", "orderidlist"),
            _listed(asked, "origClientOrderIdList", "origclientorderidlist"),
        )
        if not 0 < len(ids) + len(client_ids) <= MOST_AT_ONCE:
            raise refuse(-1130)
        rows = [self._cancelled(account, name, order_id=str(one), client_id=None) for one in ids]
        rows += [self._cancelled(account, name, order_id=None, client_id=str(one)) for one in client_ids]
        return WireAnswer(payload=rows)

    def _found(self, request: WireRequest, account: str) -> Order:
        asked = Parameters(request)
        name = self._listing.instrument(asked.required("symbol")).name
        order_id, client_id = asked.text("orderId"), asked.text("origClientOrderId")
        if order_id is None and client_id is None:
            raise refuse(
                -1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
            )
        order = self._engine.find_order(account, order_id=order_id, client_id=client_id, symbol=name)
        if order is None or waits(order):
            raise refuse(-2013)
        return order

    def _active(self, request: WireRequest, account: str) -> list[Order]:
        symbol = Parameters(request).text("symbol")
        name = None if symbol is None else self._listing.instrument(symbol).name
        return [
            order
            for order in self._engine.open_orders(account, name)
            if not waits(order) and self._listing.symbol(order.symbol) is not None
        ]

    def _cancelled(
        self, account: str, name: str, *, order_id: str | None, client_id: str | None
    ) -> dict[str, Any]:
        """Cancel one order; return its row, or the error that stands in a row's place."""
        order = self._engine.find_order(account, order_id=order_id, client_id=client_id, symbol=name)
        if order is not None and waits(order):
            return {"code": -2011, "msg": MESSAGES[-2011]}
        try:
            done = self._engine.cancel(account, order_id=order_id, client_id=client_id, symbol=name)
        except Rejection as rejection:
            code = code_of(rejection)
            return {"code": code, "msg": MESSAGES[code]}
        return self._rows.active(done)


def waits(order: Order) -> bool:
    """Whether an order is the algo book's: it never reached the matching engine."""
    never_triggered = order.spec.trigger is not None and not order.triggered
    return order.status is OrderStatus.UNTRIGGERED or never_triggered


def leg_of(asked: Parameters, mode: PositionMode) -> Side | None:
    """Return the leg an order names; `reduceOnly` has no place in hedge mode."""
    stated = asked.text("positionSide") or "BOTH"
    if stated not in LEGS:
        raise refuse(-1130)
    if mode is PositionMode.HEDGE and asked.text("reduceOnly") is not None:
        raise refuse(-1106)
    return LEGS[stated]


def _listed(asked: Parameters, *names: str) -> list[Any]:
    text = next((found for name in names if (found := asked.text(name)) is not None), None)
    if text is None:
        return []
    try:
        values = json.loads(text)
    except ValueError:
        raise refuse(-1130) from None
    if not isinstance(values, list):
        raise refuse(-1130)
    return values
