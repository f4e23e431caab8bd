"""`observe` and `advise` in danger: alarms and plans, and not a single write at the venue."""

import json
from typing import Any

Workshop = Any
Account = dict[str, Any]  # the types live in conftest

WRITES = {
    "OrderPlaced",
    "OrderCancelled",
    "OrderRefused",
    "CancelRefused",
    "Filled",
    "Transferred",
    "LeverageSet",
}
BINDING = {"symbol": "BTC-USDT", "side": "buy", "quantity": 0.1, "price": 70_000}


def test_observe_and_advise_send_nothing_and_advise_proposes_a_plan(
    workshop: Workshop, bybit: Account, binance: Account, okx: Account
) -> None:
    for account in (bybit, binance, okx):
        account |= {"orders": [BINDING], "funding": {"USDT": 10_000}}
    sandbox = workshop.sandbox(bybit, binance, okx)
    before = {name: len(sandbox.venue(name).history()) for name in sandbox.endpoints}
    daemon = workshop.guard(
        sandbox,
        changes={
            "bybit-a": {"mode": "observe"},
            "binance-a": {"mode": "advise"},
            "okx-a": {"mode": "advise"},
        },
        top_up={"max_per_day": {"USDT": 5_000}},
    )
    mark = daemon.mark()
    for broker in sandbox.endpoints:
        sandbox.venue(broker).move("0.8668")
    held = daemon.until(
        event="cycle", account="bybit-a", level="liquidation", reason="observe_mode", since=mark
    )
    assert (held["mode"], held["orders"], held["doing"]) == ("observe", 0, "hold")
    for name in ("binance-a", "okx-a"):
        daemon.until(event="cycle", account=name, mode="advise", level="liquidation", since=mark)
        daemon.until(
            lambda line: "waits for approval" in line["why"], event="cycle", account=name, since=mark
        )
    later = daemon.mark()
    for name in ("bybit-a", "binance-a", "okx-a"):
        daemon.until(event="cycle", account=name, since=later)
        assert daemon.said(event="level_rose", account=name, level="liquidation")
        assert not sandbox.venue_of(name).orders(name)
    for broker, count in before.items():
        assert not [event for event in sandbox.venue(broker).history()[count:] if event["event"] in WRITES]

    assert not daemon.rows("intents")
    assert not daemon.rows("transfers")
    plans = daemon.rows("plans")
    assert {(plan["account"], plan["state"], plan["mode"]) for plan in plans} == {
        ("binance-a", "proposed", "advise"),
        ("okx-a", "proposed", "advise"),
    }
    assert len(plans) == len({(plan["account"], plan["decision"]) for plan in plans}), "each is proposed once"
    assert all(json.loads(plan["snapshot"])["units"] for plan in plans)


def test_a_plan_to_reduce_is_proposed_with_its_orders(workshop: Workshop, okx: Account) -> None:
    sandbox = workshop.sandbox(okx)
    daemon = workshop.guard(sandbox, mode="advise")
    sandbox.venue("okx").move("0.8668")
    daemon.until(lambda line: line["why"].startswith("proposes to reduce"), event="cycle")
    (plan,) = daemon.rows("plans")
    assert (plan["decision"], plan["state"]) == ("reduce", "proposed")
    (order,) = json.loads(plan["plan"])["orders"]
    assert (order["side"], order["of"]) == ("sell", "160")
    assert order["quantity"] in {"58.58", "58.72"}  # by what its book costs, and by the policy's own figure
    assert not sandbox.venue("okx").orders("okx-a")


def test_the_stricter_mode_wins(workshop: Workshop, okx: Account) -> None:
    sandbox = workshop.sandbox(okx)
    daemon = workshop.guard(sandbox, mode="observe", changes={"okx-a": {"mode": "enforce"}})
    sandbox.venue("okx").move("0.8668")
    daemon.until(event="cycle", reason="observe_mode", mode="observe")
    assert not sandbox.venue("okx").orders("okx-a")
