from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.models import ContractKind, Side
from daemon.risk.margin import leveraged_equity, notional, unrealized_pnl
from daemon.risk.prices import (
    bankruptcy_price_cross,
    bankruptcy_price_inverse,
    bankruptcy_price_linear,
    liquidation_price_inverse,
    liquidation_price_linear,
    margin_call_price,
    zero_equity_price,
)

D = Decimal
CENT = D("0.01")
sides = st.sampled_from(Side)
prices = st.decimals(min_value=1, max_value=100_000, places=2)
quantities = st.decimals(min_value="0.01", max_value=1000, places=2)
leverages = st.integers(min_value=2, max_value=100).map(Decimal)
rates = st.decimals(min_value="0.001", max_value="0.1", places=3)


def test_a_five_times_levered_long_is_called_at_84_23_and_wiped_out_at_69_23() -> None:
    held = {"quantity": D(325), "mark_price": D(100), "margin_equity": D(10_000)}

    call = margin_call_price(Side.LONG, **held, maintenance_margin=D(4_875))
    wiped = zero_equity_price(Side.LONG, **held)

    assert call is not None
    assert wiped is not None
    assert (call.quantize(CENT), wiped.quantize(CENT)) == (D("84.23"), D("69.23"))
    assert leveraged_equity(D(3_500), D(6_500), D(325), D(100), call).quantize(CENT) == 4_875
    assert leveraged_equity(D(3_500), D(6_500), D(325), D(100), wiped).quantize(CENT) == 0


def test_the_same_short_is_called_as_far_above() -> None:
    held = {"quantity": D(325), "mark_price": D(100), "margin_equity": D(10_000)}

    call = margin_call_price(Side.SHORT, **held, maintenance_margin=D(4_875))

    assert call is not None
    assert call.quantize(CENT) == D("115.77")


def test_an_overdue_call_lies_beyond_the_mark() -> None:
    call = margin_call_price(
        Side.LONG, quantity=D(1), mark_price=D(100), margin_equity=D(5), maintenance_margin=D(10)
    )

    assert call == 105


@pytest.mark.parametrize(
    "price",
    [
        zero_equity_price(Side.LONG, quantity=D(1), mark_price=D(100), margin_equity=D(100)),
        zero_equity_price(Side.LONG, quantity=D(1), mark_price=D(100), margin_equity=D(500)),
        liquidation_price_linear(
            Side.LONG, quantity=D(1), entry_price=D(100), collateral=D(500), maintenance_rate=D("0.01")
        ),
        liquidation_price_linear(
            Side.LONG, quantity=D(1), entry_price=D(100), collateral=D(5), maintenance_rate=D(1)
        ),
        liquidation_price_inverse(Side.LONG, contract_value=D(1), entry_price=D(0), collateral=D(1)),
        liquidation_price_inverse(Side.SHORT, contract_value=D(100), entry_price=D(100), collateral=D(1)),
        bankruptcy_price_linear(Side.LONG, D(100), D(1)),
        bankruptcy_price_inverse(Side.SHORT, D(100), D(1)),
    ],
    ids=["debt=0", "debt<0", "collateral>cost", "rate=1", "entry=0", "covered short", "long 1x", "short 1x"],
)
def test_where_no_positive_price_does_it_there_is_none(price: Decimal | None) -> None:
    assert price is None


@given(side=sides, entry=prices, quantity=quantities, leverage=leverages, rate=rates)
def test_at_the_linear_liquidation_price_equity_equals_maintenance(
    side: Side, entry: D, quantity: D, leverage: D, rate: D
) -> None:
    collateral = entry * quantity / leverage
    price = liquidation_price_linear(
        side, quantity=quantity, entry_price=entry, collateral=collateral, maintenance_rate=rate
    )

    assert price is not None
    pnl = unrealized_pnl(
        ContractKind.LINEAR,
        side,
        quantity=quantity,
        contract_size=D(1),
        entry_price=entry,
        mark_price=price,
    )
    assert abs(collateral + pnl - quantity * price * rate) < D("1e-12") * entry * quantity


@given(side=sides, entry=prices, value=quantities, leverage=leverages, rate=rates)
def test_at_the_inverse_liquidation_price_equity_equals_maintenance(
    side: Side, entry: D, value: D, leverage: D, rate: D
) -> None:
    collateral = value / entry / leverage
    price = liquidation_price_inverse(
        side, contract_value=value, entry_price=entry, collateral=collateral, maintenance_rate=rate
    )

    assert price is not None
    pnl = unrealized_pnl(
        ContractKind.INVERSE,
        side,
        quantity=value,
        contract_size=D(1),
        entry_price=entry,
        mark_price=price,
    )
    maintenance = notional(ContractKind.INVERSE, value, D(1), price) * rate
    assert abs(collateral + pnl - maintenance) < D("1e-12") * collateral


@given(side=sides, entry=prices, leverage=leverages)
def test_bankruptcy_is_liquidation_without_a_requirement(side: Side, entry: D, leverage: D) -> None:
    linear = liquidation_price_linear(
        side, quantity=D(1), entry_price=entry, collateral=entry / leverage, maintenance_rate=D(0)
    )
    inverse = liquidation_price_inverse(
        side, contract_value=entry, entry_price=entry, collateral=1 / leverage
    )

    assert linear is not None
    assert inverse is not None
    assert abs((bankruptcy_price_linear(side, entry, leverage) or D(0)) - linear) < D("1e-15") * entry
    assert abs((bankruptcy_price_inverse(side, entry, leverage) or D(0)) - inverse) < D("1e-15") * entry


def test_a_loss_budget_is_shared_by_the_maintenance_that_closing_frees() -> None:
    # 10 of equity, 30 of 50 maintenance freed: 6 may be lost on 0.1, so 60 a unit
    price = bankruptcy_price_cross(
        Side.LONG, quantity=D("0.1"), mark_price=D(3000), margin_equity=D(10), share=D("0.6")
    )

    assert price == 2940


def test_impossible_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match="leverage"):
        bankruptcy_price_linear(Side.LONG, D(1), D(0))
    with pytest.raises(ValueError, match="leverage"):
        bankruptcy_price_inverse(Side.LONG, D(1), D(-1))
    with pytest.raises(ValueError, match="quantity"):
        bankruptcy_price_cross(Side.LONG, quantity=D(0), mark_price=D(1), margin_equity=D(1))
