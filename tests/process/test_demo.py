"""`margind demo`: for a log file and for a person at a terminal."""

import fcntl
import json
import os
import pty
import re
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.risk.reason import Reason

Workshop = Any

ACCOUNTS = (
    "bybit-cross",
    "bybit-isolated",
    "binance-single",
    "binance-multi",
    "okx-futures",
    "okx-multi",
    "kraken-flex",
    "kraken-coin",
    "cryptocom-cross",
    "coinbase-futures",
    "coinbase-spot",
    "binance-coin",
    "binance-portfolio",
    "basis-long",
    "basis-short",
)

CASH = "coinbase-spot"
WINNER = "basis-short"

Row = dict[str, Any]


def rows_under(heading: str, text: str) -> list[Row]:
    """Read a table of the summary by its columns, which lie two spaces apart at least."""
    table = text.partition(f"{heading}\n")[2].partition("\n\n")[0].splitlines()
    names = re.split(r" {2,}", table[0].strip())
    rows = [dict(zip(names, re.split(r" {2,}", line.strip()), strict=True)) for line in table[1:]]
    assert rows, heading
    return rows


def places_in(text: str) -> dict[str, Path]:
    found = re.findall(r"^(log|journal|history|config) +(/\S+)$", text, re.MULTILINE)
    return {name: Path(place) for name, place in found}


def stored(file: Path, table: str) -> list[Row]:
    """Return the orders in a journal or a history, as the summary writes them."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        kinds = "kind IN ('reduce', 'flatten')"
        found = connection.execute(f"SELECT * FROM {table} WHERE {kinds}")  # noqa: S608 - the test's own words
        return [
            {
                "account": row["account"],
                "order": f"close {row['quantity']} of {row['quantity_before']} {row['symbol']} {row['side']}",
                "state": row["state"],
                "reason": row["reason"],
            }
            for row in found
        ]


def ordered(rows: list[Row]) -> list[tuple[str, ...]]:
    return sorted(tuple(row[name] for name in ("account", "order", "state", "reason")) for row in rows)


def money(cell: str) -> Decimal:
    return Decimal(cell.replace(",", ""))


@pytest.mark.alone
@pytest.mark.timeout(280)
def test_every_account_is_protected_and_the_summary_can_be_checked(
    workshop: Workshop, tmp_path: Path
) -> None:
    done = workshop.run("demo", "--speed", "0.8", within=240, env={"TMPDIR": str(tmp_path)})
    assert done.process.returncode == 0, done.stdout[-4000:]
    assert done.stderr == ""
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", done.stdout), "no escape codes, no redrawing"
    assert "the market starts to fall (slide)" in done.stdout
    assert "level rose to LIQUIDATION" in done.stdout

    accounts = rows_under("The same fall, without and with margind (USD):", done.stdout)
    orders = rows_under("Every order, as journaled before it was sent:", done.stdout)
    assert tuple(row["account"] for row in accounts) == ACCOUNTS
    for row in accounts:
        assert row["ends at"] in {"SAFE", "WARNING"}
        if row["account"] == CASH:
            assert (row["alone: liquidated"], row["orders"]) == ("no", "0"), "it owes nothing"
            continue
        assert row["alone: liquidated"] == ("no" if row["account"] == WINNER else "yes")
        if row["account"] != WINNER:
            # about as much at worst: collateral in coin falls whoever watches it
            assert money(row["guarded: lost"]) < money(row["alone: lost"]) * Decimal("1.03")
        own = [order for order in orders if order["account"] == row["account"]]
        assert int(row["orders"]) == len(own) > 0
    naked = r"ended at \+0\S* and -1\S* BTC alone, net -1\S*; guarded at .*, net ([+-][\d.]*\d)"
    pair = re.search(naked, done.stdout)
    assert pair, "the hedge is naked where nobody acts"
    assert abs(Decimal(pair[1])) <= Decimal("0.1")
    reasons = {reason.value for reason in Reason}
    for order in orders:
        assert order["reason"] in reasons
        assert order["state"] in {"filled", "cancelled"}, "none is left in doubt"

    moved = rows_under(
        "Moved in from the accounts' own funding wallets, as journaled before it was sent:", done.stdout
    )
    assert {row["account"] for row in moved} == {row["account"] for row in accounts if row["moved in"] != "0"}
    assert {"bybit-cross", "okx-multi"} <= {row["account"] for row in moved}
    assert {row["state"] for row in moved} == {"completed"}
    watched = re.search(r"^  would have acted rightly (\d+), falsely 0; missed 0$", done.stdout, re.MULTILINE)
    assert watched, done.stdout[-3000:]
    assert int(watched[1]) >= len(ACCOUNTS) // 2
    assert re.search(r"^  lead time before the venue's liquidation: shortest ", done.stdout, re.MULTILINE)

    *_, last = done.stdout.strip().splitlines()
    told = re.fullmatch(
        r"Every account was protected\. "
        rf"Alone, the venues liquidated {len(ACCOUNTS) - 2} of {len(ACCOUNTS)}\. "
        r"margind's (\d+) orders cost ([\d,]+) USD and left ([\d,]+) USD more\.",
        last,
    )
    assert told, last
    assert int(told[1]) == len(orders)
    rounding = len(accounts)
    assert abs(money(told[2]) - sum(money(row["fees and slippage"]) for row in accounts)) <= rounding
    saved = sum(money(row["alone: lost"]) - money(row["guarded: lost"]) for row in accounts)
    assert abs(money(told[3]) - saved) <= rounding

    check_the_places(places_in(done.stdout), orders)


def check_the_places(places: dict[str, Path], orders: list[Row]) -> None:
    """What the summary points to is there and tells the same story."""
    assert list(places) == ["log", "journal", "history", "config"]
    log = [json.loads(line) for line in places["log"].read_text().splitlines()]
    assert {line.get("account") for line in log if line["event"] == "cycle"} == set(ACCOUNTS)
    assert ordered(stored(places["journal"], "intents")) == ordered(orders)
    assert ordered(stored(places["history"], "orders")) == ordered(orders)
    assert [row["id"] for row in yaml.safe_load(places["config"].read_text())["accounts"]] == list(ACCOUNTS)


@pytest.mark.alone
def test_the_exit_code_and_the_last_line_say_who_was_lost_in_a_hurried_market(
    workshop: Workshop, tmp_path: Path
) -> None:
    """Three times as fast, isolated positions fall from their trigger to their end between two looks."""
    done = workshop.run("demo", "--speed", "3", within=100, env={"TMPDIR": str(tmp_path)})
    assert done.stderr == ""
    accounts = rows_under("The same fall, without and with margind (USD):", done.stdout)
    lost = [row["account"] for row in accounts if row["ends at"].endswith("NOT PROTECTED")]
    assert done.process.returncode == (1 if lost else 0)
    *_, last = done.stdout.strip().splitlines()
    assert last.startswith(f"NOT PROTECTED: {', '.join(lost)}" if lost else "Every account was protected.")
    assert all(place.exists() for place in places_in(done.stdout).values())


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
        assert re.search(rf"^{name} +(SAFE|WARNING) +([0-9.-]+|n/a) ", text, re.MULTILINE), (
            "80 columns are enough"
        )
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
