"""The same spec, seed and calls give the same history, however often somebody looks."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from brokers.models import OrderSide, Side
from brokers.sandbox.catalogue import venue
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import LiquidationEnded
from brokers.sandbox.orders import OrderSpec, OrderType, Trigger
from brokers.sandbox.scenarios import slide
from brokers.sandbox.spec import AccountSpec, OpeningPosition, OpeningWallet

D = Decimal


def run(seed: int, step_ms: int) -> Engine:
    account = AccountSpec(
        name="a",
        api_key="key",
        secret="secret",
        wallets={"USDT": OpeningWallet(balance=D(20_000))},
        positions=(
            OpeningPosition(symbol="BTC-USDT", side=Side.LONG, quantity=D(1)),
            OpeningPosition(symbol="ETH-USDT", side=Side.LONG, quantity=D(10)),
        ),
    )
    engine = Engine(venue([account], scenario=slide(60_000)), seed)
    engine.place(
        "a",
        OrderSpec(
            symbol="BTC-USDT",
            side=OrderSide.BUY,
            quantity=D("0.1"),
            type=OrderType.LIMIT,
            price=D(58_000),
        ),
    )
    engine.place(
        "a",
        OrderSpec(
            symbol="ETH-USDT",
            side=OrderSide.SELL,
            quantity=D(5),
            reduce_only=True,
            trigger=Trigger(price=D(2800)),
        ),
    )
    end = engine.now_ms + 60_000
    while engine.now_ms < end:
        engine.advance(min(end, engine.now_ms + step_ms))
    return engine


@pytest.mark.parametrize("step_ms", [250, 333, 7001])
def test_history_does_not_depend_on_how_often_time_is_advanced(step_ms: int) -> None:
    whole, steps = run(1, 60_000), run(1, step_ms)
    assert steps.history == whole.history
    assert steps.figures("a") == whole.figures("a")
    assert any(isinstance(event, LiquidationEnded) for event in whole.history)


def test_same_seed_same_history() -> None:
    assert run(7, 1000).history == run(7, 1000).history


def test_another_seed_another_history() -> None:
    assert run(1, 1000).history != run(2, 1000).history


def test_time_never_goes_back(build: Callable[..., Engine]) -> None:
    engine = build()
    engine.advance(engine.now_ms + 1000)
    now = engine.now_ms
    engine.advance(now - 500)
    assert engine.now_ms == now


def test_an_idle_venue_lets_a_year_pass_at_once(build: Callable[..., Engine]) -> None:
    engine = build()
    engine.advance(engine.now_ms + 365 * 24 * 3_600_000)
    assert engine.figures("a").ms == engine.now_ms
