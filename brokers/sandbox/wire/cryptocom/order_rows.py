"""Orders as Crypto.com prints them, in the plain and in the advanced lists."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from brokers.models import MarginMode, OrderSide
from brokers.numbers import ZERO
from brokers.sandbox.orders import CancelReason, Order, OrderStatus, OrderType, TimeInForce
from brokers.sandbox.wire.base import Wire
from brokers.sandbox.wire.cryptocom.envelope import figure
from brokers.sandbox.wire.cryptocom.statement import account_uuid

TIMES_IN_FORCE = {
    TimeInForce.GTC: "GOOD_TILL_CANCEL",
    TimeInForce.POST_ONLY: "GOOD_TILL_CANCEL",
    TimeInForce.IOC: "IMMEDIATE_OR_CANCEL",
}
STATUSES = {
    OrderStatus.UNTRIGGERED: "ACTIVE",
    OrderStatus.OPEN: "ACTIVE",
    OrderStatus.FILLED: "FILLED",
    OrderStatus.CANCELLED: "CANCELED",
}
UNFILLED_REASON = 43004


class OrderRows:
    """Prints orders; `isolation_of` names the isolated position that an order belongs to, if any."""

    def __init__(self, wire: Wire, isolation_of: Callable[[str, str], str | None]) -> None:
        self._wire = wire
        self._isolation_of = isolation_of

    def plain(self, order: Order) -> dict[str, Any]:
        """Return an order that is, or was, in the book."""
        market = order.spec.type is OrderType.MARKET
        row = self._shared(order) | {
            "order_type": "MARKET" if market else "LIMIT",
            "time_in_force": TIMES_IN_FORCE[order.spec.time_in_force],
            "limit_price": "0" if order.spec.price is None else figure(order.spec.price),
        }
        if order.cancel_reason in {CancelReason.IOC_REMAINDER, CancelReason.NO_LIQUIDITY}:
            row["reason"] = UNFILLED_REASON
        return row

    def advanced(self, order: Order) -> dict[str, Any]:
        """Return an order that waits for its trigger."""
        trigger = order.spec.trigger
        row = self._shared(order) | {
            "order_type": self._trigger_type(order),
            "time_in_force": "GOOD_TILL_CANCEL",
            "ref_price": "0" if trigger is None else figure(trigger.price),
            "ref_price_type": "MARK_PRICE",
        }
        return row if order.spec.price is None else row | {"limit_price": figure(order.spec.price)}

    def _trigger_type(self, order: Order) -> str:
        """Name a trigger order: a stop if it waits for the price to move on in its own direction."""
        trigger, mark = order.spec.trigger, self._wire.engine.ticker(order.symbol).mark
        rises = trigger is not None and trigger.price > mark
        stop = rises is (order.side is OrderSide.BUY)
        if order.spec.price is None:
            return "STOP_LOSS" if stop else "TAKE_PROFIT"
        return "STOP_LIMIT" if stop else "TAKE_PROFIT_LIMIT"

    def _shared(self, order: Order) -> dict[str, Any]:
        created, price = self._wire.stamp(order.created_ms), order.average_price
        isolated = order.margin_mode is MarginMode.ISOLATED
        instructions = [
            word
            for word, holds in (
                ("POST_ONLY", order.spec.time_in_force is TimeInForce.POST_ONLY),
                ("REDUCE_ONLY", order.reduce_only),
                ("ISOLATED_MARGIN", isolated),
            )
            if holds
        ]
        row: dict[str, Any] = {
            "account_id": account_uuid(order.account),
            "order_id": order.order_id,
            "client_oid": client_oid(order),
            "side": order.side.value.upper(),
            "exec_inst": instructions,
            "quantity": figure(order.quantity),
            "order_value": figure(order.quantity * (order.spec.price or price or ZERO)),
            "avg_price": figure(price or ZERO),
            "cumulative_quantity": figure(order.filled),
            "cumulative_value": figure(order.filled * (price or ZERO)),
            "cumulative_fee": figure(order.fee),
            "status": STATUSES[order.status],
            "update_user_id": account_uuid(order.account),
            "order_date": datetime.fromtimestamp(created / 1000, UTC).date().isoformat(),
            "instrument_name": order.symbol,
            "fee_instrument_name": "USD",
            "create_time": created,
            "create_time_ns": f"{created}000000",
            "update_time": self._wire.stamp(order.updated_ms),
        }
        isolation = self._isolation_of(order.account, order.symbol) if isolated else None
        if isolation is not None:
            row |= {"isolation_id": isolation, "isolation_type": "ISOLATED_MARGIN"}
        return row


def client_oid(order: Order) -> str:
    """Return the client's id of an order; the venue makes one up where the client gave none."""
    return order.client_id or str(UUID(int=int(Decimal(order.order_id))))
