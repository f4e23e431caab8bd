"""What one further account costs in memory: margind's adapter and cycle against two ccxt instances.

Each side is a process of its own, `python -m tests.bench.memory SIDE BROKER COUNT URL`. It opens and reads a
few accounts, so that everything accounts share is there, then `COUNT` more, and prints by how many bytes each
of these made it grow: resident memory, as the operating system counts it. On ccxt's side the instances share
their markets, and the second instance of a pair is never used.
"""

import asyncio
import gc
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psutil

from daemon.clock import SystemClock
from database.journal import Journal
from tests.bench.clients import CcxtClient, Client, MargindClient, close_all
from tests.bench.market import BROKERS, Holder, cell
from tests.bench.play import Hall, playing, start

POSITIONS = 10
FIRST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryCost:
    """Kilobytes per further account on both sides."""

    broker: str
    margind_kb: float
    ccxt_kb: float


async def measure_memory(*, count: int = 50, brokers: Sequence[str] = BROKERS) -> tuple[MemoryCost, ...]:
    """Return what each of `count` further accounts costs at every venue."""
    halls = [Hall(broker=broker, holders=cell(POSITIONS, FIRST + count)) for broker in brokers]
    async with playing(halls) as urls:
        return tuple(
            await asyncio.gather(
                *(_cost(broker, count, url) for broker, url in zip(brokers, urls, strict=True))
            )
        )


async def _cost(broker: str, count: int, url: str) -> MemoryCost:
    ours, theirs = await asyncio.gather(
        *(_grown_kb(side, broker, count, url) for side in ("margind", "ccxt"))
    )
    return MemoryCost(broker=broker, margind_kb=ours, ccxt_kb=theirs)


async def _grown_kb(side: str, broker: str, count: int, url: str) -> float:
    process = await start("tests.bench.memory", side, broker, str(count), url)
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"measuring {side} at {broker} failed")
    return int(said) / 1024


async def _bytes_per_account(side: str, broker: str, count: int, url: str) -> int:
    clock = SystemClock()
    with (
        tempfile.TemporaryDirectory() as folder,
        Journal.open(Path(folder), clock.now()) as journal,
    ):

        def ours(holder: Holder) -> Client:
            return MargindClient(broker, holder, url, journal=journal, clock=clock)

        def theirs(holder: Holder) -> Client:
            return _Pair(broker, holder, url)

        open_one = ours if side == "margind" else theirs
        holders = cell(POSITIONS, FIRST + count)
        clients = await _opened(open_one, holders[:FIRST])
        before = _resident()
        clients += await _opened(open_one, holders[FIRST:])
        grown = _resident() - before
        await close_all(clients)
    return grown // count


async def _opened(open_one: Callable[[Holder], Client], holders: Iterable[Holder]) -> list[Client]:
    clients = []
    for holder in holders:
        client = open_one(holder)
        clients.append(client)
        await client.once()
    return clients


def _resident() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


class _Pair:
    """Two ccxt instances of one account, as a polling and an emergency door need them."""

    listed: ClassVar[list[CcxtClient]] = []

    def __init__(self, broker: str, holder: Holder, url: str) -> None:
        self._polling, self._emergency = (CcxtClient(broker, holder, url) for _ in range(2))

    async def once(self) -> None:
        """Read the account by the polling one."""
        if not self.listed:
            await self._polling.exchange.load_markets()
            self.listed.append(self._polling)
        for client in (self._polling, self._emergency):
            client.exchange.set_markets_from_exchange(self.listed[0].exchange)
        await self._polling.once()

    async def aclose(self) -> None:
        """Close both."""
        await close_all([self._polling, self._emergency])


if __name__ == "__main__":
    _side, _broker, _count, _url = sys.argv[1:]
    print(asyncio.run(_bytes_per_account(_side, _broker, int(_count), _url)))  # noqa: T201 - the answer
