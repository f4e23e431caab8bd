"""Positions of several symbols that a venue margins as the larger of their long and their short.

Source: Kraken support 4844463246100, "Margin Netting".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brokers.models import AccountSnapshot, MarginMode, Position, Side
from daemon.risk.guard import ApprovedPlan, History, RefusedPlan, approve
from daemon.risk.policy import Action, MarginPolicy, ReductionLimits
from daemon.risk.reason import Reason
from daemon.risk.reduction import Infeasible, ReductionPlan, plan_reduction

D = Decimal
BUILD = Any

PRICE, RATE = D(50_000), D("0.1")
FREE = ReductionLimits(fee_rate=D(0), expected_slippage=D(0), step_fraction=D(1))
PERPETUAL, MARCH, JUNE = "PF_XBTUSD", "FF_XBTUSD_270326", "FF_XBTUSD_270625"


@dataclass(frozen=True)
class Leg:
    """One position of a hedge across symbols."""

    symbol: str
    side: Side
    quantity: str


def need(quantities: Mapping[Side, Decimal]) -> Decimal:
    """What the venue asks for: the larger side alone."""
    return max(quantities.values(), default=D(0)) * PRICE * RATE


def sums(amounts: Sequence[tuple[Side, Decimal]]) -> dict[Side, Decimal]:
    return {side: sum((q for s, q in amounts if s is side), D(0)) for side in Side}


def netted(
    build: BUILD, legs: Sequence[Leg], equity: object, *, lots: Mapping[str, str] | None = None
) -> AccountSnapshot:
    """An account whose rows are margined as an adapter shows them: the smaller side needs nothing."""
    both = sums([(leg.side, D(leg.quantity)) for leg in legs])
    larger = max(both, key=lambda side: both[side])
    rows = [
        build.Row(
            symbol=leg.symbol,
            side=leg.side,
            quantity=leg.quantity,
            initial="0.1" if leg.side is larger else "0",
            maintenance="0.05" if leg.side is larger else "0",
        )
        for leg in legs
    ]
    steps = {leg.symbol: D((lots or {}).get(leg.symbol, "0.001")) for leg in legs}
    markets = [build.rules(name, lot_step=step, min_quantity=step) for name, step in steps.items()]
    snapshot = build.book(equity, rows, markets=markets)
    positions = tuple(replace(position, netting="flex:BTC:1") for position in snapshot.positions)
    return replace(snapshot, positions=positions)


def plan(
    build: BUILD, snapshot: AccountSnapshot, action: Action = Action.REDUCE, limits: ReductionLimits = FREE
) -> ReductionPlan | Infeasible:
    policy = MarginPolicy(limits=limits)
    return plan_reduction(build.judge(snapshot, policy), snapshot, "account", policy, step=0, action=action)


def checked(build: BUILD, found: ReductionPlan, snapshot: AccountSnapshot) -> ApprovedPlan | RefusedPlan:
    policy = MarginPolicy(limits=FREE)
    return approve(
        found,
        snapshot=snapshot,
        assessment=build.judge(snapshot, policy),
        policy=policy,
        history=History(orders_last_minute=0, steps_in_episode=0),
        now=snapshot.fetched_at,
    )


def orders(found: ReductionPlan | Infeasible) -> list[tuple[str, Side, Decimal, int | None]]:
    assert isinstance(found, ReductionPlan)
    return [(o.position.symbol, o.position.side, o.quantity, o.group) for o in found.orders]


def left(snapshot: AccountSnapshot, found: ReductionPlan) -> dict[Side, Decimal]:
    cut = {order.position.key: order.quantity for order in found.orders}
    return sums([(p.side, p.quantity - cut.get(p.key, D(0))) for p in snapshot.positions])


def test_the_larger_side_is_cut_no_further_than_it_frees_margin(build: BUILD) -> None:
    legs = [Leg(PERPETUAL, Side.LONG, "2"), Leg(MARCH, Side.SHORT, "1.8")]
    found = plan(build, netted(build, legs, 12_000))

    assert orders(found) == [(PERPETUAL, Side.LONG, D("0.2"), None)]


def test_a_balanced_pair_of_two_symbols_is_cut_on_both_sides_as_one(build: BUILD) -> None:
    legs = [Leg(PERPETUAL, Side.LONG, "2"), Leg(MARCH, Side.SHORT, "2")]
    found = plan(build, netted(build, legs, 10_000))

    # 10,000 of 10,000 used, by one side alone: 4,000 to free at 5,000 a coin
    assert orders(found) == [(PERPETUAL, Side.LONG, D("0.8"), 0), (MARCH, Side.SHORT, D("0.8"), 0)]


def test_of_three_legs_the_overhang_is_that_of_the_sides(build: BUILD) -> None:
    legs = [Leg(PERPETUAL, Side.LONG, "2"), Leg(MARCH, Side.LONG, "1"), Leg(JUNE, Side.SHORT, "2.6")]
    found = plan(build, netted(build, legs, 15_000))

    # the short is the largest position, and the lighter side all the same
    assert orders(found) == [(PERPETUAL, Side.LONG, D("0.4"), None)]


def test_steps_that_differ_are_taken_at_the_coarser_one(build: BUILD) -> None:
    legs = [Leg(PERPETUAL, Side.LONG, "2.345"), Leg(MARCH, Side.SHORT, "2.3")]
    lots = {PERPETUAL: "0.001", MARCH: "0.1"}
    snapshot = netted(build, legs, 100_000, lots=lots)
    closing = plan(build, snapshot, Action.FLATTEN)

    assert orders(closing) == [(PERPETUAL, Side.LONG, D("2.345"), 0), (MARCH, Side.SHORT, D("2.3"), 0)]
    even = netted(build, [Leg(PERPETUAL, Side.LONG, "2.3"), Leg(MARCH, Side.SHORT, "2.3")], 11_500, lots=lots)
    # 0.92 coins would do
    assert orders(plan(build, even)) == [(PERPETUAL, Side.LONG, D(1), 0), (MARCH, Side.SHORT, D(1), 0)]


def test_flattening_many_legs_takes_a_pair_a_step_and_keeps_the_net(build: BUILD) -> None:
    legs = [Leg(PERPETUAL, Side.LONG, "5"), Leg(MARCH, Side.LONG, "5"), Leg(JUNE, Side.SHORT, "8")]
    found = plan(build, netted(build, legs, 1_000_000), Action.FLATTEN)

    assert orders(found) == [(PERPETUAL, Side.LONG, D(5), 0), (JUNE, Side.SHORT, D(5), 0)]


def test_a_step_of_flattening_takes_no_more_than_keeps_the_net(build: BUILD) -> None:
    light = [Leg(MARCH, Side.SHORT, "4"), Leg(JUNE, Side.SHORT, "1")]
    found = plan(build, netted(build, [Leg(PERPETUAL, Side.LONG, "6"), *light], 1_000_000), Action.FLATTEN)

    assert orders(found) == [(PERPETUAL, Side.LONG, D(5), 0), (MARCH, Side.SHORT, D(4), 0)]
    heavy = [Leg(PERPETUAL, Side.LONG, "1.25"), Leg(MARCH, Side.LONG, "0.77")]
    snapshot = netted(build, [*heavy, Leg(JUNE, Side.SHORT, "2")], 1_000_000, lots={JUNE: "0.1"})
    found = plan(build, snapshot, Action.FLATTEN)

    assert orders(found) == [(PERPETUAL, Side.LONG, D("1.22"), 0), (JUNE, Side.SHORT, D("1.2"), 0)]


def test_a_leg_too_small_to_order_does_not_keep_the_others_open(build: BUILD) -> None:
    small = [Leg(PERPETUAL, Side.LONG, "0.09"), Leg(MARCH, Side.LONG, "0.05"), Leg(JUNE, Side.SHORT, "0.14")]
    snapshot = netted(build, small, 600, lots={PERPETUAL: "0.1"})

    # all of them are balanced, and the larger long cannot be ordered
    assert orders(plan(build, snapshot, Action.FLATTEN)) == [
        (JUNE, Side.SHORT, D("0.05"), 0),
        (MARCH, Side.LONG, D("0.05"), 0),
    ]
    assert {symbol for symbol, *_ in orders(plan(build, snapshot))} == {JUNE, MARCH}


def test_an_overhang_of_several_legs_leaves_no_dust_of_the_first(build: BUILD) -> None:
    legs = [Leg(PERPETUAL, Side.LONG, "2"), Leg(MARCH, Side.LONG, "1"), Leg(JUNE, Side.SHORT, "0.5")]
    found = plan(build, netted(build, legs, 10_000, lots={PERPETUAL: "0.5"}))

    # 15,000 of 10,000 used, 9,000 to free: 1.8 of the two, and what then is left could not be ordered
    assert orders(found) == [(PERPETUAL, Side.LONG, D(2), None)]


def test_many_legs_are_not_closed_at_once_where_only_closing_all_would_pay(build: BUILD) -> None:
    dear = ReductionLimits(fee_rate=D("0.2"), expected_slippage=D(0))
    two = [Leg(PERPETUAL, Side.LONG, "1"), Leg(MARCH, Side.SHORT, "1")]
    assert len(orders(plan(build, netted(build, two, 80_000_000), Action.FLATTEN, dear))) == 2
    three = [Leg(PERPETUAL, Side.LONG, "0.5"), Leg(MARCH, Side.LONG, "0.5"), Leg(JUNE, Side.SHORT, "1")]
    found = plan(build, netted(build, three, 5_000), limits=dear)

    # the order of the legs would bare one of them on the way
    assert isinstance(found, Infeasible)
    assert found.reason is Reason.NOTHING_ORDERABLE


def test_other_margin_modes_are_no_part_of_it(build: BUILD) -> None:
    legs = [Leg(PERPETUAL, Side.LONG, "2"), Leg(MARCH, Side.SHORT, "2")]
    snapshot = netted(build, legs, 10_000)
    long, short = snapshot.positions
    alone = replace(short, margin_mode=MarginMode.ISOLATED)
    found = plan(build, replace(snapshot, positions=(long, alone)))

    assert orders(found) == [(PERPETUAL, Side.LONG, D("0.8"), None)]


@pytest.mark.parametrize("side", Side)
def test_the_guard_refuses_what_bares_a_hedge_of_two_symbols(build: BUILD, side: Side) -> None:
    legs = [Leg(PERPETUAL, Side.LONG, "2"), Leg(MARCH, Side.SHORT, "2")]
    snapshot = netted(build, legs, 10_000)
    found = plan(build, snapshot)
    assert isinstance(found, ReductionPlan)
    assert isinstance(checked(build, found, snapshot), ApprovedPlan)
    half = replace(found, orders=tuple(o for o in found.orders if o.position.side is side))
    refused = checked(build, half, snapshot)
    assert isinstance(refused, RefusedPlan)
    assert Reason.NET_GREW in refused.reasons


def test_the_guard_wants_legs_of_two_symbols_tied(build: BUILD) -> None:
    legs = [Leg(PERPETUAL, Side.LONG, "2"), Leg(MARCH, Side.SHORT, "2")]
    snapshot = netted(build, legs, 10_000)
    found = plan(build, snapshot)
    assert isinstance(found, ReductionPlan)
    loose = replace(found, orders=tuple(replace(order, group=None) for order in found.orders))
    refused = checked(build, loose, snapshot)
    assert isinstance(refused, RefusedPlan)
    assert refused.reasons == (Reason.NET_GREW,)


sizes = st.integers(min_value=1, max_value=3000).map(lambda n: str(D(n) / 1000))
books = st.lists(st.tuples(st.sampled_from(Side), sizes), min_size=1, max_size=4).map(
    lambda rows: [Leg(f"FF_XBTUSD_{n}", side, size) for n, (side, size) in enumerate(rows)]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(legs=books, share=st.integers(min_value=1, max_value=200), action=st.sampled_from(list(Action)[-2:]))
def test_every_step_frees_margin_and_none_bares_a_hedge(
    *, build: BUILD, legs: list[Leg], share: int, action: Action
) -> None:
    """Every step of a reduction frees margin by the venue's own rule; there is one while any is used."""
    before = sums([(leg.side, D(leg.quantity)) for leg in legs])
    snapshot = netted(build, legs, need(before) * share / 100 + 1)
    found = plan(build, snapshot, action)

    if isinstance(found, Infeasible):
        assert found.reason is Reason.TARGET_REACHED
        return
    after = left(snapshot, found)
    assert need(after) < need(before)
    assert abs(after[Side.LONG] - after[Side.SHORT]) <= abs(before[Side.LONG] - before[Side.SHORT])
    if action is Action.REDUCE:
        assert isinstance(checked(build, found, snapshot), ApprovedPlan)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(legs=books, small=st.sampled_from(["0.001", "0.1"]))
def test_flattening_ends(*, build: BUILD, legs: list[Leg], small: str) -> None:
    """Step by step nothing is left but what is too small to order, or hedges such."""
    lots = {legs[0].symbol: small}
    held = {leg.symbol: leg for leg in legs}
    for _ in range(12):
        rows = [leg for leg in held.values() if D(leg.quantity) > 0]
        if not rows:
            return
        found = plan(build, netted(build, rows, 1_000_000, lots=lots), Action.FLATTEN)
        if isinstance(found, Infeasible):
            break
        for order in found.orders:
            leg = held[order.position.symbol]
            held[leg.symbol] = replace(leg, quantity=str(D(leg.quantity) - order.quantity))
    rest: list[Position | Leg] = [leg for leg in held.values() if D(leg.quantity) > 0]
    assert all(D(leg.quantity) < D("0.2") for leg in rest), rest
