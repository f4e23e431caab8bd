"""The machine's clock, as far as it can be told from outside."""

import time
from datetime import UTC, datetime, timedelta

from daemon.clock import SystemClock


def test_now_is_aware_utc() -> None:
    now = SystemClock().now()

    assert now.tzinfo is UTC
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=5)


def test_uptime_counts_suspend_and_never_goes_back() -> None:
    clock = SystemClock()
    readings = [clock.uptime() for _ in range(1_000)]

    assert readings == sorted(readings)
    assert abs(time.clock_gettime(time.CLOCK_BOOTTIME) - readings[-1]) < 5


async def test_a_sleep_lasts_as_long_as_it_says_and_a_negative_one_not_at_all() -> None:
    clock = SystemClock()
    before = clock.uptime()
    await clock.sleep(0.02)
    between = clock.uptime()
    await clock.sleep(-60)

    assert between - before >= 0.019
    assert clock.uptime() - between < 5
