"""Closing a unit whole: to flatten it, and the only way to reduce an isolated position.

A part of an isolated position that is closed takes its share of the margin along, so that what is left stands
as near to its liquidation as before.
"""

from decimal import Decimal

from brokers.models import Measure
from brokers.numbers import ONE, ZERO
from daemon.risk.candidate import PAIR, Hedge, hedges
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
    for hedge in sorted(hedges(positions), key=_importance, reverse=True):
        cuts = _cuts(desk, hedge, dust)
        if len(orders) + len(cuts) > max(desk.limits.positions_per_step, 2):
            continue
        group = len(orders) if len(cuts) > 1 else None
        for leg, quantity in cuts:
            order, state = desk.order(leg, quantity, state, group)
            orders.append(order)
    if not orders:
        return desk.unable(positions, dust)
    return desk.plan(action, orders, state, dust)


def _importance(hedge: Hedge) -> tuple[Decimal, str]:
    """Order by the margin that closing frees, by notional where it is not stated."""
    margins = (leg.margin(Measure.MAINTENANCE) or leg.notional or ZERO for leg in hedge.legs)
    return sum(margins, ZERO), hedge.legs[0].position.symbol


def _cuts(desk: Desk, hedge: Hedge, dust: tuple[PositionKey, ...]) -> tuple[Cut, ...]:
    """Return how much to close of a leg of each side, so that their net quantity does not grow.

    A hedge of more than two legs takes more than one step.
    """
    larger, total = hedge.legs[0], hedge.legs[0].position.quantity
    if len(hedge.legs) == 1:
        first = _closing(desk, larger, total)
        return () if first is None else ((larger, first),)
    smaller, other = hedge.legs[1], min(hedge.legs[1].position.quantity, total)
    first = _closing(desk, larger, min(total, other + hedge.overhang))
    if first is None:
        return ()
    second = _closing(desk, smaller, min(other, first))
    if second is not None and first - second > hedge.overhang:
        first = _closing(desk, larger, second + hedge.overhang)
    if first is not None and second is not None:
        return ((larger, first), (smaller, second))
    whole = len(hedge.legs) == PAIR and smaller.position.key in dust and total >= 2 * other
    alone = _closing(desk, larger, total if whole else min(total, hedge.overhang))
    return () if alone is None else ((larger, alone),)


def _closing(desk: Desk, valued: ValuedPosition, most: Decimal) -> Decimal | None:
    """Return how much of a position one order can close, `most` at most; `None`: nothing."""
    if valued.position.key in desk.excluded:
        return None
    lots = desk.lots(valued, most)
    if lots is None:
        return most if most == valued.position.quantity else None
    return lots.quantity(most, ONE)
