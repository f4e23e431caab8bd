"""`private/*` for orders: closing positions, placing, cancelling and looking up."""

from dataclasses import replace
from typing import Any

from brokers.models import MarginMode, OrderSide, Side
from brokers.sandbox.orders import Order, OrderSpec, OrderStatus, OrderType, Rejection, TimeInForce
from brokers.sandbox.wire.base import Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.cryptocom.envelope import (
    answer,
    body_of,
    needed,
    number,
    params_of,
    refuse,
    rejected,
)
from brokers.sandbox.wire.cryptocom.order_rows import OrderRows, client_oid
from brokers.sandbox.wire.cryptocom.statement import isolation_id

PAGE = 100
DAY_MS = 86_400_000
LONGEST_ID = 36
LONGEST_MS = 13

SIDES = {"BUY": OrderSide.BUY, "SELL": OrderSide.SELL}
TIMES_IN_FORCE = {
    "GOOD_TILL_CANCEL": TimeInForce.GTC,
    "IMMEDIATE_OR_CANCEL": TimeInForce.IOC,
}
INSTRUCTIONS = frozenset({"POST_ONLY", "SMART_POST_ONLY", "REDUCE_ONLY", "ISOLATED_MARGIN"})


class Trade:
    """The trading side of the wire.

    Answers to orders and cancellations only say that the request is queued: for `lag_ms` afterwards the lists
    and lookups know nothing of it.
    """

    def __init__(self, wire: Wire, *, lag_ms: int = 0) -> None:
        self._engine = wire.engine
        self._wire = wire
        self._rows = OrderRows(wire, self._isolation_of)
        self._lag_ms = lag_ms

    # ------------------------------------------------------------------ placing

    def close_position(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `private/close-position`: an order bound to the position, all of it or `quantity`.

        A limit rests until it is filled or cancelled: the call takes no time in force.
        """
        params = params_of(request)
        symbol, word = needed(params, "instrument_name", request), needed(params, "type", request)
        self._check_listed(symbol, request)
        mode = MarginMode.ISOLATED if params.get("isolation_id") else MarginMode.CROSS
        positions = self._engine.figures(account).positions
        held = next((p for p in positions if (p.symbol, p.margin_mode) == (symbol, mode)), None)
        isolation = None if held is None else isolation_id(account, held)
        if mode is MarginMode.ISOLATED and isolation != params["isolation_id"]:
            raise refuse("613", request)
        if held is None:
            raise refuse("201", request)
        if word not in {"LIMIT", "MARKET"}:
            raise refuse("218", request)
        quantity = number(needed(params, "quantity", request)) if "quantity" in params else held.quantity
        price = number(needed(params, "price", request)) if word == "LIMIT" else None
        return self._placed(
            request,
            account,
            OrderSpec(
                symbol=symbol,
                side=OrderSide.SELL if held.side is Side.LONG else OrderSide.BUY,
                quantity=quantity,
                type=OrderType.LIMIT if word == "LIMIT" else OrderType.MARKET,
                price=price,
                reduce_only=True,
                margin_mode=mode,
            ),
        )

    def create(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `private/create-order` for cross positions."""
        params = params_of(request)
        symbol, word = needed(params, "instrument_name", request), needed(params, "type", request)
        self._check_listed(symbol, request)
        side = SIDES.get(needed(params, "side", request))
        time_in_force = TIMES_IN_FORCE.get(str(params.get("time_in_force") or "GOOD_TILL_CANCEL"))
        instructions = params.get("exec_inst") or []
        own = str(params.get("client_oid") or "")
        if side is None:
            raise refuse("220", request)
        if word not in {"LIMIT", "MARKET"}:
            raise refuse("218", request)
        if time_in_force is None:
            raise refuse("221", request)
        if not isinstance(instructions, list) or not set(instructions) <= INSTRUCTIONS - {"ISOLATED_MARGIN"}:
            raise refuse("219", request)
        if len(own) > LONGEST_ID:
            raise refuse("40004", request)
        passive = {"POST_ONLY", "SMART_POST_ONLY"} & set(instructions)
        return self._placed(
            request,
            account,
            OrderSpec(
                symbol=symbol,
                side=side,
                quantity=number(needed(params, "quantity", request)),
                type=OrderType.LIMIT if word == "LIMIT" else OrderType.MARKET,
                time_in_force=TimeInForce.POST_ONLY if passive else time_in_force,
                price=number(needed(params, "price", request)) if word == "LIMIT" else None,
                client_id=own or str(_nonce_of(request)),
                reduce_only="REDUCE_ONLY" in instructions,
                margin_mode=MarginMode.CROSS,
            ),
        )

    def _placed(self, request: WireRequest, account: str, spec: OrderSpec) -> WireAnswer:
        try:
            order = self._engine.place(account, spec)
        except Rejection as rejection:
            raise rejected(rejection, request) from None
        return answer(request, {"client_oid": client_oid(order), "order_id": order.order_id})

    # ------------------------------------------------------------------ cancelling

    def cancel(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `private/cancel-order`."""
        return self._cancelled(request, account, waiting=False)

    def cancel_advanced(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `private/advanced/cancel-order`."""
        return self._cancelled(request, account, waiting=True)

    def cancel_all(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `private/cancel-all-orders`: those of one instrument, or of all."""
        wanted = params_of(request).get("instrument_name") or None
        for order in self._engine.open_orders(account, wanted):
            if not _waits(order):
                self._engine.cancel(account, order_id=order.order_id)
        return answer(request)

    def _cancelled(self, request: WireRequest, account: str, *, waiting: bool) -> WireAnswer:
        order = self._named(request, account)
        if order is None or _waits(order) is not waiting:
            raise refuse("212", request)
        try:
            self._engine.cancel(account, order_id=order.order_id)
        except Rejection as rejection:
            raise rejected(rejection, request) from None
        return answer(request, {"client_oid": client_oid(order), "order_id": order.order_id})

    # ------------------------------------------------------------------ looking up

    def open_orders(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `private/get-open-orders`; trigger orders are not among them."""
        rows = [self._rows.plain(order) for order in self._listed(request, account) if not _waits(order)]
        return answer(request, {"data": rows})

    def open_advanced(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `private/advanced/get-open-orders`."""
        rows = [self._rows.advanced(order) for order in self._listed(request, account) if _waits(order)]
        return answer(request, {"data": rows})

    def detail(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `private/get-order-detail`."""
        order = self._named(request, account)
        if order is None or _waits(order) or not self._is_known(order):
            raise refuse("40401", request)
        return answer(request, self._rows.plain(order))

    def history(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `private/get-order-history`: what is final, newest first, by default of one day."""
        params = params_of(request)
        limit = number(params.get("limit", str(PAGE)))
        if limit is None or not 1 <= limit <= PAGE:
            raise refuse("40004", request)
        end = _milliseconds(params.get("end_time")) or self._wire.now_ms + 1
        start = _milliseconds(params.get("start_time")) or end - DAY_MS
        wanted = params.get("instrument_name") or None
        found = [
            order
            for order in self._engine.orders(account, wanted)
            if not order.is_open and self._is_known(order)
            if start <= self._wire.stamp(order.created_ms) < end
        ]
        rows = [self._rows.plain(order) for order in reversed(found)]
        return answer(request, {"data": rows[: int(limit)]})

    def _listed(self, request: WireRequest, account: str) -> list[Order]:
        """Return open orders, as they were `lag_ms` ago."""
        wanted = params_of(request).get("instrument_name") or None
        if wanted is not None:
            self._check_listed(wanted, request)
        known = [order for order in self._engine.orders(account, wanted) if self._is_known(order)]
        late = OrderStatus.CANCELLED
        return [
            replace(order, status=OrderStatus.OPEN)
            for order in known
            if order.is_open or (order.status is late and not self._is_past(order.updated_ms))
        ]

    def _is_known(self, order: Order) -> bool:
        return self._is_past(order.created_ms)

    def _is_past(self, ms: int) -> bool:
        return self._wire.now_ms - self._wire.stamp(ms) >= self._lag_ms

    def _named(self, request: WireRequest, account: str) -> Order | None:
        params: dict[str, Any] = params_of(request)
        order_id, own = params.get("order_id"), params.get("client_oid")
        if not order_id and not own:
            raise refuse("40004", request)
        if order_id:
            return self._engine.find_order(account, order_id=str(order_id))
        return next((o for o in self._engine.orders(account) if client_oid(o) == own), None)

    def _check_listed(self, symbol: str, request: WireRequest) -> None:
        try:
            self._engine.instrument(symbol)
        except Rejection as rejection:
            raise rejected(rejection, request) from None

    def _isolation_of(self, account: str, symbol: str) -> str | None:
        for position in self._engine.figures(account).positions:
            if position.symbol == symbol and position.margin_mode is MarginMode.ISOLATED:
                return isolation_id(account, position)
        return None


def _nonce_of(request: WireRequest) -> int:
    """Return the nonce of a request: the client's id of an order that was given none."""
    return int(body_of(request)["nonce"])


def _waits(order: Order) -> bool:
    return order.spec.trigger is not None and not order.triggered


def _milliseconds(raw: object) -> int | None:
    """Return a time given in milliseconds or, as Crypto.com recommends, in nanoseconds."""
    if not isinstance(raw, str) or not raw.isdigit():
        return None
    return int(raw) if len(raw) <= LONGEST_MS else int(raw) // 1_000_000
