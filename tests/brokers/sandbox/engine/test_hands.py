"""Other hands on the account: somebody else, and the venue's deleveraging."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from brokers.models import OrderSide, PositionMode, Side
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import Actor, Filled
from brokers.sandbox.orders import CancelReason, OrderSpec, Refusal, Rejection
from brokers.sandbox.scenarios import AssetPath, Scenario, Stress
from brokers.sandbox.spec import OpeningPosition

D = Decimal


def test_somebody_else_opens_adds_and_flips(build: Callable[..., Engine]) -> None:
    engine = build(instrument={"taker_fee": D("0.001")})
    engine.external_trade("a", "X-USDT", OrderSide.BUY, D(10))
    engine.external_trade("a", "X-USDT", OrderSide.SELL, D(15), price=D(110))
    row = engine.figures("a").position("X-USDT")
    assert (row.side, row.quantity, row.entry_price) == (Side.SHORT, 5, 110)
    assert engine.figures("a").coin("USDT").wallet_balance == 10_000 + 100 - 1 - D("1.65")
    assert {event.actor for event in engine.history if isinstance(event, Filled)} == {Actor.EXTERNAL}
    assert all(fill.order_id is None for fill in engine.fills("a"))


def test_somebody_else_may_overdraw_the_account(build: Callable[..., Engine]) -> None:
    engine = build(wallets={"USDT": 100})
    engine.external_trade("a", "X-USDT", OrderSide.BUY, D(50))
    assert engine.figures("a").pool("USDT").available == 0
    assert engine.figures("a").pool("USDT").initial_margin == 500


def test_somebody_elses_close_ends_reduce_only_orders(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(positions=(long_x(10),))
    engine.place("a", order("sell", 10, price=120, reduce_only=True, client_id="tp"))
    engine.external_trade("a", "X-USDT", OrderSide.SELL, D(10))
    assert engine.find_order("a", client_id="tp").cancel_reason is CancelReason.POSITION_GONE


@pytest.mark.parametrize(
    ("quantity", "more", "reason"),
    [
        ("0", {}, Refusal.QUANTITY),
        ("0.001", {}, Refusal.LOT),
        ("1", {"position_side": Side.LONG}, Refusal.WRONG_POSITION_SIDE),
    ],
)
def test_impossible_trades_are_refused(
    build: Callable[..., Engine], quantity: str, more: dict[str, object], reason: Refusal
) -> None:
    with pytest.raises(Rejection) as caught:
        build().external_trade("a", "X-USDT", OrderSide.BUY, D(quantity), **more)
    assert caught.value.reason is reason


def test_a_leg_is_never_closed_beyond_itself(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(position_mode=PositionMode.HEDGE, positions=(long_x(10),))
    with pytest.raises(Rejection) as caught:
        engine.external_trade("a", "X-USDT", OrderSide.SELL, D(11), position_side=Side.LONG)
    assert caught.value.reason is Refusal.REDUCE_ONLY_TOO_LARGE


def test_deleveraging_closes_a_fraction_at_mark_without_a_fee(
    build: Callable[..., Engine], short_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(positions=(short_x(10),), instrument={"taker_fee": D("0.01")})
    engine.move_price("X", D("0.8"))
    fill = engine.deleverage("a", "X-USDT", D("0.3"))
    assert (fill.quantity, fill.price, fill.fee, fill.realized_pnl) == (3, 80, 0, 60)
    assert engine.figures("a").position("X-USDT").quantity == 7


def test_deleveraging_nothing_is_nothing(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    assert build().deleverage("a", "X-USDT", D("0.5")) is None
    assert build(positions=(long_x("0.01"),)).deleverage("a", "X-USDT", D("0.5")) is None


def test_a_scenario_deleverages_winners_at_its_worst_and_turns_a_hedge(
    build: Callable[..., Engine],
    short_x: Callable[..., OpeningPosition],
    long_x: Callable[..., OpeningPosition],
) -> None:
    fall = Scenario(
        name="fall",
        title="",
        duration_ms=10_000,
        others=AssetPath(anchors=((0.0, 1.0), (0.5, 0.9)), noise=0.0),
        stress=Stress(adl_fraction=D("0.3")),
        worst_at=0.5,
    )
    engine = build(
        position_mode=PositionMode.HEDGE,
        positions=(long_x(10), short_x(10)),
        scenario=fall,
        tick_ms=1000,
    )
    engine.advance(engine.now_ms + 4999)
    assert engine.figures("a").position("X-USDT", Side.SHORT).quantity == 10
    engine.advance(engine.now_ms + 5000)
    figures = engine.figures("a")
    assert figures.position("X-USDT", Side.SHORT).quantity == 7
    assert figures.position("X-USDT", Side.LONG).quantity == 10
    (event,) = [event for event in engine.history if isinstance(event, Filled)]
    assert event.actor is Actor.DELEVERAGING
