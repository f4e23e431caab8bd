from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import URL, Engine, select

from database.engine import history_engine
from database.errors import HistoryRefused, HistoryUnavailable
from database.history import History
from database.ids import event_id
from database.payload import KINDS, encode
from database.queries import (
    last_alerts,
    last_events,
    last_orders,
    margin_between,
    positions_between,
)
from database.records import (
    Alert,
    Event,
    HistoryRow,
    Intent,
    IntentState,
    MarginSample,
    OutboxRow,
    PositionSample,
)
from database.tables import deliveries, events

INSTALL = "i" * 32


@pytest.fixture
def history(any_engine: Engine) -> History:
    return History(any_engine, INSTALL)


def boxed(sequence: int, row: HistoryRow, at: datetime) -> OutboxRow:
    return OutboxRow(
        sequence=sequence,
        event_id=event_id(at),
        kind=KINDS[type(row)],
        account="bybit-main",
        at=at,
        payload=encode(row),
    )


@pytest.fixture
def position(now: datetime) -> PositionSample:
    return PositionSample(
        time=now,
        account="bybit-main",
        broker="bybit",
        product="unified",
        unit="ACCOUNT",
        symbol="BTCUSDT",
        side="long",
        margin_mode="cross",
        quantity=Decimal("0.500"),
        settle="USDT",
        mark_price=Decimal("61234.50"),
    )


def test_both_databases_give_back_what_went_in_to_the_last_digit(
    history: History,
    now: datetime,
    make_sample: Callable[..., MarginSample],
    make_intent: Callable[..., Intent],
    position: PositionSample,
) -> None:
    sample = make_sample(
        equity_balance=Decimal("123456789012345678901234.000000000000000001"),
        debit_balance=Decimal("0.10"),
        daily_interest_cost=Decimal("-0E-12"),
        interest_rate=Decimal("1E-10"),
    )
    order = make_intent(INSTALL, message="refusé ✓ \x00", state=IntentState.PLANNED)
    event = Event(time=now, kind="fault", message="m", detail={"b": [1, "2", None, True], "a": {"x": "1.50"}})
    alert = Alert(
        time=now,
        kind="level",
        severity="critical",
        status="firing",
        title="t",
        message="m",
        account="bybit-main",
    )
    rows = (sample, position, order, event, alert)
    history.write([boxed(number, row, now) for number, row in enumerate(rows, 1)], now)

    engine, until = history.engine, now + timedelta(seconds=1)
    found = margin_between(engine, "bybit-main", now, until)

    assert found == (sample,)
    assert str(found[0].debit_balance) == "0.10"
    assert found[0].interest_rate == Decimal("0.0000000001")
    assert positions_between(engine, "bybit-main", now, until) == (position,)
    assert last_orders(engine, 10) == (replace(order, message="refusé ✓ \ufffd"),)
    assert last_events(engine, 10) == (event,)
    assert last_alerts(engine, 10) == (alert,)


def test_a_batch_delivered_twice_is_there_once(
    history: History,
    now: datetime,
    make_sample: Callable[..., MarginSample],
    make_intent: Callable[..., Intent],
) -> None:
    batch = [
        boxed(1, make_sample(), now),
        boxed(2, make_intent(INSTALL), now),
        boxed(3, Event(time=now, kind="fault", message="m"), now),
    ]
    history.write(batch, now)
    history.write(batch[1:], now)
    history.write(batch, now)

    assert len(margin_between(history.engine, "bybit-main", now, now + timedelta(days=1))) == 1
    assert len(last_orders(history.engine, 10)) == 1
    assert len(last_events(history.engine, 10)) == 1
    assert history.delivered() == 3


def test_an_order_is_one_row_in_its_latest_state_however_it_arrives(
    history: History, now: datetime, make_intent: Callable[..., Intent]
) -> None:
    planned = make_intent(INSTALL)
    states = [
        boxed(number, replace(planned, state=state), now)
        for number, state in enumerate((IntentState.PLANNED, IntentState.SENT, IntentState.FILLED), 1)
    ]
    history.write(states, now)
    history.write(states[:2], now)  # an older batch, once more

    (order,) = last_orders(history.engine, 10)

    assert order.state is IntentState.FILLED


def test_one_refused_row_keeps_the_whole_batch_out(history: History, now: datetime) -> None:
    good = boxed(1, Event(time=now, kind="fault", message="m"), now)
    bad = replace(boxed(2, Event(time=now, kind="fault", message="m"), now), payload='{"time":"never"}')

    with pytest.raises(HistoryRefused, match="row 2"):
        history.write([good, bad], now)

    assert last_events(history.engine, 10) == ()
    assert history.delivered() == 0


def test_a_value_that_no_column_holds_is_refused_for_good(history: History, now: datetime) -> None:
    row = Event(time=now, kind="fault", message="m", episode=2**70)

    with pytest.raises(HistoryRefused):
        history.write([boxed(1, row, now)], now)

    assert last_events(history.engine, 10) == ()


def test_delivery_is_noted_per_install_and_never_goes_back(history: History, now: datetime) -> None:
    later = now + timedelta(seconds=1)
    history.write([boxed(7, Event(time=now, kind="fault", message="m"), now)], later)
    history.write([boxed(3, Event(time=now, kind="fault", message="m"), now)], later)
    other = History(history.engine, "j" * 32)
    other.write([boxed(1, Event(time=now, kind="fault", message="m"), now)], now)

    with history.engine.connect() as connection:
        noted = {
            row.install_id: (row.sequence, row.delivered_at) for row in connection.execute(select(deliveries))
        }

    assert noted == {INSTALL: (7, later), "j" * 32: (1, now)}
    assert history.delivered() == 7


def test_a_history_without_tables_is_unavailable(any_url: URL, now: datetime) -> None:
    engine = history_engine(any_url)
    history = History(engine, INSTALL)

    with pytest.raises(HistoryUnavailable, match="db upgrade"):
        history.delivered()
    with pytest.raises(HistoryUnavailable):
        history.write([boxed(1, Event(time=now, kind="fault", message="m"), now)], now)
    engine.dispose()


def test_an_event_without_an_account_belongs_to_the_daemon(history: History, now: datetime) -> None:
    history.write([boxed(1, Event(time=now, kind="started", message="m"), now)], now)

    with history.engine.connect() as connection:
        assert connection.execute(select(events.c.account)).scalars().all() == [None]
