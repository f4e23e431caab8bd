from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy.dialects import sqlite

from database.errors import IllegalTransition, IntentExists, UnknownRecord
from database.intents import LEGAL_MOVES, OPEN, OPEN_OF
from database.journal import Journal
from database.payload import decode
from database.records import Intent, IntentKind, IntentState, Plan, RowKind

S = IntentState

PATHS: dict[IntentState, tuple[IntentState, ...]] = {
    S.PLANNED: (),
    S.ABANDONED: (S.ABANDONED,),
    S.SENT: (S.SENT,),
    S.UNKNOWN: (S.SENT, S.UNKNOWN),
    S.NOT_FOUND: (S.SENT, S.NOT_FOUND),
    S.ABSENT: (S.SENT, S.NOT_FOUND, S.ABSENT),
    S.ACCEPTED: (S.SENT, S.ACCEPTED),
    S.REJECTED: (S.SENT, S.REJECTED),
    S.FILLED: (S.SENT, S.FILLED),
    S.CANCELLED: (S.SENT, S.CANCELLED),
}


@pytest.fixture
def intent(journal: Journal, make_intent: Callable[..., Intent]) -> Intent:
    made = make_intent(journal.install.install_id)
    with journal.transaction():
        journal.intents.add(made)
    return made


def advance(journal: Journal, intent: Intent, at: datetime, *states: IntentState) -> None:
    for state in states:
        with journal.transaction():
            journal.intents.advance(intent.intent_id, state, at)


def test_an_intent_comes_back_as_it_went_in(
    journal: Journal, make_plan: Callable[..., Plan], make_intent: Callable[..., Intent]
) -> None:
    made = make_intent(journal.install.install_id, plan_id="p1", limit_price=Decimal("0.00000100"))
    with journal.transaction():
        journal.plans.add(make_plan("p1"))
        journal.intents.add(made)

    found = journal.intents.get(made.intent_id)

    assert found == made
    assert found is not None
    assert str(found.limit_price) == "0.00000100"


def test_the_second_insert_of_an_intent_is_refused(
    journal: Journal, intent: Intent, make_plan: Callable[..., Plan]
) -> None:
    def again() -> None:
        with journal.transaction():
            journal.plans.add(make_plan("p2"))
            journal.intents.add(intent)

    with pytest.raises(IntentExists, match="journaled already"):
        again()

    assert journal.plans.get("p2") is None


def test_another_id_for_the_same_attempt_is_refused(journal: Journal, intent: Intent) -> None:
    with pytest.raises(IntentExists), journal.transaction():
        journal.intents.add(replace(intent, intent_id="6d67" + "0" * 28))


def test_the_gate_holds_after_a_restart(
    state_dir: Path, now: datetime, make_intent: Callable[..., Intent]
) -> None:
    with Journal.open(state_dir, now) as first, first.transaction():
        first.intents.add(make_intent(first.install.install_id))

    with Journal.open(state_dir, now) as second, pytest.raises(IntentExists), second.transaction():
        second.intents.add(make_intent(second.install.install_id))


@pytest.mark.parametrize(
    "change", [{"attempt": 2}, {"margin_mode": "isolated"}, {"side": "short"}, {"step": 2}]
)
def test_another_attempt_position_or_step_is_another_intent(
    journal: Journal, intent: Intent, make_intent: Callable[..., Intent], change: dict[str, object]
) -> None:
    other = make_intent(journal.install.install_id, **change)
    with journal.transaction():
        journal.intents.add(other)

    assert other.intent_id != intent.intent_id


def test_an_intent_of_an_unknown_plan_is_refused(
    journal: Journal, make_intent: Callable[..., Intent]
) -> None:
    with pytest.raises(UnknownRecord, match="no plan p9"), journal.transaction():
        journal.intents.add(make_intent(journal.install.install_id, plan_id="p9"))


@pytest.mark.parametrize("state", [state for state in S if state not in {S.PLANNED, S.SENT}])
def test_an_intent_begins_as_planned_or_sent(
    journal: Journal, make_intent: Callable[..., Intent], state: IntentState
) -> None:
    with pytest.raises(IllegalTransition, match="begins"), journal.transaction():
        journal.intents.add(make_intent(journal.install.install_id, state=state))


@pytest.mark.parametrize("old", S)
def test_only_legal_moves_are_made(
    journal: Journal, make_intent: Callable[..., Intent], now: datetime, old: IntentState
) -> None:
    outcomes: dict[IntentState, IntentState] = {}
    for step, new in enumerate(S, 1):
        made = make_intent(journal.install.install_id, step=step)
        with journal.transaction():
            journal.intents.add(made)
            for state in PATHS[old]:
                journal.intents.advance(made.intent_id, state, now)
        with suppress(IllegalTransition), journal.transaction():
            journal.intents.advance(made.intent_id, new, now)
        found = journal.intents.get(made.intent_id)
        assert found is not None
        outcomes[new] = found.state

    assert outcomes == {new: new if new in LEGAL_MOVES[old] else old for new in S}


def test_what_the_venue_once_had_is_never_called_absent() -> None:
    for state in (S.ACCEPTED, S.FILLED, S.CANCELLED):
        assert LEGAL_MOVES[state].isdisjoint({S.NOT_FOUND, S.ABSENT, S.UNKNOWN, S.PLANNED, S.SENT})


def test_absence_is_never_concluded_from_one_lookup() -> None:
    assert {old for old, moves in LEGAL_MOVES.items() if S.ABSENT in moves} == {S.NOT_FOUND, S.ABSENT}


def test_a_late_order_reopens_what_was_called_absent(journal: Journal, intent: Intent, now: datetime) -> None:
    advance(journal, intent, now, *PATHS[S.ABSENT])
    assert journal.intents.open() == ()

    advance(journal, intent, now, S.ACCEPTED)

    assert [found.intent_id for found in journal.intents.open()] == [intent.intent_id]
    assert journal.intents.open()[0].settled_at is None


def test_nothing_that_was_sent_is_abandoned() -> None:
    assert {old for old, moves in LEGAL_MOVES.items() if S.ABANDONED in moves} == {S.PLANNED, S.ABANDONED}


def test_evidence_is_added_and_never_taken_away(journal: Journal, intent: Intent, now: datetime) -> None:
    later = now + timedelta(seconds=1)
    with journal.transaction():
        journal.intents.advance(intent.intent_id, S.SENT, now)
        journal.intents.advance(
            intent.intent_id, S.ACCEPTED, now, venue_order_id="v1", filled=Decimal("0.3"), code="0"
        )
        journal.intents.advance(intent.intent_id, S.ACCEPTED, now, filled=Decimal("0.1"))
        settled = journal.intents.advance(
            intent.intent_id, S.CANCELLED, later, average_price=Decimal(60000), fee=Decimal("0.01")
        )

    assert journal.intents.get(intent.intent_id) == settled
    assert settled.filled == Decimal("0.3")
    assert settled.venue_order_id == "v1"
    assert settled.code == "0"
    assert settled.sent_at == now
    assert settled.settled_at == later


def test_a_fill_of_zero_is_a_fact_and_not_a_missing_value(
    journal: Journal, intent: Intent, now: datetime
) -> None:
    with journal.transaction():
        journal.intents.advance(intent.intent_id, S.SENT, now)
        unknown = journal.intents.advance(intent.intent_id, S.UNKNOWN, now)
        settled = journal.intents.advance(intent.intent_id, S.CANCELLED, now, filled=Decimal(0))

    assert unknown.filled is None
    assert settled.filled == 0


def test_damaged_text_of_a_venue_does_not_stop_the_journal(
    journal: Journal, intent: Intent, now: datetime
) -> None:
    with journal.transaction():
        journal.intents.advance(intent.intent_id, S.SENT, now)
        journal.intents.advance(intent.intent_id, S.UNKNOWN, now, message="gateway\x00 said \ud800")

    found = journal.intents.get(intent.intent_id)
    assert found is not None
    assert found.message == "gateway\ufffd said ?"


def test_an_unknown_intent_cannot_be_advanced(journal: Journal, now: datetime) -> None:
    with pytest.raises(UnknownRecord), journal.transaction():
        journal.intents.advance("6d67", S.SENT, now)


def test_open_intents_are_those_of_the_account_oldest_first(
    journal: Journal, now: datetime, make_intent: Callable[..., Intent]
) -> None:
    install_id = journal.install.install_id
    late = make_intent(install_id, step=2, created_at=now + timedelta(seconds=2))
    early = make_intent(install_id, step=1)
    other = make_intent(install_id, account="okx-main", created_at=now + timedelta(seconds=1))
    done = make_intent(install_id, step=3)
    with journal.transaction():
        for made in (late, early, other, done):
            journal.intents.add(made)
        journal.intents.advance(done.intent_id, S.ABANDONED, now)

    assert journal.intents.open("bybit-main") == (early, late)
    assert journal.intents.open("kraken") == ()
    assert journal.intents.open() == (early, other, late)


def test_the_query_for_open_intents_uses_its_index(journal: Journal) -> None:
    for statement in (OPEN, OPEN_OF):
        sql = str(statement.compile(dialect=sqlite.dialect(paramstyle="named")))
        plan = journal._store._raw.execute(f"EXPLAIN QUERY PLAN {sql}", {"account": "a"}).fetchall()
        assert "ix_intents_open" in str(plan)


def test_budgets_count_orders_that_were_or_will_be_sent(
    journal: Journal, now: datetime, make_intent: Callable[..., Intent]
) -> None:
    install_id = journal.install.install_id
    old = make_intent(install_id, step=1, created_at=now - timedelta(seconds=61))
    recent = make_intent(install_id, step=2, created_at=now - timedelta(seconds=60))
    cancel = make_intent(install_id, step=3, kind=IntentKind.CANCEL)
    flatten = make_intent(install_id, step=4, kind=IntentKind.FLATTEN)
    dropped = make_intent(install_id, step=5)
    with journal.transaction():
        for made in (old, recent, cancel, flatten, dropped):
            journal.intents.add(made)
        journal.intents.advance(dropped.intent_id, S.ABANDONED, now)

    assert journal.intents.count_orders_since("bybit-main", now - timedelta(seconds=60)) == 2
    assert journal.intents.count_orders_since("okx-main", now - timedelta(seconds=60)) == 0


def test_attempts_are_numbered_per_position_and_step(
    journal: Journal, intent: Intent, make_intent: Callable[..., Intent]
) -> None:
    where = {
        "account": "bybit-main",
        "symbol": "BTCUSDT",
        "side": "long",
        "margin_mode": "cross",
        "episode": 1,
    }
    with journal.transaction():
        journal.intents.add(make_intent(journal.install.install_id, attempt=4))

    assert journal.intents.next_attempt(**where, step=1) == 5
    assert journal.intents.next_attempt(**where, step=2) == 1


def test_the_orders_of_an_episode_come_in_order(
    journal: Journal, intent: Intent, make_intent: Callable[..., Intent]
) -> None:
    second = make_intent(journal.install.install_id, step=2)
    other = make_intent(journal.install.install_id, episode=2)
    with journal.transaction():
        journal.intents.add(second)
        journal.intents.add(other)

    assert journal.intents.of_episode("bybit-main", 1) == (intent, second)


def test_every_state_of_an_order_goes_to_the_history_and_into_the_audit(
    journal: Journal, intent: Intent, now: datetime
) -> None:
    advance(journal, intent, now, S.SENT, S.FILLED)

    rows = journal.outbox.batch(100)
    orders = [decode(row.kind, row.payload) for row in rows if row.kind is RowKind.ORDER]
    links = [decode(row.kind, row.payload) for row in rows if row.kind is RowKind.AUDIT]

    assert [order.state for order in orders] == [S.PLANNED, S.SENT, S.FILLED]
    assert [link.action for link in links] == ["intent_planned", "intent_sent", "intent_filled"]
    assert {link.subject for link in links} == {intent.intent_id}
