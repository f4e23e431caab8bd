from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.models import AccountSnapshot, OrderSide, Side, Symbol
from brokers.orders import OpenOrder, OrderBook
from daemon.risk.adding import increasing
from daemon.risk.exposure import Bound, ExposureLimits, Limit, Remedy
from daemon.risk.leverage import Load, members_of
from daemon.risk.picture import picture
from daemon.risk.plan import Infeasible, ReductionPlan
from daemon.risk.policy import Action, MarginPolicy, ReductionLimits
from daemon.risk.trimming import plan_closing, plan_trim

D = Decimal
BUILD = Any
WIDE = ReductionLimits(step_fraction=D(1), positions_per_step=20)
COINS = ("AAAUSDT", "BBBUSDT", "CCCUSDT")


def policy_of(**exposure: Limit) -> MarginPolicy:
    return MarginPolicy(exposure=ExposureLimits(**exposure), limits=WIDE)


def trim(most: object) -> Limit:
    return Limit(most=D(str(most)), remedy=Remedy.TRIM)


def over(build: BUILD, snapshot: AccountSnapshot, policy: MarginPolicy) -> list[Load]:
    loads = build.judge(snapshot, policy).units[0].exposure.loads
    return [load for load in loads if load.is_over]


@pytest.mark.parametrize(
    ("exposure", "told"),
    [
        ({"position_notional": trim(40_000)}, ["BTCUSDT of 50000, limit 40000"]),
        ({"position_notional": trim(50_000)}, []),
        ({"position_notional": replace(trim(1), by_symbol={"BTCUSDT": D(60_000)})}, []),
        ({"underlying_share": trim("4.5")}, ["BTC at 500 % of the margin equity, limit 450 %"]),
        ({"underlying_share": trim(5)}, []),
        ({"positions": trim(1)}, []),
    ],
)
def test_a_limit_is_broken_above_it_and_not_at_it(
    *, build: BUILD, exposure: dict[str, Limit], told: list[str]
) -> None:
    assert [str(load) for load in over(build, build.book(10_000), policy_of(**exposure))] == told


def test_long_and_short_of_a_symbol_and_all_symbols_of_a_coin_count_together(build: BUILD) -> None:
    rows = [build.Row(hedged=True), build.Row(side=Side.SHORT, quantity="0.5", hedged=True)]
    snapshot = build.book(50_000, rows)

    (load,) = over(build, snapshot, policy_of(position_notional=trim(70_000)))
    assert load.usage.used == 75_000
    (load,) = over(build, snapshot, policy_of(underlying_share=trim("1.4")))
    assert load.usage.ratio == D("1.5")
    (load,) = over(build, snapshot, policy_of(positions=trim(1)))
    assert str(load) == "2 positions, limit 1"


def test_the_number_of_positions_is_brought_down_where_the_smallest_is(build: BUILD) -> None:
    units = [build.unit("USDT"), build.unit("isolated")]
    rows = [build.Row(unit="USDT"), build.Row(symbol="ETHUSDT", unit="isolated", quantity="0.1")]
    snapshot = build.snapshot(units=units, positions=[row.position() for row in rows])
    judged = build.judge(snapshot, policy_of(positions=trim(1)))

    broken = {unit.key: [load.bound for load in unit.exposure.loads] for unit in judged.units}
    assert broken == {"USDT": [], "isolated": [Bound.POSITIONS]}


def order(side: OrderSide, quantity: str | None, symbol: str = "BTCUSDT", **more: Any) -> OpenOrder:  # noqa: ANN401
    values = {
        "order_id": "1",
        "client_order_id": None,
        "symbol": Symbol(symbol),
        "side": side,
        "quantity": None if quantity is None else D(quantity),
        "price": D(1),
        "reduce_only": False,
        "book": OrderBook.ACTIVE,
        "kind": "limit",
    }
    return OpenOrder(**values | more)


BUY, SELL = OrderSide.BUY, OrderSide.SELL


@pytest.mark.parametrize(
    ("resting", "adds"),
    [
        (order(BUY, "1"), {"position_notional", "underlying_share"}),
        (order(BUY, "1", reduce_only=True), set()),
        (order(SELL, "1"), set()),
        (order(SELL, "1.001"), {"position_notional", "underlying_share"}),  # it would turn the long
        (order(SELL, None), {"position_notional", "underlying_share"}),
        (order(BUY, "1", "ETHUSDT"), {"positions"}),
        (order(SELL, "1", "ETHUSDT"), {"positions"}),
    ],
)
def test_what_adds_to_a_limit_is_what_may_make_it_larger(
    *, build: BUILD, resting: OpenOrder, adds: set[str]
) -> None:
    exposure = {
        "position_notional": trim(1),
        "underlying_share": trim("0.1"),
        "positions": trim("0.5"),
    }
    snapshot = build.book(10_000, markets=[build.rules(), build.rules("ETHUSDT")])
    loads = over(build, snapshot, policy_of(**exposure))

    assert {load.bound.value for load in loads} == set(exposure)
    assert {load.bound.value for load in loads if increasing([resting], load, snapshot)} == adds


def test_of_a_hedged_symbol_every_order_that_can_open_may_add(build: BUILD) -> None:
    snapshot = build.book(10_000, [build.Row(hedged=True)])
    (load,) = over(build, snapshot, policy_of(position_notional=trim(1)))

    assert increasing([order(SELL, "1")], load, snapshot)


FLAT = {"mark": "100", "entry": "100", "hedged": True}
AMOUNTS = st.integers(min_value=1, max_value=3_000).map(lambda thousandths: str(D(thousandths) / 1000))


@st.composite
def books(draw: st.DrawFn) -> list[dict[str, Any]]:
    keys = draw(
        st.lists(
            st.tuples(st.sampled_from(COINS), st.sampled_from(list(Side))),
            min_size=1,
            max_size=6,
            unique=True,
        )
    )
    return [
        {
            "symbol": symbol,
            "side": side,
            "quantity": draw(AMOUNTS),
            "mark": "100",
            "entry": "100",
            "hedged": True,
        }
        for symbol, side in keys
    ]


LIMITS = st.one_of(
    st.integers(min_value=1, max_value=300).map(lambda most: {"position_notional": trim(most)}),
    st.integers(min_value=1, max_value=30).map(lambda tenths: {"underlying_share": trim(D(tenths) / 10)}),
    st.integers(min_value=1, max_value=5).map(lambda most: {"positions": trim(most)}),
)


def check_that_it_only_reduces(found: ReductionPlan, snapshot: AccountSnapshot) -> AccountSnapshot:
    """Every order is within its position and no symbol's net grows; return what is left."""
    cut = {order.position.key: order.quantity for order in found.orders}
    assert len(cut) == len(found.orders)
    for symbol in {row.symbol for row in snapshot.positions}:
        rows = [row for row in snapshot.positions if row.symbol == symbol]
        signed = {row.key: 1 if row.side is Side.LONG else -1 for row in rows}
        before = sum(signed[row.key] * row.quantity for row in rows)
        after = sum(signed[row.key] * (row.quantity - cut.get(row.key, 0)) for row in rows)
        assert abs(after) <= abs(before)
    left = []
    for row in snapshot.positions:
        quantity = row.quantity - cut.get(row.key, D(0))
        assert 0 <= quantity <= row.quantity
        if quantity > 0:
            left.append(replace(row, quantity=quantity, notional=quantity * 100))
    return replace(snapshot, positions=tuple(left))


@settings(max_examples=200)
@given(rows=books(), exposure=LIMITS)
def test_a_trim_keeps_its_limit_and_never_does_more_than_reduce(
    *, build: BUILD, rows: list[dict[str, Any]], exposure: dict[str, Limit]
) -> None:
    snapshot, policy = build.book(200, [build.Row(**row) for row in rows]), policy_of(**exposure)
    for load in over(build, snapshot, policy):
        found = plan_trim(load, snapshot, policy, step=0)
        if isinstance(found, Infeasible):
            assert found.detail
            continue
        left = check_that_it_only_reduces(found, snapshot)
        assert found.action is Action.REDUCE
        if load.bound is Bound.POSITIONS:
            assert len(left.positions) <= load.cap
        elif found.reaches_target:
            members = members_of(load.bound, load.subject, picture(left)[0], left)
            used = sum((one.notional or D(0) for one in members), D(0))
            capacity = load.usage.capacity - (found.cost if load.bound is Bound.UNDERLYING_SHARE else 0)
            assert used == 0 or used <= load.cap * capacity


@settings(max_examples=200)
@given(rows=books(), exposure=LIMITS)
def test_closing_takes_everything_that_is_bounded_and_beyond_it_only_its_hedge(
    *, build: BUILD, rows: list[dict[str, Any]], exposure: dict[str, Limit]
) -> None:
    snapshot, policy = build.book(200, [build.Row(**row) for row in rows]), policy_of(**exposure)
    for load in over(build, snapshot, policy):
        found = plan_closing(load.key, snapshot, policy, step=0)
        assert isinstance(found, ReductionPlan)
        left = check_that_it_only_reduces(found, snapshot)
        assert (found.action, found.bound) == (Action.FLATTEN, load.key)
        assert not load.members.intersection(row.key for row in left.positions)
        closed = {row.symbol for row in snapshot.positions} - {row.symbol for row in left.positions}
        assert closed == {row.symbol for row in snapshot.positions if row.key in load.members}
