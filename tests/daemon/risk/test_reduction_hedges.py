from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.models import AccountSnapshot, Side
from daemon.risk.policy import Action, MarginPolicy, ReductionLimits
from daemon.risk.reason import Reason
from daemon.risk.reduction import Infeasible, ReductionPlan, plan_reduction

D = Decimal

BUILD = Any

FREE = ReductionLimits(fee_rate=D(0), expected_slippage=D(0), step_fraction=D(1))
"""No cost and no step: what is planned is the formula alone."""


def plan(
    build: BUILD,
    snapshot: AccountSnapshot,
    limits: ReductionLimits | None = None,
    *,
    unit: str = "account",
    step: int = 0,
    action: Action = Action.REDUCE,
    excluded: tuple[Any, ...] = (),
) -> ReductionPlan | Infeasible:
    policy = MarginPolicy(limits=limits or ReductionLimits())
    return plan_reduction(
        build.judge(snapshot, policy), snapshot, unit, policy, step=step, action=action, excluded=excluded
    )


def orders(found: ReductionPlan | Infeasible) -> list[tuple[str, Side, Decimal]]:
    assert isinstance(found, ReductionPlan)
    return [(order.position.symbol, order.position.side, order.quantity) for order in found.orders]


def hedge(build: BUILD, long: str, short: str, **short_rates: str | None) -> list[Any]:
    return [
        build.Row(hedged=True, quantity=long),
        build.Row(hedged=True, quantity=short, side=Side.SHORT, **short_rates),
    ]


def test_of_a_hedge_the_overhang_of_the_larger_leg_goes_first(build: BUILD) -> None:
    found = plan(build, build.book(12_000, hedge(build, "2", "1.8")), FREE)

    assert orders(found) == [("BTCUSDT", Side.LONG, D("0.2"))]


def test_a_balanced_hedge_is_cut_on_both_sides_alike(build: BUILD) -> None:
    found = plan(build, build.book(20_000, hedge(build, "2", "2")), FREE)

    # 20,000 of 20,000 used: 8,000 to free at 5,000 a leg and coin
    assert sorted(orders(found)) == [
        ("BTCUSDT", Side.LONG, D("0.8")),
        ("BTCUSDT", Side.SHORT, D("0.8")),
    ]


def test_of_a_hedge_whose_larger_leg_is_charged_nothing_both_are_cut(build: BUILD) -> None:
    rows = hedge(build, "1", "2", initial="0", maintenance="0")
    found = plan(build, build.book(5_000, rows), FREE)

    # the overhang of the short would free nothing, and the long alone would bare the hedge
    assert orders(found) == [("BTCUSDT", Side.SHORT, D("0.4")), ("BTCUSDT", Side.LONG, D("0.4"))]


rates = st.integers(min_value=4, max_value=400).map(lambda n: str(D(n) / 1000))


def keys(snapshot: AccountSnapshot, *sides: Side) -> tuple[Any, ...]:
    return tuple(position.key for position in snapshot.positions if position.side in sides)


def test_a_leg_is_not_cut_alone_while_its_larger_twin_rests(build: BUILD) -> None:
    snapshot = build.book(22_000, hedge(build, "2.5", "2"))
    found = plan(build, snapshot, FREE, excluded=keys(snapshot, Side.LONG))

    assert isinstance(found, Infeasible)
    assert found.reason is Reason.NOTHING_ORDERABLE
    assert "hedged" in found.detail


def test_the_other_positions_are_cut_while_a_hedge_rests(build: BUILD) -> None:
    rows = [
        *hedge(build, "2", "2"),
        build.Row(symbol="ETHUSDT", quantity="10", mark="3000", entry="3000", initial="0.3"),
    ]
    snapshot = build.book(30_000, rows)
    found = plan(build, snapshot, FREE, excluded=(snapshot.positions[0].key,))

    assert [symbol for symbol, _, _ in orders(found)] == ["ETHUSDT"]


def test_the_orders_of_a_pair_share_a_group_and_others_have_none(build: BUILD) -> None:
    rows = [
        build.Row(symbol="SOLUSDT", quantity="10", mark="100", entry="100", initial="0.5"),
        *hedge(build, "2", "1.9999"),
    ]
    found = plan(build, build.book(20_000, rows), FREE)

    assert isinstance(found, ReductionPlan)
    assert [(o.position.symbol, o.position.side, o.group) for o in found.orders] == [
        ("SOLUSDT", Side.LONG, None),
        ("BTCUSDT", Side.LONG, 1),
        ("BTCUSDT", Side.SHORT, 1),
    ]


sizes = st.integers(min_value=1, max_value=3000).map(lambda n: str(D(n) / 1000))


@settings(max_examples=200)
@given(
    long=sizes,
    short=sizes,
    equity=st.integers(min_value=100, max_value=30_000),
    resting=st.sets(st.sampled_from(Side)),
    least=st.sampled_from(["0.001", "0.5"]),
    cap=st.none() | st.just(D("0.7")),
    action=st.sampled_from([Action.REDUCE, Action.FLATTEN]),
    step=st.integers(min_value=0, max_value=3),
)
def test_no_step_bares_a_hedge(
    *,
    build: BUILD,
    long: str,
    short: str,
    equity: int,
    resting: set[Side],
    least: str,
    cap: Decimal | None,
    action: Action,
    step: int,
) -> None:
    rules = build.rules(min_quantity=D(least), max_limit_quantity=cap)
    snapshot = build.book(equity, hedge(build, long, short), markets=[rules])
    found = plan(build, snapshot, step=step, action=action, excluded=keys(snapshot, *resting))

    if isinstance(found, Infeasible):
        return
    cut = {order.position.side: order.quantity for order in found.orders}
    left = {side: D(size) - cut.get(side, D(0)) for side, size in zip(Side, (long, short), strict=True)}
    assert not resting & set(cut)
    assert abs(left[Side.LONG] - left[Side.SHORT]) <= abs(D(long) - D(short))
    assert len(found.orders) == 1 or found.orders[0].group is not None
    assert found.orders[-1].quantity <= found.orders[0].quantity


def test_flatten_closes_the_units_own_positions_whole(build: BUILD) -> None:
    rows = [
        *hedge(build, "2", "1"),
        build.Row(symbol="ETHUSDT", quantity="1", mark="3000", entry="3000"),
        build.Row(symbol="SOLUSDT", quantity="1", mark="100", entry="100"),
    ]
    found = plan(build, build.book(1_000_000, rows), action=Action.FLATTEN)

    assert orders(found) == [
        ("BTCUSDT", Side.LONG, D(2)),
        ("BTCUSDT", Side.SHORT, D(1)),
        ("ETHUSDT", Side.LONG, D(1)),
    ]
    assert isinstance(found, ReductionPlan)
    assert found.action is Action.FLATTEN
