"""What is done about a unit's broken bounds, once every danger to its margin has had its turn.

A trim is no episode: an episode is an excursion to the venue's own liquidation, and what it may spend is kept
for that. A trim has a budget of its own, as many orders an hour as an episode has steps, and leaves half of
the orders of a minute to episodes; a breaker that is tripped stops it. It lasts from the breach's
confirmation to its release, and every step is sized from a new picture.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from brokers.models import AccountSnapshot
from daemon.risk.adding import increasing
from daemon.risk.answer import Act, Confirm, Context, Decision, Facts, Hold
from daemon.risk.assessment import Assessment, UnitAssessment
from daemon.risk.breach import Breach
from daemon.risk.exposure import OVER_BOUND, Bound
from daemon.risk.leverage import Load, positions_bounded, unit_of
from daemon.risk.policy import Action, MarginPolicy
from daemon.risk.reason import Reason
from daemon.risk.rungs import facts_of, on_good_picture
from daemon.risk.standing import Alarm


def answers(
    alarm: Alarm, assessment: Assessment, policy: MarginPolicy, context: Context
) -> Iterator[Decision]:
    """Yield an answer for what is being closed, then for every bound whose remedy is more than an alarm."""
    yield from _closings(assessment, policy, context)
    for unit in assessment.units:
        for load, breach in _broken(alarm, unit):
            if load.key not in context.closing:
                facts = facts_about(load, unit, policy)
                pending = _pending(breach, facts, assessment, policy)
                blocked = on_good_picture(unit, policy) or pending
                yield blocked or _answer(load, facts, assessment.snapshot, context)


def _broken(alarm: Alarm, unit: UnitAssessment) -> Iterator[tuple[Load, Breach]]:
    """Yield what of a unit is to be brought back within its bound, confirmed or not."""
    standing = alarm.unit(unit.key)
    for load in unit.exposure.loads if standing is not None else ():
        breach = standing.breach(load.key) if standing is not None else None
        if breach is not None and load.actions:
            yield load, breach


def _closings(assessment: Assessment, policy: MarginPolicy, context: Context) -> Iterator[Decision]:
    """Yield an answer for every bound whose positions are latched to be closed and are still there."""
    for key in sorted(context.closing):
        unit = assessment.unit(unit_of(key))
        if unit is None or not positions_bounded(key, assessment.snapshot):
            continue
        facts = replace(facts_of(unit, policy), detail=f"what was over its limit is closed: {key}")
        over = context.over(key, Action.FLATTEN)
        held = None
        if over is not None:
            held = Hold(reason=over.reason, facts=facts, instead_of=Action.FLATTEN)
        act = Act(action=Action.FLATTEN, reason=Reason.FLATTEN_LATCHED, facts=facts, bound=key)
        yield on_good_picture(unit, policy) or held or act


def _pending(breach: Breach, facts: Facts, assessment: Assessment, policy: MarginPolicy) -> Confirm | None:
    """Ask for the second read that confirms a breach; `None`: it is confirmed."""
    if breach.confirmed:
        return None
    passed = assessment.fetched_at - (breach.run_since or assessment.fetched_at)
    left = max(policy.confirmation.liquidation_after - passed, timedelta(0))
    return Confirm(reason=Reason.CONFIRMATION_PENDING, facts=facts, after=left)


def _answer(load: Load, facts: Facts, snapshot: AccountSnapshot, context: Context) -> Act | Hold:
    """Return the first rung of the remedy that is due."""
    reason = Reason.NO_ACTION_CONFIGURED
    for action in load.actions:
        whole = action is Action.FLATTEN and load.bound is Bound.POSITIONS  # the unit, by its own latch
        over = context.over(load.unit if whole else load.key, action)
        if over is not None:
            reason = over.reason
        elif action is Action.CANCEL_ORDERS and _has_cancelled(load, snapshot, context):
            reason = Reason.NO_ORDERS
        else:
            why, bound = OVER_BOUND[load.bound], None if whole else load.key
            return Act(action=action, reason=why, facts=facts, bound=bound)
    return Hold(reason=reason, facts=facts, instead_of=load.actions[-1])


def _has_cancelled(load: Load, snapshot: AccountSnapshot, context: Context) -> bool:
    """Whether somebody has looked, and nothing rests that would add to `load`."""
    return context.orders is not None and not increasing(context.orders, load, snapshot)


def facts_about(load: Load, unit: UnitAssessment, policy: MarginPolicy) -> Facts:
    """Return the figures behind what is done about `load`."""
    return replace(facts_of(unit, policy), detail=str(load))


def load_of(assessment: Assessment, unit: str, key: str) -> Load:
    """Return the load named `key`.

    Raises:
        ValueError: it is not in the picture any more.
    """
    seen = assessment.unit(unit)
    for load in seen.exposure.loads if seen is not None else ():
        if load.key == key:
            return load
    raise ValueError(f"nothing named {key!r} in the picture of {unit!r}")


def is_keeping(alarm: Alarm, assessment: Assessment | None, action: Action | None = None) -> bool:
    """Whether a confirmed breach asks for more than an alarm, or for `action` in particular."""
    units = assessment.units if assessment is not None else ()
    return any(
        breach.confirmed and (action is None or action in load.actions)
        for unit in units
        for load, breach in _broken(alarm, unit)
    )


def unit_to_cut(alarm: Alarm, assessment: Assessment | None) -> str | None:
    """Return the unit of the first confirmed breach that positions may be cut for; `None`: there is none."""
    for unit in assessment.units if assessment is not None else ():
        for load, breach in _broken(alarm, unit):
            if breach.confirmed and {Action.REDUCE, Action.FLATTEN}.intersection(load.actions):
                return unit.key
    return None


def spent_budget(act: Act, context: Context, policy: MarginPolicy) -> Reason | None:
    """Return the budget that another step for a bound would break; what is latched has no hourly one."""
    if context.trips:
        return context.trips[0].reason
    limits = policy.limits
    share = max(limits.orders_per_minute // 2, limits.positions_per_step)
    if context.orders_last_minute + limits.positions_per_step > share:
        return Reason.ORDER_BUDGET
    latched = act.reason is Reason.FLATTEN_LATCHED
    return Reason.TRIM_BUDGET if not latched and context.trims_last_hour >= limits.steps_per_episode else None
