"""An order of the engine as a row of Bybit's order lists."""

from typing import Any

from brokers.models import OrderSide
from brokers.numbers import ZERO
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
from brokers.sandbox.wire.bybit.listing import Listing, amount, index_of, on_grid

SIDES = {OrderSide.BUY: "Buy", OrderSide.SELL: "Sell"}
TYPES = {OrderType.MARKET: "Market", OrderType.LIMIT: "Limit"}
LIVES = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.POST_ONLY: "PostOnly"}
PRICES = {TriggerKind.MARK: "MarkPrice", TriggerKind.LAST: "LastPrice", TriggerKind.INDEX: "IndexPrice"}
DIRECTIONS = {TriggerDirection.RISES: 1, TriggerDirection.FALLS: 2}

CANCELS = {
    CancelReason.BY_USER: "CancelByUser",
    CancelReason.POSITION_GONE: "CancelByReduceOnly",
    CancelReason.LIQUIDATION: "CancelAllBeforeLiq",
}
REJECTS = {
    CancelReason.IOC_REMAINDER: "EC_NoImmediateQtyToFill",
    CancelReason.NO_LIQUIDITY: "EC_NoImmediateQtyToFill",
    CancelReason.WOULD_TAKE: "EC_PostOnlyWillTakeLiquidity",
    CancelReason.TRIGGER_REFUSED: "EC_PosNotEnough",
}


class OrderRows:
    """Write orders as `order/realtime` and `order/history` list them."""

    def __init__(self, wire: Wire, listing: Listing) -> None:
        self._wire = wire
        self._listing = listing

    def row(self, order: Order) -> dict[str, Any]:
        """Return one order's row."""
        spec, one = order.spec, self._wire.engine.instrument(order.symbol)
        reason, trigger = order.cancel_reason, spec.trigger
        whole = spec.close_position and order.status is OrderStatus.UNTRIGGERED
        return {
            "orderId": order.order_id,
            "orderLinkId": order.client_id or "",
            "blockTradeId": "",
            "symbol": self._listing.symbol(order.symbol),
            "price": "0" if spec.price is None else on_grid(spec.price, one.price_step),
            "qty": "0" if whole else on_grid(order.quantity, one.lot_step),
            "side": SIDES[order.side],
            "isLeverage": "",
            "positionIdx": index_of(spec.position_side),
            "orderStatus": status_of(order),
            "createType": "CreateByUser",
            "cancelType": "UNKNOWN" if reason is None else CANCELS.get(reason, "UNKNOWN"),
            "rejectReason": "EC_NoError" if reason is None else REJECTS.get(reason, "EC_PerCancelRequest"),
            "avgPrice": "" if order.average_price is None else amount(order.average_price),
            "leavesQty": "0" if whole else on_grid(order.remaining, one.lot_step),
            "leavesValue": "",
            "cumExecQty": on_grid(order.filled, one.lot_step),
            "cumExecValue": amount(one.notional(order.filled, order.average_price or one.price_step)),
            "cumExecFee": amount(order.fee),
            "cumFeeDetail": {one.settle: amount(order.fee)} if order.fee else {},
            "timeInForce": "IOC" if spec.type is OrderType.MARKET else LIVES[spec.time_in_force],
            "orderType": TYPES[spec.type],
            "stopOrderType": "" if trigger is None else "Stop",
            "orderIv": "",
            "triggerPrice": "" if trigger is None else on_grid(trigger.price, one.price_step),
            "triggerDirection": DIRECTIONS.get(trigger.direction, 0) if trigger and trigger.direction else 0,
            "triggerBy": "" if trigger is None else PRICES[trigger.kind],
            "takeProfit": "",
            "stopLoss": "",
            "tpTriggerBy": "",
            "slTriggerBy": "",
            "tpLimitPrice": "0",
            "slLimitPrice": "0",
            "tpslMode": "",
            "lastPriceOnCreated": "",
            "reduceOnly": order.reduce_only,
            "closeOnTrigger": spec.close_position,
            "placeType": "",
            "smpType": "None",
            "smpGroup": 0,
            "smpOrderId": "",
            "createdTime": str(self._wire.stamp(order.created_ms)),
            "updatedTime": str(self._wire.stamp(order.updated_ms)),
        }


def status_of(order: Order) -> str:
    """Return `orderStatus`; a partly filled order that was cancelled is `Cancelled` on contracts."""
    match order.status:
        case OrderStatus.UNTRIGGERED:
            return "Untriggered"
        case OrderStatus.OPEN:
            return "PartiallyFilled" if order.filled > ZERO else "New"
        case OrderStatus.FILLED:
            return "Filled"
        case OrderStatus.CANCELLED:
            refused = order.cancel_reason is CancelReason.TRIGGER_REFUSED
            return "Rejected" if refused else "Cancelled"


def waits(order: Order) -> bool:
    """Whether an order is a conditional one that has not been triggered."""
    return order.status is OrderStatus.UNTRIGGERED


def ids_of(order: Order) -> dict[str, str]:
    """Return what an acknowledgement tells of an order."""
    return {"orderId": order.order_id, "orderLinkId": order.client_id or ""}
