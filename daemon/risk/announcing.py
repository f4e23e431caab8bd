"""Announcing a level before it is reached: once, and taken back once when it is no longer near."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from daemon.risk.assessment import UnitAssessment
from daemon.risk.forecast import Outlooks
from daemon.risk.policy import Level, MarginPolicy
from daemon.risk.reason import Reason
from daemon.risk.standing import Transition, TransitionKind, UnitAlarm

RELEASE = 2
"""What was announced is taken back when it is so many lead times away."""


def announced(unit: UnitAlarm, seen: UnitAssessment, outlooks: Outlooks, policy: MarginPolicy) -> Level:
    """Return the worst level that counts as announced for `unit` after a sample; SAFE for none.

    CRITICAL and LIQUIDATION are announced within the lead time; what the unit has reached itself is not.
    A picture that cannot be acted upon, or a unit that was not followed for long enough, announces nothing
    and takes nothing back.
    """
    if policy.forecast_lead <= timedelta(0):
        return Level.SAFE
    before = unit.call_ahead if unit.call_ahead > unit.level else Level.SAFE
    if not seen.actionable or unit.key not in outlooks:
        return before
    near = [
        outlook.level
        for outlook in outlooks[unit.key]
        if outlook.level > max(unit.level, Level.WARNING)
        and outlook.early <= policy.forecast_lead * (RELEASE if outlook.level <= before else 1)
    ]
    return max(before, *near) if near else Level.SAFE


def announcements(
    before: UnitAlarm, after: UnitAlarm, outlooks: Outlooks, at: datetime
) -> Iterator[Transition]:
    """Yield what was announced or taken back between two standings of a unit."""
    if after.call_ahead > before.call_ahead:
        outlook = next(one for one in outlooks[after.key] if one.level is after.call_ahead)
        yield Transition(
            kind=TransitionKind.CALL_AHEAD,
            reason=Reason.CALL_AHEAD,
            at=at,
            unit=after.key,
            before=after.level,
            after=outlook.level,
            measure=outlook.measure,
            detail=outlook.when,
        )
    elif after.call_ahead < before.call_ahead and after.level < before.call_ahead:
        yield Transition(
            kind=TransitionKind.CALL_AVERTED,
            reason=Reason.CALL_AVERTED,
            at=at,
            unit=after.key,
            detail=f"{before.call_ahead.name} is no longer near",
        )
