"""The process that plays the venues: `python -m tests.bench.venues` reads its orders from standard input.

One line of JSON comes in: a list of halls. One line goes out: the address of each. It ends when its standard
input does.
"""

import asyncio
import json
import math
import sys
import time
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any

from brokers.sandbox.engine import Engine
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.wire.kraken.gate import Tier
from brokers.sandbox.wire.kraken.wire import KrakenWire
from tests.bench.market import Holder, venue_spec
from tests.bench.play import Hall
from tests.bench.products import PRODUCTS

SEED = 7

AHEAD_MS = 1500
"""How far a venue's clock is ahead at first: ccxt signs by ours, and tokens of the future are refused."""

UNCOUNTED = Tier(math.inf, math.inf)


def hall_server(hall: Hall) -> SandboxServer:
    """Return the server of one venue with its accounts."""
    product = PRODUCTS[hall.product]
    engine = Engine(venue_spec(product, hall.holders, round(time.time() * 1000) + AHEAD_MS), seed=SEED)
    wire = product.played.build(engine, {holder.name: product.mode for holder in hall.holders})
    if not hall.counts:
        wire.budget_capacity = math.inf
        if isinstance(wire, KrakenWire):
            wire.gate.tier = UNCOUNTED
    return SandboxServer(wire)


def hall_from(order: dict[str, Any]) -> Hall:
    """Return a hall as it was written into the order."""
    return Hall(**{**order, "holders": tuple(map(_holder_from, order["holders"]))})


def _holder_from(row: dict[str, Any]) -> Holder:
    return Holder(**{**row, **{name: Decimal(row[name]) for name in ("notional", "utilization")}})


async def serve() -> None:
    """Serve what was ordered until standard input ends."""
    loop = asyncio.get_running_loop()
    orders = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(hall_server(hall_from(order))) for order in orders]
        print(json.dumps([server.url for server in servers]), flush=True)  # noqa: T201 - the answer
        await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
