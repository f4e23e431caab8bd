"""Finding out what became of a write that has no verdict; never sending it again.

Theory of operation. Every cycle, and every start, first asks the venue once for each open intent; while one
is open the account holds (SETTLING) and goes on alarming. An order the venue knows is adopted. One it does
not know stays NOT_FOUND until the venue can no longer accept it, which the venue itself enforces by the
order's deadline, and a lookup after that still does not find it: then it is ABSENT, and the next plan is
sized from a picture read after all that. A venue that answers reads but not lookups, or for ever says that an
order is open, may hold the account up no longer than `PATIENCE` past the deadline: orders are
immediate-or-cancel, so by then the picture tells all they did.

A planned intent never left: the commit that marks it SENT precedes the socket.
"""

import asyncio
from datetime import datetime, timedelta

from brokers.errors import BrokerError
from brokers.models import MarginMode, OrderSide, Side, Symbol
from brokers.orders import ClientOrderId, OrderReport, SentOrder, Verdict
from brokers.port import Broker
from daemon.clock import Clock
from daemon.execution import record_report
from database.journal import Journal
from database.records import Intent, IntentState

SLACK = timedelta(milliseconds=1500)
"""After a deadline: the clock's error (0.5 s) and the venue's own delay (1 s)."""

PATIENCE = timedelta(seconds=15)

UNSENT_MESSAGE = "never sent: the process ended between planning and sending"
SILENT_MESSAGE = "the venue did not answer for this order; its deadline is long past and the picture is newer"
LINGERING_MESSAGE = "the venue still calls it open long past its deadline; the picture tells what it did"
FORGOTTEN_MESSAGE = "the venue acknowledged it and no longer knows it; the picture tells what it did"


class Settlement:
    """One account's open intents, brought to an end by evidence."""

    def __init__(self, *, broker: Broker, journal: Journal, clock: Clock) -> None:
        self._broker = broker
        self._journal = journal
        self._clock = clock

    def open(self) -> tuple[Intent, ...]:
        """Return the intents without a final state, oldest first."""
        return self._journal.intents.open(self._broker.account_id)

    def proof_in_s(self) -> float | None:
        """Return in how many seconds one more look can end all that is open.

        `None`: that cannot be said, or it could have by now, and the venue did not answer.
        """
        intents = self.open()
        due = [i.deadline for i in intents if i.state is IntentState.NOT_FOUND and i.deadline is not None]
        if not due or len(due) < len(intents):
            return None
        left = (max(due) + SLACK - self._broker.venue_now()).total_seconds()
        return left if left > 0 else None

    async def settle(self) -> tuple[Intent, ...]:
        """Ask once for each open intent and journal the answers; return the intents whose state changed."""
        before = self.open()
        if not before:
            return ()
        after = await asyncio.gather(*map(self._settle, before))
        return tuple(new for old, new in zip(before, after, strict=True) if new.state is not old.state)

    async def _settle(self, intent: Intent) -> Intent:
        if intent.state is IntentState.PLANNED:
            return self._move(intent, IntentState.ABANDONED, UNSENT_MESSAGE)
        asked_at = self._broker.venue_now()
        sent = self._as_sent(intent)
        if sent is not None:
            self._broker.recall(sent)
        try:
            report = await self._broker.find_order(ClientOrderId(intent.intent_id), Symbol(intent.symbol))
        except BrokerError as error:
            return self._unanswered(intent, asked_at, str(error))
        if report is None:
            return self._not_found(intent, asked_at)
        if report.verdict is not Verdict.ACCEPTED:
            return self._unanswered(intent, asked_at, report.message or "an answer about another order")
        return self._found(intent, report, asked_at)

    def _as_sent(self, intent: Intent) -> SentOrder | None:
        """Return the order that an intent was written down for; `None`: it was for none."""
        if intent.quantity is None or intent.deadline is None or intent.margin_mode not in set(MarginMode):
            return None
        return SentOrder(
            client_order_id=ClientOrderId(intent.intent_id),
            symbol=Symbol(intent.symbol),
            side=OrderSide.SELL if intent.side == Side.LONG else OrderSide.BUY,
            quantity=intent.quantity,
            limit_price=intent.limit_price,
            margin_mode=MarginMode(intent.margin_mode),
            sent_at=intent.deadline - self._broker.capabilities.order_time_to_live,
            deadline=intent.deadline,
            order_id=intent.venue_order_id,
        )

    def _found(self, intent: Intent, report: OrderReport, asked_at: datetime) -> Intent:
        if not report.is_final and self._is_past(intent, asked_at, PATIENCE):
            return self._move(self._adopted(intent, report), IntentState.CANCELLED, LINGERING_MESSAGE)
        return self._adopted(intent, report)

    def _adopted(self, intent: Intent, report: OrderReport) -> Intent:
        """Journal what the venue says, unless it says what is known already."""
        is_known = (
            not report.is_final and intent.state is IntentState.ACCEPTED and intent.filled == report.filled
        )
        if is_known:
            return intent
        with self._journal.transaction():
            return record_report(self._journal, intent, report, self._clock)

    def _not_found(self, intent: Intent, asked_at: datetime) -> Intent:
        """Take a second absence, asked for after the deadline, as proof."""
        if intent.state is IntentState.ACCEPTED:
            if self._is_past(intent, asked_at, PATIENCE):
                return self._move(intent, IntentState.CANCELLED, FORGOTTEN_MESSAGE)
            return intent
        if intent.state is not IntentState.NOT_FOUND:
            return self._move(intent, IntentState.NOT_FOUND)
        if self._is_past(intent, asked_at, SLACK):
            return self._move(intent, IntentState.ABSENT)
        return intent

    def _unanswered(self, intent: Intent, asked_at: datetime, error: str) -> Intent:
        if not self._is_past(intent, asked_at, PATIENCE):
            return intent
        message = f"{SILENT_MESSAGE}: {error}"
        if intent.state is IntentState.ACCEPTED:
            return self._move(intent, IntentState.CANCELLED, message)
        with self._journal.transaction():
            if intent.state is not IntentState.NOT_FOUND:
                self._journal.intents.advance(intent.intent_id, IntentState.NOT_FOUND, self._clock.now())
            return self._journal.intents.advance(
                intent.intent_id, IntentState.ABSENT, self._clock.now(), message=message
            )

    @staticmethod
    def _is_past(intent: Intent, asked_at: datetime, wait: timedelta) -> bool:
        return intent.deadline is None or asked_at > intent.deadline + wait

    def _move(self, intent: Intent, state: IntentState, message: str | None = None) -> Intent:
        with self._journal.transaction():
            return self._journal.intents.advance(intent.intent_id, state, self._clock.now(), message=message)
