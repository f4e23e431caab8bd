"""When a level may be reached, from how a unit's own measures have lately moved.

Method. A measure is taken for a Brownian motion with drift, estimated from the samples of the last `window`:
drift = (last - first) / time, variance per second = the mean of (step - drift x time)^2 / time of the steps,
the maximum likelihood estimates. The *expected* time to a threshold at distance d is d / drift. The *early*
time is the t that solves drift x t + Z x sigma x sqrt(t) = d: without drift the threshold is reached before
it in one case of twenty, with a drift towards it in between one of forty and one of twenty.

Floats: these are estimates for people and for an alarm; nothing is sized by them.

Source: first passage time of Brownian motion with drift (inverse Gaussian distribution).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from math import sqrt
from types import MappingProxyType

from brokers.models import Measure
from daemon.risk.assessment import Assessment, UnitAssessment
from daemon.risk.policy import Level, MarginPolicy

Z = 1.96
"""Both tails of the normal distribution beyond it hold one in twenty."""

SAMPLES = 60
"""So many samples make a full window; what comes sooner replaces the one before."""

LEAST_SAMPLES = 5
"""With fewer there is no telling a trend from a tick."""

LEAST_SPAN_S = 30.0
"""... nor within less time."""

FARTHEST_S = 7 * 24 * 3600.0
"""Minutes of history say nothing of what lies beyond a week."""

SHORT_S = 100.0
"""Shorter times are told in seconds, and less than so many minutes in minutes."""

HeldKey = tuple[tuple[str, str, str], ...]
TrailKey = tuple[str, Measure]


@dataclass(frozen=True, slots=True)
class Sample:
    """A measure's ratio at `at`, in seconds of the venue's clock."""

    at: float
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """A measure on the move: its `ratio` now, `drift` per second, `sigma` per square root of a second."""

    ratio: float
    drift: float
    sigma: float

    def expected(self, threshold: float) -> float | None:
        """Return the seconds to `threshold` at the present drift; `None`: it leads away."""
        return (threshold - self.ratio) / self.drift if self.drift > 0 else None

    def early(self, threshold: float) -> float | None:
        """Return the seconds within which `threshold` may be reached; `None`: it is not to be expected."""
        distance, noise = threshold - self.ratio, Z * self.sigma
        discriminant = noise * noise + 4 * self.drift * distance
        if discriminant < 0:
            return None
        divisor = noise + sqrt(discriminant)
        return (2 * distance / divisor) ** 2 if divisor > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """When `unit` may come to `level` by `measure`; `expected` `None`: its drift leads away."""

    unit: str
    level: Level
    measure: Measure
    early: timedelta
    expected: timedelta | None

    def __str__(self) -> str:
        """Say it in words: `CRITICAL by utilization in 4 min at the earliest, in 11 min as it goes`."""
        return f"{self.level.name} {self.when}"

    @property
    def when(self) -> str:
        """The words without the level."""
        early = f"by {self.measure} in {_duration(self.early.total_seconds())} at the earliest"
        if self.expected is None:
            return early
        return f"{early}, in {_duration(self.expected.total_seconds())} as it goes"


Outlooks = Mapping[str, tuple[Outlook, ...]]
"""By unit; one that is missing has not been followed for long enough."""

NO_OUTLOOKS: Outlooks = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trails:
    """The recent samples of every unit's measures. What is held identifies them: a trade begins them anew."""

    held: Mapping[str, HeldKey] = field(default_factory=lambda: MappingProxyType({}))
    samples: Mapping[TrailKey, tuple[Sample, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def follow(self, assessment: Assessment, window: timedelta) -> "Trails":
        """Return the trails with one more sample; a picture that cannot be acted upon adds none."""
        held: dict[str, HeldKey] = {}
        samples: dict[TrailKey, tuple[Sample, ...]] = {}
        for unit in assessment.units:
            if unit.faulty:
                held[unit.key] = self.held.get(unit.key, ())
                samples |= {key: trail for key, trail in self.samples.items() if key[0] == unit.key}
                continue
            held[unit.key] = _held(unit, assessment)
            is_same = self.held.get(unit.key) == held[unit.key]
            for reading in unit.readings:
                if reading.ratio is None:
                    continue
                key = (unit.key, reading.measure)
                sample = Sample(assessment.fetched_at.timestamp(), float(reading.ratio))
                before = self.samples.get(key, ()) if is_same else ()
                samples[key] = _extend(before, sample, window.total_seconds())
        return Trails(held=held, samples=samples)

    def motion(self, unit: str, measure: Measure) -> Motion | None:
        """Return how a measure moves; `None`: too little is known yet."""
        trail = self.samples.get((unit, measure), ())
        if len(trail) < LEAST_SAMPLES or trail[-1].at - trail[0].at < LEAST_SPAN_S:
            return None
        return _motion(trail)


def outlooks(trails: Trails, assessment: Assessment, policy: MarginPolicy) -> Outlooks:
    """Return, for each unit whose motion is known and each level it is below, when it may come there.

    By the measure that may be there first; a level that is not to be expected is left out.
    """
    found: dict[str, tuple[Outlook, ...]] = {}
    for unit in assessment.units:
        motions = {
            reading.measure: motion
            for reading in unit.readings
            if (motion := trails.motion(unit.key, reading.measure)) is not None
        }
        if motions:
            levels = (level for level in Level if level > unit.level)
            ahead = (_first(unit.key, level, motions, policy) for level in levels)
            found[unit.key] = tuple(outlook for outlook in ahead if outlook is not None)
    return found


def _first(
    unit: str, level: Level, motions: Mapping[Measure, Motion], policy: MarginPolicy
) -> Outlook | None:
    ahead = (_outlook(unit, level, measure, motion, policy) for measure, motion in motions.items())
    return min((one for one in ahead if one is not None), key=lambda one: one.early, default=None)


def _outlook(
    unit: str, level: Level, measure: Measure, motion: Motion, policy: MarginPolicy
) -> Outlook | None:
    """Return when `measure` may come to `level`; `None`: not within `FARTHEST_S`."""
    threshold = float(policy.ladder(measure).threshold(level))
    early, expected = motion.early(threshold), motion.expected(threshold)
    if early is None or early > FARTHEST_S:
        return None
    return Outlook(
        unit=unit,
        level=level,
        measure=measure,
        early=timedelta(seconds=early),
        expected=None if expected is None or expected > FARTHEST_S else timedelta(seconds=expected),
    )


def _held(unit: UnitAssessment, assessment: Assessment) -> HeldKey:
    return tuple(
        sorted(
            (position.symbol, position.side.value, str(position.quantity))
            for position in assessment.snapshot.positions_under(unit.key)
        )
    )


def _extend(trail: tuple[Sample, ...], sample: Sample, window: float) -> tuple[Sample, ...]:
    """Return `trail` with `sample`, without what is older than `window`; times must rise."""
    if trail and sample.at <= trail[-1].at:
        return trail
    recent = tuple(one for one in trail if sample.at - one.at <= window)
    if len(recent) > 1 and recent[-1].at - recent[-2].at < window / SAMPLES:
        recent = recent[:-1]
    return (*recent, sample)


def _motion(trail: tuple[Sample, ...]) -> Motion:
    drift = (trail[-1].ratio - trail[0].ratio) / (trail[-1].at - trail[0].at)
    squares = []
    for before, after in pairwise(trail):
        seconds = after.at - before.at
        squares.append((after.ratio - before.ratio - drift * seconds) ** 2 / seconds)
    return Motion(ratio=trail[-1].ratio, drift=drift, sigma=sqrt(sum(squares) / len(squares)))


def _duration(seconds: float) -> str:
    if seconds < SHORT_S:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < SHORT_S else f"{minutes / 60:.0f} h"
