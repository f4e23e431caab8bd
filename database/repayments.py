"""Repayments: those in flight, and how many an episode has seen."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from database.audit import AuditTrail
from database.errors import IllegalTransition, IntentExists, UnknownRecord
from database.journal_store import JournalStore
from database.journal_tables import repayments
from database.outbox import Outbox
from database.records import Event
from database.repayment_records import RepaymentRow, RepaymentState

R = RepaymentState

LEGAL_MOVES: Mapping[RepaymentState, frozenset[RepaymentState]] = {
    R.PLANNED: frozenset({R.SENT, R.REJECTED}),
    R.SENT: frozenset({R.UNKNOWN, R.ACCEPTED, R.COMPLETED, R.REJECTED, R.ABSENT}),
    R.UNKNOWN: frozenset({R.COMPLETED, R.ABSENT}),
    R.ACCEPTED: frozenset({R.COMPLETED, R.ABSENT}),
    R.COMPLETED: frozenset(),
    R.REJECTED: frozenset(),
    R.ABSENT: frozenset(),
}

INSERT = insert(repayments)
ONE = select(repayments).where(repayments.c.client_id == bindparam("client_id"))
IN_FLIGHT = (
    select(repayments)
    .where(
        repayments.c.account == bindparam("account"),
        repayments.c.state.in_([state for state in R if not state.is_final]),
    )
    .order_by(repayments.c.created_at)
)
COUNT = select(func.count().label("rows")).where(
    repayments.c.account == bindparam("account"), repayments.c.episode == bindparam("episode")
)
CHANGED = ("state", "repaid", "code", "message", "settled_at")
CHANGE = (
    update(repayments)
    .where(repayments.c.client_id == bindparam("of_repayment"))
    .values({name: bindparam(f"new_{name}") for name in CHANGED})
)


class Repayments:
    """The ledger of debt given back."""

    def __init__(self, store: JournalStore, outbox: Outbox, audit: AuditTrail) -> None:
        self._store = store
        self._outbox = outbox
        self._audit = audit

    def add(self, repayment: RepaymentRow) -> None:
        """Journal a repayment that is about to be sent, with the open transaction.

        Raises:
            IntentExists: that id is journaled already; do not send.
            IllegalTransition: it does not begin as PLANNED.
        """
        if repayment.state is not R.PLANNED:
            raise IllegalTransition(f"a repayment begins as planned, not as {repayment.state}")
        try:
            self._store.write(INSERT, repayment.values())
        except IntegrityError as error:
            raise IntentExists(f"repayment {repayment.client_id} is journaled already") from error
        self._tell(repayment, repayment.created_at)

    def advance(
        self,
        client_id: str,
        state: RepaymentState,
        at: datetime,
        *,
        repaid: Decimal | None = None,
        code: str | None = None,
        message: str | None = None,
    ) -> RepaymentRow:
        """Move a repayment to `state` on new evidence and return it; what is `None` stays as it was.

        Raises:
            UnknownRecord: no such repayment.
            IllegalTransition: the state machine has no such move.
        """
        old = self.get(client_id)
        if old is None:
            raise UnknownRecord(f"no repayment {client_id}")
        if state not in LEGAL_MOVES[old.state]:
            raise IllegalTransition(f"repayment {client_id} cannot go from {old.state} to {state}")
        new = replace(
            old,
            state=state,
            repaid=old.repaid if repaid is None else repaid,
            code=old.code if code is None else code,
            message=old.message if message is None else message,
            settled_at=at if state.is_final else None,
        )
        values: dict[str, object] = {f"new_{name}": getattr(new, name) for name in CHANGED}
        self._store.write(CHANGE, {"of_repayment": client_id, **values})
        self._tell(new, at)
        return new

    def get(self, client_id: str) -> RepaymentRow | None:
        """Return one repayment."""
        rows = self._store.rows(ONE, {"client_id": client_id})
        return RepaymentRow(**rows[0]) if rows else None

    def in_flight(self, account: str) -> tuple[RepaymentRow, ...]:
        """Return the account's repayments that are not final, oldest first."""
        rows = self._store.known(repayments, IN_FLIGHT, {"account": account})
        return tuple(RepaymentRow(**row) for row in rows)

    def count_in(self, account: str, episode: int) -> int:
        """Return how many repayments the account has sent in one episode, whatever became of them."""
        rows = self._store.known(repayments, COUNT, {"account": account, "episode": episode})
        return int(rows[0]["rows"])

    def _tell(self, repayment: RepaymentRow, at: datetime) -> None:
        self._outbox.append(
            Event(
                time=at,
                kind=f"repayment_{repayment.state}",
                message=f"{repayment.amount} of {repayment.owed_before} {repayment.currency} owed",
                account=repayment.account,
                episode=repayment.episode,
                step=repayment.step,
                detail=repayment.values(),
            )
        )
        self._audit.append(
            at=at,
            action=f"repayment_{repayment.state}",
            subject=repayment.client_id,
            account=repayment.account,
            detail=repayment.values(),
        )
