"""Cutting positions back to just below a bound: too much is held, though nothing may be near the venue.

Each notional that is cut takes as much off what stands against the bound, so that any position serves; the
one that also frees most maintenance margin per notional goes first. A hedge is cut as in `candidate.py`: its
net quantity never grows, and a leg that only goes with its twin takes it along, even where that one is not
bounded.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from brokers.models import AccountSnapshot, Measure, Symbol
from brokers.numbers import ONE, ZERO
from brokers.order_book import NO_BOOKS, OrderBook
from daemon.risk.candidate import PAIR, Candidate, candidates, worth
from daemon.risk.closing import close_unit
from daemon.risk.desk import Desk
from daemon.risk.exposure import Bound
from daemon.risk.leverage import Load, positions_bounded, unit_of
from daemon.risk.picture import PositionKey, ValuedPosition, picture
from daemon.risk.plan import Infeasible, PlannedOrder, ReductionPlan
from daemon.risk.policy import Action, MarginPolicy
from daemon.risk.reason import Reason
from daemon.risk.relief import notional_to_cut
from daemon.risk.shortfall import Shortfall, shortfalls
from daemon.risk.tiers import Bracket


@dataclass(frozen=True, slots=True, kw_only=True)
class Tradable:
    """What is known of the market now: positions that cannot be traded, and fresh order books."""

    excluded: Collection[PositionKey]
    books: Mapping[Symbol, OrderBook]


def plan_trim(
    load: Load,
    snapshot: AccountSnapshot,
    policy: MarginPolicy,
    *,
    step: int,
    excluded: Collection[PositionKey] = (),
    books: Mapping[Symbol, OrderBook] = NO_BOOKS,
) -> ReductionPlan | Infeasible:
    """Plan one step that brings `load` down towards its target.

    `step` counts from 0 the steps of this trim. `excluded` are positions that cannot be traded now; `books`
    are fresh order books, of the symbols that were read.

    Raises:
        ValueError: its unit is not in `snapshot`.
    """
    desk = _desk(load.unit, snapshot, policy, step, Tradable(excluded=excluded, books=books))
    if load.bound is Bound.POSITIONS:
        return _fewer(desk, load)
    found = desk.unit
    bounded = tuple(one for one in found.positions if one.position.key in load.members)
    dust = desk.dust(bounded)
    if not bounded:
        return desk.unable(bounded, dust)
    if not load.usage.exceeds(load.target):
        return Infeasible(unit=load.unit, reason=Reason.TARGET_REACHED, detail=str(load), dust=dust)
    choices = [
        choice
        for choice in candidates(found.positions, snapshot, market=desk.market, excluded=desk.excluded)
        if load.members.intersection(leg.position.key for leg in choice.legs)
    ]
    if not choices:
        return desk.unable(bounded, dust)
    orders, after = _cut(desk, load, choices, shortfalls(found, snapshot, policy))
    if not orders:
        detail = f"no position can be cut at a size that lowers it: {load}"
        return Infeasible(unit=load.unit, reason=Reason.BEYOND_TRIMMING, detail=detail, dust=dust)
    plan = desk.plan(Action.REDUCE, orders, (), dust)
    return replace(plan, reaches_target=not after.is_open, bound=load.key)


def plan_closing(
    key: str,
    snapshot: AccountSnapshot,
    policy: MarginPolicy,
    *,
    step: int,
    excluded: Collection[PositionKey] = (),
    books: Mapping[Symbol, OrderBook] = NO_BOOKS,
) -> ReductionPlan | Infeasible:
    """Plan one step that closes what counts towards the load named `key`, whether or not it is broken still.

    Raises:
        ValueError: its unit is not in `snapshot`.
    """
    desk = _desk(unit_of(key), snapshot, policy, step, Tradable(excluded=excluded, books=books))
    members = {valued.position.key for valued in positions_bounded(key, snapshot)}
    state = shortfalls(desk.unit, snapshot, policy)
    return _named(close_unit(desk, Action.FLATTEN, state, members), key)


def _fewer(desk: Desk, load: Load) -> ReductionPlan | Infeasible:
    """Plan to close as many of the smallest positions as there are too many; what hedges them goes along."""
    excess = int(load.usage.used - load.cap)
    free = [one for one in desk.unit.positions if one.position.key not in desk.excluded]
    smallest = sorted(free, key=lambda one: (one.notional or ZERO, one.position.key))[:excess]
    members = {one.position.key for one in smallest}
    state = shortfalls(desk.unit, desk.snapshot, desk.policy)
    return _named(close_unit(desk, Action.REDUCE, state, members), load.key)


def _named(planned: ReductionPlan | Infeasible, key: str) -> ReductionPlan | Infeasible:
    return replace(planned, bound=key) if isinstance(planned, ReductionPlan) else planned


def _desk(
    unit: str,
    snapshot: AccountSnapshot,
    policy: MarginPolicy,
    step: int,
    tradable: Tradable,
) -> Desk:
    found = next((seen for seen in picture(snapshot) if seen.unit.key == unit), None)
    if found is None:
        raise ValueError(f"cannot trim the unit {unit!r}: it is not in the picture")
    return Desk(
        unit=found,
        snapshot=snapshot,
        policy=policy,
        step=step,
        market=policy.limits.is_market_step(step),
        books=tradable.books,
        excluded=frozenset(tradable.excluded).union(p.key for p in snapshot.positions if not p.reducible),
    )


def _cut(
    desk: Desk, load: Load, choices: Sequence[Candidate], margins: tuple[Shortfall, ...]
) -> tuple[list[PlannedOrder], Shortfall]:
    """Return the orders of one step, most maintenance margin per notional first, and what is left over."""
    left = _as_shortfall(load, desk.unit.positions)
    state = margins
    orders: list[PlannedOrder] = []
    ranked = sorted(choices, key=lambda one: _rank(one, margins))
    for choice in ranked:
        if not left.is_open or len(orders) + len(choice.legs) > max(desk.limits.positions_per_step, PAIR):
            break
        quantity = _quantity(desk, choice, load, left)
        if quantity is None:
            continue
        group = len(orders) if len(choice.legs) > 1 else None
        for leg in choice.legs:
            order, state = desk.order(leg, quantity, state, group)
            orders.append(order)
            key, notional = leg.position.key, worth(leg) * quantity
            cost = ZERO if load.bound is Bound.POSITION_NOTIONAL else order.cost
            left = left.after(key, notional, cost) if key in left.relief else _costs(left, cost)
    return orders, left


def _as_shortfall(load: Load, positions: Sequence[ValuedPosition]) -> Shortfall:
    """Return `load` as what is to be relieved: each notional of a member takes one off."""
    relief = {
        one.position.key: (Bracket(width=one.notional, rate=ONE),)
        for one in positions
        if one.notional is not None and one.notional > 0 and one.position.key in load.members
    }
    return Shortfall(measure=None, usage=load.usage, target=load.target, relief=relief)


def _quantity(desk: Desk, choice: Candidate, load: Load, left: Shortfall) -> Decimal | None:
    """Return by how much to cut every leg of `choice`, as far as one order may; `None`: not at all."""
    serving = [leg for leg in choice.legs if leg.position.key in load.members]
    relief = sum((worth(leg) for leg in serving), ZERO)
    cost = sum((worth(leg) for leg in choice.legs), ZERO) * _cost_rate(desk, load)
    wanted = notional_to_cut(left.usage, left.target, relief, cost)
    if wanted is None:
        return None
    wanted = min(desk.within_depth(leg, wanted) for leg in choice.legs)
    sizes = [choice.lots(leg).quantity(wanted, desk.limits.step_fraction) for leg in choice.legs]
    known = [size for size in sizes if size is not None]
    return min(known) if len(known) == len(sizes) else None


def _cost_rate(desk: Desk, load: Load) -> Decimal:
    """Return what a notional that is cut takes off the capacity: nothing where that is no equity."""
    return ZERO if load.bound is Bound.POSITION_NOTIONAL else desk.limits.cost_rate


def _costs(left: Shortfall, cost: Decimal) -> Shortfall:
    """Return `left` after a cost alone."""
    return replace(left, usage=replace(left.usage, capacity=left.usage.capacity - cost))


def _rank(choice: Candidate, margins: Sequence[Shortfall]) -> tuple[Decimal, int, Decimal, list[PositionKey]]:
    """Order by the maintenance margin that the first cut frees per notional; then what nothing hedges."""
    rates = [choice.relief(one) for one in margins if one.measure is Measure.MAINTENANCE]
    freed = max(rates, default=ZERO) / choice.cost(ONE)
    return -freed, len(choice.legs), -choice.notional, [leg.position.key for leg in choice.legs]
