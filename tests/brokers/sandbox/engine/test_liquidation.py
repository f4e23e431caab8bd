"""When the venue liquidates, in which steps, and what it costs."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.models import MarginMode, MarginTier, OrderSide, PositionMode, Side
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import Actor, Event, Filled, LedgerKind, LiquidationEnded, LiquidationStarted
from brokers.sandbox.instrument import maintenance_tiers
from brokers.sandbox.orders import CancelReason, OrderSpec, OrderStatus, Refusal, Rejection, Trigger
from brokers.sandbox.spec import Asset, MarginPool, OpeningPosition, OpeningWallet

D = Decimal
E = TypeVar("E", bound=Event)


def events(engine: Engine, kind: type[E]) -> list[E]:
    return [event for event in engine.history if isinstance(event, kind)]


@settings(max_examples=100, deadline=None)
@given(
    cash=st.integers(1, 5000),
    quantity=st.integers(1, 200),
    side=st.sampled_from(Side),
    percent=st.integers(1, 300),
    fee_counts=st.booleans(),
)
def test_the_venue_acts_if_and_only_if_the_requirement_reaches_equity(
    build: Callable[..., Engine], *, cash: int, quantity: int, side: Side, percent: int, fee_counts: bool
) -> None:
    engine = build(
        wallets={"USDT": cash},
        positions=(OpeningPosition(symbol="X-USDT", side=side, quantity=D(quantity), entry_price=D(100)),),
        instrument={"liquidation_fee": D("0.005")},
        rules={"liquidation_fee_margined": fee_counts, "partial_liquidation": False},
    )
    price = D(percent)
    engine.move_price("X", price / 100)
    sign = 1 if side is Side.LONG else -1
    equity = cash + sign * quantity * (price - 100)
    required = quantity * price * (D("0.015") if fee_counts else D("0.01"))
    assert (engine.figures("a").positions == ()) is (required >= equity)


@pytest.mark.parametrize(("cash", "gone"), [("1090", True), ("1090.01", False)])
def test_equity_equal_to_the_requirement_is_too_little(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], *, cash: str, gone: bool
) -> None:
    engine = build(wallets={"USDT": cash}, positions=(long_x(100),))
    engine.move_price("X", D("0.9"))
    assert (engine.figures("a").positions == ()) is gone


@pytest.mark.parametrize(("ratio", "gone"), [("1", False), ("0.5", True)])
def test_a_venue_may_act_before_the_ratio_is_one(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], *, ratio: str, gone: bool
) -> None:
    engine = build(wallets={"USDT": 1000}, positions=(long_x(100),), rules={"liquidation_ratio": D(ratio)})
    engine.move_price("X", D("0.918"))
    assert (engine.figures("a").positions == ()) is gone


def test_liquidation_cancels_orders_closes_and_charges(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(
        wallets={"USDT": 1000},
        positions=(long_x(80),),
        instrument={"liquidation_fee": D("0.01")},
    )
    engine.place("a", order("sell", 5, price=150, reduce_only=True, client_id="tp"))
    engine.place("a", order("buy", 1, price=50, client_id="bid"))
    engine.place("a", order("sell", 80, reduce_only=True, trigger=Trigger(price=D(60)), client_id="stop"))
    engine.move_price("X", D("0.88"))
    (started,) = events(engine, LiquidationStarted)
    assert (started.pool, started.equity) == ("USDT", 40)
    for client_id in ("tp", "bid", "stop"):
        order_ = engine.find_order("a", client_id=client_id)
        assert (order_.status, order_.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.LIQUIDATION)
    (filled,) = [event for event in events(engine, Filled) if event.actor is Actor.LIQUIDATION]
    assert (filled.fill.quantity, filled.fill.price, filled.fill.order_id) == (80, 88, None)
    (ended,) = events(engine, LiquidationEnded)
    assert (ended.realized_pnl, ended.fees) == (-960, D("70.4"))
    assert ended.insurance == D("30.4")
    assert ended.loss == 1000
    assert engine.ledger("a")[("USDT", LedgerKind.LIQUIDATION_FEE)] == D("-70.4")
    assert engine.figures("a").coin("USDT").wallet_balance == 0


def test_a_crash_through_bankruptcy_costs_the_account_no_more_than_it_had(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(wallets={"USDT": 1000}, positions=(long_x(80),))
    engine.move_price("X", D("0.5"))
    assert engine.figures("a").coin("USDT").wallet_balance == 0
    (ended,) = events(engine, LiquidationEnded)
    assert (ended.insurance, ended.loss) == (3000, 1000)


TIERED = maintenance_tiers(("0", "0.01"), ("5000", "0.05"), ("20000", "0.1"))


def test_partial_liquidation_steps_down_the_tiers_until_the_pool_is_sound(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(
        wallets={"USDT": 5000}, positions=(long_x(400),), instrument={"tiers": TIERED}, leverage=20
    )
    engine.move_price("X", D("0.93"))
    (filled,) = events(engine, Filled)
    figures = engine.figures("a")
    assert filled.fill.quantity == 400 - figures.position("X-USDT").quantity
    assert figures.position("X-USDT").notional <= 20_000
    assert figures.pool("USDT").ratio < 1
    assert len(events(engine, LiquidationEnded)) == 1


def test_venue_without_parts_closes_everything(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(
        wallets={"USDT": 5000},
        positions=(long_x(400),),
        instrument={"tiers": TIERED},
        leverage=20,
        rules={"partial_liquidation": False},
    )
    engine.move_price("X", D("0.93"))
    assert engine.figures("a").positions == ()


def test_the_largest_requirement_goes_first_and_the_rest_only_if_needed(build: Callable[..., Engine]) -> None:
    other = Asset(name="Z", usd_price=D(10))
    engine = build()
    listed = engine.instrument("X-USDT")
    second = replace(listed, name="Z-USDT", base="Z")
    engine = build(
        instruments=(listed, second),
        assets=(Asset(name="X", usd_price=D(100)), other, Asset(name="USDT", usd_price=D(1), stable=True)),
        wallets={"USDT": 1000},
        positions=(
            OpeningPosition(symbol="Z-USDT", side=Side.LONG, quantity=D(50)),
            OpeningPosition(symbol="X-USDT", side=Side.LONG, quantity=D(90)),
        ),
    )
    engine.move_price("X", D("0.898"))
    assert [row.symbol for row in engine.figures("a").positions] == ["Z-USDT"]


def test_an_unsound_pool_takes_one_step_a_tick_and_refuses_orders_meanwhile(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(
        wallets={"USDT": 6000},
        positions=(long_x(600),),
        instrument={"tiers": TIERED},
        leverage=20,
        tick_ms=100,
    )
    engine.move_price("X", D("0.9001"))
    row = engine.figures("a").position("X-USDT")
    assert row.in_liquidation
    with pytest.raises(Rejection) as caught:
        engine.place("a", order("sell", 1, reduce_only=True))
    assert caught.value.reason is Refusal.IN_LIQUIDATION
    engine.advance(engine.now_ms + 300)
    assert engine.figures("a").positions == ()
    assert events(engine, LiquidationEnded)[0].loss == 5994


def test_isolated_position_is_liquidated_alone(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(
        positions=(
            long_x(100, margin_mode=MarginMode.ISOLATED),
            OpeningPosition(symbol="X-USDT", side=Side.LONG, quantity=D(10), margin_mode=MarginMode.CROSS),
        ),
    )
    engine.move_price("X", D("0.89"))
    figures = engine.figures("a")
    assert [row.margin_mode for row in figures.positions] == [MarginMode.CROSS]
    (started,) = events(engine, LiquidationStarted)
    assert started.pool == "X-USDT:net"
    assert figures.coin("USDT").wallet_balance == 9000
    (ended,) = events(engine, LiquidationEnded)
    assert (ended.loss, ended.insurance) == (1000, 100)


def test_isolated_leg_of_a_hedge_is_named(
    build: Callable[..., Engine], short_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(
        position_mode=PositionMode.HEDGE, positions=(short_x(100, margin_mode=MarginMode.ISOLATED),)
    )
    engine.move_price("X", D("1.1"))
    (started,) = events(engine, LiquidationStarted)
    assert started.pool == "X-USDT:short"


def test_account_pool_is_carried_by_its_other_currencies(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(wallets={"USDT": 0, "Y": 1}, pool=MarginPool.ACCOUNT, positions=(long_x(50),))
    engine.move_price("X", D("0.9"))
    assert engine.figures("a").position("X-USDT") is not None
    engine.move_price("Y", D("0.6"))
    assert engine.figures("a").position("X-USDT") is None
    assert events(engine, LiquidationStarted)[0].pool == "account"


def test_deficit_of_an_account_pool_is_borne_by_the_venue(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(wallets={"USDT": 500, "Y": 1}, pool=MarginPool.ACCOUNT, positions=(long_x(100),))
    engine.move_price("X", D("0.5"))
    figures = engine.figures("a")
    assert figures.positions == ()
    assert figures.pool("account").equity == pytest.approx(D(0), abs=D("1e-9"))


INDEBTED = (
    Asset(name="X", usd_price=D(100)),
    Asset(name="Y", usd_price=D(1000)),
    Asset(
        name="USDT",
        usd_price=D(1),
        stable=True,
        borrow_initial_rate=D("0.2"),
        borrow_maintenance_rate=D("0.1"),
    ),
)


def test_debt_alone_can_bring_an_account_to_liquidation_and_is_repaid_from_collateral(
    build: Callable[..., Engine],
) -> None:
    engine = build(
        assets=INDEBTED,
        wallets={"USDT": OpeningWallet(balance=D(0), borrowed=D(900)), "Y": 1},
        pool=MarginPool.ACCOUNT,
    )
    engine.move_price("Y", D("1.0"))
    assert engine.figures("a").pool("account").ratio == D("0.9")
    engine.move_price("Y", D("0.98"))
    figures = engine.figures("a")
    assert figures.coin("USDT").borrowed == 0
    assert figures.pool("account").maintenance_margin == 0
    assert figures.pool("account").equity == pytest.approx(D("75.5"), abs=D("0.1"))
    assert len(events(engine, LiquidationStarted)) == 1


def test_debt_is_repaid_before_positions_are_touched(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(
        assets=INDEBTED,
        wallets={"USDT": OpeningWallet(balance=D(0), borrowed=D(2000)), "Y": 3},
        pool=MarginPool.ACCOUNT,
        positions=(long_x(50),),
    )
    engine.move_price("X", D("0.844"))
    figures = engine.figures("a")
    assert figures.position("X-USDT").quantity == 50
    assert figures.coin("USDT").borrowed == 0
    assert figures.pool("account").ratio < 1


def test_nothing_at_risk_is_never_liquidated(build: Callable[..., Engine]) -> None:
    engine = build(wallets={"USDT": 0})
    engine.move_price("X", D("0.5"))
    engine.advance(engine.now_ms + 10_000)
    assert engine.history == ()


def test_liquidation_happens_on_the_tick_not_between(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(wallets={"USDT": 1000}, positions=(long_x(100),), tick_ms=1000)
    engine.external_trade("a", "X-USDT", OrderSide.BUY, D(9900))
    engine.advance(engine.now_ms + 999)
    assert engine.figures("a").pool("USDT").ratio > 1
    engine.advance(engine.now_ms + 1)
    assert engine.figures("a").positions == ()


def test_maintenance_of_zero_leaves_positions_until_equity_is_gone(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(
        wallets={"USDT": 1000},
        positions=(long_x(100),),
        instrument={"tiers": (MarginTier(floor=D(0), rate=D(0), deduction=D(0)),)},
    )
    engine.move_price("X", D("0.901"))
    assert engine.figures("a").position("X-USDT") is not None
    engine.move_price("X", D("0.998"))
    assert engine.figures("a").position("X-USDT") is None
