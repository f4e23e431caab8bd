"""How far a cycle may go: modes, approvals, halts, and whose word is stricter."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import VenueUnavailable
from brokers.models import OrderSide
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import Transferred
from brokers.sandbox.orders import OrderType
from daemon.risk.policy import Level, Mode
from daemon.risk.reason import Reason
from daemon.topup import TopUpCaps
from database.errors import IllegalTransition
from database.records import EVERY_ACCOUNT, IntentKind, OperatorOrder, OperatorOrderKind, Plan, PlanState

Desk = Any  # the fixture's type lives in conftest
D = Decimal


def impose(
    desk: Desk,
    kind: OperatorOrderKind,
    mode: str = "",
    *,
    account: str | None = None,
    lasting_s: float | None = None,
) -> None:
    """Let an operator give an order."""
    now = desk.clock.now()
    with desk.journal.transaction():
        desk.journal.operator_orders.impose(
            OperatorOrder(
                account=account or desk.account,
                kind=kind,
                mode=mode,
                set_at=now,
                actor="kim",
                reason="a drill",
                expires_at=None if lasting_s is None else now + timedelta(seconds=lasting_s),
            )
        )


def approve(desk: Desk, plan: Plan) -> None:
    """Let an operator approve a plan."""
    with desk.journal.transaction():
        desk.journal.plans.settle(plan.plan_id, PlanState.APPROVED, desk.clock.now(), actor="kim")


async def test_observe_alarms_at_every_level_and_never_sends(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(mode=Mode.OBSERVE)
    desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
    for utilization in ("0.75", "0.85", "0.95", "0.99"):
        desk.fall_to(utilization)
        outcomes = await desk.watch(30)

    assert (outcomes[-1].level, outcomes[-1].reason) == (Level.LIQUIDATION, Reason.OBSERVE_MODE)
    assert "hold" in outcomes[-1].sentence
    assert [e.level for e in desk.events("level_rose")] == ["warning", "critical", "liquidation"]
    assert (desk.received(), desk.plans(), desk.intents(), desk.cancelled()) == ([], [], [], [])


async def test_observe_does_not_even_read_what_an_action_would_need(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(mode=Mode.OBSERVE)
    desk.fall_to("0.95")
    await desk.watch(30)

    assert set(desk.line.log) <= {"connect", "fetch_snapshot"}


async def test_advise_journals_one_plan_and_waits(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(mode=Mode.ADVISE)
    await desk.run()
    desk.fall_to("0.95")
    outcomes = await desk.watch(120)

    (plan,) = desk.plans()
    assert (plan.state, plan.decision, plan.mode, plan.plan["unit"]) == (
        PlanState.PROPOSED,
        "reduce",
        "advise",
        "USDT",
    )
    assert D(plan.plan["orders"][0]["quantity"]) > 100
    assert outcomes[-1].doing == "advise_reduce"
    assert (desk.received(), desk.intents()) == ([], [])


async def test_an_approved_plan_is_carried_out_once_and_cuts_no_more_than_it_said(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(mode=Mode.ADVISE)
    await desk.run()
    desk.fall_to("0.93")
    await desk.watch(10)
    (proposed,) = desk.plans()
    desk.fall_to("0.95")  # needs more by now
    approve(desk, proposed)
    await desk.watch(60)

    (order,) = desk.received()
    assert order.quantity == D(proposed.plan["orders"][0]["quantity"])
    done, carried_out, rest = desk.plans()
    assert (done.plan_id, done.state) == (proposed.plan_id, PlanState.EXECUTED)
    assert (carried_out.state, carried_out.plan["approval"]) == (PlanState.EXECUTED, proposed.plan_id)
    assert (rest.state, rest.decision) == (PlanState.PROPOSED, "reduce")
    assert desk.utilization() > D("0.60")


async def test_what_needs_less_by_then_cuts_less(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(mode=Mode.ADVISE)
    await desk.run()
    desk.fall_to("0.96")
    await desk.watch(10)
    (proposed,) = desk.plans()
    desk.fall_to("0.91")
    approve(desk, proposed)
    await desk.watch(60)

    (order,) = desk.received()
    assert D(0) < order.quantity < D(proposed.plan["orders"][0]["quantity"])
    assert desk.utilization() <= D("0.60")
    assert [plan.state for plan in desk.plans()] == [PlanState.EXECUTED, PlanState.EXECUTED]


async def test_an_approval_in_the_middle_of_a_read_counts_for_the_next_one(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(mode=Mode.ADVISE)
    await desk.run()
    desk.fall_to("0.95")
    await desk.watch(5)
    (proposed,) = desk.plans()

    def cut_in(call: str, moment: str, _: object) -> None:
        if (call, moment) == ("fetch_snapshot", "answered"):
            desk.line.at = lambda *_: None
            approve(desk, proposed)

    desk.line.at = cut_in
    outcome = await desk.run()
    assert (desk.received(), outcome.sentence) == ([], "a plan to reduce is approved")
    assert len(desk.plans()) == 1
    await desk.run()
    assert len(desk.received()) == 1


async def test_an_approval_serves_for_one_step_only(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(mode=Mode.ADVISE)
    await desk.run()
    desk.fall_to("0.99")  # needs more than one step
    desk.fall_to("1.3")
    await desk.watch(10)
    approve(desk, desk.plans()[0])
    await desk.watch(60)

    assert len(desk.received()) == 1
    assert [plan.state for plan in desk.plans()] == [
        PlanState.EXECUTED,
        PlanState.EXECUTED,
        PlanState.PROPOSED,
    ]


async def test_an_approval_of_one_action_is_none_of_another(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(mode=Mode.ADVISE)
    desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
    await desk.run()
    desk.fall_to("0.85")
    await desk.watch(10)
    (cancelling,) = desk.plans()
    assert cancelling.decision == "cancel_orders"
    for order in desk.engine.open_orders(desk.account):
        desk.engine.cancel(desk.account, order_id=order.order_id)
    desk.fall_to("0.95")
    approve(desk, cancelling)
    await desk.watch(30)

    assert desk.received() == []
    assert [plan.decision for plan in desk.plans()] == ["cancel_orders", "reduce"]


async def test_an_approval_nobody_could_use_expires(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(mode=Mode.ADVISE)
    await desk.run()
    desk.fall_to("0.95")
    await desk.watch(5)
    approve(desk, desk.plans()[0])
    desk.fall_to("0.50")
    await desk.watch(desk.policy.advice.approval_lasts.total_seconds() + 10)
    desk.fall_to("0.95")
    await desk.watch(10)

    assert desk.received() == []
    assert desk.plans()[-1].state is PlanState.PROPOSED


async def test_what_was_proposed_for_a_danger_that_passed_is_withdrawn(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(mode=Mode.ADVISE)
    await desk.run()
    desk.fall_to("0.95")
    await desk.watch(5)
    desk.fall_to("0.50")
    await desk.watch(10)
    desk.fall_to("0.96")
    await desk.watch(5)

    assert [plan.state for plan in desk.plans()] == [PlanState.EXPIRED, PlanState.PROPOSED]
    assert [event.reason for event in desk.events("plan_expired")] == ["target_reached"]


def hours_pass(desk: Desk) -> None:
    """Let the plan wait longer than it may."""
    desk.clock.turn(desk.policy.advice.plan_lasts.total_seconds())


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (lambda desk: desk.trade(OrderSide.SELL, 250), Reason.TARGET_REACHED),
        (lambda desk: desk.trade(OrderSide.SELL, 500), Reason.TARGET_REACHED),
        (lambda desk: desk.trade(OrderSide.SELL, 900), Reason.POSITIONS_CHANGED),
        (lambda desk: desk.trade(OrderSide.BUY, 1, "Y-USDT"), Reason.POSITIONS_CHANGED),
        (lambda desk: desk.fall_to("1.02"), Reason.PICTURE_WORSENED),
        (hours_pass, Reason.PLAN_LAPSED),
        (lambda desk: impose(desk, OperatorOrderKind.MODE, "observe"), Reason.ADVICE_ENDED),
    ],
)
async def test_a_plan_that_waits_ends_when_the_account_is_another_one(
    open_desk: Callable[..., Desk], happens: Callable[[Desk], None], reason: Reason
) -> None:
    desk = open_desk(mode=Mode.ADVISE)
    await desk.run()
    desk.fall_to("0.95")
    await desk.watch(5)
    (waiting,) = desk.plans()
    happens(desk)
    await desk.watch(30)

    assert desk.journal.plans.get(waiting.plan_id).state is PlanState.EXPIRED
    (event,) = [event for event in desk.events("plan_expired") if event.plan_id == waiting.plan_id]
    assert event.reason == reason
    assert desk.received() == []
    with pytest.raises(IllegalTransition):
        approve(desk, waiting)


async def test_a_small_change_ends_no_plan(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(mode=Mode.ADVISE)
    await desk.run()
    desk.fall_to("0.93")
    await desk.watch(5)
    desk.fall_to("0.97")
    await desk.watch(5)
    desk.trade(OrderSide.SELL, 10)
    await desk.watch(5)

    assert [plan.state for plan in desk.plans()] == [PlanState.PROPOSED]


async def test_a_plan_waits_on_through_a_bad_picture_and_a_restart(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(mode=Mode.ADVISE)
    await desk.run()
    desk.fall_to("0.95")
    await desk.watch(5)
    desk.venue.mishaps.fail_read(VenueUnavailable("no answer"), call="fetch_snapshot", times=20)
    await desk.watch(20)
    desk.restart()
    await desk.watch(20)
    (waiting,) = desk.plans()
    assert waiting.state is PlanState.PROPOSED

    approve(desk, waiting)
    await desk.watch(5)
    assert len(desk.received()) == 1


async def test_only_the_orders_that_were_shown_are_cancelled(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(mode=Mode.ADVISE)
    shown = desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
    await desk.run()
    desk.fall_to("0.85")
    await desk.watch(10)
    (cancelling,) = desk.plans()
    assert [row["order_id"] for row in cancelling.plan["orders"]] == [shown]
    later = desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(51))
    approve(desk, cancelling)
    await desk.watch(40)

    assert desk.cancelled() == [shown]
    waiting = desk.plans()[-1]
    assert (waiting.state, [row["order_id"] for row in waiting.plan["orders"]]) == (
        PlanState.PROPOSED,
        [later],
    )


async def test_no_more_is_moved_in_than_was_approved(
    open_desk: Callable[..., Desk], venue_of: Callable[..., Engine], spec: Callable[..., Any]
) -> None:
    caps, engine = TopUpCaps(per_day={"USDT": D(5_000)}), venue_of(spec(funding={"USDT": D(100_000)}))
    desk = open_desk(mode=Mode.ADVISE, caps=caps, engine=engine)
    await desk.run()
    desk.fall_to("0.91")
    await desk.watch(10)
    (moving,) = desk.plans()
    assert moving.decision == "top_up"
    desk.fall_to("0.95")
    approve(desk, moving)
    await desk.watch(20)

    assert [event.amount for event in desk.engine.history if isinstance(event, Transferred)] == [
        D(moving.plan["amount"])
    ]
    assert [plan.state for plan in desk.plans()][:2] == [PlanState.EXECUTED, PlanState.EXECUTED]


async def test_a_halt_stops_everything_but_the_alarm_and_ends_by_itself(desk: Desk) -> None:
    desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
    impose(desk, OperatorOrderKind.HALT, lasting_s=60)
    desk.fall_to("0.95")
    outcomes = await desk.watch(50)

    assert (outcomes[-1].level, outcomes[-1].reason) == (Level.LIQUIDATION, Reason.HALTED)
    assert (desk.received(), desk.cancelled(), desk.plans()) == ([], [], [])
    assert [e.level for e in desk.events("level_rose")] == ["liquidation"]

    await desk.watch(20)
    assert desk.utilization() <= D("0.60")


@pytest.mark.parametrize(
    ("configured", "ordered", "in_force"),
    [
        (Mode.ENFORCE, "advise", Mode.ADVISE),
        (Mode.ENFORCE, "observe", Mode.OBSERVE),
        (Mode.OBSERVE, "enforce", Mode.OBSERVE),
        (Mode.ADVISE, "enforce", Mode.ADVISE),
        (Mode.ENFORCE, "enforce", Mode.ENFORCE),
    ],
)
async def test_of_the_configured_mode_and_an_operators_the_stricter_wins(
    open_desk: Callable[..., Desk], configured: Mode, ordered: str, in_force: Mode
) -> None:
    desk = open_desk(mode=configured)
    impose(desk, OperatorOrderKind.MODE, ordered)
    desk.fall_to("0.95")
    outcomes = await desk.watch(5)

    assert {outcome.mode for outcome in outcomes} == {in_force}
    assert bool(desk.received()) is (in_force is Mode.ENFORCE)


async def test_an_order_to_every_account_holds_beside_one_to_this_account(desk: Desk) -> None:
    impose(desk, OperatorOrderKind.MODE, "observe", account=EVERY_ACCOUNT, lasting_s=30)
    impose(desk, OperatorOrderKind.MODE, "enforce")
    desk.fall_to("0.95")
    await desk.watch(20)
    assert desk.received() == []

    await desk.watch(20)
    assert len(desk.received()) == 1


async def test_an_order_to_another_account_means_nothing_here(desk: Desk) -> None:
    impose(desk, OperatorOrderKind.HALT, account="somebody-else")
    desk.fall_to("0.95")
    await desk.watch(5)

    assert len(desk.received()) == 1


async def test_a_mode_ordered_in_the_middle_of_an_episode_holds_at_once(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk()
    await desk.run()
    desk.fall_to("1.3")
    await desk.run()
    assert [intent.kind for intent in desk.intents()] == [IntentKind.REDUCE]
    impose(desk, OperatorOrderKind.MODE, "observe")
    await desk.watch(30)

    assert len(desk.received()) == 1
    assert (await desk.run()).episode == 1
