"""The trading side: orders in, out and looked up."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from brokers.numbers import ZERO
from brokers.sandbox.orders import Order, OrderStatus, Refusal, Rejection, TimeInForce
from brokers.sandbox.wire.base import Wire, WireAnswer, WireRefusal, WireRequest
from brokers.sandbox.wire.krakenfutures.envelope import STATUSES, arguments, figure, iso, refuse, success
from brokers.sandbox.wire.krakenfutures.order_rows import OrderDesk, WrongArgument, order_spec

REMEMBERED_MS = 5_000
"""How long `orders/status` knows an order after its end."""

PAGE = 100
MOST_IN_BATCH = 100
JSON_FIELD = "json="


class Trade:
    """Everything about orders."""

    def __init__(self, wire: Wire, desk: OrderDesk) -> None:
        self._engine = wire.engine
        self._wire = wire
        self._desk = desk

    # ------------------------------------------------------------------ in

    def send(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `sendorder`."""
        status = self._sent(account, arguments(request), request)
        return success(request.now_ms, sendStatus={**status, "receivedTime": iso(request.now_ms)})

    def _sent(self, account: str, given: Mapping[str, str], request: WireRequest) -> dict[str, Any]:
        """Place an order and return its status; only what is no order at all refuses the request."""
        own = {"cliOrdId": given["cliOrdId"]} if given.get("cliOrdId") else {}
        try:
            order = self._engine.place(account, order_spec(self._wire, given))
        except WrongArgument as wrong:
            if wrong.code:
                raise _bad_request(wrong.code, request) from None
            return {"status": wrong.status, **own}
        except Rejection as rejection:
            if rejection.reason is Refusal.UNKNOWN_SYMBOL:
                raise refuse("contractNotFound", request) from None
            return {"status": STATUSES[rejection.reason], **own}
        immediate = order.spec.time_in_force is TimeInForce.IOC
        if immediate and not order.filled:
            return {"status": "iocWouldNotExecute", **own}
        if order.status is OrderStatus.CANCELLED and not order.filled:
            return {"status": "postWouldExecute", **own}
        return {"status": "placed", "order_id": order.order_id, "orderEvents": self._events(order), **own}

    def _events(self, order: Order) -> list[dict[str, Any]]:
        fills = self._engine.fills(order.account, order_id=order.order_id)
        if not fills:
            name = "orderTrigger" if order.status is OrderStatus.UNTRIGGERED else "order"
            return [{"type": "PLACE", name: self._desk.event_order(order), "reducedQuantity": None}]
        return [
            {
                "type": "EXECUTION",
                "executionId": fill.fill_id,
                "price": figure(fill.price),
                "amount": figure(fill.quantity),
                "orderPriorEdit": None,
                "orderPriorExecution": self._desk.event_order(order, ZERO),
                "takerReducedQuantity": None,
            }
            for fill in fills
        ]

    # ------------------------------------------------------------------ batches and cancellations

    def batch(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `batchorder`: sends and cancellations; edits are not played."""
        rows = []
        for row in _batch_of(request):
            tag = {"order_tag": row["order_tag"]} if row.get("order_tag") else {}
            if row.get("order") == "send":
                given = {name: _text(value) for name, value in row.items()}
                rows.append({**self._sent(account, given, request), **tag})
            elif row.get("order") == "cancel":
                rows.append({**self._cancelled(account, row), **tag})
            else:
                raise refuse("invalidArgument", request, "order")
        return success(request.now_ms, batchStatus=rows)

    def cancel(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `cancelorder`."""
        status = self._cancelled(account, arguments(request))
        return success(request.now_ms, cancelStatus={**status, "receivedTime": iso(request.now_ms)})

    def _cancelled(self, account: str, given: Mapping[str, Any]) -> dict[str, Any]:
        order_id, own = given.get("order_id") or None, given.get("cliOrdId") or None
        try:
            order = self._engine.cancel(account, order_id=order_id, client_id=own)
        except Rejection:
            known = self._engine.find_order(account, order_id=order_id, client_id=own)
            filled = known is not None and known.status is OrderStatus.FILLED
            status = "filled" if filled else "notFound"
            return {"status": status, "order_id": order_id, "cliOrdId": own}
        events = [{"type": "CANCEL", "uid": order.order_id, "order": self._desk.event_order(order)}]
        return {"status": "cancelled", "order_id": order.order_id, "orderEvents": events}

    def cancel_all(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `cancelallorders`, of one contract or of all: stops that only reduce go, too."""
        name = arguments(request).get("symbol", "").upper() or None
        gone = self._engine.open_orders(account, name)
        for order in gone:
            self._engine.cancel(account, order_id=order.order_id)
        rows = [{"order_id": order.order_id} for order in gone]
        status = {
            "status": "cancelled" if gone else "noOrdersToCancel",
            "cancelOnly": name or "all",
            "cancelledOrders": rows,
            "receivedTime": iso(request.now_ms),
        }
        return success(request.now_ms, cancelStatus=status)

    def cancel_all_after(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `cancelallordersafter`: every order, stops included, goes after `timeout` s; 0 disarms."""
        given = arguments(request).get("timeout", "")
        if not given.isdigit():
            raise refuse("invalidArgument", request, "timeout")
        self._engine.arm_timer(account, int(given) * 1000)
        due = iso(request.now_ms + int(given) * 1000) if int(given) else "0"
        return success(request.now_ms, status={"currentTime": iso(request.now_ms), "triggerTime": due})

    # ------------------------------------------------------------------ looking up

    def open_orders(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `openorders`: resting and trigger orders of every contract."""
        rows = [self._desk.open_order(order) for order in self._engine.open_orders(account)]
        return success(request.now_ms, openOrders=rows)

    def status(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `orders/status`, for orders named by either id that are open or ended just now."""
        query = parse_qs(f"{request.raw_query}&{request.body.decode()}")
        ids, own = set(query.get("orderIds", ())), set(query.get("cliOrdIds", ()))
        rows = [
            self._desk.status(order)
            for order in self._engine.orders(account)
            if (order.order_id in ids or order.client_id in own) and self._is_remembered(order)
        ]
        return success(request.now_ms, orders=rows)

    def _is_remembered(self, order: Order) -> bool:
        return order.is_open or self._wire.now_ms - self._wire.stamp(order.updated_ms) <= REMEMBERED_MS

    def fills(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `fills`: the last hundred, newest first."""
        found = self._engine.fills(account)[::-1][:PAGE]
        return success(request.now_ms, fills=[self._desk.fill(fill) for fill in found])

    def history(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `history/v2/orders`: the latest event of each order, newest first unless asked otherwise."""
        wanted = request.query.get("tradeable", "").upper() or None
        rows = [self._desk.element(order) for order in self._engine.orders(account, wanted)]
        rows = rows if request.query.get("sort") == "asc" else rows[::-1]
        page = rows[:PAGE]
        payload = {"accountUid": account, "len": len(page), "elements": page}
        return WireAnswer(payload={**payload, "serverTime": iso(request.now_ms)})


def _batch_of(request: WireRequest) -> list[dict[str, Any]]:
    """Return the rows of a batch: the form's `json` field, escaped or not.

    Raises:
        WireRefusal: there is no such field, or it is no batch.
    """
    text = request.body.decode()
    if not text.startswith(JSON_FIELD):
        raise refuse("requiredArgumentMissing", request, "json")
    text = text.removeprefix(JSON_FIELD)
    try:
        document = json.loads(text if text.startswith("{") else unquote_plus(text))
        rows = document["batchOrder"]
    except (ValueError, KeyError, TypeError):
        raise refuse("invalidArgument", request, "json") from None
    if not isinstance(rows, list) or not 0 < len(rows) <= MOST_IN_BATCH:
        raise refuse("invalidArgument", request, "batchOrder")
    if not all(isinstance(row, dict) for row in rows):
        raise refuse("invalidArgument", request, "batchOrder")
    return rows


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _bad_request(code: int, request: WireRequest) -> WireRefusal:
    """Return Kraken's refusal of what is no request it knows."""
    words = {4: "invalid process before", 11: "invalid order type"}
    payload = {
        "status": "BAD_REQUEST",
        "result": "error",
        "errors": [{"code": code, "message": words[code]}],
        "serverTime": iso(request.now_ms),
    }
    return WireRefusal(WireAnswer(payload=payload, status=400))
