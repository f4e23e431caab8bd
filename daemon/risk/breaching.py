"""Which bounds of a unit are broken after a sample, and what is told of it: once, and taken back once."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from daemon.risk.assessment import UnitAssessment
from daemon.risk.breach import Breach, Sample, advance_breaches
from daemon.risk.exposure import CAPS, OVER_BOUND
from daemon.risk.policy import MarginPolicy
from daemon.risk.reason import Reason
from daemon.risk.standing import Transition, TransitionKind, UnitAlarm

EXCEEDED = (TransitionKind.LIMIT_EXCEEDED, TransitionKind.LEVERAGE_OVER_CAP)
KEPT = (TransitionKind.LIMIT_KEPT, TransitionKind.LEVERAGE_WITHIN_CAP)
WITHIN = (Reason.WITHIN_LIMIT, Reason.LEVERAGE_WITHIN_CAP)
"""Of a limit of size, and of a cap of leverage."""


def breaches_after(
    known: Sequence[Breach], unit: UnitAssessment, seen_at: datetime, policy: MarginPolicy
) -> tuple[Breach, ...]:
    """Return the breaches of a unit after a sample of it."""
    sample = Sample(
        loads=unit.exposure.loads, seen_at=seen_at, faulty=unit.faulty, actionable=unit.actionable
    )
    return advance_breaches(known, sample, policy)


def breach_changes(
    before: UnitAlarm, after: UnitAlarm, seen: UnitAssessment | None, at: datetime
) -> Iterator[Transition]:
    """Yield what was broken and what was brought back between two standings of a unit."""
    loads = {load.key: load for load in seen.exposure.loads} if seen is not None else {}
    for breach in after.breaches:
        if before.breach(breach.key) is None:
            yield Transition(
                kind=TransitionKind.LEVERAGE_OVER_CAP
                if breach.bound in CAPS
                else TransitionKind.LIMIT_EXCEEDED,
                reason=OVER_BOUND[breach.bound],
                at=at,
                unit=after.key,
                detail=str(loads.get(breach.key, "")),
            )
    for breach in before.breaches:
        if after.breach(breach.key) is None:
            yield Transition(
                kind=TransitionKind.LEVERAGE_WITHIN_CAP
                if breach.bound in CAPS
                else TransitionKind.LIMIT_KEPT,
                reason=WITHIN[breach.bound in CAPS],
                at=at,
                unit=after.key,
                detail=_figure(breach, seen),
            )


def _figure(breach: Breach, seen: UnitAssessment | None) -> str:
    """Return what stands now for people."""
    about = f" {breach.subject}" if breach.subject else ""
    leverage = seen.leverage if seen is not None else None
    known = "unknown" if leverage is None else f"{leverage:.2f}"
    return f"{breach.bound.value.replace('_', ' ')}{about}; effective leverage of the unit {known}"
