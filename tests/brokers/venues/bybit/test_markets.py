"""Market rules and maintenance tiers."""

from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import ContractKind
from brokers.numbers import NumberError
from brokers.venues.bybit.contracts import Category
from brokers.venues.bybit.markets import read_market, read_tiers

Payload = dict[str, Any]


def instrument(**fields: object) -> dict[str, object]:
    """Bybit docs, instruments-info sample (linear), shortened."""
    row: dict[str, object] = {
        "symbol": "BTCUSDT",
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": "BTC",
        "quoteCoin": "USDT",
        "settleCoin": "USDT",
        "priceFilter": {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": "0.10"},
        "lotSizeFilter": {
            "maxOrderQty": "1190.000",
            "minOrderQty": "0.001",
            "qtyStep": "0.001",
            "postOnlyMaxOrderQty": "1190.000",
            "maxMktOrderQty": "500.000",
            "minNotionalValue": "5",
        },
    }
    return {**row, **fields}


def test_a_linear_instrument() -> None:
    rules = read_market(instrument(), Category.LINEAR)
    assert (rules.base, rules.quote, rules.settle, rules.kind) == (
        "BTC",
        "USDT",
        "USDT",
        ContractKind.LINEAR,
    )
    assert (rules.lot_step, rules.min_quantity, rules.price_step, rules.min_notional) == (
        Decimal("0.001"),
        Decimal("0.001"),
        Decimal("0.10"),
        Decimal(5),
    )


def test_a_market_order_has_the_lower_cap() -> None:
    rules = read_market(instrument(), Category.LINEAR)
    assert (rules.max_market_quantity, rules.max_limit_quantity) == (Decimal(500), Decimal(1190))


def test_without_a_market_cap_the_general_one_holds() -> None:
    lots = {"maxOrderQty": "1190", "minOrderQty": "0.001", "qtyStep": "0.001"}
    rules = read_market(instrument(lotSizeFilter=lots), Category.LINEAR)
    assert rules.max_market_quantity == 1190
    assert rules.min_notional is None


@pytest.mark.parametrize(
    ("parameters", "band"),
    [
        ({"priceLimitRatioX": "0.01", "priceLimitRatioY": "0.02"}, Decimal("0.01")),
        ({"priceLimitRatioX": "wide"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_price_band_is_the_one_that_holds_whatever_the_index(
    parameters: object, band: Decimal | None
) -> None:
    rules = read_market(instrument(riskParameters=parameters), Category.LINEAR)
    assert rules is not None
    assert rules.price_band == band


def test_an_inverse_instrument_settles_in_its_base_and_counts_dollars() -> None:
    lots = {"maxOrderQty": "25000000", "minOrderQty": "1", "qtyStep": "1", "maxMktOrderQty": "5000000"}
    row = instrument(symbol="BTCUSD", quoteCoin="USD", settleCoin="", lotSizeFilter=lots)
    rules = read_market(row, Category.INVERSE)
    assert (rules.settle, rules.kind, rules.contract_size) == ("BTC", ContractKind.INVERSE, Decimal(1))


@pytest.mark.parametrize(
    "broken",
    [
        {"lotSizeFilter": None},
        {"lotSizeFilter": {"minOrderQty": "1"}},
        {"lotSizeFilter": {"minOrderQty": "1", "qtyStep": "0"}},
        {"priceFilter": {"tickSize": "NaN"}},
        {"symbol": None},
        {"baseCoin": ""},
    ],
)
def test_an_incomplete_instrument_has_no_rules(broken: Payload) -> None:
    assert read_market(instrument(**broken), Category.LINEAR) is None


def test_tiers_published_as_fractions() -> None:
    rows = [
        {
            "riskLimitValue": "2000000",
            "maintenanceMargin": "0.005",
            "initialMargin": "0.01",
            "maxLeverage": "100.00",
            "mmDeduction": "",
        },
        {
            "riskLimitValue": "10000000",
            "maintenanceMargin": "0.01",
            "initialMargin": "0.02",
            "maxLeverage": "50.00",
            "mmDeduction": "10000",
        },
    ]
    low, high = read_tiers(rows[::-1])
    assert (low.floor, low.rate, low.deduction) == (Decimal(0), Decimal("0.005"), Decimal(0))
    assert (high.floor, high.rate, high.deduction) == (Decimal(2_000_000), Decimal("0.01"), Decimal(10_000))


def test_tiers_published_as_percentages_and_without_deductions() -> None:
    """Source: Bybit docs, risk limit sample (inverse, `maintenanceMargin` 0.5, `maxLeverage` 100)."""
    rows = [
        {
            "riskLimitValue": "150",
            "maintenanceMargin": "0.5",
            "initialMargin": "1",
            "maxLeverage": "100.00",
        },
        {"riskLimitValue": "300", "maintenanceMargin": "1", "initialMargin": "1.5", "maxLeverage": "66.67"},
    ]
    low, high = read_tiers(rows)
    assert (low.rate, high.rate) == (Decimal("0.005"), Decimal("0.01"))
    assert high.deduction == Decimal("0.75")
    assert 150 * low.rate - low.deduction == 150 * high.rate - high.deduction


def test_rates_that_fit_no_reading_are_malformed() -> None:
    row = {
        "riskLimitValue": "1",
        "maintenanceMargin": "0.05",
        "initialMargin": "0.1",
        "maxLeverage": "100",
    }
    with pytest.raises(MalformedAnswer):
        read_tiers([row])


def test_a_damaged_tier_is_no_tier_of_zero() -> None:
    with pytest.raises(NumberError):
        read_tiers([{"riskLimitValue": "1", "initialMargin": "0.01", "maxLeverage": "100"}])


def test_no_rows_are_no_tiers() -> None:
    assert read_tiers([]) == ()
