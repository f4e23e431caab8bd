import asyncio
import gc
import tracemalloc
from collections.abc import Callable

import pytest

from brokers.transport import Transport

pytestmark = pytest.mark.wire

ACCOUNTS = 50
MOST_BYTES = 200_000


async def test_a_further_account_is_cheap(open_transport: Callable[..., Transport]) -> None:
    async def use(transport: Transport) -> None:
        for protective in (False, True):
            await transport.read("privateGetV5PositionList", protective=protective)

    await use(open_transport())
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    transports = [open_transport() for _ in range(ACCOUNTS)]
    await asyncio.gather(*(use(transport) for transport in transports))
    gc.collect()
    each = (tracemalloc.get_traced_memory()[0] - before) / ACCOUNTS
    tracemalloc.stop()
    assert each < MOST_BYTES
