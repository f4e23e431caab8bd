"""Initial margin that resting orders hold back."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TypeAlias

from brokers.models import OrderSide
from brokers.numbers import ZERO
from brokers.sandbox.account import Account, PositionKey
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.orders import Order, OrderStatus
from brokers.sandbox.spec import VenueRules

Claim: TypeAlias = tuple[OrderSide, Decimal, Decimal]
"""Side, remaining quantity and price of an order that may become exposure."""


def reserved_margins(
    account: Account, instruments: Mapping[str, Instrument], rules: VenueRules
) -> Mapping[PositionKey, Decimal]:
    """Return the initial margin of open orders by the position they would change, in settle currency."""
    version, known = account.reserved
    if version == account.version:
        return known
    groups: dict[PositionKey, list[Claim]] = {}
    for order in account.orders.open():
        if reserves(order, rules):
            groups.setdefault(order.key, []).append(claim(order))
    found = {}
    for key, claims in groups.items():
        instrument = instruments[key[0]]
        worth = claimed_notional(claims, account, instrument, key)
        leverage = account.leverage(instrument.name, key[1])
        found[key] = rules.initial_margin(instrument, worth, leverage, key[2])
    account.reserved = (account.version, found)
    return found


def reserves(order: Order, rules: VenueRules) -> bool:
    """Whether an order holds margin back: not when it can only reduce."""
    if order.reduce_only or order.spec.close_position or rules.lending is not None:
        return False
    return order.status is OrderStatus.OPEN or rules.triggers_reserve_margin


def claim(order: Order) -> Claim:
    """Return what an open order claims: at its limit price, else at its trigger price."""
    price = order.spec.price
    if price is None and order.spec.trigger is not None:
        price = order.spec.trigger.price
    if price is None:
        raise ValueError(f"order {order.order_id} rests without a price")
    return (order.side, order.remaining, price)


def claimed_notional(
    claims: Iterable[Claim], account: Account, instrument: Instrument, key: PositionKey
) -> Decimal:
    """Return what the orders on one position could add: the dearer side, beyond what closes the position.

    Buys and sells cannot both end up as exposure, so the larger of the two counts. Venues do the same.
    """
    held = account.positions.get(key)
    quantity = held.quantity if held else ZERO
    free = {OrderSide.BUY: max(ZERO, -quantity), OrderSide.SELL: max(ZERO, quantity)}
    worth = {OrderSide.BUY: ZERO, OrderSide.SELL: ZERO}
    for side, remaining, price in claims:
        netted = min(free[side], remaining)
        free[side] -= netted
        worth[side] += instrument.notional(remaining - netted, price)
    return max(worth.values())
