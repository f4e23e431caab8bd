from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine, text

from database.carrier import Carrier
from database.history import History
from database.journal import Journal
from database.queries import (
    StoryLine,
    audit_chains,
    episode_story,
    last_alerts,
    last_delivery,
    last_events,
    last_orders,
    margin_between,
    orders_of_episode,
    verify_audit,
)
from database.records import (
    Alert,
    Event,
    Intent,
    IntentState,
    MarginSample,
    Plan,
    PlanState,
    PositionSample,
    RowKind,
)

ACCOUNT = "bybit-main"


@pytest.fixture
def deliver(journal: Journal, any_engine: Engine, now: datetime) -> Callable[[], None]:
    carrier = Carrier(journal, History(any_engine, journal.install.install_id), lambda: now)

    def drain() -> None:
        status = carrier.drain()
        assert status.last_error is None
        assert status.waiting == 0

    return drain


def test_margin_is_read_by_account_time_and_unit(
    journal: Journal,
    any_engine: Engine,
    deliver: Callable[[], None],
    now: datetime,
    make_sample: Callable[..., MarginSample],
) -> None:
    with journal.transaction():
        for second in range(5):
            journal.outbox.append(make_sample(second))
        journal.outbox.append(make_sample(2, unit="BTC"))
        journal.outbox.append(make_sample(2, account="okx-main"))
    deliver()

    def seconds(**changes: object) -> list[float]:
        asked = {"since": now + timedelta(seconds=1), "until": now + timedelta(seconds=4)} | changes
        return [(row.time - now).total_seconds() for row in margin_between(any_engine, ACCOUNT, **asked)]

    assert seconds() == [1, 2, 2, 3]
    assert seconds(unit="ACCOUNT") == [1, 2, 3]
    assert seconds(limit=2) == [1, 2]
    assert seconds(unit="ETH") == []


def test_the_newest_events_come_oldest_first(
    journal: Journal, any_engine: Engine, deliver: Callable[[], None], now: datetime
) -> None:
    with journal.transaction():
        for number in range(6):
            journal.outbox.append(
                Event(
                    time=now,
                    kind="fault" if number % 2 else "transition",
                    message=str(number),
                    account=ACCOUNT if number < 4 else None,
                )
            )
    deliver()

    def found(count: int, **asked: object) -> list[str]:
        return [event.message for event in last_events(any_engine, count, **asked)]

    assert found(3) == ["3", "4", "5"]
    assert found(10, kinds=["fault"]) == ["1", "3", "5"]
    assert found(10, account=ACCOUNT) == ["0", "1", "2", "3"]
    assert found(1, account=ACCOUNT, kinds=["transition"]) == ["2"]


@pytest.fixture
def episode(  # noqa: PLR0917 - fixtures
    journal: Journal,
    deliver: Callable[[], None],
    now: datetime,
    make_plan: Callable[..., Plan],
    make_intent: Callable[..., Intent],
    make_sample: Callable[..., MarginSample],
    make_alert: Callable[..., Alert],
    make_position: Callable[..., PositionSample],
) -> None:
    """The first episode of an account with one step and one order, in the history, and things around it."""

    def after(seconds: float) -> datetime:
        return now + timedelta(seconds=seconds)

    intent = make_intent(journal.install.install_id, plan_id="p1", created_at=after(1))
    with journal.transaction():
        journal.outbox.append(make_sample(-60))
        journal.episodes.start(ACCOUNT, at=now, trigger="above_liquidation", level="LIQUIDATION")
        journal.outbox.append(make_sample(0))
    with journal.transaction():
        journal.episodes.next_step(ACCOUNT)
        journal.plans.add(make_plan("p1", decided_at=after(1)))
        journal.intents.add(intent)
    with journal.transaction():
        journal.intents.advance(intent.intent_id, IntentState.SENT, after(1.1))
        journal.intents.advance(intent.intent_id, IntentState.FILLED, after(1.5), filled=Decimal("0.5"))
        journal.plans.settle("p1", PlanState.EXECUTED, after(1.6))
        journal.outbox.append(make_alert(after(1.7)))
        journal.outbox.append(make_position(after(2)))
        journal.episodes.close(ACCOUNT, at=after(3), outcome="target_reached")
        journal.outbox.append(make_sample(60))
        journal.episodes.start(ACCOUNT, at=after(90), trigger="again", level="LIQUIDATION")
    deliver()


@pytest.fixture
def make_alert() -> Callable[..., Alert]:
    def make(at: datetime) -> Alert:
        return Alert(
            time=at,
            kind="delever",
            severity="critical",
            status="firing",
            title="t",
            message="m",
            account=ACCOUNT,
            episode=1,
        )

    return make


@pytest.fixture
def make_position() -> Callable[..., PositionSample]:
    def make(at: datetime) -> PositionSample:
        return PositionSample(
            time=at,
            account=ACCOUNT,
            broker="bybit",
            product="unified",
            unit="ACCOUNT",
            symbol="BTCUSDT",
            side="long",
            margin_mode="cross",
            quantity=Decimal("1.5"),
            settle="USDT",
        )

    return make


@pytest.mark.usefixtures("episode")
def test_the_story_of_an_episode_is_everything_in_order(any_engine: Engine) -> None:
    story = episode_story(any_engine, ACCOUNT, 1)

    assert [tell(line) for line in story] == [
        "episode_began",
        "margin",
        "plan_approved",
        "order filled",
        "plan_executed",
        "alert",
        "position",
        "episode_ended",
    ]
    assert [line.time for line in story] == sorted(line.time for line in story)
    assert episode_story(any_engine, ACCOUNT, 7) == ()


@pytest.mark.usefixtures("episode")
def test_orders_and_alerts_of_an_episode_are_found(any_engine: Engine) -> None:
    (order,) = orders_of_episode(any_engine, ACCOUNT, 1)

    assert (order.state, order.filled, order.plan_id) == (IntentState.FILLED, Decimal("0.5"), "p1")
    assert last_orders(any_engine, 5, account=ACCOUNT) == (order,)
    assert last_alerts(any_engine, 5, account=ACCOUNT)[0].episode == 1
    assert orders_of_episode(any_engine, ACCOUNT, 2) == ()


def tell(line: StoryLine) -> str:
    if isinstance(line.row, Event):
        return line.row.kind
    if isinstance(line.row, Intent):
        return f"{line.kind} {line.row.state}"
    return RowKind(line.kind).value


def test_an_edited_audit_row_is_found_in_the_database(
    journal: Journal, any_engine: Engine, deliver: Callable[[], None], now: datetime
) -> None:
    for number in range(5):
        with journal.transaction():
            journal.audit.append(at=now, actor="anna", action="looked", subject=str(number))
    deliver()
    chain = journal.install.install_id
    assert verify_audit(any_engine, chain, journal.audit.head).is_intact
    assert audit_chains(any_engine) == (chain,)

    with any_engine.begin() as connection:
        around = "DROP TRIGGER audit_no_update"
        if connection.dialect.name == "postgresql":
            around = "SET LOCAL session_replication_role = replica"
        connection.execute(text(around))
        connection.execute(text("UPDATE audit SET actor = 'bob' WHERE number = 3"))

    verdict = verify_audit(any_engine, chain, journal.audit.head)
    assert not verdict.is_intact
    assert verdict.broken_at == 3


def test_rows_that_are_still_on_their_way_look_like_a_missing_end(
    journal: Journal, any_engine: Engine, deliver: Callable[[], None], now: datetime
) -> None:
    with journal.transaction():
        journal.audit.append(at=now, action="looked", subject="a")
    deliver()
    with journal.transaction():
        journal.audit.append(at=now, action="looked", subject="b")

    verdict = verify_audit(any_engine, journal.install.install_id, journal.audit.head)

    assert not verdict.is_intact
    assert verdict.broken_at == 2


def test_the_last_delivery_is_known(
    journal: Journal, any_engine: Engine, deliver: Callable[[], None], now: datetime
) -> None:
    assert last_delivery(any_engine, journal.install.install_id) is None
    with journal.transaction():
        journal.audit.append(at=now, action="looked", subject="a")
    deliver()

    assert last_delivery(any_engine, journal.install.install_id) == now
