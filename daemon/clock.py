"""The only clock the daemon reads.

`now` is wall time, for records and for people. Everything that measures a span uses `uptime`, which counts
suspend and never steps (`CLOCK_BOOTTIME`).
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

SKEWED_S = 5.0
"""A machine clock further off than this is told: requests are signed by the venue's time, records are not."""


def skewed(offset_s: float) -> str:
    """Return in words that a venue's clock is `offset_s` ahead of ours, or behind."""
    where = "behind" if offset_s > 0 else "ahead of"
    return (
        f"this machine's clock is {abs(offset_s):.1f} s {where} the venue's; "
        "requests are signed by the venue's, records are dated by ours: put the machine on NTP"
    )


class Clock(Protocol):
    """Time, as an argument."""

    def now(self) -> datetime:
        """Return the wall time, aware, UTC."""

    def uptime(self) -> float:
        """Return seconds since boot, suspend included."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the wall time, aware, UTC."""
        return datetime.now(UTC)

    def uptime(self) -> float:
        """Return seconds since boot, suspend included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds`, at least yielding once."""
        await asyncio.sleep(max(seconds, 0.0))
