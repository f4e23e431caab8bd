"""Breakers on ourselves over a venue in memory: what trips them, what they stop, what goes on."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from brokers.models import OrderSide
from brokers.sandbox.orders import OrderType, TimeInForce
from daemon.commonmode import CommonMode
from daemon.risk.policy import Action, Level, MarginPolicy, ReductionLimits
from daemon.risk.reason import Reason
from daemon.state import CycleOutcome
from database.ids import client_order_id

Desk = Any  # the fixture's type lives in conftest
D = Decimal
QUIET = MarginPolicy(forecast_lead=timedelta(0))


async def rivalry(desk: Desk, seconds: float) -> list[CycleOutcome]:
    """Run cycles while somebody buys back at once what was sold."""
    until, outcomes = desk.clock.uptime() + seconds, []
    while desk.clock.uptime() < until:
        outcomes.append(await desk.cycle.run())
        if desk.held() < 500:
            desk.trade(OrderSide.BUY, 500 - desk.held())
        await desk.clock.sleep(outcomes[-1].next_s)
    return outcomes


def told(desk: Desk, kind: str) -> list[str]:
    return [event.reason for event in desk.events(kind)]


async def test_a_rival_that_buys_back_is_alarmed_and_does_not_make_it_spin(
    desk: Desk, log: io.StringIO
) -> None:
    await desk.run()
    desk.fall_to("0.95")
    await rivalry(desk, 180)

    (first, *_) = desk.events("reopened")
    assert first.reason == Reason.REOPENED
    assert "long X-USDT grew from" in first.message
    assert "to 500" in first.message
    assert Reason.NO_PROGRESS in told(desk, "breaker_tripped")
    (stuck,) = [event for event in desk.events("breaker_tripped") if event.reason == Reason.NO_PROGRESS]
    assert "stopped: cutting below LIQUIDATION" in stuck.message
    assert "goes on: alarms" in stuck.message
    # at LIQUIDATION it goes on, a step at a time, each alarmed and each after it saw what the last has done
    alarms, tripped_at = desk.events("step_despite_breaker"), stuck.time
    late = [intent for intent in desk.intents() if intent.created_at > tripped_at]
    assert len(late) == len(alarms) >= 3
    assert {alarm.reason for alarm in alarms} <= {Reason.NO_PROGRESS, Reason.REDUCED_BEYOND}
    assert len(desk.intents()) <= 180 / 10
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    loud = {line["event"] for line in lines if line["severity"] == "error"}
    assert {"reopened", "breaker_tripped", "step_despite_breaker"} <= loud


async def test_below_liquidation_a_rival_is_no_longer_fought(desk: Desk) -> None:
    await desk.run()
    desk.fall_to("0.95")
    await rivalry(desk, 90)
    assert Reason.NO_PROGRESS in told(desk, "breaker_tripped")
    desk.fall_to("0.85")  # still above the target, no longer at LIQUIDATION
    sent = len(desk.received())
    outcomes = await desk.watch(60)

    assert len(desk.received()) == sent
    assert outcomes[-1].level is Level.CRITICAL
    assert outcomes[-1].reason in {Reason.NO_PROGRESS, Reason.REDUCED_BEYOND}
    assert outcomes[-1].doing == "hold"


async def test_no_progress_resets_when_the_position_falls(desk: Desk) -> None:
    await desk.run()
    desk.fall_to("0.95")
    await rivalry(desk, 60)
    assert told(desk, "breaker_tripped")[:1] == [Reason.NO_PROGRESS]
    outcomes = await desk.watch(120)  # the rival has left

    assert Reason.NO_PROGRESS in told(desk, "breaker_reset")
    assert outcomes[-1].utilization <= D("0.60")
    assert outcomes[-1].episode is None


async def test_breakers_outlive_the_process(desk: Desk) -> None:
    await desk.run()
    desk.fall_to("0.95")
    await rivalry(desk, 90)
    desk.restart()
    sent = len(desk.events("breaker_tripped"))
    await desk.run()

    again = {event.reason for event in desk.events("breaker_tripped")[sent:]}
    assert again == {Reason.NO_PROGRESS, Reason.REDUCED_BEYOND}
    assert told(desk, "step_despite_breaker")[-1] in again


async def test_a_fill_far_worse_than_mark_has_every_step_alarmed(open_desk: Callable[..., Desk]) -> None:
    limits = ReductionLimits(step_fraction=D("0.05"))
    desk = open_desk(policy=replace(QUIET, limits=limits))
    await desk.run()
    desk.fall_to("0.98")  # urgent: to market

    def sink(call: str, moment: str, _: tuple[Any, ...]) -> None:
        if (call, moment) == ("submit", "leaves"):
            desk.line.at = lambda *_: None
            desk.move_to(desk.engine.usd_price("X") * D("0.965"))

    desk.line.at = sink
    await desk.run()
    await desk.watch(5)

    assert told(desk, "breaker_tripped") == [Reason.SLIPPAGE_OVER_CAP]
    (event,) = desk.events("breaker_tripped")
    assert "worse than mark" in event.message
    assert told(desk, "step_despite_breaker")
    await desk.watch(70)
    assert Reason.SLIPPAGE_OVER_CAP in told(desk, "breaker_reset")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("orders_per_minute", Reason.ORDER_BUDGET),
        ("orders_per_hour", Reason.HOUR_ORDER_BUDGET),
        ("orders_per_episode", Reason.EPISODE_ORDER_BUDGET),
    ],
)
async def test_a_spent_budget_slows_it_down_and_stops_it_below_liquidation(
    *, open_desk: Callable[..., Desk], name: str, reason: Reason
) -> None:
    limits = ReductionLimits(step_fraction=D("0.01"), positions_per_step=1, **{name: 5})
    desk = open_desk(policy=replace(QUIET, limits=limits))
    await desk.run()
    desk.fall_to("0.98")
    await desk.watch(15)

    assert told(desk, "breaker_tripped") == [reason]
    times = [intent.created_at for intent in desk.intents()]
    assert len(times) > 7
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times[5:])]
    assert min(gaps) >= 2
    assert len(told(desk, "step_despite_breaker")) == len(times) - 5
    desk.fall_to("0.86")
    sent = len(desk.received())
    outcomes = await desk.watch(20)
    assert len(desk.received()) == sent
    assert outcomes[-1].reason is reason


async def test_venues_that_breach_together_stop_the_critical_tier_for_a_moment(
    open_desk: Callable[..., Desk],
) -> None:
    at_critical = {
        Level.CRITICAL: (Action.CANCEL_ORDERS, Action.REDUCE),
        Level.LIQUIDATION: (Action.CANCEL_ORDERS, Action.REDUCE),
    }
    desk, common = open_desk(policy=replace(QUIET, actions=at_critical)), CommonMode()
    desk.begin(common=common)
    await desk.run()
    common.note("okx", desk.clock.uptime())
    common.note("kraken", desk.clock.uptime())
    desk.fall_to("0.85")
    held = [outcome.reason for outcome in await desk.watch(6)]

    assert desk.received() == []
    assert held[-1] is Reason.COMMON_MODE
    (event,) = desk.events("breaker_tripped")
    assert "kraken, okx, sandbox breached within 10 s" in event.message
    await desk.watch(15)
    assert desk.received() != []
    assert told(desk, "breaker_reset") == [Reason.COMMON_MODE]


async def test_venues_that_breach_together_leave_liquidation_its_steps(desk: Desk) -> None:
    common = CommonMode()
    desk.begin(common=common)
    await desk.run()
    common.note("okx", desk.clock.uptime())
    common.note("kraken", desk.clock.uptime())
    desk.fall_to("0.95")
    await desk.watch(3)

    assert told(desk, "step_despite_breaker")[:1] == [Reason.COMMON_MODE]
    assert desk.received() != []


def twin_id(install: str) -> str:
    return client_order_id(
        install,
        account="desk",
        symbol="X-USDT",
        side="long",
        margin_mode="cross",
        episode=1,
        step=0,
        attempt=9,
    )


@pytest.mark.parametrize(("same", "who"), [(True, "a copy of this install"), (False, "another install")])
async def test_an_order_of_ours_that_nobody_knows_holds_the_account(
    *, desk: Desk, same: bool, who: str
) -> None:
    await desk.run()
    client_id = twin_id(desk.journal.install.install_id if same else "f" * 32)
    order = desk.rest(
        OrderSide.SELL,
        10,
        type=OrderType.LIMIT,
        price=D(150),
        time_in_force=TimeInForce.GTC,
        client_id=client_id,
    )
    desk.fall_to("0.98")
    outcomes = await desk.watch(30)

    assert [spec.client_id for spec in desk.received()] == [client_id]  # nothing of ours beside the twin's
    assert desk.cancelled() == []
    assert outcomes[-1].reason is Reason.UNKNOWN_OWN_ORDER
    (event,) = desk.events("twin_suspected")
    assert who in event.message
    assert order in event.message
    assert "stopped: everything that writes" in event.message

    desk.engine.cancel(desk.account, order_id=order)
    await desk.watch(90)  # it is looked for again, and is gone
    assert len(desk.received()) > 1


async def test_an_order_of_somebody_else_is_no_twins(desk: Desk) -> None:
    await desk.run()
    desk.rest(
        OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50), time_in_force=TimeInForce.GTC, client_id="web-1"
    )
    desk.fall_to("0.98")
    await desk.watch(3)

    assert desk.events("twin_suspected") == []
    assert len(desk.cancelled()) == 1
