import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from database.errors import IllegalTransition, IntentExists, JournalDamaged, UnknownRecord
from database.journal import Journal
from database.journal_tables import JOURNAL_SCHEMA
from database.payload import decode
from database.records import Event
from database.repayment_records import RepaymentRow, RepaymentState
from database.repayments import LEGAL_MOVES

R = RepaymentState
PATHS = {
    R.PLANNED: (),
    R.SENT: (R.SENT,),
    R.UNKNOWN: (R.SENT, R.UNKNOWN),
    R.ACCEPTED: (R.SENT, R.ACCEPTED),
    R.COMPLETED: (R.SENT, R.COMPLETED),
    R.REJECTED: (R.SENT, R.REJECTED),
    R.ABSENT: (R.SENT, R.ABSENT),
}


@pytest.fixture
def row(now: datetime) -> RepaymentRow:
    return RepaymentRow(
        client_id="r1",
        account="bybit-main",
        unit="account",
        currency="USDT",
        amount=Decimal("12.50"),
        owed_before=Decimal(100),
        created_at=now,
        episode=3,
        step=0,
    )


@pytest.fixture
def add(journal: Journal, row: RepaymentRow, now: datetime) -> Callable[..., None]:
    def make(client_id: str, *states: RepaymentState, episode: int = 3) -> None:
        with journal.transaction():
            journal.repayments.add(replace(row, client_id=client_id, episode=episode))
            for state in states:
                journal.repayments.advance(client_id, state, now)

    return make


@pytest.mark.parametrize("old", R)
def test_only_legal_moves_are_made(
    journal: Journal, add: Callable[..., None], now: datetime, old: RepaymentState
) -> None:
    for new in R:
        add(new, *PATHS[old])
        if new in LEGAL_MOVES[old]:
            with journal.transaction():
                moved = journal.repayments.advance(new, new, now, repaid=Decimal(12), code="0")
            assert journal.repayments.get(new) == moved
            assert (moved.state, moved.repaid, moved.code) == (new, Decimal(12), "0")
            assert (moved.settled_at is not None) == new.is_final
        else:
            with pytest.raises(IllegalTransition), journal.transaction():
                journal.repayments.advance(new, new, now)


def test_those_in_flight_have_no_end_yet_and_an_episode_counts_all_of_them(
    journal: Journal, add: Callable[..., None]
) -> None:
    for state, path in PATHS.items():
        add(state, *path)
    add("another", episode=4)
    open_ones = {one.client_id for one in journal.repayments.in_flight("bybit-main")}
    assert open_ones == {"planned", "sent", "unknown", "accepted", "another"}
    assert journal.repayments.in_flight("okx-main") == ()
    assert journal.repayments.count_in("bybit-main", 3) == 7
    assert journal.repayments.count_in("bybit-main", 4) == 1
    assert journal.repayments.count_in("okx-main", 3) == 0


def test_an_id_is_written_once_and_begins_as_planned(
    journal: Journal, add: Callable[..., None], row: RepaymentRow, now: datetime
) -> None:
    add("r1")
    with pytest.raises(IntentExists):
        add("r1")
    with pytest.raises(IllegalTransition), journal.transaction():
        journal.repayments.add(replace(row, client_id="r2", state=R.SENT))
    with pytest.raises(UnknownRecord), journal.transaction():
        journal.repayments.advance("r9", R.SENT, now)


def test_every_state_goes_to_the_history(journal: Journal, add: Callable[..., None]) -> None:
    add("r1", R.SENT, R.ACCEPTED, R.COMPLETED)
    rows = [decode(one.kind, one.payload) for one in journal.outbox.batch(10)]
    events = [one for one in rows if isinstance(one, Event)]
    assert [event.kind for event in events] == [
        "repayment_planned",
        "repayment_sent",
        "repayment_accepted",
        "repayment_completed",
    ]
    assert events[-1].detail["amount"] == "12.50"
    assert events[-1].message == "12.50 of 100 USDT owed"


def made_by_the_first_version(state_dir: Path, now: datetime, version: int = 1) -> str:
    """Leave a journal behind as it was before there were repayments; return whose it is."""
    with Journal.open(state_dir, now) as journal:
        install = journal.install.install_id
    old = sqlite3.connect(state_dir / "journal.db")
    old.execute("DROP TABLE repayments")
    old.execute(f"PRAGMA user_version = {version}")
    old.commit()
    old.close()
    return install


def test_a_journal_of_the_first_version_is_gone_on_with(
    state_dir: Path, now: datetime, row: RepaymentRow
) -> None:
    install = made_by_the_first_version(state_dir, now)
    with Journal.open(state_dir, now) as journal:
        assert (journal.install.install_id, journal.install.schema_version) == (install, JOURNAL_SCHEMA)
        with journal.transaction():
            journal.repayments.add(row)
    with Journal.open(state_dir, now) as journal:
        assert journal.repayments.get("r1") == row
    version = sqlite3.connect(state_dir / "journal.db").execute("PRAGMA user_version").fetchone()[0]
    assert version == JOURNAL_SCHEMA


def test_a_version_that_never_was_is_refused(state_dir: Path, now: datetime) -> None:
    made_by_the_first_version(state_dir, now, version=0)
    with pytest.raises(JournalDamaged, match="never was"):
        Journal.open(state_dir, now)
