from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from daemon.risk.margin import Usage
from daemon.risk.relief import after_cut, collateral_to_add, notional_to_cut

D = Decimal
money = st.decimals(min_value=1, max_value=10**7, places=2)
ratios = st.decimals(min_value="0.05", max_value="0.95", places=2)
rates = st.decimals(min_value="0.004", max_value="0.5", places=3)
costs = st.decimals(min_value=0, max_value="0.01", places=4)


@pytest.mark.parametrize(
    ("used", "capacity", "relief", "cost", "expected"),
    [
        ("40", "100", "0.05", "0.001", "0"),
        ("39", "100", "0.05", "0.001", "0"),
        ("0", "-100", "0.05", "0.001", "0"),
        ("80", "100", "0.05", "0", "800"),
        ("80", "100", "0.0504", "0.001", "800"),
        ("80", "100", "0.0004", "0.001", None),
        ("80", "100", "0.0003", "0.001", None),
        ("80", "-100", "0.05", "0", "2400"),
    ],
    ids=["M=uE", "M<uE", "M=0,E<0", "M>uE,c=0", "M>uE", "r=uc", "r<uc", "E<0"],
)
def test_notional_to_cut(used: str, capacity: str, relief: str, cost: str, expected: str | None) -> None:
    usage = Usage(used=D(used), capacity=D(capacity))

    cut = notional_to_cut(usage, D("0.4"), D(relief), D(cost))

    assert cut == (None if expected is None else D(expected))


@given(used=money, capacity=money, target=ratios, relief=rates, cost=costs)
def test_after_a_feasible_cut_the_target_holds(used: D, capacity: D, target: D, relief: D, cost: D) -> None:
    usage = Usage(used=used, capacity=capacity)
    cut = notional_to_cut(usage, target, relief, cost)

    if cut is None:
        assert relief <= target * cost
        return
    assume(relief * cut <= used)  # no position is larger than the requirement it makes
    after = after_cut(usage, relief * cut, cost * cut)
    assert after.used <= target * after.capacity + D("1e-12") * used


@given(used=money, more=money, capacity=money, target=ratios, relief=rates, cost=costs)
def test_a_larger_requirement_never_needs_a_smaller_cut(
    *, used: D, more: D, capacity: D, target: D, relief: D, cost: D
) -> None:
    small = notional_to_cut(Usage(used=used, capacity=capacity), target, relief, cost)
    large = notional_to_cut(Usage(used=used + more, capacity=capacity), target, relief, cost)

    if small is not None and large is not None:
        assert large >= small


@given(used=money, capacity=money, target=ratios, relief=rates, cost=costs, scale=st.sampled_from([10, 1000]))
def test_ten_times_the_money_is_ten_times_the_cut(
    *, used: D, capacity: D, target: D, relief: D, cost: D, scale: int
) -> None:
    cut = notional_to_cut(Usage(used=used, capacity=capacity), target, relief, cost)
    scaled = notional_to_cut(Usage(used=used * scale, capacity=capacity * scale), target, relief, cost)

    assert (cut is None) == (scaled is None)
    if cut is not None and scaled is not None:
        assert abs(scaled - cut * scale) <= D("1e-15") * abs(scaled)


def test_a_top_up_brings_the_measure_to_target_without_a_trade() -> None:
    usage = Usage(used=D(90), capacity=D(100))
    added = collateral_to_add(usage, D("0.6"))

    assert added == 50
    assert not Usage(used=D(90), capacity=D(100) + added).exceeds(D("0.6"))
    assert collateral_to_add(Usage(used=D(60), capacity=D(100)), D("0.6")) == 0
    assert collateral_to_add(Usage(used=D(60), capacity=D(-10)), D("0.6")) == 110
