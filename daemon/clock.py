"""The only clock the daemon reads.

`now` is wall time, for records and for people. Everything that measures a span uses `uptime`, which counts
suspend and never steps (`CLOCK_BOOTTIME`).
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


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
