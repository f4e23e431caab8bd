from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.models import AccountSnapshot, Finding, FindingCode, Side
from daemon.risk.guard import ApprovedPlan, History, RefusedPlan, approve
from daemon.risk.plan import first_step
from daemon.risk.policy import Action, MarginPolicy, ReductionLimits
from daemon.risk.reason import Reason
from daemon.risk.reduction import PlannedOrder, ReductionPlan, plan_reduction

D = Decimal
BUILD = Any
NOTHING_SENT = History(orders_last_minute=0, steps_in_episode=0)


def planned(
    build: BUILD,
    snapshot: AccountSnapshot,
    *,
    action: Action = Action.REDUCE,
    limits: ReductionLimits | None = None,
) -> ReductionPlan:
    policy = MarginPolicy(limits=limits or ReductionLimits())
    judged = build.judge(snapshot, policy)
    plan = plan_reduction(judged, snapshot, "account", policy, step=0, action=action)
    assert isinstance(plan, ReductionPlan)
    return plan


def judge(
    build: BUILD,
    plan: ReductionPlan,
    snapshot: AccountSnapshot,
    *,
    history: History = NOTHING_SENT,
    limits: ReductionLimits | None = None,
    late: float = 0,
) -> ApprovedPlan | RefusedPlan:
    policy = MarginPolicy(limits=limits or ReductionLimits())
    return approve(
        plan,
        snapshot=snapshot,
        assessment=build.judge(snapshot, policy),
        policy=policy,
        history=history,
        now=snapshot.fetched_at + timedelta(seconds=late),
    )


def reasons(verdict: ApprovedPlan | RefusedPlan) -> list[Reason]:
    return list(verdict.reasons) if isinstance(verdict, RefusedPlan) else []


def test_the_planners_plan_passes(build: BUILD) -> None:
    snapshot = build.levered(utilization="0.9", maintenance="0.8")
    plan = planned(build, snapshot)
    verdict = judge(build, plan, snapshot)

    assert isinstance(verdict, ApprovedPlan)
    assert verdict.plan is plan


def test_a_flatten_passes(build: BUILD) -> None:
    snapshot = build.levered(utilization="0.9", maintenance="0.8")

    assert isinstance(judge(build, planned(build, snapshot, action=Action.FLATTEN), snapshot), ApprovedPlan)


Bend = Callable[[BUILD, PlannedOrder], PlannedOrder]


@pytest.mark.parametrize(
    ("bend", "reason"),
    [
        (lambda _, o: replace(o, quantity=D("1.001")), Reason.MORE_THAN_POSITION),
        (lambda _, o: replace(o, quantity=D(0)), Reason.MORE_THAN_POSITION),
        (lambda _, o: replace(o, quantity=D("-0.1")), Reason.MORE_THAN_POSITION),
        (lambda b, o: replace(o, position=b.Row(side=Side.SHORT).position()), Reason.NOT_IN_SNAPSHOT),
        (lambda b, o: replace(o, position=b.Row(symbol="ETHUSDT").position()), Reason.NOT_IN_SNAPSHOT),
        (lambda _, o: replace(o, position=replace(o.position, quantity=D(2))), Reason.NOT_IN_SNAPSHOT),
        (lambda _, o: replace(o, quantity=D("0.0005")), Reason.OFF_STEP),
        (lambda _, o: replace(o, limit_price=D("49750.05")), Reason.OFF_STEP),
        (lambda _, o: replace(o, limit_price=D(0)), Reason.OFF_STEP),
        (lambda _, o: replace(o, limit_price=D(48_499)), Reason.PRICE_OUT_OF_BAND),
    ],
    ids=[
        "more than the position",
        "nothing",
        "negative",
        "other side",
        "other symbol",
        "row of another time",
        "off lot step",
        "off price step",
        "price 0",
        "price beyond the cap",
    ],
)
def test_an_order_that_does_not_provably_reduce_is_refused(
    *, build: BUILD, bend: Bend, reason: Reason
) -> None:
    snapshot = build.levered(utilization="0.9")
    plan = planned(build, snapshot)
    bent = replace(plan, orders=(bend(build, plan.orders[0]),))

    assert reason in reasons(judge(build, bent, snapshot))


def test_a_buy_beyond_its_cap_is_refused(build: BUILD) -> None:
    snapshot = build.book(5_500, [build.Row(side=Side.SHORT)])
    plan = planned(build, snapshot)
    bent = replace(plan, orders=(replace(plan.orders[0], limit_price=D(51_501)),))

    assert isinstance(judge(build, plan, snapshot), ApprovedPlan)
    assert reasons(judge(build, bent, snapshot)) == [Reason.PRICE_OUT_OF_BAND]


def test_market_rules_bound_every_order(build: BUILD) -> None:
    snapshot = build.levered(utilization="0.9")
    plan = planned(build, snapshot)

    def under(**rules: object) -> list[Reason]:
        market = build.rules(**rules)
        return reasons(judge(build, plan, replace(snapshot, markets={market.symbol: market})))

    assert Reason.ABOVE_MAXIMUM in under(max_limit_quantity=D("0.1"))
    assert Reason.BELOW_MINIMUM in under(min_quantity=D(1))
    assert Reason.BELOW_MINIMUM not in under(min_quantity=D(1), reduce_only_exempt_from_minimum=True)
    bare = reasons(judge(build, plan, replace(snapshot, markets={})))
    assert Reason.MARKET_RULES_MISSING in bare


def test_the_whole_at_market_needs_no_rules(build: BUILD) -> None:
    snapshot = replace(build.levered(utilization="0.9"), markets={})
    plan = planned(build, snapshot, action=Action.FLATTEN)

    assert isinstance(judge(build, plan, snapshot), ApprovedPlan)


def test_a_limit_without_a_mark_is_refused(build: BUILD) -> None:
    snapshot = build.levered(utilization="0.9")
    plan = planned(build, snapshot)
    row = replace(snapshot.positions[0], mark_price=None)
    bent = replace(plan, orders=(replace(plan.orders[0], position=row),))

    assert Reason.PRICE_OUT_OF_BAND in reasons(judge(build, bent, replace(snapshot, positions=(row,))))


def test_two_orders_on_one_position_are_refused(build: BUILD) -> None:
    snapshot = build.levered(utilization="0.9")
    plan = planned(build, snapshot)

    assert reasons(judge(build, replace(plan, orders=plan.orders * 2), snapshot)) == [
        Reason.DUPLICATE_POSITION
    ]


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        (replace(NOTHING_SENT, orders_last_minute=30), Reason.ORDER_BUDGET),
        (replace(NOTHING_SENT, steps_in_episode=40), Reason.STEP_BUDGET),
    ],
)
def test_budgets_hold(*, build: BUILD, history: History, reason: Reason) -> None:
    snapshot = build.levered(utilization="0.9", maintenance="0.8")

    assert reasons(judge(build, planned(build, snapshot), snapshot, history=history)) == [reason]


def test_the_last_order_within_the_budgets_passes(build: BUILD) -> None:
    snapshot = build.levered(utilization="0.9")
    almost = History(orders_last_minute=29, steps_in_episode=39)

    assert isinstance(judge(build, planned(build, snapshot), snapshot, history=almost), ApprovedPlan)


def test_the_step_budget_does_not_stop_a_flatten(build: BUILD) -> None:
    snapshot = build.levered(utilization="0.9")
    plan = planned(build, snapshot, action=Action.FLATTEN)
    spent = replace(NOTHING_SENT, steps_in_episode=99)

    assert isinstance(judge(build, plan, snapshot, history=spent), ApprovedPlan)


def test_a_plan_of_another_picture_is_refused(build: BUILD) -> None:
    snapshot = build.levered(utilization="0.9")
    later = build.levered(utilization="0.9", seconds=2)

    assert reasons(judge(build, planned(build, snapshot), later)) == [Reason.OTHER_SNAPSHOT]


def test_a_judgement_of_another_picture_is_refused(build: BUILD) -> None:
    snapshot = build.levered(utilization="0.9")
    verdict = approve(
        planned(build, snapshot),
        snapshot=snapshot,
        assessment=build.judge(build.levered(utilization="0.8")),
        policy=MarginPolicy(),
        history=NOTHING_SENT,
        now=snapshot.fetched_at,
    )

    assert reasons(verdict) == [Reason.OTHER_SNAPSHOT]


def test_a_picture_that_has_grown_old_is_refused(build: BUILD) -> None:
    snapshot = build.levered(utilization="0.9", age=1)
    plan = planned(build, snapshot)

    assert isinstance(judge(build, plan, snapshot, late=4), ApprovedPlan)
    assert reasons(judge(build, plan, snapshot, late=4.1)) == [Reason.STALE]


def test_a_picture_that_may_not_be_acted_upon_is_refused(build: BUILD) -> None:
    finding = Finding(code=FindingCode.INCOMPLETE, detail="page 2 missing")
    snapshot = build.levered(utilization="0.9", findings=[finding])

    assert reasons(judge(build, planned(build, snapshot), snapshot)) == [Reason.NOT_ACTIONABLE]


def test_an_empty_plan_is_refused(build: BUILD) -> None:
    snapshot = build.levered(utilization="0.9")
    plan = replace(planned(build, snapshot), orders=())

    assert reasons(judge(build, plan, snapshot)) == [Reason.EMPTY_PLAN]


@pytest.mark.parametrize(
    ("maintenance", "fee", "passes"),
    [("0.004", "0.003", True), ("0.004", "0.005", False)],
    ids=["r/c > M/E", "r/c < M/E"],
)
def test_an_order_that_costs_more_risk_than_it_frees_is_refused(
    *, build: BUILD, maintenance: str, fee: str, passes: bool
) -> None:
    # maintenance 200 of 220: each unit cut frees 0.004 and costs `fee` of what little equity there is
    snapshot = build.book(220, [build.Row(initial="0.0001", maintenance=maintenance)])
    limits = ReductionLimits(fee_rate=D(fee), expected_slippage=D(0))
    plan = replace(planned(build, snapshot, action=Action.FLATTEN, limits=limits), action=Action.REDUCE)
    half = replace(plan, orders=(replace(plan.orders[0], quantity=D("0.5")),))

    assert (reasons(judge(build, half, snapshot, limits=limits)) == []) is passes
    assert reasons(judge(build, plan, snapshot, limits=limits)) == []  # the whole leaves no requirement
    flatten = replace(half, action=Action.FLATTEN)
    assert reasons(judge(build, flatten, snapshot, limits=limits)) == []


def test_rows_that_state_no_margin_free_their_share_of_the_units(build: BUILD) -> None:
    rows = [build.Row(initial=None, maintenance=None, symbol=symbol) for symbol in ("BTCUSDT", "SOLUSDT")]
    figures = {
        "initial_margin": D(9_500),
        "available_margin": D(500),
        "maintenance_margin": D(3_000),
        "wallet_balance": None,
    }
    snapshot = build.book(10_000, rows, unit=figures)
    plan = planned(build, snapshot)

    assert isinstance(judge(build, plan, snapshot), ApprovedPlan)
    dear = ReductionLimits(fee_rate=D("0.2"), expected_slippage=D(0))
    assert Reason.RISK_NOT_REDUCED in reasons(judge(build, plan, snapshot, limits=dear))


def test_an_account_without_equity_may_still_be_cut(build: BUILD) -> None:
    snapshot = build.book(-50, [build.Row(entry="60000", mark="50000", initial="0.1", maintenance="0.05")])
    plan = planned(build, snapshot, action=Action.FLATTEN)

    # its equity is not believed yet, and that alone stands against it
    assert reasons(judge(build, plan, snapshot)) == [Reason.NOT_ACTIONABLE]


@settings(max_examples=150)
@given(
    quantity=st.integers(min_value=-2000, max_value=3000).map(lambda n: D(n) / 1000),
    price=st.none() | st.integers(min_value=-1000, max_value=120_000).map(D),
    side=st.sampled_from(Side),
    held=st.integers(min_value=1, max_value=1500).map(lambda n: D(n) / 1000),
)
def test_whatever_passes_cuts_a_row_of_the_snapshot(
    *, build: BUILD, quantity: Decimal, price: Decimal | None, side: Side, held: Decimal
) -> None:
    snapshot = build.book(5_500, [build.Row()])
    row = build.Row(side=side, quantity=str(held)).position()
    plan = planned(build, snapshot)
    order = replace(plan.orders[0], position=row, quantity=quantity, limit_price=price)
    verdict = judge(build, replace(plan, orders=(order,)), snapshot)

    if isinstance(verdict, ApprovedPlan):
        assert row == snapshot.positions[0]
        assert 0 < quantity <= row.quantity
        assert price is None or price >= D("48500")
    elif row == snapshot.positions[0] and 0 < quantity <= 1 and price is None:
        pytest.fail(f"refused an honest cut: {verdict.reasons}")


def hedged(build: BUILD) -> AccountSnapshot:
    rows = [
        build.Row(hedged=True, quantity="2"),
        build.Row(hedged=True, quantity="2", side=Side.SHORT),
    ]
    return build.book(21_000, rows)


def test_a_pair_passes_as_the_planner_tied_it(build: BUILD) -> None:
    snapshot = hedged(build)
    plan = planned(build, snapshot)

    assert len(plan.orders) == 2
    assert isinstance(judge(build, plan, snapshot), ApprovedPlan)


@pytest.mark.parametrize(
    "bend",
    [
        lambda first, _: (first,),
        lambda _, second: (second,),
        lambda first, second: (replace(first, group=None), replace(second, group=None)),
        lambda first, second: (first, replace(second, group=9)),
        lambda first, second: (replace(first, quantity=first.quantity / 2), second),
        lambda first, second: (first, replace(second, quantity=second.quantity / 2)),
    ],
    ids=["first alone", "second alone", "untied", "tied to another", "second larger", "net grows"],
)
def test_a_leg_that_may_go_alone_is_refused(
    *, build: BUILD, bend: Callable[[PlannedOrder, PlannedOrder], tuple[PlannedOrder, ...]]
) -> None:
    snapshot = hedged(build)
    plan = planned(build, snapshot)
    bent = replace(plan, orders=bend(*plan.orders))

    assert Reason.NET_GREW in reasons(judge(build, bent, snapshot))


def test_the_overhang_of_a_hedge_passes_and_not_a_lot_more_than_its_double(build: BUILD) -> None:
    rows = [build.Row(hedged=True, quantity="2.5"), build.Row(hedged=True, quantity="2", side=Side.SHORT)]
    snapshot = build.book(23_000, rows)
    plan = planned(build, snapshot)
    more = replace(plan, orders=(replace(plan.orders[0], quantity=D("1.001")),))
    other = replace(plan, orders=(replace(plan.orders[0], position=snapshot.positions[1], limit_price=None),))

    assert isinstance(judge(build, plan, snapshot), ApprovedPlan)
    assert reasons(judge(build, more, snapshot)) == [Reason.NET_GREW]
    assert reasons(judge(build, other, snapshot)) == [Reason.NET_GREW]


def test_despite_a_breaker_only_one_step_passes(build: BUILD) -> None:
    rows = (build.Row(), build.Row(symbol="ETHUSDT", side=Side.SHORT))
    snapshot = build.book(10_500, rows)
    plan = plan_reduction(build.judge(snapshot), snapshot, "account", MarginPolicy(), step=0)
    assert isinstance(plan, ReductionPlan)
    assert len(plan.orders) == 2
    spent = History(orders_last_minute=30, steps_in_episode=0, single_step=True)

    def verdict(plan: ReductionPlan, history: History) -> object:
        found = approve(
            plan,
            snapshot=snapshot,
            assessment=build.judge(snapshot),
            policy=MarginPolicy(),
            history=history,
            now=snapshot.fetched_at,
        )
        return found.reasons if isinstance(found, RefusedPlan) else ()

    assert verdict(plan, spent) == (Reason.SINGLE_STEP,)
    alone = first_step(plan)
    assert (len(alone.orders), alone.cost) == (1, plan.orders[0].cost)
    assert not alone.reaches_target
    assert verdict(alone, spent) == ()
    assert verdict(alone, replace(spent, single_step=False)) == (Reason.ORDER_BUDGET,)
    assert verdict(alone, replace(spent, orders_last_minute=60)) == (Reason.ORDER_BUDGET,)
