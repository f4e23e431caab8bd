"""How orders execute: the book, resting orders, triggers."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from brokers.models import Side
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import OrderTriggered
from brokers.sandbox.orders import (
    CancelReason,
    OrderSpec,
    OrderStatus,
    OrderType,
    TimeInForce,
    Trigger,
    TriggerDirection,
    TriggerKind,
)
from brokers.sandbox.spec import BookShape, OpeningPosition

D = Decimal

STEEP = BookShape(
    levels=3, level_notional=D(1000), half_spread=D("0.01"), level_spacing=D("0.01"), recovery_ms=1000
)
"""Asks at 101, 102, 103 for 9.9, 9.8 and 9.7 units; bids at 99, 98, 97 for 10.1, 10.2, 10.3."""


def test_book_is_laid_out_around_mark(build: Callable[..., Engine]) -> None:
    depth = build(book=STEEP).depth("X-USDT")
    assert depth.asks == ((D(101), D("9.90")), (D(102), D("9.80")), (D(103), D("9.70")))
    assert depth.bids == ((D(99), D("10.10")), (D(98), D("10.20")), (D(97), D("10.30")))


def test_an_instrument_may_have_a_book_of_its_own(build: Callable[..., Engine]) -> None:
    spec = build().spec
    engine = Engine(replace(spec, books={"X-USDT": STEEP}))
    assert engine.depth("X-USDT").asks[0] == (D(101), D("9.90"))
    assert Engine(replace(spec, books={})).depth("X-USDT").asks[0][0] < D("100.2")
    with pytest.raises(ValueError, match="not listed: N-USDT"):
        replace(spec, books={"N-USDT": STEEP})


def test_large_market_order_slips_through_the_levels(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build(book=STEEP)
    placed = engine.place("a", order("buy", 15))
    assert placed.status is OrderStatus.FILLED
    assert placed.average_price == (D("9.9") * 101 + D("5.1") * 102) / 15
    assert [fill.price for fill in engine.fills("a", order_id=placed.order_id)] == [101, 102]


def test_market_order_beyond_the_book_ends_partly_filled(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    placed = build(book=STEEP).place("a", order("buy", 50))
    assert (placed.status, placed.filled) == (OrderStatus.CANCELLED, D("29.4"))
    assert placed.cancel_reason is CancelReason.NO_LIQUIDITY


def test_ioc_order_takes_only_what_its_limit_allows(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    placed = build(book=STEEP).place("a", order("buy", 50, price=102, time_in_force=TimeInForce.IOC))
    assert (placed.status, placed.filled) == (OrderStatus.CANCELLED, D("19.7"))
    assert placed.cancel_reason is CancelReason.IOC_REMAINDER


def test_limit_order_takes_and_rests_with_the_remainder(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build(book=STEEP)
    placed = engine.place("a", order("buy", 15, price=101))
    assert (placed.status, placed.filled, placed.remaining) == (OrderStatus.OPEN, D("9.9"), D("5.1"))
    assert engine.open_orders("a") == (placed,)


def test_post_only_order_that_would_take_is_cancelled(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build(book=STEEP)
    taken = engine.place("a", order("buy", 1, price=101, time_in_force=TimeInForce.POST_ONLY))
    assert (taken.status, taken.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.WOULD_TAKE)
    rests = engine.place("a", order("buy", 1, price="100.99", time_in_force=TimeInForce.POST_ONLY))
    assert rests.status is OrderStatus.OPEN


def test_taken_depth_grows_back(build: Callable[..., Engine], order: Callable[..., OrderSpec]) -> None:
    engine = build(book=STEEP, tick_ms=100)
    engine.place("a", order("buy", "9.9"))
    assert engine.ticker("X-USDT").ask == 101
    assert engine.depth("X-USDT").asks[0] == (102, D("9.80"))
    engine.advance(engine.now_ms + 500)
    assert engine.depth("X-USDT").asks[0] == (101, D("4.95"))
    engine.advance(engine.now_ms + 500)
    assert engine.depth("X-USDT").asks[0] == (101, D("9.90"))


def test_the_other_side_of_the_book_is_untouched(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build(book=STEEP)
    engine.place("a", order("buy", "9.9"))
    assert engine.depth("X-USDT").bids[0] == (99, D("10.10"))


def test_controls_thin_the_book(build: Callable[..., Engine]) -> None:
    engine = build(book=STEEP)
    engine.controls.depth_factor = D("0.1")
    assert engine.depth("X-USDT").asks[0] == (101, D("0.99"))


@pytest.mark.parametrize(("fraction", "filled"), [("0", "0"), ("0.5", "5"), ("1", "10")])
def test_controls_let_orders_fill_in_part(
    build: Callable[..., Engine], order: Callable[..., OrderSpec], fraction: str, filled: str
) -> None:
    engine = build()
    engine.controls.fill_fraction = D(fraction)
    assert engine.place("a", order("buy", 10)).filled == D(filled)


def test_resting_order_fills_at_its_own_price_when_crossed(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build(instrument={"maker_fee": D("0.0002"), "taker_fee": D("0.0005")})
    placed = engine.place("a", order("buy", 10, price=90, client_id="c"))
    engine.move_price("X", D("0.95"))
    assert engine.find_order("a", client_id="c") == placed
    engine.move_price("X", D("0.94"))
    filled = engine.find_order("a", client_id="c")
    assert (filled.status, filled.average_price) == (OrderStatus.FILLED, 90)
    assert filled.fee == D("0.18")
    (fill,) = engine.fills("a")
    assert fill.maker


def test_resting_order_fills_as_far_as_the_book_goes(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build(book=STEEP, tick_ms=100)
    engine.place("a", order("buy", 15, price=90, client_id="c"))
    engine.move_price("X", D("0.89"))
    partly = engine.find_order("a", client_id="c")
    assert partly.status is OrderStatus.OPEN
    assert 0 < partly.filled < 15
    engine.advance(engine.now_ms + 2000)
    assert engine.find_order("a", client_id="c").status is OrderStatus.FILLED


def test_stop_market_goes_live_at_its_price(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(positions=(long_x(10),))
    stop = order("sell", 10, reduce_only=True, trigger=Trigger(price=D(95)), client_id="stop")
    assert engine.place("a", stop).status is OrderStatus.UNTRIGGERED
    engine.move_price("X", D("0.96"))
    assert engine.find_order("a", client_id="stop").status is OrderStatus.UNTRIGGERED
    engine.move_price("X", D("0.98"))
    done = engine.find_order("a", client_id="stop")
    assert (done.status, done.triggered) == (OrderStatus.FILLED, True)
    assert done.average_price < 95
    assert any(isinstance(event, OrderTriggered) for event in engine.history)
    assert engine.figures("a").positions == ()


def test_take_profit_rises_into_its_trigger(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(positions=(long_x(10),))
    target = order("sell", 10, reduce_only=True, trigger=Trigger(price=D(110)), client_id="tp")
    assert engine.place("a", target).spec.trigger.direction is TriggerDirection.RISES
    engine.move_price("X", D("1.1"))
    assert engine.find_order("a", client_id="tp").status is OrderStatus.FILLED


def test_stop_limit_rests_when_the_price_is_gone(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(positions=(long_x(10),))
    stop = order("sell", 10, price=94, trigger=Trigger(price=D(95), kind=TriggerKind.LAST), client_id="s")
    engine.place("a", stop)
    engine.move_price("X", D("0.9"))
    resting = engine.find_order("a", client_id="s")
    assert (resting.status, resting.triggered, resting.filled) == (OrderStatus.OPEN, True, 0)


def test_index_trigger_watches_the_index(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build()
    engine.place("a", order("buy", 1, trigger=Trigger(price=D(105), kind=TriggerKind.INDEX), client_id="i"))
    engine.move_price("X", D("1.06"))
    assert engine.find_order("a", client_id="i").status is OrderStatus.FILLED


def test_close_position_order_closes_what_is_there_when_it_triggers(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(positions=(long_x(10),))
    engine.place("a", order("sell", None, close_position=True, trigger=Trigger(price=D(95)), client_id="c"))
    engine.place("a", order("buy", 5))
    engine.move_price("X", D("0.9"))
    done = engine.find_order("a", client_id="c")
    assert (done.status, done.filled) == (OrderStatus.FILLED, 15)


def test_stop_without_a_position_is_cancelled_when_it_triggers(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(positions=(long_x(10),))
    engine.place("a", order("sell", 10, reduce_only=True, trigger=Trigger(price=D(95)), client_id="stop"))
    engine.place("a", order("sell", 10))
    engine.move_price("X", D("0.9"))
    gone = engine.find_order("a", client_id="stop")
    assert (gone.status, gone.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.POSITION_GONE)


def test_triggered_entry_that_cannot_be_paid_is_cancelled(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build(wallets={"USDT": 1000}, rules={"triggers_reserve_margin": False})
    engine.place("a", order("buy", 60, trigger=Trigger(price=D(105)), client_id="entry"))
    engine.place("a", order("buy", 90, price=95))
    engine.move_price("X", D("1.06"))
    refused = engine.find_order("a", client_id="entry")
    assert refused.cancel_reason is CancelReason.TRIGGER_REFUSED
    assert engine.figures("a").positions == ()


def test_entry_averages_only_what_increases(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build(book=BookShape(half_spread=D(0), level_spacing=D(0)))
    engine.place("a", order("buy", 10))
    engine.move_price("X", D("1.2"))
    engine.place("a", order("buy", 10))
    assert engine.figures("a").position("X-USDT").entry_price == 110
    engine.place("a", order("sell", 5))
    row = engine.figures("a").position("X-USDT")
    assert (row.entry_price, row.quantity, row.realized_pnl) == (110, 15, 50)


def test_one_way_order_through_zero_flips_at_its_price(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(positions=(long_x(10, entry_price=D(90)),), book=BookShape(half_spread=D(0)))
    engine.place("a", order("sell", 25))
    row = engine.figures("a").position("X-USDT")
    assert (row.side, row.quantity, row.entry_price) == (Side.SHORT, 15, 100)
    assert engine.figures("a").coin("USDT").realized_pnl == 100


def test_fees_are_paid_from_the_wallet(build: Callable[..., Engine], order: Callable[..., OrderSpec]) -> None:
    engine = build(instrument={"taker_fee": D("0.001")}, book=BookShape(half_spread=D(0)))
    placed = engine.place("a", order("buy", 10, type=OrderType.MARKET))
    assert placed.fee == 1
    assert engine.figures("a").coin("USDT").wallet_balance == 9999
