"""A plan that an operator is asked for, held against what is seen since it was made.

Theory of operation. A plan names what it would do: which part of which positions it cuts, which orders it
cancels, how much it moves. While it waits, every picture that may be acted upon is compared with the one it
was made from; what makes it a plan for another account than this one ends it, and what is still due is
proposed anew. Once approved it is no order but a permission: what is done is planned from the picture of
then, within what was approved, and never more than that.

                                        while it waits      once approved
    it has waited, or was approved,     ends it             ends it
    too long ago
    the level fell, the target is       ends it             ends it
    reached
    positions came, went or turned      ends it             ends it if none that it cuts is left
    a position is smaller than its cut  ends it             less is cut
    a measure has risen by `worse_by`   ends it             what was approved is done, the rest proposed
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from brokers.models import AccountSnapshot, Measure
from brokers.numbers import ZERO
from daemon.risk.advice import Advice
from daemon.risk.answer import Act, Advise
from daemon.risk.assessment import Assessment, UnitAssessment
from daemon.risk.figures import percent
from daemon.risk.picture import PositionKey
from daemon.risk.plan import Infeasible, PlannedOrder, ReductionPlan
from daemon.risk.policy import DELEVERING, Action, MarginPolicy
from daemon.risk.reason import Reason
from daemon.risk.repayment import RepaymentPlan
from daemon.risk.standing import Alarm

CUTTING = frozenset({Action.REDUCE, Action.FLATTEN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a plan would do, and what it was made from; `bound` is the key of the load it keeps, as of `Act`.

    `since` is when it was proposed, or with `approved` when an operator approved it. `cuts` are the most of
    each position it would cut, in the venue's order unit; `held` the positions of its unit when it was made;
    `orders` the venue's ids of those it would cancel; `amount` what it would move in or give back, in
    `currency`; `ratios` the unit's measures then.
    """

    plan_id: str
    action: Action
    unit: str
    since: datetime
    bound: str | None = None
    approved: bool = False
    cuts: Mapping[PositionKey, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    held: frozenset[PositionKey] = frozenset()
    orders: frozenset[str] = frozenset()
    currency: str | None = None
    amount: Decimal | None = None
    ratios: Mapping[Measure, Decimal] = field(default_factory=lambda: MappingProxyType({}))

    def answers(self, decision: Act | Advise) -> bool:
        """Whether it is about the same action on the same unit, for the same bound."""
        return self.action is decision.action and self.scope == decision.scope

    @property
    def scope(self) -> str:
        """What it is about: the bound it keeps, else its unit."""
        return self.bound or self.unit

    def beyond(self, snapshot: AccountSnapshot) -> frozenset[PositionKey]:
        """Return the positions of `snapshot` of which it cuts nothing."""
        return frozenset(position.key for position in snapshot.positions) - self.cuts.keys()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """Why a proposal is over, and the figures for people."""

    reason: Reason
    detail: str


def lapse(proposal: Proposal, advice: Advice, now: datetime) -> Expiry | None:
    """Return why time has ended `proposal`; `None`: it has not. `now` is by the clock that dated it."""
    lasts = advice.approval_lasts if proposal.approved else advice.plan_lasts
    if now - proposal.since <= lasts:
        return None
    reason = Reason.APPROVAL_LAPSED if proposal.approved else Reason.PLAN_LAPSED
    what = "its approval" if proposal.approved else "the plan"
    return Expiry(reason=reason, detail=f"{what} is older than {lasts.total_seconds():.0f} s")


def expiry(
    proposal: Proposal,
    alarm: Alarm,
    assessment: Assessment,
    policy: MarginPolicy,
    *,
    flattening: frozenset[str] = frozenset(),
    limited: Collection[str] = (),
) -> Expiry | None:
    """Return why what is seen has ended `proposal`; `None`: it holds, or this picture cannot tell.

    `alarm` is the standing after `assessment`; `flattening` names the units whose flatten is latched,
    `limited` those for which a broken limit holds, whatever their level.
    """
    unit = assessment.unit(proposal.unit)
    if unit is None:
        gone = Expiry(reason=Reason.POSITIONS_CHANGED, detail=f"unit {proposal.unit} is gone")
        return gone if assessment.actionable else None
    if not unit.actionable:
        return None
    found = [
        None if unit.key in limited else _no_longer_due(proposal, alarm, unit, policy, flattening),
        _other_positions(proposal, assessment.snapshot),
    ]
    if not proposal.approved:
        found += [_smaller(proposal, assessment.snapshot), _worse(proposal, unit, policy.advice)]
    return next((one for one in found if one is not None), None)


def _no_longer_due(
    proposal: Proposal,
    alarm: Alarm,
    unit: UnitAssessment,
    policy: MarginPolicy,
    flattening: frozenset[str],
) -> Expiry | None:
    """Say that the unit is no longer at a level that asks for the action."""
    standing = alarm.unit(unit.key)
    if standing is not None and proposal.bound is not None:
        is_kept = standing.breach(proposal.bound) is None and proposal.action is not Action.FLATTEN
        detail = f"it is back within its bound: {proposal.bound}"
        return Expiry(reason=Reason.TARGET_REACHED, detail=detail) if is_kept else None
    if standing is None or (proposal.action is Action.FLATTEN and unit.key in flattening):
        return None
    if standing.in_episode and proposal.action in DELEVERING and not unit.above_target:
        return Expiry(reason=Reason.TARGET_REACHED, detail="every measure is at or below its target")
    if standing.in_episode or proposal.action in policy.actions_at(standing.level):
        return None
    detail = f"at {standing.level.label} nothing asks for {proposal.action.value}"
    return Expiry(reason=Reason.LEVEL_FELL, detail=detail)


def _other_positions(proposal: Proposal, snapshot: AccountSnapshot) -> Expiry | None:
    """Say that the positions are not those that the plan was made for."""
    if proposal.action not in CUTTING:
        return None
    now = frozenset(position.key for position in snapshot.positions_under(proposal.unit))
    is_left = bool(proposal.cuts.keys() & now) if proposal.approved else now == proposal.held
    if is_left:
        return None
    came, went = _names(now - proposal.held), _names(proposal.held - now)
    detail = "; ".join(part for part in (came and f"new: {came}", went and f"gone: {went}") if part)
    return Expiry(reason=Reason.POSITIONS_CHANGED, detail=detail or "none of the positions to cut is left")


def _smaller(proposal: Proposal, snapshot: AccountSnapshot) -> Expiry | None:
    """Say that a position is smaller than what would be cut of it."""
    held = {position.key: position.quantity for position in snapshot.positions}
    for key, cut in proposal.cuts.items():
        if held.get(key, ZERO) < cut:
            detail = f"{_names([key])} is {held.get(key, ZERO)}, the plan cuts {cut}"
            return Expiry(reason=Reason.POSITIONS_CHANGED, detail=detail)
    return None


def _worse(proposal: Proposal, unit: UnitAssessment, advice: Advice) -> Expiry | None:
    """Say that the unit is so much worse that the plan is too small."""
    if proposal.action not in DELEVERING:
        return None
    for reading in unit.readings:
        then = proposal.ratios.get(reading.measure)
        if then is not None and reading.ratio is not None and reading.ratio - then >= advice.worse_by:
            detail = f"{reading.measure} rose from {percent(then)} to {percent(reading.ratio)}"
            return Expiry(reason=Reason.PICTURE_WORSENED, detail=detail)
    return None


def _names(keys: frozenset[PositionKey] | list[PositionKey]) -> str:
    return ", ".join(sorted(f"{side} {symbol}" for symbol, side, _ in keys))


def within(plan: ReductionPlan, proposal: Proposal) -> ReductionPlan | Infeasible:
    """Return `plan` with every order cut down to what `proposal` allows of its position.

    Legs that were to be cut alike stay alike. What an order after a smaller one was expected to come to is
    no longer known.
    """
    orders = tuple(_within(plan.orders, proposal))
    if not orders:
        detail = "nothing of what was approved can be cut now"
        return Infeasible(unit=plan.unit, reason=Reason.NOTHING_ORDERABLE, detail=detail, dust=plan.dust)
    if orders == plan.orders:
        return plan
    told = tuple(replace(order, expected_utilization=None, expected_maintenance=None) for order in orders)
    cost = sum((order.cost for order in told), ZERO)
    return replace(plan, orders=told, cost=cost, reaches_target=False)


def _within(orders: tuple[PlannedOrder, ...], proposal: Proposal) -> Iterator[PlannedOrder]:
    for order in orders:
        legs = [order]
        if order.group is not None:
            legs = [leg for leg in orders if leg.group == order.group]
        most = [min(leg.quantity, proposal.cuts.get(leg.position.key, ZERO)) for leg in legs]
        if min(most) <= 0:
            continue
        alike = len({leg.quantity for leg in legs}) == 1
        quantity = min(most) if alike else most[legs.index(order)]
        yield replace(order, quantity=quantity, cost=order.cost * quantity / order.quantity)


def repaid_within(plan: RepaymentPlan, proposal: Proposal) -> RepaymentPlan:
    """Return `plan` cut down to the amount that `proposal` allows."""
    if proposal.amount is None or plan.amount <= proposal.amount:
        return plan
    return replace(plan, amount=proposal.amount, reaches_target=False)
