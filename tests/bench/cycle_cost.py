"""What one poll of one account costs in CPU: margind's whole cycle against ccxt reading the same account.

margind reads, parses, judges, decides and journals; ccxt fetches balance and positions, and does nothing with
them. Both sides take turns within a round, on the same loop, and each asks a venue of its own, so that
neither uses up the other's request limits. CPU is that of this process, system time included.
"""

import asyncio
import gc
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from daemon.clock import SystemClock
from database.journal import Journal
from tests.bench.clients import CcxtClient, Client, MargindClient, close_all
from tests.bench.market import BROKERS, cell
from tests.bench.play import Hall, playing
from tests.bench.spread import Spread

ACCOUNTS = 6
TURN = 3
"""How often a side reads all its accounts before it is the other's turn."""

LEAST_ROUND_S = 0.8
"""Faster, and OKX would refuse: it counts every endpoint by key."""

WARM_UP = 3
SIZES = (10, 50)


@dataclass(slots=True, kw_only=True)
class Cell:
    """One venue and number of positions: the clients of both sides, and the CPU seconds of every round."""

    broker: str
    positions: int
    ours: list[Client] = field(default_factory=list)
    theirs: list[Client] = field(default_factory=list)
    our_seconds: list[float] = field(default_factory=list)
    their_seconds: list[float] = field(default_factory=list)

    async def round(self, *, ours_first: bool) -> None:
        """Let both sides have their turn."""
        sides = [(self.ours, self.our_seconds), (self.theirs, self.their_seconds)]
        for clients, seconds in sides if ours_first else reversed(sides):
            seconds.append(await _cpu_seconds(clients, TURN) / (TURN * len(clients)))

    def result(self) -> "CycleCost":
        """Sum up the rounds."""
        ratios = [ours / theirs for ours, theirs in zip(self.our_seconds, self.their_seconds, strict=True)]
        return CycleCost(
            broker=self.broker,
            positions=self.positions,
            ratio=Spread.of(ratios),
            margind_ms=Spread.of([seconds * 1000 for seconds in self.our_seconds]).median,
            ccxt_ms=Spread.of([seconds * 1000 for seconds in self.their_seconds]).median,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleCost:
    """CPU of one cycle on both sides; `ratio` is margind's over ccxt's, round by round."""

    broker: str
    positions: int
    ratio: Spread
    margind_ms: float
    ccxt_ms: float


async def measure_cycles(
    folder: Path, *, rounds: int, sizes: Sequence[int] = SIZES, brokers: Sequence[str] = BROKERS
) -> tuple[CycleCost, ...]:
    """Return the cost of a cycle per venue and number of positions; the journal lies in `folder`."""
    cells = [Cell(broker=broker, positions=size) for broker in brokers for size in sizes]
    halls = [
        Hall(broker=one.broker, holders=cell(one.positions, ACCOUNTS))
        for one in cells
        for _ in ("ours", "theirs")
    ]
    async with AsyncExitStack() as stack:
        urls = iter(await stack.enter_async_context(playing(halls)))
        state_dir = stack.enter_context(tempfile.TemporaryDirectory(dir=folder))
        clock = SystemClock()
        journal = stack.enter_context(Journal.open(Path(state_dir), clock.now()))
        for one in cells:
            our_url, their_url = next(urls), next(urls)
            for holder in cell(one.positions, ACCOUNTS):
                one.ours.append(MargindClient(one.broker, holder, our_url, journal=journal, clock=clock))
                one.theirs.append(CcxtClient(one.broker, holder, their_url))
        stack.push_async_callback(close_all, [client for one in cells for client in (*one.ours, *one.theirs)])
        for _ in range(WARM_UP):
            for one in cells:
                await _cpu_seconds([*one.ours, *one.theirs], times=1)
        gc.collect()
        for number in range(rounds):
            rested = asyncio.create_task(asyncio.sleep(LEAST_ROUND_S))
            for one in cells:
                await one.round(ours_first=number % 2 == 0)
            await rested
    return tuple(one.result() for one in cells)


async def _cpu_seconds(clients: Sequence[Client], times: int) -> float:
    began = time.process_time()
    for client in list(clients) * times:
        await client.once()
    return time.process_time() - began
