"""The real daemon at a venue without client ids, without a deadline and without a word about keys."""

import time
from decimal import Decimal
from typing import Any

import pytest

Workshop = Any
Sandbox = Any
Line = dict[str, Any]  # the types live in conftest

CLOSE = "/exchange/v1/private/close-position"
WORDS = {"cryptocom-a": {"allow_withdrawal_key": "i accept that this key can withdraw"}}
ENDED = {"filled", "absent", "cancelled"}


@pytest.fixture
def cryptocom() -> Line:
    """A smart-cross account, long 1.6 BTC: down 13 % it is beyond 90 % utilization."""
    return {
        "id": "cryptocom-a",
        "broker": "cryptocom",
        "api_key": "Canary4711Key-cryptocom-a",
        "secret": "Canary4711Secret-cryptocom-a",
        "wallets": {"USD": 36_000},
        "positions": [{"symbol": "BTC-USDT", "side": "long", "quantity": "1.6", "leverage": 10}],
    }


@pytest.fixture
def sandbox(workshop: Workshop, cryptocom: Line) -> Sandbox:
    market: Sandbox = workshop.sandbox(cryptocom)
    return market


def placed(sandbox: Sandbox) -> list[Line]:
    """Every order the venue took."""
    return [event["order"] for event in sandbox.venue("cryptocom").history("OrderPlaced")]


def held(sandbox: Sandbox) -> Decimal:
    (position,) = sandbox.venue("cryptocom").truth("cryptocom-a")["positions"]
    return Decimal(position["quantity"])


def test_a_key_that_nobody_can_vet_is_told_until_somebody_has(workshop: Workshop, sandbox: Sandbox) -> None:
    checked = workshop.run("check", "--config", str(workshop.configuration(sandbox)))
    assert checked.process.returncode == 0, checked.stdout
    assert "unverified" in checked.stdout
    assert "make sure at the venue that it cannot withdraw" in checked.stdout


def test_a_fall_is_met_by_closing_part_of_the_position(workshop: Workshop, sandbox: Sandbox) -> None:
    daemon = workshop.guard(sandbox, changes=WORDS)
    sandbox.venue("cryptocom").move("0.87")
    daemon.until(event="episode_ended", within=30)
    (order,) = placed(sandbox)
    assert order["reduce_only"] is True
    assert held(sandbox) == Decimal("1.6") - Decimal(order["quantity"])
    (intent,) = daemon.rows("intents")
    assert (intent["state"], intent["venue_order_id"]) == ("filled", order["order_id"])
    assert sandbox.venue("cryptocom").history("LiquidationStarted") == []


@pytest.mark.parametrize(
    ("kind", "more", "sent"),
    [
        ("accepted_no_answer", {}, 1),
        ("executed_late", {"ms": 2_800}, 1),
        ("duplicate_code", {"executes": True}, 1),
        ("http_502_html", {}, 2),
        ("http_429_plain", {"executes": True}, 1),
    ],
)
def test_an_order_whose_fate_is_unknown_is_found_out_and_not_sent_again(
    workshop: Workshop, sandbox: Sandbox, kind: str, more: Line, sent: int
) -> None:
    daemon = workshop.guard(sandbox, changes=WORDS)
    venue = sandbox.venue("cryptocom")
    venue.fault(kind, path=CLOSE, count=1, **more)
    venue.move("0.87")
    daemon.until(event="episode_ended", within=45)
    intents = daemon.rows("intents")
    assert (len(intents), len(placed(sandbox))) == (sent, 1)
    assert {intent["state"] for intent in intents} <= ENDED
    filled = [intent for intent in intents if intent["state"] == "filled"]
    assert sum(Decimal(intent["filled"]) for intent in filled) == Decimal("1.6") - held(sandbox)


def test_an_order_sent_before_a_crash_is_found_after_it(workshop: Workshop, cryptocom: Line) -> None:
    sandbox = workshop.sandbox(
        cryptocom, speed=1
    )  # at a standstill orders seem to be of this moment for ever
    config = workshop.configuration(sandbox, changes=WORDS)
    daemon = workshop.daemon(config)
    daemon.until(event="cycle", account="cryptocom-a", within=30)
    venue = sandbox.venue("cryptocom")
    venue.fault("executed_late", path=CLOSE, count=1, ms=2_500)
    venue.move("0.87")
    daemon.until(event="episode_began", within=20)
    patience = time.monotonic() + 20
    while venue.ask("GET", "faults"):  # until it is taken, the order may be written down and not have left
        assert time.monotonic() < patience
        time.sleep(0.02)
    daemon.kill()
    again = workshop.daemon(config)
    again.until(event="episode_ended", within=45)
    intents = again.rows("intents", "state != 'absent'")  # absent: too late even for the venue
    assert [(one["state"], one["venue_order_id"]) for one in intents] == [
        ("filled", order["order_id"]) for order in placed(sandbox)
    ]
    first, *more = (Decimal(one["filled"]) for one in intents)
    assert held(sandbox) == Decimal("1.6") - first - sum(more)
    assert sum(more) < first / 5  # what the price has moved meanwhile, and never the same cut again
