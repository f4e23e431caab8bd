import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine

from database import carrier as module
from database.carrier import Carrier
from database.engine import history_engine
from database.errors import HistoryUnavailable
from database.history import History
from database.journal import Journal
from database.queries import last_events, last_orders, margin_between, verify_audit
from database.records import Event, Intent, IntentState, MarginSample
from database.upgrade import upgrade


@pytest.fixture
def carrier(journal: Journal, any_engine: Engine, now: datetime) -> Carrier:
    history = History(any_engine, journal.install.install_id)
    return Carrier(journal, history, lambda: now + timedelta(seconds=10), batch_size=3)


def tell(journal: Journal, now: datetime, *messages: str, **changes: Any) -> None:  # noqa: ANN401 - row fields
    with journal.transaction():
        for message in messages:
            journal.outbox.append(Event(time=now, kind="transition", message=message, **changes))


def messages(engine: Engine) -> list[str]:
    return [event.message for event in last_events(engine, 1000)]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_what_was_journaled_arrives_in_order(  # noqa: PLR0917 - fixtures
    carrier: Carrier,
    journal: Journal,
    any_engine: Engine,
    now: datetime,
    make_intent: Callable[..., Intent],
    make_sample: Callable[..., MarginSample],
) -> None:
    intent = make_intent(journal.install.install_id)
    with journal.transaction():
        journal.intents.add(intent)
        journal.outbox.append(make_sample())
    with journal.transaction():
        journal.intents.advance(intent.intent_id, IntentState.SENT, now)
    tell(journal, now, *(str(number) for number in range(8)))

    status = carrier.drain()

    assert status.waiting == status.parked == status.failures == 0
    assert status.delivered == 13
    assert status.last_error is None
    assert messages(any_engine) == [str(number) for number in range(8)]
    assert [order.state for order in last_orders(any_engine, 10)] == [IntentState.SENT]
    assert margin_between(any_engine, "bybit-main", now, now + timedelta(days=1)) == (make_sample(),)
    assert verify_audit(any_engine, journal.install.install_id, journal.audit.head).is_intact


def test_a_crash_before_the_acknowledgement_delivers_again_and_changes_nothing(
    journal: Journal, any_engine: Engine, now: datetime
) -> None:
    tell(journal, now, "a", "b")
    history = History(any_engine, journal.install.install_id)
    history.write(journal.outbox.batch(10), now)  # and then the process died

    Carrier(journal, history, lambda: now).drain()

    assert messages(any_engine) == ["a", "b"]
    assert journal.outbox.batch(10) == ()


def test_a_row_that_is_refused_is_parked_and_the_others_pass(
    carrier: Carrier, journal: Journal, any_engine: Engine, now: datetime
) -> None:
    tell(journal, now, "a", "b")
    tell(journal, now, "poison", episode=2**70)
    tell(journal, now, "c", "d")

    status = carrier.drain()

    assert messages(any_engine) == ["a", "b", "c", "d"]
    assert (status.waiting, status.parked, status.failures) == (0, 1, 0)


def test_without_a_schema_nothing_is_lost_and_the_status_says_why(
    journal: Journal, any_url: URL, now: datetime
) -> None:
    engine = history_engine(any_url)
    carrier = Carrier(
        journal, History(engine, journal.install.install_id), lambda: now + timedelta(seconds=30)
    )
    tell(journal, now, "a")

    status = carrier.drain()

    assert status.waiting == 1
    assert status.failures == 1
    assert status.lag == timedelta(seconds=30)
    assert "margind db upgrade" in str(status.last_error)

    upgrade(any_url)
    status = carrier.drain()

    assert (status.waiting, status.failures, status.last_error, status.lag) == (0, 0, None, timedelta(0))
    engine.dispose()


def test_the_schema_can_be_prepared_on_the_way(journal: Journal, any_url: URL, now: datetime) -> None:
    engine = history_engine(any_url)
    carrier = Carrier(
        journal,
        History(engine, journal.install.install_id),
        lambda: now,
        prepare=lambda: upgrade(any_url),
    )
    tell(journal, now, "a")

    carrier.drain()

    assert messages(engine) == ["a"]
    engine.dispose()


def test_pauses_double_up_to_a_limit_and_end_with_the_first_success(
    journal: Journal, tmp_path: Path, now: datetime
) -> None:
    (tmp_path / "file").write_text("")
    engine = history_engine(URL.create("sqlite+pysqlite", database=str(tmp_path / "file" / "h.db")))
    carrier = Carrier(journal, History(engine, journal.install.install_id), lambda: now)
    pauses = []
    for _ in range(8):
        carrier.drain()
        pauses.append(carrier.pause_s())

    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30]

    (tmp_path / "file").unlink()
    upgrade(engine.url)
    carrier.drain()

    assert carrier.pause_s() == module.IDLE_S
    engine.dispose()


def test_a_bug_in_delivery_is_a_failure_and_not_the_end_of_the_thread(
    journal: Journal, any_engine: Engine, now: datetime
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("oops")

    carrier = Carrier(journal, History(any_engine, journal.install.install_id), lambda: now, prepare=broken)

    assert carrier.drain().last_error == "ZeroDivisionError: oops"


def test_a_closed_journal_ends_delivery_quietly(state_dir: Path, any_engine: Engine, now: datetime) -> None:
    journal = Journal.open(state_dir, now)
    carrier = Carrier(journal, History(any_engine, journal.install.install_id), lambda: now)
    carrier.drain()
    journal.close()

    assert "closed" in str(carrier.drain().last_error)


def test_a_journal_put_back_from_a_backup_is_noticed_and_does_not_hide_new_states(
    state_dir: Path,
    any_engine: Engine,
    now: datetime,
    crashed_copy: Callable[[Path], Path],
    make_intent: Callable[..., Intent],
) -> None:
    with Journal.open(state_dir, now) as journal:
        intent = make_intent(journal.install.install_id)
        with journal.transaction():
            journal.intents.add(intent)
        backup = crashed_copy(state_dir)
        for number in range(20):
            tell(journal, now, str(number))
        with journal.transaction():
            journal.intents.advance(intent.intent_id, IntentState.SENT, now)
        history = History(any_engine, journal.install.install_id)
        assert not Carrier(journal, history, lambda: now).drain().is_rewound

    with Journal.open(backup, now) as journal:
        carrier = Carrier(journal, history, lambda: now)
        assert carrier.drain().is_rewound
        with journal.transaction():
            journal.intents.advance(intent.intent_id, IntentState.SENT, now)
            journal.intents.advance(intent.intent_id, IntentState.FILLED, now)
        carrier.drain()

        assert last_orders(any_engine, 1)[0].state is IntentState.FILLED
        assert last_events(any_engine, 1, kinds=["journal_rewound"])
        verdict = verify_audit(any_engine, journal.install.install_id)
        assert not verdict.is_intact
        assert verdict.why == "two links have this number"


def test_the_thread_delivers_by_itself_and_once_more_when_stopped(
    journal: Journal, any_engine: Engine, now: datetime
) -> None:
    carrier = Carrier(journal, History(any_engine, journal.install.install_id), lambda: now, idle_s=0.01)
    carrier.start()
    tell(journal, now, "a")
    wait_for(lambda: messages(any_engine) == ["a"])

    tell(journal, now, "b")
    assert carrier.stop(10)

    assert messages(any_engine) == ["a", "b"]
    assert carrier.status.waiting == 0


@pytest.mark.postgres
def test_commits_go_on_while_the_server_is_frozen(
    journal: Journal,
    postgres: Any,  # noqa: ANN401 - a fixture of conftest
    now: datetime,
) -> None:
    url = postgres.new_schema()
    upgrade(url)
    engine = history_engine(url)
    carrier = Carrier(journal, History(engine, journal.install.install_id), lambda: now, idle_s=0.001)
    carrier.start()
    tell(journal, now, "a")
    wait_for(lambda: carrier.status.delivered == 1)
    postgres.pause()
    try:
        started = time.monotonic()
        for number in range(50):
            tell(journal, now, str(number))
        took = time.monotonic() - started
        assert not carrier.stop(0.05)
        assert carrier.status.delivered == 1
    finally:
        postgres.resume()
    wait_for(lambda: carrier.stop(0.05))

    assert took < 1
    assert messages(engine) == ["a", *(str(number) for number in range(50))]
    engine.dispose()


@pytest.mark.postgres
def test_a_server_that_stops_in_the_middle_loses_nothing(
    journal: Journal,
    postgres: Any,  # noqa: ANN401 - a fixture of conftest
    now: datetime,
) -> None:
    url = postgres.new_schema()
    upgrade(url)
    engine = history_engine(url)
    carrier = Carrier(journal, History(engine, journal.install.install_id), lambda: now, batch_size=2)
    tell(journal, now, "a", "b")
    assert carrier.drain().failures == 0

    postgres.stop()
    tell(journal, now, "c", "d", "e")
    status = carrier.drain()
    assert (status.failures, status.waiting) == (1, 3)
    with pytest.raises(HistoryUnavailable):
        last_events(engine, 1)

    postgres.start()
    status = carrier.drain()

    assert (status.failures, status.waiting) == (0, 0)
    assert messages(engine) == ["a", "b", "c", "d", "e"]
    engine.dispose()


@pytest.mark.postgres
def test_a_server_that_stops_and_starts_under_load_gets_every_row_once(
    journal: Journal,
    postgres: Any,  # noqa: ANN401 - a fixture of conftest
    now: datetime,
) -> None:
    url = postgres.new_schema()
    upgrade(url)
    engine = history_engine(url)
    carrier = Carrier(
        journal, History(engine, journal.install.install_id), lambda: now, batch_size=5, idle_s=0.001
    )
    carrier.start()
    for number in range(120):
        tell(journal, now, str(number))
        if number == 40:
            postgres.stop()
        if number == 80:
            postgres.start()
    wait_for(lambda: carrier.status.delivered == 120)
    assert carrier.stop(10)

    assert messages(engine) == [str(number) for number in range(120)]
    engine.dispose()
