"""Closing a unit whole: to flatten it, and the only way to reduce an isolated position.

A part of an isolated position that is closed takes its share of the margin along, so that what is left stands
as near to its liquidation as before.
"""

from decimal import Decimal

from brokers.models import Measure
from brokers.numbers import ONE, ZERO
from daemon.risk.candidate import hedges
from daemon.risk.desk import Desk
from daemon.risk.picture import PositionKey, ValuedPosition
from daemon.risk.plan import Infeasible, PlannedOrder, ReductionPlan
from daemon.risk.policy import Action
from daemon.risk.shortfall import Shortfall

Cut = tuple[ValuedPosition, Decimal]


def close_unit(desk: Desk, action: Action, state: tuple[Shortfall, ...]) -> ReductionPlan | Infeasible:
    """Close the unit's own positions, the most margin first and the legs of a hedge together.

    Of a hedge whose other leg cannot be ordered only the overhang is closed. Without market rules a whole
    position can still be closed at market: nothing needs to be rounded.
    """
    positions = desk.unit.positions
    dust = desk.dust(positions)
    orders: list[PlannedOrder] = []
    for legs in sorted(hedges(positions), key=_importance, reverse=True):
        cuts = _cuts(desk, legs, dust)
        if len(orders) + len(cuts) > max(desk.limits.positions_per_step, 2):
            continue
        group = len(orders) if len(cuts) > 1 else None
        for leg, quantity in cuts:
            order, state = desk.order(leg, quantity, state, group)
            orders.append(order)
    if not orders:
        return desk.unable(positions, dust)
    return desk.plan(action, orders, state, dust)


def _importance(legs: tuple[ValuedPosition, ...]) -> tuple[Decimal, str]:
    """Order by the margin that closing frees, by notional where it is not stated."""
    margins = (leg.margin(Measure.MAINTENANCE) or leg.notional or ZERO for leg in legs)
    return sum(margins, ZERO), legs[0].position.symbol


def _cuts(desk: Desk, legs: tuple[ValuedPosition, ...], dust: tuple[PositionKey, ...]) -> tuple[Cut, ...]:
    """Return how much to close of each leg, so that their net quantity does not grow."""
    larger, total = legs[0], legs[0].position.quantity
    first = _closing(desk, larger, total)
    if first is None:
        return ()
    if len(legs) == 1:
        return ((larger, first),)
    smaller, other = legs[1], legs[1].position.quantity
    second = _closing(desk, smaller, min(other, first))
    if second is not None:
        return ((larger, first), (smaller, second))
    whole = smaller.position.key in dust and total >= 2 * other
    alone = _closing(desk, larger, total if whole else total - other)
    return () if alone is None else ((larger, alone),)


def _closing(desk: Desk, valued: ValuedPosition, most: Decimal) -> Decimal | None:
    """Return how much of a position one order can close, `most` at most; `None`: nothing."""
    if valued.position.key in desk.excluded:
        return None
    lots = desk.lots(valued, most)
    if lots is None:
        return most if most == valued.position.quantity else None
    return lots.quantity(most, ONE)
