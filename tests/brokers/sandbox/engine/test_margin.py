"""What a pool has and requires."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from brokers.models import MarginMode, OrderSide, PositionMode, Side, UnitKind
from brokers.sandbox.engine import Engine
from brokers.sandbox.orders import OrderSpec, OrderType, Rejection
from brokers.sandbox.spec import Asset, MarginPool, MarginPrice, OpeningPosition, OpeningWallet

D = Decimal


def test_currency_pool_is_wallet_plus_unrealized_pnl(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(positions=(long_x(100),))
    engine.move_price("X", D("0.9"))
    pool = engine.figures("a").pool("USDT")
    assert pool.kind is UnitKind.CURRENCY
    assert (pool.wallet_balance, pool.unrealized_pnl, pool.equity) == (10_000, -1000, 9000)
    assert (pool.position_initial_margin, pool.maintenance_margin) == (900, 90)
    assert pool.available == 8100
    assert pool.ratio == D("0.01")


def test_currencies_are_pools_of_their_own(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(wallets={"USDT": 1000, "USDC": 500}, positions=(long_x(10),))
    figures = engine.figures("a")
    assert {pool.key for pool in figures.pools} == {"USDT", "USDC"}
    assert figures.pool("USDC").available == 500
    assert figures.pool("USDC").ratio is None
    assert figures.pool("USDT").available == 900


def test_account_pool_counts_every_currency_after_its_haircut(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(wallets={"USDT": 1000, "Y": 2}, pool=MarginPool.ACCOUNT, positions=(long_x(10),))
    pool = engine.figures("a").pool("account")
    assert pool.kind is UnitKind.ACCOUNT
    assert (pool.equity, pool.margin_balance) == (3000, 2800)
    assert pool.available == 2700
    assert engine.figures("a").coin("Y").collateral_value == 1800


def test_a_negative_currency_counts_in_full(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(wallets={"USDT": -500, "Y": 2}, pool=MarginPool.ACCOUNT, positions=(long_x(10),))
    figures = engine.figures("a")
    assert figures.pool("account").margin_balance == 1300
    assert figures.coin("USDT").liability == 500


def test_debt_lowers_equity_and_requires_margin_of_its_own(build: Callable[..., Engine]) -> None:
    lent = Asset(
        name="USDT",
        usd_price=D(1),
        stable=True,
        borrow_initial_rate=D("0.2"),
        borrow_maintenance_rate=D("0.1"),
    )
    engine = build(
        assets=(Asset(name="X", usd_price=D(100)), Asset(name="Y", usd_price=D(1000)), lent),
        wallets={"USDT": OpeningWallet(balance=D(0), borrowed=D(900), interest=D(100)), "Y": 2},
        pool=MarginPool.ACCOUNT,
    )
    pool = engine.figures("a").pool("account")
    assert (pool.equity, pool.debt_initial_margin, pool.maintenance_margin) == (1000, 200, 100)
    assert pool.ratio == D("0.1")
    coin = engine.figures("a").coin("USDT")
    assert (coin.borrowed, coin.interest, coin.equity) == (900, 100, -1000)


def test_a_broken_peg_lowers_the_collateral(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(wallets={"USDT": 1000, "USDC": 1000}, pool=MarginPool.ACCOUNT, positions=(long_x(10),))
    engine.move_price("USDC", D("0.65"))
    assert engine.figures("a").pool("account").margin_balance == 1650


def test_margins_at_entry_do_not_follow_the_price(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(positions=(long_x(100),), rules={"margin_price": MarginPrice.ENTRY})
    engine.move_price("X", D("0.9"))
    pool = engine.figures("a").pool("USDT")
    assert (pool.initial_margin, pool.maintenance_margin, pool.unrealized_pnl) == (1000, 100, -1000)


def test_where_the_schedule_opens_a_leverage_is_for_isolated_positions(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(positions=(long_x(100),), leverage=5, rules={"initial_over_maintenance": D(2)})
    pool = engine.figures("a").pool("USDT")
    assert (pool.position_initial_margin, pool.maintenance_margin) == (200, 100)
    engine.set_leverage("a", "X-USDT", D(50))
    assert engine.figures("a").pool("USDT").position_initial_margin == 200
    buy = OrderSpec(symbol="X-USDT", side=OrderSide.BUY, quantity=D(100), type=OrderType.LIMIT, price=D(50))
    engine.place("a", buy)
    assert engine.figures("a").pool("USDT").order_initial_margin == 100, "two per cent of 5,000"
    with pytest.raises(Rejection, match="insufficient_margin"):
        engine.place("a", replace(buy, quantity=D(100_000)))
    isolated = build(
        positions=(long_x(100, margin_mode=MarginMode.ISOLATED),),
        leverage=5,
        rules={"initial_over_maintenance": D(2)},
    )
    assert isolated.figures("a").pool("X-USDT:net").position_initial_margin == 2000


def test_where_maintenance_is_a_part_of_the_initial_margin_the_leverage_sets_both(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    rules = {"maintenance_share": D("0.4"), "margin_price": MarginPrice.ENTRY}
    engine = build(positions=(long_x(100),), leverage=5, rules=rules)
    engine.move_price("X", D("0.9"))
    pool = engine.figures("a").pool("USDT")
    assert (pool.position_initial_margin, pool.maintenance_margin) == (2000, 800)
    assert pool.ratio == D(800) / D(9000)


def test_the_ratio_holds_the_liquidation_fee_where_the_venue_counts_it(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(
        positions=(long_x(100),),
        instrument={"liquidation_fee": D("0.005")},
        rules={"liquidation_fee_margined": True},
    )
    pool = engine.figures("a").pool("USDT")
    assert (pool.maintenance_margin, pool.liquidation_fee) == (100, 50)
    assert pool.ratio == D("0.015")


def test_isolated_position_is_a_pool_and_leaves_the_cross_one(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(positions=(long_x(100, margin_mode=MarginMode.ISOLATED),))
    engine.move_price("X", D("0.95"))
    figures = engine.figures("a")
    cross, isolated = figures.pool("USDT"), figures.pool("X-USDT:net")
    assert isolated.kind is UnitKind.ISOLATED_POSITION
    assert (isolated.wallet_balance, isolated.equity, isolated.maintenance_margin) == (1000, 500, 95)
    assert isolated.ratio == D("0.19")
    assert isolated.available == 0
    assert (cross.wallet_balance, cross.equity, cross.available) == (9000, 9000, 9000)
    coin = figures.coin("USDT")
    assert (coin.wallet_balance, coin.isolated_wallet, coin.cross_wallet) == (10_000, 1000, 9000)
    assert coin.equity == 9500
    row = figures.position("X-USDT")
    assert (row.isolated_wallet, row.isolated_margin) == (1000, 500)


def test_isolated_positions_are_no_part_of_an_account_pool(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(pool=MarginPool.ACCOUNT, positions=(long_x(100, margin_mode=MarginMode.ISOLATED),))
    engine.move_price("X", D("0.95"))
    pool = engine.figures("a").pool("account")
    assert (pool.equity, pool.position_initial_margin, pool.ratio) == (9000, 0, None)


def test_cross_positions_are_refused_where_only_isolated_ones_exist(build: Callable[..., Engine]) -> None:
    engine = build(pool=MarginPool.ISOLATED_ONLY, margin_mode=MarginMode.CROSS)
    assert engine.margin_mode("a", "X-USDT") is MarginMode.ISOLATED


def test_hedge_legs_have_one_liquidation_price(
    build: Callable[..., Engine],
    long_x: Callable[..., OpeningPosition],
    short_x: Callable[..., OpeningPosition],
) -> None:
    engine = build(
        position_mode=PositionMode.HEDGE, positions=(long_x(100), short_x(40)), wallets={"USDT": 1000}
    )
    figures = engine.figures("a")
    long, short = figures.position("X-USDT", Side.LONG), figures.position("X-USDT", Side.SHORT)
    assert long.liquidation_price == short.liquidation_price
    price = long.liquidation_price
    equity = 1000 + 60 * (price - 100)
    assert equity == pytest.approx(D("1.4") * price)


def test_a_full_hedge_has_a_liquidation_price_only_where_maintenance_outgrows_equity(
    build: Callable[..., Engine],
    long_x: Callable[..., OpeningPosition],
    short_x: Callable[..., OpeningPosition],
) -> None:
    engine = build(
        position_mode=PositionMode.HEDGE, positions=(long_x(100), short_x(100)), wallets={"USDT": 1000}
    )
    assert engine.figures("a").position("X-USDT", Side.LONG).liquidation_price == 500


def test_a_position_that_nothing_can_liquidate_has_no_liquidation_price(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(wallets={"USDT": 100_000}, positions=(long_x(10),))
    row = engine.figures("a").position("X-USDT")
    assert row.liquidation_price is None
    assert row.bankruptcy_price == 90


def test_positions_in_the_specification_are_there_without_a_fee(build: Callable[..., Engine]) -> None:
    engine = build(
        instrument={"taker_fee": D("0.01")},
        positions=(OpeningPosition(symbol="X-USDT", side=Side.SHORT, quantity=D(5), entry_price=D(120)),),
    )
    row = engine.figures("a").position("X-USDT")
    assert (row.side, row.quantity, row.signed_quantity) == (Side.SHORT, 5, -5)
    assert row.unrealized_pnl == 100
    assert engine.ledger("a") == {}
    assert engine.history == ()


def test_what_may_leave_holds_no_unrealized_gain(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(wallets={"USDT": 1000}, positions=(long_x(50, entry_price=D(80)),))
    coin = engine.figures("a").coin("USDT")
    assert coin.available == 1500
    assert coin.transferable == 1000


def test_figures_are_the_same_object_until_something_changes(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(positions=(long_x(1),))
    before = engine.figures("a")
    assert engine.figures("a") is before
    engine.place("a", order("buy", 1))
    assert engine.figures("a") is not before
