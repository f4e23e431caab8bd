"""The algo book: stops and take-profits that wait for their price."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from brokers.models import OrderSide
from brokers.sandbox.orders import (
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
from brokers.sandbox.wire.binance.account import margin_mode_of
from brokers.sandbox.wire.binance.listing import Listing, quantity_of
from brokers.sandbox.wire.binance.order_rows import TIMES_IN_FORCE, OrderRows
from brokers.sandbox.wire.binance.orders import ORDER_SIDES, leg_of
from brokers.sandbox.wire.binance.pace import Pace
from brokers.sandbox.wire.binance.parameters import Parameters
from brokers.sandbox.wire.binance.refusals import refuse, rejected
from brokers.sandbox.wire.binance.signature import window

KINDS: Mapping[str, tuple[bool, OrderType]] = MappingProxyType(
    {
        "STOP": (True, OrderType.LIMIT),
        "STOP_MARKET": (True, OrderType.MARKET),
        "TAKE_PROFIT": (False, OrderType.LIMIT),
        "TAKE_PROFIT_MARKET": (False, OrderType.MARKET),
    }
)
"""Order type -> whether it is a stop, and what it becomes. Trailing stops are not in the sandbox."""

WATCHED = MappingProxyType({"MARK_PRICE": TriggerKind.MARK, "CONTRACT_PRICE": TriggerKind.LAST})


class AlgoDesk:
    """Answer what waits for a trigger; the fields name an order in a request."""

    id_field: ClassVar[str] = "algoId"
    client_id_field: ClassVar[str] = "clientAlgoId"

    def __init__(self, wire: Wire, listing: Listing, rows: OrderRows, pace: Pace) -> None:
        self._wire = wire
        self._engine = wire.engine
        self._listing = listing
        self._rows = rows
        self._pace = pace

    def place(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `POST .../algoOrder`."""
        headers = self._pace.count(account, request.now_ms)
        asked = Parameters(request)
        if asked.required("algoType") != "CONDITIONAL":
            raise refuse(-1130)
        instrument = self._listing.instrument(asked.required("symbol"))
        side = asked.word("side", ORDER_SIDES, -1117)
        is_stop, kind = asked.word("type", KINDS, -1116)
        price, whole = asked.number("triggerPrice"), asked.flag("closePosition")
        if price is None:
            raise refuse(
                -1102, "Mandatory parameter 'triggerprice' was not sent, was empty/null, or malformed."
            )
        if whole and asked.text("quantity") is not None:
            raise refuse(-4137)
        sent_at, recv_window = window(request)
        tif = asked.text("timeInForce") or "GTC"
        rises = is_stop is (side is OrderSide.BUY)
        spec = OrderSpec(
            symbol=instrument.name,
            side=side,
            quantity=quantity_of(asked.number("quantity"), instrument),
            type=kind,
            time_in_force=TIMES_IN_FORCE.get(tif, TimeInForce.GTC),
            price=asked.number("price") if kind is OrderType.LIMIT else None,
            client_id=asked.client_id("clientAlgoId"),
            reduce_only=asked.flag("reduceOnly"),
            position_side=leg_of(asked, self._engine.accounts[account].position_mode),
            trigger=Trigger(
                price=price,
                kind=WATCHED.get(asked.text("workingType") or "", TriggerKind.LAST),
                direction=TriggerDirection.RISES if rises else TriggerDirection.FALLS,
            ),
            close_position=whole,
            margin_mode=margin_mode_of(self._engine, account, instrument.name),
            deadline_ms=self._wire.engine_ms(sent_at + recv_window),
        )
        try:
            order = self._engine.place(account, spec)
        except Rejection as rejection:
            raise rejected(rejection) from None
        return WireAnswer(payload=self._rows.algo(order), headers=headers)

    def find(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET .../algoOrder`."""
        order = self._found(request, account)
        if order is None:
            raise refuse(-2013)
        return WireAnswer(payload=self._rows.algo(order))

    def open(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET .../openAlgoOrders`, with or without a symbol."""
        return WireAnswer(payload=[self.row(order) for order in self._waiting(request, account)])

    def row(self, order: Order) -> dict[str, Any]:
        """Return a waiting order as its book shows it."""
        return self._rows.algo(order)

    def cancelled(self, request: WireRequest, account: str) -> Order:
        """Cancel the waiting order that a request names, and return it."""
        order = self._found(request, account)
        if order is None or order.status is not OrderStatus.UNTRIGGERED:
            raise refuse(-2011)
        return self._engine.cancel(account, order_id=order.order_id)

    def cancel(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `DELETE .../algoOrder`."""
        order = self.cancelled(request, account)
        return WireAnswer(
            payload={
                "algoId": int(order.order_id),
                "clientAlgoId": order.client_id or "",
                "code": "200",
                "msg": "success",
            }
        )

    def cancel_all(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `DELETE .../algoOpenOrders`: of one symbol."""
        Parameters(request).required("symbol")
        for order in self._waiting(request, account):
            self._engine.cancel(account, order_id=order.order_id)
        message = "The operation of cancel all open order is done."
        return WireAnswer(payload={"code": 200, "msg": message})

    def _found(self, request: WireRequest, account: str) -> Order | None:
        asked = Parameters(request)
        order_id, client_id = asked.text(self.id_field), asked.text(self.client_id_field)
        if order_id is None and client_id is None:
            raise refuse(-1102, "Param 'algoid' or 'clientalgoid' must be sent, but both were empty/null!")
        order = self._engine.find_order(account, order_id=order_id, client_id=client_id)
        return None if order is None or order.spec.trigger is None else order

    def _waiting(self, request: WireRequest, account: str) -> list[Order]:
        symbol = Parameters(request).text("symbol")
        name = None if symbol is None else self._listing.instrument(symbol).name
        return [
            order
            for order in self._engine.open_orders(account, name)
            if order.status is OrderStatus.UNTRIGGERED and self._listing.symbol(order.symbol) is not None
        ]
