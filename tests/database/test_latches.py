from datetime import datetime, timedelta
from pathlib import Path

from database.journal import Journal
from database.records import AlarmState, Latch

ACCOUNT = "bybit-main"


def test_a_latch_stays_over_a_restart_until_it_is_cleared(state_dir: Path, now: datetime) -> None:
    with Journal.open(state_dir, now) as journal, journal.transaction():
        latch = journal.latches.set(ACCOUNT, "flatten", now, reason="beyond_target")

    with Journal.open(state_dir, now) as again:
        assert again.latches.of(ACCOUNT) == (latch,)
        assert again.latches.of("okx-main") == ()
        with again.transaction():
            cleared = again.latches.clear(ACCOUNT, "flatten", now, reason="venue_flat")
        assert again.latches.of(ACCOUNT) == ()
        assert cleared is not None
        assert cleared.cleared_at == now


def test_setting_a_set_latch_keeps_its_first_time_and_reason(journal: Journal, now: datetime) -> None:
    with journal.transaction():
        first = journal.latches.set(ACCOUNT, "flatten", now, reason="first")
        second = journal.latches.set(ACCOUNT, "flatten", now + timedelta(seconds=1), reason="second")

    assert second == first
    assert journal.latches.of(ACCOUNT) == (first,)


def test_a_latch_can_be_set_again_after_clearing(journal: Journal, now: datetime) -> None:
    later = now + timedelta(seconds=1)
    with journal.transaction():
        journal.latches.set(ACCOUNT, "flatten", now, reason="first")
        journal.latches.clear(ACCOUNT, "flatten", now, reason="flat")
        journal.latches.set(ACCOUNT, "flatten", later, reason="again")

    assert journal.latches.of(ACCOUNT) == (
        Latch(account=ACCOUNT, name="flatten", set_at=later, reason="again"),
    )


def test_a_latch_set_cleared_and_set_within_one_moment_is_set(journal: Journal, now: datetime) -> None:
    with journal.transaction():
        journal.latches.set(ACCOUNT, "flatten", now, reason="first")
        journal.latches.clear(ACCOUNT, "flatten", now, reason="flat")
        journal.latches.set(ACCOUNT, "flatten", now, reason="again")

    assert [latch.reason for latch in journal.latches.of(ACCOUNT)] == ["again"]


def test_clearing_what_is_not_set_says_so(journal: Journal, now: datetime) -> None:
    with journal.transaction():
        assert journal.latches.clear(ACCOUNT, "flatten", now, reason="flat") is None

    assert journal.outbox.batch(10) == ()


def test_the_alarm_of_an_account_is_the_last_one_saved(journal: Journal, now: datetime) -> None:
    assert journal.alarms.get(ACCOUNT) is None
    last = AlarmState(account=ACCOUNT, state='{"level":"CRITICAL"}', updated_at=now)
    with journal.transaction():
        journal.alarms.save(AlarmState(account=ACCOUNT, state="{}", updated_at=now))
        journal.alarms.save(last)
        journal.alarms.save(AlarmState(account="okx-main", state="{}", updated_at=now))

    assert journal.alarms.get(ACCOUNT) == last
