from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import product

import pytest

from database.errors import IllegalTransition, UnknownRecord
from database.journal import Journal
from database.payload import decode
from database.plans import LEGAL_MOVES
from database.records import AuditEntry, Event, Plan, PlanState, RowKind


def test_a_plan_comes_back_with_its_figures_as_text(journal: Journal, make_plan: Callable[..., Plan]) -> None:
    with journal.transaction():
        journal.plans.add(make_plan("p1"))

    found = journal.plans.get("p1")

    assert found is not None
    assert found.plan == {"orders": [{"symbol": "BTCUSDT", "quantity": "0.500"}]}
    assert found.snapshot == {"margin_utilization": "0.912"}
    assert found.reason == "above_liquidation"


@pytest.mark.parametrize(("old", "new"), list(product(PlanState, PlanState)))
def test_only_legal_moves_are_made(
    journal: Journal, make_plan: Callable[..., Plan], now: datetime, old: PlanState, new: PlanState
) -> None:
    with journal.transaction():
        if old is PlanState.EXECUTED:
            journal.plans.add(make_plan("p1"))
            journal.plans.settle("p1", PlanState.EXECUTED, now)
        else:
            journal.plans.add(make_plan("p1", state=old))
    later = now + timedelta(seconds=1)

    if new not in LEGAL_MOVES[old]:
        with pytest.raises(IllegalTransition), journal.transaction():
            journal.plans.settle("p1", new, later)
        return
    with journal.transaction():
        settled = journal.plans.settle("p1", new, later, actor="anna")

    assert journal.plans.get("p1") == settled
    assert (settled.state, settled.settled_at, settled.settled_by) == (new, later, "anna")


def test_a_plan_is_journaled_once_and_before_it_is_executed(
    journal: Journal, make_plan: Callable[..., Plan], now: datetime
) -> None:
    with journal.transaction():
        journal.plans.add(make_plan("p1"))

    with pytest.raises(IllegalTransition, match="journaled already"), journal.transaction():
        journal.plans.add(make_plan("p1"))
    with pytest.raises(IllegalTransition, match="before it is executed"), journal.transaction():
        journal.plans.add(make_plan("p2", state=PlanState.EXECUTED))
    with pytest.raises(UnknownRecord), journal.transaction():
        journal.plans.settle("p9", PlanState.REFUSED, now)


def test_plans_wait_for_an_operator_until_they_are_settled(
    journal: Journal, make_plan: Callable[..., Plan], now: datetime
) -> None:
    with journal.transaction():
        for number in range(3):
            journal.plans.add(
                make_plan(f"p{number}", state=PlanState.PROPOSED, decided_at=now - timedelta(seconds=number))
            )
        journal.plans.settle("p1", PlanState.REFUSED, now, actor="anna", reason="expired")

    assert [plan.plan_id for plan in journal.plans.waiting("bybit-main")] == ["p2", "p0"]
    assert journal.plans.waiting("okx-main") == ()


def test_history_and_audit_say_who_approved(
    journal: Journal, make_plan: Callable[..., Plan], now: datetime
) -> None:
    with journal.transaction():
        journal.plans.add(make_plan("p1", state=PlanState.PROPOSED))
        journal.plans.settle("p1", PlanState.APPROVED, now, actor="anna")

    rows = [decode(row.kind, row.payload) for row in journal.outbox.batch(10)]
    events = [row for row in rows if isinstance(row, Event)]
    links = [row for row in rows if isinstance(row, AuditEntry)]

    assert [event.kind for event in events] == ["plan_proposed", "plan_approved"]
    assert events[1].detail["actor"] == "anna"
    assert events[0].plan_id == "p1"
    assert [(link.actor, link.action) for link in links] == [
        ("margind", "plan_proposed"),
        ("anna", "plan_approved"),
    ]
    assert {row.kind for row in journal.outbox.batch(10)} == {RowKind.EVENT, RowKind.AUDIT}
