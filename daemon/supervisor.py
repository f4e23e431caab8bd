"""One guard per account, and nothing that fails in one ever leaves it.

A venue's outage is an outcome of the cycle. What else goes wrong in one, a bug or a journal that does not
take a row, is loud (a log event of its own, the account called unprotected) and is tried again after a pause,
while every other account goes on at its own pace.
"""

import asyncio
from collections.abc import Iterable

from brokers.models import AccountId
from daemon.clock import Clock
from daemon.cycle import Cycle
from daemon.diary import log_outcome
from daemon.logs import logger
from daemon.risk.assessment import Protection
from daemon.sdnotify import notify, watchdog_interval
from daemon.state import Board
from database.errors import JournalError, JournalFailed

PAUSES_S = (0.5, 1.0, 2.0, 5.0)
"""After the first, second, ... failure in a row; the last one stays. A guard never gives up."""

MISSED_BEAT_S = 30.0
"""An account that has neither finished nor visibly failed a cycle for so long holds the heartbeat back."""

STOP_GRACE_S = 15.0
"""How long a step under way may take to end after SIGTERM: a write's deadline and its record."""


class Guard:
    """Keeps one account under watch until told to stop."""

    def __init__(self, *, cycle: Cycle, board: Board, clock: Clock) -> None:
        self._cycle = cycle
        self._board = board
        self._clock = clock
        self._stopping = asyncio.Event()
        self._awake = asyncio.Event()
        self._failures = 0

    @property
    def account(self) -> AccountId:
        """Whose guard it is."""
        return self._cycle.account

    def stop(self) -> None:
        """End after the cycle under way; send nothing more."""
        self._stopping.set()
        self._awake.set()
        self._cycle.stop()

    def wake(self) -> None:
        """Run the next cycle at once; one under way is followed by another."""
        self._awake.set()

    async def run(self, first_pause: float = 1.0) -> None:
        """Run cycles at the account's own pace; the first pause is cut to that share of itself.

        A guard that is woken late (a busy machine) takes that off its next pause, up to half of it: so cycles
        come as often as they should, however late each of them is.

        Raises:
            JournalFailed: the disk refuses the journal: no account can be protected any more.
        """
        share, late = first_pause, 0.0
        while not self._stopping.is_set():
            self._awake.clear()
            pause = await self._once() * share
            share = 1.0
            pause -= min(late, pause / 2)
            due = self._clock.uptime() + pause
            try:
                await asyncio.wait_for(self._awake.wait(), pause)
            except TimeoutError:
                late = max(self._clock.uptime() - due, 0.0)
        await self._cycle.end()

    async def _once(self) -> float:
        try:
            outcome = await self._cycle.run()
            self._board.publish(outcome, self._clock.uptime())
            log_outcome(outcome)
        except JournalFailed:
            raise
        except Exception as error:  # noqa: BLE001 - the one place where a bug is contained
            pause = PAUSES_S[min(self._failures, len(PAUSES_S) - 1)]
            self._failures += 1
            logger().error(
                "journal_unavailable" if isinstance(error, JournalError) else "cycle_bug",
                account=self.account,
                protection=Protection.UNPROTECTED.value,
                failures=self._failures,
                retry_in_s=pause,
                exc_info=error,
            )
            outcome = self._cycle.distress(error)
            self._board.publish(outcome, self._clock.uptime())
            log_outcome(outcome)
            return pause
        self._failures = 0
        return outcome.next_s


class Supervisor:
    """All guards, the systemd heartbeat, and a stop that waits for steps under way."""

    def __init__(self, guards: Iterable[Guard], *, board: Board, clock: Clock) -> None:
        self._guards = tuple(guards)
        self._board = board
        self._clock = clock
        self._stopping = asyncio.Event()
        self._started = clock.uptime()

    def stop(self) -> None:
        """Stop every guard; `run` returns when each has ended its cycle."""
        self._stopping.set()
        for guard in self._guards:
            guard.stop()

    async def run(self) -> None:
        """Guard every account until `stop`; a guard still busy after the grace period is cancelled.

        All accounts are looked at at once, and then spread over the interval: guards that polled together
        would wait for one another in every cycle, and longest when all of them have to act.

        Raises:
            JournalFailed: the disk refuses the journal. Steps under way have ended by then, or are cut off.
        """
        heart = asyncio.create_task(self._beat(), name="heartbeat")
        stop = asyncio.create_task(self._stopping.wait(), name="stop")
        guards = [
            asyncio.create_task(guard.run(number / len(self._guards)), name=f"guard {guard.account}")
            for number, guard in enumerate(self._guards, start=1)
        ]
        try:
            await asyncio.wait({stop, heart, *guards}, return_when=asyncio.FIRST_COMPLETED)
            self.stop()
            if guards:
                await asyncio.wait(guards, timeout=STOP_GRACE_S)
        finally:
            tasks = (heart, stop, *guards)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in (heart, *guards):
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _beat(self) -> None:
        interval = watchdog_interval()
        while True:
            if interval is not None and not self.silent():
                notify("WATCHDOG=1")
            await self._clock.sleep(interval or MISSED_BEAT_S)

    def silent(self) -> tuple[AccountId, ...]:
        """Return the accounts that have made no visible progress for too long."""
        now = self._clock.uptime()
        return tuple(
            guard.account
            for guard in self._guards
            if now - (self._board.last_beat(guard.account) or self._started) > MISSED_BEAT_S
        )
