"""How an episode begins, widens and ends; `alarm.py` has the table."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from daemon.risk.assessment import Assessment
from daemon.risk.policy import Level, MarginPolicy
from daemon.risk.reason import Reason
from daemon.risk.standing import REACHED, Alarm, Episode, Transition, TransitionKind


def advance_episode(
    alarm: Alarm, assessment: Assessment, policy: MarginPolicy, flattening: Collection[str]
) -> tuple[Alarm, tuple[Transition, ...]]:
    """Begin, widen or end the episode."""
    alarm, left = _leave_episode(alarm, assessment, policy, flattening)
    at = assessment.fetched_at
    actionable = [unit.key for unit in assessment.units if unit.actionable]
    joining = {
        unit.key
        for unit in alarm.units
        if delevers(unit.confirmed, policy) and not unit.in_episode and unit.key in actionable
    }
    if joining:
        units = tuple(
            replace(unit, in_episode=unit.in_episode or unit.key in joining) for unit in alarm.units
        )
        if alarm.episode is not None:
            return replace(alarm, units=units, episode=replace(alarm.episode, calm_since=None)), left
        number = alarm.last_episode + 1
        episode = Episode(number=number, began_at=at)
        began = Transition(
            kind=TransitionKind.EPISODE_BEGAN,
            reason=REACHED[max(unit.confirmed for unit in units)],
            at=at,
            unit=next(key for key in actionable if key in joining),
            episode=number,
        )
        return replace(alarm, units=units, episode=episode, last_episode=number), (*left, began)
    if alarm.episode is None:
        return alarm, left
    if not _is_calm(alarm, assessment, flattening):
        return replace(alarm, episode=replace(alarm.episode, calm_since=None)), left
    since = alarm.episode.calm_since
    if since is None or at - since < policy.confirmation.liquidation_after:
        return replace(alarm, episode=replace(alarm.episode, calm_since=since or at)), left
    free = [unit.key for unit in alarm.units if unit.in_episode and unit.key not in flattening]
    alarm, released = _release(alarm, free, Reason.TARGET_REACHED, at)
    return alarm, (*left, *released)


def _leave_episode(
    alarm: Alarm, assessment: Assessment, policy: MarginPolicy, flattening: Collection[str]
) -> tuple[Alarm, tuple[Transition, ...]]:
    """Release the units that a gap has brought below the level that made them join; with the last it ends."""
    if alarm.episode is None:
        return alarm, ()
    leaving = []
    for unit in alarm.units:
        seen = assessment.unit(unit.key)
        resumed = unit.in_episode and unit.resumed_at is not None and unit.key not in flattening
        if resumed and seen is not None and seen.actionable and not delevers(seen.level, policy):
            leaving.append(unit.key)
    if not leaving:
        return alarm, ()
    return _release(alarm, leaving, Reason.EPISODE_LAPSED, assessment.fetched_at)


def _release(
    alarm: Alarm, leaving: Collection[str], reason: Reason, at: datetime
) -> tuple[Alarm, tuple[Transition, ...]]:
    """Let units leave the episode, which ends with its last one."""
    assert alarm.episode is not None  # noqa: S101 - checked by the callers
    units = tuple(
        replace(unit, in_episode=False, resumed_at=None) if unit.key in leaving else unit
        for unit in alarm.units
    )
    change = Transition(kind=TransitionKind.EPISODE_ENDED, reason=reason, at=at, episode=alarm.episode.number)
    if not any(unit.in_episode for unit in units):
        return replace(alarm, units=units, episode=None), (change,)
    alarm = replace(alarm, units=units, episode=replace(alarm.episode, calm_since=None))
    left = replace(change, kind=TransitionKind.EPISODE_LEFT)
    return alarm, tuple(replace(left, unit=key) for key in leaving)


def delevers(level: Level, policy: MarginPolicy) -> bool:
    """Whether a unit at `level` is de-levered."""
    return policy.delevering_level is not None and level >= policy.delevering_level


def _is_calm(alarm: Alarm, assessment: Assessment, flattening: Collection[str]) -> bool:
    """Whether every unit of the episode that is not being flattened is provably at or below its targets."""
    if any(gate.blocks and gate.unit is None for gate in assessment.gates):
        return False
    members = [unit.key for unit in alarm.units if unit.in_episode]
    free = [key for key in members if key not in flattening]
    if members and not free:
        return False
    seen = [assessment.unit(key) for key in free]
    return all(unit is not None and unit.actionable and not unit.above_target for unit in seen)
