"""`margind demo`: a falling market in under a minute, with the real daemon over loopback."""

import asyncio
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console

from brokers.sandbox.presets import scenario as find_scenario
from daemon.demo import record
from daemon.demo.screen import Screen, console
from daemon.demo.stage import START_PATIENCE_S, Market, Venues, write_sandbox_file
from daemon.demo.verdict import AccountVerdict, Summary, ending, print_verdicts
from daemon.errors import EXIT_FAILURE, EXIT_OK, FatalError
from database.records import Intent

SCENARIO_S = 40.0
CALM_S = 3.0
"""Both markets are watched for a moment before they fall."""

AFTERMATH_S = 3.0
SEEN_WITHIN_S = 5.0
"""An account whose last cycle is older at the end was not seen to the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What was seen of both markets: the venues' own figures before and after, and all that happened."""

    started_at: datetime
    before: Mapping[str, Any]
    guarded: Mapping[str, Any]
    guarded_events: list[dict[str, Any]]
    alone: Mapping[str, Any]
    alone_events: list[dict[str, Any]]
    last: Mapping[str, dict[str, Any]]


async def show(*, speed: float, scenario: str) -> int:
    """Play the demo; return 0 only if every account was protected.

    Raises:
        FatalError: the market could not be set up.
        UnknownScenario: there is none of that name.
    """
    folder = Path(tempfile.mkdtemp(prefix="margind-demo-"))
    sandbox_file, settings = write_sandbox_file(folder)
    names = tuple(account.id for account in settings.accounts)
    venues = {account.broker for account in settings.accounts}
    guarded = Market(name="guarded", folder=folder / "guarded", mode="enforce")
    alone = Market(name="alone", folder=folder / "alone", mode="observe")
    duration, out = SCENARIO_S / speed, console()
    out.print(
        f"{find_scenario(scenario).title}, over {duration:.0f} s. "
        f"{len(names)} accounts on {len(venues)} venues, twice: "
        "guarded (margind enforces) and alone (margind only watches).",
        soft_wrap=True,
    )
    try:
        await asyncio.gather(
            guarded.open(sandbox_file, settings.accounts, duration),
            alone.open(sandbox_file, settings.accounts, duration),
        )
        ran = await _play(guarded, alone, names=names, scenario=scenario, duration=duration, out=out)
    finally:
        await asyncio.gather(guarded.close(), alone.close())
    verdicts = _verdicts(ran, names, record.orders(guarded.state_dir))
    summary = Summary(
        verdicts=verdicts,
        transfers=record.transfers(guarded.state_dir),
        watched=record.shadow(alone.state_dir),
        started_at=ran.started_at,
        places=_places(guarded),
    )
    print_verdicts(out, summary)
    return EXIT_OK if all(verdict.is_protected for verdict in verdicts) else EXIT_FAILURE


async def _play(
    guarded: Market, alone: Market, *, names: tuple[str, ...], scenario: str, duration: float, out: Console
) -> Ran:
    async with aiohttp.ClientSession() as session:
        ours, theirs = Venues(session, guarded.endpoints), Venues(session, alone.endpoints)
        with Screen(console=out, accounts=names, started=time.monotonic()) as view:
            follower = asyncio.create_task(_follow(guarded, view))
            await _until_complete(view, guarded, follower)
            await asyncio.sleep(CALM_S)
            before = await ours.truth()
            view.started, started_at = time.monotonic(), datetime.now(UTC)
            view.say(f"the market starts to fall ({scenario})", view.started)
            await asyncio.gather(ours.play(scenario), theirs.play(scenario))
            await asyncio.sleep(duration + AFTERMATH_S)
            follower.cancel()
            last = view.rows_since(time.monotonic() - SEEN_WITHIN_S)
        return Ran(
            started_at=started_at,
            before=before,
            guarded=await ours.truth(),
            guarded_events=await ours.history(),
            alone=await theirs.truth(),
            alone_events=await theirs.history(),
            last=last,
        )


async def _follow(market: Market, view: Screen) -> None:
    async for line in market.lines():
        view.take(line, time.monotonic())


async def _until_complete(view: Screen, market: Market, follower: asyncio.Task[None]) -> None:
    complete = asyncio.create_task(view.complete.wait())
    await asyncio.wait({complete, follower}, timeout=START_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
    if complete.done():
        return
    complete.cancel()
    log = market.daemon.log if market.daemon else market.folder
    if follower.done():
        raise FatalError(f"demo: the daemon ended before it had seen every account; see {log}")
    missing = ", ".join(sorted(set(view.accounts) - set(view.rows)))
    raise FatalError(f"demo: {missing} did not come up within {START_PATIENCE_S:g} s; see {log}")


def _verdicts(ran: Ran, names: tuple[str, ...], orders: tuple[Intent, ...]) -> list[AccountVerdict]:
    return [
        AccountVerdict(
            account=name,
            alone=ending(name, ran.before[name], ran.alone[name], ran.alone_events),
            guarded=ending(name, ran.before[name], ran.guarded[name], ran.guarded_events),
            orders=tuple(order for order in orders if order.account == name),
            last=ran.last.get(name, {}),
        )
        for name in names
    ]


def _places(market: Market) -> dict[str, str]:
    return {
        "log": str(market.daemon.log if market.daemon else ""),
        "journal": str(market.state_dir / "journal.db"),
        "history": str(market.state_dir / "history.db"),
        "config": str(market.config),
    }
