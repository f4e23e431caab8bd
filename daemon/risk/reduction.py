"""Which positions to cut, by how much and at what price, so that a unit comes down to its target.

Theory of operation. A plan is one step: what may be sent before the account is measured again. Everything
that is above its target is a shortfall, and the cuts of a step are those that close all of them at the least
cost (or as another strategy of the policy has it); no order takes more than `step_fraction` of a position.
Where that is too little, the step is the beginning of the cheapest way there.

A target that even a flat unit would miss (debt, collateral) is replaced by the end of the liquidation level:
that is worth reaching too. When not even that can be reached reducing cannot help, and no order is planned:
of a unit that owes it is then the debt that drives the risk.
What cannot be traded at the moment counts as if it could: the rest is cut as far as it goes.

The two sides of a hedge are one thing: its net quantity never grows, and the lighter side is cut only
together with the heavier.

An isolated position is closed whole: a part of it would take its share of the margin along.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from brokers.models import AccountSnapshot, Measure, Symbol, UnitKind
from brokers.numbers import ONE
from brokers.order_book import NO_BOOKS, OrderBook
from daemon.risk.assessment import Assessment
from daemon.risk.candidate import PAIR, Candidate, candidates, hedges, is_orderable, worth
from daemon.risk.closing import close_unit
from daemon.risk.cutting import cut
from daemon.risk.debt import debts_of, owing
from daemon.risk.desk import Desk
from daemon.risk.figures import percent
from daemon.risk.picture import PositionKey, ValuedPosition, picture, value
from daemon.risk.plan import Infeasible, PlannedOrder, ReductionPlan
from daemon.risk.policy import Action, MarginPolicy
from daemon.risk.pricing import urgency
from daemon.risk.reason import Reason
from daemon.risk.shortfall import Shortfall, out_of_danger, shortfalls, when_flat

__all__ = ["Infeasible", "PlannedOrder", "PositionKey", "ReductionPlan", "plan_reduction"]


def plan_reduction(
    assessment: Assessment,
    snapshot: AccountSnapshot,
    unit: str,
    policy: MarginPolicy,
    *,
    step: int,
    action: Action = Action.REDUCE,
    excluded: Collection[PositionKey] = (),
    books: Mapping[Symbol, OrderBook] = NO_BOOKS,
) -> ReductionPlan | Infeasible:
    """Plan step number `step` (from 0) of an episode: cut `unit` towards its target, or flatten it.

    `excluded` are positions that cannot be traded now (halted, or dust by the venue's own answer); those that
    no order can only reduce are left out, too. `books` are fresh order books, of the symbols that were read.

    Raises:
        ValueError: `action` is neither REDUCE nor FLATTEN, or `unit` is not in `snapshot`.
    """
    found = next((seen for seen in picture(snapshot) if seen.unit.key == unit), None)
    if found is None or action not in {Action.REDUCE, Action.FLATTEN}:
        raise ValueError(f"cannot plan to {action} the unit {unit!r}")
    judged = assessment.unit(unit)
    urgent = judged is not None and judged.urgent
    desk = Desk(
        unit=found,
        snapshot=snapshot,
        policy=policy,
        step=step,
        market=urgent or policy.limits.is_market_step(step),
        books=books,
        urgency=urgency(judged, policy),
        excluded=frozenset(excluded).union(p.key for p in snapshot.positions if not p.reducible),
    )
    state = shortfalls(found, snapshot, policy)
    at_target = not any(shortfall.is_open for shortfall in state)
    isolated = found.unit.kind is UnitKind.ISOLATED_POSITION and not at_target
    if action is Action.FLATTEN or isolated:
        return close_unit(desk, action, state)
    return _reduce(desk, state)


def _reduce(desk: Desk, state: tuple[Shortfall, ...]) -> ReductionPlan | Infeasible:
    """Plan to cut towards the targets."""
    positions = _in_scope(desk, state)
    dust = desk.dust(positions)
    if not positions:
        return desk.unable(positions, dust)
    reachable = _reachable(state, positions, desk.policy)
    if not any(shortfall.is_open for shortfall in reachable):
        return _nothing_to_do(desk, state, dust)
    choices = candidates(positions, desk.snapshot, market=desk.market, excluded=desk.excluded)
    if not choices:
        return desk.unable(positions, dust)
    cuts = cut(desk, reachable, choices)
    orders, after = cuts.orders, cuts.after
    if not orders and not cuts.helpful and _are_too_dear(choices, reachable):
        orders, after = _close_all(desk, reachable, positions)
    if not orders:
        detail = "no position can be cut at a size that frees more margin than it costs"
        unit = desk.unit.unit.key
        return Infeasible(unit=unit, reason=Reason.NOTHING_ORDERABLE, detail=detail, dust=dust)
    plan = desk.plan(Action.REDUCE, orders, after, dust, cuts.alternatives)
    gave_up = len(reachable) < len(state)
    return replace(plan, reaches_target=plan.reaches_target and not gave_up)


def _in_scope(desk: Desk, state: Sequence[Shortfall]) -> tuple[ValuedPosition, ...]:
    """Return the positions that can help: the unit's own, and those under it when initial margin is short."""
    if not any(left.is_open and left.measure is Measure.UTILIZATION for left in state):
        return _by_key(desk.unit.positions)
    under = desk.snapshot.positions_under(desk.unit.unit.key)
    return _by_key(value(under, desk.unit.unit, desk.snapshot))


def _by_key(positions: Sequence[ValuedPosition]) -> tuple[ValuedPosition, ...]:
    """Return `positions` in an order of their own, so that the venue's makes no difference."""
    return tuple(sorted(positions, key=lambda valued: valued.position.key))


def _reachable(
    state: Sequence[Shortfall], positions: Sequence[ValuedPosition], policy: MarginPolicy
) -> tuple[Shortfall, ...]:
    """Return `state` with the targets that closing everything would reach; what nothing helps is left out.

    Whether all of it can be traded now is not asked: where only a part can, that part is cut. With a position
    of unknown worth nobody can say that closing would not help: the end of the danger is the target then.
    """
    reachable = []
    for shortfall in state:
        flat, danger_ends = when_flat(shortfall, positions, policy), out_of_danger(shortfall, policy)
        if not flat.exceeds(shortfall.target):
            reachable.append(shortfall)
        elif not flat.exceeds(danger_ends) or any(worth(valued) <= 0 for valued in positions):
            reachable.append(replace(shortfall, target=danger_ends))
    return tuple(reachable)


def _nothing_to_do(desk: Desk, state: Sequence[Shortfall], dust: tuple[PositionKey, ...]) -> Infeasible:
    """Say whether the unit is at target, or out of reach of it."""
    unit = desk.unit.unit.key
    missed = [left for left in state if left.is_open]
    if not missed:
        detail = "every measure is at or below its target"
        return Infeasible(unit=unit, reason=Reason.TARGET_REACHED, detail=detail, dust=dust)
    detail = ", ".join(
        f"{left.measure} {percent(left.usage.ratio)} would miss {percent(left.target)} even flat"
        for left in missed
    )
    debts = debts_of(desk.unit.unit, desk.snapshot)
    if not debts:
        return Infeasible(unit=unit, reason=Reason.REDUCING_CANNOT_HELP, detail=detail, dust=dust)
    detail = f"{detail}; {owing(debts)}"
    return Infeasible(unit=unit, reason=Reason.DEBT_DRIVES_RISK, detail=detail, dust=dust)


def _are_too_dear(choices: Sequence[Candidate], state: Sequence[Shortfall]) -> bool:
    """Whether all of `choices` free margin of every open shortfall: where none gains, they cost too much."""
    missed = [shortfall for shortfall in state if shortfall.is_open]
    return all(choice.relief(shortfall) > 0 for choice in choices for shortfall in missed)


def _close_all(
    desk: Desk, state: tuple[Shortfall, ...], positions: Sequence[ValuedPosition]
) -> tuple[tuple[PlannedOrder, ...], tuple[Shortfall, ...]]:
    """Close everything in one step where no partial cut pays and only being rid of the requirement helps.

    Nothing where that takes more than one step, or where what cannot be closed now is needed for it.
    """
    orders: list[PlannedOrder] = []
    after = state
    for hedge in hedges(positions):
        if len(hedge.legs) > PAIR or not all(_can_close(desk, leg) for leg in hedge.legs):
            continue
        group = len(orders) if len(hedge.legs) == PAIR else None
        for leg in hedge.legs:
            order, after = desk.order(leg, leg.position.quantity, after, group)
            orders.append(order)
    too_many = len(orders) > desk.limits.positions_per_step
    if too_many or any(shortfall.is_open for shortfall in after):
        return (), state
    return tuple(orders), after


def _can_close(desk: Desk, leg: ValuedPosition) -> bool:
    """Whether one order of known worth takes the whole position."""
    whole = leg.position.quantity
    lots = desk.lots(leg, whole)
    orderable = is_orderable(leg, desk.snapshot, desk.excluded)
    return orderable and lots is not None and lots.quantity(whole, ONE) == whole
