"""The real daemon at Binance's margin, where nothing is reduce-only and positions are debts against coins."""

from decimal import Decimal
from typing import Any

import pytest

Workshop = Any
Sandbox = Any
Line = dict[str, Any]  # the types live in conftest

POLICY = {
    "maintenance": {"warning": 0.72, "critical": 0.78, "liquidation": 0.84},
    "utilization": {"warning": 0.85, "critical": 0.90, "liquidation": 0.95},
    "target": {"maintenance": 0.60, "utilization": 0.80},
}
"""Accounts that borrowed one and a half times their equity stand at 66 to 71 % from the first moment."""


def account(name: str, broker: str, position: Line, **more: Any) -> Line:  # noqa: ANN401 - settings
    return {
        "id": name,
        "broker": broker,
        "api_key": f"Canary4711Key-{name}",
        "secret": f"Canary4711Secret-{name}",
        "positions": [{"symbol": "BTC-USDT", "leverage": 3, **position}],
        **more,
    }


LONG = {"side": "long", "quantity": "0.5"}
SHORT = {"side": "short", "quantity": "0.3"}
"""Of 100,000 dollars a coin, on 20,000 of equity: either borrows 30,000."""


def orders(sandbox: Sandbox, venue: str) -> list[Line]:
    return [event["order"] for event in sandbox.venue(venue).history("OrderPlaced")]


def owed(truth: Line, pool: str, currency: str) -> Decimal:
    return sum(
        (
            Decimal(balance["borrowed"]) + Decimal(balance["interest"])
            for balance in truth["balances"]
            if (balance["pool"], balance["currency"]) == (pool, currency)
        ),
        Decimal(0),
    )


@pytest.mark.parametrize(
    "case",
    [
        ("classic-long", "binancemargin", "classic", LONG, "account", "USDT", "0.78"),
        ("pro-long", "binancemargin", "pro", LONG, "account", "USDT", "0.67"),
        ("classic-short", "binancemargin", "classic", SHORT, "account", "BTC", "1.3"),
        ("isolated-long", "binanceisolated", "isolated_pairs", LONG, "BTC-USDT:net", "USDT", "0.84"),
    ],
    ids=lambda case: case[0],
)
def test_a_move_against_borrowed_coins_is_met_by_selling_or_buying_and_repaying(
    workshop: Workshop, case: tuple[str, str, str, Line, str, str, str]
) -> None:
    name, broker, mode, position, pool, currency, move = case
    margin = {"margin_amount": 20_000} if pool != "account" else {}
    desk = account(name, broker, {**position, **margin}, mode=mode, wallets={"USDT": 20_000})
    sandbox = workshop.sandbox(desk)
    venue = sandbox.venue(broker)
    before = venue.truth(name)
    daemon = workshop.guard(sandbox, changes={name: {"policy": POLICY}})
    venue.move(move)
    daemon.until(event="episode_ended", within=40)
    after = venue.truth(name)
    assert owed(after, pool, currency) < owed(before, pool, currency)
    placed = orders(sandbox, broker)
    assert placed
    side = "sell" if position["side"] == "long" else "buy"
    assert {
        (order["spec"]["side"], order["spec"]["borrows"], order["spec"]["repays"]) for order in placed
    } == {(side, False, True)}
    [held] = after["positions"]
    assert held["side"] == position["side"]
    assert Decimal(held["quantity"]) < Decimal(position["quantity"])
    assert venue.history("LiquidationStarted") == []
    states = {intent["state"] for intent in daemon.rows("intents")}
    assert states == {"filled"}
