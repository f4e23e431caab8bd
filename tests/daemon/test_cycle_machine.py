"""A guarded account under everything at once: prices, other hands, lost answers, outages, restarts, kills.

Whatever the order of events, what margind sent only ever reduced, was journaled before, rested on a picture
that may be acted upon, and filled no more than planned; and once all is well again the account is brought
out of danger.
"""

import asyncio
import shutil
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from brokers.errors import MalformedAnswer, VenueUnavailable
from brokers.models import OrderSide
from brokers.sandbox.history import Actor, Filled
from brokers.sandbox.mishaps import Fate, Mishaps
from brokers.sandbox.orders import OrderType, Rejection
from daemon.risk.policy import MarginPolicy, ReductionLimits
from daemon.risk.reason import Reason
from tests.depth import examples

Desk = Any  # the fixture's type lives in conftest
Open = Callable[[], Desk]
D = Decimal
X = "X-USDT"

POLICY = MarginPolicy(
    limits=ReductionLimits(
        step_fraction=D("0.3"),
        orders_per_minute=600,
        orders_per_hour=10_000,
        orders_per_episode=10_000,
        steps_per_episode=1000,
        episodes_per_hour=600,
    )
)
HARMLESS = {Reason.LEVERAGE_OVER_CAP.value, Reason.DEFICIT_WITHOUT_POSITIONS.value}
CALLS = ["fetch_snapshot", "fetch_open_orders", "find_order", None]
FATES = [
    (Fate.ANSWER_LOST, 0),
    (Fate.NEVER_ARRIVED, 0),
    (Fate.LATE, 300),
    (Fate.LATE, 4_000),
    (Fate.LATE, 6_000),
]


class Killed(BaseException):
    """The process is gone."""


class Guarded(RuleBasedStateMachine):
    """One account and its guard."""

    def __init__(self, open_desk: Open) -> None:
        super().__init__()
        self.desk = open_desk()
        self.loop = asyncio.new_event_loop()
        self.seen = 0
        self.held = D(500)
        self.sizes: dict[str, Decimal] = {}

    def teardown(self) -> None:
        try:
            self.all_is_well_again()
        finally:
            self.loop.close()
            self.desk.close()
            shutil.rmtree(self.desk.folder)

    # --- the world

    @rule(factor=st.sampled_from(["0.90", "0.95", "0.97", "0.99", "1.01", "1.03", "1.10"]))
    def prices_move(self, factor: str) -> None:
        price = self.desk.engine.usd_price("X") * D(factor)
        if D(60) < price < D(150):
            self.desk.engine.move_price("X", D(factor))

    @initialize(utilization=st.sampled_from(["0.60", "0.92", "0.97", "1.2", "1.4"]))
    def it_begins_at(self, utilization: str) -> None:
        self.desk.fall_to(utilization)

    @rule(utilization=st.sampled_from(["0.85", "0.92", "0.97", "1.1", "1.4"]))
    def prices_crash(self, utilization: str) -> None:
        wallet, entry = self.desk.unit().wallet_balance, self.desk.entry_price()
        if self.desk.held() * (entry or D(0)) > 4 * wallet > 0:
            self.desk.fall_to(utilization)

    @rule(side=st.sampled_from(OrderSide), quantity=st.integers(1, 400))
    def somebody_else_trades(self, side: OrderSide, quantity: int) -> None:
        if abs(self.desk.held() + (quantity if side is OrderSide.BUY else -quantity)) <= 800:
            self.desk.trade(side, quantity)

    @rule(side=st.sampled_from(OrderSide))
    def somebody_else_leaves_an_order(self, side: OrderSide) -> None:
        if len(self.desk.engine.open_orders(self.desk.account)) < 5:
            price = D(40) if side is OrderSide.BUY else D(200)
            with suppress(Rejection):  # halted, or no margin left for it
                self.desk.rest(side, 1, type=OrderType.LIMIT, price=price)

    @rule(is_halted=st.booleans())
    def the_symbol_is_halted_or_not(self, *, is_halted: bool) -> None:
        halted = self.desk.engine.controls.halted
        halted.add(X) if is_halted else halted.discard(X)

    @rule(share=st.sampled_from(["0.2", "0.7", "1"]))
    def the_book_is_thin_or_not(self, share: str) -> None:
        self.desk.engine.controls.fill_fraction = D(share)

    # --- the line

    @rule(fate=st.sampled_from(FATES))
    def an_answer_is_lost(self, fate: tuple[Fate, int]) -> None:
        self.desk.venue.mishaps.doom_write(fate[0], delay_ms=fate[1])

    @rule(call=st.sampled_from(CALLS), times=st.integers(1, 12), is_damaged=st.booleans())
    def reads_fail(self, call: str | None, times: int, *, is_damaged: bool) -> None:
        error = MalformedAnswer("<html>") if is_damaged else VenueUnavailable("no answer")
        self.desk.venue.mishaps.fail_read(error, call=call, times=times)

    @rule(is_frozen=st.booleans())
    def the_picture_freezes_or_not(self, *, is_frozen: bool) -> None:
        (self.desk.venue.freeze if is_frozen else self.desk.venue.thaw)()

    # --- the daemon

    @rule(seconds=st.sampled_from([0.1, 1]))
    def a_moment_passes(self, seconds: float) -> None:
        self.loop.run_until_complete(self.desk.watch(seconds))

    @rule(seconds=st.sampled_from([3, 8]))
    def time_passes(self, seconds: float) -> None:
        self.loop.run_until_complete(self.desk.watch(seconds))

    @rule()
    def the_daemon_restarts(self) -> None:
        self.desk.restart()

    @rule(point=st.integers(1, 25))
    def the_daemon_is_killed(self, point: int) -> None:
        points = count(1)

        def kill(*_: object) -> None:
            if next(points) >= point:
                raise Killed

        self.desk.line.at = self.desk.at_commit = kill
        try:
            self.loop.run_until_complete(self.desk.watch(5))
        except Killed:
            pass
        finally:
            self.desk.line.at = self.desk.at_commit = lambda *_: None
        self.desk.restart()

    # --- what always holds

    @invariant()
    def what_we_sent_only_reduced(self) -> None:
        """Replay every trade since the last look: ours shrink what is held then and never turn it."""
        for event in self.desk.engine.history_since(self.seen):
            self.seen = event.sequence
            if not isinstance(event, Filled):
                continue
            fill = event.fill
            after = self.held + (fill.quantity if fill.side is OrderSide.BUY else -fill.quantity)
            if event.actor is Actor.API and (fill.client_id or "").startswith("6d67"):
                assert abs(after) < abs(self.held), "it opened or added"
                assert after * self.held >= 0, "it turned the position"
                self.sizes[fill.client_id] = self.sizes.get(fill.client_id, D(0)) + fill.quantity
            self.held = after

    @invariant()
    def every_order_was_journaled_from_a_picture_that_may_be_acted_upon(self) -> None:
        received = [order.client_id for order in self.desk.received()]
        assert len(set(received)) == len(received), "an id was sent twice"
        for order_id in received:
            intent = self.desk.journal.intents.get(order_id)
            assert intent is not None, "an order without an intent"
            plan = self.desk.journal.plans.get(intent.plan_id)
            gates = {gate.split(":")[0] for gate in plan.snapshot["gates"]}
            assert gates <= HARMLESS
            assert self.sizes.get(order_id, D(0)) <= intent.quantity <= intent.quantity_before

    def all_is_well_again(self) -> None:
        """Heal everything; within two minutes the account is out of danger, or nothing is left to cut."""
        desk = self.desk
        desk.venue.mishaps = Mishaps()
        desk.venue.thaw()
        desk.engine.controls.halted.clear()
        desk.engine.controls.fill_fraction = D(1)
        self.loop.run_until_complete(desk.watch(120))
        self.what_we_sent_only_reduced()
        unit = desk.unit()
        assert not desk.journal.intents.open(desk.account)
        assert desk.held() == 0 or unit.initial_margin < D("0.90") * unit.margin_equity


@pytest.mark.timeout(300)
def test_whatever_happens_margind_only_reduces_and_in_the_end_does(
    open_desk: Callable[..., Desk], venue_of: Callable[..., Any], quick_folder: Path
) -> None:
    numbers = count()

    def start() -> Guarded:
        number = next(numbers)
        rule_ = "for_ever" if number % 2 else "open_orders"
        engine = venue_of(rules={"duplicate_client_ids": rule_}, tick_ms=1_000)
        return Guarded(lambda: open_desk(folder=quick_folder / f"run-{number}", engine=engine, policy=POLICY))

    run_state_machine_as_test(
        start, settings=settings(max_examples=examples(20), stateful_step_count=25, deadline=None)
    )
