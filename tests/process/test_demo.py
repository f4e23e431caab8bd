"""`margind demo`, short: for a log file and for a person at a terminal."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

Workshop = Any

ACCOUNTS = (
    "bybit-cross",
    "bybit-isolated",
    "binance-single",
    "binance-multi",
    "okx-futures",
    "okx-multi",
    "kraken-spot",
    "kraken-flex",
    "kraken-coin",
)


def check_the_summary(text: str, code: int) -> None:
    """Whatever the hurried market did to the accounts, the end says what happened and where it lies."""
    told = text.partition("The same fall, without and with margind (USD):")[2]
    assert not [name for name in ACCOUNTS if name not in told]
    assert not [name for name in ("log", "journal", "history", "config") if f"\n{name} " not in told]
    *_, last = told.strip().splitlines()
    assert last.startswith("Every account was protected." if code == 0 else "NOT PROTECTED: ")


def test_off_a_terminal_it_is_plain_text_with_a_summary(workshop: Workshop, tmp_path: Path) -> None:
    done = workshop.run("demo", "--speed", "3", within=100, env={"TMPDIR": str(tmp_path)})
    assert done.process.returncode in {0, 1}
    assert done.stderr == ""
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", done.stdout), "no escape codes, no redrawing"
    assert "the market starts to fall (slide)" in done.stdout
    assert "level rose to LIQUIDATION" in done.stdout
    check_the_summary(done.stdout, done.process.returncode)


def test_at_a_terminal_it_draws_every_level_and_an_interrupt_ends_all_of_it(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "TMPDIR": str(tmp_path)}
    for name in ("COLUMNS", "LINES"):
        environment.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-m", "daemon", "demo", "--speed", "3"],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment,
        start_new_session=True,
    )
    os.close(follower)
    drawn = bytearray()
    is_interrupted = False
    with suppress(OSError):  # how Linux says that the other side has closed
        while part := os.read(leader, 1 << 16):
            drawn += part
            if b"starts to fall" in drawn and not is_interrupted:
                process.send_signal(signal.SIGINT)
                is_interrupted = True
    os.close(leader)
    assert process.wait(20) == 130
    assert b"\x1b[" in drawn
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn.decode()).replace("\r", "")
    assert "Traceback" not in text
    for name in ACCOUNTS:
        assert re.search(rf"^{name} +(SAFE|WARNING) +[0-9.-]+ ", text, re.MULTILINE), "80 columns are enough"
    assert not _left_running(tmp_path)


def _left_running(folder: Path) -> list[bytes]:
    """Return the command lines of processes that work in `folder`, where the system tells."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(process.read_bytes())
    return [line for line in found if str(folder).encode() in line]


@pytest.mark.parametrize("name", ["doom", "../slide"])
def test_an_unknown_scenario_is_usage_and_lists_the_known_ones(workshop: Workshop, name: str) -> None:
    done = workshop.run("demo", "--scenario", name)
    assert done.process.returncode == 2
    assert done.stdout == ""
    assert f"no scenario '{name}'" in done.stderr
    assert "flash_crash" in done.stderr
