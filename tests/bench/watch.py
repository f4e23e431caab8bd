"""The daemon with a metronome in its own loop: `python -m tests.bench.watch FILE`, a configuration.

A line on standard input begins what is measured, the next one ends it: one line of JSON goes out then, a
`Load`. The daemon runs on until SIGTERM.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import uvloop

from config.loader import load
from config.resolution import resolve
from daemon.app import run
from tests.bench.spread import percentile

BEAT_S = 0.01
SCHEDSTAT = Path("/proc/self/schedstat")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one span of watching took.

    `cpu_s` is all threads' CPU. `waited_s` is how long the main thread could have run and had no core,
    `None` where the system does not tell. The lags say how late the loop was to what was due. `rss` are
    resident bytes at the beginning and at the end.
    """

    seconds: float
    cpu_s: float
    waited_s: float | None
    lag_p50_ms: float
    lag_p99_ms: float
    lag_worst_ms: float
    rss_before: int
    rss_after: int


async def watch(config: Path) -> None:
    """Run the daemon, and measure when told."""
    settings = load(config)
    daemon = asyncio.create_task(run(settings, resolve(settings)))
    orders = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    measuring = asyncio.create_task(_measure(orders))
    done, _ = await asyncio.wait({measuring, daemon}, return_when=asyncio.FIRST_COMPLETED)
    if measuring in done:
        print(json.dumps(asdict(measuring.result())), flush=True)  # noqa: T201 - the answer
    await daemon


async def _measure(orders: asyncio.StreamReader) -> Load:
    """Measure from one line to the next."""
    await orders.readline()
    process = psutil.Process()
    end = asyncio.create_task(orders.readline())
    lags: list[float] = []
    before = process.memory_info().rss
    began, spent, waited = time.perf_counter(), time.process_time(), _waited_s()
    while not end.done():
        due = time.perf_counter() + BEAT_S
        await asyncio.sleep(BEAT_S)
        lags.append((time.perf_counter() - due) * 1000)
    still = _waited_s()
    return Load(
        seconds=time.perf_counter() - began,
        cpu_s=time.process_time() - spent,
        waited_s=None if waited is None or still is None else still - waited,
        lag_p50_ms=percentile(lags, 50),
        lag_p99_ms=percentile(lags, 99),
        lag_worst_ms=max(lags),
        rss_before=before,
        rss_after=process.memory_info().rss,
    )


def _waited_s() -> float | None:
    """Return for how long the main thread has waited for a core. Source: Linux, scheduler/sched-stats."""
    try:
        return int(SCHEDSTAT.read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return None


if __name__ == "__main__":
    uvloop.run(watch(Path(sys.argv[1])))
