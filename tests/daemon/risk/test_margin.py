from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.models import ContractKind, Side
from daemon.risk.margin import (
    RATIO_SHOWN_AT_MOST,
    Usage,
    effective_leverage,
    exceeds_leverage,
    initial_margin,
    is_liquidatable,
    leveraged_equity,
    maintenance_usage,
    margin_headroom,
    notional,
    unrealized_pnl,
    utilization,
    worst_ratio,
)

D = Decimal
LINEAR, INVERSE = ContractKind.LINEAR, ContractKind.INVERSE
money = st.decimals(min_value=0, max_value=10**9, places=4)
signed = st.decimals(min_value=-(10**9), max_value=10**9, places=4)
thresholds = st.decimals(min_value="0.01", max_value="0.99", places=2)


@pytest.mark.parametrize(
    ("used", "capacity", "reaches", "exceeds"),
    [
        ("80", "100", True, False),
        ("80.01", "100", True, True),
        ("79.99", "100", False, False),
        ("1", "0", True, True),
        ("1", "-100", True, True),
        ("0", "100", False, False),
        ("0", "0", False, False),
        ("0", "-100", False, False),
    ],
    ids=["M=tE", "M>tE", "M<tE", "M>0,E=0", "M>0,E<0", "M=0,E>0", "M=0,E=0", "M=0,E<0"],
)
def test_a_threshold_is_compared_as_a_product(
    *, used: str, capacity: str, reaches: bool, exceeds: bool
) -> None:
    usage = Usage(used=D(used), capacity=D(capacity))

    assert usage.reaches(D("0.8")) is reaches
    assert usage.exceeds(D("0.8")) is exceeds


def test_a_ratio_above_1_is_shown_as_it_is_and_over_nothing_at_its_ceiling() -> None:
    assert Usage(used=D(395), capacity=D(100)).ratio == D("3.95")
    assert Usage(used=D(1), capacity=D(0)).ratio == RATIO_SHOWN_AT_MOST
    assert Usage(used=D(1), capacity=D(-5)).ratio == RATIO_SHOWN_AT_MOST
    assert Usage(used=D(0), capacity=D(-5)).ratio == 0


def test_utilization_is_the_larger_of_both_definitions() -> None:
    by_available, by_equity = utilization(D(60), D(40), D(250))

    assert (by_available.ratio, by_equity.ratio) == (D("0.6"), D("0.24"))
    assert worst_ratio((by_available, by_equity)) == D("0.6")
    # the available margin is floored at zero by the venue; equity tells how far beyond it is
    assert worst_ratio(utilization(D(120), D(0), D(80))) == D("1.5")


def test_a_missing_figure_is_unknown_and_never_zero() -> None:
    assert utilization(None, D(40), D(100)) == ()
    assert utilization(D(60), None, None) == ()
    assert maintenance_usage(None, D(100), None) == ()
    assert maintenance_usage(D(50), None, None) == ()
    assert worst_ratio(()) is None


def test_maintenance_is_the_worse_of_ours_and_the_venues_ratio() -> None:
    assert worst_ratio(maintenance_usage(D(50), D(100), D("0.55"))) == D("0.55")
    assert worst_ratio(maintenance_usage(D(60), D(100), D("0.55"))) == D("0.6")
    assert worst_ratio(maintenance_usage(None, None, D("0.55"))) == D("0.55")
    assert worst_ratio(maintenance_usage(D(60), D(-1), D("0.55"))) == RATIO_SHOWN_AT_MOST


@given(maintenance=money, equity=st.decimals(min_value="0.0001", max_value=10**9, places=4))
def test_headroom_is_negative_iff_the_maintenance_ratio_is_above_1(maintenance: D, equity: D) -> None:
    usage = Usage(used=maintenance, capacity=equity)

    assert (margin_headroom(equity, maintenance) < 0) == usage.exceeds(D(1))


@given(used=money, more=money, capacity=signed, less=money, threshold=thresholds)
def test_risk_never_falls_with_more_requirement_nor_with_less_equity(
    used: D, more: D, capacity: D, less: D, threshold: D
) -> None:
    if Usage(used=used, capacity=capacity).reaches(threshold):
        assert Usage(used=used + more, capacity=capacity).reaches(threshold)
        assert Usage(used=used, capacity=capacity - less).reaches(threshold)


@given(used=money, capacity=signed, threshold=thresholds, scale=st.sampled_from(["1e-6", "3", "1000", "1e6"]))
def test_the_unit_of_money_does_not_matter(used: D, capacity: D, threshold: D, scale: str) -> None:
    scaled = Usage(used=used * D(scale), capacity=capacity * D(scale))

    assert scaled.reaches(threshold) == Usage(used=used, capacity=capacity).reaches(threshold)


@pytest.mark.parametrize(
    ("equity", "maintenance", "liquidatable"),
    [
        ("100", "100", False),
        ("99.99", "100", True),
        ("-100", "0", False),
        ("0", "0", False),
        ("-1", "1", True),
    ],
    ids=["M=E", "M>E", "E<0,M=0", "E=M=0", "E<0,M>0"],
)
def test_a_venue_liquidates_a_requirement_that_equity_no_longer_covers(
    *, equity: str, maintenance: str, liquidatable: bool
) -> None:
    assert is_liquidatable(D(equity), D(maintenance)) is liquidatable


def test_notional_of_linear_and_inverse_contracts() -> None:
    assert notional(LINEAR, D("1.5"), D("0.01"), D(50_000)) == 750
    assert notional(INVERSE, D(300), D(100), D(50_000)) == D("0.6")
    with pytest.raises(ValueError, match="positive price"):
        notional(LINEAR, D(1), D(1), D(0))


@pytest.mark.parametrize(
    ("kind", "side", "quantity", "entry", "mark", "expected"),
    [
        (LINEAR, Side.LONG, "2", "100", "90", "-20"),
        (LINEAR, Side.SHORT, "2", "100", "90", "20"),
        (INVERSE, Side.LONG, "10000", "50000", "40000", "-0.05"),
        (INVERSE, Side.SHORT, "10000", "50000", "40000", "0.05"),
    ],
)
def test_unrealized_pnl_follows_side_and_kind(
    *, kind: ContractKind, side: Side, quantity: str, entry: str, mark: str, expected: str
) -> None:
    pnl = unrealized_pnl(
        kind, side, quantity=D(quantity), contract_size=D(1), entry_price=D(entry), mark_price=D(mark)
    )

    assert pnl == D(expected)


def test_an_inverse_profit_needs_positive_prices() -> None:
    with pytest.raises(ValueError, match="inverse prices"):
        unrealized_pnl(
            INVERSE, Side.LONG, quantity=D(1), contract_size=D(1), entry_price=D(0), mark_price=D(1)
        )


def test_borrowed_money_is_never_equity() -> None:
    # 10,000 of cash, 6,500 of it put up at 5x: 325 units from 100, worth 32,500, of which 26,000 is borrowed
    def equity(mark: str) -> Decimal:
        return leveraged_equity(D(3_500), D(6_500), D(325), D(100), D(mark))

    assert equity("100") == 10_000
    assert equity("90") == 6_750
    assert equity("80") == 3_500
    assert equity("60") == -3_000


def test_initial_margin_is_notional_over_leverage() -> None:
    assert initial_margin(D(32_500), D(5)) == 6_500
    assert initial_margin(D(80_000), D(10), D("0.03")) == 240
    with pytest.raises(ValueError, match="leverage"):
        initial_margin(D(1), D(0))


def test_effective_leverage_is_gross_and_has_no_figure_without_equity() -> None:
    assert effective_leverage(D(350_000), D(100_000)) == D("3.5")
    assert effective_leverage(D(0), D(0)) == 0
    assert effective_leverage(D(1), D(0)) is None
    assert exceeds_leverage(D(1), D(0), D(5))
    assert exceeds_leverage(D(1), D(-9), D(5))
    assert not exceeds_leverage(D(0), D(-9), D(5))
    assert not exceeds_leverage(D(500), D(100), D(5))
    assert exceeds_leverage(D("500.01"), D(100), D(5))
