"""What a run leaves in the history: in SQLite, and in a PostgreSQL that was gone for a while."""

import importlib.util
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from database.engine import history_engine, history_url
from database.queries import last_events, last_orders, margin_between, positions_between
from database.tables import deliveries, margin_history

Workshop = Any
Daemon = Any
Sandbox = Any
Account = dict[str, Any]  # the types live in conftest

COLUMNS = (
    "debit_balance",
    "equity_balance",
    "market_value",
    "margin_ratio",
    "initial_margin",
    "maintenance_margin",
    "available_margin",
    "maintenance_excess",
    "margin_utilization",
    "maintenance_ratio",
    "effective_leverage",
    "interest_rate",
    "daily_interest_cost",
    "net_leverage",
    "largest_underlying",
    "underlying_leverage",
)
OWED = {"debit_balance", "interest_rate", "daily_interest_cost"}
"""Where nothing is borrowed and the venue states no rate, these are unknown, never invented."""

HOURLY = Decimal("0.0000091324200913")
"""What the sandbox's venues state for USDT: 8 % a year."""

IN_HISTORY = {"episode_began": "episode_began", "episode_ended": "episode_ended"}
"""Episodes have a name of their own in the history, where the journal tells of them."""

TRANSITIONS = {
    "level_rose",
    "level_fell",
    "confirmed",
    "protection_lost",
    "protection_regained",
    "episode_began",
    "episode_ended",
    "leverage_over_cap",
    "leverage_within_cap",
}
MANY = 10_000


@pytest.fixture(scope="module")
def postgres() -> Iterator[Any]:
    """The server that the database's own tests use, one for these tests alone: it is stopped and started."""
    file = Path(__file__).parents[1] / "database" / "conftest.py"
    spec = importlib.util.spec_from_file_location("database_conftest", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server = module.PostgresServer()
    server.start()
    yield server
    server.remove()


def compare(engine: Engine, daemon: Daemon) -> None:
    """Hold the history against the journal and the log: nothing is missing."""
    journal = {row["intent_id"]: row["state"] for row in daemon.rows("intents")}
    assert {order.intent_id: order.state.value for order in last_orders(engine, MANY)} == journal
    events = last_events(engine, MANY)
    kinds = {IN_HISTORY.get(kind, kind): kind for kind in TRANSITIONS}
    told = sorted((event.account, kinds[event.kind]) for event in events if event.kind in kinds)
    logged = sorted((line["account"], line["event"]) for line in daemon.log() if line["event"] in TRANSITIONS)
    assert told == logged
    (numbered,) = daemon.rows("sqlite_sequence", "name = 'outbox'")
    with engine.connect() as connection:
        assert connection.execute(select(func.max(deliveries.c.sequence))).scalar() == numbered["seq"]


def test_a_run_is_in_the_sqlite_history(workshop: Workshop, bybit: Account, okx: Account) -> None:
    sandbox = workshop.sandbox(bybit, okx)
    daemon = workshop.guard(sandbox)
    for broker in sandbox.endpoints:
        sandbox.venue(broker).move("0.8668")
    for row in sandbox.accounts:
        daemon.until(event="episode_ended", account=row["id"])
    assert daemon.terminate() == 0
    engine = history_engine(history_url("sqlite", daemon.state_dir))
    try:
        compare(engine, daemon)
        now = datetime.now(UTC)
        for row in sandbox.accounts:
            samples = margin_between(engine, row["id"], now - timedelta(minutes=5), now)
            levels = [sample.level for sample in samples]
            assert levels[0] == "safe"
            assert "liquidation" in levels
            assert levels[-1] == "safe"
            known = {name for name in COLUMNS if getattr(samples[-1], name) is not None}
            assert known >= set(COLUMNS) - OWED
            sizes = [
                position.quantity
                for position in positions_between(engine, row["id"], now - timedelta(minutes=5), now)
            ]
            assert len(sizes) == 2
            assert sizes[1] < sizes[0]
    finally:
        engine.dispose()
    assert (daemon.state_dir / "history.db").stat().st_mode & 0o777 == 0o600
    assert daemon.state_dir.stat().st_mode & 0o777 == 0o700


def backed_by_bitcoin(account: Account, **more: object) -> Account:
    """Hold no dollars: what is lost in them is owed. It falls as the account did."""
    (position,) = account["positions"]
    held = {**position, "quantity": "1.82"}
    return {**account, "wallets": {"BTC": "0.5"}, "positions": [held], **more}


def wait_for_cycles(daemon: Daemon, sandbox: Sandbox, count: int) -> None:
    """Wait until every account has had so many more."""
    for _ in range(count):
        mark = daemon.mark()
        for row in sandbox.accounts:
            daemon.until(event="cycle", account=row["id"], since=mark)


def test_a_debt_is_in_the_history_with_what_it_costs(
    workshop: Workshop, bybit: Account, okx: Account
) -> None:
    sandbox = workshop.sandbox(backed_by_bitcoin(bybit), backed_by_bitcoin(okx, mode="multi_currency"))
    daemon = workshop.guard(sandbox)
    for broker in sandbox.endpoints:
        sandbox.venue(broker).move("0.8668")
    for row in sandbox.accounts:
        daemon.until(event="episode_ended", account=row["id"])
    wait_for_cycles(daemon, sandbox, 2)  # the rate is asked for beside the first picture after the episode
    for broker in sandbox.endpoints:
        sandbox.venue(broker).move("1.02")
    wait_for_cycles(daemon, sandbox, 2)
    assert daemon.terminate() == 0
    engine = history_engine(history_url("sqlite", daemon.state_dir))
    try:
        now = datetime.now(UTC)
        for row in sandbox.accounts:
            samples = margin_between(engine, row["id"], now - timedelta(minutes=5), now)
            assert {name for name in COLUMNS if getattr(samples[-1], name) is None} == set()
            coins = sandbox.venue_of(row["id"]).truth(row["id"])["coins"]
            (owed,) = (Decimal(coin["liability"]) for coin in coins if coin["liability"] != "0")
            assert abs(samples[-1].debit_balance - owed) < Decimal("1e-8")
            assert abs(samples[-1].interest_rate - HOURLY * 24 * 365) < Decimal("1e-18")
            a_day = samples[-1].debit_balance * HOURLY * 24
            assert abs(samples[-1].daily_interest_cost - a_day) < Decimal("1e-18")
            assert samples[0].debit_balance == 0
            assert samples[0].interest_rate is None
    finally:
        engine.dispose()


@pytest.mark.postgres
def test_a_history_server_that_was_gone_during_an_episode_misses_nothing(
    workshop: Workshop,
    bybit: Account,
    postgres: Any,  # noqa: ANN401 - of another conftest
) -> None:
    url = postgres.new_database()
    sandbox = workshop.sandbox(bybit)
    daemon = workshop.guard(sandbox, database={"url": url.render_as_string()})
    engine = history_engine(url)
    try:
        _until_delivered(engine, daemon)
        postgres.stop()
        mark = daemon.mark()
        sandbox.venue("bybit").move("0.8668")
        ended = daemon.until(event="episode_ended", since=mark)
        assert ended["reason"] == "target_reached"
        assert Decimal("1.258") <= sandbox.venue("bybit").position("bybit-a") <= Decimal("1.260")
        told = daemon.until(event="history_unavailable", since=mark)
        assert told["severity"] == "error"
        assert daemon.rows("outbox"), "what could not be brought waits in the journal"

        postgres.start()
        daemon.until(event="history_regained", since=mark, within=30)
        assert daemon.terminate() == 0
        assert not daemon.rows("outbox")
        compare(engine, daemon)
        with engine.connect() as connection:
            assert connection.execute(select(func.count()).select_from(margin_history)).scalar() > 1
    finally:
        engine.dispose()


def _until_delivered(engine: Engine, daemon: Daemon) -> None:
    daemon.until(lambda _: not daemon.rows("outbox"), event="cycle")
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(margin_history)).scalar() >= 1
