"""How long the daemon thinks: from the last byte of the confirming answer to the first byte of the order.

A real daemon guards accounts that hold one contract each, by its default policy, with its journal on the disk
of `folder` and its carrier at work. The price of one account's coin after the other falls until nine tenths
of its margin are used; a tap between daemon and venue takes the times. Only the first order after each fall
counts. In between lie parsing, judging, planning, the guard's approval, and the journal's fsync.
"""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp

from tests.bench.guarding import guarding
from tests.bench.market import LEVERAGE, Holder, coin, singles
from tests.bench.metronome import ticking
from tests.bench.play import Hall, playing
from tests.bench.products import PRODUCTS, Product
from tests.bench.spread import percentile
from tests.bench.tap import Tap

CROWD: Mapping[str, int] = MappingProxyType({"bybit unified": 10, "okx unified": 10})
"""Accounts at each venue. None at Binance: it counts requests by address, and a list of all open orders is so
dear there that an account could not have an episode every few seconds."""

FALLEN = Decimal("0.93")
"""The margin utilization that each fall leads to."""

PACE_S = 0.25
"""Between one fall and the next, so that reactions rarely meet."""

START_PATIENCE_S = 40.0
PATIENCE_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionTime:
    """Milliseconds from answer to order; `missed` falls led to no order in time."""

    product: str
    p50_ms: float
    p99_ms: float
    worst_ms: float
    episodes: int
    missed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reactions:
    """The reaction times of every venue and of all `together`.

    Beside them, how late an idle process was woken meanwhile: times in that order are the machine's.
    """

    venues: tuple[ReactionTime, ...]
    together: ReactionTime
    idle_p50_ms: float
    idle_p99_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One account whose price will fall."""

    product: Product
    holder: Holder
    venue_url: str
    tap: Tap

    async def fall(self, session: aiohttp.ClientSession) -> asyncio.Future[float]:
        """Let its price fall far enough; return what will be the seconds of the reaction."""
        async with session.get(f"{self.venue_url}/_sandbox/truth") as answer:
            truth = (await answer.json())["accounts"][self.holder.name]
        reaction = self.tap.next_order(self.holder.key)
        drop = {"asset": coin(self.holder.first), "factor": str(1 - _fall_to(FALLEN, truth))}
        async with session.post(f"{self.venue_url}/_sandbox/scenario", json=drop) as answer:
            answer.raise_for_status()
        return reaction


async def measure_reactions(
    folder: Path, *, rounds: int, crowd: Mapping[str, int] = CROWD, settled_s: float = 5.0
) -> Reactions:
    """Let every account of `crowd` fall `rounds` times; return the reaction times.

    The first fall comes `settled_s` after the first look: by then the history has its tables, whose making is
    the only long work of the carrier's.
    """
    halls = [Hall(product=name, holders=singles(count)) for name, count in crowd.items()]
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        urls = await stack.enter_async_context(playing(halls))
        subjects, taps = [], []
        for hall, url in zip(halls, urls, strict=True):
            tap = await stack.enter_async_context(Tap(PRODUCTS[hall.product].broker, url))
            taps.append(tap)
            subjects += [
                Subject(product=PRODUCTS[hall.product], holder=holder, venue_url=url, tap=tap)
                for holder in hall.holders
            ]
        guarded = [(subject.product, subject.holder, subject.tap.url) for subject in subjects]
        await stack.enter_async_context(guarding(home, guarded, {}))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        async with asyncio.timeout(START_PATIENCE_S):
            for hall, tap in zip(halls, taps, strict=True):
                await tap.until_seen({holder.key for holder in hall.holders})
        await asyncio.sleep(settled_s)
        async with ticking() as lateness:
            samples = await _falls(subjects, session, rounds)
    everything = [sample for group in samples.values() for sample in group]
    return Reactions(
        venues=tuple(_reaction_time(name, samples[name]) for name in crowd),
        together=_reaction_time("all", everything),
        idle_p50_ms=lateness[0],
        idle_p99_ms=lateness[1],
    )


async def _falls(
    subjects: Sequence[Subject], session: aiohttp.ClientSession, rounds: int
) -> dict[str, list[float | None]]:
    """Let every price fall once a round; return the seconds by venue, `None` for what did not come."""
    reactions: list[tuple[str, asyncio.Future[float]]] = []
    loop = asyncio.get_running_loop()
    for _ in range(rounds):
        began = loop.time()
        for number, subject in enumerate(subjects):
            reactions.append((subject.product.name, await subject.fall(session)))
            await asyncio.sleep(max(began + (number + 1) * PACE_S - loop.time(), 0.0))
    await asyncio.wait([reaction for _, reaction in reactions], timeout=PATIENCE_S)
    samples: dict[str, list[float | None]] = {subject.product.name: [] for subject in subjects}
    for name, reaction in reactions:
        samples[name].append(reaction.result() if reaction.done() else None)
    return samples


def _fall_to(wanted: Decimal, truth: dict[str, Any]) -> Decimal:
    """Return by what part the price must fall for `wanted` of the margin to be used.

    With utilization u and leverage L a fall f leads to u (1 - f) / (1 - u L f).
    """
    pool = next(pool for pool in truth["pools"] if Decimal(pool["position_initial_margin"]) > 0)
    used = Decimal(pool["position_initial_margin"]) / Decimal(pool["margin_balance"])
    return max((wanted - used) / (used * (wanted * LEVERAGE - 1)), Decimal(0))


def _reaction_time(product: str, samples: Sequence[float | None]) -> ReactionTime:
    seconds = [sample * 1000 for sample in samples if sample is not None]
    return ReactionTime(
        product=product,
        p50_ms=percentile(seconds, 50),
        p99_ms=percentile(seconds, 99),
        worst_ms=max(seconds),
        episodes=len(seconds),
        missed=len(samples) - len(seconds),
    )
