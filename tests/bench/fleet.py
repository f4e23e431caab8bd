"""One daemon over many accounts of every product, on one core: does each keep its own pace?

The daemon is the real one, with its journal on the disk of `folder`; the venues are held to their limits,
and have another core where there is one. When a cycle began and how long it took is read from the daemon's
log. A cycle is on time when it begins no later after the one before than the account's pace and a twentieth,
and has ended before the next is due; one that should have begun and did not is late.
"""

import asyncio
import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import mean

from brokers.models import AccountId
from brokers.registry import BrokerSpec, Credentials, open_broker
from tests.bench.guarding import LOG, account_id, guarding
from tests.bench.market import cell
from tests.bench.play import Hall, playing
from tests.bench.products import PRODUCTS, Product
from tests.bench.spread import percentile
from tests.bench.watch import Load

POLL_S = 2.0
TOLERANCE = 0.05
START_PATIENCE_S = 60.0
LONG_LIST_POSITIONS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How the accounts of one product, or `all`, kept their pace.

    `every_s` is the mean time between two beginnings; lateness is what that was over `pace_s`, in
    milliseconds (negative: early). `all` has no one pace.
    """

    product: str
    accounts: int
    pace_s: float | None
    every_s: float
    cycles: int
    on_time: float
    late_p50_ms: float
    late_p99_ms: float
    cycle_p50_ms: float
    cycle_p99_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """One daemon over all accounts.

    `cores` is what part of one core it took, `waited` for what part of the time it was denied one, `None`
    where the system does not tell.
    """

    products: tuple[Pace, ...]
    together: Pace
    cores: float
    waited: float | None
    cpu_per_cycle_ms: float
    lag_p50_ms: float
    lag_p99_ms: float
    lag_worst_ms: float
    rss_mb: float
    grown_kb: float


@dataclass(frozen=True, slots=True)
class Beat:
    """One cycle: when it began, in seconds, and how long it took."""

    began: float
    took: float


@dataclass(frozen=True, slots=True)
class Span:
    """From when until when is looked at, in seconds since the epoch."""

    begins: float
    ends: float

    def gaps(self, beats: Sequence[Beat], pace_s: float) -> list[tuple[float, float]]:
        """Return how long after the one before every cycle of an account began, and how long it took.

        A cycle that is due by the end and has not begun counts with what has passed till then.
        """
        own = [beat for beat in beats if beat.began < self.ends]
        found = [
            (beat.began - before.began, beat.took)
            for before, beat in pairwise(own)
            if beat.began >= self.begins
        ]
        silent = self.ends - own[-1].began
        return [*found, (silent, 0.0)] if silent > pace_s * (1 + TOLERANCE) else found


async def measure_fleet(
    folder: Path, *, seconds: float, settled_s: float, fleet: Mapping[str, int] | None = None
) -> Fleet:
    """Watch `fleet` (by default every product's own number of accounts) for `seconds`."""
    counts = fleet or {name: product.fleet for name, product in PRODUCTS.items()}
    halls = [
        Hall(product=name, holders=cell(_positions(PRODUCTS[name]), count), counts=True)
        for name, count in counts.items()
    ]
    first, last = _cores()
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        urls = await stack.enter_async_context(playing(halls, core=last))
        accounts = [
            (PRODUCTS[hall.product], holder, url)
            for hall, url in zip(halls, urls, strict=True)
            for holder in hall.holders
        ]
        daemon = await stack.enter_async_context(
            guarding(home, accounts, {}, module="tests.bench.watch", core=first)
        )
        assert daemon.stdin is not None  # both are pipes
        assert daemon.stdout is not None
        await _all_seen(home / LOG, len(accounts))
        await asyncio.sleep(settled_s)
        daemon.stdin.write(b"begin\n")
        span = Span(time.time(), time.time() + seconds)
        await asyncio.sleep(seconds)
        daemon.stdin.write(b"end\n")
        load = Load(**json.loads(await daemon.stdout.readline()))
        beats = _read_beats(home / LOG)
    return _summed_up(counts, beats, span, load)


def _positions(product: Product) -> int:
    return LONG_LIST_POSITIONS if product.is_long else product.sizes[0]


def _cores() -> tuple[int | None, int | None]:
    """Return the daemon's core and everybody else's; `None`: the system does not let us choose."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[-1]


async def _all_seen(log: Path, count: int) -> None:
    """Return when every account has had a cycle."""
    until = asyncio.get_running_loop().time() + START_PATIENCE_S
    while len(_read_beats(log)) < count:
        if asyncio.get_running_loop().time() > until:
            raise TimeoutError(f"{len(_read_beats(log))} of {count} accounts have been read; see {log}")
        await asyncio.sleep(0.5)


def _read_beats(log: Path) -> dict[str, list[Beat]]:
    return _beats(log.read_bytes().splitlines())


def _beats(lines: Iterable[bytes]) -> dict[str, list[Beat]]:
    """Return the cycles of every account, out of the log's lines, the oldest first."""
    beats: defaultdict[str, list[Beat]] = defaultdict(list)
    for line in lines:
        if b'"cycle"' not in line:
            continue
        said = json.loads(line)
        took = said["duration_ms"] / 1000
        ended = datetime.fromisoformat(said["timestamp"]).timestamp()
        beats[said["account"]].append(Beat(ended - took, took))
    return beats


def _summed_up(
    counts: Mapping[str, int], beats: Mapping[str, Sequence[Beat]], span: Span, load: Load
) -> Fleet:
    paces, everything = [], []
    for name, count in counts.items():
        product = PRODUCTS[name]
        pace_s = max(POLL_S, _slowest(product))
        own = [
            (pace_s, gap, took)
            for holder in cell(_positions(product), count)
            for gap, took in span.gaps(beats[account_id(product, holder)], pace_s)
        ]
        paces.append(_pace(name, count, own, pace_s))
        everything += own
    together = _pace("all", sum(counts.values()), everything, None)
    return Fleet(
        products=tuple(paces),
        together=together,
        cores=load.cpu_s / load.seconds,
        waited=None if load.waited_s is None else load.waited_s / load.seconds,
        cpu_per_cycle_ms=load.cpu_s * 1000 / together.cycles,
        lag_p50_ms=load.lag_p50_ms,
        lag_p99_ms=load.lag_p99_ms,
        lag_worst_ms=load.lag_worst_ms,
        rss_mb=load.rss_after / 2**20,
        grown_kb=(load.rss_after - load.rss_before) / 1024,
    )


def _slowest(product: Product) -> float:
    """Return how many seconds its venue asks to be left alone between two pictures."""
    nobody = Credentials(api_key="", secret="", password="")
    spec = BrokerSpec(
        account_id=AccountId("nobody"), broker=product.broker, product=product.product, credentials=nobody
    )
    return open_broker(spec).capabilities.pace.total_seconds()


def _pace(
    name: str, accounts: int, cycles: Sequence[tuple[float, float, float]], pace_s: float | None
) -> Pace:
    """Sum up cycles: the account's pace, the seconds since the one before, and what it took."""
    late_ms = [(gap - own_s) * 1000 for own_s, gap, _ in cycles]
    took_ms = [took * 1000 for _, _, took in cycles]
    on_time = sum(gap <= own_s * (1 + TOLERANCE) and took <= own_s for own_s, gap, took in cycles)
    return Pace(
        product=name,
        accounts=accounts,
        pace_s=pace_s,
        every_s=mean(gap for _, gap, _ in cycles),
        cycles=len(cycles),
        on_time=on_time / len(cycles),
        late_p50_ms=percentile(late_ms, 50),
        late_p99_ms=percentile(late_ms, 99),
        cycle_p50_ms=percentile(took_ms, 50),
        cycle_p99_ms=percentile(took_ms, 99),
    )
