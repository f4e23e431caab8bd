from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.models import AccountSnapshot, Measure, OrderSide, Side, Symbol, UnitKind
from daemon.risk.policy import Action, MarginPolicy, ReductionLimits
from daemon.risk.reason import Reason
from daemon.risk.reduction import Infeasible, ReductionPlan, plan_reduction
from daemon.risk.tiers import build_tiers

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


def test_the_cut_brings_the_worse_measure_exactly_to_its_target(build: BUILD) -> None:
    # 9,000 of 10,000 used by a notional of 50,000: a third must go to be at 60 %
    found = plan(build, build.levered(utilization="0.9"), FREE)

    assert isinstance(found, ReductionPlan)
    assert found.reaches_target
    (order,) = found.orders
    assert order.quantity == D("0.334")  # rounded up to the lot
    assert order.expected_utilization is not None
    assert D("0.599") < order.expected_utilization <= D("0.6")
    assert order.position.closing_side is OrderSide.SELL


def test_cost_makes_the_cut_larger_and_is_stated(build: BUILD) -> None:
    limits = replace(FREE, fee_rate=D("0.006"), expected_slippage=D("0.004"))
    found = plan(build, build.levered(utilization="0.9"), limits)

    assert isinstance(found, ReductionPlan)
    # (9,000 - 0.6 x 10,000) / (0.18 - 0.6 x 0.01) = 17,241.4
    assert found.orders[0].quantity == D("0.345")
    assert found.cost == found.orders[0].cost == D("0.345") * 50_000 * D("0.01")


def test_one_step_takes_at_most_its_fraction(build: BUILD) -> None:
    found = plan(build, build.levered(utilization="1.5"), replace(FREE, step_fraction=D("0.25")))

    assert orders(found) == [("BTCUSDT", Side.LONG, D("0.25"))]
    assert isinstance(found, ReductionPlan)
    assert not found.reaches_target


def test_the_position_that_frees_most_per_cost_goes_first(build: BUILD) -> None:
    rows = [
        build.Row(initial="0.05"),
        build.Row(symbol="SOLUSDT", quantity="100", mark="100", entry="100", initial="0.5"),
    ]
    found = plan(build, build.book(8_000, rows), FREE)

    # 7,500 of 8,000 used; 2,700 to free at 50 % of notional
    assert orders(found) == [("SOLUSDT", Side.LONG, D(54))]


def test_what_one_position_cannot_free_the_next_one_does(build: BUILD) -> None:
    rows = [
        build.Row(initial="0.1"),
        build.Row(symbol="SOLUSDT", quantity="10", mark="100", entry="100", initial="0.5"),
    ]
    found = plan(build, build.book(5_500, rows), FREE)

    # 5,500 used: 500 go with SOL, 1,700 more with 17,000 of BTC
    assert orders(found) == [("SOLUSDT", Side.LONG, D(10)), ("BTCUSDT", Side.LONG, D("0.34"))]


def test_no_more_positions_than_one_step_may_touch(build: BUILD) -> None:
    rows = [build.Row(symbol=f"{coin}USDT", quantity="0.1") for coin in ("AAA", "BBB", "CCC", "DDD", "EEE")]
    found = plan(build, build.book(2_500, rows), ReductionLimits(step_fraction=D("0.1")))

    assert len(orders(found)) == 3


def test_tiers_make_the_top_of_a_position_cheapest_to_free(build: BUILD) -> None:
    tiers = build_tiers([(D(0), D("0.01")), (D(40_000), D("0.11"))])
    row = build.Row(initial="0.01", maintenance="0.03")  # 50,000: 500 + 1,000 less what is below
    snapshot = build.book(2_000, [row], tiers={"BTCUSDT": tiers})
    flat_rate = plan(build, build.book(2_000, [row]), FREE)
    tiered = plan(build, snapshot, FREE)

    # 1,500 of 2,000 is 75 %: 700 to free, at 11 % from the top, or at 3 % on the average
    assert orders(tiered) == [("BTCUSDT", Side.LONG, D("0.128"))]
    assert orders(flat_rate) == [("BTCUSDT", Side.LONG, D("0.467"))]


def test_the_relief_is_scaled_to_a_venue_ratio_that_holds_more(build: BUILD) -> None:
    snapshot = build.levered(utilization="0.01", maintenance="0.6", unit={"venue_ratio": D("0.8")})
    found = plan(build, snapshot, FREE)

    # halving the position halves both: 0.8 to 0.4
    assert orders(found) == [("BTCUSDT", Side.LONG, D("0.5"))]


def test_positions_without_figures_share_what_the_unit_states(build: BUILD) -> None:
    rows = [build.Row(initial=None, maintenance=None)]
    snapshot = build.book(10_000, rows, unit={"initial_margin": D(9_000), "available_margin": D(1_000)})

    assert orders(plan(build, snapshot, FREE)) == [("BTCUSDT", Side.LONG, D("0.334"))]


def test_a_leverage_setting_tells_the_initial_margin_that_a_row_leaves_out(build: BUILD) -> None:
    row = build.Row(initial=None, maintenance="0.001").position(leverage_setting=D(5))
    unit = build.unit(initial_margin=D(10_000), available_margin=D(0), maintenance_margin=D(50))

    # orders may hold the rest: only what the row itself frees is reckoned with
    found = plan(build, build.snapshot(units=[unit], positions=[row]), FREE)
    assert orders(found) == [("BTCUSDT", Side.LONG, D("0.4"))]


def isolated(build: BUILD, *, used: str) -> AccountSnapshot:
    parent = build.unit(
        "USDT",
        equity=10_000,
        kind=UnitKind.CURRENCY,
        initial_margin=D(used),
        available_margin=10_000 - D(used),
        maintenance_margin=D(0),
    )
    child = build.unit(
        "BTCUSDT",
        equity=5_000,
        kind=UnitKind.ISOLATED_POSITION,
        parent="USDT",
        maintenance_margin=D(4_250),
        measures=frozenset({Measure.MAINTENANCE}),
    )
    row = build.Row(unit="BTCUSDT", initial="0.1", maintenance="0.085").position()
    return build.snapshot(units=[parent, child], positions=[row])


def test_initial_margin_of_a_parent_is_freed_by_the_units_under_it(build: BUILD) -> None:
    found = plan(build, isolated(build, used="9000"), FREE, unit="USDT")

    # 3,000 of the 5,000 that the isolated position holds
    assert orders(found) == [("BTCUSDT", Side.LONG, D("0.6"))]


def test_an_isolated_position_is_closed_whole_for_its_own_maintenance(build: BUILD) -> None:
    found = plan(build, isolated(build, used="5000"), FREE, unit="BTCUSDT")

    # a part would take its share of the margin along and leave the ratio where it was
    assert orders(found) == [("BTCUSDT", Side.LONG, D(1))]


def test_an_isolated_position_at_target_is_left_alone(build: BUILD) -> None:
    snapshot = isolated(build, used="5000")
    calm = replace(
        snapshot, units=(snapshot.units[0], replace(snapshot.units[1], maintenance_margin=D(2_000)))
    )
    found = plan(build, calm, unit="BTCUSDT")

    assert isinstance(found, Infeasible)
    assert found.reason is Reason.TARGET_REACHED


def test_at_target_there_is_nothing_to_plan(build: BUILD) -> None:
    found = plan(build, build.levered(utilization="0.6", maintenance="0.4"))

    assert isinstance(found, Infeasible)
    assert found.reason is Reason.TARGET_REACHED


def test_debt_that_even_a_flat_account_would_not_carry_is_its_own_answer(build: BUILD) -> None:
    snapshot = build.levered(utilization="0.1", unit={"maintenance_margin": D(9_500)})
    found = plan(build, snapshot)

    # 1,000 of 9,500 comes from the position; 8,500 of 10,000 stay
    assert isinstance(found, Infeasible)
    assert found.reason is Reason.REDUCING_CANNOT_HELP
    assert "even flat" in found.detail


def test_a_target_out_of_reach_still_leaves_the_danger_zone(build: BUILD) -> None:
    snapshot = build.levered(utilization="0.1", maintenance="0.5", unit={"maintenance_margin": D(9_500)})
    found = plan(build, snapshot, FREE)

    # even flat 4,500 of 10,000 stay above 40 %, but 77 % ends the level: 1,800 of the position's 5,000
    assert orders(found) == [("BTCUSDT", Side.LONG, D("0.36"))]
    assert isinstance(found, ReductionPlan)
    assert not found.reaches_target


def test_where_no_partial_cut_pays_only_the_whole_is_closed(build: BUILD) -> None:
    dear = ReductionLimits(fee_rate=D("0.2"), expected_slippage=D(0))
    snapshot = build.book(2_000, [build.Row(initial="0.0001", maintenance="0.03")])

    assert orders(plan(build, snapshot, dear)) == [("BTCUSDT", Side.LONG, D(1))]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"positions": ()}, Reason.NO_POSITIONS),
        ({"markets": {}}, Reason.NOTHING_ORDERABLE),
    ],
)
def test_what_cannot_be_ordered_is_said(*, build: BUILD, change: dict[str, Any], reason: Reason) -> None:
    found = plan(build, replace(build.levered(utilization="0.95"), **change))

    assert isinstance(found, Infeasible)
    assert found.reason is reason


def test_dust_is_named_and_the_rest_goes_on(build: BUILD) -> None:
    rows = [build.Row(), build.Row(symbol="SOLUSDT", quantity="0.01", mark="100", entry="100")]
    markets = [build.rules(), build.rules("SOLUSDT", min_quantity=D(1))]
    found = plan(build, build.book(5_500, rows, markets=markets), FREE)

    assert isinstance(found, ReductionPlan)
    assert [order.position.symbol for order in found.orders] == ["BTCUSDT"]
    assert [key[0] for key in found.dust] == ["SOLUSDT"]
    only_dust = plan(build, build.book("0.1", rows[1:], markets=markets), FREE)
    assert isinstance(only_dust, Infeasible)
    assert only_dust.reason is Reason.DUST


def test_an_excluded_position_is_passed_by(build: BUILD) -> None:
    rows = [build.Row(), build.Row(symbol="ETHUSDT", quantity="10", mark="3000", entry="3000")]
    snapshot = build.book(8_500, rows)
    halted = snapshot.positions[0].key

    assert [symbol for symbol, _, _ in orders(plan(build, snapshot, FREE, excluded=(halted,)))] == ["ETHUSDT"]


def test_what_the_venue_takes_in_no_size_is_not_orderable(build: BUILD) -> None:
    snapshot = build.levered(utilization="0.95")
    rules = build.rules(max_limit_quantity=D("0.0005"))
    found = plan(build, replace(snapshot, markets={rules.symbol: rules}))

    assert isinstance(found, Infeasible)
    assert found.reason is Reason.NOTHING_ORDERABLE
    flat = plan(build, replace(snapshot, markets={rules.symbol: rules}), action=Action.FLATTEN)
    assert isinstance(flat, Infeasible)
    assert flat.reason is Reason.NOTHING_ORDERABLE


def test_prices_widen_with_the_steps_and_end_at_market(build: BUILD) -> None:
    snapshot = build.levered(utilization="0.9")

    def price(step: int) -> Decimal | None:
        found = plan(build, snapshot, step=step)
        assert isinstance(found, ReductionPlan)
        return found.orders[0].limit_price

    assert [price(step) for step in range(4)] == [D(49_750), D(49_500), D(49_250), None]


def test_an_urgent_unit_goes_to_market(build: BUILD) -> None:
    found = plan(build, build.levered(utilization="0.97"))

    assert isinstance(found, ReductionPlan)
    assert found.orders[0].limit_price is None


def test_flatten_needs_no_market_rules_but_heeds_the_venues_maximum(build: BUILD) -> None:
    snapshot = build.levered()
    capped = replace(snapshot, markets={Symbol("BTCUSDT"): build.rules(max_limit_quantity=D("0.4"))})

    bare = plan(build, replace(snapshot, markets={}), action=Action.FLATTEN)
    assert orders(bare) == [("BTCUSDT", Side.LONG, D(1))]
    assert isinstance(bare, ReductionPlan)
    assert bare.orders[0].limit_price is None
    assert orders(plan(build, capped, action=Action.FLATTEN)) == [("BTCUSDT", Side.LONG, D("0.4"))]


def test_flatten_of_a_flat_unit_says_so(build: BUILD) -> None:
    found = plan(build, build.snapshot(), action=Action.FLATTEN)

    assert isinstance(found, Infeasible)
    assert found.reason is Reason.NO_POSITIONS


def test_an_impossible_request_is_refused(build: BUILD) -> None:
    with pytest.raises(ValueError, match="cannot plan"):
        plan(build, build.levered(), unit="USDC")
    with pytest.raises(ValueError, match="cannot plan"):
        plan(build, build.levered(), action=Action.TOP_UP)


rates = st.integers(min_value=4, max_value=400).map(lambda n: str(D(n) / 1000))


@settings(max_examples=150)
@given(
    equity=st.integers(min_value=100, max_value=100_000),
    first=st.tuples(rates, rates),
    second=st.tuples(rates, rates),
    side=st.sampled_from(Side),
    step=st.integers(min_value=0, max_value=6),
)
def test_a_step_never_raises_risk_and_never_exceeds_a_position(
    *, build: BUILD, equity: int, first: tuple[str, str], second: tuple[str, str], side: Side, step: int
) -> None:
    rows = [
        build.Row(initial=first[0], maintenance=first[1]),
        build.Row(
            symbol="ETHUSDT",
            quantity="7",
            mark="3000",
            entry="3000",
            side=side,
            initial=second[0],
            maintenance=second[1],
        ),
    ]
    snapshot = build.book(equity, rows)
    found = plan(build, snapshot, step=step)

    if isinstance(found, Infeasible):
        assert found.reason in {Reason.TARGET_REACHED, Reason.REDUCING_CANNOT_HELP}
        return
    before = build.judge(snapshot).units[0]
    last = found.orders[-1]
    assert len({order.position.key for order in found.orders}) == len(found.orders)
    assert all(0 < order.quantity <= order.position.quantity for order in found.orders)
    for was, becomes in (
        (before.utilization, last.expected_utilization),
        (before.maintenance_ratio, last.expected_maintenance),
    ):
        assert was is not None
        assert becomes is not None
        assert becomes <= max(was, D("0.4"))


def test_what_can_be_traded_is_cut_although_it_is_not_enough(build: BUILD) -> None:
    rows = [build.Row(quantity="4"), build.Row(symbol="ETHUSDT", quantity="10", mark="3000", entry="3000")]
    snapshot = build.book(25_000, rows)
    found = plan(build, snapshot, FREE, excluded=(snapshot.positions[0].key,))

    # 23,000 of 25,000 used, 20,000 of it by what is halted: the 3,000 of the other go, and it stays above
    assert orders(found) == [("ETHUSDT", Side.LONG, D(10))]
    assert isinstance(found, ReductionPlan)
    assert not found.reaches_target


def test_only_what_even_closing_everything_would_not_help_is_beyond_help(build: BUILD) -> None:
    debt = build.levered(utilization="0.1", unit={"maintenance_margin": D(9_500)})
    halted = build.levered(utilization="0.95", maintenance="0.85")

    def reason(snapshot: AccountSnapshot) -> Reason:
        found = plan(build, snapshot, excluded=(snapshot.positions[0].key,))
        assert isinstance(found, Infeasible)
        return found.reason

    assert reason(debt) is Reason.REDUCING_CANNOT_HELP
    assert reason(halted) is Reason.NOTHING_ORDERABLE


def test_a_position_of_unknown_worth_may_be_what_would_help(build: BUILD) -> None:
    rows = [build.Row(), build.Row(symbol="ETHUSDT", quantity="1", mark="3000", entry="3000")]
    snapshot = build.book(10_000, rows, unit={"maintenance_margin": D(13_000)})
    unpriced = replace(snapshot.positions[1], notional=None)
    found = plan(build, replace(snapshot, positions=(snapshot.positions[0], unpriced)), FREE)

    assert orders(found) == [("BTCUSDT", Side.LONG, D(1))]


def test_a_plan_that_gives_up_on_one_measure_does_not_claim_the_target(build: BUILD) -> None:
    # the maintenance is a debt's and stays; the utilization comes to target
    snapshot = build.levered(utilization="0.9", maintenance="0.05", unit={"maintenance_margin": D(9_000)})
    found = plan(build, snapshot, FREE)

    assert orders(found) == [("BTCUSDT", Side.LONG, D("0.334"))]
    assert isinstance(found, ReductionPlan)
    assert not found.reaches_target
