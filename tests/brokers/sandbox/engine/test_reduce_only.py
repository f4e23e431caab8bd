"""Reduce-only orders reduce, whatever else happens: by example, and against every sequence of acts."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from brokers.models import MarginMode, OrderSide, PositionMode, Side
from brokers.sandbox.catalogue import venue
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import Filled
from brokers.sandbox.orders import (
    CancelReason,
    OrderSpec,
    OrderStatus,
    OrderType,
    Refusal,
    Rejection,
    Trigger,
)
from brokers.sandbox.scenarios import slide
from brokers.sandbox.spec import (
    AccountSpec,
    MarginPool,
    OpeningPosition,
    OpeningWallet,
    OversizeRule,
    VenueRules,
)
from tests.depth import examples

D = Decimal


def refused(engine: Engine, spec: OrderSpec) -> Refusal:
    with pytest.raises(Rejection) as caught:
        engine.place("a", spec)
    return caught.value.reason


def test_nothing_to_reduce_is_refused(build: Callable[..., Engine], order: Callable[..., OrderSpec]) -> None:
    assert refused(build(), order("sell", 1, reduce_only=True)) is Refusal.NO_POSITION


def test_increasing_side_is_refused(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(positions=(long_x(10),))
    assert refused(engine, order("buy", 1, reduce_only=True)) is Refusal.REDUCE_ONLY_WRONG_SIDE


def test_oversize_order_is_clipped_to_the_position(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(positions=(long_x(10),))
    placed = engine.place("a", order("sell", 15, reduce_only=True))
    assert (placed.status, placed.quantity, placed.filled) == (OrderStatus.FILLED, 10, 10)
    assert engine.figures("a").positions == ()


def test_oversize_order_is_refused_where_the_venue_refuses(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(positions=(long_x(10),), rules={"oversize_reduce": OversizeRule.REJECT})
    assert refused(engine, order("sell", 11, reduce_only=True)) is Refusal.REDUCE_ONLY_TOO_LARGE


def test_open_reduce_only_orders_count_against_the_position(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(positions=(long_x(10),), rules={"oversize_reduce": OversizeRule.REJECT})
    engine.place("a", order("sell", 7, price=110, reduce_only=True))
    assert refused(engine, order("sell", 4, reduce_only=True)) is Refusal.REDUCE_ONLY_TOO_LARGE
    assert engine.place("a", order("sell", 3, reduce_only=True)).status is OrderStatus.FILLED


def test_resting_order_is_cancelled_when_the_position_is_gone(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(positions=(long_x(10),))
    engine.place("a", order("sell", 10, price=110, reduce_only=True, client_id="c"))
    engine.place("a", order("sell", 10))
    gone = engine.find_order("a", client_id="c")
    assert (gone.status, gone.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.POSITION_GONE)


def test_resting_order_never_fills_beyond_a_smaller_position(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(positions=(long_x(10),))
    engine.place("a", order("sell", 10, price=110, reduce_only=True, client_id="c"))
    engine.place("a", order("sell", 6))
    engine.move_price("X", D("1.2"))
    assert engine.figures("a").positions == ()
    assert engine.find_order("a", client_id="c").filled == 4


def test_minimum_does_not_bind_an_order_that_reduces(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(positions=(long_x(10),), instrument={"min_notional": D(100)})
    assert refused(engine, order("sell", "0.5")) is Refusal.MIN_NOTIONAL
    assert engine.place("a", order("sell", "0.5", reduce_only=True)).status is OrderStatus.FILLED


def test_minimum_binds_it_where_the_venue_makes_no_exception(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(
        positions=(long_x(10),),
        instrument={"min_notional": D(100)},
        rules={"reduce_only_exempt_from_minimum": False},
    )
    assert refused(engine, order("sell", "0.5", reduce_only=True)) is Refusal.MIN_NOTIONAL


def test_hedge_order_against_its_leg_reduces_by_nature(
    build: Callable[..., Engine],
    long_x: Callable[..., OpeningPosition],
    short_x: Callable[..., OpeningPosition],
    order: Callable[..., OrderSpec],
) -> None:
    engine = build(position_mode=PositionMode.HEDGE, positions=(long_x(10), short_x(4)))
    placed = engine.place("a", order("sell", 12, position_side=Side.LONG))
    assert (placed.reduce_only, placed.filled) == (True, 10)
    figures = engine.figures("a")
    assert figures.position("X-USDT", Side.LONG) is None
    assert figures.position("X-USDT", Side.SHORT).quantity == 4


def test_hedge_order_with_its_leg_increases_it(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(position_mode=PositionMode.HEDGE, positions=(long_x(10),))
    engine.place("a", order("sell", 3, position_side=Side.SHORT))
    figures = engine.figures("a")
    assert figures.position("X-USDT", Side.LONG).quantity == 10
    assert figures.position("X-USDT", Side.SHORT).quantity == 3


def test_hedge_order_without_a_leg_is_refused(
    build: Callable[..., Engine], order: Callable[..., OrderSpec]
) -> None:
    engine = build(position_mode=PositionMode.HEDGE)
    assert refused(engine, order("sell", 1)) is Refusal.WRONG_POSITION_SIDE


def test_order_in_the_other_margin_mode_finds_no_position(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(positions=(long_x(10),))
    spec = order("sell", 1, reduce_only=True, margin_mode=MarginMode.ISOLATED)
    assert refused(engine, spec) is Refusal.NO_POSITION


def test_close_position_needs_no_size(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(positions=(long_x("12.34"),))
    placed = engine.close_position("a", "X-USDT", client_id="c")
    assert (placed.status, placed.filled, placed.client_id) == (OrderStatus.FILLED, D("12.34"), "c")


def test_close_position_cancels_what_is_in_its_way_when_asked(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(positions=(long_x(10),), rules={"oversize_reduce": OversizeRule.REJECT})
    engine.place("a", order("sell", 7, price=110, reduce_only=True))
    assert engine.close_position("a", "X-USDT", cancel_orders=True).filled == 10
    assert engine.open_orders("a") == ()


def test_closing_what_open_orders_close_already_is_refused(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    engine = build(positions=(long_x(10),), rules={"oversize_reduce": OversizeRule.REJECT})
    engine.place("a", order("sell", 10, price=110, reduce_only=True))
    with pytest.raises(Rejection) as caught:
        engine.close_position("a", "X-USDT")
    assert caught.value.reason is Refusal.REDUCE_ONLY_TOO_LARGE


def test_closing_nothing_is_refused(build: Callable[..., Engine]) -> None:
    with pytest.raises(Rejection) as caught:
        build().close_position("a", "X-USDT")
    assert caught.value.reason is Refusal.NO_POSITION


class ReduceOnlyHolds(RuleBasedStateMachine):
    """Every fill of a reduce-only order makes its position smaller and never turns it."""

    position_mode = PositionMode.ONE_WAY
    venue_rules = VenueRules()

    def __init__(self) -> None:
        super().__init__()
        account = AccountSpec(
            name="a",
            api_key="key",
            secret="secret",
            wallets={"USDT": OpeningWallet(balance=D(50_000))},
            margin_pool=MarginPool.CURRENCY,
            position_mode=self.position_mode,
        )
        self.engine = Engine(venue([account], rules=self.venue_rules, scenario=slide()), seed=1)
        self.seen = 0
        self.held: dict[Side | None, Decimal] = {}

    @rule(
        side=st.sampled_from(OrderSide),
        lots=st.integers(1, 3000),
        reduce_only=st.booleans(),
        offset=st.sampled_from([None, -50, -5, 0, 5, 50]),
        leg=st.sampled_from(Side),
        stop=st.sampled_from([None, None, -40, 40]),
    )
    def place(
        self,
        *,
        side: OrderSide,
        lots: int,
        reduce_only: bool,
        offset: int | None,
        leg: Side,
        stop: int | None,
    ) -> None:
        mark = self.engine.ticker("BTC-USDT").mark
        spec = OrderSpec(
            symbol="BTC-USDT",
            side=side,
            quantity=D(lots) / 1000,
            type=OrderType.MARKET if offset is None else OrderType.LIMIT,
            price=None if offset is None else mark + offset,
            reduce_only=reduce_only,
            position_side=leg if self.position_mode is PositionMode.HEDGE else None,
            trigger=None if stop is None else Trigger(price=mark + stop),
        )
        try:
            self.engine.place("a", spec)
        except Rejection:
            return

    @precondition(lambda self: self.engine.open_orders("a"))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        order = data.draw(st.sampled_from(self.engine.open_orders("a")))
        self.engine.cancel("a", order_id=order.order_id)

    @rule(side=st.sampled_from(OrderSide), lots=st.integers(1, 2000), leg=st.sampled_from(Side))
    def somebody_else_trades(self, side: OrderSide, lots: int, leg: Side) -> None:
        hedged = self.position_mode is PositionMode.HEDGE
        try:
            self.engine.external_trade(
                "a", "BTC-USDT", side, D(lots) / 1000, position_side=leg if hedged else None
            )
        except Rejection:
            return

    @rule(ms=st.integers(1, 20_000))
    def wait(self, ms: int) -> None:
        self.engine.advance(self.engine.now_ms + ms)

    @invariant()
    def fills_of_reduce_only_orders_reduce(self) -> None:
        for event in self.engine.history_since(self.seen):
            self.seen = event.sequence
            if not isinstance(event, Filled):
                continue
            fill = event.fill
            before = self.held.get(fill.position_side, D(0))
            after = before + (fill.quantity if fill.side is OrderSide.BUY else -fill.quantity)
            if fill.reduce_only:
                assert abs(after) < abs(before)
                assert after * before >= 0
            self.held[fill.position_side] = after
        for row in self.engine.figures("a").positions:
            assert self.held[row.position_side] == row.signed_quantity


class ReduceOnlyHoldsInHedgeMode(ReduceOnlyHolds):
    """The same with two legs, at a venue that refuses what is too large."""

    position_mode = PositionMode.HEDGE
    venue_rules = VenueRules(oversize_reduce=OversizeRule.REJECT)


BRIEF = settings(max_examples=examples(40), stateful_step_count=25, deadline=None)
TestReduceOnlyHolds = ReduceOnlyHolds.TestCase
TestReduceOnlyHolds.settings = BRIEF
TestReduceOnlyHoldsInHedgeMode = ReduceOnlyHoldsInHedgeMode.TestCase
TestReduceOnlyHoldsInHedgeMode.settings = BRIEF
