"""What rungs gave, and when a position that gives nothing is left alone."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from brokers.models import MarginMode, Side, Symbol
from daemon.memory import CANCEL_ROUNDS, LONGEST_REST_S, RungMemory
from daemon.risk.decision import RungState
from daemon.risk.policy import Action
from daemon.risk.reason import Reason
from database.records import Intent, IntentKind, IntentState

D = Decimal
KEY = (Symbol("X-USDT"), Side.LONG, MarginMode.CROSS)
OTHER = (Symbol("Y-USDT"), Side.LONG, MarginMode.CROSS)


def outcome(state: IntentState, filled: str | None = None) -> Intent:
    return Intent(
        intent_id="6d67" + "0" * 28, account="desk", symbol="X-USDT", side="long", margin_mode="cross",
        episode=1, step=0, attempt=1, kind=IntentKind.REDUCE, reason="above_target",
        created_at=datetime(2026, 1, 1, tzinfo=UTC), quantity=D(1), quantity_before=D(10), state=state,
        filled=None if filled is None else D(filled),
    )  # fmt: skip


REFUSED = outcome(IntentState.REJECTED)
MISSED = outcome(IntentState.CANCELLED, "0")
FILLED = outcome(IntentState.FILLED, "1")


def test_the_first_refusal_costs_nothing_and_further_ones_rest_longer_and_longer() -> None:
    memory, rests = RungMemory(), []
    for _ in range(9):
        memory.count_step("u", {KEY: REFUSED}, uptime=100.0)
        rests.append(memory.rests[KEY].until - 100.0 if memory.resting(100.0) else 0.0)
    assert rests == [0.0, 2.0, 4.0, *[LONGEST_REST_S] * 6]
    assert memory.failing() == {KEY: 9}
    assert memory.resting(100.0 + LONGEST_REST_S) == frozenset()


def test_orders_that_fill_nothing_rest_a_position_only_after_one_of_them_went_to_market() -> None:
    memory = RungMemory()
    for _ in range(4):
        memory.count_step("u", {KEY: MISSED}, uptime=0.0)
    assert memory.resting(0.0) == frozenset()
    memory.count_step("u", {KEY: MISSED}, uptime=0.0)
    assert memory.resting(0.0) == frozenset({KEY})


@pytest.mark.parametrize("before", [REFUSED, MISSED])
def test_a_fill_forgets_what_came_to_nothing(before: Intent) -> None:
    memory = RungMemory()
    for _ in range(8):
        memory.count_step("u", {KEY: before, OTHER: before}, uptime=0.0)
    memory.count_step("u", {KEY: FILLED}, uptime=0.0)
    assert memory.resting(0.0) == frozenset({OTHER})


def test_steps_are_counted_by_unit_and_only_when_they_filled_something() -> None:
    memory = RungMemory()
    memory.count_step("a", {KEY: MISSED}, uptime=0.0)
    memory.count_step("a", {KEY: FILLED, OTHER: REFUSED}, uptime=0.0)
    memory.count_step("b", {OTHER: REFUSED}, uptime=0.0)
    assert memory.tries == {"a": 2, "b": 1}
    assert memory.steps == {"a": 1}


def rounds_in_vain(memory: RungMemory, seconds: int, *, took_s: float) -> list[float]:
    """When cancelling was tried, second by second, by an account whose venue cancels nothing."""
    tried = []
    for second in range(seconds):
        memory.next_picture(second)
        if memory.may_cancel(second):
            memory.count_cancel("u", is_done=False, took_s=took_s, uptime=second)
            tried.append(second)
    return tried


def test_cancelling_in_vain_rests_longer_and_longer_and_never_ends() -> None:
    assert rounds_in_vain(RungMemory(), 60, took_s=0.1) == [0, 1, 2, 4, 8, 16, 31, 46]


def test_a_cancellation_that_hangs_gives_way_at_once() -> None:
    memory = RungMemory()
    assert rounds_in_vain(memory, 30, took_s=2.5) == [0, 2, 6, 14, 29]
    (rung,) = memory.rungs
    assert (rung.action, rung.state, rung.reason) == (
        Action.CANCEL_ORDERS,
        RungState.FAILED,
        Reason.CANCELS_FAIL,
    )
    memory.next_picture(44)
    assert memory.rungs == (), "rested: the rung is due again"


def test_orders_that_come_back_are_cancelled_three_times() -> None:
    memory = RungMemory()
    for _ in range(CANCEL_ROUNDS):
        assert memory.may_cancel(0.0)
        memory.count_cancel("u", is_done=True, took_s=0.1, uptime=0.0)
    memory.next_picture(1e6)
    assert not memory.may_cancel(1e6)
    assert [rung.reason for rung in memory.rungs] == [Reason.ORDERS_COME_BACK]
