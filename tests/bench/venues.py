"""The process that plays the venues: `python -m tests.bench.venues` reads its orders from standard input.

One line of JSON comes in: a list of halls `{"broker", "holders"}`. One line goes out: the address of each. It
ends when its standard input does. Nobody is refused for asking too much: what is measured is the client.
"""

import asyncio
import json
import math
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any

from brokers.sandbox.engine import Engine
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.venues import VENUES
from tests.bench.market import Holder, venue_spec

SEED = 7


def hall_server(broker: str, holders: Sequence[Holder]) -> SandboxServer:
    """Return the server of one venue with the accounts of `holders`."""
    engine = Engine(venue_spec(broker, holders, round(time.time() * 1000)), seed=SEED)
    wire = VENUES[broker].build(engine, {})
    wire.budget_capacity = math.inf
    return SandboxServer(wire)


def holders_from(rows: Sequence[dict[str, Any]]) -> tuple[Holder, ...]:
    """Return the accounts as they were written into the order."""
    amounts = ("notional", "utilization")
    return tuple(Holder(**{**row, **{name: Decimal(row[name]) for name in amounts}}) for row in rows)


async def serve() -> None:
    """Serve what was ordered until standard input ends."""
    loop = asyncio.get_running_loop()
    halls = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(hall_server(hall["broker"], holders_from(hall["holders"])))
            for hall in halls
        ]
        print(json.dumps([server.url for server in servers]), flush=True)  # noqa: T201 - the answer
        await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
