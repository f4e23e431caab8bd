"""A journal that lost its end keeps margind from acting until an operator says otherwise."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from brokers.models import AccountId
from config.loader import parse
from config.schema import Settings
from daemon.app import open_journal
from daemon.clock import SystemClock
from daemon.errors import FatalError
from daemon.flatten import latch, latched_units
from daemon.mandate import Mandate
from daemon.risk.policy import Mode
from daemon.risk.reason import Reason
from daemon.upkeep import reset_flatten, resume, set_journal_aside
from database.journal import Journal
from database.records import Event

ACCOUNT = """
state_dir: {folder}
accounts:
  - id: desk
    broker: bybit
    credentials: {{api_key: "env:A", secret: "env:B"}}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return parse(ACCOUNT.format(folder=tmp_path / "state").encode(), "margind.yaml")


def write_something(settings: Settings) -> None:
    with Journal.open(settings.state_dir, datetime.now(UTC)) as journal, journal.transaction():
        journal.outbox.append(Event(time=datetime.now(UTC), kind="test", message="something happened"))


def lose_the_end(settings: Settings, tmp_path: Path) -> None:
    """Put an older copy of the journal back."""
    file = settings.state_dir / "journal.db"
    write_something(settings)
    shutil.copy(file, tmp_path / "older.db")
    write_something(settings)
    shutil.copy(tmp_path / "older.db", file)


def mode_of(journal: Any) -> Mode:  # noqa: ANN401 - a Journal
    return Mandate("desk", Mode.ENFORCE, journal=journal, clock=SystemClock()).mode()


def test_after_a_rewind_margind_watches_over_restarts_until_it_is_resumed(
    settings: Settings, tmp_path: Path
) -> None:
    lose_the_end(settings, tmp_path)
    for _ in range(3):
        journal = open_journal(settings, datetime.now(UTC))
        assert mode_of(journal) is Mode.OBSERVE
        journal.close()

    assert "lifted: observe" in resume(settings)
    journal = open_journal(settings, datetime.now(UTC))
    assert mode_of(journal) is Mode.ENFORCE
    journal.close()
    assert "nothing keeps margind" in resume(settings)


def test_a_journal_in_use_is_not_resumed_nor_set_aside(settings: Settings) -> None:
    with Journal.open(settings.state_dir, datetime.now(UTC)):
        for upkeep in (resume, set_journal_aside):
            with pytest.raises(FatalError, match="another margind already uses"):
                upkeep(settings)


def test_a_journal_set_aside_makes_room_for_a_new_one(settings: Settings) -> None:
    write_something(settings)
    (settings.state_dir / "journal.db").write_bytes(b"")
    with pytest.raises(FatalError, match="is empty"):
        open_journal(settings, datetime.now(UTC))
    assert "begins anew" in set_journal_aside(settings)
    open_journal(settings, datetime.now(UTC)).close()


def test_a_flatten_is_released_by_hand_while_the_daemon_is_stopped(settings: Settings) -> None:
    now = datetime.now(UTC)
    with Journal.open(settings.state_dir, now) as journal, journal.transaction():
        for unit in ("USDT", "BTC"):
            latch(journal, AccountId("desk"), unit, now, Reason.LIQUIDATION_REACHED)
    assert reset_flatten(settings, "desk", "ETH", "a try") == "no flatten of desk is latched for ETH"
    assert reset_flatten(settings, "desk", "BTC", "sold by hand").startswith("released: BTC of desk;")
    with Journal.open(settings.state_dir, now) as journal:
        assert latched_units(journal, AccountId("desk")) == {"USDT"}
    assert reset_flatten(settings, "desk", None, "sold by hand").startswith("released: USDT of desk;")
    assert reset_flatten(settings, "desk", None, "again") == "no flatten of desk is latched"


def test_a_flatten_of_an_account_that_is_not_there_is_named_as_such(settings: Settings) -> None:
    with pytest.raises(FatalError, match="no account 'dask'; there are: desk"):
        reset_flatten(settings, "dask", None, "a slip")
