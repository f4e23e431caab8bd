from datetime import datetime, timedelta

import pytest

from database.errors import IllegalTransition, UnknownRecord
from database.journal import Journal
from database.payload import decode
from database.records import Episode, Event, RowKind

ACCOUNT = "bybit-main"


def begin(journal: Journal, at: datetime, account: str = ACCOUNT) -> Episode:
    with journal.transaction():
        return journal.episodes.start(account, at=at, trigger="above_liquidation", level="LIQUIDATION")


def end(journal: Journal, at: datetime, account: str = ACCOUNT) -> Episode:
    with journal.transaction():
        return journal.episodes.close(account, at=at, outcome="target_reached")


def test_episodes_are_numbered_per_account_from_one(journal: Journal, now: datetime) -> None:
    assert begin(journal, now).number == 1
    end(journal, now)
    assert begin(journal, now).number == 2
    assert begin(journal, now, "okx-main").number == 1


def test_only_one_episode_is_open_per_account(journal: Journal, now: datetime) -> None:
    first = begin(journal, now)

    with pytest.raises(IllegalTransition, match="open already"):
        begin(journal, now)

    assert journal.episodes.current(ACCOUNT) == first
    assert journal.episodes.current("okx-main") is None


def test_steps_and_peak_are_kept_until_the_end(journal: Journal, now: datetime) -> None:
    begin(journal, now)
    with journal.transaction():
        assert journal.episodes.next_step(ACCOUNT).steps == 1
        assert journal.episodes.next_step(ACCOUNT).steps == 2
        journal.episodes.raise_peak(ACCOUNT, "BEYOND")
    later = now + timedelta(minutes=2)
    closed = end(journal, later)

    assert journal.episodes.current(ACCOUNT) is None
    assert journal.episodes.get(ACCOUNT, 1) == closed
    assert closed == Episode(
        account=ACCOUNT,
        number=1,
        opened_at=now,
        trigger="above_liquidation",
        peak_level="BEYOND",
        steps=2,
        closed_at=later,
        outcome="target_reached",
    )


def test_there_is_no_step_and_no_end_without_an_episode(journal: Journal, now: datetime) -> None:
    with pytest.raises(UnknownRecord), journal.transaction():
        journal.episodes.next_step(ACCOUNT)
    with pytest.raises(UnknownRecord):
        end(journal, now)


def test_budgets_count_recent_episodes(journal: Journal, now: datetime) -> None:
    for minutes in (90, 60, 10):
        begin(journal, now - timedelta(minutes=minutes))
        end(journal, now)

    assert journal.episodes.count_since(ACCOUNT, now - timedelta(hours=1)) == 2
    assert journal.episodes.count_since("okx-main", now - timedelta(hours=1)) == 0


def test_the_history_is_told_of_beginning_and_end(journal: Journal, now: datetime) -> None:
    begin(journal, now)
    end(journal, now)

    events = [decode(row.kind, row.payload) for row in journal.outbox.batch(10) if row.kind is RowKind.EVENT]

    assert [(event.kind, event.episode, event.reason) for event in events if isinstance(event, Event)] == [
        ("episode_began", 1, "above_liquidation"),
        ("episode_ended", 1, "target_reached"),
    ]
