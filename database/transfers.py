"""Transfers: top-ups in flight, and how much was moved lately."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from database.audit import AuditTrail
from database.errors import IllegalTransition, IntentExists, UnknownRecord
from database.journal_store import JournalStore
from database.journal_tables import transfers
from database.outbox import Outbox
from database.records import Event, Transfer, TransferState

T = TransferState

LEGAL_MOVES: Mapping[TransferState, frozenset[TransferState]] = {
    T.PLANNED: frozenset({T.SENT, T.REJECTED}),
    T.SENT: frozenset({T.COMPLETED, T.UNKNOWN, T.REJECTED, T.ABSENT}),
    T.UNKNOWN: frozenset({T.UNKNOWN, T.COMPLETED, T.REJECTED, T.ABSENT}),
    T.COMPLETED: frozenset({T.COMPLETED}),
    T.REJECTED: frozenset({T.REJECTED, T.COMPLETED}),
    T.ABSENT: frozenset({T.ABSENT, T.COMPLETED}),
}
"""Evidence that the money moved outranks every earlier verdict; a planned one that is dropped is REJECTED."""

NOT_MOVED = (T.REJECTED, T.ABSENT)

INSERT = insert(transfers)
ONE = select(transfers).where(transfers.c.client_id == bindparam("client_id"))
IN_FLIGHT = (
    select(transfers)
    .where(
        transfers.c.account == bindparam("account"),
        transfers.c.state.in_((T.PLANNED, T.SENT, T.UNKNOWN)),
    )
    .order_by(transfers.c.created_at)
)
SINCE = select(transfers).where(
    transfers.c.account == bindparam("account"), transfers.c.created_at >= bindparam("since")
)
AMOUNTS = select(transfers.c.amount).where(
    transfers.c.account == bindparam("account"),
    transfers.c.currency == bindparam("currency"),
    transfers.c.created_at >= bindparam("since"),
    transfers.c.state.not_in(NOT_MOVED),
)
CHANGED = ("state", "transfer_id", "code", "message", "settled_at")
CHANGE = (
    update(transfers)
    .where(transfers.c.client_id == bindparam("of_transfer"))
    .values({name: bindparam(f"new_{name}") for name in CHANGED})
)


class Transfers:
    """The ledger of collateral moved in from the funding wallet."""

    def __init__(self, store: JournalStore, outbox: Outbox, audit: AuditTrail) -> None:
        self._store = store
        self._outbox = outbox
        self._audit = audit

    def add(self, transfer: Transfer) -> None:
        """Journal a transfer that is about to be sent, with the open transaction.

        Raises:
            IntentExists: that id is journaled already; do not send.
            IllegalTransition: it does not begin as PLANNED.
        """
        if transfer.state is not T.PLANNED:
            raise IllegalTransition(f"a transfer begins as planned, not as {transfer.state}")
        try:
            self._store.write(INSERT, transfer.values())
        except IntegrityError as error:
            raise IntentExists(f"transfer {transfer.client_id} is journaled already") from error
        self._tell(transfer, transfer.created_at)

    def advance(
        self,
        client_id: str,
        state: TransferState,
        at: datetime,
        *,
        transfer_id: str | None = None,
        code: str | None = None,
        message: str | None = None,
    ) -> Transfer:
        """Move a transfer to `state` on new evidence and return it; what is `None` stays as it was.

        Raises:
            UnknownRecord: no such transfer.
            IllegalTransition: the state machine has no such move.
        """
        rows = self._store.rows(ONE, {"client_id": client_id})
        if not rows:
            raise UnknownRecord(f"no transfer {client_id}")
        old = Transfer(**rows[0])
        if state not in LEGAL_MOVES[old.state]:
            raise IllegalTransition(f"transfer {client_id} cannot go from {old.state} to {state}")
        new = replace(
            old,
            state=state,
            transfer_id=old.transfer_id if transfer_id is None else transfer_id,
            code=old.code if code is None else code,
            message=old.message if message is None else message,
            settled_at=(old.settled_at or at) if state.is_final else None,
        )
        values: dict[str, object] = {f"new_{name}": getattr(new, name) for name in CHANGED}
        self._store.write(CHANGE, {"of_transfer": client_id, **values})
        self._tell(new, at)
        return new

    def get(self, client_id: str) -> Transfer | None:
        """Return one transfer."""
        rows = self._store.rows(ONE, {"client_id": client_id})
        return Transfer(**rows[0]) if rows else None

    def in_flight(self, account: str) -> tuple[Transfer, ...]:
        """Return the account's transfers that are not final, oldest first: count them as arriving."""
        rows = self._store.known(transfers, IN_FLIGHT, {"account": account})
        return tuple(Transfer(**row) for row in rows)

    def since(self, account: str, since: datetime) -> tuple[Transfer, ...]:
        """Return the account's transfers that were journaled since then, whatever became of them."""
        rows = self._store.rows(SINCE, {"account": account, "since": since})
        return tuple(Transfer(**row) for row in rows)

    def total_since(self, account: str, currency: str, since: datetime) -> Decimal:
        """Return what was moved since then, transfers without a verdict included, in `currency`."""
        rows = self._store.rows(AMOUNTS, {"account": account, "currency": currency, "since": since})
        return sum((row["amount"] for row in rows), Decimal(0))

    def _tell(self, transfer: Transfer, at: datetime) -> None:
        self._outbox.append(
            Event(
                time=at,
                kind=f"transfer_{transfer.state}",
                message=f"{transfer.amount} {transfer.currency} from the funding wallet",
                account=transfer.account,
                episode=transfer.episode,
                step=transfer.step,
                detail=transfer.values(),
            )
        )
        self._audit.append(
            at=at,
            action=f"transfer_{transfer.state}",
            subject=transfer.client_id,
            account=transfer.account,
            detail=transfer.values(),
        )
