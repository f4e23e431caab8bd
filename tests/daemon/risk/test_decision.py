from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import Measure, UnitKind
from daemon.risk.answer import Act, Advise, Confirm, Hold, Rung, RungState
from daemon.risk.breakers import Trip
from daemon.risk.policy import Action, Level, MarginPolicy, Mode
from daemon.risk.reason import Reason

D = Decimal
BUILD = Any
LOOKED = {"cancellable_orders": 0}
"""Somebody looked for orders in this step and found none."""

SPENT = Trip(reason=Reason.ORDER_BUDGET, detail="30 orders within a minute")


def over(action: Action, reason: Reason, state: RungState = RungState.EXHAUSTED) -> Rung:
    return Rung(unit="account", action=action, state=state, reason=reason)


def in_episode(build: BUILD, utilization: str = "0.91", policy: MarginPolicy | None = None) -> Any:  # noqa: ANN401 - a builder
    return build.watch(policy).levered(utilization, 0).levered(utilization, 1)


def near_the_venue(build: BUILD, policy: MarginPolicy | None = None) -> Any:  # noqa: ANN401 - a builder
    return build.watch(policy).levered("0.91", 0, maintenance="0.85").levered("0.91", 1, maintenance="0.85")


@pytest.mark.parametrize("utilization", ["0.1", "0.69", "0.79"], ids=["SAFE", "U<w", "WARNING"])
def test_below_critical_nothing_is_done(*, build: BUILD, utilization: str) -> None:
    decision = build.watch().levered(utilization, 0).levered(utilization, 2).decide()

    assert isinstance(decision, Hold)
    assert decision.reason is Reason.CALM
    assert decision.facts.ratio == D(utilization)


def test_without_a_picture_nothing_is_done_and_the_error_is_named(build: BUILD) -> None:
    decision = in_episode(build).blind(3).decide()

    assert isinstance(decision, Hold)
    assert decision.reason is Reason.VENUE_UNAVAILABLE
    assert decision.facts.level is Level.LIQUIDATION


@pytest.mark.parametrize(
    ("utilization", "after"),
    [("0.85", timedelta(seconds=1)), ("0.91", timedelta(seconds=0.4)), ("0.97", timedelta(0))],
    ids=["critical", "liquidation", "urgent"],
)
def test_a_first_sighting_is_confirmed_before_anything_is_done(
    *, build: BUILD, utilization: str, after: timedelta
) -> None:
    decision = build.watch().levered(utilization, 0).decide()

    assert isinstance(decision, Confirm)
    assert (decision.reason, decision.after) == (Reason.CONFIRMATION_PENDING, after)


def test_the_wait_for_the_second_read_counts_from_the_first(build: BUILD) -> None:
    decision = build.watch().levered("0.91", 0).levered("0.91", 0.3).decide()

    assert isinstance(decision, Confirm)
    assert decision.after == timedelta(seconds=0.1)


def test_a_doubted_leap_is_confirmed(build: BUILD) -> None:
    decision = build.watch().levered("0.3", 0).levered("0.91", 2).decide()

    assert isinstance(decision, Confirm)
    assert decision.after == timedelta(seconds=0.4)


def test_a_faulty_picture_is_held_with_its_reason(build: BUILD) -> None:
    watch = in_episode(build).levered("0.95", 3, age=6)

    decision = watch.decide()
    assert isinstance(decision, Hold)
    assert decision.reason is Reason.STALE
    assert decision.facts.detail


def test_a_faulty_first_sighting_is_held_with_its_reason(build: BUILD) -> None:
    decision = build.watch().levered("0.91", 0, age=6).decide()

    assert isinstance(decision, Hold)
    assert decision.reason is Reason.STALE


def test_critical_cancels_orders_and_nothing_else(build: BUILD) -> None:
    watch = build.watch().levered("0.85", 0).levered("0.85", 1)

    act = watch.decide()
    assert isinstance(act, Act)
    assert (act.action, act.reason) == (Action.CANCEL_ORDERS, Reason.CRITICAL_REACHED)
    done = watch.decide(**LOOKED)
    assert isinstance(done, Hold)
    assert done.reason is Reason.NO_ORDERS


def test_the_ladder_is_climbed_from_the_mildest_rung(build: BUILD) -> None:
    watch = near_the_venue(build)

    def rung(**context: object) -> Action:
        act = watch.decide(**context)
        assert isinstance(act, Act)
        return act.action

    assert rung() is Action.CANCEL_ORDERS
    assert rung(cancellable_orders=2) is Action.CANCEL_ORDERS
    assert rung(**LOOKED, funds=D(10_000)) is Action.TOP_UP
    assert rung(**LOOKED) is Action.REDUCE
    infeasible = (over(Action.REDUCE, Reason.NOTHING_ORDERABLE),)
    assert rung(**LOOKED, rungs=infeasible) is Action.FLATTEN


def test_a_top_up_is_what_the_target_lacks_as_far_as_the_funds_go(build: BUILD) -> None:
    watch = in_episode(build, "0.9")

    full = watch.decide(**LOOKED, funds=D(1_000_000))
    short = watch.decide(**LOOKED, funds=D(12))
    assert isinstance(full, Act)
    assert isinstance(short, Act)
    assert (full.action, full.amount) == (Action.TOP_UP, D(5_000))  # 9,000 of 15,000 is 60 %
    assert (short.action, short.amount) == (Action.TOP_UP, D(12))


@pytest.mark.parametrize(
    "context",
    [{}, {"funds": None}, {"funds": D(0)}, {"funds": D(9_999), "top_ups_in_episode": 2}],
    ids=["not asked", "unknown", "none", "often enough"],
)
def test_without_funds_or_after_enough_of_them_the_next_rung_is_due(
    *, build: BUILD, context: dict[str, object]
) -> None:
    act = in_episode(build).decide(**LOOKED, **context)

    assert isinstance(act, Act)
    assert act.action is Action.REDUCE


def test_an_isolated_position_is_not_topped_up_from_the_wallet(build: BUILD) -> None:
    unit = build.unit(
        "BTCUSDT",
        equity=5_000,
        kind=UnitKind.ISOLATED_POSITION,
        maintenance_margin=D(4_250),
        measures=frozenset({Measure.MAINTENANCE}),
    )
    row = build.Row(unit="BTCUSDT", maintenance="0.085").position()
    watch = build.watch()
    for seconds in (0, 1):
        watch.show(build.snapshot(units=[unit], positions=[row], seconds=seconds))

    act = watch.decide(**LOOKED, funds=D(9_999))
    assert isinstance(act, Act)
    assert act.action is Action.REDUCE


def test_delevering_goes_on_below_the_level_down_to_the_target(build: BUILD) -> None:
    watch = in_episode(build).levered("0.75", 3)

    act = watch.decide(**LOOKED)
    assert isinstance(act, Act)
    assert (act.action, act.reason, act.facts.threshold) == (
        Action.REDUCE,
        Reason.ABOVE_TARGET,
        D("0.60"),
    )
    reached = watch.levered("0.60", 5).decide(**LOOKED)
    assert isinstance(reached, Hold)
    assert reached.reason is Reason.TARGET_REACHED


def test_over_use_of_margin_alone_does_not_flatten(build: BUILD) -> None:
    rungs = (over(Action.REDUCE, Reason.NOTHING_ORDERABLE),)
    hold = in_episode(build).decide(**LOOKED, rungs=rungs)

    assert isinstance(hold, Hold)
    assert hold.reason is Reason.NOTHING_ORDERABLE


def test_debt_that_cutting_cannot_help_does_not_flatten(build: BUILD) -> None:
    rungs = (over(Action.REDUCE, Reason.REDUCING_CANNOT_HELP),)
    hold = near_the_venue(build).decide(**LOOKED, rungs=rungs)

    assert isinstance(hold, Hold)
    assert hold.reason is Reason.REDUCING_CANNOT_HELP


def test_a_ladder_without_reducing_flattens(build: BUILD) -> None:
    policy = MarginPolicy(actions={Level.LIQUIDATION: (Action.FLATTEN,)})
    act = in_episode(build, policy=policy).decide()

    assert isinstance(act, Act)
    assert act.action is Action.FLATTEN


def test_when_every_rung_is_over_a_human_must_look(build: BUILD) -> None:
    rungs = (
        over(Action.REDUCE, Reason.DUST),
        over(Action.FLATTEN, Reason.RISK_NOT_REDUCED, RungState.FAILED),
    )
    hold = near_the_venue(build).decide(**LOOKED, rungs=rungs)

    assert isinstance(hold, Hold)
    assert hold.reason is Reason.RISK_NOT_REDUCED


def test_a_unit_without_positions_has_nothing_to_cut(build: BUILD) -> None:
    unit = build.unit(initial_margin=D(9_100), available_margin=D(900))
    watch = build.watch()
    for seconds in (0, 1):
        watch.show(build.snapshot(units=[unit], seconds=seconds))

    hold = watch.decide(**LOOKED)
    assert isinstance(hold, Hold)
    assert hold.reason is Reason.NO_POSITIONS


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        ({"halted": True}, Reason.HALTED),
        ({"unsettled": True}, Reason.SETTLING),
        ({"trips": (SPENT,), "may_step": False}, Reason.ORDER_BUDGET),
        ({"twin": "1 open order"}, Reason.UNKNOWN_OWN_ORDER),
        ({"episodes_last_hour": 13}, Reason.EPISODE_BUDGET),
    ],
)
def test_what_holds_margind_back_says_what_it_held_back(
    *, build: BUILD, context: dict[str, object], reason: Reason
) -> None:
    hold = in_episode(build).decide(**LOOKED, **context)

    assert isinstance(hold, Hold)
    assert (hold.reason, hold.instead_of) == (reason, Action.REDUCE)


def test_one_episode_less_within_the_hour_is_still_allowed(build: BUILD) -> None:
    assert isinstance(in_episode(build).decide(**LOOKED, episodes_last_hour=12), Act)


def test_the_episode_budget_does_not_stand_before_a_venue_that_is_about_to_liquidate(build: BUILD) -> None:
    assert isinstance(near_the_venue(build).decide(**LOOKED, episodes_last_hour=99), Act)


def test_the_step_budget_leaves_only_the_flatten(build: BUILD) -> None:
    spent = {**LOOKED, "steps": {"account": 40}}

    hold = in_episode(build).decide(**spent)
    assert isinstance(hold, Hold)
    assert hold.reason is Reason.STEP_BUDGET
    act = near_the_venue(build).decide(**spent)
    assert isinstance(act, Act)
    assert act.action is Action.FLATTEN


def test_observe_does_nothing_and_says_what_it_would_have_done(build: BUILD) -> None:
    hold = in_episode(build).decide(Mode.OBSERVE, **LOOKED)

    assert isinstance(hold, Hold)
    assert (hold.reason, hold.instead_of) == (Reason.OBSERVE_MODE, Action.REDUCE)


def test_advise_waits_for_an_approval(build: BUILD) -> None:
    watch = in_episode(build)

    advice = watch.decide(Mode.ADVISE, **LOOKED)
    assert isinstance(advice, Advise)
    assert advice.action is Action.REDUCE
    for other in [(Action.FLATTEN, "account"), (Action.REDUCE, "other")]:
        assert isinstance(watch.decide(Mode.ADVISE, **LOOKED, approved=frozenset({other})), Advise)
    allowed = frozenset({(Action.REDUCE, "account")})
    assert isinstance(watch.decide(Mode.ADVISE, **LOOKED, approved=allowed), Act)
    unlooked = watch.decide(Mode.ADVISE, approved=allowed)  # an order may rest that nobody approved to cancel
    assert isinstance(unlooked, Act)
    assert unlooked.action is Action.REDUCE


def test_a_latched_flatten_goes_on_until_a_good_picture_shows_the_unit_flat(build: BUILD) -> None:
    watch = near_the_venue(build)
    latched = {**LOOKED, "flattening": frozenset({"account"})}

    act = watch.levered("0.2", 3).levered("0.2", 5).decide(**latched)
    assert isinstance(act, Act)
    assert (act.action, act.reason) == (Action.FLATTEN, Reason.FLATTEN_LATCHED)
    doubted = watch.show(build.book(10_000, [], seconds=7)).decide(**latched)
    assert isinstance(doubted, Confirm)
    assert doubted.reason is Reason.POSITIONS_VANISHED
    flat = watch.show(build.book(10_000, [], seconds=9)).decide(**latched)
    assert isinstance(flat, Hold)
    assert flat.reason is Reason.TARGET_REACHED


@pytest.mark.parametrize("mode", list(Mode))
def test_an_operators_command_is_carried_out_in_every_mode(*, build: BUILD, mode: Mode) -> None:
    watch = build.watch().levered("0.65", 0)

    for action in (Action.REDUCE, Action.FLATTEN, Action.CANCEL_ORDERS):
        act = watch.decide(mode, ordered=action)
        assert isinstance(act, Act)
        assert (act.action, act.reason) == (action, Reason.OPERATOR_ORDER)


def test_an_operators_command_heeds_halt_picture_target_and_unit(build: BUILD) -> None:
    watch = build.watch().levered("0.55", 0)

    def reason(**context: object) -> Reason:
        hold = watch.decide(**context)
        assert isinstance(hold, Hold)
        return hold.reason

    assert reason(ordered=Action.REDUCE) is Reason.TARGET_REACHED
    assert reason(ordered=Action.FLATTEN, halted=True) is Reason.HALTED
    assert reason(ordered=Action.FLATTEN, ordered_unit="USDC") is Reason.CALM
    assert reason(ordered=Action.TOP_UP) is Reason.LADDER_EXHAUSTED
    refused = (over(Action.FLATTEN, Reason.DUST),)
    assert reason(ordered=Action.FLATTEN, rungs=refused) is Reason.DUST
    watch.levered("0.55", 2, age=6)
    assert reason(ordered=Action.FLATTEN) is Reason.STALE


def test_the_first_cut_says_which_level_was_reached_and_later_ones_that_the_target_is_not(
    build: BUILD,
) -> None:
    watch = in_episode(build)

    assert watch.decide(**LOOKED).reason is Reason.LIQUIDATION_REACHED
    assert watch.levered("0.88", 3).decide(**LOOKED).reason is Reason.LIQUIDATION_REACHED
    assert watch.levered("0.86", 5).decide(**LOOKED).reason is Reason.ABOVE_TARGET


def test_after_a_gap_an_episode_is_confirmed_before_it_goes_on(build: BUILD) -> None:
    watch = in_episode(build).levered("0.95", 3_600)

    decision = watch.decide(**LOOKED)
    assert isinstance(decision, Confirm)
    assert (decision.reason, decision.after) == (Reason.CONFIRMATION_PENDING, timedelta(seconds=0.4))
    assert isinstance(watch.levered("0.95", 3_600.4).decide(**LOOKED), Act)


def test_after_a_gap_a_latched_flatten_is_confirmed_before_it_goes_on(build: BUILD) -> None:
    watch = in_episode(build)
    watch.flattening = frozenset({"account"})
    latched = {**LOOKED, "flattening": watch.flattening}

    first = watch.levered("0.80", 3_600).decide(**latched)
    assert isinstance(first, Confirm)
    assert first.reason is Reason.CONFIRMATION_PENDING
    again = watch.levered("0.80", 3_600.4).decide(**latched)
    assert isinstance(again, Act)
    assert again.reason is Reason.FLATTEN_LATCHED
