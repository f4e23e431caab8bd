"""What the journal answers from memory is what the file holds, whatever happened in between."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from database.journal import Journal
from database.records import (
    EVERY_ACCOUNT,
    Intent,
    IntentState,
    OperatorOrder,
    OperatorOrderKind,
    Plan,
    PlanState,
)

ACCOUNT = "bybit-main"


def pause(now: datetime, expires_at: datetime | None) -> OperatorOrder:
    return OperatorOrder(
        account=EVERY_ACCOUNT,
        kind=OperatorOrderKind.HALT,
        mode="halt",
        set_at=now,
        actor="op",
        reason="maintenance",
        expires_at=expires_at,
    )


def test_an_answer_follows_every_commit(
    journal: Journal, make_intent: Callable[..., Intent], now: datetime
) -> None:
    intent = make_intent(journal.install.install_id)
    assert journal.intents.open(ACCOUNT) == ()
    with journal.transaction():
        journal.intents.add(intent)
    assert [held.state for held in journal.intents.open(ACCOUNT)] == [IntentState.PLANNED]
    with journal.transaction():
        journal.intents.advance(intent.intent_id, IntentState.SENT, now)
    assert [held.state for held in journal.intents.open(ACCOUNT)] == [IntentState.SENT]
    with journal.transaction():
        journal.intents.advance(intent.intent_id, IntentState.FILLED, now)
    assert journal.intents.open(ACCOUNT) == ()


def test_an_open_transaction_sees_its_own_rows_and_leaves_none_of_them_when_it_fails(
    journal: Journal, now: datetime
) -> None:
    assert journal.latches.of(ACCOUNT) == ()

    def set_and_fail() -> None:
        with journal.transaction():
            journal.latches.set(ACCOUNT, "flatten:account", now, reason="test")
            assert [latch.name for latch in journal.latches.of(ACCOUNT)] == ["flatten:account"]
            raise KeyError

    with pytest.raises(KeyError):
        set_and_fail()
    assert journal.latches.of(ACCOUNT) == ()


def test_a_write_to_one_table_leaves_the_others_as_they_were(
    journal: Journal, make_plan: Callable[..., Plan], now: datetime
) -> None:
    with journal.transaction():
        journal.episodes.start(ACCOUNT, at=now, trigger="liquidation_reached", level="liquidation")
    assert journal.plans.waiting(ACCOUNT) == ()
    with journal.transaction():
        journal.plans.add(make_plan("p1", state=PlanState.PROPOSED))
    episode, (plan,) = journal.episodes.current(ACCOUNT), journal.plans.waiting(ACCOUNT)
    assert episode is not None
    assert episode.number == 1
    assert plan.plan_id == "p1"


def test_an_order_of_the_operator_ends_at_its_expiry_without_a_write(journal: Journal, now: datetime) -> None:
    with journal.transaction():
        journal.operator_orders.impose(pause(now, now + timedelta(hours=1)))
    assert len(journal.operator_orders.in_force(now, ACCOUNT)) == 1
    assert len(journal.operator_orders.in_force(now + timedelta(minutes=59), ACCOUNT)) == 1
    assert journal.operator_orders.in_force(now + timedelta(hours=1), ACCOUNT) == ()


def test_counts_since_a_moment_follow_the_clock_and_the_file(
    journal: Journal, make_intent: Callable[..., Intent], now: datetime, state_dir: Path
) -> None:
    assert journal.intents.count_orders_since(ACCOUNT, now) == 0
    assert journal.episodes.count_since(ACCOUNT, now) == 0
    with journal.transaction():
        journal.episodes.start(ACCOUNT, at=now, trigger="liquidation_reached", level="liquidation")
        journal.intents.add(make_intent(journal.install.install_id))
    for moment, count in ((now - timedelta(minutes=1), 1), (now, 1), (now + timedelta(microseconds=1), 0)):
        assert journal.intents.count_orders_since(ACCOUNT, moment) == count
        assert journal.episodes.count_since(ACCOUNT, moment) == count
    journal.close()
    with Journal.open(state_dir, now) as again:
        assert again.intents.count_orders_since(ACCOUNT, now) == 1
