"""Intents: every write to a venue, journaled before it is sent.

Theory of operation. The insert is the gate: whoever gets `IntentExists` must not send, since the same
attempt is journaled already and may have left. An intent is inserted as PLANNED and moved to SENT in a commit
of its own right before the socket is written, or inserted as SENT at once; so after a crash PLANNED proves
that nothing left, and SENT means "look it up". From there only evidence moves it:

    PLANNED --> SENT --> ACCEPTED --> FILLED | CANCELLED
       |         |
       |         +--> REJECTED
       |         +--> UNKNOWN <--> NOT_FOUND --> ABSENT
       +--> ABANDONED

* NOT_FOUND is one lookup without a find; ABSENT is proof: a second one after the deadline, with the position
  unchanged. What was once ACCEPTED can never be called NOT_FOUND or ABSENT: a venue that forgets an order
  may have filled it.
* Evidence that the venue has the order outranks every earlier verdict: ABSENT and REJECTED may still become
  ACCEPTED (and are open again), FILLED or CANCELLED, and CANCELLED may become FILLED.
* `filled` never goes down: a smaller figure in a later answer is an older picture.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import bindparam, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from database.audit import AuditTrail
from database.errors import IllegalTransition, IntentExists, UnknownRecord
from database.journal_store import JournalStore
from database.journal_tables import END_OF_TIME, OPEN_INTENT, intents
from database.outbox import Outbox
from database.records import NO_EPISODE, Intent, IntentKind, IntentState

S = IntentState

AT_VENUE = frozenset({S.ACCEPTED, S.FILLED, S.CANCELLED})

LEGAL_MOVES: Mapping[IntentState, frozenset[IntentState]] = {
    S.PLANNED: frozenset({S.SENT, S.ABANDONED}),
    S.SENT: AT_VENUE | {S.UNKNOWN, S.NOT_FOUND, S.REJECTED},
    S.UNKNOWN: AT_VENUE | {S.UNKNOWN, S.NOT_FOUND, S.REJECTED},
    S.NOT_FOUND: AT_VENUE | {S.NOT_FOUND, S.UNKNOWN, S.REJECTED, S.ABSENT},
    S.ACCEPTED: AT_VENUE | {S.REJECTED},
    S.FILLED: frozenset({S.FILLED}),
    S.CANCELLED: frozenset({S.CANCELLED, S.FILLED}),
    S.REJECTED: AT_VENUE | {S.REJECTED},
    S.ABSENT: AT_VENUE | {S.ABSENT},
    S.ABANDONED: frozenset({S.ABANDONED}),
}

ORDER_KINDS = (IntentKind.REDUCE, IntentKind.FLATTEN)

INSERT = insert(intents)
ONE = select(intents).where(intents.c.intent_id == bindparam("intent_id"))
OPEN = select(intents).where(text(OPEN_INTENT)).order_by(intents.c.created_at, intents.c.intent_id)
OPEN_OF = OPEN.where(intents.c.account == bindparam("account"))
OF_EPISODE = (
    select(intents)
    .where(intents.c.account == bindparam("account"), intents.c.episode == bindparam("episode"))
    .order_by(intents.c.step, intents.c.created_at, intents.c.attempt)
)
NEWEST = select(func.max(intents.c.created_at)).where(intents.c.account == bindparam("account"))
ORDERS_SINCE = select(func.count()).where(
    intents.c.account == bindparam("account"),
    intents.c.created_at >= bindparam("since"),
    intents.c.created_at <= bindparam("until"),
    intents.c.kind.in_(ORDER_KINDS),
    intents.c.state != S.ABANDONED,
)
TRIMS_SINCE = ORDERS_SINCE.where(intents.c.episode == NO_EPISODE)
SETTLED_SINCE = (
    select(intents)
    .where(intents.c.account == bindparam("account"), intents.c.settled_at > bindparam("since"))
    .order_by(intents.c.settled_at)
)
LAST_ATTEMPT = select(func.max(intents.c.attempt)).where(
    intents.c.account == bindparam("account"),
    intents.c.symbol == bindparam("symbol"),
    intents.c.side == bindparam("side"),
    intents.c.margin_mode == bindparam("margin_mode"),
    intents.c.episode == bindparam("episode"),
    intents.c.step == bindparam("step"),
)
CHANGED = (
    "state",
    "venue_order_id",
    "filled",
    "average_price",
    "fee",
    "slippage",
    "code",
    "message",
    "sent_at",
    "settled_at",
)
CHANGE = (
    update(intents)
    .where(intents.c.intent_id == bindparam("of_intent"))
    .values({name: bindparam(f"new_{name}") for name in CHANGED})
)


class Intents:
    """The gate and the ledger of writes to venues."""

    def __init__(self, store: JournalStore, outbox: Outbox, audit: AuditTrail) -> None:
        self._store = store
        self._outbox = outbox
        self._audit = audit

    def add(self, intent: Intent) -> None:
        """Journal an intent that is about to be sent, with the open transaction.

        Raises:
            IntentExists: that id or that attempt is journaled already; do not send.
            IllegalTransition: it begins neither as PLANNED nor as SENT.
            UnknownRecord: its plan is not journaled.
        """
        if intent.state not in {S.PLANNED, S.SENT}:
            raise IllegalTransition(f"an intent begins as planned or sent, not as {intent.state}")
        try:
            self._store.write(INSERT, intent.values())
        except IntegrityError as error:
            if "FOREIGN KEY" in str(error.orig):
                raise UnknownRecord(f"no plan {intent.plan_id}") from error
            raise IntentExists(
                f"{intent.account}: {intent.side} {intent.symbol}, attempt {intent.attempt} of step "
                f"{intent.step} in episode {intent.episode} is journaled already ({intent.intent_id})"
            ) from error
        self._tell(intent, intent.created_at)

    def advance(
        self,
        intent_id: str,
        state: IntentState,
        at: datetime,
        *,
        venue_order_id: str | None = None,
        filled: Decimal | None = None,
        average_price: Decimal | None = None,
        fee: Decimal | None = None,
        slippage: Decimal | None = None,
        code: str | None = None,
        message: str | None = None,
    ) -> Intent:
        """Move an intent to `state` on new evidence and return it; what is `None` stays as it was.

        Raises:
            UnknownRecord: no such intent.
            IllegalTransition: the state machine has no such move.
        """
        old = self.get(intent_id)
        if old is None:
            raise UnknownRecord(f"no intent {intent_id}")
        if state not in LEGAL_MOVES[old.state]:
            raise IllegalTransition(f"intent {intent_id} cannot go from {old.state} to {state}")
        new = replace(
            old,
            state=state,
            venue_order_id=old.venue_order_id if venue_order_id is None else venue_order_id,
            filled=_larger(old.filled, filled),
            average_price=old.average_price if average_price is None else average_price,
            fee=old.fee if fee is None else fee,
            slippage=old.slippage if slippage is None else slippage,
            code=old.code if code is None else code,
            message=old.message if message is None else message,
            sent_at=at if state is S.SENT else old.sent_at,
            settled_at=(old.settled_at or at) if state.is_final else None,
        )
        values: dict[str, object] = {f"new_{name}": getattr(new, name) for name in CHANGED}
        self._store.write(CHANGE, {"of_intent": intent_id, **values})
        self._tell(new, at)
        return new

    def get(self, intent_id: str) -> Intent | None:
        """Return one intent."""
        rows = self._store.rows(ONE, {"intent_id": intent_id})
        return Intent(**rows[0]) if rows else None

    def open(self, account: str | None = None) -> tuple[Intent, ...]:
        """Return the intents that are not final, oldest first, of one account or of all: what to recover."""
        if account is None:
            rows = self._store.known(intents, OPEN, {})
        else:
            rows = self._store.known(intents, OPEN_OF, {"account": account})
        return tuple(Intent(**row) for row in rows)

    def of_episode(self, account: str, episode: int) -> tuple[Intent, ...]:
        """Return all intents of an episode, in order."""
        rows = self._store.rows(OF_EPISODE, {"account": account, "episode": episode})
        return tuple(Intent(**row) for row in rows)

    def count_orders_since(self, account: str, since: datetime, *, until: datetime = END_OF_TIME) -> int:
        """Count the reducing orders journaled from `since` to `until`, sent or about to be.

        With `until` now, a wall clock that was set back does not make old orders new ones.
        """
        newest = next(iter(self._store.known(intents, NEWEST, {"account": account})[0].values()))
        if newest is None or newest < since:
            return 0
        rows = self._store.rows(ORDERS_SINCE, {"account": account, "since": since, "until": until})
        return int(next(iter(rows[0].values())))

    def count_trims_since(self, account: str, since: datetime, *, until: datetime) -> int:
        """Count, of those, the orders that belong to no episode: they only kept a bound."""
        newest = next(iter(self._store.known(intents, NEWEST, {"account": account})[0].values()))
        if newest is None or newest < since:
            return 0
        rows = self._store.rows(TRIMS_SINCE, {"account": account, "since": since, "until": until})
        return int(next(iter(rows[0].values())))

    def settled_since(self, account: str, since: datetime) -> tuple[Intent, ...]:
        """Return the account's intents that have found their end after `since`, in that order."""
        rows = self._store.rows(SETTLED_SINCE, {"account": account, "since": since})
        return tuple(Intent(**row) for row in rows)

    def next_attempt(
        self, *, account: str, symbol: str, side: str, margin_mode: str, episode: int, step: int
    ) -> int:
        """Return 1 + the highest attempt journaled for that position and step; 1 if there is none."""
        rows = self._store.rows(
            LAST_ATTEMPT,
            {
                "account": account,
                "symbol": symbol,
                "side": side,
                "margin_mode": margin_mode,
                "episode": episode,
                "step": step,
            },
        )
        return int(next(iter(rows[0].values())) or 0) + 1

    def _tell(self, intent: Intent, at: datetime) -> None:
        self._outbox.carry(intent, at, intent.account)
        self._audit.append(
            at=at,
            action=f"intent_{intent.state}",
            subject=intent.intent_id,
            account=intent.account,
            detail={name: value for name, value in intent.values().items() if value is not None},
        )


def _larger(old: Decimal | None, new: Decimal | None) -> Decimal | None:
    if old is None or new is None:
        return new if old is None else old
    return max(old, new)
