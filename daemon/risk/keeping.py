"""What is done about a unit's broken bounds, once every danger to its margin has had its turn.

A trim is no episode: an episode is an excursion to the venue's own liquidation, and what it may spend is kept
for that. A trim has a budget of its own, as many orders an hour as an episode has steps, and leaves half of
the orders of a minute to episodes. It lasts from the breach's confirmation to its release, and every step is
sized from a new picture.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from daemon.risk.answer import Act, Confirm, Context, Decision, Facts, Hold
from daemon.risk.assessment import Assessment, UnitAssessment
from daemon.risk.breach import Breach
from daemon.risk.exposure import OVER_BOUND, Remedy
from daemon.risk.leverage import Load
from daemon.risk.policy import Action, MarginPolicy
from daemon.risk.reason import Reason
from daemon.risk.rungs import facts_of, on_good_picture
from daemon.risk.standing import Alarm

LADDERS: dict[Remedy, tuple[Action, ...]] = {
    Remedy.ALARM: (),
    Remedy.TRIM: (Action.REDUCE,),
}
"""What each remedy does, mildest first."""


def answers(
    alarm: Alarm, assessment: Assessment, policy: MarginPolicy, context: Context
) -> Iterator[Decision]:
    """Yield an answer for every broken bound that asks for more than an alarm."""
    for unit in assessment.units:
        for load, breach in _broken(alarm, unit):
            facts = facts_about(load, unit, policy)
            pending = _pending(breach, facts, assessment, policy)
            yield on_good_picture(unit, policy) or pending or _answer(load, facts, context)


def _broken(alarm: Alarm, unit: UnitAssessment) -> Iterator[tuple[Load, Breach]]:
    """Yield what of a unit is to be brought back within its bound, confirmed or not."""
    standing = alarm.unit(unit.key)
    for load in unit.exposure.loads if standing is not None else ():
        breach = standing.breach(load.key) if standing is not None else None
        if breach is not None and LADDERS[load.remedy]:
            yield load, breach


def _pending(breach: Breach, facts: Facts, assessment: Assessment, policy: MarginPolicy) -> Confirm | None:
    """Ask for the second read that confirms a breach; `None`: it is confirmed."""
    if breach.confirmed:
        return None
    passed = assessment.fetched_at - (breach.run_since or assessment.fetched_at)
    left = max(policy.confirmation.liquidation_after - passed, timedelta(0))
    return Confirm(reason=Reason.CONFIRMATION_PENDING, facts=facts, after=left)


def _answer(load: Load, facts: Facts, context: Context) -> Act | Hold:
    """Return the first rung of the remedy that is due."""
    over = None
    for action in LADDERS[load.remedy]:
        over = context.over(load.key, action)
        if over is None:
            return Act(action=action, reason=OVER_BOUND[load.bound], facts=facts, bound=load.key)
    return Hold(reason=over.reason if over is not None else Reason.NO_ACTION_CONFIGURED, facts=facts)


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


def is_keeping(alarm: Alarm, assessment: Assessment | None) -> bool:
    """Whether a confirmed breach asks for more than an alarm."""
    units = assessment.units if assessment is not None else ()
    return any(breach.confirmed for unit in units for _, breach in _broken(alarm, unit))


def spent_budget(context: Context, policy: MarginPolicy) -> Reason | None:
    """Return the budget that another trimming step would break."""
    limits = policy.limits
    share = max(limits.orders_per_minute // 2, limits.positions_per_step)
    if context.orders_last_minute + limits.positions_per_step > share:
        return Reason.ORDER_BUDGET
    return Reason.TRIM_BUDGET if context.trims_last_hour >= limits.steps_per_episode else None
