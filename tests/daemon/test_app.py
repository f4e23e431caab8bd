"""How the process ends, and what it says then."""

import asyncio
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.loader import parse
from config.schema import Settings
from daemon.app import _tell_skew, _until_the_end, open_journal
from daemon.clock import SystemClock
from daemon.errors import EXIT_CONFIG, EXIT_FAILURE, ConfigurationFault, FatalError
from daemon.opening import Account, Preparation
from daemon.risk.policy import Mode
from daemon.state import Board
from daemon.supervisor import Guard, Supervisor
from database.errors import JournalFailed

Desk = Any  # the fixture's type lives in conftest


def settings(state_dir: Path) -> Settings:
    """Settings whose journal lies in `state_dir`."""
    text = f"""
        state_dir: {state_dir}
        accounts: [{{id: main, broker: bybit, credentials: {{api_key: env:K, secret: env:S}}}}]
    """
    return parse(text.encode(), "margind.yaml")


def test_a_journal_that_fails_ends_the_process_with_one_line(
    virtual: asyncio.Runner, open_desk: Callable[..., Desk]
) -> None:
    desk = open_desk(loop=virtual.get_loop())

    def refuse(moment: str) -> None:
        if moment == "commits":
            raise JournalFailed("input/output error")

    desk.at_commit = refuse
    board = Board()
    guard = Guard(cycle=desk.cycle, board=board, clock=desk.clock)
    with pytest.raises(FatalError) as caught:
        virtual.run(_until_the_end(Supervisor([guard], board=board, clock=desk.clock)))

    assert caught.value.exit_code == EXIT_FAILURE
    assert str(caught.value) == "the journal failed, so nothing may be sent any more: input/output error"


def test_a_state_directory_in_use_is_named_in_one_line(desk: Desk) -> None:
    with pytest.raises(FatalError) as caught:
        open_journal(settings(desk.folder), desk.clock.now())

    assert str(desk.folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_journal_that_is_not_one_is_refused_with_what_helps(desk: Desk, quick_folder: Path) -> None:
    folder = quick_folder / "other"
    folder.mkdir()
    (folder / "journal.db").write_bytes(b"")
    with pytest.raises(FatalError, match=r"empty.*set-aside"):
        open_journal(settings(folder), desk.clock.now())


def test_a_clock_far_off_is_told_at_the_start_and_one_that_agrees_or_is_not_known_is_not(
    desk: Desk, log: io.StringIO
) -> None:
    written = settings(desk.folder).accounts[0]
    account = Account(
        settings=written, broker=desk.line, prepare=Preparation(written, desk.line, Mode.OBSERVE)
    )
    _tell_skew(((account, True),), desk.clock)
    _tell_skew(((account, False),), SystemClock())
    assert log.getvalue() == ""

    _tell_skew(((account, True),), SystemClock())
    (line,) = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (line["event"], line["severity"], line["account"]) == ("clock_skewed", "error", "main")
    assert "ahead of the venue's" in line["why"]


def test_faults_of_the_configuration_have_an_exit_code_that_systemd_does_not_restart_on() -> None:
    assert FatalError.exit_code == EXIT_FAILURE == 1
    assert ConfigurationFault.exit_code == EXIT_CONFIG == 78
    assert issubclass(ConfigurationFault, FatalError)


def test_the_board_knows_the_last_outcome_and_when_it_came(
    virtual: asyncio.Runner, open_desk: Callable[..., Desk]
) -> None:
    desk = open_desk(loop=virtual.get_loop())
    board = Board()
    assert board.last_beat(desk.account) is None
    outcome = virtual.run(desk.cycle.run())
    board.publish(outcome, 7.0)
    board.publish(replace(outcome, doing="confirm"), 8.0)

    assert board.outcomes[desk.account].doing == "confirm"
    assert board.last_beat(desk.account) == 8.0
