"""One venue goes down: the others keep their pace, and it comes back by itself."""

import time
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

Workshop = Any
Daemon = Any
Account = dict[str, Any]  # the types live in conftest

INTERVAL_S = 0.4


def longest_gap(daemon: Daemon, account: str, since: int) -> float:
    """Return the longest time between two cycles of an account, in seconds."""
    times = [
        datetime.fromisoformat(line["timestamp"])
        for line in daemon.said(event="cycle", account=account, since=since)
    ]
    return max((after - before).total_seconds() for before, after in pairwise(times))


def pinned(sandbox: Any, folder: Path) -> Path:  # noqa: ANN401 - of conftest
    """Write a sandbox file that opens at the ports this sandbox has now, so that it can come back."""
    ports = {broker: int(url.rpartition(":")[2]) for broker, url in sandbox.endpoints.items()}
    document = {"speed": 0.0001, "scenario": "calm", "prices": {"BTC": 100_000, "ETH": 4_000}}
    file = folder / "pinned.yaml"
    file.write_text(yaml.safe_dump({**document, "listen": ports, "accounts": list(sandbox.accounts)}))
    return file


def test_a_venue_that_dies_stops_nobody_else_and_comes_back_by_itself(
    workshop: Workshop, bybit: Account, okx: Account
) -> None:
    dying, living = workshop.sandbox(bybit), workshop.sandbox(okx)
    both = type(living)(living.program, (bybit, okx), {**dying.endpoints, **living.endpoints})
    daemon = workshop.guard(both)
    mark = daemon.mark()
    dying.program.kill()
    lost = daemon.until(event="protection_lost", account="bybit-a", since=mark, within=10)
    assert lost["reason"] == "venue_unavailable"
    assert "no connection" in lost["message"]

    living.venue("okx").move("0.8668")
    ended = daemon.until(event="episode_ended", account="okx-a", since=mark)
    began = daemon.until(event="episode_began", account="okx-a", since=mark)
    took = datetime.fromisoformat(ended["timestamp"]) - datetime.fromisoformat(began["timestamp"])
    assert took.total_seconds() < 5
    assert living.venue("okx").position("okx-a") < Decimal("1.6")
    assert longest_gap(daemon, "okx-a", mark) < INTERVAL_S + 2, "its pace is its own"
    assert not daemon.said(event="protection_lost", account="okx-a")

    back = workshop.start("sandbox", "--config", str(pinned(dying, workshop.folder)))
    began_back, mark = time.monotonic(), daemon.mark()
    daemon.until(event="protection_regained", account="bybit-a", since=mark)
    daemon.until(event="cycle", account="bybit-a", protection="protected", level="safe", since=mark)
    assert time.monotonic() - began_back < 12
    assert back.is_running()
    assert not dying.endpoints.keys() & living.endpoints.keys()


def test_a_venue_behind_a_broken_gateway_stops_nobody_else(
    workshop: Workshop, bybit: Account, binance: Account
) -> None:
    sandbox = workshop.sandbox(bybit, binance)
    daemon = workshop.guard(sandbox)
    mark = daemon.mark()
    sandbox.venue("bybit").fault("http_502_html")
    sandbox.venue("bybit").move("0.8668")
    daemon.until(event="protection_lost", account="bybit-a", since=mark, within=8)
    sandbox.venue("binance").move("0.8668")
    daemon.until(event="episode_ended", account="binance-a", since=mark)
    assert longest_gap(daemon, "binance-a", mark) < INTERVAL_S + 2
    assert not sandbox.venue("bybit").orders("bybit-a")

    sandbox.venue("bybit").heal()
    daemon.until(event="episode_ended", account="bybit-a", since=mark)
    assert Decimal("1.258") <= sandbox.venue("bybit").position("bybit-a") <= Decimal("1.260")


def test_a_venue_that_hangs_in_the_middle_of_the_watch_is_told_and_stops_nobody_else(
    workshop: Workshop, bybit: Account, okx: Account
) -> None:
    sandbox = workshop.sandbox(bybit, okx)
    daemon = workshop.guard(sandbox)
    mark, began = daemon.mark(), time.monotonic()
    sandbox.venue("okx").fault("hang")
    daemon.until(event="protection_lost", account="okx-a", since=mark, within=15)
    assert time.monotonic() - began < 10
    assert longest_gap(daemon, "bybit-a", mark) < INTERVAL_S + 2
    sandbox.venue("okx").heal()
    daemon.until(event="protection_regained", account="okx-a", since=mark)
