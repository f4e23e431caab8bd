"""The carrier: brings the outbox to the history, at least once, in a thread that nothing waits for.

Theory of operation. A round reads the oldest batch, writes it to the history in one transaction, then
acknowledges it in the journal. A crash between the two brings the batch again; the history knows its rows.
A history that does not answer costs a pause (doubling up to `LONGEST_PAUSE_S`) and nothing else: rows wait
in the journal. A row that the history refuses for what is in it is found by halving the batch, parked with
the reason, and passed by. Nothing here raises into the daemon; `status` says how it stands.

A history that has seen more of this install than the journal has ever sent means that the journal was put
back from a backup: `is_rewound` says so for the rest of the run, and numbering goes on above the gap.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from database.errors import DatabaseError, HistoryRefused
from database.history import History
from database.journal import Journal
from database.records import OutboxRow

BATCH = 500
IDLE_S = 0.5
SHORTEST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierStatus:
    """How delivery stands. `lag` is the age of the oldest row that waits; zero when none does."""

    delivered: int = 0
    waiting: int = 0
    parked: int = 0
    samples_dropped: int = 0
    lag: timedelta = timedelta(0)
    failures: int = 0
    last_error: str | None = None
    last_delivered_at: datetime | None = None
    is_rewound: bool = False


class Carrier:
    """Delivers one journal's outbox; `drain` does it once, `start` keeps doing it in a thread."""

    def __init__(
        self,
        journal: Journal,
        history: History,
        clock: Callable[[], datetime],
        *,
        prepare: Callable[[], object] | None = None,
        batch_size: int = BATCH,
        idle_s: float = IDLE_S,
    ) -> None:
        """`prepare` runs before the first delivery and again until it succeeds (an upgrade, say)."""
        self._journal = journal
        self._history = history
        self._clock = clock
        self._prepare = prepare
        self._batch_size = batch_size
        self._idle_s = idle_s
        self._is_ready = False
        self._status = CarrierStatus()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def status(self) -> CarrierStatus:
        """How delivery stood after the last round; never blocks."""
        return self._status

    def drain(self) -> CarrierStatus:
        """Deliver until nothing waits or something fails; what failed stands in the status."""
        try:
            self._make_ready()
            while rows := self._journal.outbox.batch(self._batch_size):
                self._deliver(rows)
                self._succeeded(len(rows))
            self._journal.maintain()
            self._status = replace(self._status, failures=0, last_error=None)
        except Exception as error:  # noqa: BLE001 - a thread that dies unseen would let the outbox grow unseen
            self._failed(error)
        self._measure()
        return self._status

    def pause_s(self) -> float:
        """Return how long to wait before the next round."""
        if self._status.failures == 0:
            return self._idle_s
        return min(SHORTEST_PAUSE_S * 2.0 ** min(self._status.failures - 1, 16), LONGEST_PAUSE_S)

    def start(self) -> None:
        """Deliver in a daemon thread until `stop`."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="margind-carrier", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Deliver what waits, if the history answers in time, and end the thread; return whether it ended.

        A thread that hangs in a dead connection is left behind: it is a daemon thread, its rows are safe.
        """
        self._stopping.set()
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.drain()
            self._stopping.wait(self.pause_s())
        if self._status.failures == 0:
            self.drain()

    def _make_ready(self) -> None:
        if self._is_ready:
            return
        if self._prepare is not None:
            self._prepare()
        seen = self._history.delivered()
        if seen > self._journal.outbox.last_sequence():
            self._journal.go_on_after(seen, self._clock())
            self._status = replace(self._status, is_rewound=True)
        self._is_ready = True

    def _deliver(self, rows: Sequence[OutboxRow]) -> None:
        """Write and acknowledge `rows`; where one of them is refused, halve until it stands alone."""
        try:
            self._history.write(rows, self._clock())
        except HistoryRefused as error:
            if len(rows) == 1:
                with self._journal.transaction():
                    self._journal.outbox.park(rows[0].sequence, str(error))
                return
            middle = len(rows) // 2
            self._deliver(rows[:middle])
            self._deliver(rows[middle:])
            return
        with self._journal.transaction():
            self._journal.outbox.acknowledge(rows[-1].sequence)

    def _failed(self, error: Exception) -> None:
        self._status = replace(
            self._status,
            failures=self._status.failures + 1,
            last_error=f"{type(error).__name__}: {error}",
        )

    def _succeeded(self, count: int) -> None:
        self._status = replace(
            self._status,
            delivered=self._status.delivered + count,
            failures=0,
            last_error=None,
            last_delivered_at=self._clock(),
        )

    def _measure(self) -> None:
        try:
            outbox = self._journal.outbox.status()
        except DatabaseError:
            return  # the journal is closed or failed; its owner knows
        lag = self._clock() - outbox.oldest_at if outbox.oldest_at else timedelta(0)
        self._status = replace(
            self._status,
            waiting=outbox.waiting,
            parked=outbox.parked,
            samples_dropped=outbox.samples_dropped,
            lag=max(lag, timedelta(0)),
        )
