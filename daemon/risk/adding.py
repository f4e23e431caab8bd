"""Which resting orders would add to what a bound limits."""

from collections.abc import Sequence

from brokers.models import AccountSnapshot, OrderSide, Side
from brokers.orders import OpenOrder
from daemon.risk.exposure import Bound
from daemon.risk.leverage import Load


def increasing(orders: Sequence[OpenOrder], load: Load, snapshot: AccountSnapshot) -> tuple[OpenOrder, ...]:
    """Return those of `orders` that may make `load` larger when they fill.

    Not one that can only reduce, nor one against a position that it cannot turn. For the number of positions
    only what would begin a new one counts, for a symbol or a coin only its own orders; of a symbol without
    market rules nobody knows the coin, so its orders stay.
    """
    return tuple(
        order
        for order in orders
        if not order.reduce_only and _concerns(order, load, snapshot) and not _reduces(order, snapshot)
    )


def _concerns(order: OpenOrder, load: Load, snapshot: AccountSnapshot) -> bool:
    match load.bound:
        case Bound.SYMBOL_LEVERAGE | Bound.POSITION_NOTIONAL:
            return order.symbol == load.subject
        case Bound.UNDERLYING_SHARE:
            rules = snapshot.markets.get(order.symbol)
            return rules is not None and rules.base == load.subject
        case Bound.POSITIONS:
            return all(position.symbol != order.symbol for position in snapshot.positions)
        case Bound.LEVERAGE:
            return True


def _reduces(order: OpenOrder, snapshot: AccountSnapshot) -> bool:
    """Whether it stands against the only position of its symbol and is no larger than that."""
    held = [position for position in snapshot.positions if position.symbol == order.symbol]
    if len(held) != 1 or held[0].hedged or order.quantity is None:
        return False
    closing = OrderSide.SELL if held[0].side is Side.LONG else OrderSide.BUY
    return order.side is closing and order.quantity <= held[0].quantity
