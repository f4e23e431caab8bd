"""Leverage and margin mode."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import MarginMode, PositionMode, Side
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import LeverageSet
from brokers.sandbox.instrument import maintenance_tiers
from brokers.sandbox.orders import OrderSpec, Refusal, Rejection
from brokers.sandbox.spec import MarginPool, OpeningPosition

D = Decimal


def refusal(call: Callable[[], Any]) -> Refusal:
    with pytest.raises(Rejection) as caught:
        call()
    return caught.value.reason


def test_leverage_changes_cross_margin_at_once(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(positions=(long_x(100),))
    assert engine.set_leverage("a", "X-USDT", D(20)) == 10
    assert engine.leverage("a", "X-USDT") == 20
    assert engine.figures("a").pool("USDT").initial_margin == 500
    (event,) = engine.history
    assert isinstance(event, LeverageSet)
    assert event.leverage == 20


def test_the_same_leverage_changes_nothing(build: Callable[..., Engine]) -> None:
    engine = build()
    assert engine.set_leverage("a", "X-USDT", D(10)) == 10
    assert engine.history == ()


@pytest.mark.parametrize("leverage", ["0", "0.5", "101"])
def test_leverage_out_of_range_is_refused(build: Callable[..., Engine], leverage: str) -> None:
    assert refusal(lambda: build().set_leverage("a", "X-USDT", D(leverage))) is Refusal.LEVERAGE


def test_lower_leverage_must_be_paid_for(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(wallets={"USDT": 1500}, positions=(long_x(100),))
    assert refusal(lambda: engine.set_leverage("a", "X-USDT", D(5))) is Refusal.INSUFFICIENT_MARGIN
    assert engine.leverage("a", "X-USDT") == 10
    assert engine.figures("a").pool("USDT").initial_margin == 1000


def test_higher_leverage_is_allowed_to_an_overdrawn_pool(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(wallets={"USDT": 500}, positions=(long_x(100),))
    engine.set_leverage("a", "X-USDT", D(15))
    assert engine.leverage("a", "X-USDT") == 15


def test_leverage_above_the_tier_of_the_position_is_refused(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    tiers = maintenance_tiers(("0", "0.005"), ("5000", "0.025"))
    engine = build(positions=(long_x(100),), instrument={"tiers": tiers})
    assert refusal(lambda: engine.set_leverage("a", "X-USDT", D(21))) is Refusal.LEVERAGE_TIER
    engine.set_leverage("a", "X-USDT", D(20))


def test_isolated_position_draws_and_returns_margin(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(positions=(long_x(100),), margin_mode=MarginMode.ISOLATED)
    engine.set_leverage("a", "X-USDT", D(5))
    assert engine.figures("a").position("X-USDT").isolated_wallet == 2000
    assert engine.figures("a").pool("USDT").available == 8000
    engine.set_leverage("a", "X-USDT", D(20))
    assert engine.figures("a").position("X-USDT").isolated_wallet == 500
    assert engine.figures("a").pool("USDT").available == 9500


def test_isolated_margin_that_carries_a_loss_stays(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(positions=(long_x(100),), margin_mode=MarginMode.ISOLATED)
    engine.move_price("X", D("0.95"))
    assert refusal(lambda: engine.set_leverage("a", "X-USDT", D(20))) is Refusal.INSUFFICIENT_MARGIN


def test_isolated_leverage_may_be_locked_downwards(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(
        positions=(long_x(100),),
        margin_mode=MarginMode.ISOLATED,
        rules={"isolated_leverage_may_fall": False},
    )
    assert refusal(lambda: engine.set_leverage("a", "X-USDT", D(5))) is Refusal.LEVERAGE_LOCKED


def test_legs_have_their_own_leverage(
    build: Callable[..., Engine],
    long_x: Callable[..., OpeningPosition],
    short_x: Callable[..., OpeningPosition],
) -> None:
    engine = build(position_mode=PositionMode.HEDGE, positions=(long_x(10), short_x(10)))
    engine.set_leverage("a", "X-USDT", D(20), position_side=Side.LONG)
    figures = engine.figures("a")
    assert figures.position("X-USDT", Side.LONG).initial_margin == 50
    assert figures.position("X-USDT", Side.SHORT).initial_margin == 100
    engine.set_leverage("a", "X-USDT", D(25))
    assert engine.leverage("a", "X-USDT", Side.SHORT) == 25


def test_leg_in_one_way_mode_is_refused(build: Callable[..., Engine]) -> None:
    call = lambda: build().set_leverage("a", "X-USDT", D(5), position_side=Side.LONG)  # noqa: E731 - one use
    assert refusal(call) is Refusal.WRONG_POSITION_SIDE


def test_margin_mode_holds_for_orders_to_come(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build()
    engine.set_margin_mode("a", "X-USDT", MarginMode.ISOLATED)
    engine.place("a", order("buy", 1))
    assert engine.figures("a").position("X-USDT").margin_mode is MarginMode.ISOLATED


def test_margin_mode_is_not_changed_under_orders_or_positions(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build()
    resting = engine.place("a", order("buy", 1, price=90))
    change = lambda: engine.set_margin_mode("a", "X-USDT", MarginMode.ISOLATED)  # noqa: E731 - three uses
    assert refusal(change) is Refusal.MARGIN_MODE_BUSY
    engine.cancel("a", order_id=resting.order_id)
    engine.place("a", order("buy", 1))
    assert refusal(change) is Refusal.MARGIN_MODE_BUSY
    engine.close_position("a", "X-USDT")
    change()
    assert refusal(change) is Refusal.NOT_MODIFIED


def test_account_without_cross_refuses_cross(build: Callable[..., Engine]) -> None:
    engine = build(pool=MarginPool.ISOLATED_ONLY)
    reason = refusal(lambda: engine.set_margin_mode("a", "X-USDT", MarginMode.CROSS))
    assert reason is Refusal.MARGIN_MODE
