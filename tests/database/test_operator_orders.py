from datetime import datetime, timedelta
from pathlib import Path

import pytest

from database.journal import Journal
from database.payload import decode
from database.records import EVERY_ACCOUNT, AuditEntry, Event, OperatorOrder, OperatorOrderKind

HALT, MODE = OperatorOrderKind.HALT, OperatorOrderKind.MODE


@pytest.fixture
def halt(now: datetime) -> OperatorOrder:
    return OperatorOrder(
        account="bybit-main",
        kind=HALT,
        mode="observe",
        set_at=now,
        actor="anna",
        reason="maintenance",
        expires_at=now + timedelta(hours=1),
    )


def test_an_order_holds_until_its_expiry_and_over_a_restart(
    state_dir: Path, now: datetime, halt: OperatorOrder
) -> None:
    with Journal.open(state_dir, now) as journal, journal.transaction():
        journal.operator_orders.impose(halt)

    with Journal.open(state_dir, now) as again:
        assert again.operator_orders.in_force(now) == (halt,)
        assert again.operator_orders.in_force(now + timedelta(minutes=59)) == (halt,)
        assert again.operator_orders.in_force(now + timedelta(hours=1)) == ()


def test_an_order_for_every_account_applies_to_each(
    journal: Journal, now: datetime, halt: OperatorOrder
) -> None:
    everywhere = OperatorOrder(
        account=EVERY_ACCOUNT,
        kind=MODE,
        mode="advise",
        set_at=now + timedelta(seconds=1),
        actor="bob",
        reason="night",
    )
    with journal.transaction():
        journal.operator_orders.impose(halt)
        journal.operator_orders.impose(everywhere)

    assert journal.operator_orders.in_force(now, "bybit-main") == (halt, everywhere)
    assert journal.operator_orders.in_force(now, "okx-main") == (everywhere,)
    assert journal.operator_orders.in_force(now) == (halt, everywhere)


def test_a_halt_leaves_the_mode_below_it_in_place(
    journal: Journal, now: datetime, halt: OperatorOrder
) -> None:
    mode = OperatorOrder(
        account="bybit-main", kind=MODE, mode="advise", set_at=now, actor="anna", reason="careful"
    )
    with journal.transaction():
        journal.operator_orders.impose(mode)
        journal.operator_orders.impose(halt)
        journal.operator_orders.lift("bybit-main", HALT, now, actor="bob", reason="done")

    assert journal.operator_orders.in_force(now, "bybit-main") == (mode,)


def test_a_newer_order_of_the_same_kind_replaces_the_older(
    journal: Journal, now: datetime, halt: OperatorOrder
) -> None:
    longer = OperatorOrder(
        account="bybit-main", kind=HALT, mode="observe", set_at=now, actor="bob", reason="more"
    )
    with journal.transaction():
        journal.operator_orders.impose(halt)
        journal.operator_orders.impose(longer)

    assert journal.operator_orders.in_force(now) == (longer,)


def test_who_did_what_stands_in_history_and_audit(
    journal: Journal, now: datetime, halt: OperatorOrder
) -> None:
    with journal.transaction():
        journal.operator_orders.impose(halt)
        assert journal.operator_orders.lift("bybit-main", HALT, now, actor="bob", reason="done") == halt
        assert journal.operator_orders.lift("bybit-main", HALT, now, actor="bob", reason="again") is None

    rows = [decode(row.kind, row.payload) for row in journal.outbox.batch(10)]

    assert [(row.actor, row.action) for row in rows if isinstance(row, AuditEntry)] == [
        ("anna", "halt_imposed"),
        ("bob", "halt_lifted"),
    ]
    assert [(row.kind, row.reason, row.account) for row in rows if isinstance(row, Event)] == [
        ("halt_imposed", "maintenance", "bybit-main"),
        ("halt_lifted", "done", "bybit-main"),
    ]
