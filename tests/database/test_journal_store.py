import sqlite3
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from database.errors import JournalBusy, JournalDamaged, JournalFull, JournalMisuse
from database.journal import Journal
from database.records import AlarmState, Plan


def test_an_exception_inside_a_transaction_leaves_nothing(
    journal: Journal, make_plan: Callable[..., Plan]
) -> None:
    head = journal.audit.head

    def write_and_fail() -> None:
        with journal.transaction():
            journal.plans.add(make_plan("p1"))
            raise KeyError("changed my mind")

    with pytest.raises(KeyError):
        write_and_fail()

    assert journal.plans.get("p1") is None
    assert journal.outbox.batch(10) == ()
    assert journal.audit.head == head


def test_what_a_failed_transaction_gathered_does_not_leak_into_the_next(
    journal: Journal, make_plan: Callable[..., Plan], now: datetime
) -> None:
    def write_and_fail() -> None:
        with journal.transaction():
            journal.plans.add(make_plan("p1"))
            raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    with journal.transaction():
        journal.alarms.save(AlarmState(account="a", state="{}", updated_at=now))

    assert journal.outbox.batch(10) == ()


def test_a_read_inside_a_transaction_sees_its_writes(
    journal: Journal, make_plan: Callable[..., Plan]
) -> None:
    with journal.transaction():
        journal.plans.add(make_plan("p1"))
        assert journal.plans.get("p1") is not None


def test_writes_outside_a_transaction_are_refused(
    journal: Journal, make_plan: Callable[..., Plan], now: datetime
) -> None:
    with pytest.raises(JournalMisuse, match="needs a transaction"):
        journal.plans.add(make_plan("p1"))
    with pytest.raises(JournalMisuse, match="needs a transaction"):
        journal.alarms.save(AlarmState(account="a", state="{}", updated_at=now))
    with pytest.raises(JournalMisuse, match="needs a transaction"):
        journal.audit.append(at=now, action="looked", subject="nothing")


def test_a_transaction_in_a_transaction_is_refused(journal: Journal) -> None:
    with (
        pytest.raises(JournalMisuse, match="open already"),
        journal.transaction(),
        journal.transaction(),
    ):
        pass


def test_a_closed_journal_refuses_every_call(
    state_dir: Path, now: datetime, make_plan: Callable[..., Plan]
) -> None:
    journal = Journal.open(state_dir, now)
    journal.close()
    journal.close()

    with pytest.raises(JournalMisuse):
        journal.plans.get("p1")
    with pytest.raises(JournalMisuse):
        journal.outbox.batch(1)
    with pytest.raises(JournalMisuse):
        journal.maintain()
    with pytest.raises(JournalMisuse), journal.transaction():
        journal.plans.add(make_plan("p1"))


def test_a_foreign_lock_is_busy_and_the_same_transaction_works_afterwards(
    state_dir: Path, now: datetime, make_plan: Callable[..., Plan]
) -> None:
    with Journal.open(state_dir, now, busy_timeout_s=0.05) as journal:
        intruder = sqlite3.connect(state_dir / "journal.db", isolation_level=None)
        intruder.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalBusy, match="locked"), journal.transaction():
            journal.plans.add(make_plan("p1"))
        intruder.execute("ROLLBACK")
        intruder.close()

        with journal.transaction():
            journal.plans.add(make_plan("p1"))

        assert journal.plans.get("p1") is not None


def test_a_reader_never_delays_a_commit(
    state_dir: Path, now: datetime, make_plan: Callable[..., Plan]
) -> None:
    with Journal.open(state_dir, now, busy_timeout_s=0.0) as journal:
        reader = sqlite3.connect(state_dir / "journal.db", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM plans").fetchone()
        with journal.transaction():
            journal.plans.add(make_plan("p1"))
        assert reader.execute("SELECT count(*) FROM plans").fetchone() == (0,)
        reader.close()

        assert journal.plans.get("p1") is not None


def test_a_file_at_its_limit_is_full_and_takes_the_same_transaction_once_there_is_room(
    journal: Journal, make_plan: Callable[..., Plan]
) -> None:
    raw = journal._store._raw
    pages = raw.execute("PRAGMA page_count").fetchone()[0]
    raw.execute(f"PRAGMA max_page_count = {pages}")
    large = make_plan("p1", plan={"text": "x" * 50_000})
    with pytest.raises(JournalFull, match="full"), journal.transaction():
        journal.plans.add(large)
    assert journal.plans.get("p1") is None

    raw.execute("PRAGMA max_page_count = 1000000")
    with journal.transaction():
        journal.plans.add(large)

    assert journal.plans.get("p1") is not None


def test_damage_found_while_reading_is_named(
    journal: Journal, state_dir: Path, make_plan: Callable[..., Plan]
) -> None:
    with journal.transaction():
        journal.plans.add(make_plan("p1"))
    intruder = sqlite3.connect(state_dir / "journal.db", isolation_level=None)
    intruder.execute("UPDATE plans SET state = 'aproved'")
    intruder.close()

    with pytest.raises(JournalDamaged, match="not what was written"):
        journal.plans.get("p1")


def test_readers_beside_the_writer_see_whole_transactions_in_order(
    journal: Journal, make_plan: Callable[..., Plan]
) -> None:
    rounds, failures = 60, []
    done = threading.Event()

    def read() -> None:
        seen = 0
        try:
            while not done.is_set():
                rows = journal.outbox.batch(1000)
                assert len(rows) % 2 == 0  # an event and an audit link for each plan
                assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
                assert len(rows) >= seen
                seen = len(rows)
        except Exception as error:  # noqa: BLE001 - carried to the test's own thread
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(rounds):
        with journal.transaction():
            journal.plans.add(make_plan(f"p{number}"))
    done.set()
    for reader in readers:
        reader.join()

    assert failures == []
    assert len(journal.outbox.batch(1000)) == 2 * rounds


def test_two_threads_write_one_after_the_other(journal: Journal, make_plan: Callable[..., Plan]) -> None:
    def write(name: str) -> None:
        for number in range(30):
            with journal.transaction():
                journal.plans.add(make_plan(f"{name}{number}"))

    writers = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert journal.audit.head.count == 60
    assert journal.outbox.status().waiting == 120
