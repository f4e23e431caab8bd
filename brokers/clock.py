"""The venue's clock, kept on our steady one: the wall clock is only an anchor until the first measurement."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median_low

from brokers.budget import boot_seconds
from brokers.models import ClockOffset

REFRESH_S = 300.0
RETRY_S = 30.0
STEP_S = 0.5
"""A wall clock that moved this much against the steady one was stepped: measure again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One question to the venue's clock: our steady seconds before and after, the venue's milliseconds.

    `resolution_ms` are the steps in which the venue tells its time.
    """

    sent: float
    received: float
    venue_ms: int
    resolution_ms: int = 0

    @property
    def gap_ms(self) -> float:
        """Venue milliseconds minus our steady milliseconds, had the venue answered half-way."""
        return self.venue_ms - (self.sent + self.received) * 500.0

    @property
    def error_ms(self) -> float:
        """Half the round trip, and half a step of the venue's clock."""
        return (self.received - self.sent) * 500.0 + self.resolution_ms / 2


class VenueClock:
    """Tell the venue's time. `boot` never steps; `wall` may."""

    def __init__(
        self, boot: Callable[[], float] = boot_seconds, wall: Callable[[], float] = time.time
    ) -> None:
        self._boot = boot
        self._wall = wall
        self._gap_ms: float | None = None
        self._anchor = wall() - boot()
        self._due_at: float | None = None
        self.offset: ClockOffset | None = None

    def steady(self) -> float:
        """Return our steady seconds, for samples."""
        return self._boot()

    def now_ms(self) -> int:
        """Return the venue's milliseconds since the epoch; by the wall clock before a first measurement."""
        if self._gap_ms is None:
            return int(self._wall() * 1000)
        return int(self._boot() * 1000 + self._gap_ms)

    def now(self) -> datetime:
        """Return the venue's time, aware."""
        return datetime.fromtimestamp(self.now_ms() / 1000, UTC)

    def adopt(self, samples: Sequence[Sample]) -> ClockOffset:
        """Take the median of `samples` (at least one) as the venue's clock from now on."""
        gap = median_low([sample.gap_ms for sample in samples])
        chosen = next(sample for sample in samples if sample.gap_ms == gap)
        self._gap_ms = gap
        self._anchor = self._wall() - self._boot()
        self._due_at = self._boot() + REFRESH_S
        self.offset = ClockOffset(offset_ms=gap - self._anchor * 1000, error_ms=chosen.error_ms)
        return self.offset

    def failed(self) -> None:
        """Note that a measurement failed: try again soon, sign as before until then."""
        self._anchor = self._wall() - self._boot()
        self._due_at = self._boot() + RETRY_S

    @property
    def is_due(self) -> bool:
        """Whether to measure again: the refresh time has come, or the wall clock was stepped.

        False before the first attempt, which is the caller's to make.
        """
        if self._due_at is None:
            return False
        stepped = abs(self._wall() - self._boot() - self._anchor) > STEP_S
        return stepped or self._boot() >= self._due_at
