"""Whole processes on loopback: sandbox venues, the daemon, and an operator's hands and eyes on both."""

import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import pytest
import yaml

from brokers.sandbox.venues import VENUES
from config.sandbox import BROKERS, PRODUCTS

HERE = Path(__file__).parent
Json = Any
Line = dict[str, Any]
"""One line of a log, one row, one account."""

T = TypeVar("T")
Setting = Any
CANARY = "Canary4711"
"""Stands in every credential of these tests, and must be found nowhere a daemon writes."""

STILL = {"speed": 0.0001, "scenario": "calm", "prices": {"BTC": 100_000, "ETH": 4_000}}
"""A market that moves only when it is told to."""

START_S, STOP_S, PATIENCE_S = 30.0, 20.0, 40.0
"""What takes a second or two on a quiet machine; on a busy one nothing is proven by less."""
UNCAUGHT = ("Traceback", "cycle_bug", "never awaited")


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark everything in this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.process)


def _poll(found: Callable[[], T], within: float, otherwise: Callable[[], str]) -> T:
    deadline = time.monotonic() + within
    while True:
        value = found()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(otherwise())
        time.sleep(0.02)


@dataclass
class Program:
    """One process, its output kept in files."""

    arguments: tuple[str, ...]
    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    @property
    def stdout(self) -> str:
        return self.out.read_text()

    @property
    def stderr(self) -> str:
        return self.err.read_text()

    def shows(self, word: str, within: float = PATIENCE_S) -> None:
        """Wait until it has said `word`."""
        _poll(
            lambda: word in self.stdout + self.stderr, within, lambda: f"no {word!r} in {self.stderr[-2000:]}"
        )

    def is_running(self) -> bool:
        return self.process.poll() is None

    def wait(self, within: float = STOP_S) -> int:
        return self.process.wait(within)

    def terminate(self, within: float = STOP_S) -> int:
        """Ask it to end, as systemd does; return its exit code."""
        self.process.terminate()
        return self.wait(within)

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        self.process.kill()
        self.process.wait(STOP_S)


@dataclass
class Daemon(Program):
    """A running `margind run`, with its log and journal."""

    state_dir: Path = Path()
    _lines: list[Line] = field(default_factory=list)
    _read: int = 0

    def log(self) -> list[Line]:
        """Return the log so far; every whole line is JSON."""
        with self.err.open("rb") as log:
            log.seek(self._read)
            fresh = log.read()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._read += len(whole)
        try:
            self._lines += [json.loads(line) for line in whole.splitlines()]
        except ValueError:
            raise AssertionError(f"a line of the log is no JSON:\n{whole.decode()[-4000:]}") from None
        return self._lines

    def mark(self) -> int:
        """Return how many lines there are, to look at later ones only."""
        return len(self.log())

    def said(
        self, wanted: Callable[[Line], bool] | None = None, /, *, since: int = 0, **fields: object
    ) -> list[Line]:
        """Return the lines that have all of `fields` and that `wanted` approves of."""
        return [
            line
            for line in self.log()[since:]
            if fields.items() <= line.items() and (wanted is None or wanted(line))
        ]

    def until(
        self,
        wanted: Callable[[Line], bool] | None = None,
        /,
        *,
        within: float = PATIENCE_S,
        since: int = 0,
        **fields: object,
    ) -> Line:
        """Wait for such a line and return the first of them."""

        def found() -> list[Line]:
            lines = self.said(wanted, since=since, **fields)
            if not lines and not self.is_running():
                raise AssertionError(f"it ended with {self.process.returncode}: {self.stderr[-3000:]}")
            return lines

        def otherwise() -> str:
            return f"no {fields} within {within} s:\n" + "\n".join(self.stderr.splitlines()[-12:])

        return _poll(found, within, otherwise)[0]

    def rows(self, table: str, where: str = "1") -> list[Line]:
        """Return journal rows, read beside the running daemon."""
        return rows_of(self.state_dir / "journal.db", table, where)


def rows_of(file: Path, table: str, where: str = "1") -> list[Line]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as connection:
        connection.row_factory = sqlite3.Row
        found = connection.execute(f"SELECT * FROM {table} WHERE {where}")  # noqa: S608 - the test's own words
        return [dict(row) for row in found.fetchall()]


@dataclass
class Venue:
    """The control routes of one sandbox venue."""

    url: str

    def ask(self, method: str, route: str, body: object = None, **query: object) -> Json:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        with closing(connection):
            target = f"/_sandbox/{route}" + (f"?{urlencode(query)}" if query else "")
            connection.request(method, target, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            told = json.loads(answer.read())
        assert answer.status == 200, told
        return told

    def truth(self, account: str) -> Line:
        """Return the venue's own figures of an account."""
        return self.ask("GET", "truth")["accounts"][account]

    def position(self, account: str, asset: str = "BTC") -> Decimal:
        """Return what the account holds of an asset, negative when short, legs netted."""
        names = (f"{asset}-", *(venue.listed_as(f"{asset}-USDT") for venue in VENUES.values()))
        own = [row for row in self.truth(account)["positions"] if row["symbol"].startswith(names)]
        return sum(
            (Decimal(row["quantity"]) * (1 if row["side"] == "long" else -1) for row in own), Decimal(0)
        )

    def history(self, kind: str | None = None, account: str | None = None) -> list[Line]:
        return [
            event
            for event in self.ask("GET", "history")
            if kind in {None, event["event"]} and account in {None, event["account"]}
        ]

    def orders(self, account: str) -> list[Line]:
        """Return margind's orders as the venue took them: those that carry a client id."""
        placed = [event["order"] for event in self.history("OrderPlaced", account)]
        return [order for order in placed if order["spec"]["client_id"]]

    def only_reduced(self, account: str, opening: Decimal) -> bool:
        """Whether margind's orders were all reduce-only, and every fill made the position smaller."""
        held = opening
        for event in self.history("Filled", account):
            fill = event["fill"]
            after = held + Decimal(fill["quantity"]) * (1 if fill["side"] == "buy" else -1)
            if fill["client_id"] and (abs(after) >= abs(held) or after * held < 0):
                return False
            held = after
        return all(order["reduce_only"] for order in self.orders(account))

    def fault(self, kind: str, **fields: object) -> int:
        return self.ask("POST", "faults", {"kind": kind, **fields})["number"]

    def heal(self, number: int | None = None) -> None:
        self.ask("DELETE", "faults", **({} if number is None else {"number": number}))

    def move(self, factor: object, asset: str = "BTC") -> None:
        """Multiply a price."""
        self.ask("POST", "scenario", {"asset": asset, "factor": str(factor)})


@dataclass
class Sandbox:
    """A running `margind sandbox`."""

    program: Program
    accounts: tuple[Line, ...]
    endpoints: Mapping[str, str]

    def venue(self, broker: str) -> Venue:
        return Venue(self.endpoints[broker])

    def venue_of(self, account: str) -> Venue:
        return self.venue(next(row["broker"] for row in self.accounts if row["id"] == account))


@dataclass
class Workshop:
    """Starts programs, and ends those that a test left running."""

    folder: Path
    programs: list[Program] = field(default_factory=list)

    def start(self, *arguments: str, kind: type[Program] = Program, **more: Setting) -> Json:
        """Start `margind`; `env` is added to the environment, `log_to` is a descriptor to log to instead."""
        number, log_to = len(self.programs), more.pop("log_to", None)
        out, err = self.folder / f"{number}.out", self.folder / f"{number}.err"
        environment = {**os.environ, **more.pop("env", {})}
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(  # noqa: S603 - margind itself
                [sys.executable, "-m", "daemon", *arguments],
                stdout=stdout,
                stderr=stderr if log_to is None else log_to,
                env=environment,
            )
        program = kind(arguments, process, out, err, **more)
        self.programs.append(program)
        return program

    def run(self, *arguments: str, within: float = 30.0, env: Mapping[str, str] | None = None) -> Program:
        """Run a command to its end."""
        program: Program = self.start(*arguments, env=env or {})
        program.wait(within)
        return program

    def sandbox(self, *accounts: Line, **settings: Setting) -> Sandbox:
        """Start venues for `accounts`; prices stand still unless `speed` says otherwise."""
        document = {**STILL, "accounts": list(accounts), **settings}
        file = self.folder / f"sandbox-{len(self.programs)}.yaml"
        file.write_text(yaml.safe_dump(json.loads(json.dumps(document))))  # the loader takes no aliases
        program: Program = self.start("sandbox", "--config", str(file))
        line = _poll(
            lambda: program.stdout.endswith("\n") and program.stdout, START_S, lambda: program.stderr
        )
        return Sandbox(program, accounts, json.loads(line))

    def configuration(self, sandbox: Sandbox, *, state: str = "state", **settings: Setting) -> Path:
        """Write the `margind.yaml` of all of a sandbox's accounts; `changes` are laid over them by id."""
        changes = settings.pop("changes", {})
        rows = [self._account(row, sandbox.endpoints[row["broker"]]) for row in sandbox.accounts]
        document: Line = {
            "mode": "enforce",
            "state_dir": str(self.folder / state),
            "poll": {"interval": "400ms"},
            "accounts": [{**row, **changes.get(row["id"], {})} for row in rows],
            **settings,
        }
        file = self.folder / f"margind-{len(self.programs)}.yaml"
        file.write_text(yaml.safe_dump(document, sort_keys=False))
        return file

    def secret(self, name: str, value: str) -> str:
        """Keep a secret where an operator would; return the reference to it."""
        place = self.folder / "secrets" / name
        place.parent.mkdir(mode=0o700, exist_ok=True)
        place.touch(mode=0o600)
        place.write_text(value)
        return f"file:{place}"

    def _account(self, row: Mapping[str, Any], endpoint: str) -> Line:
        credentials = {
            name: self.secret(f"{row['id']}.{name}", row[name])
            for name in ("api_key", "secret", "password")
            if row.get(name)
        }
        return {
            "id": row["id"],
            "broker": BROKERS.get(row["broker"], row["broker"]),
            "product": row.get("product") or next(iter(PRODUCTS[row["broker"]])),
            "credentials": credentials,
            "endpoint": endpoint,
        }

    def daemon(self, config: Path) -> Daemon:
        """Start `margind run`."""
        state_dir = Path(yaml.safe_load(config.read_text())["state_dir"])
        started: Daemon = self.start("run", "--config", str(config), kind=Daemon, state_dir=state_dir)
        return started

    def guard(self, sandbox: Sandbox, **settings: Setting) -> Daemon:
        """Start `margind run` over a sandbox and wait until every account has had a cycle."""
        daemon = self.daemon(self.configuration(sandbox, **settings))
        for row in sandbox.accounts:
            daemon.until(event="cycle", account=row["id"], within=START_S)
        return daemon

    def close(self) -> None:
        """End what still runs, daemons first."""
        for program in sorted(self.programs, key=lambda one: not isinstance(one, Daemon)):
            if program.is_running():
                program.process.send_signal(signal.SIGTERM if isinstance(program, Daemon) else signal.SIGKILL)
                try:
                    program.wait()
                except subprocess.TimeoutExpired:
                    program.kill()
                    raise


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    """Start programs; whatever they did, no log holds a traceback and nothing holds a secret."""
    shop = Workshop(tmp_path)
    try:
        yield shop
    finally:
        shop.close()
    daemons = [program for program in shop.programs if isinstance(program, Daemon)]
    for program in shop.programs:
        assert not [word for word in UNCAUGHT if word in program.stderr], program.stderr[-4000:]
    written = [path for daemon in daemons for path in daemon.state_dir.rglob("*") if path.is_file()]
    outputs = [path for p in shop.programs if p.arguments[:1] != ("sandbox",) for path in (p.out, p.err)]
    leaks = [path for path in (*written, *outputs) if CANARY.encode() in path.read_bytes()]
    assert not leaks


def _account(name: str, broker: str, **more: Setting) -> Line:
    credentials = {
        "api_key": f"{CANARY}Key-{name}",
        "secret": f"{CANARY}Secret{name}".replace("-", "").ljust(48, "0"),  # Kraken's are base64
        **({"password": f"{CANARY}Phrase-{name}"} if broker == "okx" else {}),
    }
    return {"id": name, "broker": broker, **credentials, **more}


def _long(quantity: object, symbol: str = "BTC-USDT", **more: Setting) -> Line:
    return {"symbol": symbol, "side": "long", "quantity": quantity, "leverage": 10, **more}


@pytest.fixture
def bybit() -> Line:
    """A cross account, long 2 BTC: down 12 % it is at 85 % utilization, down 13 % beyond 90 %."""
    return _account("bybit-a", "bybit", wallets={"USDT": 45000}, positions=[_long(2)])


@pytest.fixture
def binance() -> Line:
    """A single-asset account, long 1.5 BTC; it falls as `bybit` does."""
    return _account("binance-a", "binance", wallets={"USDT": 33750}, positions=[_long("1.5")])


@pytest.fixture
def okx() -> Line:
    """An account in futures mode, long 1.6 BTC; it falls as `bybit` does."""
    return _account("okx-a", "okx", wallets={"USDT": 36000}, positions=[_long("1.6")])


@pytest.fixture
def krakenfutures() -> Line:
    """A multi-collateral account, long 1.6 BTC: margined at its entry, down 13 % it is beyond 90 %."""
    return _account("krakenfutures-a", "krakenfutures", wallets={"USD": 38000}, positions=[_long("1.6")])
