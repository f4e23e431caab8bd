"""A leverage setting above the cap: what lowering it would come to."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.models import AccountSnapshot, MarginMode, Side
from daemon.risk.leverage_setting import lowerings
from daemon.risk.policy import MarginPolicy

D = Decimal
BUILD = Any
POLICY = MarginPolicy(max_leverage=D(5))


def book(
    build: BUILD,
    equity: object = 20_000,
    setting: object = 10,
    orders: object = 0,
    **changes: Any,  # noqa: ANN401
) -> AccountSnapshot:
    """A BTC long of 50,000 at a setting of 10 on an equity of 20,000; `orders` require margin beside it."""
    row = build.Row(initial="0.1")
    worth, more = D(str(equity)), D(str(orders))
    unit = {"initial_margin": 5_000 + more, "available_margin": worth - 5_000 - more}
    snapshot = build.book(equity, [row], unit=unit)
    position = replace(snapshot.positions[0], leverage_setting=None if setting is None else D(str(setting)))
    return replace(snapshot, positions=(replace(position, **changes),))


@pytest.mark.parametrize(
    ("changes", "projected", "harmless"),
    [
        ({}, "0.5", True),  # 10,000 of 20,000
        ({"equity": 15_700}, "0.637", True),
        ({"equity": 15_500}, "0.645", True),
        ({"equity": 14_900}, "0.671", False),  # WARNING less hysteresis is 67 %
        ({"equity": 11_000}, "0.909", False),
        ({"equity": 9_000}, "1.111", False),
        ({"orders": 1_000}, "0.6", True),  # 6,000 + 5,000 + 1,000
        ({"orders": 3_000}, "0.8", False),
        ({"setting": 50}, "0.7", False),  # 5,000 + 9,000: of two figures the less favourable one
        ({"initial_margin": None}, None, False),  # nobody says whose the 5,000 are: orders' as likely
        ({"notional": None}, None, False),
    ],
)
def test_the_utilization_is_projected(
    build: BUILD, changes: dict[str, Any], projected: str | None, *, harmless: bool
) -> None:
    snapshot = book(build, **changes)
    (one,) = lowerings(snapshot, POLICY)
    assert (one.symbol, one.after, one.harmless) == ("BTCUSDT", D(5), harmless)
    if projected is not None:
        assert one.projected == pytest.approx(D(projected), abs=D("0.001"))


@pytest.mark.parametrize(
    ("changes", "cap"),
    [
        ({"setting": 5}, "5"),
        ({"setting": 3}, "5"),
        ({"setting": None}, "5"),
        ({"margin_mode": MarginMode.ISOLATED}, "5"),
        ({"margin_mode": MarginMode.PORTFOLIO}, "5"),
        ({"setting": 5}, "5.9"),
        ({"setting": 1}, "0.5"),
        ({}, None),
    ],
)
def test_what_is_left_alone(build: BUILD, changes: dict[str, Any], cap: str | None) -> None:
    policy = MarginPolicy(max_leverage=None if cap is None else D(cap))
    assert lowerings(book(build, **changes), policy) == ()


@pytest.mark.parametrize(("cap", "after"), [("5.9", 5), ("2", 2), ("1", 1), ("0.5", 1)])
def test_it_is_lowered_to_a_whole_number_of_at_least_one(build: BUILD, cap: str, after: int) -> None:
    (one,) = lowerings(book(build, equity=200_000), MarginPolicy(max_leverage=D(cap)))
    assert (one.before, one.after) == (D(10), D(after))


def test_legs_of_a_symbol_are_lowered_together(build: BUILD) -> None:
    legs = [build.Row(initial="0.1", hedged=True), build.Row(initial="0.1", hedged=True, side=Side.SHORT)]
    snapshot = build.book(40_000, legs)
    both = tuple(replace(position, leverage_setting=D(10)) for position in snapshot.positions)
    (one,) = lowerings(replace(snapshot, positions=both), POLICY)
    assert one.projected == D("0.5")


@given(
    equity=st.integers(20_001, 90_000), setting=st.sampled_from([8, 10, 20, 50, 100]), cap=st.integers(1, 5)
)
def test_what_is_harmless_is_so_when_the_venue_reckons_anew(
    build: BUILD, equity: int, setting: int, cap: int
) -> None:
    snapshot = build.book(equity, [build.Row(initial=str(D(1) / setting))])
    position = replace(snapshot.positions[0], leverage_setting=D(setting))
    (one,) = lowerings(replace(snapshot, positions=(position,)), MarginPolicy(max_leverage=D(cap)))
    assert one.harmless is (D(50_000) / cap < D("0.67") * equity)
