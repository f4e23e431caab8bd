from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.models import MarginTier
from daemon.risk.tiers import (
    build_tiers,
    is_continuous,
    relief_brackets,
    tier_at,
    tiered_maintenance,
)

D = Decimal
TIERS = build_tiers([(D(0), D("0.004")), (D(50_000), D("0.005")), (D(250_000), D("0.01"))])


def test_deductions_make_the_table_continuous() -> None:
    assert [tier.deduction for tier in TIERS] == [0, 50, 1300]
    assert is_continuous(TIERS)
    assert not is_continuous((*TIERS[:2], MarginTier(floor=D(250_000), rate=D("0.01"), deduction=D(0))))


@pytest.mark.parametrize(
    ("notional", "maintenance"),
    [
        ("0", "0"),
        ("49999", "199.996"),
        ("50000", "200"),
        ("100000", "450"),
        ("250000", "1200"),
        ("1e6", "8700"),
    ],
    ids=["N=0", "N<floor", "N=floor", "N>floor", "N=top floor", "N>top floor"],
)
def test_maintenance_of_a_notional(notional: str, maintenance: str) -> None:
    assert tiered_maintenance(D(notional), TIERS) == D(maintenance)


def test_a_floor_belongs_to_the_tier_above_it() -> None:
    assert tier_at(D(50_000), TIERS) is TIERS[1]
    with pytest.raises(ValueError, match="no margin tier"):
        tier_at(D(1), ())


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [(D(1), D("0.01"))],
        [(D(0), D("0.01")), (D(0), D("0.02"))],
        [(D(0), D("0.02")), (D(10), D("0.01"))],
        [(D(0), D("-0.01"))],
        [(D(0), D("0.5")), (D(10), D("1.5"))],
    ],
    ids=["none", "first floor > 0", "floors equal", "rates fall", "rate < 0", "rate > 1"],
)
def test_steps_that_make_no_table_are_refused(steps: list[tuple[Decimal, Decimal]]) -> None:
    with pytest.raises(ValueError, match=r"tiers? "):
        build_tiers(steps)


def test_relief_comes_from_the_top_bracket_down() -> None:
    brackets = relief_brackets(D(300_000), TIERS)

    assert [(bracket.width, bracket.rate) for bracket in brackets] == [
        (D(50_000), D("0.01")),
        (D(200_000), D("0.005")),
        (D(50_000), D("0.004")),
    ]


@given(notional=st.decimals(min_value=0, max_value=10**7, places=2))
def test_cutting_everything_frees_exactly_the_requirement(notional: D) -> None:
    brackets = relief_brackets(notional, TIERS)

    assert sum((bracket.width for bracket in brackets), D(0)) == notional
    freed = sum((bracket.width * bracket.rate for bracket in brackets), D(0))
    assert freed == tiered_maintenance(notional, TIERS)
