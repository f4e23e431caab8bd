"""Orders as Coinbase prints them, and Coinbase's order configurations as the engine takes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokers.models import OrderSide
from brokers.numbers import ZERO
from brokers.sandbox.orders import (
    Order,
    OrderSpec,
    OrderStatus,
    OrderType,
    TimeInForce,
    Trigger,
    TriggerDirection,
)
from brokers.sandbox.wire.base import Wire
from brokers.sandbox.wire.coinbase.answers import figure, invalid, moment, number
from brokers.sandbox.wire.coinbase.listing import Contract, Listing

SIDES = {"BUY": OrderSide.BUY, "SELL": OrderSide.SELL}

MARKET, STOP = "market_market_ioc", "stop_limit_stop_limit_gtc"

KINDS: Mapping[str, tuple[OrderType, TimeInForce]] = {
    MARKET: (OrderType.MARKET, TimeInForce.IOC),
    "sor_limit_ioc": (OrderType.LIMIT, TimeInForce.IOC),
    "limit_limit_gtc": (OrderType.LIMIT, TimeInForce.GTC),
    STOP: (OrderType.LIMIT, TimeInForce.GTC),
}
"""Coinbase's configurations that the engine has."""

DIRECTIONS = {
    "STOP_DIRECTION_STOP_UP": TriggerDirection.RISES,
    "STOP_DIRECTION_STOP_DOWN": TriggerDirection.FALLS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an order's body asks for: the product, and the engine's order."""

    contract: Contract
    spec: OrderSpec


class OrderDesk:
    """Translates between Coinbase's rows and the engine's orders."""

    def __init__(self, wire: Wire, listing: Listing) -> None:
        self._wire = wire
        self._listing = listing

    def wanted(self, body: Mapping[str, Any]) -> Wanted:
        """Build an order from the body of `POST orders`.

        Raises:
            WireRefusal: a parameter is wrong.
            Rejection: the product is not listed.
        """
        contract = self._listing.named(str(body.get("product_id") or ""))
        side = SIDES.get(str(body.get("side") or ""))
        configurations = body.get("order_configuration")
        if side is None or not isinstance(configurations, Mapping) or len(configurations) != 1:
            raise invalid("side and one order_configuration are required")
        ((kind, figures),) = configurations.items()
        if kind not in KINDS or not isinstance(figures, Mapping):
            raise invalid(f"order_configuration {kind} is not supported")
        size = number(figures.get("base_size"))
        trigger = None
        if kind == STOP:
            at = number(figures.get("stop_price"))
            direction = DIRECTIONS.get(str(figures.get("stop_direction")))
            if at is None or direction is None:
                raise invalid("stop_price and stop_direction are required")
            trigger = Trigger(price=at, direction=direction)
        order_type, time_in_force = KINDS[kind]
        return Wanted(
            contract=contract,
            spec=OrderSpec(
                symbol=contract.instrument.name,
                side=side,
                quantity=contract.quantity(ZERO if size is None else size),
                type=order_type,
                time_in_force=time_in_force,
                price=number(figures.get("limit_price")),
                client_id=str(body.get("client_order_id") or "") or None,
                reduce_only=figures.get("reduce_only") is True,
                trigger=trigger,
            ),
        )

    def row(self, order: Order) -> dict[str, Any]:
        """Return an order as the lists print it."""
        contract = self._listing.of(order.symbol)
        filled = contract.contracts(order.filled)
        return {
            "order_id": order.order_id,
            "product_id": contract.product_id,
            "user_id": order.account,
            "order_configuration": self._configuration(order, contract),
            "side": order.side.value.upper(),
            "client_order_id": order.client_id or "",
            "status": status(order),
            "time_in_force": "GOOD_UNTIL_CANCELLED" if order.is_open else "IMMEDIATE_OR_CANCEL",
            "created_time": moment(self._wire.stamp(order.created_ms)),
            "last_update_time": moment(self._wire.stamp(order.updated_ms)),
            "completion_percentage": figure(order.filled / order.quantity * 100 if order.quantity else ZERO),
            "filled_size": figure(filled),
            "average_filled_price": figure(order.average_price or ZERO),
            "number_of_fills": "1" if order.filled else "0",
            "filled_value": figure(order.filled * (order.average_price or ZERO)),
            "pending_cancel": False,
            "size_in_quote": False,
            "total_fees": figure(order.fee),
            "trigger_status": _trigger_status(order),
            "order_type": _order_type(order),
            "reject_reason": "REJECT_REASON_UNSPECIFIED",
            "settled": not order.is_open,
            "product_type": "FUTURE",
            "reject_message": "",
            "cancel_message": "",
            "is_liquidation": False,
        }

    @staticmethod
    def _configuration(order: Order, contract: Contract) -> dict[str, Any]:
        size = figure(contract.contracts(order.quantity))
        shared = {"base_size": size, "reduce_only": order.reduce_only}
        trigger = order.spec.trigger
        if trigger is not None:
            up = trigger.direction is TriggerDirection.RISES
            price = order.spec.price if order.spec.price is not None else trigger.price
            return {
                STOP: {
                    **shared,
                    "limit_price": figure(price),
                    "stop_price": figure(trigger.price),
                    "stop_direction": f"STOP_DIRECTION_STOP_{'UP' if up else 'DOWN'}",
                }
            }
        if order.spec.type is OrderType.MARKET:
            return {MARKET: shared}
        kind = "sor_limit_ioc" if order.spec.time_in_force is TimeInForce.IOC else "limit_limit_gtc"
        return {kind: {**shared, "limit_price": figure(order.spec.price or Decimal(0))}}


def status(order: Order) -> str:
    """Return Coinbase's word for where an order stands."""
    if order.is_open:
        return "OPEN"
    return "FILLED" if order.status is OrderStatus.FILLED else "CANCELLED"


def _trigger_status(order: Order) -> str:
    if order.spec.trigger is None:
        return "INVALID_ORDER_TYPE"
    return "STOP_PENDING" if order.status is OrderStatus.UNTRIGGERED else "STOP_TRIGGERED"


def _order_type(order: Order) -> str:
    if order.spec.trigger is not None:
        return "STOP_LIMIT"
    return "MARKET" if order.spec.type is OrderType.MARKET else "LIMIT"
