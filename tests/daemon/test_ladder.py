"""Rungs that give nothing, pictures that grow old, and a guard that refuses."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from brokers.models import OrderSide
from brokers.sandbox.orders import OrderType, Trigger
from daemon.risk.policy import Action, Level, MarginPolicy
from daemon.risk.reason import Reason
from daemon.topup import TopUpCaps
from database.records import PlanState

Desk = Any  # the fixture's type lives in conftest
D = Decimal

IMPATIENT = MarginPolicy(act_max_age=timedelta(milliseconds=300))


def test_the_guard_refuses_a_picture_that_has_grown_old_and_the_next_one_is_acted_upon(
    virtual: asyncio.Runner, open_desk: Callable[..., Desk]
) -> None:
    desk = open_desk(policy=IMPATIENT, loop=virtual.get_loop())
    desk.line.latency_ms["fetch_open_orders"] = 400
    virtual.run(desk.run())
    desk.fall_to("0.98")  # urgent: confirmed at once
    outcome = virtual.run(desk.run())

    assert desk.received() == []
    (plan,) = desk.plans()
    assert (plan.state, plan.decision) == (PlanState.REFUSED, "reduce")
    assert "old" in plan.plan["objections"]
    assert "the guard refused the plan" in outcome.sentence

    virtual.run(desk.watch(5))
    assert len(desk.received()) == 1


def test_a_refusal_that_repeats_itself_is_journaled_once(
    virtual: asyncio.Runner, open_desk: Callable[..., Desk]
) -> None:
    caps = TopUpCaps(per_day={"USDT": D(1)})
    desk = open_desk(policy=IMPATIENT, caps=caps, loop=virtual.get_loop())
    desk.line.latency_ms["fetch_funding_balance"] = 400  # read in every cycle, and nothing in it
    virtual.run(desk.run())
    desk.fall_to("0.98")
    outcomes = virtual.run(desk.watch(60))

    assert desk.received() == []
    assert [plan.state for plan in desk.plans()] == [PlanState.REFUSED]
    assert {outcome.reason for outcome in outcomes[1:]} == {Reason.REFUSED_BY_GUARD}


async def test_rungs_above_that_give_nothing_cost_no_cycle(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(caps=TopUpCaps(per_day={"USDT": D(500)}))  # an empty funding wallet, no open order
    await desk.run()
    desk.fall_to("0.95")
    outcome = await desk.run()

    assert outcome.doing == "reduce"
    assert [plan.decision for plan in desk.plans()] == ["reduce"]


async def test_open_orders_are_cancelled_and_the_freed_margin_is_measured_before_anything_is_cut(
    desk: Desk,
) -> None:
    desk.rest(OrderSide.BUY, 90, type=OrderType.LIMIT, price=D(88))  # reserves 792
    desk.fall_to("0.80")  # of the position alone; with the order 96 %
    assert desk.utilization() > D("0.90")
    await desk.watch(30)

    assert [plan.decision for plan in desk.plans()] == ["cancel_orders", "reduce"]
    picture = desk.plans()[1].snapshot["units"][0]
    assert D(picture["utilization"]) < D("0.81")  # measured without the order
    assert desk.utilization() <= D("0.60")


async def test_at_critical_what_can_only_reduce_stays_and_before_a_cut_it_goes_after_the_others(
    desk: Desk,
) -> None:
    """A limit that takes profit binds no margin; what it would close is wanted only once a cut is due."""
    profit = desk.rest(OrderSide.SELL, 100, type=OrderType.LIMIT, price=D(150), reduce_only=True)
    stop = desk.rest(OrderSide.SELL, 500, trigger=Trigger(price=D(50)), reduce_only=True)
    raising = desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
    desk.fall_to("0.85")
    outcomes = await desk.watch(5)
    assert desk.cancelled() == [raising]
    assert outcomes[-1].reason is Reason.NO_ORDERS
    assert desk.line.log.count("fetch_open_orders") == 2

    again = desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
    desk.fall_to("0.95")
    await desk.watch(20)
    assert desk.cancelled() == [raising, again, profit], "each once, in turn"
    assert [plan.decision for plan in desk.plans()] == [*["cancel_orders"] * 3, "reduce"]
    assert [order.order_id for order in desk.engine.open_orders(desk.account)] == [stop]
    assert desk.utilization() <= D("0.60")


async def test_a_level_without_actions_does_nothing_but_alarm(open_desk: Callable[..., Desk]) -> None:
    policy = MarginPolicy(actions={Level.LIQUIDATION: (Action.CANCEL_ORDERS,)})
    desk = open_desk(policy=policy)
    order = desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
    desk.fall_to("0.95")
    outcomes = await desk.watch(60)

    assert desk.cancelled() == [order]
    assert desk.received() == []
    assert (outcomes[-1].level, outcomes[-1].episode) == (Level.LIQUIDATION, None)


async def test_de_levering_may_begin_at_critical(open_desk: Callable[..., Desk]) -> None:
    policy = MarginPolicy(
        actions={
            Level.CRITICAL: (Action.CANCEL_ORDERS, Action.REDUCE),
            Level.LIQUIDATION: (Action.CANCEL_ORDERS, Action.REDUCE),
        }
    )
    desk = open_desk(policy=policy)
    await desk.run()
    desk.fall_to("0.82")
    await desk.watch(30)

    assert [intent.reason for intent in desk.intents()] == ["critical_reached"]
    assert desk.utilization() <= D("0.60")
