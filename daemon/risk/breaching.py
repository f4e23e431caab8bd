"""Which bounds of a unit are broken after a sample, and what is told of it: once, and taken back once."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from daemon.risk.assessment import UnitAssessment
from daemon.risk.breach import Breach, Sample, advance_breaches
from daemon.risk.exposure import OVER_BOUND, WITHIN_BOUND, Bound
from daemon.risk.policy import MarginPolicy
from daemon.risk.standing import Transition, TransitionKind, UnitAlarm

BROKEN = {
    Bound.LEVERAGE: TransitionKind.LEVERAGE_OVER_CAP,
    Bound.SYMBOL_LEVERAGE: TransitionKind.LEVERAGE_OVER_CAP,
}
KEPT = {
    Bound.LEVERAGE: TransitionKind.LEVERAGE_WITHIN_CAP,
    Bound.SYMBOL_LEVERAGE: TransitionKind.LEVERAGE_WITHIN_CAP,
}


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
                kind=BROKEN[breach.bound],
                reason=OVER_BOUND[breach.bound],
                at=at,
                unit=after.key,
                detail=str(loads.get(breach.key, "")),
            )
    for breach in before.breaches:
        if after.breach(breach.key) is None:
            yield Transition(
                kind=KEPT[breach.bound],
                reason=WITHIN_BOUND[breach.bound],
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
