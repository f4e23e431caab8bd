"""The audit chain: every decision, order state and operator's act, each row sealing all before it.

    row_hash = SHA256(prev_hash | canonical_json(row without its hashes))

The chain is made in the journal, in the transaction of the fact, and travels to the history by the outbox.
There, changing, removing or inserting a row breaks every hash after it. Cutting off the end is seen by
comparing with `AuditTrail.head`, which the journal keeps and the daemon shows to outside witnesses.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import bindparam, update

from database.canonical import canonical_json, clean_text
from database.journal_file import GENESIS_HASH
from database.journal_store import JournalStore
from database.journal_tables import install
from database.outbox import Outbox
from database.records import AuditEntry

DAEMON = "margind"
"""The actor of what the daemon does by itself."""

SEALED = tuple(item.name for item in fields(AuditEntry) if item.name not in {"prev_hash", "row_hash"})

MOVE_HEAD = update(install).values(audit_count=bindparam("count"), audit_hash=bindparam("hash"))


def row_hash(entry: AuditEntry) -> str:
    """Return the hash that `entry` must carry."""
    sealed = canonical_json({name: getattr(entry, name) for name in SEALED})
    return sha256(f"{entry.prev_hash}|{sealed}".encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead:
    """The end of a chain: how many links it has and the hash of the last."""

    chain: str
    count: int
    row_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditVerdict:
    """What a check of a chain found; `broken_at` is the number of the first wrong link, `why` says how."""

    chain: str
    count: int
    is_intact: bool
    broken_at: int | None = None
    why: str | None = None


def verify_chain(chain: str, entries: Iterable[AuditEntry], head: AuditHead | None = None) -> AuditVerdict:
    """Check `entries` of one chain, in order of number, from its first link to its last.

    With `head` (of the journal) also that the end is there and is the same; links of the chain beyond the
    head are wrong too, those not delivered yet look like a missing end.
    """
    expected, previous = 1, GENESIS_HASH
    for entry in entries:
        why = None
        if entry.number != expected:
            why = "a link is missing" if entry.number > expected else "two links have this number"
        elif entry.prev_hash != previous:
            why = "it does not follow the link before it"
        elif entry.row_hash != row_hash(entry):
            why = "it was changed after it was written"
        if why is not None:
            return AuditVerdict(
                chain=chain,
                count=expected - 1,
                is_intact=False,
                broken_at=min(expected, entry.number),
                why=why,
            )
        expected, previous = expected + 1, entry.row_hash
    count = expected - 1
    if head is not None and (head.count, head.row_hash) != (count, previous):
        return AuditVerdict(
            chain=chain,
            count=count,
            is_intact=False,
            broken_at=min(count, head.count) + 1,
            why=f"the chain has {count} links here, the journal knows of {head.count}",
        )
    return AuditVerdict(chain=chain, count=count, is_intact=True)


class AuditTrail:
    """The growing end of this install's chain."""

    def __init__(self, store: JournalStore, outbox: Outbox) -> None:
        self._store = store
        self._outbox = outbox
        self._head = AuditHead(
            chain=store.file.install.install_id,
            count=store.file.audit_count,
            row_hash=store.file.audit_hash,
        )
        self._after = self._head
        store.join(self)

    @property
    def head(self) -> AuditHead:
        """The end of the chain, as committed."""
        return self._head

    def append(
        self,
        *,
        at: datetime,
        action: str,
        subject: str,
        actor: str = DAEMON,
        account: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> AuditEntry:
        """Add a link with the open transaction: `actor` did `action` to `subject`."""
        entry = AuditEntry(
            chain=self._after.chain,
            number=self._after.count + 1,
            time=at,
            actor=clean_text(actor),
            action=clean_text(action),
            subject=clean_text(subject),
            account=account,
            detail=detail or {},
            prev_hash=self._after.row_hash,
            row_hash="",
        )
        entry = replace(entry, row_hash=row_hash(entry))
        self._outbox.carry(entry, at, account)
        self._after = AuditHead(chain=entry.chain, count=entry.number, row_hash=entry.row_hash)
        return entry

    def before_commit(self) -> None:
        """Move the head with the links."""
        if self._after is not self._head:
            self._store.write(MOVE_HEAD, {"count": self._after.count, "hash": self._after.row_hash})

    def after(self, *, committed: bool) -> None:
        """Keep the new head, or go back to the old one."""
        if committed:
            self._head = self._after
        self._after = self._head
