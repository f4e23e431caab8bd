"""When a plan that waits is over, and how far an approved one may go."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountSnapshot, MarginMode, Measure, Side, UnitKind
from daemon.risk.advice import Advice
from daemon.risk.policy import Action, MarginPolicy
from daemon.risk.proposal import Proposal, expiry, lapse, within
from daemon.risk.reason import Reason
from daemon.risk.reduction import Infeasible, ReductionPlan, plan_reduction

D = Decimal
BUILD = Any
POLICY = MarginPolicy()
BTC = ("BTCUSDT", Side.LONG, MarginMode.CROSS)
ETH = ("ETHUSDT", Side.LONG, MarginMode.CROSS)


def rows(
    build: BUILD, btc: str = "1", eth: str = "10", side: Side = Side.LONG, rate: str = "0.1"
) -> list[Any]:
    """A book of BTC and ETH, each worth 50,000 at first."""
    both = [
        build.Row(quantity=btc, initial=rate, maintenance="0.02", side=side),
        build.Row(
            symbol="ETHUSDT", quantity=eth, mark="5000", entry="5000", initial=rate, maintenance="0.02"
        ),
    ]
    return [row for row in both if D(row.quantity)]


def book(build: BUILD, equity: object = 10_900, seconds: float = 0, **more: Any) -> AccountSnapshot:  # noqa: ANN401
    return build.book(equity, rows(build, **more), seconds=seconds)


def proposal(build: BUILD, **changes: object) -> Proposal:
    """A plan to cut 0.4 BTC and 2 ETH, made at noon."""
    plan = Proposal(
        plan_id="p",
        action=Action.REDUCE,
        unit="account",
        since=build.at(0),
        cuts={BTC: D("0.4"), ETH: D(2)},
        held=frozenset({BTC, ETH}),
        ratios={Measure.UTILIZATION: D("0.92"), Measure.MAINTENANCE: D("0.18")},
    )
    return replace(plan, **changes)


def seen(build: BUILD, snapshot: AccountSnapshot) -> Any:  # noqa: ANN401 - a builder
    """The account de-levered in an episode, then `snapshot`."""
    return build.watch().show(book(build)).show(book(build, seconds=1)).show(snapshot)


@pytest.mark.parametrize(
    ("changes", "waiting", "approved"),
    [
        ({}, None, None),
        ({"equity": 10_500}, None, None),
        ({"equity": 10_300}, Reason.PICTURE_WORSENED, None),  # 97.1 %
        ({"equity": 17_000}, Reason.LEVEL_FELL, Reason.LEVEL_FELL),  # believed when seen twice
        ({"btc": "0.9", "rate": "0.063"}, Reason.TARGET_REACHED, Reason.TARGET_REACHED),
        ({"btc": "0.4", "rate": "0.14"}, None, None),
        ({"btc": "0.3", "rate": "0.15"}, Reason.POSITIONS_CHANGED, None),
        ({"btc": "0", "rate": "0.2"}, Reason.POSITIONS_CHANGED, None),
        ({"side": Side.SHORT}, Reason.POSITIONS_CHANGED, None),
        ({"btc": "0", "eth": "0"}, Reason.LEVEL_FELL, Reason.LEVEL_FELL),
    ],
)
def test_what_ends_a_plan(
    build: BUILD, changes: dict[str, Any], waiting: Reason | None, approved: Reason | None
) -> None:
    watch = seen(build, book(build, seconds=2, **changes))
    if watch.assessment.gates:  # what vanished at once is believed when it is seen again, for a while
        watch.show(book(build, seconds=3, **changes)).show(book(build, seconds=14, **changes))
    for one, expected in [(proposal(build), waiting), (proposal(build, approved=True), approved)]:
        over = expiry(one, watch.alarm, watch.assessment, POLICY)
        assert (over.reason if over else None) is expected, over


def test_none_of_what_was_approved_is_left(build: BUILD) -> None:
    snapshot = book(build, seconds=2, btc="0", rate="0.2")
    watch = seen(build, snapshot).show(replace(snapshot, fetched_at=build.at(14), as_of=build.at(13.9)))
    watch.show(replace(snapshot, fetched_at=build.at(15), as_of=build.at(14.9)))
    over = expiry(proposal(build, approved=True, cuts={BTC: D("0.4")}), watch.alarm, watch.assessment, POLICY)
    assert over is not None
    assert over.reason is Reason.POSITIONS_CHANGED
    assert over.detail == "gone: long BTCUSDT"


def test_a_picture_that_may_not_be_acted_upon_ends_nothing(build: BUILD) -> None:
    watch = seen(build, replace(book(build, equity=8_000, seconds=9), as_of=build.at(2)))
    assert not watch.assessment.actionable
    assert expiry(proposal(build), watch.alarm, watch.assessment, POLICY) is None


@pytest.mark.parametrize(
    ("utilization", "action", "reason"),
    [
        ("0.85", Action.CANCEL_ORDERS, None),
        ("0.78", Action.CANCEL_ORDERS, None),  # the level is still held
        ("0.76", Action.CANCEL_ORDERS, Reason.LEVEL_FELL),
        ("0.85", Action.REDUCE, Reason.LEVEL_FELL),
    ],
)
def test_a_plan_ends_with_the_level_that_asked_for_it(
    build: BUILD, utilization: str, action: Action, reason: Reason | None
) -> None:
    watch = build.watch().levered("0.85", 0).levered("0.85", 2).levered(utilization, 4)
    plan = proposal(build, action=action, cuts={}, held=frozenset({BTC}), ratios={})
    over = expiry(plan, watch.alarm, watch.assessment, POLICY)
    assert (over.reason if over else None) is reason


def test_a_latched_flatten_is_due_at_any_level(build: BUILD) -> None:
    watch = build.watch().levered("0.3", 0).levered("0.3", 2)
    plan = proposal(build, action=Action.FLATTEN, cuts={BTC: D(1)}, held=frozenset({BTC}), ratios={})
    latched = expiry(plan, watch.alarm, watch.assessment, POLICY, flattening=frozenset({"account"}))
    assert latched is None
    over = expiry(plan, watch.alarm, watch.assessment, POLICY)
    assert over is not None
    assert over.reason is Reason.LEVEL_FELL


@pytest.mark.parametrize(
    ("approved", "minutes", "reason"),
    [
        (False, 10, None),
        (False, 10.1, Reason.PLAN_LAPSED),
        (True, 2, None),
        (True, 2.1, Reason.APPROVAL_LAPSED),
    ],
)
def test_time_ends_plans_and_approvals(
    *, build: BUILD, approved: bool, minutes: float, reason: Reason | None
) -> None:
    advice = Advice(plan_lasts=timedelta(minutes=10), approval_lasts=timedelta(minutes=2))
    over = lapse(proposal(build, approved=approved), advice, build.at(minutes * 60))
    assert (over.reason if over else None) is reason


def planned(build: BUILD, snapshot: AccountSnapshot, one: Proposal) -> ReductionPlan | Infeasible:
    assessment = build.judge(snapshot)
    plan = plan_reduction(
        assessment, snapshot, "account", POLICY, step=0, excluded=one.beyond(snapshot), action=one.action
    )
    return plan if isinstance(plan, Infeasible) else within(plan, one)


@pytest.mark.parametrize(
    ("cuts", "cut"),
    [
        ({BTC: D("0.1"), ETH: D("0.5")}, {BTC: D("0.1"), ETH: D("0.5")}),
        ({BTC: D("0.1")}, {BTC: D("0.1")}),
        ({ETH: D("0.5")}, {ETH: D("0.5")}),
    ],
)
def test_an_approved_plan_cuts_at_most_what_was_approved(
    build: BUILD, cuts: dict[Any, Decimal], cut: dict[Any, Decimal]
) -> None:
    snapshot = book(build, equity=10_000)  # needs 40,000 of 100,000 to go
    plan = planned(build, snapshot, proposal(build, cuts=cuts))
    assert isinstance(plan, ReductionPlan)
    assert {order.position.key: order.quantity for order in plan.orders} == cut
    assert not plan.reaches_target
    assert all(order.expected_utilization is None for order in plan.orders)


def test_an_approved_plan_cuts_less_where_less_is_needed(build: BUILD) -> None:
    snapshot = book(build, equity=16_000)
    plan = planned(build, snapshot, proposal(build, cuts={BTC: D("0.9")}))
    assert isinstance(plan, ReductionPlan)
    (order,) = plan.orders
    assert order.quantity < D("0.2")
    assert plan.reaches_target


def test_of_what_was_not_approved_nothing_is_cut(build: BUILD) -> None:
    other = ("SOLUSDT", Side.LONG, MarginMode.CROSS)
    plan = planned(build, book(build), proposal(build, cuts={other: D(1)}))
    assert isinstance(plan, Infeasible)


def test_legs_that_are_cut_alike_stay_alike(build: BUILD) -> None:
    legs = [
        build.Row(quantity="1", initial="0.1", hedged=True),
        build.Row(quantity="1", initial="0.1", hedged=True, side=Side.SHORT),
    ]
    snapshot = build.book(10_500, legs)
    short = ("BTCUSDT", Side.SHORT, MarginMode.CROSS)
    plan = planned(build, snapshot, proposal(build, cuts={BTC: D("0.3"), short: D("0.2")}))
    assert isinstance(plan, ReductionPlan)
    assert [order.quantity for order in plan.orders] == [D("0.2"), D("0.2")]


def test_an_isolated_position_of_another_unit_is_no_concern(build: BUILD) -> None:
    apart = build.unit("iso", kind=UnitKind.ISOLATED_POSITION, measures=frozenset({Measure.MAINTENANCE}))
    row = build.Row(symbol="SOLUSDT", unit="iso", margin_mode=MarginMode.ISOLATED)
    snapshot = book(build, seconds=2)
    more = replace(
        snapshot,
        units=(*snapshot.units, apart),
        positions=(*snapshot.positions, row.position()),
        markets={**snapshot.markets, "SOLUSDT": build.rules("SOLUSDT")},
    )
    watch = seen(build, more)
    assert expiry(proposal(build), watch.alarm, watch.assessment, POLICY) is None
