"""The outbox: rows for the history, committed with the facts they tell of.

Rows gather during a transaction and are written at its end, so that an outbox row exists if and only if its
fact does. The carrier reads them in batches in order, writes them to the history, and acknowledges; a crash
between the two delivers them again, and the history knows them by `event_id`.

Bound: samples (margin, positions) beyond `sample_limit` are dropped, oldest first, and counted. Everything
else stays until it is delivered.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, text, update

from database.ids import event_id
from database.journal_store import JournalStore
from database.journal_tables import install, outbox
from database.payload import KINDS, encode
from database.records import Alert, Event, HistoryRow, MarginSample, OutboxRow, PositionSample

DROP_AT_ONCE = 500
"""How many samples beyond the excess go when the limit is reached: one deletion serves many cycles."""

INSERT = insert(outbox)
BATCH = (
    select(
        outbox.c.sequence,
        outbox.c.event_id,
        outbox.c.kind,
        outbox.c.account,
        outbox.c.at,
        outbox.c.payload,
    )
    .where(outbox.c.parked.is_(None))
    .order_by(outbox.c.sequence)
    .limit(bindparam("count"))
)
OLDEST_SAMPLES = (
    select(outbox.c.sequence)
    .where(outbox.c.is_sample.is_(True))
    .order_by(outbox.c.sequence)
    .limit(bindparam("count"))
)
DROP = delete(outbox).where(outbox.c.sequence.in_(OLDEST_SAMPLES.scalar_subquery()))
COUNT_DROPPED = update(install).values(samples_dropped=install.c.samples_dropped + bindparam("count"))
DELIVERED = delete(outbox).where(outbox.c.sequence <= bindparam("up_to"), outbox.c.parked.is_(None))
DELIVERED_SAMPLES = DELIVERED.where(outbox.c.is_sample.is_(True))
PARK = update(outbox).where(outbox.c.sequence == bindparam("row")).values(parked=bindparam("why"))
UNPARK = update(outbox).where(outbox.c.parked.is_not(None)).values(parked=None)
SAMPLES = select(func.count()).select_from(outbox).where(outbox.c.is_sample.is_(True))
RAISE_SEQUENCE = text("UPDATE sqlite_sequence SET seq = max(seq, :least) WHERE name = 'outbox'")
FIRST_SEQUENCE = text("INSERT INTO sqlite_sequence (name, seq) VALUES ('outbox', :least)")
WAITING = select(
    func.count().filter(outbox.c.parked.is_(None)).label("waiting"),
    func.min(outbox.c.at).filter(outbox.c.parked.is_(None)).label("oldest_at"),
    func.count().filter(outbox.c.parked.is_not(None)).label("parked"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxStatus:
    """How much waits for the history; `parked` rows were refused by it for good and wait for a human."""

    waiting: int
    oldest_at: datetime | None
    parked: int
    samples_dropped: int


class Outbox:
    """Rows on their way to the history."""

    def __init__(self, store: JournalStore, *, sample_limit: int) -> None:
        self._store = store
        self._sample_limit = sample_limit
        self._samples: int = next(iter(store.rows(SAMPLES)[0].values()))
        self._dropped = store.file.samples_dropped
        self._gathered: list[dict[str, Any]] = []
        self._after = (self._samples, self._dropped)
        store.join(self)

    def append(self, row: MarginSample | PositionSample | Event | Alert) -> str:
        """Send `row` to the history with the open transaction; return its event id."""
        return self.carry(row, row.time, row.account)

    def carry(self, row: HistoryRow, at: datetime, account: str | None) -> str:
        """Send any row; the journal's own nouns use it for orders, events and the audit."""
        self._store.require_transaction()
        kind = KINDS[type(row)]
        identity = event_id(at)
        self._gathered.append(
            {
                "event_id": identity,
                "kind": kind,
                "account": account,
                "at": at,
                "payload": encode(row),
                "is_sample": kind.is_sample,
            }
        )
        return identity

    def batch(self, count: int) -> tuple[OutboxRow, ...]:
        """Return the oldest `count` rows that wait, in order. Reads beside the writer, never waits for it."""
        return tuple(OutboxRow(**row) for row in self._store.rows_beside(BATCH, {"count": count}))

    def acknowledge(self, up_to: int) -> None:
        """Forget every row up to that sequence number: the history has committed them."""
        samples = self._store.write(DELIVERED_SAMPLES, {"up_to": up_to})
        self._store.write(DELIVERED, {"up_to": up_to})
        self._after = (self._after[0] - samples, self._after[1])

    def park(self, sequence: int, why: str) -> None:
        """Set one row aside that the history refuses for what is in it, so that the others can pass."""
        self._store.write(PARK, {"row": sequence, "why": why})

    def last_sequence(self) -> int:
        """Return the highest sequence number ever given out."""
        return self._store.last_sequence()

    def skip_to(self, sequence: int) -> None:
        """Give out only numbers above `sequence` from now on.

        For a journal that was put back from a backup: the history has seen higher numbers, and would take
        the new states of an order for older ones.
        """
        if self._store.write(RAISE_SEQUENCE, {"least": sequence}) == 0:
            self._store.write(FIRST_SEQUENCE, {"least": sequence})

    def unpark(self) -> int:
        """Let every parked row try again; return how many."""
        return self._store.write(UNPARK, {})

    def status(self) -> OutboxStatus:
        """Count what waits."""
        row = self._store.rows_beside(WAITING)[0]
        return OutboxStatus(
            waiting=row["waiting"],
            oldest_at=row["oldest_at"],
            parked=row["parked"],
            samples_dropped=self._dropped,
        )

    def before_commit(self) -> None:
        """Write the gathered rows; drop the oldest samples if they have become too many."""
        if not self._gathered:
            return
        self._store.write(INSERT, self._gathered)
        samples, dropped = self._after
        samples += sum(row["is_sample"] for row in self._gathered)
        excess = samples - self._sample_limit
        if excess > 0:
            gone = self._store.write(DROP, {"count": min(excess + DROP_AT_ONCE, samples)})
            self._store.write(COUNT_DROPPED, {"count": gone})
            samples, dropped = samples - gone, dropped + gone
        self._after = (samples, dropped)

    def after(self, *, committed: bool) -> None:
        """Keep the new counts, or go back to the old ones."""
        if committed:
            self._samples, self._dropped = self._after
        self._after = (self._samples, self._dropped)
        self._gathered = []
