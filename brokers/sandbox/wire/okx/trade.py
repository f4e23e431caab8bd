"""`trade/*`: orders in, out and looked up."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from brokers.sandbox.orders import Order, OrderStatus, Refusal, Rejection
from brokers.sandbox.wire.base import Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.okx.envelope import (
    RowRefusal,
    body_object,
    body_rows,
    failure,
    needed,
    number,
    refuse,
    row_refusal,
    rows_answer,
    success,
)
from brokers.sandbox.wire.okx.listing import Listing
from brokers.sandbox.wire.okx.order_rows import CLIENT_ID, LEGS, TRADE_MODES, OrderDesk, algo_type

MOST_ORDERS = 20
MOST_ALGOS = 10
PAGE = 100
FORGOTTEN_MS = 2 * 3_600_000
"""Cancelled orders without a fill are kept for two hours."""

ALGO_TYPES = frozenset({"conditional", "oco", "trigger", "move_order_stop", "iceberg", "twap", "chase"})

Row = Mapping[str, Any]


class Trade:
    """The trading side of the wire."""

    def __init__(self, wire: Wire, listing: Listing, desk: OrderDesk) -> None:
        self._engine = wire.engine
        self._wire = wire
        self._listing = listing
        self._desk = desk

    # ------------------------------------------------------------------ placing

    def place(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `POST trade/order`."""
        return rows_answer([self._placed(account, body_object(request), request)], request.now_ms)

    def place_batch(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `trade/batch-orders`."""
        rows = body_rows(request)
        if len(rows) > MOST_ORDERS:
            raise refuse("51111")
        return rows_answer([self._placed(account, row, request) for row in rows], request.now_ms)

    def place_algo(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `trade/order-algo`."""
        row = body_object(request)
        own = str(row.get("algoClOrdId") or "")
        try:
            order = self._engine.place(account, self._desk.algo_spec(account, row))
        except (RowRefusal, Rejection) as problem:
            refusal = _as_row(problem)
            answer = {"algoId": "", "algoClOrdId": own, "sCode": refusal.code, "sMsg": refusal.message}
        else:
            answer = {"algoId": order.order_id, "algoClOrdId": own, "sCode": "0", "sMsg": ""}
        return rows_answer([{**answer, "clOrdId": "", "tag": ""}], request.now_ms)

    def _placed(self, account: str, row: Row, request: WireRequest) -> dict[str, Any]:
        own = str(row.get("clOrdId") or "")
        shared = {"tag": str(row.get("tag") or ""), "ts": str(request.now_ms), "subCode": ""}
        try:
            spec = self._desk.order_spec(account, row)
            order = self._engine.place(account, replace(spec, deadline_ms=self._deadline_ms(request)))
        except (RowRefusal, Rejection) as problem:
            if isinstance(problem, Rejection) and problem.reason is Refusal.EXPIRED:
                raise refuse("50036") from None
            refusal = _as_row(problem)
            code, message = refusal.code, refusal.message
            if _is_limit_over_maximum(problem, row):
                code, message = "51203", RowRefusal("51203").message
            return {**shared, "clOrdId": own, "ordId": "", "sCode": code, "sMsg": message}
        return {**shared, "clOrdId": own, "ordId": order.order_id, "sCode": "0", "sMsg": "Order placed"}

    def _deadline_ms(self, request: WireRequest) -> int | None:
        """Return `expTime` on the engine's clock: it is judged when the order would enter, however late."""
        text = request.headers.get("exptime", "")
        if not text:
            return None
        deadline = number(text)
        if deadline is None:
            raise refuse("51000", "expTime")
        return self._wire.engine_ms(int(deadline))

    def close_position(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `trade/close-position`."""
        body = body_object(request)
        symbol, word = needed(body, "instId"), needed(body, "mgnMode")
        own = str(body.get("clOrdId") or "")
        if word not in TRADE_MODES:
            raise refuse("51000", "mgnMode")
        if own and not CLIENT_ID.fullmatch(own):
            raise refuse("51000", "clOrdId")
        leg = str(body.get("posSide") or "net")
        try:
            self._engine.close_position(
                account,
                self._listing.named(symbol).instrument.name,
                position_side=LEGS.get(leg),
                margin_mode=TRADE_MODES[word],
                client_id=own or None,
                cancel_orders=str(body.get("autoCxl")).lower() == "true",
            )
        except Rejection as rejection:
            absent = rejection.reason is Refusal.NO_POSITION
            return failure("51023" if absent else row_refusal(rejection).code, "posSide")
        return success([{"clOrdId": own, "instId": symbol, "posSide": leg, "tag": ""}])

    # ------------------------------------------------------------------ cancelling

    def cancel(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `trade/cancel-order`."""
        return rows_answer([self._cancelled(account, body_object(request), request)], request.now_ms)

    def cancel_batch(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `trade/cancel-batch-orders`."""
        rows = body_rows(request)
        if len(rows) > MOST_ORDERS:
            raise refuse("51406")
        return rows_answer([self._cancelled(account, row, request) for row in rows], request.now_ms)

    def cancel_algos(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `trade/cancel-algos`."""
        rows = body_rows(request)
        if len(rows) > MOST_ALGOS:
            raise refuse("51406")
        return rows_answer([self._cancelled_algo(account, row) for row in rows], request.now_ms)

    def _cancelled(self, account: str, row: Row, request: WireRequest) -> dict[str, Any]:
        order_id, own = str(row.get("ordId") or ""), str(row.get("clOrdId") or "")
        answer = {"ordId": order_id, "clOrdId": own, "ts": str(request.now_ms), "sCode": "0", "sMsg": ""}
        problem = self._cancel(account, row, order_id, own, algo=False)
        if problem is not None:
            answer |= {"sCode": problem.code, "sMsg": problem.message}
        return answer

    def _cancelled_algo(self, account: str, row: Row) -> dict[str, Any]:
        order_id, own = str(row.get("algoId") or ""), str(row.get("algoClOrdId") or "")
        answer = {"algoId": order_id, "algoClOrdId": own, "clOrdId": "", "tag": "", "sCode": "0", "sMsg": ""}
        problem = self._cancel(account, row, order_id, own, algo=True)
        if problem is not None:
            answer |= {"sCode": problem.code, "sMsg": problem.message}
        return answer

    def _cancel(self, account: str, row: Row, order_id: str, own: str, *, algo: bool) -> RowRefusal | None:
        symbol = str(row.get("instId") or "")
        if not symbol:
            return RowRefusal("50014", "instId")
        if not order_id and not own:
            return RowRefusal("51003")
        try:
            order = self._find(account, symbol, order_id, own)
            if order is None or _waits(order) is not algo:
                return RowRefusal("51400")
            self._engine.cancel(account, order_id=order.order_id)
        except Rejection as rejection:
            return row_refusal(rejection)
        return None

    # ------------------------------------------------------------------ looking up

    def order(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET trade/order`; of several orders with one client id it is the latest."""
        symbol = needed(request.query, "instId")
        order_id, own = request.query.get("ordId"), request.query.get("clOrdId")
        if not order_id and not own:
            raise refuse("51003")
        try:
            order = self._find(account, symbol, order_id, own)
        except Rejection:
            raise refuse("51001") from None
        if order is None or _waits(order) or self._is_forgotten(order):
            raise refuse("51603")
        return success([self._desk.general(order)])

    def _find(self, account: str, symbol: str, order_id: str | None, own: str | None) -> Order | None:
        """Return an order by OKX's id, else by the client's; `Rejection` for an unknown instrument."""
        name = self._listing.named(symbol).instrument.name
        if order_id:
            return self._engine.find_order(account, order_id=order_id, symbol=name)
        return self._engine.find_order(account, client_id=own, symbol=name)

    def pending(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `trade/orders-pending`, newest first."""
        orders = [order for order in self._engine.open_orders(account) if not _waits(order)]
        return success(_page(orders, request, self._desk.general, "ordType"))

    def history(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `trade/orders-history`, newest first."""
        needed(request.query, "instType")
        orders = [
            order
            for order in self._engine.orders(account)
            if not order.is_open and not self._is_forgotten(order)
        ]
        return success(_page(orders, request, self._desk.general, "ordType"))

    def algos_pending(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `trade/orders-algo-pending`; one or two kinds must be named."""
        kinds = needed(request.query, "ordType").split(",")
        if not set(kinds) <= ALGO_TYPES or (len(kinds) > 1 and set(kinds) != {"conditional", "oco"}):
            raise refuse("51000", "ordType")
        orders = [
            order
            for order in self._engine.open_orders(account)
            if _waits(order) and algo_type(order) in kinds
        ]
        return success(_page(orders, request, self._desk.algo, None))

    def _is_forgotten(self, order: Order) -> bool:
        if order.status is not OrderStatus.CANCELLED or order.filled:
            return False
        return self._engine.now_ms - order.updated_ms > FORGOTTEN_MS


def _as_row(problem: RowRefusal | Rejection) -> RowRefusal:
    return row_refusal(problem) if isinstance(problem, Rejection) else problem


def _is_limit_over_maximum(problem: Exception, row: Row) -> bool:
    """Tell a limit order above its own maximum from a market order above the other one."""
    too_large = isinstance(problem, Rejection) and problem.reason is Refusal.MAX_QUANTITY
    return too_large and row.get("ordType") not in {"market", "optimal_limit_ioc"}


def _waits(order: Order) -> bool:
    return order.status is OrderStatus.UNTRIGGERED


def _page(
    orders: Sequence[Order],
    request: WireRequest,
    printed: Callable[[Order], dict[str, Any]],
    type_field: str | None,
) -> list[dict[str, Any]]:
    """Return one page, newest first: what came before the order named by `after`."""
    query = request.query
    found = list(reversed(orders))
    after = query.get("after", "")
    if after.isdigit():
        found = [order for order in found if int(order.order_id) < int(after)]
    limit = query.get("limit") or str(PAGE)
    if not limit.isdigit() or not 1 <= int(limit) <= PAGE:
        raise refuse("51000", "limit")
    rows = [printed(order) for order in found]
    for name in ("instId", "instType"):
        rows = [row for row in rows if query.get(name) in (None, "", row[name])]
    wanted = set(query.get("ordType", "").split(",")) - {""}
    if type_field is not None and wanted:
        rows = [row for row in rows if row[type_field] in wanted]
    return rows[: int(limit)]
