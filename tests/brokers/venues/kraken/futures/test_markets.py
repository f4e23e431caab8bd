from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import ContractKind, MarketRules, Symbol
from brokers.venues.kraken.futures.markets import (
    FuturesRules,
    maintenance_tiers,
    read_instruments,
    requirement,
)

D = Decimal
Markets = Mapping[Symbol, MarketRules]


def test_linear_contracts_settle_in_dollars_and_inverse_ones_in_coin(markets: Markets) -> None:
    linear, inverse = markets[Symbol("PF_XBTUSD")], markets[Symbol("PI_XBTUSD")]
    assert (linear.kind, linear.base, linear.settle) == (ContractKind.LINEAR, "BTC", "USD")
    assert (inverse.kind, inverse.base, inverse.settle) == (ContractKind.INVERSE, "BTC", "BTC")
    assert (linear.lot_step, linear.min_quantity, linear.price_step) == (D("0.0001"), D("0.0001"), D("0.5"))
    assert (inverse.lot_step, inverse.contract_size) == (1, 1)
    assert "in_xbtusd" not in markets


@pytest.mark.parametrize(("precision", "step"), [(4, "0.0001"), (0, "1"), (-3, "1000")])
def test_the_smallest_order_may_be_a_thousand(precision: int, step: str) -> None:
    row = {
        "symbol": "PF_PEPEUSD",
        "type": "flexible_futures",
        "tickSize": 1e-10,
        "contractSize": 1,
        "contractValueTradePrecision": precision,
    }
    (rules,) = read_instruments({"instruments": [row]}).values()
    assert (rules.lot_step, rules.min_quantity, rules.price_step) == (D(step), D(step), D("1e-10"))


@pytest.mark.parametrize(
    "changes",
    [
        {"symbol": ""},
        {"type": "futures_vanilla"},
        {"tickSize": 0},
        {"tickSize": "NaN"},
        {"contractValueTradePrecision": None},
        {"contractValueTradePrecision": 1.5},
        {"contractValueTradePrecision": 999},
        {"symbol": "PF_XBTEUR"},
    ],
)
def test_a_damaged_row_is_left_out(changes: dict[str, Any]) -> None:
    row = {
        "symbol": "PF_XBTUSD",
        "type": "flexible_futures",
        "tickSize": 1,
        "contractSize": 1,
        "contractValueTradePrecision": 4,
    }
    assert read_instruments({"instruments": [row]})
    assert read_instruments({"instruments": [row | changes]}) == {}


def test_a_list_that_is_missing_is_no_empty_list() -> None:
    with pytest.raises(MalformedAnswer, match="instruments"):
        read_instruments({"result": "success"})


@pytest.mark.parametrize(
    "levels",
    [
        None,
        [{"numNonContractUnits": 0}],
        [{"numNonContractUnits": 5, "initialMargin": 1, "maintenanceMargin": 1}],
    ],
)
def test_a_schedule_that_is_not_understood_is_none(levels: object) -> None:
    row = {
        "symbol": "PI_XBTUSD",
        "type": "futures_inverse",
        "tickSize": 0.5,
        "contractSize": 1,
        "marginLevels": levels,
    }
    (rules,) = read_instruments({"instruments": [row]}).values()
    assert isinstance(rules, FuturesRules)
    assert rules.levels == ()
    assert requirement(rules, D(100), D(50_000)) is None
    assert maintenance_tiers(rules, D(50_000)) == ()


def test_an_inverse_schedule_counts_contracts_and_asks_for_coin(markets: Markets) -> None:
    rules = markets[Symbol("PI_XBTUSD")]
    asked = requirement(rules, D(600_000), D(50_000))
    assert asked is not None
    assert asked.maintenance == (D(500_000) * D("0.01") + D(100_000) * D("0.02")) / 50_000
    assert asked.initial == asked.maintenance * 2
    tiers = maintenance_tiers(rules, D(50_000))
    assert [(tier.floor, tier.deduction) for tier in tiers] == [(0, 0), (10, D("0.1"))]
