"""What one further account costs in memory: margind's adapter and cycle against two ccxt instances.

Each side is a process of its own, `python -m tests.bench.memory SIDE PRODUCT COUNT URL`. It opens and reads a
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
from tests.bench.market import Holder, cell
from tests.bench.play import Hall, playing, start
from tests.bench.products import PRODUCTS, Product

FIRST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryCost:
    """Kilobytes per further account on both sides."""

    product: str
    margind_kb: float
    ccxt_kb: float


async def measure_memory(*, count: int, products: Sequence[str] = tuple(PRODUCTS)) -> tuple[MemoryCost, ...]:
    """Return what each of `count` further accounts costs, of every product."""
    return tuple([await _cost(name, count) for name in products])


async def _cost(product: str, count: int) -> MemoryCost:
    hall, sides = Hall(product=product, holders=_holders(PRODUCTS[product], count)), ("margind", "ccxt")
    async with playing([hall for _ in sides]) as urls:
        ours, theirs = await asyncio.gather(
            *(_grown_kb(side, product, count, url) for side, url in zip(sides, urls, strict=True))
        )
    return MemoryCost(product=product, margind_kb=ours, ccxt_kb=theirs)


async def _grown_kb(side: str, product: str, count: int, url: str) -> float:
    process = await start("tests.bench.memory", side, product, str(count), url)
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"measuring {side} at {product} failed")
    return int(said) / 1024


async def _bytes_per_account(side: str, product: Product, count: int, url: str) -> int:
    clock = SystemClock()
    with (
        tempfile.TemporaryDirectory() as folder,
        Journal.open(Path(folder), clock.now()) as journal,
    ):

        def ours(holder: Holder) -> Client:
            return MargindClient(product, holder, url, journal=journal, clock=clock)

        def theirs(holder: Holder) -> Client:
            return _Pair(product, holder, url)

        open_one = ours if side == "margind" else theirs
        holders = _holders(product, count)
        clients = await _opened(open_one, holders[:FIRST])
        before = _resident()
        clients += await _opened(open_one, holders[FIRST:])
        grown = _resident() - before
        await close_all(clients)
    return grown // count


def _holders(product: Product, count: int) -> tuple[Holder, ...]:
    return cell(product.sizes[0], FIRST + count)


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

    def __init__(self, product: Product, holder: Holder, url: str) -> None:
        self._polling, self._emergency = (CcxtClient(product, holder, url) for _ in range(2))

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
    _side, _product, _count, _url = sys.argv[1:]
    print(asyncio.run(_bytes_per_account(_side, PRODUCTS[_product], int(_count), _url)))  # noqa: T201 - the answer
