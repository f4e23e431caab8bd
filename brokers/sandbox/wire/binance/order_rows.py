"""Engine orders as Binance prints them."""

from decimal import Decimal
from typing import Any

from brokers.models import Side
from brokers.numbers import ZERO
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.orders import (
    CancelReason,
    Order,
    OrderStatus,
    OrderType,
    TimeInForce,
    TriggerDirection,
    TriggerKind,
)
from brokers.sandbox.wire.base import Wire
from brokers.sandbox.wire.binance.listing import Listing, on_grid, position_side, size

TIMES_IN_FORCE = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "GTX": TimeInForce.POST_ONLY}
TIF_WORDS = {value: word for word, value in TIMES_IN_FORCE.items()}


class OrderRows:
    """Write orders as rows of either book."""

    def __init__(self, wire: Wire, listing: Listing) -> None:
        self._wire = wire
        self._listing = listing

    def active(self, order: Order) -> dict[str, Any]:
        """Return an order as `GET /fapi/v1/order` shows it."""
        symbol = str(self._listing.symbol(order.symbol))
        one = self._listing.instrument(symbol)
        average = order.average_price or ZERO
        places = one.price_step / 10 if average else one.price_step
        kind = "MARKET" if order.spec.type is OrderType.MARKET else "LIMIT"
        return {
            "avgPrice": on_grid(average, places),
            "clientOrderId": order.client_id or "",
            "cumQuote": on_grid(average * order.filled, one.price_step * one.lot_step),
            "executedQty": size(order.filled, one),
            "orderId": int(order.order_id),
            "origQty": size(_asked(order), one),
            "origType": kind,
            "price": "0" if order.spec.price is None else on_grid(order.spec.price, one.price_step),
            "side": order.side.upper(),
            "status": _status(order),
            "stopPrice": "0",
            "symbol": symbol,
            "time": self._wire.stamp(order.created_ms),
            "timeInForce": TIF_WORDS[order.spec.time_in_force],
            "type": kind,
            "updateTime": self._wire.stamp(order.updated_ms),
            "workingType": "CONTRACT_PRICE",
            **self._shared(order),
        }

    def acknowledged(self, order: Order) -> dict[str, Any]:
        """Return an order as `POST` with `newOrderRespType=ACK` answers: taken, and nothing more said."""
        row = self.active(order)
        one = self._listing.instrument(row["symbol"])
        nothing = {"avgPrice": "0.00", "cumQuote": "0", "executedQty": size(ZERO, one)}
        return {**row, **nothing, "status": "NEW"}

    def algo(self, order: Order) -> dict[str, Any]:
        """Return an untriggered order as the algo book shows it."""
        symbol = str(self._listing.symbol(order.symbol))
        one = self._listing.instrument(symbol)
        trigger = order.spec.trigger
        return {
            "algoId": int(order.order_id),
            "clientAlgoId": order.client_id or "",
            "algoType": "CONDITIONAL",
            "orderType": _algo_type(order),
            "symbol": symbol,
            "side": order.side.upper(),
            "timeInForce": TIF_WORDS[order.spec.time_in_force],
            "quantity": size(order.spec.quantity or ZERO, one),
            "algoStatus": _algo_status(order),
            "actualOrderId": order.order_id if order.triggered else "",
            "actualPrice": "0.00000" if order.average_price is None else _price(order, one),
            "triggerPrice": "0" if trigger is None else on_grid(trigger.price, one.price_step),
            "price": "0" if order.spec.price is None else on_grid(order.spec.price, one.price_step),
            "icebergQuantity": None,
            "workingType": "MARK_PRICE"
            if trigger is not None and trigger.kind is TriggerKind.MARK
            else "CONTRACT_PRICE",
            "createTime": self._wire.stamp(order.created_ms),
            "updateTime": self._wire.stamp(order.updated_ms),
            "triggerTime": self._wire.stamp(order.updated_ms) if order.triggered else 0,
            **self._shared(order),
        }

    def _shared(self, order: Order) -> dict[str, Any]:
        """Return what both books show alike. In hedge mode no order is flagged reduce-only."""
        leg: Side | None = order.spec.position_side
        return {
            "reduceOnly": leg is None and order.reduce_only,
            "positionSide": position_side(leg),
            "closePosition": order.spec.close_position,
            "priceProtect": False,
            "priceMatch": "NONE",
            "selfTradePreventionMode": "EXPIRE_MAKER",
            "goodTillDate": 0,
        }


def _asked(order: Order) -> Decimal:
    """Return the quantity that was asked for: the venue echoes it, also of a clipped order."""
    return order.quantity if order.spec.quantity is None else order.spec.quantity


def _price(order: Order, one: Instrument) -> str:
    return on_grid(order.average_price or ZERO, one.price_step / 10)


def _status(order: Order) -> str:
    if order.status is OrderStatus.FILLED:
        return "FILLED"
    if order.status is OrderStatus.CANCELLED:
        return "CANCELED" if order.cancel_reason is CancelReason.BY_USER else "EXPIRED"
    return "PARTIALLY_FILLED" if order.filled else "NEW"


def _algo_status(order: Order) -> str:
    if order.status is OrderStatus.UNTRIGGERED:
        return "NEW"
    if order.triggered:
        return "FINISHED" if order.status.is_final else "TRIGGERED"
    return "CANCELED" if order.cancel_reason is CancelReason.BY_USER else "EXPIRED"


def _algo_type(order: Order) -> str:
    """Tell a stop from a take-profit: a stop sells below and buys above."""
    trigger = order.spec.trigger
    rises = trigger is not None and trigger.direction is TriggerDirection.RISES
    stop = rises is (order.side == "buy")
    suffix = "" if order.spec.type is OrderType.LIMIT else "_MARKET"
    return ("STOP" if stop else "TAKE_PROFIT") + suffix
