"""The daemon dies in the middle of an episode, at any moment, and the next one brings it to the same end."""

import random
import time
from decimal import Decimal
from typing import Any

import pytest

Workshop = Any
Sandbox = Any
Daemon = Any
Account = dict[str, Any]  # the types live in conftest

OPENING = {"bybit-a": Decimal(2), "binance-a": Decimal("1.5"), "okx-a": Decimal("1.6")}
ENDING = {"bybit-a": Decimal("1.260"), "binance-a": Decimal("0.950"), "okx-a": Decimal("1.0142")}
"""What an uninterrupted run leaves of each position after one fall of 13.32 %: cut by what its book costs."""

BOOKLESS = {"bybit-a": Decimal("1.258"), "binance-a": Decimal("0.949"), "okx-a": Decimal("1.0128")}
"""The same where the order book did not come in time, and the cut allows for the slippage of the policy."""

LOT = {"bybit-a": Decimal("0.001"), "binance-a": Decimal("0.001"), "okx-a": Decimal("0.0001")}
FALL = "0.8668"
TRANSFERS = {
    "bybit": "/v5/asset/transfer/inter-transfer",
    "binance": "/sapi/v1/asset/transfer",
    "okx": "/api/v5/asset/transfer",
}
ORDERS = {"bybit": "/v5/order/create", "binance": "/fapi/v1/order", "okx": "/api/v5/trade/order"}
FINAL = {"filled", "cancelled", "rejected", "absent", "abandoned"}

_random = random.Random(7)
DELAYS = [round(0.15 + 1.4 * (step + _random.random()) / 7, 3) for step in range(7)]
"""Seconds from the fall to the kill: the first comes before the daemon looks, the last when it is done."""


@pytest.fixture
def market(workshop: Workshop, bybit: Account, binance: Account, okx: Account) -> Sandbox:
    """An account at each venue, each with an order that binds margin and a stop that protects."""
    for account in (bybit, binance, okx):
        size = account["positions"][0]["quantity"]
        account["orders"] = [
            {"symbol": "BTC-USDT", "side": "buy", "quantity": 0.1, "price": 70_000},
            {"symbol": "BTC-USDT", "side": "sell", "quantity": size, "trigger": 60_000, "reduce_only": True},
        ]
    return workshop.sandbox(bybit, binance, okx)


def fall(sandbox: Sandbox) -> None:
    for broker in sandbox.endpoints:
        sandbox.venue(broker).move(FALL)


def until_over(daemon: Daemon, since: int = 0) -> None:
    """Wait until every account is where it should be and nothing is open."""
    for name in OPENING:
        daemon.until(
            lambda line: line["level"] == "safe" and line["reason"] in {"calm", "target_reached"},
            event="cycle",
            account=name,
            protection="protected",
            since=since,
            within=40,
        )


def check_the_end(sandbox: Sandbox, daemon: Daemon, *, lots: int = 1, binding: int = 1) -> None:
    """Hold the venues' books and the journal against what must be so after any interruption.

    `binding` is how many orders an account had that bound margin: they are cancelled, and nothing else is.
    """
    intents = daemon.rows("intents")
    assert {row["state"] for row in intents} <= FINAL, intents
    for name, opening in OPENING.items():
        venue = sandbox.venue_of(name)
        held, spare = venue.position(name), lots * LOT[name]
        assert BOOKLESS[name] - spare <= held <= ENDING[name] + spare, (held, intents)
        assert venue.only_reduced(name, opening)
        received = {order["spec"]["client_id"] for order in venue.orders(name)}
        assert received <= {row["intent_id"] for row in intents}
        gone = [event["order"]["spec"] for event in venue.history("OrderCancelled", name)]
        strangers = [spec for spec in gone if not spec["client_id"]]
        assert [spec["trigger"] for spec in strangers] == [None] * binding, "protective stops were left alone"


def test_an_uninterrupted_episode_ends_at_the_target_with_one_order_each(
    workshop: Workshop, market: Sandbox
) -> None:
    daemon = workshop.guard(market)
    mark = daemon.mark()
    fall(market)
    for name in OPENING:
        daemon.until(event="episode_ended", account=name, since=mark)
    check_the_end(market, daemon, lots=0)
    assert len(daemon.rows("intents")) == len(OPENING)
    assert daemon.terminate() == 0


@pytest.mark.parametrize("delay", DELAYS)
def test_killed_at_any_moment_it_ends_where_an_uninterrupted_run_ends(
    workshop: Workshop, market: Sandbox, delay: float
) -> None:
    first = workshop.guard(market)
    fall(market)
    time.sleep(delay)
    first.kill()
    second = workshop.guard(market)
    until_over(second)
    check_the_end(market, second)


@pytest.mark.parametrize("kind", ["accepted_no_answer", "executed_late"])
def test_killed_while_an_answer_is_out_it_finds_out_before_it_acts_again(
    workshop: Workshop, bybit: Account, binance: Account, okx: Account, kind: str
) -> None:
    market = workshop.sandbox(bybit, binance, okx)
    first = workshop.guard(market)
    for broker, path in ORDERS.items():
        market.venue(broker).fault(kind, path=path, count=1, ms=900)
    fall(market)
    deadline = time.monotonic() + 20
    while len(first.rows("intents", "state IN ('sent', 'unknown', 'not_found')")) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first.kill()
    second = workshop.guard(market)
    until_over(second)
    check_the_end(market, second, binding=0)


def test_killed_while_a_transfer_is_out_it_moves_the_money_once(
    workshop: Workshop, bybit: Account, binance: Account, okx: Account
) -> None:
    for account in (bybit, binance, okx):
        account["funding"] = {"USDT": 10_000}
    market = workshop.sandbox(bybit, binance, okx)
    caps = {"max_per_day": {"USDT": 500}}
    first = workshop.guard(market, top_up=caps)
    for broker, path in TRANSFERS.items():
        market.venue(broker).fault("accepted_no_answer", path=path, count=1)
    fall(market)
    deadline = time.monotonic() + 40
    while not all(market.venue_of(name).history("Transferred", name) for name in OPENING):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first.kill()
    second = workshop.guard(market, top_up=caps)
    until_over(second)
    for name, opening in OPENING.items():
        venue = market.venue_of(name)
        assert [event["amount"] for event in venue.history("Transferred", name)] == ["500"]
        assert venue.only_reduced(name, opening)
        assert ENDING[name] < venue.position(name) < opening, "what came in need not be cut"
    assert {row["state"] for row in second.rows("transfers")} == {"completed"}


def test_killed_again_and_again_it_gets_there(workshop: Workshop, market: Sandbox) -> None:
    daemon = workshop.guard(market)
    fall(market)
    for delay in (0.5, 0.2, 0.35):
        time.sleep(delay)
        daemon.kill()
        daemon = workshop.guard(market)
    until_over(daemon)
    check_the_end(market, daemon)


@pytest.mark.parametrize("delay", [0.4, 0.75, 1.1])
def test_terminated_in_a_step_it_ends_cleanly_and_leaves_nothing_unknown(
    workshop: Workshop, market: Sandbox, delay: float
) -> None:
    for broker, path in ORDERS.items():
        market.venue(broker).fault("slow", path=path, ms=400)
    daemon = workshop.guard(market)
    fall(market)
    time.sleep(delay)
    began = time.monotonic()
    assert daemon.terminate() == 0
    assert time.monotonic() - began < 15
    assert daemon.log()[-1]["event"] == "stopped"
    for name, opening in OPENING.items():
        states = {row["intent_id"]: row["state"] for row in daemon.rows("intents", f"account = '{name}'")}
        received = {order["spec"]["client_id"] for order in market.venue_of(name).orders(name)}
        assert received <= states.keys()
        assert {states[order_id] for order_id in received} <= FINAL, "sent and answered is not left open"
        assert market.venue_of(name).only_reduced(name, opening)
