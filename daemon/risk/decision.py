"""What to do now: nothing, look again, propose, or climb one rung of the action ladder.

Theory of operation. The units that may need something are looked at worst first, in this order of cause: an
operator's command, a latched flatten, the episode, every unit confirmed at a level with actions, every unit
for which a broken limit holds, and last the bounds that are broken. The first that yields an action wins; if
none does, the most pressing answer of them all is given. Only then come the things that hold margind back: a
halt, an unsettled write, the mode, the budgets. So a hold always says what it held back.

No unit stands in the way of another: one whose rungs are all over, whose picture is bad, whose act a budget
holds back or waits for approval makes room for the next.

The target stops the climb, except for a flatten: that ends only when a good picture shows the unit flat.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from daemon.risk import keeping
from daemon.risk.alarm import REACHED, waiting_time
from daemon.risk.answer import (
    Act,
    Advise,
    BrokenLimit,
    Confirm,
    Context,
    Decision,
    Facts,
    Hold,
    Rung,
    RungState,
    sentence,
)
from daemon.risk.assessment import Assessment, UnitAssessment
from daemon.risk.policy import Action, Level, MarginPolicy, Mode
from daemon.risk.reason import Reason
from daemon.risk.rungs import climb, due, facts_of, on_good_picture, venue_is_near, why_nothing_due
from daemon.risk.standing import Alarm, Blind, Observation, UnitAlarm

__all__ = [
    "Act",
    "Advise",
    "Confirm",
    "Context",
    "Decision",
    "Facts",
    "Hold",
    "Rung",
    "RungState",
    "decide",
    "due_acts",
    "sentence",
]


def decide(
    alarm: Alarm, observation: Observation, policy: MarginPolicy, mode: Mode, context: Context
) -> Decision:
    """Return what one cycle does, given where the account stands and what was done already.

    `alarm` is the standing after `observation`.
    """
    if isinstance(observation, Blind):
        facts = Facts(level=alarm.seen_level, detail=observation.detail)
        return Hold(reason=observation.reason, facts=facts)
    fallback: Decision | None = None
    advised: Advise | None = None
    for wanted in _answers(alarm, observation, policy, context):
        answer = wanted
        if isinstance(wanted, Act):
            held = _restrain(wanted, mode, context)
            if isinstance(held, Advise):
                if advised is None or (context.waits(advised) and not context.waits(held)):
                    advised = held
                continue
            if held is not None:
                return held
            answer = _within_budgets(wanted, observation, policy, context)
            if isinstance(answer, Act):
                return answer
        if fallback is None or (isinstance(answer, Confirm) and isinstance(fallback, Hold)):
            fallback = answer
    return advised or fallback or _calm(alarm, observation, policy)


def due_acts(alarm: Alarm, assessment: Assessment, policy: MarginPolicy, context: Context) -> tuple[Act, ...]:
    """Return what every unit calls for now, the most pressing first, before anything holds margind back."""
    answers = _answers(alarm, assessment, policy, context)
    return tuple(answer for answer in answers if isinstance(answer, Act))


def _answers(
    alarm: Alarm, assessment: Assessment, policy: MarginPolicy, context: Context
) -> Iterator[Decision]:
    """Yield an answer for every unit that may need something, the most pressing first."""
    if context.ordered is not None:
        for unit in assessment.units:
            if context.ordered_unit in {None, unit.key}:
                yield _obey(context.ordered, unit, policy, context)
        return
    for unit in assessment.units:
        if unit.key in context.flattening and (unit.has_positions or not unit.actionable):
            yield _go_on_flattening(unit, alarm.unit(unit.key), assessment, policy, context)
    known = [(unit, standing) for unit in assessment.units if (standing := alarm.unit(unit.key)) is not None]
    for unit, standing in known:
        if standing.in_episode:
            yield _delever(unit, standing, assessment, policy, context)
    for unit, standing in known:
        answer = None if standing.in_episode else _at_level(unit, standing, assessment, policy, context)
        if answer is not None:
            yield answer
    yield from _hold_to_limits(assessment, policy, context)
    yield from keeping.answers(alarm, assessment, policy, context)


def _hold_to_limits(assessment: Assessment, policy: MarginPolicy, context: Context) -> Iterator[Decision]:
    """Yield an answer for every unit for which a broken limit holds."""
    for unit in assessment.units:
        if unit.key in context.broken:
            yield _hold_to_limit(unit, context.broken[unit.key], policy, context)


def _hold_to_limit(
    unit: UnitAssessment, limit: BrokenLimit, policy: MarginPolicy, context: Context
) -> Decision:
    """Keep a unit from growing, or close it, as long as a broken limit holds."""
    facts = replace(facts_of(unit, policy), detail=limit.detail)
    blocked = on_good_picture(unit, policy)
    if blocked is not None:
        return blocked
    resting = context.over(unit.key, Action.CANCEL_ORDERS)
    may_cancel = resting is None or resting.reason is Reason.ORDERS_COME_BACK
    may_close = context.allows(Action.FLATTEN, unit.key)
    if may_cancel and context.cancellable_orders != 0 and not may_close:
        return Act(action=Action.CANCEL_ORDERS, reason=limit.reason, facts=facts)
    closing = context.over(unit.key, Action.FLATTEN)
    if limit.flatten and unit.has_positions and closing is None:
        return Act(action=Action.FLATTEN, reason=limit.reason, facts=facts)
    return Hold(reason=limit.reason if closing is None else closing.reason, facts=facts)


def _go_on_flattening(
    unit: UnitAssessment,
    standing: UnitAlarm | None,
    assessment: Assessment,
    policy: MarginPolicy,
    context: Context,
) -> Decision:
    """Close what is left of a unit whose flatten is latched; where nothing can be, others get their turn."""
    facts = facts_of(unit, policy)
    blocked = on_good_picture(unit, policy) or _after_gap(unit, standing, assessment, policy)
    if blocked is not None:
        return blocked
    rung = context.over(unit.key, Action.FLATTEN)
    if rung is not None:
        return Hold(reason=rung.reason, facts=facts, instead_of=Action.FLATTEN)
    return Act(action=Action.FLATTEN, reason=Reason.FLATTEN_LATCHED, facts=facts)


def _obey(action: Action, unit: UnitAssessment, policy: MarginPolicy, context: Context) -> Decision:
    """Carry out an operator's command on one unit."""
    facts = facts_of(unit, policy, target=True)
    blocked = on_good_picture(unit, policy)
    if blocked is not None:
        return blocked
    if action is Action.REDUCE and not unit.above_target:
        return Hold(reason=Reason.TARGET_REACHED, facts=facts)
    rung = context.over(unit.key, action)
    if rung is not None:
        return Hold(reason=rung.reason, facts=facts)
    act = due(action, (action,), unit, policy, context)
    if act is None:
        return Hold(reason=why_nothing_due((action,), unit, policy, context), facts=facts)
    return replace(act, reason=Reason.OPERATOR_ORDER)


def _delever(
    unit: UnitAssessment,
    standing: UnitAlarm,
    assessment: Assessment,
    policy: MarginPolicy,
    context: Context,
) -> Decision:
    """Bring a unit of the episode down to its target."""
    blocked = on_good_picture(unit, policy) or _after_gap(unit, standing, assessment, policy)
    if blocked is not None:
        return blocked
    if not unit.above_target:
        return Hold(reason=Reason.TARGET_REACHED, facts=facts_of(unit, policy, target=True))
    begins_at = policy.delevering_level or Level.LIQUIDATION
    actions = policy.actions_at(max(standing.confirmed, begins_at))
    reason = REACHED[standing.level] if standing.level >= begins_at else Reason.ABOVE_TARGET
    return climb(actions, unit, policy, context, reason)


def _at_level(
    unit: UnitAssessment,
    standing: UnitAlarm,
    assessment: Assessment,
    policy: MarginPolicy,
    context: Context,
) -> Decision | None:
    """Answer for a unit outside the episode; `None`: its level asks for nothing."""
    if standing.level is Level.SAFE:
        return None
    reached = standing.level is unit.level and policy.actions_at(unit.level)
    if reached and standing.confirmed < unit.level:
        if unit.faulty:
            return on_good_picture(unit, policy)
        wait = waiting_time(unit.level, unit, policy)
        since = standing.run_since(unit.level) or assessment.fetched_at
        left = max(wait - (assessment.fetched_at - since), timedelta(0))
        return Confirm(reason=Reason.CONFIRMATION_PENDING, facts=facts_of(unit, policy), after=left)
    actions = policy.actions_at(standing.confirmed)
    if not actions:
        return None
    reason = REACHED[standing.confirmed]
    return on_good_picture(unit, policy) or climb(actions, unit, policy, context, reason)


def _after_gap(
    unit: UnitAssessment, standing: UnitAlarm | None, assessment: Assessment, policy: MarginPolicy
) -> Confirm | None:
    """Ask for a second read of a unit that was not seen for a while; `None`: it needs none."""
    if standing is None or standing.resumed_at is None:
        return None
    wait = waiting_time(Level.LIQUIDATION, unit, policy)
    left = max(wait - (assessment.fetched_at - standing.resumed_at), timedelta(0))
    return Confirm(reason=Reason.CONFIRMATION_PENDING, facts=facts_of(unit, policy), after=left)


def _restrain(act: Act, mode: Mode, context: Context) -> Hold | Advise | None:
    """Hold an act back where a halt, an open write or the mode says so: these hold for every unit."""
    by_operator = act.reason is Reason.OPERATOR_ORDER
    if context.halted:
        return Hold(reason=Reason.HALTED, facts=act.facts, instead_of=act.action)
    if context.twin:
        facts = replace(act.facts, detail=context.twin)
        return Hold(reason=Reason.UNKNOWN_OWN_ORDER, facts=facts, instead_of=act.action)
    if context.unsettled:
        return Hold(reason=Reason.SETTLING, facts=act.facts, instead_of=act.action)
    if mode is Mode.OBSERVE and not by_operator:
        return Hold(reason=Reason.OBSERVE_MODE, facts=act.facts, instead_of=act.action)
    if mode is Mode.ADVISE and not by_operator and not context.allows(act.action, act.scope):
        return Advise(
            action=act.action, reason=act.reason, facts=act.facts, amount=act.amount, bound=act.bound
        )
    return None


def _within_budgets(act: Act, assessment: Assessment, policy: MarginPolicy, context: Context) -> Act | Hold:
    """Return what budgets and breakers leave of an ordering act.

    Too many episodes an hour mean that something fights us, or that a figure flaps: then only a unit that the
    venue itself is about to liquidate is still acted upon. What breakers stop below LIQUIDATION goes on
    there, slowly where they say so.
    """
    if act.action not in {Action.REDUCE, Action.FLATTEN}:
        return act
    if act.bound is not None:
        spent = keeping.spent_budget(act, context, policy)
        return act if spent is None else Hold(reason=spent, facts=act.facts, instead_of=act.action)
    unit = assessment.unit(act.facts.unit) if act.facts.unit is not None else None
    near = unit is not None and venue_is_near(unit)
    latched = act.reason in {Reason.OPERATOR_ORDER, Reason.FLATTEN_LATCHED, Reason.DAILY_LOSS}
    if context.episodes_last_hour > policy.limits.episodes_per_hour and not near and not latched:
        return Hold(reason=Reason.EPISODE_BUDGET, facts=act.facts, instead_of=act.action)
    if not context.trips:
        return act
    slowing = next((trip for trip in context.trips if trip.slows), None)
    trip = slowing or context.trips[0]
    goes_on = latched or (unit is not None and unit.level is Level.LIQUIDATION)
    if goes_on and (slowing is None or context.may_step):
        return replace(act, despite=trip.reason, single=slowing is not None)
    facts = replace(act.facts, detail=trip.detail)
    return Hold(reason=trip.reason, facts=facts, instead_of=act.action)


def _calm(alarm: Alarm, assessment: Assessment, policy: MarginPolicy) -> Hold:
    """Say that nothing asks for an action, with the figures of the worst unit."""
    worst = assessment.worst
    facts = facts_of(worst, policy) if worst is not None else Facts()
    return Hold(reason=Reason.CALM, facts=replace(facts, level=alarm.level))
