"""An account's seat at the desk: what becomes of its plans, and of what it must trim."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.models import AccountId, Side
from daemon.hedging import HedgeDesk, HedgeSeat, Means, means_of
from daemon.risk.following import plan_following
from daemon.risk.hedge_group import HedgeGroup, LegName, PartnerRule
from daemon.risk.plan import ReductionPlan
from daemon.risk.policy import MarginPolicy, Mode
from daemon.risk.reason import Reason
from daemon.risk.reduction import plan_reduction
from daemon.sight import Sight
from database.journal import Journal
from database.records import Intent, IntentKind, IntentState
from tests.daemon.risk.conftest import Build

D = Decimal
ME, OTHER = AccountId("bybit-main"), AccountId("other")
GOOD = Means(is_good=True, why_not=None)


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.s = 1000.0

    def now(self) -> datetime:
        return datetime(2025, 10, 10, 12, tzinfo=UTC) + timedelta(seconds=self.s)

    def uptime(self) -> float:
        return self.s

    async def sleep(self, seconds: float) -> None:
        self.s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def seat(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., HedgeSeat]]:
    """A seat of an account whose BTCUSDT is hedged by another account that nobody has ever seen."""
    with Journal.open(tmp_path, clock.now()) as journal:

        def take(who: AccountId = ME, rule: PartnerRule = PartnerRule.URGENT_ONLY) -> HedgeSeat:
            legs = tuple(LegName(account=name, symbol="BTCUSDT") for name in (ME, OTHER))
            group = HedgeGroup(
                name="pair", legs=legs, tolerance=D("0.05"), partner_out=rule, repair_budget=None
            )
            desk = HedgeDesk([group], journal=journal, clock=clock)
            clock.s += 60
            return desk.seat(who, MarginPolicy())

        yield take


def plan_of(*symbols: str) -> ReductionPlan:
    """A plan with an order on each symbol, from an account at 95 % utilization."""
    rows = [Build.Row(symbol=symbol, quantity="2") for symbol in symbols]
    snapshot = Build.book(sum((row.notional for row in rows), D(0)) * D("0.1") / D("0.95"), rows)
    planned = plan_reduction(Build.judge(snapshot), snapshot, "account", MarginPolicy(), step=0)
    assert isinstance(planned, ReductionPlan), planned
    return planned


def bound(seat: HedgeSeat, plan: ReductionPlan, **more: Any) -> Any:  # noqa: ANN401 - what `bound` returns
    return seat.bound(plan, **({"urgent": False, "forced": False, "may_slice": True} | more))


def test_a_position_of_no_hedge_is_cut_as_planned(seat: Callable[..., HedgeSeat]) -> None:
    plan = plan_of("ETHUSDT")
    assert bound(seat(), plan).plan is plan


def test_what_is_held_is_left_out_and_the_rest_of_the_plan_goes(seat: Callable[..., HedgeSeat]) -> None:
    plan = plan_of("BTCUSDT", "ETHUSDT")
    assert {order.position.symbol for order in plan.orders} == {"BTCUSDT", "ETHUSDT"}
    found = bound(seat(), plan)
    assert [order.position.symbol for order in found.plan.orders] == ["ETHUSDT"]
    assert {key[0] for key in found.held} == {"BTCUSDT"}
    assert found.plan.reaches_target is False
    assert "pair" in found.plan.notes[-1]


def test_a_plan_of_nothing_but_what_is_held_is_none(seat: Callable[..., HedgeSeat]) -> None:
    found = bound(seat(), plan_of("BTCUSDT"))
    assert (found.plan, found.reason) == (None, Reason.HEDGE_PARTNER_OUT)
    assert "not seen lately" in found.why


@pytest.mark.parametrize("how", [{"urgent": True}, {"forced": True}])
def test_urgent_and_flattening_plans_go_whole(seat: Callable[..., HedgeSeat], how: dict[str, bool]) -> None:
    plan = plan_of("BTCUSDT")
    found = bound(seat(), plan, **how)
    assert found.plan.orders[0].quantity == plan.orders[0].quantity
    assert not found.is_slice


def look_at(seat: HedgeSeat, side: Side, means: Means = GOOD) -> None:
    snapshot = Build.book("100000", [Build.Row(quantity="2", side=side)])
    seat.saw(Sight(observation=Build.judge(snapshot), snapshot=snapshot), means)


def test_a_slice_waits_where_no_orders_are_left_for_slices(tmp_path: Path, clock: Clock) -> None:
    legs = tuple(LegName(account=name, symbol="BTCUSDT") for name in (ME, OTHER))
    group = HedgeGroup(
        name="pair",
        legs=legs,
        tolerance=D("0.05"),
        partner_out=PartnerRule.URGENT_ONLY,
        repair_budget=None,
    )
    with Journal.open(tmp_path, clock.now()) as journal:
        desk = HedgeDesk([group], journal=journal, clock=clock)
        mine, other = (desk.seat(name, MarginPolicy()) for name in (ME, OTHER))
        woken: list[str] = []
        desk.on_due(OTHER, lambda: woken.append("other"))
        look_at(mine, Side.LONG)
        look_at(other, Side.SHORT)
        plan = plan_of("BTCUSDT")
        sliced = bound(mine, plan)
        assert (sliced.plan.orders[0].quantity, sliced.is_slice) == (D("0.050"), True)
        assert sliced.plan.cost == plan.cost * D("0.050") / plan.orders[0].quantity
        assert sliced.plan.orders[0].expected_utilization is None
        assert bound(mine, plan, may_slice=False).plan is None
        assert bound(mine, plan, may_slice=False, urgent=True).plan.orders == plan.orders
        mine.sent(sliced.plan)
        assert other.due() is None
        assert woken == []
        mine.done([filled(sliced.plan)], None)
        assert woken == ["other"]
        trim = other.due()
        assert trim is not None
        assert (trim.quantity, trim.reason) == (D("0.050"), Reason.HEDGE_FOLLOW)
        for means in (
            Means(is_good=False, why_not=None),
            Means(is_good=False, why_not="halted"),
            Means(is_good=True, why_not="halted"),
        ):
            look_at(other, Side.SHORT, means)
            assert other.due() is None, "a look that is none to act upon, or an account that may not"
        look_at(other, Side.SHORT)
        assert other.due() == trim


def filled(plan: ReductionPlan) -> Intent:
    """The order of a plan, as it is journaled once it has filled."""
    (order,) = plan.orders
    return Intent(
        intent_id="1" * 32,
        account=ME,
        symbol=order.position.symbol,
        side=order.position.side.value,
        margin_mode=order.position.margin_mode.value,
        episode=1,
        step=0,
        attempt=0,
        kind=IntentKind.REDUCE,
        reason="above_target",
        created_at=datetime(2025, 10, 10, 12, tzinfo=UTC),
        quantity=order.quantity,
        state=IntentState.FILLED,
        filled=order.quantity,
    )


def test_who_may_not_act_cannot_follow() -> None:
    assert means_of(Mode.ENFORCE, halted=False, is_good=True) == GOOD
    assert means_of(Mode.ENFORCE, halted=True, is_good=True).why_not == "halted"
    assert means_of(Mode.ADVISE, halted=False, is_good=True).why_not == "mode advise"


@pytest.mark.parametrize(
    ("step", "urgent", "is_market"), [(0, False, False), (0, True, True), (3, False, True)]
)
def test_a_trim_is_one_order_of_the_size_that_is_asked_for(step: int, urgent: bool, is_market: bool) -> None:  # noqa: FBT001
    snapshot = Build.book("100000", [Build.Row(quantity="2")])
    plan = plan_following(snapshot, "BTCUSDT", D("0.3"), MarginPolicy(), step=step, urgent=urgent)
    assert isinstance(plan, ReductionPlan)
    (order,) = plan.orders
    assert (order.quantity, order.position.symbol) == (D("0.3"), "BTCUSDT")
    assert (order.limit_price is None) == is_market


def test_a_trim_of_nothing_is_none() -> None:
    snapshot = Build.book("100000", [Build.Row(quantity="2")])
    found = plan_following(snapshot, "ETHUSDT", D(1), MarginPolicy(), step=0, urgent=False)
    assert not isinstance(found, ReductionPlan)
    assert found.reason is Reason.NO_POSITIONS
