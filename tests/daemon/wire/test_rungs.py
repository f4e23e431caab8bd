"""Each rung of the ladder alone, and all together, at every broker: what is journaled, what venues got."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.sandbox.faults import FaultKind
from brokers.sandbox.history import LiquidationStarted, OrderCancelled
from daemon.risk.policy import Level
from daemon.risk.reason import Reason
from database.records import IntentState, TransferState
from tests.daemon.wire.danger import ACROSS, FUNDED, danger, rest_profit, rest_risky, sink, sites

pytestmark = pytest.mark.wire

Site = Any  # the fixtures' types live in conftest
Watch = Any
D = Decimal

TRANSFERS = {
    "bybit unified": "/v5/asset/transfer/inter-transfer",
    "binance usdm": "/sapi/v1/asset/transfer",
    "binance coinm": "/sapi/v1/asset/transfer",
    "okx unified": "/api/v5/asset/transfer",
}
A_DAY = {"USDT": "1000000", "BTC": "100"}


def only(*rungs: str, critical: tuple[str, ...] = ()) -> dict[str, Any]:
    """Settings under which nothing but these rungs is climbed at LIQUIDATION."""
    return {"policy": {"actions": {"warning": [], "critical": list(critical), "liquidation": list(rungs)}}}


def climbed(watch: Watch, site: Site) -> list[str]:
    """The rungs that were journaled before they were climbed, each once, in order."""
    told = [event.detail["decision"] for event in watch.events(site, "plan_approved")]
    return list(dict.fromkeys(told))


def cancelled(site: Site) -> list[str]:
    """The orders that were cancelled at the venue, in order."""
    return [event.order.order_id for event in site.engine.history if isinstance(event, OrderCancelled)]


def check_every_plan_was_carried_out(watch: Watch, site: Site) -> None:
    """What was approved was executed, and every order's journal row has its end."""
    approved = [event.plan_id for event in watch.events(site, "plan_approved")]
    executed = [event.plan_id for event in watch.events(site, "plan_executed")]
    assert approved == executed, watch.tell(site)
    assert {event.reason for event in watch.events(site, "plan_approved")} <= {
        Reason.CRITICAL_REACHED,
        Reason.LIQUIDATION_REACHED,
        Reason.ABOVE_TARGET,
        Reason.FLATTEN_LATCHED,
    }
    assert all(intent.state.is_final for intent in watch.intents(site)), watch.tell(site)
    assert list(site.offences(flagged=True)) == [], watch.tell(site)


@pytest.mark.parametrize("level", ["critical", "liquidation"])
async def test_cancelling_alone_takes_what_adds_risk_and_leaves_the_owners_stop_and_the_position(
    watching: Callable[..., Any], level: str
) -> None:
    played = sites()
    risky = {site: rest_risky(site) for site in played.values()}
    profit = {site: rest_profit(site) for site in risky}
    settings = only("cancel_orders", critical=("cancel_orders",))
    async with watching(risky, **settings) as watch:
        for site in risky:
            sink(site, "0.93" if level == "critical" else "1.02")
        await watch.until(risky, lambda site: risky[site] not in site.resting(), within=20, why="cancelled")
        await asyncio.sleep(20)
        for site, order in risky.items():
            assert cancelled(site) == [order], watch.tell(site)
            assert site.resting() == {site.stop, profit[site]}, "what can only reduce adds no risk"
            assert (site.received(), site.held(), site.moved()) == ([], site.opened, [])
            (round_,) = watch.events(site, "orders_cancelled")
            assert round_.message == "cancelled 1 of 1 open orders"
            assert [row["verdict"] for row in round_.detail["reports"]] == ["accepted"]
            assert climbed(watch, site) == ["cancel_orders"]
            assert watch.outcome(site).reason is Reason.NO_ORDERS, watch.tell(site)
            check_every_plan_was_carried_out(watch, site)


async def test_a_top_up_alone_moves_what_the_target_needs_and_nothing_else(
    watching: Callable[..., Any],
) -> None:
    played = sites()
    risky = {site: rest_risky(site) for site in played.values()}
    async with watching(risky, top_up={"max_per_day": A_DAY}, **only("top_up")) as watch:
        for site in risky:
            sink(site)
        funded = [played[label] for label in FUNDED]
        await watch.until(funded, watch.is_settled, within=30, why="topped up to the target")
        for label, site in played.items():
            assert site.resting() == {site.stop, risky[site]}
            assert (site.received(), site.held()) == ([], site.opened)
            if label in FUNDED:
                (transfer,) = watch.transfers(site)
                assert (transfer.state, [transfer.amount]) == (TransferState.COMPLETED, site.moved())
                assert D("0.64") < danger(site) <= D("0.68"), "60 of 90 %, and no more than it takes"
                assert climbed(watch, site) == ["top_up"]
            else:
                assert (site.moved(), climbed(watch, site)) == ([], []), watch.tell(site)
                assert watch.outcome(site).level is Level.LIQUIDATION
            check_every_plan_was_carried_out(watch, site)


async def test_a_top_up_whose_answer_is_lost_is_looked_up_and_never_sent_twice(
    watching: Callable[..., Any],
) -> None:
    played = sites(label for label in FUNDED if TRANSFERS.get(label))
    async with watching(played.values(), top_up={"max_per_day": A_DAY}, **only("top_up")) as watch:
        for label, site in played.items():
            site.fault(FaultKind.ACCEPTED_NO_ANSWER, path=TRANSFERS[label], writes=True, count=1)
            sink(site)
        await watch.until(played.values(), watch.is_settled, within=40, why="found, and at the target")
        await asyncio.sleep(5)
        for label, site in played.items():
            told = [event.kind for event in watch.events(site) if event.kind.startswith("transfer_")]
            assert told[:3] == ["transfer_planned", "transfer_sent", "transfer_unknown"]
            assert told[-1] == "transfer_completed"
            (transfer,) = watch.transfers(site)
            assert (transfer.state, [transfer.amount]) == (TransferState.COMPLETED, site.moved())
            assert site.asked("POST", TRANSFERS[label]) == 1
            assert D("0.64") < danger(site) <= D("0.67")
            check_every_plan_was_carried_out(watch, site)


async def test_reducing_alone_cuts_to_the_target_and_touches_neither_orders_nor_funds(
    watching: Callable[..., Any],
) -> None:
    played = sites()
    risky = {site: rest_risky(site) for site in played.values()}
    async with watching(risky, top_up={"max_per_day": A_DAY}, **only("reduce")) as watch:
        for site in risky:
            sink(site)
        await watch.until(risky, watch.is_settled, within=40, why="cut to the target")
        for site, order in risky.items():
            assert 0 < site.held() < site.opened
            assert D("0.60") < danger(site) <= D("0.68"), (site.name, danger(site))
            assert site.resting() == {site.stop, order}, watch.tell(site)
            assert (site.moved(), climbed(watch, site)) == ([], ["reduce"]), watch.tell(site)
            filled = sum((intent.filled or D(0) for intent in watch.intents(site)), D(0))
            assert filled * site.contract_size == site.opened - site.held()
            check_every_plan_was_carried_out(watch, site)


async def test_flattening_alone_closes_everything_and_is_latched_until_the_venue_shows_it(
    watching: Callable[..., Any],
) -> None:
    played = list(sites().values())
    async with watching(played, **only("flatten")) as watch:
        for site in played:
            sink(site)
        await watch.until(
            played, lambda site: watch.events(site, "latch_cleared"), within=90, why="closed and released"
        )
        for site in played:
            assert site.held() == 0
            assert climbed(watch, site) == ["flatten"]
            (latched,), (released,) = watch.events(site, "latch_set"), watch.events(site, "latch_cleared")
            assert latched.detail["latch"] == released.detail["latch"]
            assert released.reason == "the venue shows it flat"
            assert latched.time < released.time
            assert watch.journal.latches.of(site.name) == ()
            assert IntentState.FILLED in {intent.state for intent in watch.intents(site)}
            check_every_plan_was_carried_out(watch, site)


async def test_all_rungs_together_are_climbed_mildest_first_down_to_the_target(
    watching: Callable[..., Any],
) -> None:
    played = sites()
    risky = {site: rest_risky(site) for site in played.values()}
    profit = {site: rest_profit(site) for site in risky}
    a_little = {"max_per_day": {"USDT": "300", "BTC": "0.005"}}
    async with watching(risky, top_up=a_little) as watch:
        for site in risky:
            sink(site)
        await watch.until(risky, watch.is_settled, within=60, why="cut to the target")
        for label, site in played.items():
            expected = ["cancel_orders", *(["top_up"] if label in FUNDED else []), "reduce"]
            assert climbed(watch, site) == expected, watch.tell(site)
            assert cancelled(site) == [risky[site], profit[site]], "in turn, and the stop never"
            assert site.resting() == {site.stop}
            caps = a_little["max_per_day"]
            assert site.moved() == ([D(caps[site.venue.currency])] if label in FUNDED else [])
            assert 0 < site.held() < site.opened
            assert danger(site) <= D("0.68")
            check_every_plan_was_carried_out(watch, site)
    assert not any(isinstance(event, LiquidationStarted) for site in risky for event in site.engine.history)
    assert len(played) == len(ACROSS) == 8
