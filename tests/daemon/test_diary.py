"""The log of a guarded account: a line a cycle, a line a change, as loud as it is bad."""

import io
import json
from dataclasses import replace
from typing import Any

from brokers.errors import VenueUnavailable
from daemon.diary import log_outcome

Desk = Any  # the fixture's type lives in conftest


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    """Everything logged so far, and from here on anew."""
    text = log.getvalue()
    log.seek(0)
    log.truncate()
    return [json.loads(line) for line in text.splitlines()]


async def test_a_calm_cycle_is_one_line_of_information(desk: Desk, log: io.StringIO) -> None:
    log_outcome(await desk.run())

    (line,) = lines(log)
    line.pop("timestamp")
    assert line.pop("why").startswith("hold (calm)")
    assert line == {
        "event": "cycle",
        "severity": "info",
        "account": "desk",
        "level": "safe",
        "protection": "protected",
        "utilization": "50.0 %",
        "maintenance": "5.0 %",
        "leverage": "5.00",
        "net": "5.00",
        "underlyings": "X 5.00",
        "unit": "USDT",
        "mode": "enforce",
        "doing": "hold",
        "reason": "calm",
        "episode": None,
        "orders": 0,
        "positions": 1,
        "ahead": None,
        "shock": "X -10 % to LIQUIDATION",
        "duration_ms": 4,
    }


async def test_an_account_nobody_has_seen_is_not_called_safe(desk: Desk, log: io.StringIO) -> None:
    desk.venue.mishaps.fail_read(VenueUnavailable("down"), call="fetch_snapshot", times=10_000)
    for outcome in await desk.watch(6):
        log_outcome(outcome)

    told = lines(log)
    assert {line["level"] for line in told} == {"unknown"}
    assert "protection_lost" in {line["event"] for line in told}
    assert not [line for line in told if "safe" in line.get("why", "")]


async def test_the_worse_the_louder(desk: Desk, log: io.StringIO) -> None:
    severities = {}
    for utilization in ("0.60", "0.75", "0.85"):
        desk.fall_to(utilization)
        for outcome in await desk.watch(5):
            log_outcome(outcome)
        severities[utilization] = lines(log)[-1]["severity"]

    assert severities == {"0.60": "info", "0.75": "warning", "0.85": "error"}


async def test_a_change_of_standing_has_a_line_of_its_own(desk: Desk, log: io.StringIO) -> None:
    desk.fall_to("0.95")
    for outcome in await desk.watch(10):
        log_outcome(outcome)

    changes = [(line["event"], line["severity"]) for line in lines(log) if line["event"] != "cycle"]
    assert changes == [
        ("level_rose", "error"),
        ("confirmed", "warning"),
        ("episode_began", "error"),
        ("level_fell", "warning"),
        ("episode_ended", "warning"),
    ]


async def test_what_is_not_known_is_a_dash_and_an_error(desk: Desk, log: io.StringIO) -> None:
    desk.venue.mishaps.fail_read(VenueUnavailable("down"), call="fetch_snapshot", times=100)
    for outcome in await desk.watch(10):
        log_outcome(outcome)

    last = lines(log)[-1]
    assert (last["severity"], last["protection"]) == ("error", "unprotected")
    assert (last["utilization"], last["maintenance"], last["leverage"], last["unit"]) == ("-", "-", "-", None)
    assert "down" in last["why"]


async def test_a_cash_account_shows_that_no_ratio_applies(desk: Desk, log: io.StringIO) -> None:
    outcome = replace(await desk.run(), utilization=None, maintenance_ratio=None)
    log_outcome(replace(outcome, cash=True))
    log_outcome(outcome)

    shown = [(line["utilization"], line["maintenance"]) for line in lines(log)]
    assert shown == [("n/a", "n/a"), ("-", "-")]
