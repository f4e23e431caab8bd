"""A bug in keeping the timer is loud, and no cycle's."""

import asyncio
import io
from datetime import timedelta
from typing import Any

from daemon.deadman import DeadMan
from daemon.risk.policy import Mode

Desk = Any  # the fixture's type lives in conftest


async def test_a_bug_is_told_and_ends_no_cycle(desk: Desk, log: io.StringIO) -> None:
    def break_(call: str, moment: str, _arguments: tuple[Any, ...]) -> None:
        if (call, moment) == ("arm_timer", "leaves"):
            raise RuntimeError("broken")

    desk.line.at = break_
    dead_man = DeadMan(
        broker=desk.line, clock=desk.clock, after=timedelta(seconds=60), interval=timedelta(seconds=2)
    )
    for cycle in range(3):
        dead_man.saw(Mode.ENFORCE, is_good=True)
        assert log.getvalue().count("timer_bug") == cycle
        await asyncio.sleep(0.01)
    desk.line.at = lambda *_: None
    await dead_man.end()
    assert log.getvalue().count("timer_bug") == 3
