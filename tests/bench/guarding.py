"""A real daemon in a process of its own, with its configuration, secrets and state in a folder."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from tests.bench.market import Holder
from tests.bench.play import ROOT, keep_to
from tests.bench.products import Product

LOG = "margind.log"
STOP_PATIENCE_S = 20.0
LEVERAGE_CAP = 100
"""Nothing of what is measured is about it, and every account here would be above a lower one."""

Account: TypeAlias = tuple[Product, Holder, str]
"""What it is of, whose it is, and where its venue answers."""


@asynccontextmanager
async def guarding(
    folder: Path,
    accounts: Sequence[Account],
    settings: Mapping[str, Any],
    *,
    module: str | None = None,
    core: int | None = None,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `margind run` over `accounts` while the context is open, on `core` alone if told.

    `settings` are laid over a configuration that is the default but for the mode, which is `enforce`. The
    daemon's log is `LOG` in `folder`. A `module` that is run in its place is given the configuration.
    """
    config = folder / "margind.yaml"
    config.write_text(yaml.safe_dump(_document(folder, accounts, settings)))
    command = ("daemon", "run", "--config") if module is None else (module,)
    with (folder / LOG).open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", *command, str(config)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        keep_to(process, core)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), STOP_PATIENCE_S)


def account_id(product: Product, holder: Holder) -> str:
    """Return what the daemon calls an account."""
    return f"{product.broker}-{product.product}-{holder.name}"


def _document(folder: Path, accounts: Sequence[Account], settings: Mapping[str, Any]) -> dict[str, Any]:
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700)

    def kept(name: str, value: str) -> str:
        path = secrets / name
        path.touch(mode=0o600)
        path.write_text(value)
        return f"file:{path}"

    rows = []
    for product, holder, url in accounts:
        name = account_id(product, holder)
        secret = product.secret_of(holder.name)
        credentials = {"api_key": kept(f"{name}.key", holder.key), "secret": kept(name, secret)}
        passphrase = product.passphrase_of(holder.name)
        if passphrase is not None:
            credentials["password"] = kept(f"{name}.password", passphrase)
        rows.append(
            {
                "id": name,
                "broker": product.broker,
                "product": product.product,
                "credentials": credentials,
                "endpoint": url,
            }
        )
    return {
        "mode": "enforce",
        "state_dir": str(folder / "state"),
        "log": {"format": "json"},
        "brokers": {broker: {"max_leverage": LEVERAGE_CAP} for broker in {row["broker"] for row in rows}},
        "accounts": rows,
        **settings,
    }
