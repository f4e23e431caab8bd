"""Isolated margin: where it comes from, where it goes back to, and what it protects."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from brokers.models import MarginMode
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import LedgerKind
from brokers.sandbox.orders import OrderSpec, Refusal, Rejection
from brokers.sandbox.spec import BookShape, MarginPool, OpeningPosition

D = Decimal

FLAT = BookShape(half_spread=D(0), level_spacing=D(0))


def test_opening_moves_margin_out_of_the_pool(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build(margin_mode=MarginMode.ISOLATED, book=FLAT)
    engine.place("a", order("buy", 100))
    figures = engine.figures("a")
    assert figures.pool("USDT").available == 9000
    assert figures.position("X-USDT").isolated_wallet == 1000


def test_reducing_returns_margin_pro_rata(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build(margin_mode=MarginMode.ISOLATED, book=FLAT)
    engine.place("a", order("buy", 100))
    engine.move_price("X", D("1.1"))
    engine.place("a", order("sell", 25, reduce_only=True))
    figures = engine.figures("a")
    assert figures.position("X-USDT").isolated_wallet == 750
    assert figures.pool("USDT").available == 9500
    assert figures.coin("USDT").wallet_balance == 10_250


def test_a_loss_beyond_the_returned_share_is_taken_from_the_rest(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(
        positions=(long_x(100, margin_mode=MarginMode.ISOLATED),),
        book=BookShape(half_spread=D("0.12"), level_spacing=D(0)),
    )
    engine.place("a", order("sell", 50, reduce_only=True, margin_mode=MarginMode.ISOLATED))
    figures = engine.figures("a")
    assert figures.position("X-USDT").isolated_wallet == 400
    assert figures.pool("USDT").equity == 9000
    assert figures.coin("USDT").wallet_balance == 9400


def test_closing_beyond_the_margin_never_touches_the_pool(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(
        positions=(long_x(100, margin_mode=MarginMode.ISOLATED),),
        book=BookShape(half_spread=D("0.12"), level_spacing=D(0)),
    )
    engine.place("a", order("sell", 100, reduce_only=True, margin_mode=MarginMode.ISOLATED))
    assert engine.figures("a").pool("USDT").equity == 9000
    assert engine.ledger("a")[("USDT", LedgerKind.INSURANCE)] == 200


def test_cross_losses_leave_isolated_margin_alone(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(
        wallets={"USDT": 2000},
        positions=(long_x(100), long_x(10, margin_mode=MarginMode.ISOLATED, isolated_margin=D(900))),
    )
    engine.move_price("X", D("0.88"))
    figures = engine.figures("a")
    assert [row.margin_mode for row in figures.positions] == [MarginMode.ISOLATED]
    assert figures.position("X-USDT").isolated_wallet == 900


def test_isolated_order_is_paid_by_the_pool(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build(wallets={"USDT": 1000}, pool=MarginPool.ISOLATED_ONLY)
    engine.place("a", order("buy", 60, price=90))
    pool = engine.figures("a").pool("USDT")
    assert (pool.order_initial_margin, pool.available) == (540, 460)
    with pytest.raises(Rejection) as caught:
        engine.place("a", order("buy", 60, price=90))
    assert caught.value.reason is Refusal.INSUFFICIENT_MARGIN


def test_funding_of_an_isolated_position_comes_out_of_its_margin(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(
        positions=(long_x(100, margin_mode=MarginMode.ISOLATED),),
        instrument={"funding_rate": D("0.001")},
        tick_ms=3_600_000,
    )
    engine.advance(engine.now_ms + 8 * 3_600_000)
    figures = engine.figures("a")
    assert figures.position("X-USDT").isolated_wallet == 990
    assert figures.pool("USDT").available == 9000
