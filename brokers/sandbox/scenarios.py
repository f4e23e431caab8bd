"""What prices do: named paths of assets over time, and the stress that comes with them."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache
from math import exp, log
from random import Random
from types import MappingProxyType

from brokers.numbers import ONE, ZERO

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetPath:
    """The course of one price, as factors of its opening price.

    `anchors` are (moment, factor) pairs, the moment a fraction of the scenario's duration, the first (0,
    1); between them the price moves evenly in logarithms, after the last it stays. `noise` is the size of
    the seeded wiggle around the course, as a fraction of the price; it is zero at the start and has a new
    knot every `noise_interval_ms`.
    """

    anchors: tuple[tuple[float, float], ...] = ((0.0, 1.0),)
    noise: float = 0.0005
    noise_interval_ms: int = 2_000

    def __post_init__(self) -> None:
        """Refuse moments out of order and factors that are no price."""
        moments = [moment for moment, _ in self.anchors]
        if not moments or moments[0] != 0 or moments != sorted(set(moments)) or moments[-1] > 1:
            raise ValueError(f"path moments must rise from 0 to at most 1: {moments}")
        if any(factor <= 0 for _, factor in self.anchors):
            raise ValueError("path factors must be positive")

    def factor(self, elapsed_ms: int, duration_ms: int, seed: str) -> float:
        """Return price / opening price after `elapsed_ms`: a pure function of its arguments."""
        return exp(self._course(elapsed_ms / duration_ms) + self._wiggle(elapsed_ms, seed))

    def _course(self, moment: float) -> float:
        index = bisect_right(self.anchors, moment, key=lambda anchor: anchor[0])
        start, start_factor = self.anchors[index - 1]
        if index == len(self.anchors):
            return log(start_factor)
        end, end_factor = self.anchors[index]
        share = (moment - start) / (end - start)
        return log(start_factor) * (1 - share) + log(end_factor) * share

    def _wiggle(self, elapsed_ms: int, seed: str) -> float:
        if self.noise == 0:
            return 0.0
        knot, within = divmod(elapsed_ms, self.noise_interval_ms)
        share = within / self.noise_interval_ms
        return self.noise * (_wiggle_at(knot, seed) * (1 - share) + _wiggle_at(knot + 1, seed) * share)


@lru_cache(maxsize=4096)
def _wiggle_at(knot: int, seed: str) -> float:
    """Return the wiggle at a knot, in units of the noise: normal, cut at 3."""
    return 0.0 if knot == 0 else max(-3.0, min(3.0, Random(f"{seed}:{knot}").gauss()))


FLAT_PATH = AssetPath(noise=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stress:
    """What a bad day does to a venue beside its prices.

    `depth_factor` scales the order book, `perp_discount` is how far perpetuals trade under their index (a
    negative fraction), `depegs` are the factors to which stable assets fall; all three come in with the
    fall of prices (see `Scenario.stress_from`). `adl_fraction` of winning positions is closed by the venue
    when prices are at their worst. `transfer_blocked` holds throughout. `outage_ms` and
    `latency_multiplier` are what clients meet: no answers from the worst moment on, and slower ones.
    """

    depth_factor: Decimal = ONE
    perp_discount: Decimal = ZERO
    depegs: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    adl_fraction: Decimal = ZERO
    transfer_blocked: bool = False
    outage_ms: int = 0
    latency_multiplier: Decimal = ONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A named course of events. `duration_ms` is how long it takes on the sandbox's clock.

    `paths` are by asset; other assets that are not stable follow `others`. `stress` sets in at the fraction
    `stress_from` of the duration, is full at `worst_at` and, if it ends at all, is gone at `over_at`.
    """

    name: str
    title: str
    duration_ms: int
    paths: Mapping[str, AssetPath] = field(default_factory=lambda: MappingProxyType({}))
    others: AssetPath = field(default_factory=AssetPath)
    stress: Stress = field(default_factory=Stress)
    stress_from: float = 0.0
    worst_at: float = 1.0
    over_at: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse a scenario that takes no time."""
        if self.duration_ms <= 0:
            raise ValueError(f"{self.name}: duration must be positive")
        if self.over_at is not None and self.over_at <= self.worst_at:
            raise ValueError(f"{self.name}: stress cannot be over before it is at its worst")

    def lasting(self, duration_ms: int) -> "Scenario":
        """Return the same course over another time."""
        return replace(self, duration_ms=duration_ms)

    def intensity(self, elapsed_ms: int) -> Decimal:
        """Return how much of the stress is there: 0 before it sets in, 1 at the worst, 0 when it is over."""
        moment = elapsed_ms / self.duration_ms
        if moment <= self.stress_from or (self.over_at is not None and moment >= self.over_at):
            return ZERO
        if moment < self.worst_at:
            share = (moment - self.stress_from) / (self.worst_at - self.stress_from)
        elif self.over_at is None:
            return ONE
        else:
            share = (self.over_at - moment) / (self.over_at - self.worst_at)
        return Decimal(round(share, 6)).quantize(Decimal("1e-6"))


def calm(duration_ms: int = 10 * MINUTE_MS, *, noise: float = 0.0005) -> Scenario:
    """Prices only wiggle."""
    return Scenario(
        name="calm", title="Nothing happens", duration_ms=duration_ms, others=AssetPath(noise=noise)
    )


def slide(duration_ms: int = 5 * MINUTE_MS) -> Scenario:
    """Prices slip by 4 %, then 12 %, drop to -25 %, and win back a part."""
    return Scenario(
        name="slide",
        title="A steady fall into a crash",
        duration_ms=duration_ms,
        others=AssetPath(
            anchors=((0.0, 1.0), (0.2, 0.96), (0.5, 0.88), (0.75, 0.75), (0.85, 0.79), (1.0, 0.81)),
        ),
        stress=Stress(depth_factor=Decimal("0.4")),
        stress_from=0.45,
        worst_at=0.75,
        over_at=1.0,
    )


def flash_crash(duration_ms: int = 5 * MINUTE_MS) -> Scenario:
    """Prices lose a fifth within moments in an empty book, and are back as fast."""
    return Scenario(
        name="flash_crash",
        title="A fifth down and back within moments",
        duration_ms=duration_ms,
        others=AssetPath(
            anchors=((0.0, 1.0), (0.30, 0.995), (0.33, 0.80), (0.36, 0.82), (0.5, 0.97), (1.0, 0.985)),
        ),
        stress=Stress(depth_factor=Decimal("0.1")),
        stress_from=0.30,
        worst_at=0.33,
        over_at=0.5,
    )


def crawl(duration_ms: int = 10 * MINUTE_MS) -> Scenario:
    """Prices sink evenly by 12 %: nothing ever looks sudden."""
    return Scenario(
        name="crawl",
        title="An even decline",
        duration_ms=duration_ms,
        others=AssetPath(anchors=((0.0, 1.0), (1.0, 0.88)), noise=0.0003),
    )


def recovery(duration_ms: int = 5 * MINUTE_MS) -> Scenario:
    """Prices dip by 8 % and end above where they began."""
    return Scenario(
        name="recovery",
        title="A dip that heals",
        duration_ms=duration_ms,
        others=AssetPath(anchors=((0.0, 1.0), (0.4, 0.92), (1.0, 1.02))),
    )
