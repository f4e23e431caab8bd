"""What the venue takes in, and what it refuses."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import MarginMode, Side
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import CancelRefused, OrderCancelled, OrderPlaced, OrderRefused
from brokers.sandbox.orders import (
    CancelReason,
    OrderSpec,
    OrderStatus,
    OrderType,
    Refusal,
    Rejection,
    TimeInForce,
    Trigger,
    TriggerDirection,
)
from brokers.sandbox.spec import DuplicateRule, MarginPool, OpeningPosition

D = Decimal


def refusal(call: Callable[[], Any]) -> Refusal:
    with pytest.raises(Rejection) as caught:
        call()
    return caught.value.reason


@pytest.mark.parametrize(
    ("side", "quantity", "more", "reason"),
    [
        ("buy", 1, {"symbol": "Z-USDT"}, Refusal.UNKNOWN_SYMBOL),
        ("buy", None, {}, Refusal.QUANTITY),
        ("buy", 0, {}, Refusal.QUANTITY),
        ("buy", -1, {}, Refusal.QUANTITY),
        ("buy", "1.005", {}, Refusal.LOT),
        ("buy", "0.01", {}, Refusal.MIN_QUANTITY),
        ("buy", "0.05", {}, Refusal.MIN_NOTIONAL),
        ("buy", 60, {}, Refusal.MAX_QUANTITY),
        ("buy", 101, {"price": 90}, Refusal.MAX_QUANTITY),
        ("buy", 1, {"type": OrderType.LIMIT}, Refusal.PRICE),
        ("buy", 1, {"price": "90.005"}, Refusal.TICK),
        ("buy", 1, {"price": 79}, Refusal.PRICE_BAND),
        ("sell", 1, {"price": 121}, Refusal.PRICE_BAND),
        ("buy", 1, {"trigger": Trigger(price=D(0))}, Refusal.TRIGGER),
        (
            "buy",
            1,
            {"trigger": Trigger(price=D(99), direction=TriggerDirection.RISES)},
            Refusal.WOULD_TRIGGER,
        ),
        ("sell", 1, {"reduce_only": True}, Refusal.NO_POSITION),
        ("buy", 1, {"position_side": Side.LONG}, Refusal.WRONG_POSITION_SIDE),
        ("buy", 1, {"margin_mode": MarginMode.PORTFOLIO}, Refusal.MARGIN_MODE),
        ("buy", 1, {"deadline_ms": 1}, Refusal.EXPIRED),
    ],
)
def test_refused_order_leaves_only_its_refusal(
    build: Callable[..., Engine],
    order: Callable[..., OrderSpec],
    *,
    side: str,
    quantity: str,
    more: dict[str, object],
    reason: Refusal,
) -> None:
    engine = build(
        wallets={"USDT": 1_000_000},
        instrument={
            "min_quantity": D("0.02"),
            "min_notional": D(10),
            "max_market_quantity": D(50),
            "max_limit_quantity": D(100),
            "price_band": D("0.2"),
        },
    )
    spec = order(side, quantity, **more)
    assert refusal(lambda: engine.place("a", spec)) is reason
    (event,) = engine.history
    assert isinstance(event, OrderRefused)
    assert (event.reason, event.spec.client_id) == (reason, spec.client_id)
    assert engine.orders("a") == ()


def test_halted_symbol_refuses_orders_until_it_trades_again(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build()
    engine.controls.halted.add("X-USDT")
    assert refusal(lambda: engine.place("a", order("buy", 1))) is Refusal.HALTED
    engine.controls.halted.clear()
    assert engine.place("a", order("buy", 1)).status is OrderStatus.FILLED


def test_too_many_orders_are_refused(build: Callable[..., Engine], order: Callable[..., OrderSpec]) -> None:
    engine = build(rules={"max_open_orders": 2})
    for _ in range(2):
        engine.place("a", order("buy", 1, price=50))
    assert refusal(lambda: engine.place("a", order("buy", 1, price=50))) is Refusal.TOO_MANY_ORDERS


def test_unknown_account_is_refused(build: Callable[..., Engine], order: Callable[..., OrderSpec]) -> None:
    assert refusal(lambda: build().place("b", order("buy", 1))) is Refusal.UNKNOWN_ACCOUNT


def test_client_id_is_refused_for_ever(build: Callable[..., Engine], order: Callable[..., OrderSpec]) -> None:
    engine = build(rules={"duplicate_client_ids": DuplicateRule.FOR_EVER})
    engine.place("a", order("buy", 1, client_id="c"))
    assert refusal(lambda: engine.place("a", order("buy", 1, client_id="c"))) is Refusal.DUPLICATE_CLIENT_ID


def test_client_id_is_refused_only_while_its_order_is_open(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build(rules={"duplicate_client_ids": DuplicateRule.OPEN_ORDERS})
    first = engine.place("a", order("buy", 1, price=90, client_id="c"))
    assert (
        refusal(lambda: engine.place("a", order("buy", 1, price=90, client_id="c")))
        is Refusal.DUPLICATE_CLIENT_ID
    )
    engine.cancel("a", order_id=first.order_id)
    second = engine.place("a", order("buy", 1, price=90, client_id="c"))
    assert engine.find_order("a", client_id="c") == second
    assert engine.find_order("a", order_id=first.order_id).status is OrderStatus.CANCELLED


def test_resting_order_holds_initial_margin_until_it_is_cancelled(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build(wallets={"USDT": 1000})
    engine.place("a", order("buy", 50, price=90, client_id="c"))
    pool = engine.figures("a").pool("USDT")
    assert (pool.order_initial_margin, pool.available) == (450, 550)
    assert engine.figures("a").coin("USDT").order_initial_margin == 450
    engine.cancel("a", client_id="c")
    assert engine.figures("a").pool("USDT").available == 1000


def test_order_that_closes_holds_nothing_and_its_excess_does(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(wallets={"USDT": 1000}, positions=(long_x(10),))
    engine.place("a", order("sell", 10, price=110))
    assert engine.figures("a").pool("USDT").order_initial_margin == 0
    engine.place("a", order("sell", 5, price=110))
    assert engine.figures("a").pool("USDT").order_initial_margin == 55


def test_buys_and_sells_hold_the_dearer_side(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build(wallets={"USDT": 1000})
    engine.place("a", order("buy", 10, price=90))
    engine.place("a", order("sell", 10, price=120))
    assert engine.figures("a").pool("USDT").order_initial_margin == 120


def test_reduce_only_order_holds_no_margin(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(positions=(long_x(10),))
    engine.place("a", order("sell", 10, price=110, reduce_only=True))
    assert engine.figures("a").pool("USDT").order_initial_margin == 0


@pytest.mark.parametrize(("reserves", "held"), [(True, 90), (False, 0)])
def test_untriggered_order_holds_margin_where_the_venue_says_so(
    build: Callable[..., Engine], order: Callable[..., OrderSpec], *, reserves: bool, held: int
) -> None:
    engine = build(rules={"triggers_reserve_margin": reserves})
    engine.place("a", order("sell", 10, trigger=Trigger(price=D(90))))
    assert engine.figures("a").pool("USDT").order_initial_margin == held


def test_order_beyond_the_available_margin_is_refused(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build(wallets={"USDT": 1000})
    assert refusal(lambda: engine.place("a", order("buy", 112, price=90))) is Refusal.INSUFFICIENT_MARGIN
    assert engine.place("a", order("buy", 111, price=90)).status is OrderStatus.OPEN


def test_margin_must_cover_the_fee_and_the_loss_at_the_start(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build(wallets={"USDT": 1000}, instrument={"taker_fee": D("0.001")})
    assert refusal(lambda: engine.place("a", order("buy", 100))) is Refusal.INSUFFICIENT_MARGIN
    engine.place("a", order("buy", 98))
    assert engine.figures("a").pool("USDT").available >= 0


def test_account_pool_backs_an_order_with_every_currency(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build(wallets={"USDT": 0, "Y": 2}, pool=MarginPool.ACCOUNT)
    engine.place("a", order("buy", 100, price=90))
    assert engine.figures("a").pool("account").available == 900
    assert refusal(lambda: engine.place("a", order("buy", 101, price=90))) is Refusal.INSUFFICIENT_MARGIN


def test_cancelling_what_is_not_open_says_which(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build()
    done = engine.place("a", order("buy", 1, client_id="c"))
    assert refusal(lambda: engine.cancel("a", client_id="c")) is Refusal.ORDER_CLOSED
    assert refusal(lambda: engine.cancel("a", order_id="1")) is Refusal.ORDER_NOT_FOUND
    assert (
        refusal(lambda: engine.cancel("a", order_id=done.order_id, symbol="Y-USDT"))
        is Refusal.ORDER_NOT_FOUND
    )
    refused = [event for event in engine.history if isinstance(event, CancelRefused)]
    assert [event.reason for event in refused] == [
        Refusal.ORDER_CLOSED,
        Refusal.ORDER_NOT_FOUND,
        Refusal.ORDER_NOT_FOUND,
    ]


def test_open_orders_are_listed_oldest_first_and_by_symbol(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build()
    placed = [engine.place("a", order("buy", 1, price=price)) for price in (90, 91, 92)]
    assert engine.open_orders("a") == tuple(placed)
    assert engine.open_orders("a", "X-USDT") == tuple(placed)
    assert engine.open_orders("a", "Y-USDT") == ()


def test_placing_is_journalled_before_filling(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build()
    engine.place("a", order("buy", 1, client_id="c"))
    placed, filled = engine.history
    assert isinstance(placed, OrderPlaced)
    assert placed.order.status is OrderStatus.OPEN
    assert placed.order.filled == 0
    assert filled.fill.client_id == "c"
    assert engine.history_since(1) == (filled,)


def test_user_cancel_is_journalled(build: Callable[..., Engine], order: Callable[..., OrderSpec]) -> None:
    engine = build()
    engine.place("a", order("buy", 1, price=90, client_id="c"))
    ended = engine.cancel("a", client_id="c")
    event = engine.history[-1]
    assert isinstance(event, OrderCancelled)
    assert (event.order, event.reason) == (ended, CancelReason.BY_USER)


def test_deadline_still_running_is_no_reason(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build()
    spec = order("buy", 1, deadline_ms=engine.now_ms, time_in_force=TimeInForce.GTC)
    assert engine.place("a", spec).status is OrderStatus.FILLED
