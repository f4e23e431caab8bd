"""Limits of size as one account's cycles keep them: what is cut, closed or cancelled, over a restart too."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from brokers.models import OrderSide
from brokers.sandbox.orders import OrderType
from daemon.flatten import latch_bound, latched_bounds, latched_units
from daemon.risk.exposure import ExposureLimits, Limit, Remedy
from daemon.risk.policy import Level, MarginPolicy, Mode, ReductionLimits
from daemon.risk.reason import Reason

Desk = Any  # the fixtures' types live in conftest
D = Decimal
Y = "Y-USDT"
CLOSING = "position_notional|USDT|X-USDT"


def limited(limits: ReductionLimits | None = None, **exposure: Limit) -> MarginPolicy:
    return MarginPolicy(
        forecast_lead=timedelta(0),
        exposure=ExposureLimits(**exposure),
        limits=limits or ReductionLimits(),
    )


def notional(most: object, remedy: Remedy) -> dict[str, Limit]:
    return {"position_notional": Limit(most=D(str(most)), remedy=remedy)}


async def test_a_position_over_its_limit_is_trimmed_to_just_below_it(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(policy=limited(**notional(40_000, Remedy.TRIM)))
    await desk.watch(60)

    (order,) = desk.received()
    # 50,000 to 40,000 x 0.97 x 0.99 = 38,412; what it costs is no notional
    assert (order.quantity, desk.held()) == (D("115.88"), D("384.12"))
    assert [event.reason for event in desk.events("limit_exceeded")] == ["position_over_limit"]
    assert [event.reason for event in desk.events("limit_kept")] == ["within_limit"]
    assert desk.events("limit_exceeded")[0].detail["detail"] == "X-USDT of 50000, limit 40000"


async def test_closing_what_was_over_goes_on_over_a_restart_until_it_is_gone(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(policy=limited(**notional(40_000, Remedy.FLATTEN)))
    desk.trade(OrderSide.BUY, 10, Y)
    desk.engine.controls.fill_fraction = D("0.5")
    await desk.run()
    assert 0 < desk.held() < 500
    assert latched_bounds(desk.journal, desk.account) == {CLOSING}

    desk.policy = limited(**notional(1_000_000, Remedy.ALARM))  # a raised limit does not end it
    desk.restart()
    await desk.watch(5)
    assert desk.held() > 0
    assert latched_bounds(desk.journal, desk.account) == {CLOSING}
    desk.engine.controls.fill_fraction = D(1)
    await desk.watch(60)
    assert (desk.held(), desk.held(Y)) == (0, 10)
    assert latched_bounds(desk.journal, desk.account) == frozenset()
    assert {intent.reason for intent in desk.intents()} == {"position_over_limit", "flatten_latched"}


async def test_a_latched_closing_stays_while_nothing_may_be_sent_and_ends_when_somebody_else_closes(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(policy=limited(), mode=Mode.OBSERVE)
    with desk.journal.transaction():
        latch_bound(desk.journal, desk.account, CLOSING, desk.clock.now(), Reason.POSITION_OVER_LIMIT)
    outcomes = await desk.watch(10)
    assert {outcome.reason for outcome in outcomes} == {Reason.OBSERVE_MODE}
    assert latched_bounds(desk.journal, desk.account) == {CLOSING}

    desk.trade(OrderSide.SELL, 500)
    await desk.watch(30)
    assert latched_bounds(desk.journal, desk.account) == frozenset()


async def test_of_too_many_positions_the_smallest_are_closed_whole(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(policy=limited(positions=Limit(most=D(1), remedy=Remedy.TRIM)))
    desk.trade(OrderSide.SELL, 10, Y)
    await desk.watch(30)

    assert (desk.held(), desk.held(Y)) == (500, 0)
    (order,) = desk.received()
    assert (order.symbol, order.side, order.quantity) == (Y, OrderSide.BUY, D(10))


async def test_too_many_positions_may_flatten_the_unit_by_its_own_latch(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(policy=limited(positions=Limit(most=D(1), remedy=Remedy.FLATTEN)))
    desk.trade(OrderSide.SELL, 10, Y)
    await desk.run()
    assert latched_units(desk.journal, desk.account) == {"USDT"}
    await desk.watch(30)

    assert (desk.held(), desk.held(Y)) == (0, 0)
    assert latched_units(desk.journal, desk.account) == frozenset()


async def test_a_coin_s_share_counts_all_its_positions_against_the_equity(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(policy=limited(underlying_share=Limit(most=D(4), remedy=Remedy.TRIM)))
    desk.trade(OrderSide.BUY, 150, Y)  # 30,000 over 10,000: within
    await desk.watch(60)

    assert desk.held(Y) == 150
    assert D("3.8") < desk.held() * 100 / desk.unit().margin_equity <= D("3.8412")
    assert desk.events("limit_exceeded")[0].detail["detail"] == "X at 500 % of the margin equity, limit 400 %"


async def test_cancelling_for_a_limit_spends_nothing_of_what_a_level_may_cancel(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(policy=limited(**notional(40_000, Remedy.CANCEL)))
    for _ in range(5):
        desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
        await desk.watch(20)
    assert len(desk.cancelled()) == 5

    kept = desk.rest(OrderSide.SELL, 5, type=OrderType.LIMIT, price=D(150))
    desk.fall_to("0.83")
    outcomes = await desk.watch(30)
    assert outcomes[-1].level is Level.CRITICAL
    assert desk.cancelled()[-1] == kept


async def test_who_adds_to_what_is_over_its_limit_is_chased_when_a_level_has_given_up(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(policy=limited(**notional(10_000, Remedy.CANCEL)))
    desk.fall_to("0.83")
    for number in range(1, 11):
        desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
        outcomes = await desk.watch(16)
        assert outcomes[-1].level is Level.CRITICAL
        assert len(desk.cancelled()) == number
    reasons = [event.reason for event in desk.events("orders_cancelled")]
    assert reasons == ["critical_reached"] * 3 + ["position_over_limit"] * 7


async def test_while_a_limit_is_broken_a_level_that_is_reached_again_cancels_again(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(policy=limited(**notional(10_000, Remedy.CANCEL)))
    for _ in range(2):
        desk.fall_to("0.83")
        for _ in range(3):
            kept = desk.rest(OrderSide.SELL, 5, type=OrderType.LIMIT, price=D(150))
            await desk.watch(16)
            assert desk.cancelled()[-1] == kept
        desk.move_to(D(100))
        assert (await desk.watch(16))[-1].level is Level.SAFE
    assert len(desk.cancelled()) == 6


async def test_in_advise_a_trim_is_proposed_once_and_done_when_it_is_approved(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(policy=limited(**notional(40_000, Remedy.TRIM)), mode=Mode.ADVISE)
    outcomes = await desk.watch(20)
    (plan,) = desk.journal.plans.waiting(desk.account)

    assert desk.received() == []
    assert (plan.decision, plan.reason, plan.plan["bound"]) == ("reduce", "position_over_limit", CLOSING)
    assert outcomes[-1].reason is Reason.POSITION_OVER_LIMIT


async def test_the_limit_that_cannot_be_kept_says_why(open_desk: Callable[..., Desk]) -> None:
    limits = ReductionLimits(steps_per_episode=1, step_fraction=D("0.1"))
    desk = open_desk(policy=limited(limits, **notional(10_000, Remedy.TRIM)))
    outcomes = await desk.watch(30)

    assert len(desk.received()) == 1
    assert outcomes[-1].reason is Reason.TRIM_BUDGET
    assert "limit 10000" in outcomes[-1].sentence
