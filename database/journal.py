"""The journal: the local write-ahead log on which protection rests, and on nothing else.

Theory of operation. One SQLite file in the state directory (WAL, `synchronous=FULL`), one writing
connection, one process. What the daemon wants to do is written first and done after `transaction()` has
returned: by then it is on the disk. A cycle writes all of it at once,

    with journal.transaction():
        journal.plans.add(plan)
        journal.intents.add(intent)            # IntentExists: somebody was here before, do not send
        journal.alarms.save(alarm)
        journal.outbox.append(margin_sample)

and any exception inside leaves nothing of it. Rows for the history and links of the audit chain are made by
the nouns themselves (an intent brings its order row, a plan its event), in the same transaction.

A journal that cannot be trusted is never opened quietly: damage is `JournalDamaged`, an older state of itself
`JournalRewound` (the lock file of the directory remembers how far it had come).

The history lives in another file or server, so that no reader, batch or outage there can hold the journal's
write lock. Every call is synchronous; a commit costs one fsync.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from database.alarms import Alarms
from database.audit import AuditTrail
from database.daybooks import Daybooks
from database.episodes import Episodes
from database.intents import Intents
from database.journal_file import JournalFile
from database.journal_store import JournalStore
from database.latches import Latches
from database.operator_orders import OperatorOrders
from database.outbox import Outbox
from database.plans import Plans
from database.records import Event, Install
from database.repayments import Repayments
from database.shadows import Shadows
from database.transfers import Transfers

BUSY_TIMEOUT_S = 1.0
"""How long a write waits for a foreign lock; nobody but a maintenance tool should ever hold one."""

SAMPLE_LIMIT = 100_000
"""How many samples may wait for the history: hours of a handful of accounts, some 50 MB."""


class Journal:
    """Everything margind must not forget, one noun each."""

    def __init__(self, store: JournalStore, *, sample_limit: int = SAMPLE_LIMIT) -> None:
        self._store = store
        self.outbox = Outbox(store, sample_limit=sample_limit)
        self.audit = AuditTrail(store, self.outbox)
        self.episodes = Episodes(store, self.outbox, self.audit)
        self.plans = Plans(store, self.outbox, self.audit)
        self.intents = Intents(store, self.outbox, self.audit)
        self.latches = Latches(store, self.outbox, self.audit)
        self.alarms = Alarms(store)
        self.daybooks = Daybooks(store)
        self.transfers = Transfers(store, self.outbox, self.audit)
        self.shadows = Shadows(store)
        self.repayments = Repayments(store, self.outbox, self.audit)
        self.operator_orders = OperatorOrders(store, self.outbox, self.audit)

    @classmethod
    def open(
        cls,
        state_dir: Path,
        now: datetime,
        *,
        sample_limit: int = SAMPLE_LIMIT,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        accept_rewound: bool = False,
    ) -> Self:
        """Lock the state directory and open its journal, making one where there was never any.

        Raises:
            JournalInUse: another process has the directory.
            JournalDamaged: the journal is missing, damaged or another install's.
            JournalRewound: it is older than it was; `accept_rewound` goes on all the same.
            SchemaTooNew: a newer margind wrote it.
            JournalError: the file system refused.
        """
        file = JournalFile.open(state_dir, now, busy_timeout_s=busy_timeout_s, accept_rewound=accept_rewound)
        journal = cls(JournalStore(file), sample_limit=sample_limit)
        if file.lost_after is not None:
            journal.go_on_after(file.lost_after, now)
        return journal

    @property
    def install(self) -> Install:
        """Who we are: part of every client order id."""
        return self._store.file.install

    def go_on_after(self, sequence: int, now: datetime) -> None:
        """Number outbox rows above `sequence`, which this journal once reached and no longer knows of.

        Otherwise the history would take the new states of an order for older ones.
        """
        message = f"rows up to {sequence} were committed, the journal ends before them"
        with self.transaction():
            self.outbox.skip_to(sequence)
            self.outbox.append(Event(time=now, kind="journal_rewound", message=message))
            self.audit.append(at=now, action="journal_rewound", subject=message)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything written inside durably and at once, or nothing of it; not to be nested.

        Raises:
            JournalError: nothing was committed, so nothing of it may be sent.
        """
        with self._store.transaction():
            yield

    def maintain(self) -> None:
        """Move committed pages into the main file and renew the reserve; for the carrier's thread."""
        self._store.checkpoint()
        self._store.file.restore_reserve()

    def close(self) -> None:
        """Close the file and give the state directory up."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
