"""The venues as the benchmark sees them: a process of their own, so that its CPU is not ours."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.market import Holder

ROOT = Path(__file__).parents[2]
START_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hall:
    """One venue to be played, with its accounts; `product` is a name in `PRODUCTS`.

    `counts`: it refuses who asks for too much, as the venue does. Else nobody is refused.
    """

    product: str
    holders: tuple[Holder, ...]
    counts: bool = False


@asynccontextmanager
async def playing(halls: Sequence[Hall], *, core: int | None = None) -> AsyncIterator[tuple[str, ...]]:
    """Play `halls` while the context is open, on `core` alone if told; where each answers, in their order."""
    process = await start("tests.bench.venues")
    keep_to(process, core)
    assert process.stdin is not None  # both are pipes
    assert process.stdout is not None
    order = json.dumps([asdict(hall) for hall in halls], default=str)
    process.stdin.write(order.encode() + b"\n")
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_PATIENCE_S)
        yield tuple(json.loads(line))
    finally:
        process.stdin.close()
        await process.wait()


def keep_to(process: asyncio.subprocess.Process, core: int | None) -> None:
    """Let a process that has just begun run on one core only; `None`: on any."""
    if core is not None:
        os.sched_setaffinity(process.pid, {core})


async def start(module: str, *arguments: str) -> asyncio.subprocess.Process:
    """Start a module of the repository in a process of its own, with pipes to and from it."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        limit=1 << 20,
    )
