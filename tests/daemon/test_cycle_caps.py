"""Bounds of an account kept by its cycles: what is sent, what is remembered, what a restart changes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import OrderSide
from daemon.risk.exposure import ExposureLimits, Remedy
from daemon.risk.policy import Level, MarginPolicy, ReductionLimits
from daemon.risk.reason import Reason
from database.records import NO_EPISODE, PlanState

Desk = Any  # the fixtures' types live in conftest
D = Decimal


def capped(cap: object, **changes: object) -> MarginPolicy:
    """The account begins at a leverage of 5."""
    changes = {"exposure": ExposureLimits(over_cap=Remedy.TRIM), **changes}
    return MarginPolicy(forecast_lead=timedelta(0), max_leverage=D(str(cap)), **changes)


def leverage(desk: Desk) -> Decimal:
    snapshot = desk.venue_snapshot()
    return sum((row.notional for row in snapshot.positions), D(0)) / desk.unit().margin_equity


async def test_over_the_cap_one_order_brings_it_just_below_and_then_there_is_peace(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(policy=capped(4))
    outcomes = await desk.watch(120)

    (order,) = desk.received()
    # 500 at 100 over 10,000: to 4 x 0.97 x 0.99 = 3.8412 after a cost of 0.11 %
    assert (order.side, order.quantity, order.reduce_only) == (OrderSide.SELL, D("116.38"), True)
    assert D("3.83") < leverage(desk) <= D("3.8412")
    assert [event.kind for event in desk.events() if "leverage" in event.kind] == [
        "leverage_over_cap",
        "leverage_within_cap",
    ]
    assert outcomes[0].reason is Reason.LEVERAGE_OVER_CAP
    assert outcomes[-1].reason is Reason.CALM
    (plan,) = desk.plans()
    assert (plan.decision, plan.reason, plan.state) == ("reduce", "leverage_over_cap", PlanState.EXECUTED)
    assert plan.plan["bound"] == "leverage|USDT|"
    (intent,) = desk.intents()
    assert (intent.episode, intent.reason) == (NO_EPISODE, "leverage_over_cap")
    assert desk.journal.episodes.last_number(desk.account) == 0


async def test_a_cap_lowered_at_a_restart_is_kept_from_then_on(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(policy=capped(5))
    await desk.watch(10)
    assert desk.received() == []

    desk.policy = capped(2)
    desk.restart()
    await desk.watch(60)
    assert D("1.9") < leverage(desk) <= D("1.9206")
    assert len({spec.client_id for spec in desk.received()}) == len(desk.received())
    assert all(spec.quantity <= 250 for spec in desk.received())  # half of the position at most


async def test_after_a_restart_a_picture_that_lags_behind_the_fill_is_not_cut_again(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(policy=capped(4))
    await desk.run()
    assert len(desk.received()) == 1
    before = desk.venue_snapshot()
    desk.trade(OrderSide.BUY, desk.received()[0].quantity)  # as if the venue's reads did not know of it yet
    assert before.positions[0].quantity < 500
    desk.restart()
    for _ in range(2):
        outcome = await desk.run()
        await desk.clock.sleep(1)

    assert outcome.reason is Reason.SETTLING
    assert len(desk.received()) == 1


async def test_what_somebody_opens_over_the_cap_goes_again_and_so_on_until_the_hour_s_budget_is_spent(
    open_desk: Callable[..., Desk],
) -> None:
    limits = ReductionLimits(steps_per_episode=3)
    desk = open_desk(policy=capped(5, limits=limits))
    await desk.run()
    reasons = []
    for _ in range(5):
        desk.trade(OrderSide.BUY, 60)
        reasons += [outcome.reason for outcome in await desk.watch(30)]

    assert len(desk.received()) == 3
    assert reasons[-1] is Reason.TRIM_BUDGET
    desk.fall_to("0.95")  # what the margin needs is not held back by it
    outcomes = await desk.watch(20)
    assert len(desk.received()) > 3
    assert Reason.LIQUIDATION_REACHED.value in {intent.reason for intent in desk.intents()}
    assert outcomes[-1].level < Level.LIQUIDATION


@pytest.mark.parametrize("remedy", [Remedy.ALARM, Remedy.TRIM])
async def test_the_remedy_says_whether_it_is_cut(open_desk: Callable[..., Desk], remedy: Remedy) -> None:
    desk = open_desk(policy=capped(4, exposure=ExposureLimits(over_cap=remedy)))
    outcomes = await desk.watch(20)

    assert bool(desk.received()) is (remedy is Remedy.TRIM)
    assert len(desk.events("leverage_over_cap")) == 1
    assert outcomes[-1].exposure.leverage == leverage(desk)


async def test_leverage_that_a_falling_price_makes_is_trimmed_before_any_level_is_reached(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(policy=capped(6))
    for step in range(1, 21):
        desk.move_to(D(100) - D(step) / 2)
        outcomes = await desk.watch(4)
        assert outcomes[-1].level is Level.SAFE
        assert leverage(desk) <= 6
    assert len(desk.received()) >= 2
    assert desk.held() > 0


async def test_history_holds_the_net_leverage_and_that_of_the_largest_coin(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(policy=replace(capped(5), hysteresis=D("0.01")))
    desk.trade(OrderSide.SELL, 50, "Y-USDT")  # 10,000 short
    await desk.run()
    (row,) = [sample for sample in desk.samples() if sample.unit == "USDT"][-1:]

    assert (row.effective_leverage, row.net_leverage) == (D(6), D(4))
    assert (row.largest_underlying, row.underlying_leverage) == ("X", D(5))
