import asyncio
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.budget import Budget, Ledger, boot_seconds, shared_budget
from brokers.errors import Banned, RateLimited
from brokers.profile import BudgetRules, BudgetScope

RULES = BudgetRules(capacity=100, period_s=10, scope=BudgetScope.ADDRESS, reserve=0.4)


def test_steady_traffic_leaves_the_ledger_one_period_later_without_a_pause() -> None:
    ledger = Ledger(RULES)
    for tick in range(2000):
        ledger.spend(0.1, tick * 0.05)  # 2 a second, never a gap as long as a slot
    assert ledger.used(100.0) <= 2 * RULES.period_s * 1.05


def test_polls_stop_at_their_share_and_protective_calls_go_on_to_the_whole() -> None:
    ledger = Ledger(RULES)
    ledger.spend(60, now=0)
    assert ledger.wait(1, 0, protective=False) > 0
    assert ledger.wait(40, 0, protective=True) == 0
    ledger.spend(40, now=0)
    assert ledger.wait(1, 0, protective=True) > 0


def test_cost_leaves_one_period_after_it_was_spent() -> None:
    ledger = Ledger(RULES)
    ledger.spend(60, now=0)
    assert ledger.wait(10, 4, protective=False) == pytest.approx(6)
    assert ledger.used(10) == 0
    assert ledger.wait(10, 10, protective=False) == 0


def test_room_is_waited_for_only_as_long_as_the_cost_needs() -> None:
    ledger = Ledger(RULES)
    ledger.spend(30, now=0)
    ledger.spend(30, now=5)
    assert ledger.wait(30, 6, protective=False) == pytest.approx(4)
    assert ledger.wait(31, 6, protective=False) == pytest.approx(9)


def test_a_call_dearer_than_the_share_waits_for_an_empty_period_and_not_for_ever() -> None:
    ledger = Ledger(RULES)
    assert ledger.wait(500, 0, protective=False) == 0
    ledger.spend(1, now=0)
    assert ledger.wait(500, 0, protective=False) == pytest.approx(10)


def test_the_venues_higher_figure_is_taken_and_a_lower_one_is_not() -> None:
    ledger = Ledger(RULES)
    ledger.spend(10, now=0)
    ledger.feed_back(50, now=1)
    assert ledger.used(1) == 50
    ledger.feed_back(5, now=1)
    assert ledger.used(1) == 50


def test_a_pause_holds_polls_and_lets_protective_calls_through() -> None:
    ledger = Ledger(RULES)
    ledger.pause(3, now=0)
    refusal = ledger.refusal(1, protective=False)
    assert isinstance(refusal, RateLimited)
    assert refusal.retry_after == pytest.approx(2)
    assert ledger.refusal(1, protective=True) is None
    assert ledger.refusal(3, protective=False) is None


def test_a_ban_holds_everything_but_one_protective_probe_in_half_a_minute() -> None:
    ledger = Ledger(RULES)
    ledger.ban(120, now=0)
    probes = [now for now in range(120) if ledger.refusal(now, protective=True) is None]
    assert probes == [30, 60, 90]
    assert isinstance(ledger.refusal(119, protective=False), Banned)
    assert ledger.refusal(120, protective=False) is None


def test_a_probe_that_was_served_ends_the_ban_and_an_answer_from_before_it_does_not() -> None:
    ledger = Ledger(RULES)
    ledger.ban(120, now=10)
    ledger.served(asked_at=9.9)
    assert isinstance(ledger.refusal(11, protective=False), Banned)
    ledger.served(asked_at=40)
    assert ledger.refusal(40, protective=False) is None


@given(asks=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 40), st.booleans()), min_size=1, max_size=60))
def test_no_period_ever_holds_more_than_the_capacity_nor_polls_more_than_their_share(
    asks: list[tuple[float, int, bool]],
) -> None:
    ledger, now, spent = Ledger(RULES), 0.0, []
    for pause, cost, protective in asks:
        now += pause
        if ledger.wait(cost, now, protective=protective) == 0:
            ledger.spend(cost, now, protective=protective)
            spent.append((now, cost, protective))
            recent = [(c, p) for t, c, p in spent if t > now - RULES.period_s]
            assert sum(c for c, _ in recent) <= 100
            assert sum(c for c, p in recent if not p) <= 60


def test_a_burst_of_protective_calls_does_not_blind_the_polls() -> None:
    ledger = Ledger(RULES)
    ledger.spend(30, now=0)
    ledger.spend(40, now=0, protective=True)
    assert ledger.wait(10, 0, protective=False) == 0
    ledger.spend(15, now=0, protective=True)  # all but 15: what is left is for what protects
    assert ledger.wait(10, 0, protective=False) > 0
    assert ledger.wait(10, 0, protective=True) == 0


@given(asks=st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 30)), max_size=80))
def test_the_wait_is_always_enough(asks: list[tuple[float, int]]) -> None:
    ledger, now = Ledger(RULES), 0.0
    for pause, cost in asks:
        now += pause
        now += ledger.wait(cost, now, protective=False)
        assert ledger.wait(cost, now, protective=False) <= 0.002
        ledger.spend(cost, now)


def test_a_budget_without_a_real_reserve_is_refused() -> None:
    with pytest.raises(ValueError, match="30 %"):
        replace(RULES, reserve=0.1)
    with pytest.raises(ValueError, match="positive"):
        replace(RULES, capacity=0)


async def test_a_protective_call_does_not_wait_behind_polls() -> None:
    budget = Budget(BudgetRules(capacity=10, period_s=0.4, scope=BudgetScope.KEY))
    polls = [asyncio.create_task(budget.acquire(6, protective=False)) for _ in range(4)]
    await asyncio.sleep(0.01)
    started = time.perf_counter()
    await budget.acquire(1, protective=True)
    assert time.perf_counter() - started < 0.05
    assert sum(task.done() for task in polls) == 1
    for task in polls:
        task.cancel()


async def test_polls_get_their_turn_in_order() -> None:
    budget = Budget(BudgetRules(capacity=10, period_s=0.1, scope=BudgetScope.KEY))
    done: list[int] = []

    async def poll(number: int) -> None:
        await budget.acquire(6, protective=False)
        done.append(number)

    await asyncio.gather(*(poll(number) for number in range(4)))
    assert done == [0, 1, 2, 3]


async def test_room_that_comes_too_late_is_refused_at_once() -> None:
    budget = Budget(BudgetRules(capacity=10, period_s=60, scope=BudgetScope.KEY))
    await budget.acquire(6, protective=False)
    with pytest.raises(RateLimited) as refused:
        await budget.acquire(6, protective=False, patience_s=0.5)
    assert refused.value.retry_after is not None
    assert refused.value.retry_after > 50


def test_who_is_counted_as_one_shares_one_budget() -> None:
    one = shared_budget(RULES, "venue", "host")
    assert shared_budget(RULES, "venue", "host") is one
    assert shared_budget(RULES, "venue", "other host") is not one


def test_the_steady_clock_counts_on() -> None:
    assert boot_seconds() <= boot_seconds()


def test_pictures_beyond_the_share_take_turns_and_none_waits_the_period_out() -> None:
    ledger = Ledger(BudgetRules(capacity=2400, period_s=60, scope=BudgetScope.ADDRESS))
    now, longest, last = 0.0, 0.0, dict.fromkeys(range(8), 0.0)
    while now < 300:
        for account in last:
            while wait := ledger.take_turn(11, now):
                now += wait
            ledger.spend(11, now)
            longest = max(longest, now - last[account])
            last[account] = now
            now += 0.01
        assert ledger.used(now) <= 2400 * 0.65 + 80
    assert longest < 7


def test_over_a_short_period_nobody_takes_turns() -> None:
    ledger = Ledger(RULES)
    assert [ledger.take_turn(500, 0) for _ in range(3)] == [0, 0, 0]


# ---------------------------------------------------------------- counts that leak

LEAKING = BudgetRules(capacity=15, period_s=45, scope=BudgetScope.KEY, reserve=1 / 3, leaks=True)


def test_a_leaking_count_falls_all_the_time() -> None:
    ledger = Ledger(LEAKING)
    ledger.spend(15, now=0)
    assert ledger.used(3) == pytest.approx(14)
    assert ledger.wait(1, 0, protective=True) == pytest.approx(3)
    assert ledger.wait(2, 3, protective=True) == pytest.approx(3)
    assert ledger.used(60) == 0


def test_polls_leave_a_third_of_a_leaking_count_free() -> None:
    ledger = Ledger(LEAKING)
    ledger.spend(10, now=0)
    assert ledger.wait(1, 0, protective=False) == pytest.approx(3)
    assert ledger.wait(5, 0, protective=True) == 0


@pytest.mark.parametrize("asks_every_s", [0.5, 2, 7])
def test_pictures_have_their_turn_every_nine_seconds_and_the_venues_counter_is_never_full(
    asks_every_s: float,
) -> None:
    ledger, counter, counted_at, read_at = Ledger(LEAKING), 0.0, 0.0, []
    now = 0.0
    while now < 1800:
        if (wait := ledger.take_turn(2, now)) == 0:
            read_at.append(now)
            for _ in range(2):
                assert ledger.wait(1, now, protective=False) == 0
                ledger.spend(1, now)
                counter = max(0.0, counter - (now - counted_at) * 0.33) + 1
                counted_at = now
            assert counter <= 15
            wait = asks_every_s
        now += wait
    gaps = [later - earlier for earlier, later in pairwise(read_at)]
    assert min(gaps) == pytest.approx(9, abs=0.01)
    assert max(gaps) < 9.1


def test_a_protective_picture_waits_only_for_room_for_all_its_calls_and_a_look_up() -> None:
    ledger = Ledger(LEAKING)
    assert ledger.take_turn(2, 0) == 0
    ledger.spend(2, now=0)
    for _ in range(5):
        assert ledger.take_turn(2, 0, protective=True) == 0
        ledger.spend(2, now=0, protective=True)
    assert ledger.take_turn(2, 0, protective=True) == pytest.approx(3)
    ledger.spend(3, now=0, protective=True)
    assert ledger.take_turn(2, 0, protective=True) == pytest.approx(12)
    assert ledger.take_turn(2, 12, protective=True) == 0


def test_where_counts_do_not_leak_a_protective_picture_has_its_turn_at_once() -> None:
    ledger = Ledger(replace(RULES, period_s=60))
    ledger.spend(100, now=0)
    assert ledger.take_turn(10, 0, protective=True) == 0
