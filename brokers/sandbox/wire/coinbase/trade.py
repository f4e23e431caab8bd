"""`brokerage/orders/*`: orders in, out and listed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from brokers.models import OrderSide, Side
from brokers.sandbox.orders import Order, OrderSpec, OrderType, Refusal, Rejection
from brokers.sandbox.wire.base import Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.coinbase.answers import (
    REASONS,
    UNSTATED,
    body_object,
    invalid,
    needed,
    number,
    only_fields,
    refused_order,
)
from brokers.sandbox.wire.coinbase.listing import Contract, Listing
from brokers.sandbox.wire.coinbase.order_rows import MARKET, OrderDesk, status

MOST_CANCELS = 100
MOST_OPEN = 1000
PAGE = 100

CLOSE_FIELDS = frozenset({"client_order_id", "product_id", "size"})
ORDER_FIELDS = frozenset(
    {"client_order_id", "product_id", "side", "order_configuration", "leverage", "margin_type"}
    | {"retail_portfolio_id", "preview_id", "self_trade_prevention_id"}
)


class Trade:
    """The trading side of the wire."""

    def __init__(self, wire: Wire, listing: Listing, desk: OrderDesk) -> None:
        self._wire = wire
        self._engine = wire.engine
        self._listing = listing
        self._desk = desk

    # ------------------------------------------------------------------ placing

    def place(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `POST orders`."""
        body = body_object(request)
        only_fields(body, ORDER_FIELDS)
        own = needed(body, "client_order_id")
        try:
            wanted = self._desk.wanted(body)
            order = self._known(account, own) or self._engine.place(account, wanted.spec)
        except Rejection as rejection:
            return _refused(rejection)
        return self._created(order, wanted.contract, body["order_configuration"])

    def close_position(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `POST orders/close_position`: at market, all of the position unless a size is named.

        The size is held to the position, so that it can be closed and not turned around.
        """
        body = body_object(request)
        only_fields(body, CLOSE_FIELDS)
        own, product_id = needed(body, "client_order_id"), needed(body, "product_id")
        size = number(body.get("size"))
        if size is None and body.get("size") not in (None, ""):
            raise invalid("size is no number")
        try:
            contract = self._listing.named(product_id)
            held = self._engine.figures(account).position(contract.instrument.name)
            # without a position the engine refuses either side
            side = OrderSide.SELL if held is None or held.side is Side.LONG else OrderSide.BUY
            order = self._known(account, own) or self._engine.place(
                account,
                OrderSpec(
                    symbol=contract.instrument.name,
                    side=side,
                    quantity=None if size is None else contract.quantity(size),
                    type=OrderType.MARKET,
                    client_id=own,
                    reduce_only=True,
                    close_position=size is None,
                ),
            )
        except Rejection as rejection:
            return _refused(rejection)
        return self._created(order, contract, {MARKET: {"base_size": body.get("size", "")}})

    def _known(self, account: str, client_id: str) -> Order | None:
        """Return the order that an id belongs to already: it is what a second order with it becomes."""
        return self._engine.find_order(account, client_id=client_id)

    @staticmethod
    def _created(order: Order, contract: Contract, configuration: object) -> WireAnswer:
        return WireAnswer(
            payload={
                "success": True,
                "failure_reason": UNSTATED,
                "order_id": order.order_id,
                "success_response": {
                    "order_id": order.order_id,
                    "product_id": contract.product_id,
                    "side": order.side.value.upper(),
                    "client_order_id": order.client_id or "",
                },
                "order_configuration": configuration,
            }
        )

    # ------------------------------------------------------------------ cancelling

    def batch_cancel(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `POST orders/batch_cancel`, id by id."""
        body = body_object(request)
        ids = body.get("order_ids")
        if not isinstance(ids, list) or not ids:
            raise invalid("order_ids is required")
        if len(ids) > MOST_CANCELS:
            raise invalid(f"Too many orderIDs entered, limit is {MOST_CANCELS}")
        return WireAnswer(payload={"results": [self._cancelled(account, str(name)) for name in ids]})

    def _cancelled(self, account: str, order_id: str) -> dict[str, Any]:
        try:
            self._engine.cancel(account, order_id=order_id)
        except Rejection as rejection:
            gone = rejection.reason in {Refusal.ORDER_NOT_FOUND, Refusal.ORDER_CLOSED}
            reason = "UNKNOWN_CANCEL_ORDER" if gone else "COMMANDER_REJECTED_CANCEL_ORDER"
            return {"success": False, "failure_reason": reason, "order_id": order_id}
        return {"success": True, "failure_reason": "UNKNOWN_CANCEL_FAILURE_REASON", "order_id": order_id}

    # ------------------------------------------------------------------ listing

    def orders(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET orders/historical/batch`, newest first; dates do not apply to open orders alone."""
        query = parse_qs(request.raw_query)
        states = query.get("order_status", [])
        if "OPEN" in states and len(states) > 1:
            raise invalid("Cannot pair OPEN orders with other order types")
        found = list(reversed(self._engine.orders(account)))
        if states:
            found = [order for order in found if status(order) in states]
        if states != ["OPEN"] and (since := _since(query)) is not None:
            found = [order for order in found if self._wire.stamp(order.created_ms) >= since]
        names = set(query.get("product_ids", []))
        rows = [self._desk.row(order) for order in found]
        rows = [row for row in rows if not names or row["product_id"] in names]
        if query.get("product_type", ["FUTURE"]) != ["FUTURE"]:
            rows = []
        return WireAnswer(payload=_page(rows, query))


def _refused(rejection: Rejection) -> WireAnswer:
    return refused_order(REASONS.get(rejection.reason, UNSTATED), rejection.detail)


def _since(query: Mapping[str, Sequence[str]]) -> int | None:
    """Return `start_date` in milliseconds."""
    text = query.get("start_date", [""])[0]
    if not text:
        return None
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        raise invalid("start_date is no RFC 3339 time") from None


def _page(rows: Sequence[dict[str, Any]], query: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return one page; the cursor is the number of rows told already."""
    limit, cursor = query.get("limit", [str(PAGE)])[0], query.get("cursor", ["0"])[0]
    if not (limit.isdigit() and cursor.isdigit() and 1 <= int(limit) <= MOST_OPEN):
        raise invalid("limit or cursor")
    start, end = int(cursor), int(cursor) + int(limit)
    more = end < len(rows)
    return {
        "orders": list(rows[start:end]),
        "sequence": "0",
        "has_next": more,
        "cursor": str(end) if more else "",
    }
