"""What one poll of one account costs in CPU: margind's whole cycle against ccxt making the same reads.

margind reads, parses, judges, decides and journals; ccxt fetches balance, positions and what else the picture
is made of, and does nothing with them. Both sides take turns within a round, on the same loop, and each asks
a venue of its own, so that neither uses up the other's request limits. CPU is that of this process, system
time included.
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
from tests.bench.market import cell
from tests.bench.play import Hall, playing
from tests.bench.products import PRODUCTS, Product
from tests.bench.spread import Spread

ACCOUNTS = 6
TURN = 3
"""How often a side reads all its accounts before it is the other's turn."""

WARM_UP = 3


@dataclass(slots=True, kw_only=True)
class Cell:
    """One product and number of positions: the clients of both sides, and the CPU seconds of every round."""

    product: Product
    positions: int
    ours: list[Client] = field(default_factory=list)
    theirs: list[Client] = field(default_factory=list)
    our_seconds: list[float] = field(default_factory=list)
    their_seconds: list[float] = field(default_factory=list)

    async def round(self, *, ours_first: bool) -> None:
        """Let both sides have their turn."""
        sides = [(self.ours, self.our_seconds), (self.theirs, self.their_seconds)]
        for clients, seconds in sides if ours_first else reversed(sides):
            seconds.append(await _cpu_seconds(clients, TURN, self.product.gap_s) / (TURN * len(clients)))

    def result(self) -> "CycleCost":
        """Sum up the rounds."""
        ratios = [ours / theirs for ours, theirs in zip(self.our_seconds, self.their_seconds, strict=True)]
        return CycleCost(
            product=self.product.name,
            positions=self.positions,
            ratio=Spread.of(ratios),
            margind_ms=Spread.of([seconds * 1000 for seconds in self.our_seconds]).median,
            ccxt_ms=Spread.of([seconds * 1000 for seconds in self.their_seconds]).median,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleCost:
    """CPU of one cycle on both sides; `ratio` is margind's over ccxt's, round by round."""

    product: str
    positions: int
    ratio: Spread
    margind_ms: float
    ccxt_ms: float


async def measure_cycles(
    folder: Path,
    *,
    rounds: int,
    sizes: Sequence[int] | None = None,
    products: Sequence[str] = tuple(PRODUCTS),
) -> tuple[CycleCost, ...]:
    """Return the cost of a cycle per product and number of positions; the journal lies in `folder`.

    `sizes` are the numbers of positions, by default each product's own.
    """
    cells = [
        Cell(product=PRODUCTS[name], positions=size)
        for name in products
        for size in sizes or PRODUCTS[name].sizes
    ]
    halls = [
        Hall(product=one.product.name, holders=cell(one.positions, ACCOUNTS))
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
                one.ours.append(MargindClient(one.product, holder, our_url, journal=journal, clock=clock))
                one.theirs.append(CcxtClient(one.product, holder, their_url))
        stack.push_async_callback(close_all, [client for one in cells for client in (*one.ours, *one.theirs)])
        for _ in range(WARM_UP):
            for one in cells:
                await _cpu_seconds([*one.ours, *one.theirs], times=1, gap_s=one.product.gap_s)
        gc.collect()
        for number in range(rounds):
            for one in cells:
                await one.round(ours_first=number % 2 == 0)
    return tuple(one.result() for one in cells)


async def _cpu_seconds(clients: Sequence[Client], times: int, gap_s: float) -> float:
    """Read every client `times` times, each at least `gap_s` after its last time."""
    began = time.process_time()
    for _ in range(times):
        rested = asyncio.get_running_loop().time() + gap_s
        for client in clients:
            await client.once()
        await asyncio.sleep(max(rested - asyncio.get_running_loop().time(), 0.0))
    return time.process_time() - began
