from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.models import ContractKind
from daemon.risk.sizing import Lots

D = Decimal
BUILD = Any
HALF = D("0.5")


def lots(build: BUILD, quantity: str = "1", most: str | None = None, **rules: object) -> Lots:
    position = build.Row(quantity=quantity).position()
    market = bool(rules.pop("market", False))
    bounds = {"lot_step": D("0.1"), "min_quantity": D("0.1")} | rules
    return Lots(position=position, rules=build.rules(**bounds), most=D(most or quantity), market=market)


@pytest.mark.parametrize(
    ("quantity", "wanted", "expected"),
    [
        ("1", "0.11", "0.2"),
        ("1", "0.2", "0.2"),
        ("1", "0.9", "0.5"),
        ("1", "0", "0.1"),
        ("0.1", "0.01", "0.1"),
        ("0.15", "0.01", "0.15"),
        ("0.35", "0.3", "0.1"),
        ("0.05", "0.05", None),
    ],
    ids=[
        "rounded up",
        "on the step",
        "> fraction",
        "at least one lot",
        "one lot is all",
        "rest is dust",
        "fraction floors",
        "dust",
    ],
)
def test_an_order_is_whole_lots_within_the_fraction(
    *, build: BUILD, quantity: str, wanted: str, expected: str | None
) -> None:
    assert lots(build, quantity).quantity(D(wanted), HALF) == (None if expected is None else D(expected))


def test_what_would_leave_dust_takes_the_whole_position(build: BUILD) -> None:
    bounds = {"min_quantity": D("0.4")}

    assert lots(build, "1", **bounds).quantity(D("0.7"), D(1)) == 1
    assert lots(build, "1", **bounds).quantity(D("0.6"), D(1)) == D("0.6")
    assert lots(build, "0.7", **bounds).quantity(D("0.1"), HALF) == D("0.7")


def test_a_minimum_notional_counts_as_a_minimum(build: BUILD) -> None:
    small = {"min_notional": D(20_000)}  # 0.4 of 50,000

    assert lots(build, "1", **small).least == D("0.4")
    assert lots(build, "0.3", **small).is_dust
    exempt = lots(build, "0.3", **small, reduce_only_exempt_from_minimum=True)
    assert not exempt.is_dust
    assert exempt.quantity(D("0.1"), HALF) == D("0.1")


def test_the_minimum_notional_of_an_inverse_contract_is_in_contracts(build: BUILD) -> None:
    bounds = {
        "kind": ContractKind.INVERSE,
        "contract_size": D(100),
        "lot_step": D(1),
        "min_notional": D(250),
    }

    assert lots(build, "10", **bounds).least == 3


@pytest.mark.parametrize(
    ("quantity", "cap", "expected"),
    [("10", "3", "3"), ("10", "3.05", "3"), ("10", "9.8", "9.5"), ("10", "10", "10")],
    ids=["cap", "cap off step", "rest would be dust", "cap = position"],
)
def test_no_order_is_larger_than_the_venue_takes(
    *, build: BUILD, quantity: str, cap: str, expected: str
) -> None:
    limited = lots(build, quantity, max_limit_quantity=D(cap), min_quantity=D("0.5"))
    to_market = lots(build, quantity, max_market_quantity=D(cap), min_quantity=D("0.5"), market=True)

    assert limited.quantity(D(quantity), D(1)) == D(expected)
    assert to_market.quantity(D(quantity), D(1)) == D(expected)


def test_the_overhang_of_a_hedge_is_not_exceeded(build: BUILD) -> None:
    assert lots(build, "5", "2").quantity(D(4), D(1)) == 2
    assert lots(build, "5", "0").quantity(D(4), D(1)) is None


quantities = st.integers(min_value=1, max_value=5000).map(lambda n: D(n) / 100)


@given(
    quantity=quantities,
    wanted=quantities,
    most=quantities,
    fraction=st.sampled_from([D("0.1"), HALF, D(1)]),
    minimum=st.sampled_from([D("0.1"), D("0.4"), D(2)]),
    cap=st.none() | st.sampled_from([D("0.5"), D(3), D(20)]),
)
def test_every_order_is_one_the_venue_takes(
    *,
    build: BUILD,
    quantity: Decimal,
    wanted: Decimal,
    most: Decimal,
    fraction: Decimal,
    minimum: Decimal,
    cap: Decimal | None,
) -> None:
    most = min(most, quantity)
    bounds = lots(build, str(quantity), str(most), min_quantity=minimum, max_limit_quantity=cap)
    order = bounds.quantity(wanted, fraction)

    if order is None:
        return
    rest = quantity - order
    assert 0 < order <= most
    assert order % bounds.rules.lot_step == 0 or order == quantity
    assert cap is None or order <= cap
    assert order >= min(minimum, quantity)
    if most == quantity:
        assert rest == 0 or rest >= minimum
