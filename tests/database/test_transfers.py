from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from database.errors import IllegalTransition, IntentExists, UnknownRecord
from database.journal import Journal
from database.payload import decode
from database.records import Event, Transfer, TransferState
from database.transfers import LEGAL_MOVES

T = TransferState

PATHS = {
    T.PLANNED: (),
    T.SENT: (T.SENT,),
    T.UNKNOWN: (T.SENT, T.UNKNOWN),
    T.COMPLETED: (T.SENT, T.COMPLETED),
    T.REJECTED: (T.SENT, T.REJECTED),
    T.ABSENT: (T.SENT, T.ABSENT),
}


@pytest.fixture
def add(journal: Journal, now: datetime) -> Callable[..., None]:
    def make(
        client_id: str, amount: str, *states: TransferState, currency: str = "USDT", age_h: int = 0
    ) -> None:
        with journal.transaction():
            journal.transfers.add(
                Transfer(
                    client_id=client_id,
                    account="bybit-main",
                    currency=currency,
                    amount=Decimal(amount),
                    created_at=now - timedelta(hours=age_h),
                )
            )
            for state in states:
                journal.transfers.advance(client_id, state, now)

    return make


@pytest.mark.parametrize("old", T)
def test_only_legal_moves_are_made(
    journal: Journal, add: Callable[..., None], now: datetime, old: TransferState
) -> None:
    for new in T:
        add(new, "100", *PATHS[old])
        if new in LEGAL_MOVES[old]:
            with journal.transaction():
                moved = journal.transfers.advance(new, new, now, transfer_id="v1", code="0")
            assert journal.transfers.get(new) == moved
            assert moved.state is new
            assert (moved.settled_at is not None) == new.is_final
        else:
            with pytest.raises(IllegalTransition), journal.transaction():
                journal.transfers.advance(new, new, now)


def test_the_day_counts_what_moved_and_what_may_have_moved(
    journal: Journal, add: Callable[..., None], now: datetime
) -> None:
    add("planned", "0.1")
    add("sent", "0.2", T.SENT)
    add("unknown", "0.3", T.SENT, T.UNKNOWN)
    add("done", "1000.000000000000000001", T.SENT, T.COMPLETED)
    add("rejected", "7", T.SENT, T.REJECTED)
    add("absent", "8", T.SENT, T.ABSENT)
    add("yesterday", "9", T.SENT, T.COMPLETED, age_h=25)
    add("other", "10", T.SENT, T.COMPLETED, currency="BTC")
    since = now - timedelta(hours=24)

    assert journal.transfers.total_since("bybit-main", "USDT", since) == Decimal("1000.600000000000000001")
    assert journal.transfers.total_since("okx-main", "USDT", since) == 0


def test_transfers_in_flight_are_those_without_a_verdict(journal: Journal, add: Callable[..., None]) -> None:
    add("old", "1", T.SENT, T.UNKNOWN, age_h=2)
    add("new", "2")
    add("done", "3", T.SENT, T.COMPLETED)

    assert [transfer.client_id for transfer in journal.transfers.in_flight("bybit-main")] == ["old", "new"]
    assert journal.transfers.in_flight("okx-main") == ()


def test_the_second_insert_of_a_transfer_is_refused(journal: Journal, add: Callable[..., None]) -> None:
    add("t1", "1")

    with pytest.raises(IntentExists):
        add("t1", "1")


def test_a_transfer_begins_as_planned_and_only_known_ones_move(journal: Journal, now: datetime) -> None:
    begun = Transfer(
        client_id="t1", account="a", currency="USDT", amount=Decimal(1), created_at=now, state=T.COMPLETED
    )
    with pytest.raises(IllegalTransition), journal.transaction():
        journal.transfers.add(begun)
    with pytest.raises(UnknownRecord), journal.transaction():
        journal.transfers.advance("t9", T.SENT, now)


def test_every_state_goes_to_the_history(journal: Journal, add: Callable[..., None]) -> None:
    add("t1", "12.50", T.SENT, T.COMPLETED)

    rows = [decode(row.kind, row.payload) for row in journal.outbox.batch(10)]
    events = [row for row in rows if isinstance(row, Event)]

    assert [event.kind for event in events] == ["transfer_planned", "transfer_sent", "transfer_completed"]
    assert events[-1].detail["amount"] == "12.50"
