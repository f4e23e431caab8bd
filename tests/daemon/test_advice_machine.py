"""An account in advise mode under an operator, a market and other hands: what is done was allowed before."""

import asyncio
import shutil
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from brokers.errors import VenueUnavailable
from brokers.models import OrderSide
from brokers.sandbox.mishaps import Mishaps
from brokers.sandbox.orders import OrderType, Rejection
from daemon.risk.policy import MarginPolicy, Mode, ReductionLimits
from database.records import Plan, PlanState
from tests.depth import examples

Desk = Any  # the fixture's type lives in conftest
D = Decimal
X, Y = "X-USDT", "Y-USDT"
POLICY = MarginPolicy(
    limits=ReductionLimits(orders_per_minute=600, steps_per_episode=1000, episodes_per_hour=600)
)


class Advised(RuleBasedStateMachine):
    """One account, its guard, and the operator who reads the plans."""

    def __init__(self, open_desk: Callable[[], Desk]) -> None:
        super().__init__()
        self.desk = open_desk()
        self.loop = asyncio.new_event_loop()
        self.approved: dict[str, Plan] = {}
        self.refused: set[str] = set()

    def teardown(self) -> None:
        self.loop.close()
        self.desk.close()
        shutil.rmtree(self.desk.folder)

    def watch(self, seconds: float) -> None:
        self.loop.run_until_complete(self.desk.watch(seconds))

    # --- the world

    @initialize(utilization=st.sampled_from(["0.60", "0.92", "0.97"]))
    def it_begins_at(self, utilization: str) -> None:
        self.desk.fall_to(utilization)

    @rule(factor=st.sampled_from(["0.95", "0.98", "0.99", "1.01", "1.05"]))
    def prices_move(self, factor: str) -> None:
        if D(85) < self.desk.engine.usd_price("X") * D(factor) < D(130):
            self.desk.engine.move_price("X", D(factor))

    @rule(side=st.sampled_from(OrderSide), quantity=st.integers(1, 400), symbol=st.sampled_from([X, Y]))
    def somebody_else_trades(self, side: OrderSide, quantity: int, symbol: str) -> None:
        change = quantity if side is OrderSide.BUY else -quantity
        if abs(self.desk.held(symbol) + change) <= (700 if symbol == X else 60):
            self.desk.trade(side, quantity, symbol)

    @rule()
    def somebody_else_leaves_an_order(self) -> None:
        if len(self.desk.engine.open_orders(self.desk.account)) < 3:
            try:
                self.desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(40))
            except Rejection:
                return

    @rule(times=st.integers(1, 12))
    def reads_fail(self, times: int) -> None:
        error = VenueUnavailable("no answer")
        self.desk.venue.mishaps.fail_read(error, call="fetch_snapshot", times=times)

    @rule(seconds=st.sampled_from([0.1, 3, 20]))
    def time_passes(self, seconds: float) -> None:
        self.watch(seconds)

    @rule()
    def an_hour_passes_unwatched(self) -> None:
        self.desk.clock.turn(3600)

    @rule()
    def the_daemon_restarts(self) -> None:
        self.desk.restart()

    # --- the operator

    @rule(then=st.sampled_from(["0.93", "0.96", "0.99", "1.03"]), seconds=st.sampled_from([0.1, 10]))
    def danger_comes_grows_and_is_answered(self, then: str, seconds: float) -> None:
        price, equity = self.desk.engine.usd_price("X"), self.desk.unit().margin_equity
        missing = (5 * equity / price - self.desk.held()).quantize(D(1))
        if equity < 1_000:
            return
        if missing > 0:
            self.desk.trade(OrderSide.BUY, missing)
        if self.desk.held() * self.desk.entry_price() <= 4 * self.desk.unit().wallet_balance:
            return
        self.desk.fall_to("0.93")
        self.watch(5)
        self.desk.fall_to(then)
        self.watch(seconds)
        self.the_operator_approves(0)
        self.watch(5)

    @rule(number=st.integers(0, 3))
    def the_operator_approves(self, number: int) -> None:
        waiting = self.desk.journal.plans.waiting(self.desk.account)
        if waiting:
            plan = waiting[number % len(waiting)]
            with self.desk.journal.transaction():
                self.desk.journal.plans.settle(
                    plan.plan_id, PlanState.APPROVED, self.desk.clock.now(), actor="kim"
                )
            self.approved[plan.plan_id] = plan

    @rule()
    def the_operator_refuses(self) -> None:
        for plan in self.desk.journal.plans.waiting(self.desk.account):
            with self.desk.journal.transaction():
                self.desk.journal.plans.settle(
                    plan.plan_id, PlanState.REFUSED, self.desk.clock.now(), actor="kim"
                )
            self.refused.add(plan.plan_id)

    # --- what always holds

    @invariant()
    def every_order_was_allowed_and_no_larger_than_allowed(self) -> None:
        carried_out: set[tuple[str, str]] = set()
        for order in self.desk.received():
            intent = self.desk.journal.intents.get(order.client_id)
            step = self.desk.journal.plans.get(intent.plan_id)
            allowed = self.approved[step.plan["approval"]]
            assert step.decision == allowed.decision
            (row,) = [
                row
                for row in allowed.plan["orders"]
                if (row["symbol"], row["side"]) == (order.symbol, order.side.value)
            ]
            assert intent.quantity <= D(row["quantity"]), "more than was approved"
            assert intent.quantity <= intent.quantity_before, "more than the position"
            assert (step.plan["approval"], order.symbol) not in carried_out, "one approval, two orders"
            carried_out.add((step.plan["approval"], order.symbol))
        assert {step for step, _ in carried_out}.isdisjoint(self.refused)

    @invariant()
    def only_what_was_shown_is_cancelled(self) -> None:
        shown = {
            row["order_id"]
            for plan in self.approved.values()
            if plan.decision == "cancel_orders"
            for row in plan.plan["orders"]
        }
        assert set(self.desk.cancelled()) <= shown

    @invariant()
    def an_approval_is_used_once(self) -> None:
        used = [plan.plan["approval"] for plan in self.desk.plans() if "approval" in plan.plan]
        assert len(set(used)) == len(used)
        for plan_id in used:
            assert self.desk.journal.plans.get(plan_id).state is PlanState.EXECUTED

    @rule()
    def once_seen_what_waits_fits_the_account(self) -> None:
        self.desk.venue.mishaps = Mishaps()
        self.watch(20)
        held = {row.symbol: row for row in self.desk.venue_snapshot().positions}
        for plan in self.desk.journal.plans.waiting(self.desk.account):
            if plan.decision != "reduce":
                continue
            assert {row["symbol"] for row in plan.plan["held"]} == set(held)
            for row in plan.plan["orders"]:
                assert D(row["quantity"]) <= held[row["symbol"]].quantity
                assert row["side"] == held[row["symbol"]].closing_side.value


@pytest.mark.timeout(300)
def test_whatever_happens_nothing_is_done_that_was_not_allowed(
    open_desk: Callable[..., Desk], venue_of: Callable[..., Any], quick_folder: Path
) -> None:
    numbers = count()

    def start() -> Advised:
        folder = quick_folder / f"run-{next(numbers)}"
        engine = venue_of(tick_ms=1_000)
        return Advised(lambda: open_desk(folder=folder, engine=engine, policy=POLICY, mode=Mode.ADVISE))

    run_state_machine_as_test(
        start, settings=settings(max_examples=examples(15), stateful_step_count=12, deadline=None)
    )
