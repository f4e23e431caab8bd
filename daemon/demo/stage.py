"""The demo's stage: two copies of the same market, each with sandbox venues and a real daemon of its own.

Every actor is a process, started as an operator would start it. The *guarded* market has a daemon that acts,
the *alone* market one that only watches: the same fall, with nobody to help.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from config.accounts import WITHDRAWAL_WORDS
from config.loader import load_sandbox
from config.sandbox import SandboxAccount, SandboxSettings
from daemon.demo.hedged import hedges_of
from daemon.errors import FatalError

START_PATIENCE_S = 30.0
STOP_PATIENCE_S = 20.0
TOP_UP_PER_DAY = 1_000

ISOLATED_POLICY = {
    "maintenance": {"warning": 0.08, "critical": 0.12, "liquidation": 0.16},
    "target": {"maintenance": 0.06},
    "hysteresis": 0.01,
}
"""Isolated positions have the maintenance measure alone, and at 5x its default ladder of 50/65/80 % lies
within the last percent of price before the venue acts: an operator who holds them starts earlier."""


@dataclass(slots=True)
class Actor:
    """One process of the demo, its standard error kept in a log file."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    async def stop(self) -> int:
        """Ask it to end, as systemd would; kill it only if it does not."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.terminate()
        try:
            return await asyncio.wait_for(self.process.wait(), STOP_PATIENCE_S)
        except TimeoutError:
            self.process.kill()
            return await self.process.wait()


@dataclass(slots=True, kw_only=True)
class Market:
    """One copy of the market: where its venues answer, its configuration, its processes."""

    name: str
    folder: Path
    mode: str
    endpoints: dict[str, str] = field(default_factory=dict)
    sandbox: Actor | None = None
    daemon: Actor | None = None

    @property
    def config(self) -> Path:
        """The configuration its daemon runs with."""
        return self.folder / "margind.yaml"

    @property
    def state_dir(self) -> Path:
        """Where its daemon keeps journal and history."""
        return self.folder / "state"

    async def open(self, sandbox_file: Path, accounts: tuple[SandboxAccount, ...], duration_s: float) -> None:
        """Start the venues, write the configuration, start the daemon."""
        self.folder.mkdir(parents=True, mode=0o700)
        arguments = ("sandbox", "--config", str(sandbox_file), "--duration", str(duration_s))
        self.sandbox = await start(f"{self.name}-sandbox", self.folder, *arguments)
        assert self.sandbox.process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            line = await asyncio.wait_for(self.sandbox.process.stdout.readline(), START_PATIENCE_S)
        except TimeoutError:
            line = b""
        if not line:
            raise FatalError(f"demo: the sandbox did not start; see {self.sandbox.log}")
        self.endpoints = json.loads(line)
        self.config.write_text(self._configuration(accounts))
        self.daemon = await start(f"{self.name}-margind", self.folder, "run", "--config", str(self.config))

    def _configuration(self, accounts: tuple[SandboxAccount, ...]) -> str:
        secrets = self.folder / "secrets"
        secrets.mkdir(mode=0o700)

        def kept(account: SandboxAccount, name: str, value: str) -> str:
            path = secrets / f"{account.id}.{name}"
            path.touch(mode=0o600)
            path.write_text(value)
            return f"file:{path}"

        document: dict[str, Any] = {
            "mode": self.mode,
            "state_dir": str(self.state_dir),
            "poll": {"interval": "1s"},
            "top_up": {"max_per_day": {"USDT": TOP_UP_PER_DAY}},
            "log": {"format": "json"},
            "accounts": [
                {
                    "id": account.id,
                    "broker": account.broker_id,
                    "product": account.product,
                    "credentials": {
                        "api_key": kept(account, "key", account.api_key),
                        "secret": kept(account, "secret", account.secret),
                    }
                    | ({"password": kept(account, "password", account.password)} if account.password else {}),
                    "endpoint": self.endpoints[account.broker.value],
                    "max_leverage": 5,
                    "allow_withdrawal_key": WITHDRAWAL_WORDS,  # they open nothing but the sandbox
                }
                | ({"policy": ISOLATED_POLICY} if account.mode == "isolated" else {})
                for account in accounts
            ],
            "hedges": hedges_of(accounts),
        }
        return yaml.safe_dump(document, sort_keys=False)

    async def lines(self) -> AsyncIterator[dict[str, Any]]:
        """Follow the daemon's log as it is written, until the daemon has ended."""
        assert self.daemon is not None  # noqa: S101 - opened
        with self.daemon.log.open() as log:
            part = ""
            while True:
                part += log.readline()
                if part.endswith("\n"):
                    with suppress(json.JSONDecodeError):
                        yield json.loads(part)
                    part = ""
                elif self.daemon.process.returncode is not None:
                    return
                else:
                    await asyncio.sleep(0.05)

    async def close(self) -> None:
        """Stop the daemon, then its venues."""
        for actor in (self.daemon, self.sandbox):
            if actor is not None:
                await actor.stop()


async def start(name: str, folder: Path, *arguments: str) -> Actor:
    """Start `margind` with `arguments`; what it writes to standard error becomes `<name>.log`."""
    log = folder / f"{name}.log"
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "daemon", *arguments, stdout=asyncio.subprocess.PIPE, stderr=sink
        )
    return Actor(name=name, process=process, log=log)


class Venues:
    """The control routes of one market's venues."""

    def __init__(self, session: aiohttp.ClientSession, endpoints: dict[str, str]) -> None:
        self._session = session
        self._endpoints = endpoints

    async def play(self, scenario: str) -> None:
        """Start a scenario on every venue, now."""
        await asyncio.gather(
            *(
                self._session.post(f"{url}/_sandbox/scenario", json={"name": scenario})
                for url in self._endpoints.values()
            )
        )

    async def truth(self) -> dict[str, Any]:
        """Return every account's own figures, by account."""
        accounts: dict[str, Any] = {}
        for url in self._endpoints.values():
            async with self._session.get(f"{url}/_sandbox/truth") as answer:
                accounts |= (await answer.json())["accounts"]
        return accounts

    async def history(self) -> list[dict[str, Any]]:
        """Return everything that happened at the venues."""
        events: list[dict[str, Any]] = []
        for url in self._endpoints.values():
            async with self._session.get(f"{url}/_sandbox/history") as answer:
                events += await answer.json()
        return events


def write_sandbox_file(folder: Path) -> tuple[Path, SandboxSettings]:
    """Copy the shipped market, calm until the demo starts its scenario; return the file and what it holds."""
    shipped = files("config").joinpath("sandbox.yaml").read_text()
    path = folder / "sandbox.yaml"
    path.write_text(shipped.replace("scenario: slide", "scenario: calm", 1))
    return path, load_sandbox(path)
