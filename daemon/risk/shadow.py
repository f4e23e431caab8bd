"""What margind would have done about a unit it may not act on, and what became of it without.

Theory of operation. An excursion of a unit begins with what would have been done first, or with the first
picture, of whatever quality, that shows it at LIQUIDATION. It is followed until one of these ends it:

    LIQUIDATED  the venue closed positions: it says so, what they left proves it (`interference`), or they
                shrank when the unit had been beyond its urgent line
    HELPED      positions shrank otherwise, or collateral came in: somebody else did something
    OVERTAKEN   margind was allowed to act after all
    NEARED      it came back, and had been beyond the urgent line of its deepest measure
    LINGERED    it came back, but later than `HORIZON` after the act
    CAME_BACK   it came back by itself within the horizon, without having neared liquidation

*Back* is a unit whose level asks for nothing, by its standing and by its picture, and which has left the
episode; after the horizon it need not have left it. *Deepest* goes by the maintenance ratio, in a unit that
has none by utilization. Positions that vanish are believed as anywhere else; until then nothing is said.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from brokers.models import Measure
from brokers.numbers import ONE
from daemon.risk.assessment import Assessment, UnitAssessment
from daemon.risk.interference import Holding, holding, shrank, was_paid_into, was_taken
from daemon.risk.policy import Action, Level, MarginPolicy
from daemon.risk.reason import Reason
from daemon.risk.standing import Alarm

HORIZON = timedelta(hours=1)
"""Who comes back later than that after the act was in danger for longer than anybody should bear."""

PATIENCE = timedelta(seconds=15)
"""An act that comes later than that after LIQUIDATION was first seen came too late."""


class Ending(StrEnum):
    """How an excursion ended."""

    LIQUIDATED = "liquidated"
    HELPED = "helped"
    OVERTAKEN = "overtaken"
    NEARED = "neared"
    LINGERED = "lingered"
    CAME_BACK = "came_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class WouldAct:
    """A rung that would have been climbed. `plan` is what would have been sent, in plain values."""

    at: datetime
    action: Action
    reason: Reason
    plan: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """One excursion of one unit; times by the venue's clock.

    `last` is its last good picture. `crossed_at` is when LIQUIDATION was first seen, `held` what stood
    against acting then. `cancel` and `act` are the first cancelling and the first de-levering that would have
    been done, `depth` is the ratio of `measure` at that act, `worst` the deepest. `shrunk_at` is when
    positions were first missed.
    """

    unit: str
    began_at: datetime
    measure: Measure | None
    last: Holding
    crossed_at: datetime | None = None
    held: Reason | None = None
    cancel: WouldAct | None = None
    act: WouldAct | None = None
    depth: Decimal | None = None
    worst: Decimal | None = None
    worst_at: datetime | None = None
    back_at: datetime | None = None
    shrunk_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An excursion that is over; `at` is when what ended it was first seen."""

    shadow: Shadow
    ending: Ending
    at: datetime


def follow(
    shadow: Shadow | None,
    key: str,
    would: tuple[WouldAct, ...],
    *,
    alarm: Alarm,
    assessment: Assessment,
    policy: MarginPolicy,
    held: Reason | None,
) -> Shadow | Ended | None:
    """Return the excursion of the unit `key` after one more picture; `None`: it is on none.

    `alarm` is the standing after the picture, `would` what it would have been answered with, `held` what
    stood against acting.
    """
    seen, now = assessment.unit(key), assessment.fetched_at
    if shadow is None:
        crossed = seen is not None and seen.level is Level.LIQUIDATION
        if seen is None or not (crossed or (would and _is_out(alarm, seen, policy))):
            return None
        last = holding(assessment.snapshot, key)
        shadow = Shadow(unit=key, began_at=now, measure=_measure(seen), last=last)
    if seen is not None:
        shadow = _note(shadow, seen, would, now, held)
    ending = _by_others(shadow, seen, assessment, policy)
    if ending is not None:
        return Ended(shadow=shadow, ending=ending, at=shadow.shrunk_at or now)
    if shrank(shadow.last, assessment.snapshot):
        return replace(shadow, shrunk_at=shadow.shrunk_at or now)
    if seen is None:
        return shadow
    if not seen.faulty:
        shadow = replace(shadow, last=holding(assessment.snapshot, key), shrunk_at=None)
    if _is_out(alarm, seen, policy):
        return replace(shadow, back_at=None)
    shadow = replace(shadow, back_at=shadow.back_at or now)
    standing = alarm.unit(key)
    if standing is None or not standing.in_episode or now - _reference(shadow) > HORIZON:
        return Ended(shadow=shadow, ending=_by_itself(shadow, policy), at=now)
    return shadow


def _note(
    shadow: Shadow, seen: UnitAssessment, would: tuple[WouldAct, ...], now: datetime, held: Reason | None
) -> Shadow:
    """Take in what one picture shows, and what it would have been answered with."""
    depth = _depth(seen, shadow.measure)
    if depth is not None and (shadow.worst is None or depth > shadow.worst):
        shadow = replace(shadow, worst=depth, worst_at=now)
    if seen.level is Level.LIQUIDATION and shadow.crossed_at is None:
        shadow = replace(shadow, crossed_at=now, held=held)
    for act in would:
        if act.action is Action.CANCEL_ORDERS:
            shadow = replace(shadow, cancel=shadow.cancel or act)
        elif shadow.act is None:
            shadow = replace(shadow, act=act, depth=depth)
    return shadow


def _is_out(alarm: Alarm, seen: UnitAssessment, policy: MarginPolicy) -> bool:
    """Whether the unit's level, as it stands or as it is seen, asks for something."""
    standing = alarm.unit(seen.key)
    level = max(seen.level, standing.level if standing is not None else Level.SAFE)
    return level is Level.LIQUIDATION or bool(policy.actions_at(level))


def _by_others(
    shadow: Shadow, seen: UnitAssessment | None, assessment: Assessment, policy: MarginPolicy
) -> Ending | None:
    """Return what somebody else made of the unit; `None`: nothing, or it cannot be told yet."""
    if seen is not None and any(gate.reason is Reason.VENUE_ACTING for gate in seen.gates):
        return Ending.LIQUIDATED
    snapshot, last = assessment.snapshot, shadow.last
    is_believed = seen.actionable if seen is not None else assessment.actionable
    if shrank(last, snapshot):
        is_plain = (
            seen is not None or last.is_isolated
        )  # a unit that is missing altogether proves nothing yet
        if was_taken(last, snapshot) and (is_plain or is_believed):
            return Ending.LIQUIDATED
        if not is_believed:
            return None
        return Ending.LIQUIDATED if _neared(shadow, policy) else Ending.HELPED
    return Ending.HELPED if is_believed and was_paid_into(last, snapshot) else None


def _by_itself(shadow: Shadow, policy: MarginPolicy) -> Ending:
    if _neared(shadow, policy):
        return Ending.NEARED
    lingered = shadow.back_at is not None and shadow.back_at - _reference(shadow) > HORIZON
    return Ending.LINGERED if lingered else Ending.CAME_BACK


def _reference(shadow: Shadow) -> datetime:
    """Return what the horizon counts from."""
    return shadow.act.at if shadow.act is not None else shadow.crossed_at or shadow.began_at


def _neared(shadow: Shadow, policy: MarginPolicy) -> bool:
    if shadow.worst is None or shadow.measure is None:
        return False
    return shadow.worst >= policy.confirmation.urgent(shadow.measure)


def _measure(seen: UnitAssessment) -> Measure | None:
    """Return the measure that says how deep the unit is; `None`: none is known."""
    if seen.maintenance_ratio is not None:
        return Measure.MAINTENANCE
    return Measure.UTILIZATION if seen.utilization is not None else None


def _depth(seen: UnitAssessment, measure: Measure | None) -> Decimal | None:
    """Return how deep the unit is: at least 1 where nothing is left under open positions."""
    reading = seen.reading(measure) if measure is not None else None
    ratio = reading.ratio if reading is not None else None
    if seen.has_positions and seen.margin_equity is not None and seen.margin_equity <= 0:
        return max(ratio or ONE, ONE)
    return ratio
