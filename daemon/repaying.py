"""Giving back debt: each repayment journaled, sent once, and believed when a picture shows it.

No venue takes an id of ours for a repayment, so there is nothing to look up: the debt itself, read again,
says whether it worked. Until a picture shows it, or long enough has passed for the venue to have dropped it,
no further one is sent. One that comes to pass after all does no harm: what is sent is never more than the
picture shows as owed and free, and the next is sized from a later picture.
"""

from datetime import timedelta
from decimal import Decimal

from brokers.models import AccountSnapshot
from brokers.numbers import ZERO
from brokers.orders import Repayment, RepaymentReport, Verdict
from brokers.port import Broker
from daemon.clock import Clock
from daemon.risk.debt import owed_in
from daemon.risk.repayment import RepaymentPlan
from database.ids import client_order_id
from database.journal import Journal
from database.repayment_records import RepaymentRow, RepaymentState

CATCH_UP = timedelta(seconds=5)
"""So long after a repayment nothing else is done: pictures may not show yet what it has freed."""

FORGET_AFTER = timedelta(seconds=60)
"""A repayment that no picture shows by then never happened: venues take one within seconds."""

SHOWN = Decimal("0.5")
"""A debt that has fallen by so much of a repayment is repaid; the rest is interest and new borrowing."""

STATES = {
    Verdict.ACCEPTED: RepaymentState.ACCEPTED,
    Verdict.REJECTED: RepaymentState.REJECTED,
    Verdict.EXISTS: RepaymentState.UNKNOWN,
    Verdict.UNKNOWN: RepaymentState.UNKNOWN,
}


class Repaying:
    """One account's way to give back what it owes, with the ledger of what is under way."""

    def __init__(self, *, broker: Broker, journal: Journal, clock: Clock) -> None:
        self._broker = broker
        self._journal = journal
        self._clock = clock

    @property
    def is_offered(self) -> bool:
        """Whether the venue has a call for it."""
        return self._broker.capabilities.repay

    def is_fresh(self) -> bool:
        """Whether a repayment left so lately that a picture may not show it yet."""
        now = self._clock.now()
        return any(abs(now - row.created_at) < CATCH_UP for row in self._in_flight())

    def count_in(self, episode: int) -> int:
        """Return how many repayments one episode has seen."""
        return self._journal.repayments.count_in(self._broker.account_id, episode)

    def write_down(self, plan: RepaymentPlan, *, episode: int, step: int) -> RepaymentRow:
        """Journal a repayment within the caller's transaction; nothing may be sent before it commits."""
        account = self._broker.account_id
        row = RepaymentRow(
            client_id=client_order_id(
                self._journal.install.install_id,
                account=account,
                symbol=plan.currency,
                side="repay",
                margin_mode="",
                episode=episode,
                step=step,
                attempt=1,
            ),
            account=account,
            unit=plan.unit,
            currency=plan.currency,
            amount=plan.amount,
            owed_before=plan.owed,
            created_at=self._clock.now(),
            episode=episode,
            step=step,
        )
        self._journal.repayments.add(row)
        return self._journal.repayments.advance(row.client_id, RepaymentState.SENT, self._clock.now())

    async def send(self, row: RepaymentRow) -> RepaymentRow:
        """Send a journaled repayment once and journal the verdict."""
        repayment = Repayment(
            unit=row.unit, currency=row.currency, amount=row.amount, client_id=row.client_id
        )
        return self._record(row, await self._broker.repay(repayment))

    def settle(self, snapshot: AccountSnapshot | None) -> None:
        """Hold what is under way against a picture read after it: the debt has fallen, or long has not."""
        if snapshot is None:
            return
        for row in self._in_flight():
            state = self._judge(row, snapshot)
            if state is not None:
                with self._journal.transaction():
                    self._journal.repayments.advance(row.client_id, state, self._clock.now())

    def _judge(self, row: RepaymentRow, snapshot: AccountSnapshot) -> RepaymentState | None:
        if row.state is RepaymentState.PLANNED:
            return RepaymentState.REJECTED
        owed = owed_in(snapshot, row.unit, row.currency)
        if owed is None and row.amount >= row.owed_before:
            owed = ZERO  # venues leave out what is neither held nor owed
        if owed is not None and row.owed_before - owed >= SHOWN * (row.repaid or row.amount):
            return RepaymentState.COMPLETED
        ahead = self._broker.venue_now() - self._clock.now()
        is_later = snapshot.as_of - ahead > row.created_at + FORGET_AFTER
        return RepaymentState.ABSENT if is_later else None

    def _in_flight(self) -> tuple[RepaymentRow, ...]:
        return self._journal.repayments.in_flight(self._broker.account_id)

    def _record(self, row: RepaymentRow, report: RepaymentReport) -> RepaymentRow:
        with self._journal.transaction():
            return self._journal.repayments.advance(
                row.client_id,
                STATES[report.verdict],
                self._clock.now(),
                repaid=report.repaid,
                code=report.code,
                message=report.message,
            )


def repayment_sentence(row: RepaymentRow) -> str:
    """Return what became of a repayment as one line for people."""
    why = f" ({row.message or row.code})" if row.message or row.code else ""
    return f"repaid {row.amount} of {row.owed_before} {row.currency}: {row.state.value}{why}"
