"""Closing a unit whole: to flatten it, and the only way to reduce an isolated position.

A part of an isolated position that is closed takes its share of the margin along, so that what is left stands
as near to its liquidation as before.
"""

from collections.abc import Collection
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


def close_unit(
    desk: Desk,
    action: Action,
    state: tuple[Shortfall, ...],
    members: Collection[PositionKey] | None = None,
) -> ReductionPlan | Infeasible:
    """Close the unit's own positions, the most margin first and the legs of a hedge together.

    With `members` only those, and with them what they hedge.

    Of a hedge whose other leg cannot be ordered only the overhang is closed. Without market rules a whole
    position can still be closed at market: nothing needs to be rounded.
    """
    groups = [hedge for hedge in hedges(desk.unit.positions) if _has_part(hedge, members)]
    positions = tuple(leg for hedge in groups for leg in hedge.legs)
    dust = desk.dust(positions)
    orders: list[PlannedOrder] = []
    for hedge in sorted(groups, key=_importance, reverse=True):
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


def _has_part(hedge: Hedge, members: Collection[PositionKey] | None) -> bool:
    return members is None or any(leg.position.key in members for leg in hedge.legs)


def _importance(hedge: Hedge) -> tuple[Decimal, str]:
    """Order by the margin that closing frees, by notional where it is not stated."""
    margins = (leg.margin(Measure.MAINTENANCE) or leg.notional or ZERO for leg in hedge.legs)
    return sum(margins, ZERO), hedge.legs[0].position.symbol


def _cuts(desk: Desk, hedge: Hedge, dust: tuple[PositionKey, ...]) -> tuple[Cut, ...]:
    """Return how much to close of a leg of each side, so that their net quantity does not grow.

    A hedge of more than two legs takes more than one step.
    """
    if not hedge.lighter:
        (leg,) = hedge.heavier
        whole = _closing(desk, leg, leg.position.quantity)
        return () if whole is None else ((leg, whole),)
    for larger, smaller in hedge.pairs:
        both = _pair(desk, larger, smaller, hedge.overhang)
        if both:
            return both
    for leg in hedge.heavier:
        total = leg.position.quantity
        alone = _closing(desk, leg, total if _is_all(hedge, dust) else min(total, hedge.overhang))
        if alone is not None:
            return ((leg, alone),)
    return ()


def _pair(desk: Desk, larger: ValuedPosition, smaller: ValuedPosition, overhang: Decimal) -> tuple[Cut, ...]:
    """Return how much to close of two legs: alike, and of the heavier side the overhang on top."""
    total = larger.position.quantity
    other = min(smaller.position.quantity, total)
    first = _closing(desk, larger, min(total, other + overhang))
    second = None if first is None else _closing(desk, smaller, min(other, first))
    if first is not None and second is not None and first - second > overhang:
        first = _closing(desk, larger, second + overhang)
    return () if first is None or second is None else ((larger, first), (smaller, second))


def _is_all(hedge: Hedge, dust: tuple[PositionKey, ...]) -> bool:
    """Whether one position against dust may go whole: what it leaves bare is less than is bare now."""
    if len(hedge.legs) > PAIR:
        return False
    larger, smaller = (leg.position for leg in hedge.legs)
    return smaller.key in dust and larger.quantity >= 2 * smaller.quantity


def _closing(desk: Desk, valued: ValuedPosition, most: Decimal) -> Decimal | None:
    """Return how much of a position one order can close, `most` at most; `None`: nothing."""
    if valued.position.key in desk.excluded:
        return None
    lots = desk.lots(valued, most)
    if lots is None:
        return most if most == valued.position.quantity else None
    return lots.quantity(most, ONE)
