"""The timer beside orders on one key: no order waits for it."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from brokers.orders import Verdict
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.server import SandboxServer

PATH = "/0/private/CancelAllOrdersAfter"


async def test_no_order_waits_for_a_timer_under_way(
    connect: Callable[..., Any], server: SandboxServer, reduce: Callable[..., Any]
) -> None:
    broker = await connect()
    (held,) = (await broker.fetch_snapshot()).positions
    server.faults.set(Fault(kind=FaultKind.SLOW, path=PATH, ms=1500, count=1))
    arming = asyncio.create_task(broker.arm_timer(timedelta(seconds=60)))
    await asyncio.sleep(0.3)
    assert any(path == PATH for _, path, _ in server.received)
    report = await broker.submit(reduce(broker, held))
    assert report.verdict is Verdict.ACCEPTED
    assert not arming.done()
    await arming
