"""How an account's standing changes: levels with hysteresis, confirmations, protection, the episode.

Theory of operation. `advance` takes the standing and what one cycle saw and returns the new standing; nothing
else may change it. Every unit climbs and descends by itself, and the account is as bad as its worst unit.

    level       event in a sample of the unit                      becomes
    any         a higher threshold is reached, believed or not     that level at once, however far up
    any         below threshold - hysteresis, and actionable       the highest level still held
    any         below it and not actionable, or no picture         unchanged: only good news must be proven

    confirmed   by two good samples at or above the level, at least its waiting time apart, the later one
                actionable; a good sample below threshold - hysteresis between them voids the first, and so
                does `alarm_max_age` without good samples or within the hysteresis. A unit beyond its urgent
                ratio waits no time. It lasts as long as the level. Only what is confirmed is acted upon.

    episode     begins  when a unit is confirmed at a level that has de-levering actions
                joins   any further unit that is confirmed so while it lasts
                ends    when two samples in a row show every unit of it actionable and at or below all its
                        targets; a unit that is gone is at target. One whose flatten is latched stays in it,
                        and with it the episode, while the others leave

    a gap       of more than `alarm_max_age` without a good sample voids what was confirmed. A unit of the
                episode is acted upon again once it is confirmed anew; at the first actionable sample that
                shows it below the level that de-levers it leaves the episode, which ends with its last unit

    breach      a bound that is broken lives by the same rules; see `breach.py`

    announced   a level at CRITICAL or above that a unit may reach within the lead time; see `announcing.py`

    protection  lost      after two poll periods or `alarm_max_age` without a good picture, or at once with an
                          implausible one while the level is CRITICAL or worse
                regained  with the first good picture

Invariants: confirmed <= level, and a unit is in an episode only while there is one. On a picture that
cannot be acted upon no level falls, nothing is confirmed, no episode ends. The same sample again changes
nothing: its `fetched_at` is what tells samples apart.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from daemon.risk.announcing import announced, announcements
from daemon.risk.assessment import Assessment, Protection, Reading, UnitAssessment
from daemon.risk.breaching import breach_changes, breaches_after
from daemon.risk.episode import advance_episode, delevers
from daemon.risk.forecast import NO_OUTLOOKS, Outlooks
from daemon.risk.gate import Gate, Weight
from daemon.risk.policy import Level, MarginPolicy
from daemon.risk.reason import Reason
from daemon.risk.standing import (
    REACHED,
    Alarm,
    Blind,
    Episode,
    Observation,
    Transition,
    TransitionKind,
    UnitAlarm,
)

__all__ = [
    "REACHED",
    "Alarm",
    "Blind",
    "Episode",
    "Observation",
    "Transition",
    "TransitionKind",
    "UnitAlarm",
    "advance",
]

JITTER = 8
"""One part in so many of two poll periods by which the second failed poll may come early and still count."""


def advance(
    alarm: Alarm,
    observation: Observation,
    policy: MarginPolicy,
    now: datetime,
    *,
    flattening: frozenset[str] = frozenset(),
    outlooks: Outlooks = NO_OUTLOOKS,
) -> tuple[Alarm, tuple[Transition, ...]]:
    """Return the standing after `observation`, and what changed; `now` is by the venue's clock.

    `flattening` names the units whose flatten is latched: their part of an episode does not end before the
    latch is gone. `outlooks` say when its units may reach which level. Idempotent: the same assessment again
    changes nothing and yields nothing.
    """
    if isinstance(observation, Blind):
        return _advance_protection(alarm, observation, policy, now)
    if observation.fetched_at == alarm.seen_at:
        return alarm, ()
    units = _advance_units(alarm, observation, policy, flattening)
    units = tuple(_announce(unit, observation, policy, outlooks) for unit in units)
    changes = list(_unit_changes(alarm, units, observation, outlooks))
    alarm = replace(alarm, units=units, seen_at=observation.fetched_at)
    alarm, episode_changes = advance_episode(alarm, observation, policy, flattening)
    alarm, protection_changes = _advance_protection(alarm, observation, policy, now)
    return alarm, (*changes, *episode_changes, *protection_changes)


def _advance_units(
    alarm: Alarm, assessment: Assessment, policy: MarginPolicy, flattening: Collection[str]
) -> tuple[UnitAlarm, ...]:
    """Return every unit's new standing; one that is missing stays until its absence is believed."""
    units = []
    for seen in assessment.units:
        latched = seen.key in flattening
        after = _advance_unit(alarm.unit(seen.key), seen, assessment, policy, latched=latched)
        units.append(_proven(after, seen, assessment, policy, latched=latched))
    for unit in alarm.units:
        blocked = any(gate.blocks and gate.concerns(unit.key) for gate in assessment.gates)
        if assessment.unit(unit.key) is None and blocked:
            units.append(unit)
    return tuple(units)


def _advance_unit(
    known: UnitAlarm | None,
    unit: UnitAssessment,
    assessment: Assessment,
    policy: MarginPolicy,
    *,
    latched: bool,
) -> UnitAlarm:
    """Return the standing of one unit after one sample."""
    seen_at = assessment.fetched_at
    before = known or UnitAlarm(key=unit.key, level=Level.SAFE, since=seen_at)
    if before.good_at is not None and _has_lapsed(before, seen_at, policy) and not unit.faulty:
        resumed_at = seen_at if before.in_episode or latched else None
        before = replace(before, confirmed=Level.SAFE, resumed_at=resumed_at)
    if unit.actionable:
        level = max(unit.level, min(before.level, unit.held))
    else:
        level = max(unit.level, before.level)
    after = replace(
        _count_sample(before, unit, seen_at, policy),
        level=level,
        since=before.since if level is before.level else seen_at,
        breaches=breaches_after(before.breaches, unit, seen_at, policy),
        debt_driven=level > Level.SAFE and (before.debt_driven or unit.debt_drives is not None),
    )
    shown = _shown_twice(after, unit, seen_at, policy) if unit.actionable else Level.SAFE
    return replace(after, confirmed=min(level, max(before.confirmed, shown)))


def _announce(unit: UnitAlarm, assessment: Assessment, policy: MarginPolicy, outlooks: Outlooks) -> UnitAlarm:
    seen = assessment.unit(unit.key)
    if seen is None:
        return unit
    return replace(unit, call_ahead=announced(unit, seen, outlooks, policy))


def _has_lapsed(unit: UnitAlarm, seen_at: datetime, policy: MarginPolicy) -> bool:
    """Whether there is no good sample young enough for what it showed to be gone on with."""
    return unit.good_at is None or seen_at - unit.good_at > policy.alarm_max_age


def _proven(
    unit: UnitAlarm, seen: UnitAssessment, assessment: Assessment, policy: MarginPolicy, *, latched: bool
) -> UnitAlarm:
    """Return `unit` free to be acted upon again once what it was in the middle of is confirmed anew.

    A latched flatten does not depend on the level: there the second good sample is enough.
    """
    if unit.resumed_at is None:
        return unit
    shown = delevers(unit.confirmed, policy)
    apart = assessment.fetched_at - unit.resumed_at
    again = apart > timedelta(0) and apart >= waiting_time(Level.LIQUIDATION, seen, policy)
    if shown or (latched and seen.actionable and again):
        return replace(unit, resumed_at=None)
    return unit


def _count_sample(
    before: UnitAlarm, unit: UnitAssessment, seen_at: datetime, policy: MarginPolicy
) -> UnitAlarm:
    """Return `before` with its runs continued, begun or broken by one sample; a faulty one does not count."""
    if unit.faulty:
        return before
    lapsed = _has_lapsed(before, seen_at, policy)

    def run(level: Level) -> datetime | None:
        since = None if lapsed else before.run_since(level)
        if unit.level >= level:
            return since or seen_at
        recent = since is not None and seen_at - since <= policy.alarm_max_age
        return since if recent and unit.held >= level else None

    return replace(
        before,
        warning_since=run(Level.WARNING),
        critical_since=run(Level.CRITICAL),
        liquidation_since=run(Level.LIQUIDATION),
        good_at=seen_at,
    )


def _shown_twice(unit: UnitAlarm, seen: UnitAssessment, seen_at: datetime, policy: MarginPolicy) -> Level:
    """Return the highest level whose run is long enough to be acted upon."""
    for level in (Level.LIQUIDATION, Level.CRITICAL, Level.WARNING):
        since = unit.run_since(level)
        if since is None or since >= seen_at or seen.level < level:
            continue
        if seen_at - since >= waiting_time(level, seen, policy):
            return level
    return Level.SAFE


def waiting_time(level: Level, unit: UnitAssessment, policy: MarginPolicy) -> timedelta:
    """Return how far apart two samples of `unit` at `level` must lie."""
    if level is not Level.LIQUIDATION:
        return policy.confirmation.critical_after
    return timedelta(0) if unit.urgent else policy.confirmation.liquidation_after


def leading_reading(unit: UnitAssessment) -> Reading | None:
    """Return the measure that makes `unit` as bad as it is; `None` when it has none."""
    return max(unit.readings, key=lambda reading: (reading.level, reading.ratio or 0), default=None)


def _unit_changes(
    alarm: Alarm, units: tuple[UnitAlarm, ...], assessment: Assessment, outlooks: Outlooks
) -> Iterator[Transition]:
    """Yield what changed for each unit, those that are gone included."""
    at = assessment.fetched_at
    for after in units:
        before = alarm.unit(after.key) or UnitAlarm(key=after.key, level=Level.SAFE, since=at)
        seen = assessment.unit(after.key)
        reading = leading_reading(seen) if seen else None
        measure, ratio = (reading.measure, reading.ratio) if reading else (None, None)
        template = Transition(
            kind=TransitionKind.LEVEL_ROSE,
            reason=REACHED.get(after.level, Reason.LEVEL_FELL),
            at=at,
            unit=after.key,
            before=before.level,
            after=after.level,
            measure=measure,
            ratio=ratio,
        )
        if after.level > before.level:
            yield template
        elif after.level < before.level:
            yield replace(template, kind=TransitionKind.LEVEL_FELL, reason=Reason.LEVEL_FELL)
        if after.confirmed > before.confirmed:
            reason = REACHED[after.confirmed]
            yield replace(template, kind=TransitionKind.CONFIRMED, reason=reason, after=after.confirmed)
        yield from breach_changes(before, after, seen, at)
        if after.debt_driven and not before.debt_driven:
            yield replace(
                template,
                kind=TransitionKind.DEBT_DRIVES_RISK,
                reason=Reason.DEBT_DRIVES_RISK,
                detail=(seen.debt_drives or "") if seen else "",
            )
        yield from announcements(before, after, outlooks, at)
    kept = {unit.key for unit in units}
    for gone in alarm.units:
        if gone.key in kept:
            continue
        yield from breach_changes(gone, replace(gone, breaches=()), None, at)
        if gone.level > Level.SAFE:
            yield Transition(
                kind=TransitionKind.LEVEL_FELL,
                reason=Reason.LEVEL_FELL,
                at=at,
                unit=gone.key,
                before=gone.level,
                after=Level.SAFE,
                detail="the unit is gone",
            )


def _advance_protection(
    alarm: Alarm, observation: Observation, policy: MarginPolicy, now: datetime
) -> tuple[Alarm, tuple[Transition, ...]]:
    """Lose or regain protection."""
    if isinstance(observation, Assessment) and observation.protection is Protection.PROTECTED:
        regained = replace(
            alarm,
            good_at=observation.fetched_at,
            protection=Protection.PROTECTED,
            protection_reason=None,
        )
        if alarm.protection is Protection.PROTECTED:
            return regained, ()
        change = Transition(
            kind=TransitionKind.PROTECTION_REGAINED,
            reason=alarm.protection_reason or Reason.NO_DATA,
            at=now,
            detail="the picture is good again",
        )
        return regained, (change,)
    reason, detail = _why_unprotected(observation)
    unseen_for = now - (alarm.good_at or alarm.began_at)
    patience = min(2 * policy.poll_interval * (JITTER - 1) / JITTER, policy.alarm_max_age)
    implausible = isinstance(observation, Assessment) and any(
        gate.weight is Weight.FAULT for gate in observation.gates
    )
    too_old = isinstance(observation, Assessment) and observation.age > policy.alarm_max_age
    lost = unseen_for >= patience or too_old or (implausible and alarm.level >= Level.CRITICAL)
    if alarm.protection is Protection.UNPROTECTED:
        return replace(alarm, protection_reason=reason), ()
    if not lost:
        return alarm, ()
    change = Transition(kind=TransitionKind.PROTECTION_LOST, reason=reason, at=now, detail=detail)
    return replace(alarm, protection=Protection.UNPROTECTED, protection_reason=reason), (change,)


def _why_unprotected(observation: Observation) -> tuple[Reason, str]:
    """Return the weightiest thing that takes protection away, in words too."""
    if isinstance(observation, Blind):
        return observation.reason, observation.detail
    weightiest: list[Gate] = sorted(
        (gate for gate in observation.gates if gate.weight in {Weight.FAULT, Weight.POSITION}),
        key=lambda gate: gate.weight is not Weight.FAULT,
    )
    return weightiest[0].reason, weightiest[0].detail
