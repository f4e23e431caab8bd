"""Virtual time: whatever waits, waits for nothing; over loopback the venue's time passes with it."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from brokers.budget import boot_seconds
from brokers.clock import VenueClock
from brokers.sandbox.server import SandboxServer

LATENCY_S = 0.004
"""Between a request and its answer: two pictures of the same moment would be one."""

LONG_S = 0.25
"""Before a longer jump the kernel is given a chance to deliver what is on its way."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that never waits: when everything sleeps, its time jumps to the next one to wake."""

    def __init__(self) -> None:
        super().__init__()
        self._elapsed = 0.0
        self._poll, self._selector.select = self._selector.select, self._select

    def time(self) -> float:
        return self._elapsed

    def _select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            return self._poll(None)
        events = self._poll(0)
        if not events:
            self._elapsed += timeout
        return events


class VirtualClock:
    """The daemon's clock in virtual time."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)

    def uptime(self) -> float:
        return boot_seconds()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0))


class _Jumps:
    """The time of a loop that has become virtual."""

    def __init__(self, poll: Callable[[float | None], list[Any]], began: float) -> None:
        self._poll = poll
        self.now = began

    def time(self) -> float:
        return self.now

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            return self._poll(None)
        events = self._poll(0)
        if not events and timeout > LONG_S:
            os.sched_yield()
            events = self._poll(0)
        if not events:
            self.now += timeout
        return events


@contextmanager
def virtual_clocks(loop: Any) -> Iterator[None]:  # noqa: ANN401 - a selector loop, of whose inside use is made
    """Make a running loop virtual, and let every clock that margind, its sandbox or ccxt reads go with it."""
    jumps = _Jumps(loop._selector.select, loop.time())
    wall, boot, read = time.time() - jumps.now, boot_seconds() - jumps.now, time.clock_gettime

    serve = SandboxServer._serve

    async def serve_later(server: SandboxServer, request: Any) -> Any:  # noqa: ANN401 - aiohttp's
        await asyncio.sleep(LATENCY_S)
        return await serve(server, request)

    def wall_now() -> float:
        return wall + jumps.now

    def steady_now(clock: int) -> float:
        return boot + jumps.now if clock == time.CLOCK_BOOTTIME else read(clock)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop._selector, "select", jumps.select)
        patch.setattr(loop, "time", jumps.time)
        patch.setattr(time, "time", wall_now)
        patch.setattr(time, "clock_gettime", steady_now)
        patch.setattr(SandboxServer, "_serve", serve_later)
        patch.setattr(VenueClock.__init__, "__defaults__", (boot_seconds, wall_now))
        yield
