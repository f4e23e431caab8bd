"""A real daemon in a process of its own, with its configuration, secrets and state in a folder."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.bench.market import Holder
from tests.bench.play import ROOT

STOP_PATIENCE_S = 20.0
LEVERAGE_CAP = 100
"""Nothing of what is measured is about it, and every account here would be above a lower one."""


@asynccontextmanager
async def guarding(
    folder: Path, accounts: Sequence[tuple[str, Holder, str]], settings: Mapping[str, Any]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `margind run` over `accounts` (broker, holder, address) while the context is open.

    `settings` are laid over a configuration that is the default but for the mode, which is `enforce`. The
    daemon's log is `margind.log` in `folder`.
    """
    config = folder / "margind.yaml"
    config.write_text(yaml.safe_dump(_document(folder, accounts, settings)))
    with (folder / "margind.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "daemon", "run", "--config", str(config)),
            stderr=log,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), STOP_PATIENCE_S)


def _document(
    folder: Path, accounts: Sequence[tuple[str, Holder, str]], settings: Mapping[str, Any]
) -> dict[str, Any]:
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700)

    def kept(name: str, value: str) -> str:
        path = secrets / name
        path.touch(mode=0o600)
        path.write_text(value)
        return f"file:{path}"

    rows = []
    for broker, holder, url in accounts:
        name = f"{broker}-{holder.name}"
        credentials = {"api_key": kept(f"{name}.key", holder.name), "secret": kept(name, holder.secret)}
        passphrase = holder.passphrase_at(broker)
        if passphrase is not None:
            credentials["password"] = kept(f"{name}.password", passphrase)
        rows.append({"id": name, "broker": broker, "credentials": credentials, "endpoint": url})
    return {
        "mode": "enforce",
        "state_dir": str(folder / "state"),
        "log": {"format": "json"},
        "brokers": {broker: {"max_leverage": LEVERAGE_CAP} for broker in {row["broker"] for row in rows}},
        "accounts": rows,
        **settings,
    }
