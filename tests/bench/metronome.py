"""How late this machine wakes an idle process: the part of every time that no program can help.

`python -m tests.bench.metronome` sleeps two milliseconds over and over until its standard input ends, and
then prints the 50th and the 99th percentile of its lateness, in milliseconds.
"""

import json
import select
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.bench.play import start
from tests.bench.spread import percentile

BEAT_S = 0.002


@asynccontextmanager
async def ticking() -> AsyncIterator[list[float]]:
    """Measure while the context is open; the list holds both percentiles when it is closed."""
    lateness: list[float] = []
    process = await start("tests.bench.metronome")
    try:
        yield lateness
    finally:
        assert process.stdin is not None  # both are pipes
        assert process.stdout is not None
        process.stdin.close()
        lateness += json.loads(await process.stdout.read())
        await process.wait()


def beat() -> list[float]:
    """Beat until standard input ends; return both percentiles."""
    late = []
    while True:
        due = time.perf_counter() + BEAT_S
        readable, _, _ = select.select([sys.stdin], [], [], BEAT_S)
        if readable:
            return [percentile(late, 50), percentile(late, 99)] if late else [0.0, 0.0]
        late.append((time.perf_counter() - due) * 1000)


if __name__ == "__main__":
    print(json.dumps(beat()))  # noqa: T201 - the answer
