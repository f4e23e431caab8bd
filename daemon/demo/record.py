"""What the demo's daemons wrote down: orders, transfers, and what one would have done that only watched."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from daemon.risk.scorecard import Scorecard
from daemon.shadow_report import SHADOW_KINDS, scorecard
from database.engine import history_engine, history_url
from database.queries import last_events, last_orders
from database.records import Event, Intent, TransferState

MOST = 10_000
TRANSFER_KINDS = tuple(f"transfer_{state.value}" for state in TransferState)

T = TypeVar("T")


def orders(state_dir: Path) -> tuple[Intent, ...]:
    """Return every order, oldest first."""
    return _read(state_dir, lambda engine: last_orders(engine, MOST))


def transfers(state_dir: Path) -> tuple[Event, ...]:
    """Return the last that is known of every transfer from a funding wallet, oldest transfer first."""
    told = _read(state_dir, lambda engine: last_events(engine, MOST, kinds=TRANSFER_KINDS))
    latest = {event.detail["client_id"]: event for event in told}
    return tuple(latest.values())


def shadow(state_dir: Path) -> Scorecard:
    """Return the scorecard of what was only watched."""
    return scorecard(_read(state_dir, lambda engine: last_events(engine, MOST, kinds=SHADOW_KINDS)))


def _read(state_dir: Path, query: Callable[..., T]) -> T:
    engine = history_engine(history_url("sqlite", state_dir))
    try:
        return query(engine)
    finally:
        engine.dispose()
