from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from database import outbox as module
from database.journal import Journal
from database.payload import decode
from database.records import Event, MarginSample, Plan, RowKind


@pytest.fixture
def small(state_dir: Path, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Journal:
    """A journal that keeps ten samples and drops two more at once."""
    monkeypatch.setattr(module, "DROP_AT_ONCE", 2)
    return Journal.open(state_dir, now, sample_limit=10)


def test_rows_come_in_the_order_in_which_they_were_committed(
    journal: Journal, now: datetime, make_sample: Callable[..., MarginSample]
) -> None:
    with journal.transaction():
        first = journal.outbox.append(Event(time=now, kind="transition", message="first"))
        second = journal.outbox.append(make_sample())
    with journal.transaction():
        third = journal.outbox.append(Event(time=now, kind="fault", message="third"))

    rows = journal.outbox.batch(10)

    assert [row.event_id for row in rows] == [first, second, third]
    assert [row.kind for row in rows] == [RowKind.EVENT, RowKind.MARGIN, RowKind.EVENT]
    assert [row.sequence for row in rows] == [1, 2, 3]
    assert decode(rows[1].kind, rows[1].payload) == make_sample()


def test_a_batch_is_as_large_as_asked(journal: Journal, make_sample: Callable[..., MarginSample]) -> None:
    with journal.transaction():
        for _ in range(5):
            journal.outbox.append(make_sample())

    assert [row.sequence for row in journal.outbox.batch(2)] == [1, 2]


def test_acknowledged_rows_are_gone_and_their_numbers_never_come_again(
    state_dir: Path, now: datetime, make_sample: Callable[..., MarginSample]
) -> None:
    with Journal.open(state_dir, now) as journal:
        with journal.transaction():
            journal.outbox.append(make_sample())
            journal.outbox.append(make_sample())
        with journal.transaction():
            journal.outbox.acknowledge(2)
        assert journal.outbox.batch(10) == ()

    with Journal.open(state_dir, now) as journal:
        with journal.transaction():
            journal.outbox.append(make_sample())
        assert [row.sequence for row in journal.outbox.batch(10)] == [3]


def test_too_many_samples_drop_the_oldest_and_are_counted(
    small: Journal, make_sample: Callable[..., MarginSample]
) -> None:
    for second in range(11):
        with small.transaction():
            small.outbox.append(make_sample(second))

    kept = [row.sequence for row in small.outbox.batch(100)]

    assert kept == [4, 5, 6, 7, 8, 9, 10, 11]
    assert small.outbox.status().samples_dropped == 3
    small.close()


def test_actions_are_never_dropped(
    small: Journal, now: datetime, make_plan: Callable[..., Plan], make_sample: Callable[..., MarginSample]
) -> None:
    for number in range(30):
        with small.transaction():
            small.plans.add(make_plan(f"p{number}"))
            small.outbox.append(make_sample(number))

    kinds = [row.kind for row in small.outbox.batch(1000)]

    assert kinds.count(RowKind.EVENT) == 30
    assert kinds.count(RowKind.AUDIT) == 30
    assert kinds.count(RowKind.MARGIN) <= 10
    small.close()


def test_the_count_of_dropped_samples_survives_a_restart(
    small: Journal, state_dir: Path, now: datetime, make_sample: Callable[..., MarginSample]
) -> None:
    with small.transaction():
        for second in range(15):
            small.outbox.append(make_sample(second))
    dropped = small.outbox.status().samples_dropped
    small.close()

    with Journal.open(state_dir, now, sample_limit=10) as again:
        assert again.outbox.status().samples_dropped == dropped == 7
        assert again.outbox.status().waiting == 8


def test_delivery_makes_room_for_samples(small: Journal, make_sample: Callable[..., MarginSample]) -> None:
    for second in range(30):
        with small.transaction():
            small.outbox.append(make_sample(second))
        with small.transaction():
            small.outbox.acknowledge(small.outbox.batch(100)[-1].sequence)

    assert small.outbox.status().samples_dropped == 0
    small.close()


def test_a_parked_row_waits_aside_and_may_try_again(
    journal: Journal, make_sample: Callable[..., MarginSample]
) -> None:
    with journal.transaction():
        journal.outbox.append(make_sample())
        journal.outbox.append(make_sample())
    with journal.transaction():
        journal.outbox.park(1, "no such column")
        journal.outbox.acknowledge(2)
    status = journal.outbox.status()
    assert (status.waiting, status.parked) == (0, 1)

    with journal.transaction():
        assert journal.outbox.unpark() == 1

    assert [row.sequence for row in journal.outbox.batch(10)] == [1]


def test_status_tells_the_age_of_what_waits(journal: Journal, now: datetime) -> None:
    assert journal.outbox.status().oldest_at is None
    with journal.transaction():
        journal.outbox.append(Event(time=now + timedelta(seconds=5), kind="fault", message="late"))
        journal.outbox.append(Event(time=now, kind="fault", message="early"))

    status = journal.outbox.status()

    assert status.oldest_at == now
    assert status.waiting == 2


@pytest.mark.parametrize("used", [0, 3])
def test_numbering_goes_on_above_what_the_history_has_seen(
    journal: Journal, now: datetime, used: int
) -> None:
    for _ in range(used):
        with journal.transaction():
            journal.outbox.append(Event(time=now, kind="fault", message="before"))
    assert journal.outbox.last_sequence() == used

    with journal.transaction():
        journal.outbox.skip_to(100)
        journal.outbox.append(Event(time=now, kind="fault", message="after"))

    assert journal.outbox.batch(10)[-1].sequence == 101
    assert journal.outbox.last_sequence() == 101
