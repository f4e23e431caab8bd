"""Which resting orders are in the way of an account in danger, and in which turn they go.

First those that could make a position larger: the margin they bind is often enough. An order that can only
reduce binds none and adds no risk; it goes only when something is to be cut, after the others and for one
reason: what it would close, a venue may not let another order close. A stop or take-profit that waits for its
price and can only reduce is its owner's protection, and never goes.
"""

from collections.abc import Iterable

from brokers.models import AccountSnapshot, UnitKind
from brokers.orders import OpenOrder


def in_turn(orders: Iterable[OpenOrder], *, before_cut: bool) -> tuple[OpenOrder, ...]:
    """Return the orders to be cancelled now; `before_cut`: something may be cut when none of them is left."""
    rows = tuple(orders)
    raising = tuple(order for order in rows if not order.reduce_only)
    if raising or not before_cut:
        return raising
    return tuple(order for order in rows if not order.is_protective)


def concerning(orders: Iterable[OpenOrder], snapshot: AccountSnapshot, unit: str) -> tuple[OpenOrder, ...]:
    """Return the orders that can change the unit named `unit`; one in an unknown instrument may.

    All of them where the unit is not in the picture.

    An isolated position is changed by orders in its own instrument alone, a settle currency by those that
    settle in it.
    """
    judged = next((seen for seen in snapshot.units if seen.key == unit), None)
    if judged is None:
        return tuple(orders)
    if judged.kind is UnitKind.ISOLATED_POSITION:
        held = {position.symbol for position in snapshot.positions_of(unit)}
        return tuple(order for order in orders if order.symbol in held)
    if judged.kind is UnitKind.CURRENCY:
        return tuple(
            order
            for order in orders
            if (rules := snapshot.markets.get(order.symbol)) is None or rules.settle == judged.currency
        )
    return tuple(orders)
