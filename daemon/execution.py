"""Carrying out an approved plan, order by order.

Theory of operation. The plan, its intents and whatever else the cycle wants to remember are committed in one
transaction before anything is sent; the first intent is committed as SENT, each further one as PLANNED. After
every answer one more commit records it and marks the next intent SENT, so that at any moment a crash leaves
proof of what may have left. An answer without a verdict ends the step: the rest is abandoned, unsent, and
`daemon.settlement` finds out. The orders of one group are the legs of a hedge: the next leg leaves only when
the one before it is known to have filled whole, else it is abandoned too, so that a leg that failed never
leaves its partner naked. Nothing is ever sent twice.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from brokers.errors import BrokerError
from brokers.models import AccountSnapshot, Position
from brokers.orders import ClientOrderId, OrderReport, OrderState, ReduceOrder, Verdict
from brokers.port import Broker
from daemon.clock import Clock
from daemon.risk.guard import ApprovedPlan
from daemon.risk.margin import unrealized_pnl
from daemon.risk.policy import Action
from daemon.risk.reason import Reason
from daemon.risk.reduction import PlannedOrder
from database.ids import client_order_id
from database.journal import Journal
from database.records import Intent, IntentKind, IntentState

FILL_PATIENCE_S = 1.0
FILL_LOOKUPS = 8
FILL_LOOKUP_PAUSE_S = 0.1
"""An acknowledgement is not a fill: some venues tell only when asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One order of a step with its intent, and what it takes to reckon its slippage."""

    intent: Intent
    order: ReduceOrder
    contract_size: Decimal | None
    group: int | None = None


class Execution:
    """The only part of margind that sends orders, and it takes approved plans only."""

    def __init__(self, *, broker: Broker, journal: Journal, clock: Clock) -> None:
        self._broker = broker
        self._journal = journal
        self._clock = clock
        self._stopping = False

    def stop(self) -> None:
        """Send nothing more; what has left is still recorded."""
        self._stopping = True

    def write_down(
        self,
        approved: ApprovedPlan,
        snapshot: AccountSnapshot,
        *,
        plan_id: str,
        episode: int,
        step: int,
        reason: Reason,
    ) -> tuple[Ticket, ...]:
        """Journal the plan's intents within the caller's transaction; nothing may be sent before it commits.

        Raises:
            JournalError: nothing was written, so nothing may be sent.
        """
        tickets = tuple(
            self._ticket(
                planned, approved, snapshot, plan_id=plan_id, episode=episode, step=step, reason=reason
            )
            for planned in approved.plan.orders
        )
        for number, ticket in enumerate(tickets):
            intent = ticket.intent
            if number == 0:
                intent = replace(intent, state=IntentState.SENT, sent_at=intent.created_at)
            self._journal.intents.add(intent)
        return tickets

    def _ticket(
        self,
        planned: PlannedOrder,
        approved: ApprovedPlan,
        snapshot: AccountSnapshot,
        *,
        plan_id: str,
        episode: int,
        step: int,
        reason: Reason,
    ) -> Ticket:
        position = planned.position
        attempt, order_id = self._name(position, episode=episode, step=step)
        order = ReduceOrder(
            position=position,
            quantity=planned.quantity,
            client_order_id=ClientOrderId(order_id),
            deadline=self._broker.venue_now() + self._broker.capabilities.order_time_to_live,
            limit_price=planned.limit_price,
        )
        flattening = approved.plan.action is Action.FLATTEN
        intent = Intent(
            intent_id=order_id,
            account=snapshot.account_id,
            symbol=position.symbol,
            side=position.side.value,
            margin_mode=position.margin_mode.value,
            episode=episode,
            step=step,
            attempt=attempt,
            kind=IntentKind.FLATTEN if flattening else IntentKind.REDUCE,
            reason=reason.value,
            created_at=self._clock.now(),
            quantity=planned.quantity,
            quantity_before=position.quantity,
            limit_price=planned.limit_price,
            deadline=order.deadline,
            plan_id=plan_id,
        )
        rules = snapshot.markets.get(position.symbol)
        return Ticket(
            intent=intent,
            order=order,
            contract_size=rules.contract_size if rules else None,
            group=planned.group,
        )

    def _name(self, position: Position, *, episode: int, step: int) -> tuple[int, str]:
        """Return the next attempt to cut a position in a step, and the client order id that names it."""
        account, symbol = self._broker.account_id, position.symbol
        side, margin_mode = position.side.value, position.margin_mode.value
        attempt = self._journal.intents.next_attempt(
            account=account, symbol=symbol, side=side, margin_mode=margin_mode, episode=episode, step=step
        )
        order_id = client_order_id(
            self._journal.install.install_id,
            account=account,
            symbol=symbol,
            side=side,
            margin_mode=margin_mode,
            episode=episode,
            step=step,
            attempt=attempt,
        )
        return attempt, order_id

    async def send(self, tickets: Sequence[Ticket]) -> tuple[Intent, ...]:
        """Send what `write_down` journaled, one order after the other; return what became of each."""
        done: list[Intent] = []
        for number, ticket in enumerate(tickets):
            intent = await self._send(ticket)
            following = tickets[number + 1 :]
            if following and following[0].group is not None and following[0].group == ticket.group:
                (intent,) = await self._fills_of((ticket,), (intent,))
            done.append(intent)
            if not following:
                break
            if not self._goes_on(ticket, intent, following[0]):
                done += self._abandon(following)
                break
            with self._journal.transaction():
                self._advance(following[0], IntentState.SENT)
        return await self._fills_of(tickets, done)

    async def _send(self, ticket: Ticket) -> Intent:
        report = await self._broker.submit(ticket.order)
        with self._journal.transaction():
            return self._record(ticket, report)

    def _goes_on(self, ticket: Ticket, intent: Intent, following: Ticket) -> bool:
        """Whether the next order may leave after what became of this one."""
        if self._stopping or intent.state in {IntentState.UNKNOWN, IntentState.NOT_FOUND}:
            return False
        if ticket.group is None or ticket.group != following.group:
            return True
        return intent.state is IntentState.FILLED

    def _abandon(self, tickets: Sequence[Ticket]) -> list[Intent]:
        with self._journal.transaction():
            return [self._advance(ticket, IntentState.ABANDONED) for ticket in tickets]

    def _advance(self, ticket: Ticket, state: IntentState) -> Intent:
        return self._journal.intents.advance(ticket.intent.intent_id, state, self._clock.now())

    def _record(self, ticket: Ticket, report: OrderReport) -> Intent:
        return record_report(
            self._journal, ticket.intent, report, self._clock, slippage=_slippage_of(ticket, report)
        )

    async def _fills_of(self, tickets: Sequence[Ticket], intents: Sequence[Intent]) -> tuple[Intent, ...]:
        """Ask what acknowledged orders have filled, all at once and for a moment."""
        of_intent = {ticket.intent.intent_id: ticket for ticket in tickets}
        asked = [
            asyncio.create_task(self._fill_of(of_intent[intent.intent_id]))
            for intent in intents
            if intent.state is IntentState.ACCEPTED
        ]
        if not asked:
            return tuple(intents)
        _, late = await asyncio.wait(asked, timeout=FILL_PATIENCE_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        current = (self._journal.intents.get(intent.intent_id) or intent for intent in intents)
        return tuple(current)

    async def _fill_of(self, ticket: Ticket) -> None:
        """Ask until the order is final; an answer is journaled at once."""
        for _ in range(FILL_LOOKUPS):
            try:
                report = await self._broker.find_order(ticket.order.client_order_id, ticket.order.symbol)
            except BrokerError:
                return
            if report is not None and report.verdict is Verdict.ACCEPTED and report.is_final:
                with self._journal.transaction():
                    self._record(ticket, report)
                return
            await self._clock.sleep(FILL_LOOKUP_PAUSE_S)


STATE_OF_ORDER = {
    OrderState.OPEN: IntentState.ACCEPTED,
    OrderState.FILLED: IntentState.FILLED,
    OrderState.CANCELLED: IntentState.CANCELLED,
    OrderState.REJECTED: IntentState.REJECTED,
    None: IntentState.ACCEPTED,
}

STATE_OF_VERDICT = {
    Verdict.REJECTED: IntentState.REJECTED,
    Verdict.EXISTS: IntentState.UNKNOWN,  # the venue has the id: the lookup says what became of it
    Verdict.UNKNOWN: IntentState.UNKNOWN,
}


def record_report(
    journal: Journal, intent: Intent, report: OrderReport, clock: Clock, *, slippage: Decimal | None = None
) -> Intent:
    """Journal what the venue says of an order, within the caller's transaction."""
    if report.verdict is Verdict.ACCEPTED or report.state is not None:
        state = STATE_OF_ORDER[report.state]
    else:
        state = STATE_OF_VERDICT[report.verdict]
    return journal.intents.advance(
        intent.intent_id,
        state,
        clock.now(),
        venue_order_id=report.order_id,
        filled=report.filled,
        average_price=report.average_price,
        fee=report.fee,
        slippage=slippage,
        code=report.code,
        message=report.message,
    )


def _slippage_of(ticket: Ticket, report: OrderReport) -> Decimal | None:
    """Return what the fill cost against the mark of the plan, in settle currency; `None`: not known yet.

    What the closed part would have been worth more at mark: the PnL, for the position's side, of moving from
    mark to the average fill price, negated. Below zero for a fill better than mark. The fee is not in it.
    """
    position, price = ticket.order.position, report.average_price
    if not report.filled or price is None or position.mark_price is None or ticket.contract_size is None:
        return None
    return -unrealized_pnl(
        position.kind,
        position.side,
        quantity=report.filled,
        contract_size=ticket.contract_size,
        entry_price=position.mark_price,
        mark_price=price,
    )
