"""The venue's clock, kept on our steady one: the wall clock is only an anchor until the first measurement."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from statistics import median_low

from brokers.budget import boot_seconds
from brokers.errors import MalformedAnswer
from brokers.models import ClockOffset

REFRESH_S = 300.0
RETRY_S = 30.0
STEP_S = 0.5
"""A wall clock that moved this much against the steady one was stepped: measure again."""

DISPUTED_MS = 30_000
"""A time this far from the answer's own date, and from the clock in use, is not believed unwitnessed.

As wide as the widest signature window: a clock that is wrong by more is refused by every venue.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One question to the venue's clock: our steady seconds before and after, the venue's milliseconds.

    `date_ms` is when the answer was made by its own `Date` header, which another machine writes than the one
    that tells the time; `None` where it has none.
    `resolution_ms` is how coarse the venue's answer is.
    """

    sent: float
    received: float
    venue_ms: int
    date_ms: int | None = None
    resolution_ms: float = 0.0

    @property
    def gap_ms(self) -> float:
        """Venue milliseconds minus our steady milliseconds, had the venue answered half-way."""
        return self.venue_ms - (self.sent + self.received) * 500.0

    @property
    def error_ms(self) -> float:
        """Half the round trip, and half of what the venue's clock rounds to."""
        return (self.received - self.sent) * 500.0 + self.resolution_ms / 2


def date_ms_of(headers: Mapping[str, str]) -> int | None:
    """Return the `Date` header (by lower-case name) in milliseconds since the epoch; `None` without one.

    Source: RFC 9110, 6.6.1.
    """
    try:
        return round(parsedate_to_datetime(headers["date"]).timestamp() * 1000)
    except (KeyError, ValueError, OverflowError):
        return None


class VenueClock:
    """Tell the venue's time. `boot` never steps; `wall` may.

    A time call may be answered out of a cache. Where its time went with the answer's date before, one that
    fits neither date nor the clock in use is refused, and signing goes on as before; unless the venue has
    refused a signature by that clock, which is the witness that it is wrong. So a wrong time is at most as
    wrong as the venue lets a signature be.
    """

    def __init__(
        self, boot: Callable[[], float] = boot_seconds, wall: Callable[[], float] = time.time
    ) -> None:
        self._boot = boot
        self._wall = wall
        self._gap_ms: float | None = None
        self._anchor = wall() - boot()
        self._due_at: float | None = None
        self._refused = False
        self._dated = False  # whether the last time adopted went with its answer's date
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
        """Take the median of `samples` (at least one) as the venue's clock from now on.

        Raises:
            MalformedAnswer: nothing speaks for the time it tells.
        """
        gap = median_low([sample.gap_ms for sample in samples])
        chosen = next(sample for sample in samples if sample.gap_ms == gap)
        dated = chosen.date_ms is not None and abs(chosen.venue_ms - chosen.date_ms) <= DISPUTED_MS
        if self._dated and not dated and not self._refused:
            self._check(chosen)
        self._refused, self._dated = False, dated
        self._gap_ms = gap
        self._anchor = self._wall() - self._boot()
        self._due_at = self._boot() + REFRESH_S
        self.offset = ClockOffset(offset_ms=gap - self._anchor * 1000, error_ms=chosen.error_ms)
        return self.offset

    def _check(self, sample: Sample) -> None:
        off = sample.venue_ms - self.now_ms()
        if sample.date_ms is not None and abs(off) > DISPUTED_MS:
            raise MalformedAnswer(f"its time is {off / 1000:+.0f} s off, and not that of the answer's date")

    def refused(self) -> None:
        """Note that the venue refused a timestamp by this clock: whatever its time call says is better."""
        self._refused = True

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
