"""What a cycle does at each level, from a calm account to a de-levered one."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import OrderSide, Side
from brokers.sandbox.broker import SandboxBroker
from brokers.sandbox.orders import OrderType, Trigger
from daemon.risk.policy import Ladder, Level, MarginPolicy, ReductionLimits
from daemon.risk.reason import Reason
from database.records import IntentKind, IntentState, PlanState, RowKind

Desk = Any  # the fixture's type lives in conftest
D = Decimal

COST_RATE = D("0.0006") + D("0.0005")


def cut_to_target(desk: Desk) -> Decimal:
    """What must be cut of X, by the formula x = (M - u E) / (r - u c) over the picture of this moment."""
    unit, mark = desk.unit(), desk.venue_snapshot().positions[0].mark_price
    excess = unit.initial_margin - D("0.60") * unit.margin_equity
    notional = excess / (D("0.1") - D("0.60") * COST_RATE)
    return D(math.ceil(notional / mark * 100)) / 100


async def test_a_safe_account_is_left_alone_and_only_its_samples_are_written(desk: Desk) -> None:
    outcomes = await desk.watch(300)

    assert {(o.level, o.doing, o.reason) for o in outcomes} == {(Level.SAFE, "hold", Reason.CALM)}
    assert desk.received() == []
    assert [row.kind for row in desk.journal.outbox.batch(1000) if row.kind is not RowKind.MARGIN] == [
        RowKind.POSITION
    ]
    assert len(desk.samples()) == 10
    assert {call for call in desk.line.log if call != "connect"} == {"fetch_snapshot"}


async def test_a_safe_account_is_read_once_a_cycle_at_the_poll_interval(desk: Desk) -> None:
    outcomes = await desk.watch(20)

    assert len(outcomes) == 10
    assert desk.line.log.count("fetch_snapshot") == 10


class Paced(SandboxBroker):
    """A venue whose limits allow one protective picture in six seconds."""

    @property
    def capabilities(self) -> Any:  # noqa: ANN401 - the port's
        return replace(super().capabilities, protective_pace=timedelta(seconds=6))


@pytest.mark.parametrize(("interval_s", "cycles"), [(9, 10), (2, 30)])
async def test_an_alarmed_account_is_read_as_often_as_its_venue_allows_and_no_less_than_a_calm_one(
    open_desk: Callable[..., Desk], desk: Desk, interval_s: int, cycles: int
) -> None:
    policy = replace(desk.policy, poll_interval=timedelta(seconds=interval_s))
    desk = open_desk(engine=desk.engine, venue=Paced(desk.engine, desk.account), policy=policy)
    desk.fall_to("0.85")
    outcomes = await desk.watch(60)
    assert outcomes[-1].level is Level.CRITICAL
    assert abs(len(outcomes) - cycles) <= 1


async def test_warning_only_alarms(desk: Desk) -> None:
    desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
    await desk.run()
    desk.fall_to("0.75")
    outcomes = await desk.watch(60)

    assert outcomes[-1].level is Level.WARNING
    assert [(e.kind, e.level, e.reason) for e in desk.events()] == [
        ("level_rose", "warning", "warning_reached"),
        ("confirmed", "warning", "warning_reached"),
    ]
    assert desk.received() == []
    assert desk.plans() == []
    assert desk.cancelled() == []


async def test_critical_cancels_what_may_raise_risk_and_keeps_what_can_only_reduce(desk: Desk) -> None:
    opening = desk.rest(OrderSide.BUY, 5, type=OrderType.LIMIT, price=D(50))
    taking_profit = desk.rest(OrderSide.SELL, 5, type=OrderType.LIMIT, price=D(150), reduce_only=True)
    stop = desk.rest(OrderSide.SELL, 500, reduce_only=True, trigger=Trigger(price=D(80)))
    await desk.run()
    desk.fall_to("0.83")
    outcomes = await desk.watch(30)

    assert outcomes[-1].level is Level.CRITICAL
    assert desk.cancelled() == [opening]
    left = [order.order_id for order in desk.engine.open_orders(desk.account)]
    assert left == [taking_profit, stop]
    assert desk.received() == []
    (plan,) = desk.plans()
    assert (plan.decision, plan.state, plan.reason) == (
        "cancel_orders",
        PlanState.EXECUTED,
        "critical_reached",
    )
    (told,) = desk.events("orders_cancelled")
    assert [(r["order_id"], r["verdict"]) for r in told.detail["reports"]] == [(opening, "accepted")]


async def test_critical_is_confirmed_by_a_second_read_a_second_later_before_anything_is_cancelled(
    desk: Desk,
) -> None:
    desk.rest(OrderSide.BUY, 5, type=OrderType.LIMIT, price=D(50))
    desk.fall_to("0.83")
    before = desk.clock.uptime()
    await desk.run()

    assert desk.line.log.count("fetch_snapshot") == 2
    assert desk.clock.uptime() - before >= 1.0
    assert len(desk.cancelled()) == 1


async def test_a_gap_from_60_to_95_percent_goes_straight_to_de_levering_after_one_more_read(
    desk: Desk,
) -> None:
    desk.fall_to("0.60")
    await desk.run()
    desk.fall_to("0.95")
    before = len(desk.line.log)
    outcome = await desk.run()

    assert outcome.doing == "reduce"
    assert desk.line.log[before:].count("fetch_snapshot") == 2
    assert [t.after.label for t in outcome.transitions if t.kind == "level_rose"] == ["liquidation"]
    assert len(desk.received()) == 1


async def test_the_order_is_sized_from_the_confirming_read(desk: Desk) -> None:
    await desk.run()
    desk.fall_to("0.93")
    reads, wanted = 0, []

    def fall_between(call: str, moment: str, _arguments: object) -> None:
        nonlocal reads
        reads += call == "fetch_snapshot" and moment == "leaves"
        if (call, moment, reads) == ("fetch_snapshot", "leaves", 2):
            desk.fall_to("0.96")
            wanted.append(cut_to_target(desk))

    at_first_read = cut_to_target(desk)
    desk.line.at = fall_between
    await desk.run()

    (order,) = desk.received()
    assert order.quantity == wanted[0] > at_first_read


async def test_one_reduction_that_is_enough_ends_the_episode_at_the_target(desk: Desk) -> None:
    await desk.run()
    desk.fall_to("0.95")
    needed = cut_to_target(desk)
    await desk.watch(600)

    (order,) = desk.received()
    assert (order.side, order.quantity, order.reduce_only) == (OrderSide.SELL, needed, True)
    assert D("0.59") < desk.utilization() <= D("0.60")
    episode = desk.journal.episodes.get(desk.account, 1)
    assert (episode.outcome, episode.steps) == ("target_reached", 1)
    assert desk.journal.episodes.current(desk.account) is None


async def test_every_step_is_planned_from_a_picture_read_after_the_step_before(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(policy=MarginPolicy(limits=ReductionLimits(step_fraction=D("0.1"))))
    await desk.run()
    desk.fall_to("0.95")
    await desk.watch(30)

    quantities = [D(plan.snapshot["positions"][0]["quantity"]) for plan in desk.plans()]
    filled = [intent.filled for intent in desk.intents()]
    assert len(filled) > 3
    assert filled[0] == D(50)  # a tenth of 500
    assert quantities == [D(500) - sum(filled[:step], D(0)) for step in range(len(filled))]
    assert desk.utilization() <= D("0.60")
    assert [intent.step for intent in desk.intents()] == list(range(len(filled)))


async def test_utilization_wandering_about_a_threshold_for_an_hour_changes_the_level_once(
    desk: Desk,
) -> None:
    wander = ["0.79", "0.805", "0.795", "0.81", "0.80", "0.785"]
    for minute in range(60):
        desk.fall_to(wander[minute % len(wander)])
        await desk.watch(60)

    levels = [(e.kind, e.level) for e in desk.events() if e.kind in {"level_rose", "level_fell"}]
    assert levels == [("level_rose", "warning"), ("level_rose", "critical")]
    assert len(desk.events()) == 4  # each of them confirmed once
    assert desk.received() == []


async def test_a_level_ends_below_its_threshold_less_hysteresis(desk: Desk) -> None:
    desk.fall_to("0.75")
    await desk.watch(5)
    desk.fall_to("0.68")
    await desk.watch(5)
    assert (await desk.run()).level is Level.WARNING
    desk.fall_to("0.66")
    await desk.watch(5)
    assert (await desk.run()).level is Level.SAFE


async def test_near_the_venues_own_liquidation_the_second_read_follows_at_once(desk: Desk) -> None:
    await desk.run()
    desk.fall_to("0.98")
    before = desk.clock.uptime()
    outcome = await desk.run()

    assert outcome.doing == "reduce"
    assert desk.clock.uptime() - before < 0.05
    assert desk.received()[0].type is OrderType.MARKET


async def test_an_account_that_reducing_cannot_save_is_flattened_only_when_the_venue_is_near(
    open_desk: Callable[..., Desk],
) -> None:
    policy = MarginPolicy(
        maintenance=Ladder(warning=D("0.05"), critical=D("0.06"), liquidation=D("0.085")),
        target_maintenance=D("0.04"),
        limits=ReductionLimits(steps_per_episode=1, step_fraction=D("0.1")),
        hysteresis=D("0.01"),
    )
    desk = open_desk(policy=policy)
    await desk.run()
    desk.fall_to("0.95")  # maintenance 9.5 %
    await desk.watch(30)

    kinds = [intent.kind for intent in desk.intents()]
    assert kinds == [IntentKind.REDUCE, IntentKind.FLATTEN]
    assert desk.held() == 0
    assert desk.journal.latches.of(desk.account) == ()
    assert [e.kind for e in desk.events() if "latch" in e.kind] == ["latch_set", "latch_cleared"]


async def test_a_short_is_bought_back(
    open_desk: Callable[..., Desk],
    venue_of: Callable[..., Any],
    spec: Callable[..., Any],
    opening: Callable[..., Any],
) -> None:
    engine = venue_of(spec(positions=(opening("X-USDT", 500, Side.SHORT),)))
    desk = open_desk(engine=engine)
    await desk.run()
    desk.move_to(D("107.5"))  # initial 5375 over equity 6250
    desk.move_to(D("108"))
    assert desk.utilization() == D(5400) / D(6000)
    await desk.watch(10)

    (order,) = desk.received()
    assert order.side is OrderSide.BUY
    assert -D(500) < desk.held() < 0
    assert desk.utilization() <= D("0.60")


async def test_a_position_whose_orders_are_refused_rests_while_the_next_one_is_cut(
    open_desk: Callable[..., Desk],
    venue_of: Callable[..., Any],
    spec: Callable[..., Any],
    opening: Callable[..., Any],
) -> None:
    positions = (opening("X-USDT", 400), opening("Y-USDT", 50))
    desk = open_desk(engine=venue_of(spec(positions=positions)))
    await desk.run()
    desk.engine.controls.halted.add("X-USDT")
    desk.move_to(D(180), "Y")
    desk.move_to(D(90))  # initial 4500 over equity 5000
    await desk.watch(20)

    refused = [intent for intent in desk.intents() if intent.state is IntentState.REJECTED]
    assert {(intent.symbol, intent.code) for intent in refused} == {("X-USDT", "halted")}
    assert 2 <= len(refused) <= 6
    assert desk.held("X-USDT") == 400
    assert desk.held("Y-USDT") < 50
    assert desk.utilization() <= D("0.87")  # Y alone cannot reach the target, but end the level

    desk.engine.controls.halted.clear()
    await desk.watch(40)
    assert desk.utilization() <= D("0.60")


async def test_prices_that_come_back_before_the_confirming_read_cost_nothing(desk: Desk) -> None:
    await desk.run()
    desk.fall_to("0.92")
    reads = 0

    def recover(call: str, moment: str, _arguments: object) -> None:
        nonlocal reads
        reads += call == "fetch_snapshot" and moment == "leaves"
        if (call, moment, reads) == ("fetch_snapshot", "leaves", 2):
            desk.engine.move_price("X", D("1.10"))

    desk.line.at = recover
    await desk.watch(60)

    assert desk.received() == []
    assert desk.journal.episodes.count_since(desk.account, desk.clock.now().replace(year=2020)) == 0


async def test_what_was_sent_is_in_the_intent(desk: Desk) -> None:
    await desk.run()
    desk.fall_to("0.95")
    await desk.watch(5)

    (intent,), (order,) = desk.intents(), desk.received()
    assert intent == replace(
        intent,
        state=IntentState.FILLED,
        account=desk.account,
        symbol="X-USDT",
        side="long",
        margin_mode="cross",
        episode=1,
        step=0,
        attempt=1,
        kind=IntentKind.REDUCE,
        reason="liquidation_reached",
        quantity_before=D(500),
        quantity=order.quantity,
        filled=order.quantity,
        intent_id=order.client_id,
        limit_price=order.price,
    )
