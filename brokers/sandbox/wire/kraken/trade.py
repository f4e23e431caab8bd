"""Orders in, out and looked up."""

from collections.abc import Iterable
from datetime import UTC, datetime

from brokers.sandbox.orders import Order, Rejection
from brokers.sandbox.wire.base import Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.kraken.envelope import UNKNOWN_ORDER, failure, refusal_of, success, wrong
from brokers.sandbox.wire.kraken.gate import arguments
from brokers.sandbox.wire.kraken.order_rows import OrderDesk

PAGE = 50
MOST_CANCELLED = MOST_ASKED = 50
LONGEST_TIMER_S = 86_400
MARK = "O"
"""What our numbers of orders get in front, to look like Kraken's."""


class Trade:
    """The trading side of the wire."""

    def __init__(self, wire: Wire, desk: OrderDesk) -> None:
        self._engine = wire.engine
        self._desk = desk

    def place(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `AddOrder`."""
        try:
            order = self._engine.place(account, self._desk.order_spec(arguments(request), request.now_ms))
        except Rejection as rejection:
            raise refusal_of(rejection) from None
        words = self._desk.row(order)["descr"]["order"]
        return success({"descr": {"order": words}, "txid": [MARK + order.order_id]})

    def cancel(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `CancelOrder`."""
        form = arguments(request)
        txid, own = str(form.get("txid") or ""), str(form.get("cl_ord_id") or "")
        if not (txid or own):
            raise wrong("txid")
        if not self._cancelled(account, txid, own):
            return failure(UNKNOWN_ORDER)
        return success({"count": 1, "pending": False})

    def cancel_batch(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `CancelOrderBatch`: a number, and not a word on which."""
        body = arguments(request)
        orders, own = body.get("orders") or [], body.get("cl_ord_ids") or []
        if not isinstance(orders, list) or not isinstance(own, list):
            raise wrong("orders")
        if not 1 < len(orders) + len(own) <= MOST_CANCELLED:
            raise wrong("orders")
        done = sum(self._cancelled(account, str(txid), "") for txid in orders)
        done += sum(self._cancelled(account, "", str(client_id)) for client_id in own)
        return success({"count": done})

    def cancel_all_after(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `CancelAllOrdersAfter`: every order, stops included, goes after `timeout` s; 0 disarms."""
        given = str(arguments(request).get("timeout") or "0")
        if not given.isdigit() or int(given) > LONGEST_TIMER_S:
            raise wrong("timeout")
        self._engine.arm_timer(account, int(given) * 1000)
        due = iso_seconds(request.now_ms + int(given) * 1000) if int(given) else 0
        return success({"currentTime": iso_seconds(request.now_ms), "triggerTime": due})

    def _cancelled(self, account: str, txid: str, own: str) -> bool:
        try:
            if txid:
                self._engine.cancel(account, order_id=txid.removeprefix(MARK))
            else:
                self._engine.cancel(account, client_id=own)
        except Rejection:
            return False
        return True

    def open_orders(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `OpenOrders`."""
        return success({"open": self._rows(self._engine.open_orders(account), request)})

    def closed_orders(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `ClosedOrders`, the newest fifty from `ofs` on."""
        ended = [order for order in reversed(self._engine.orders(account)) if not order.is_open]
        start = str(arguments(request).get("ofs") or "0")
        if not start.isdigit():
            raise wrong("ofs")
        rows = self._rows(ended, request)
        page = dict(list(rows.items())[int(start) : int(start) + PAGE])
        return success({"closed": page, "count": len(rows)})

    def query(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `QueryOrders`: orders by Kraken's own ids, open or closed."""
        wanted = [txid for txid in str(arguments(request).get("txid") or "").split(",") if txid]
        if not 0 < len(wanted) <= MOST_ASKED:
            raise wrong("txid")
        known = {MARK + order.order_id: order for order in self._engine.orders(account)}
        if not known.keys() >= set(wanted):
            return failure(UNKNOWN_ORDER)
        return success({txid: self._desk.row(known[txid]) for txid in wanted})

    def _rows(self, orders: Iterable[Order], request: WireRequest) -> dict[str, object]:
        own = str(arguments(request).get("cl_ord_id") or "")
        wanted = (order for order in orders if not own or order.client_id == own)
        return {MARK + order.order_id: self._desk.row(order) for order in wanted}


def iso_seconds(ms: int) -> str:
    """Return a time as Kraken writes the timer's: whole seconds."""
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
