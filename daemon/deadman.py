"""The venue's timer that cancels every order of an account once the daemon is no longer there to renew it."""

import asyncio
from contextlib import suppress
from datetime import timedelta

from brokers.errors import BrokerError
from brokers.port import Broker
from daemon.clock import Clock
from daemon.logs import logger
from daemon.risk.policy import Mode

RENEWALS = 3
"""How often the timer is renewed in the time it runs."""

LONGEST_RETRY_S = 10.0
"""After a renewal that failed the next try comes at the latest so soon."""

SILENT_S = 30.0
"""A guard that so long after its next cycle was due has ended none is as good as dead: nothing is renewed."""

OFF = timedelta(0)


class DeadMan:
    """Keeps one account's timer from running out; without `after` there is none.

    It is armed once the account is enforced and a good picture was seen, and from then on renewed while the
    guard ends cycles, whatever these see: a blind daemon is not a dead one. All of it goes on beside the
    cycles, which never wait for it.
    """

    def __init__(self, *, broker: Broker, clock: Clock, after: timedelta | None, interval: timedelta) -> None:
        self._broker = broker
        self._clock = clock
        self._after = after
        self._silent_s = SILENT_S + interval.total_seconds()
        self._beat = float("-inf")
        self._is_wanted = False
        self._is_armed = False  # ... for all that is known
        self._runs_out = float("-inf")
        self._is_failing = False
        self._told_armed = False
        self._changed = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    def saw(self, mode: Mode, *, is_good: bool) -> None:
        """Note that a cycle has ended, under which mode, and whether it saw a good picture; asks nobody."""
        if self._after is None:
            return
        self._beat = self._clock.uptime()
        self._want(mode is Mode.ENFORCE and (is_good or self._is_wanted))
        if self._keeping is not None and self._keeping.done():
            self._close()
        if self._keeping is None and (self._is_wanted or self._is_armed):
            name = f"timer of {self._broker.account_id}"
            self._keeping = asyncio.create_task(self._keep(self._after), name=name)

    def _want(self, is_wanted: bool) -> None:  # noqa: FBT001 - the one thing it sets
        if self._is_wanted and not is_wanted:
            self._changed.set()
        self._is_wanted = is_wanted

    async def end(self) -> None:
        """Disarm after the last cycle; a renewal under way ends first, so that it cannot come after."""
        self._want(is_wanted=False)
        if self._keeping is not None:
            await asyncio.wait({self._keeping})
            self._close()

    def _close(self) -> None:
        """Take leave of the task that has ended; a bug in it is loud, and no cycle's."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None and not keeping.cancelled() and (error := keeping.exception()) is not None:
            logger().error("timer_bug", account=self._broker.account_id, exc_info=error)

    async def _keep(self, after: timedelta) -> None:
        """Renew for as long as that is wanted, then disarm."""
        while self._is_wanted:
            self._changed.clear()
            pause = after.total_seconds() / RENEWALS
            is_alive = self._clock.uptime() - self._beat <= self._silent_s
            if not is_alive:
                self._tell_failure(f"no cycle has ended for {self._silent_s:g} s")
            if not is_alive or not await self._ask(after):
                pause = min(pause / RENEWALS, LONGEST_RETRY_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), pause)
        if self._is_armed:
            await self._ask(OFF)

    async def _ask(self, after: timedelta) -> bool:
        asked_at = self._clock.uptime()
        if after:
            self._is_armed = True  # the answer may be lost, and the timer run all the same
        try:
            await self._broker.arm_timer(after)
        except BrokerError as error:
            self._tell_failure(str(error))
            return False
        self._is_armed = bool(after)
        self._runs_out = asked_at + after.total_seconds()
        self._tell_success(after)
        return True

    def _tell_failure(self, why: str) -> None:
        if self._is_failing:
            return
        self._is_failing = True
        left = self._runs_out - self._clock.uptime()
        will = "all orders of the account, protective stops included, unless it is reached before"
        if self._told_armed:
            message = f"in {max(left, 0):.0f} s the venue cancels {will}"
        else:
            message = "not known to be armed: no order is cancelled should margind die, unless it arrived"
        logger().warning("timer_not_renewed", account=self._broker.account_id, why=why, message=message)

    def _tell_success(self, after: timedelta) -> None:
        account = self._broker.account_id
        if not after:
            logger().info("timer_disarmed", account=account)
        elif not self._told_armed:
            message = (
                "not renewed in time, the venue cancels all orders of the account, protective stops included"
            )
            logger().info("timer_armed", account=account, after_s=after.total_seconds(), message=message)
        elif self._is_failing:
            logger().info("timer_renewed", account=account, after_s=after.total_seconds())
        self._told_armed, self._is_failing = bool(after), False
