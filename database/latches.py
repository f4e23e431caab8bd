"""Latches: what must stay on over any restart until the venue proves it done."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import bindparam, insert, select, update

from database.audit import DAEMON, AuditTrail
from database.journal_store import JournalStore
from database.journal_tables import latches
from database.outbox import Outbox
from database.records import Event, Latch

INSERT = insert(latches)
SET_OF = (
    select(*(latches.c[name] for name in Latch.__slots__))
    .where(latches.c.cleared_at.is_(None), latches.c.account == bindparam("account"))
    .order_by(latches.c.number)
)
CLEAR = (
    update(latches)
    .where(
        latches.c.account == bindparam("of_account"),
        latches.c.name == bindparam("of_name"),
        latches.c.cleared_at.is_(None),
    )
    .values(cleared_at=bindparam("at"))
)


class Latches:
    """Named flags of an account that survive everything but their own clearing."""

    def __init__(self, store: JournalStore, outbox: Outbox, audit: AuditTrail) -> None:
        self._store = store
        self._outbox = outbox
        self._audit = audit

    def set(self, account: str, name: str, at: datetime, *, reason: str, actor: str = DAEMON) -> Latch:
        """Set a latch; one that is set already stays with its own time and reason."""
        for latch in self.of(account):
            if latch.name == name:
                return latch
        latch = Latch(account=account, name=name, set_at=at, reason=reason)
        self._store.write(INSERT, latch.values())
        self._tell(latch, "latch_set", at, reason, actor)
        return latch

    def clear(
        self, account: str, name: str, at: datetime, *, reason: str, actor: str = DAEMON
    ) -> Latch | None:
        """Clear a latch and return it; `None` if it was not set."""
        for latch in self.of(account):
            if latch.name == name:
                self._store.write(CLEAR, {"of_account": account, "of_name": name, "at": at})
                cleared = replace(latch, cleared_at=at)
                self._tell(cleared, "latch_cleared", at, reason, actor)
                return cleared
        return None

    def of(self, account: str) -> tuple[Latch, ...]:
        """Return the latches that are set on an account."""
        return tuple(Latch(**row) for row in self._store.known(latches, SET_OF, {"account": account}))

    def _tell(self, latch: Latch, kind: str, at: datetime, reason: str, actor: str) -> None:
        self._outbox.append(
            Event(
                time=at,
                kind=kind,
                message=f"{latch.name}: {reason}",
                account=latch.account,
                reason=reason,
                detail={"latch": latch.name, "actor": actor, "set_at": latch.set_at},
            )
        )
        self._audit.append(
            at=at,
            action=kind,
            subject=f"{latch.account}/{latch.name}",
            actor=actor,
            account=latch.account,
            detail={"reason": reason, "set_at": latch.set_at},
        )
