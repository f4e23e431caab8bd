"""What it costs to write first: one commit of the journal, and the outbox's way to the history.

A commit is what a cycle writes before it sends: a plan, an intent that is marked as sent, the account's
alarm, in one transaction with `synchronous=FULL` on the disk of `folder`. Beside it stands what that disk
takes for a bare fsync. The carrier then brings what all this left in the outbox, and margin samples beside,
to SQLite.
"""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from database.carrier import Carrier
from database.engine import history_engine, history_url
from database.history import History
from database.ids import client_order_id, random_id
from database.journal import Journal
from database.records import (
    AlarmState,
    Intent,
    IntentKind,
    IntentState,
    MarginSample,
    Plan,
    PlanState,
)
from database.upgrade import upgrade
from tests.bench.spread import percentile

PAGE = b"\0" * 4096
ACCOUNT = "bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Durability:
    """Milliseconds of a commit and of the disk's bare fsync; history rows a second."""

    commit_p50_ms: float
    commit_p99_ms: float
    fsync_p50_ms: float
    fsync_p99_ms: float
    commits: int
    carried_rows: int
    carried_per_s: float


def measure_durability(folder: Path, *, commits: int, samples: int) -> Durability:
    """Measure `commits` commits, then carry their rows and `samples` margin samples."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        state_dir = Path(place)
        fsync_ms = _fsync_ms(state_dir / "bare", commits)
        with Journal.open(state_dir, datetime.now(UTC)) as journal:
            commit_ms = _milliseconds(lambda number: _commit(journal, number), commits)
            rows, seconds = _carry(journal, state_dir, samples)
    return Durability(
        commit_p50_ms=percentile(commit_ms, 50),
        commit_p99_ms=percentile(commit_ms, 99),
        fsync_p50_ms=percentile(fsync_ms, 50),
        fsync_p99_ms=percentile(fsync_ms, 99),
        commits=commits,
        carried_rows=rows,
        carried_per_s=rows / seconds,
    )


def _milliseconds(work: Callable[[int], None], count: int) -> list[float]:
    taken = []
    for number in range(count):
        began = time.perf_counter()
        work(number)
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def _fsync_ms(path: Path, count: int) -> list[float]:
    with path.open("wb", buffering=0) as file:

        def work(_: int) -> None:
            file.write(PAGE)
            os.fsync(file.fileno())

        return _milliseconds(work, count)


def _commit(journal: Journal, number: int) -> None:
    now = datetime.now(UTC)
    plan = _plan(now)
    intent = _intent(journal.install.install_id, plan, number, now)
    with journal.transaction():
        journal.plans.add(plan)
        journal.intents.add(intent)
        journal.intents.advance(intent.intent_id, IntentState.SENT, now)
        journal.alarms.save(AlarmState(account=ACCOUNT, state='{"level":"liquidation"}', updated_at=now))


def _plan(now: datetime) -> Plan:
    return Plan(
        plan_id=random_id(),
        account=ACCOUNT,
        decided_at=now,
        decision="reduce",
        reason="above_target",
        mode="enforce",
        config_hash="0" * 64,
        state=PlanState.APPROVED,
        snapshot={
            "units": [{"key": "account", "utilization": Decimal("0.9312"), "margin_equity": Decimal(10_000)}],
            "positions": [{"symbol": "BTCUSDT", "side": "long", "quantity": Decimal("0.512")}],
        },
        plan={
            "orders": [{"symbol": "BTCUSDT", "quantity": Decimal("0.256"), "limit_price": Decimal(59_700)}]
        },
    )


def _intent(install_id: str, plan: Plan, number: int, now: datetime) -> Intent:
    side, margin_mode, symbol = "long", "cross", "BTCUSDT"
    return Intent(
        intent_id=client_order_id(
            install_id,
            account=ACCOUNT,
            symbol=symbol,
            side=side,
            margin_mode=margin_mode,
            episode=number,
            step=0,
            attempt=1,
        ),
        account=ACCOUNT,
        symbol=symbol,
        side=side,
        margin_mode=margin_mode,
        episode=number,
        step=0,
        attempt=1,
        kind=IntentKind.REDUCE,
        reason=plan.reason,
        created_at=now,
        quantity=Decimal("0.256"),
        quantity_before=Decimal("0.512"),
        deadline=now + timedelta(seconds=3),
        plan_id=plan.plan_id,
    )


def _carry(journal: Journal, state_dir: Path, samples: int) -> tuple[int, float]:
    """Return how many rows the carrier brought over, and in how many seconds."""
    now = datetime.now(UTC)
    with journal.transaction():
        for number in range(samples):
            journal.outbox.append(_sample(now + timedelta(milliseconds=number)))
    url = history_url("sqlite", state_dir)
    upgrade(url)
    engine = history_engine(url)
    carrier = Carrier(journal, History(engine, journal.install.install_id), lambda: datetime.now(UTC))
    began = time.perf_counter()
    status = carrier.drain()
    seconds = time.perf_counter() - began
    engine.dispose()
    if status.last_error or status.waiting:
        raise RuntimeError(f"the carrier left {status.waiting} rows behind: {status.last_error}")
    return status.delivered, seconds


def _sample(moment: datetime) -> MarginSample:
    return MarginSample(
        time=moment,
        account=ACCOUNT,
        broker="bybit",
        product="unified",
        unit="account",
        currency="USD",
        level="safe",
        equity_balance=Decimal("10000.12345678"),
        initial_margin=Decimal("3512.5"),
        maintenance_margin=Decimal("501.25"),
        margin_utilization=Decimal("0.35125"),
    )
