"""What is decided while breakers on ourselves are tripped."""

from decimal import Decimal
from typing import Any

from daemon.risk.answer import Act, Hold
from daemon.risk.breakers import Trip
from daemon.risk.policy import Action
from daemon.risk.reason import Reason

D = Decimal
BUILD = Any
LOOKED = {"cancellable_orders": 0}
"""Somebody looked for orders in this step and found none."""

SPENT = Trip(reason=Reason.ORDER_BUDGET, detail="30 orders within a minute")
FALLING = Trip(reason=Reason.COMMON_MODE, detail="bybit, okx, kraken breached", slows=False)
STUCK = Trip(reason=Reason.NO_PROGRESS, detail="long BTCUSDT is no smaller after 3 steps")


def in_episode(build: BUILD) -> Any:  # noqa: ANN401 - a builder
    return build.watch().levered("0.91", 0).levered("0.91", 1)


def near_the_venue(build: BUILD) -> Any:  # noqa: ANN401 - a builder
    return build.watch().levered("0.91", 0, maintenance="0.85").levered("0.91", 1, maintenance="0.85")


def test_despite_a_breaker_liquidation_goes_on_in_single_steps(build: BUILD) -> None:
    act = in_episode(build).decide(**LOOKED, trips=(STUCK, SPENT))

    assert isinstance(act, Act)
    assert (act.action, act.despite, act.single) == (Action.REDUCE, Reason.NO_PROGRESS, True)
    fast = in_episode(build).decide(**LOOKED, trips=(FALLING,), may_step=False)
    assert isinstance(fast, Act)
    assert (fast.despite, fast.single) == (Reason.COMMON_MODE, False)
    slowed = in_episode(build).decide(**LOOKED, trips=(FALLING, STUCK), may_step=False)
    assert isinstance(slowed, Hold)
    assert slowed.reason is Reason.NO_PROGRESS
    hold = in_episode(build).decide(**LOOKED, trips=(STUCK,), may_step=False)
    assert isinstance(hold, Hold)
    assert (hold.reason, hold.instead_of) == (Reason.NO_PROGRESS, Action.REDUCE)


def test_below_liquidation_a_breaker_stops_the_cut_and_says_why(build: BUILD) -> None:
    watch = in_episode(build).levered("0.85", 3)

    hold = watch.decide(**LOOKED, trips=(STUCK,))
    assert isinstance(hold, Hold)
    assert (hold.reason, hold.instead_of) == (Reason.NO_PROGRESS, Action.REDUCE)
    assert STUCK.detail in hold.facts.detail
    assert isinstance(watch.decide(**LOOKED), Act)


def test_a_latched_flatten_goes_on_despite_a_breaker(build: BUILD) -> None:
    watch = in_episode(build).levered("0.85", 3)
    act = watch.decide(**LOOKED, trips=(STUCK,), flattening=frozenset({"account"}))

    assert isinstance(act, Act)
    assert (act.action, act.despite) == (Action.FLATTEN, Reason.NO_PROGRESS)


def test_a_breaker_stops_neither_cancelling_nor_collateral(build: BUILD) -> None:
    watch = in_episode(build).levered("0.85", 3)

    cancel = watch.decide(cancellable_orders=2, trips=(STUCK,), may_step=False)
    assert isinstance(cancel, Act)
    assert (cancel.action, cancel.despite) == (Action.CANCEL_ORDERS, None)
    top_up = watch.decide(**LOOKED, funds=D(500), trips=(STUCK,), may_step=False)
    assert isinstance(top_up, Act)
    assert (top_up.action, top_up.despite) == (Action.TOP_UP, None)


def test_a_possible_twin_stops_everything(build: BUILD) -> None:
    for context in ({"cancellable_orders": 2}, LOOKED, {**LOOKED, "funds": D(500)}):
        hold = near_the_venue(build).decide(**context, twin="1 open order of another install")
        assert isinstance(hold, Hold)
        assert hold.reason is Reason.UNKNOWN_OWN_ORDER
        assert "another install" in hold.facts.detail
