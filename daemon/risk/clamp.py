"""Thresholds kept below the venue's points of no return.

A threshold that is reached only after the venue has locked the account protects nobody. So LIQUIDATION starts
at the latest `DISTANCE` short of the nearest point of its measure, and what stands too close beneath it moves
down with it. Nothing is ever moved up, and what needs no moving stays as it was written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType

from brokers.models import Measure
from brokers.no_return import PointOfNoReturn, Regime
from daemon.risk.figures import percent
from daemon.risk.policy import Ladder, Level, MarginPolicy

DISTANCE = Decimal("0.05")
"""How far below a point of no return LIQUIDATION starts, as a fraction of the point.

It is room for a confirming read and a first cut, at any venue's pace, before the point itself is reached.
"""

HOLDS: Mapping[Regime, str] = MappingProxyType(
    {
        Regime.REFUSES_OPENING: "the venue takes only orders that reduce",
        Regime.REFUSES_EVERYTHING: "the venue takes no order at all",
        Regime.VENUE_ACTS: "the venue itself cancels and liquidates",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clamp:
    """One measure whose thresholds were moved: as configured, as they count, and what they keep below."""

    measure: Measure
    point: PointOfNoReturn
    configured: Ladder
    effective: Ladder
    configured_target: Decimal
    effective_target: Decimal

    @property
    def why(self) -> str:
        """What holds from the point on, in words."""
        return f"from {percent(self.point.ratio)} on ({self.point.words}) {HOLDS[self.point.regime]}"

    @property
    def sentence(self) -> str:
        """Everything that was moved, in one line."""
        pairs = {
            "critical": (self.configured.critical, self.effective.critical),
            "warning": (self.configured.warning, self.effective.warning),
            "target": (self.configured_target, self.effective_target),
        }
        others = [
            f"{name} {percent(configured)} as {percent(effective)}"
            for name, (configured, effective) in pairs.items()
            if configured != effective
        ]
        along = f"; with it {', '.join(others)}" if others else ""
        return (
            f"{self.measure}: liquidation is configured at {percent(self.configured.liquidation)} and "
            f"counts as {percent(self.effective.liquidation)}: {self.why}{along}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Clamped:
    """A policy that keeps below every point of no return, and what was moved for it."""

    policy: MarginPolicy
    clamps: tuple[Clamp, ...] = ()


def clamp(policy: MarginPolicy, points: Iterable[PointOfNoReturn]) -> Clamped:
    """Return `policy` with each measure's thresholds below the nearest of its `points`.

    Total: every valid policy has a valid answer. The hysteresis, which both measures share, shrinks only
    where a warning has come down to it.
    """
    nearest: dict[Measure, PointOfNoReturn] = {}
    for point in points:
        known = nearest.get(point.measure)
        if known is None or point.ratio < known.ratio:
            nearest[point.measure] = point
    ladders = {
        measure: _lowered(policy.ladder(measure), policy.hysteresis, nearest.get(measure))
        for measure in Measure
    }
    shrunk = (
        policy.hysteresis * ladder.warning / policy.ladder(measure).warning
        for measure, ladder in ladders.items()
        if policy.hysteresis >= ladder.warning
    )
    hysteresis = min([policy.hysteresis, *shrunk])
    targets = {
        measure: _target(policy, measure, ladder, hysteresis=hysteresis)
        for measure, ladder in ladders.items()
    }
    moved = replace(
        policy,
        utilization=ladders[Measure.UTILIZATION],
        maintenance=ladders[Measure.MAINTENANCE],
        target_utilization=targets[Measure.UTILIZATION],
        target_maintenance=targets[Measure.MAINTENANCE],
        hysteresis=hysteresis,
    )
    return Clamped(
        policy=moved,
        clamps=tuple(
            Clamp(
                measure=measure,
                point=nearest[measure],
                configured=policy.ladder(measure),
                effective=ladder,
                configured_target=policy.target(measure),
                effective_target=targets[measure],
            )
            for measure, ladder in ladders.items()
            if ladder != policy.ladder(measure)
        ),
    )


def _lowered(ladder: Ladder, hysteresis: Decimal, point: PointOfNoReturn | None) -> Ladder:
    """Return a ladder whose top keeps its distance from `point`, and whose lower rungs keep clear of the top.

    A rung that is not more than the hysteresis below the one above it comes down in proportion to the top.
    """
    if point is None or ladder.liquidation <= (top := point.ratio * (1 - DISTANCE)):
        return ladder
    share = top / ladder.liquidation
    critical = ladder.critical if top - ladder.critical > hysteresis else ladder.critical * share
    warning = ladder.warning if critical - ladder.warning > hysteresis else ladder.warning * share
    return Ladder(warning=warning, critical=critical, liquidation=top)


def _target(policy: MarginPolicy, measure: Measure, ladder: Ladder, *, hysteresis: Decimal) -> Decimal:
    """Return the target, moved down in proportion where relief would no longer end below its trigger."""
    begins = policy.delevering_level or Level.LIQUIDATION
    ends_below = ladder.threshold(begins) - hysteresis
    target = policy.target(measure)
    if target < ends_below:
        return target
    return target * ends_below / (policy.ladder(measure).threshold(begins) - policy.hysteresis)
