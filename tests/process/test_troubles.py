"""What stands in the way of a start, and what does not: keys, endpoints, state directories, databases."""

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from brokers.sandbox.catalogue import ASSETS
from brokers.sandbox.engine import Engine
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import AccountSpec, OpeningWallet, Permissions, SandboxSpec
from brokers.sandbox.venues import VENUES

Workshop = Any
Sandbox = Any
Account = dict[str, Any]  # the types live in conftest

ALL = ("bybit-a", "binance-a", "okx-a")
SLOW_POLL = {"interval": "1s"}


@pytest.fixture
def closed_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def html_endpoint() -> Iterator[str]:
    """A server that answers everything with a page, and success."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = b"<html><body>Welcome to the hotel's network</body></html>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def withdrawing_endpoint(bybit: dict[str, Any]) -> Iterator[str]:
    """A Bybit whose key of `bybit-a` may withdraw."""
    venue, loop, ready = VENUES["bybit"], asyncio.new_event_loop(), threading.Event()
    account = AccountSpec(
        name="bybit-a",
        api_key=bybit["api_key"],
        secret=bybit["secret"],
        wallets={"USDT": OpeningWallet(balance=Decimal(1000))},
        permissions=Permissions(can_withdraw=True),
    )
    spec = SandboxSpec(
        instruments=venue.instruments,
        assets=ASSETS,
        accounts=(account,),
        rules=venue.rules,
        start_ms=round(time.time() * 1000),
    )
    server = SandboxServer(venue.build(Engine(spec, seed=1), {"bybit-a": "cross"}))

    async def serve() -> None:
        async with server:
            ready.set()
            await server.stopped.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait(5)
    yield server.url
    loop.call_soon_threadsafe(server.stopped.set)
    thread.join()
    loop.close()


def wrong_secrets(workshop: Workshop, sandbox: Sandbox) -> dict[str, Any]:
    changes = {}
    for row in sandbox.accounts:
        references = {name: workshop.secret(f"{row['id']}.{name}", row[name]) for name in row if name in KEPT}
        references["secret"] = workshop.secret(f"{row['id']}.wrong", "Canary4711Wrong")
        changes[row["id"]] = {"credentials": references}
    return changes


KEPT = frozenset({"api_key", "password"})

# ---------------------------------------------------------------------------------------------------- keys


def test_check_says_in_one_line_an_account_that_the_venue_refuses_its_key(
    workshop: Workshop, bybit: Account, binance: Account, okx: Account
) -> None:
    sandbox = workshop.sandbox(bybit, binance, okx)
    config = workshop.configuration(sandbox, changes=wrong_secrets(workshop, sandbox))
    done = workshop.run("check", "--config", str(config))
    assert done.process.returncode == 1
    assert done.stderr == ""
    table = {line.split()[0]: line.split() for line in done.stdout.splitlines()[-6:-3]}
    assert {name: (row[1], row[5]) for name, row in table.items()} == dict.fromkeys(
        ALL, ("UNPROTECTED", "refused")
    )
    lines = done.stdout.splitlines()[-3:]
    for name, code in zip(ALL, ("10004", "-1022", "50113"), strict=True):
        (line,) = [line for line in lines if line.startswith(f"account {name}: ")]
        assert "refuses its key; check key, secret" in line
        assert f"(code {code})" in line


def test_run_stays_and_alarms_where_the_venue_refuses_the_key(
    workshop: Workshop, bybit: Account, binance: Account, okx: Account
) -> None:
    sandbox = workshop.sandbox(bybit, binance, okx)
    config = workshop.configuration(sandbox, changes=wrong_secrets(workshop, sandbox), poll=SLOW_POLL)
    daemon = workshop.daemon(config)
    for name in ALL:
        lost = daemon.until(event="protection_lost", account=name)
        assert (lost["reason"], lost["severity"]) == ("unauthorized", "error")
    mark = daemon.mark()
    daemon.until(event="cycle", account="okx-a", since=mark)
    assert daemon.is_running()
    assert not daemon.rows("intents")
    assert not any(sandbox.venue_of(name).orders(name) for name in ALL)
    assert daemon.terminate() == 0


def test_a_key_that_is_revoked_and_restored_is_lost_and_regained(workshop: Workshop, okx: Account) -> None:
    sandbox = workshop.sandbox(okx)
    daemon = workshop.guard(sandbox)
    venue, mark = sandbox.venue("okx"), daemon.mark()
    venue.fault("revoked_key")
    daemon.until(event="protection_lost", reason="unauthorized", since=mark, within=3)
    venue.heal()
    daemon.until(event="protection_regained", since=mark, within=5)
    daemon.until(event="cycle", protection="protected", since=mark)


def test_a_key_that_can_withdraw_is_refused_until_it_is_accepted_in_words(
    workshop: Workshop, bybit: Account, withdrawing_endpoint: str
) -> None:
    sandbox = workshop.sandbox(bybit)
    here: dict[str, Any] = {"endpoint": withdrawing_endpoint}
    config = workshop.configuration(sandbox, changes={"bybit-a": here})
    remedy = (
        "account bybit-a: its API key can withdraw; make one that cannot, "
        'or write allow_withdrawal_key: "i accept that this key can withdraw"'
    )
    checked = workshop.run("check", "--config", str(config))
    assert checked.process.returncode == 78
    assert remedy in checked.stdout.splitlines()
    refused = workshop.run("run", "--config", str(config))
    assert refused.process.returncode == 78
    assert refused.stderr.splitlines()[-1] == f"margind: {remedy}"

    here["allow_withdrawal_key"] = "i accept that this key can withdraw"
    config = workshop.configuration(sandbox, changes={"bybit-a": here})
    checked = workshop.run("check", "--config", str(config))
    assert checked.process.returncode == 0
    assert "WITHDRAW" in checked.stdout
    assert workshop.daemon(config).until(event="cycle")["protection"] == "protected"


# ----------------------------------------------------------------------------------------------- endpoints


def test_an_endpoint_where_nobody_listens(
    workshop: Workshop, bybit: Account, binance: Account, okx: Account, closed_port: int
) -> None:
    sandbox = workshop.sandbox(bybit, binance, okx)
    changes = {name: {"endpoint": f"http://127.0.0.1:{closed_port}"} for name in ALL}
    config = workshop.configuration(sandbox, changes=changes, poll=SLOW_POLL)
    done = workshop.run("check", "--config", str(config))
    assert done.process.returncode == 1
    for name in ALL:
        (line,) = [line for line in done.stdout.splitlines() if line.startswith(f"account {name}: ")]
        assert line.startswith(f"account {name}: cannot be read; check the network and the endpoint (")
        assert "no connection" in line
    daemon = workshop.daemon(config)
    for name in ALL:
        assert daemon.until(event="protection_lost", account=name)["reason"] == "venue_unavailable"
    assert daemon.terminate() == 0


def test_an_endpoint_that_answers_a_page_is_not_believed(
    workshop: Workshop, bybit: Account, binance: Account, okx: Account, html_endpoint: str
) -> None:
    sandbox = workshop.sandbox(bybit, binance, okx)
    changes = {name: {"endpoint": html_endpoint} for name in ALL}
    config = workshop.configuration(sandbox, changes=changes, poll=SLOW_POLL)
    done = workshop.run("check", "--config", str(config))
    assert done.process.returncode == 1
    for name in ALL:
        (line,) = [line for line in done.stdout.splitlines() if line.startswith(f"account {name}: ")]
        assert line.startswith(f"account {name}: what answered is not the venue's API; check the endpoint")
    daemon = workshop.daemon(config)
    for name in ALL:
        assert daemon.until(event="protection_lost", account=name)["reason"] == "malformed_answer"


def test_a_venue_that_hangs_delays_neither_its_own_alarm_nor_another_account(
    workshop: Workshop, bybit: Account, binance: Account
) -> None:
    sandbox = workshop.sandbox(bybit, binance)
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen()
        endpoint = f"http://127.0.0.1:{hole.getsockname()[1]}"
        config = workshop.configuration(sandbox, changes={"bybit-a": {"endpoint": endpoint}}, poll=SLOW_POLL)
        daemon = workshop.daemon(config)
        daemon.until(event="cycle", account="binance-a", protection="protected", within=12)
        daemon.until(event="protection_lost", account="bybit-a", within=12)
        began = time.monotonic()
        assert daemon.terminate() == 0
        assert time.monotonic() - began < 10


# --------------------------------------------------------------------------------------- state directories


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("file", "File exists"),
        ("file/below", "Not a directory"),
        ("/proc/margind", "No such file or directory"),
    ],
)
def test_a_state_directory_that_cannot_be_used_is_one_line(
    workshop: Workshop, bybit: Account, tmp_path: Path, state: str, why: str
) -> None:
    (tmp_path / "file").touch()
    config = workshop.configuration(workshop.sandbox(bybit), state=state)
    done = workshop.run("run", "--config", str(config))
    assert done.process.returncode == 1
    assert done.stderr == f"margind: state_dir: state directory {tmp_path / state} cannot be used: {why}\n"


AS_ANYONE = """\
import ctypes, os, sys
DROP, DAC_OVERRIDE, DAC_READ_SEARCH = 24, 1, 2
for capability in (DAC_OVERRIDE, DAC_READ_SEARCH) if os.geteuid() == 0 else ():
    if ctypes.CDLL(None).prctl(DROP, capability, 0, 0, 0):
        sys.exit(99)
os.execv(sys.executable, [sys.executable, "-m", "daemon", *sys.argv[1:]])
"""
"""Runs margind as a user to whom permissions apply: to root too, as the owner it is."""


def run_as_anyone(*arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(  # noqa: S603 - margind itself
        [sys.executable, "-c", AS_ANYONE, *arguments], capture_output=True, text=True, check=False, timeout=30
    )
    if done.returncode == 99:
        pytest.skip("this root may not give up its rights over files")
    return done


@pytest.mark.parametrize(
    ("state", "files_mode", "why"),
    [
        ("state", None, ": state directory {state} cannot be used: Permission denied"),
        ("state/below", None, ": state directory {state} cannot be used: Permission denied"),
        ("state", 0o400, ": state directory {state} cannot be used: Permission denied"),
        (
            "state",
            0o600,
            " {state}: journal: attempt to write a readonly database (SQLITE_READONLY_DIRECTORY)",
        ),
    ],
    ids=["empty", "cannot be made", "used before", "used before, files writable"],
)
def test_a_read_only_state_directory_is_one_line_and_is_left_as_it_was(
    workshop: Workshop, bybit: Account, state: str, files_mode: int | None, why: str
) -> None:
    sandbox = workshop.sandbox(bybit)
    folder = workshop.folder / "state"
    if files_mode is None:
        folder.mkdir()
    else:
        assert workshop.guard(sandbox).terminate() == 0
        for file in folder.iterdir():
            file.chmod(files_mode)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    folder.chmod(0o500)
    try:
        done = run_as_anyone("run", "--config", str(workshop.configuration(sandbox, state=state)))
    finally:
        folder.chmod(0o700)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert done.stderr == f"margind: state_dir{why.format(state=workshop.folder / state)}\n"
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_a_second_daemon_over_one_state_directory_ends_in_one_line(
    workshop: Workshop, bybit: Account
) -> None:
    sandbox = workshop.sandbox(bybit)
    first = workshop.guard(sandbox)
    config = workshop.configuration(sandbox)
    second = workshop.run("run", "--config", str(config))
    assert second.process.returncode == 1
    assert second.stderr == (
        f"margind: state_dir: another margind already uses the state directory {first.state_dir}\n"
    )
    mark = first.mark()
    first.until(event="cycle", protection="protected", since=mark)
    assert workshop.run("check", "--config", str(config)).process.returncode == 0, "a check needs no lock"


def test_a_damaged_journal_is_named_and_left_alone(
    workshop: Workshop, bybit: Account, tmp_path: Path
) -> None:
    config = workshop.configuration(workshop.sandbox(bybit))
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "journal.db").write_bytes(b"not a journal" * 1000)
    done = workshop.run("run", "--config", str(config))
    assert done.process.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"state_dir {state}: journal: file is not a database" in done.stderr
    assert "margind journal set-aside" in done.stderr
    assert (state / "journal.db").read_bytes() == b"not a journal" * 1000


# --------------------------------------------------------------------------------------- ports, databases


def test_a_sandbox_port_that_is_taken_is_one_line(workshop: Workshop, bybit: Account, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        file = tmp_path / "sandbox.yaml"
        file.write_text(yaml.safe_dump({"listen": {"bybit": port}, "accounts": [bybit]}))
        done = workshop.run("sandbox", "--config", str(file))
    assert done.process.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"margind: listen.bybit: port {port} cannot be used: Address already in use\n"


def test_a_dead_history_server_delays_no_protection_and_is_told(
    workshop: Workshop, bybit: Account, closed_port: int
) -> None:
    url = f"postgresql+psycopg://margind@127.0.0.1:{closed_port}/margind"
    sandbox = workshop.sandbox(bybit)
    config = workshop.configuration(sandbox, database={"url": url})
    for command in ("upgrade", "current"):
        done = workshop.run("db", command, "--config", str(config))
        assert done.process.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert "database.url: " in done.stderr
        assert "Connection refused" in done.stderr
    daemon = workshop.daemon(config)
    daemon.until(event="cycle", protection="protected")
    assert "Connection refused" in daemon.until(event="history_unavailable")["why"]
    sandbox.venue("bybit").move("0.867")
    daemon.until(event="episode_ended", within=8)
    assert sandbox.venue("bybit").position("bybit-a") < 2
    assert daemon.rows("outbox"), "what the server could not take waits"
    assert daemon.terminate() == 0
