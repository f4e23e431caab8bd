"""`public/instruments`: contract sizes, steps and caps."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import ContractKind, MarketRules, Symbol
from brokers.venues.okx.markets import read_instruments

Row = dict[str, Any]


def test_linear_contract(markets: dict[Symbol, MarketRules]) -> None:
    rules = markets[Symbol("BTC-USDT-SWAP")]
    assert (rules.base, rules.quote, rules.settle, rules.kind) == ("BTC", "USDT", "USDT", ContractKind.LINEAR)
    assert (rules.contract_size, rules.lot_step, rules.min_quantity, rules.price_step) == (
        Decimal("0.01"),
        Decimal("0.01"),
        Decimal("0.01"),
        Decimal("0.1"),
    )


def test_market_orders_have_a_cap_of_their_own(markets: dict[Symbol, MarketRules]) -> None:
    # ccxt's unified limit shows maxLmtSz only.
    rules = markets[Symbol("BTC-USDT-SWAP")]
    assert (rules.max_market_quantity, rules.max_limit_quantity) == (12_000, 100_000_000)


def test_inverse_contract_is_sized_in_quote(markets: dict[Symbol, MarketRules]) -> None:
    rules = markets[Symbol("BTC-USD-SWAP")]
    assert (rules.kind, rules.contract_size, rules.settle, rules.quote) == (
        ContractKind.INVERSE,
        100,
        "BTC",
        "USD",
    )


def test_caps_left_out_are_none(markets: dict[Symbol, MarketRules]) -> None:
    rules = markets[Symbol("LTC-USDT-SWAP")]
    assert (rules.contract_size, rules.max_market_quantity, rules.max_limit_quantity) == (1, None, None)


def test_multiplier_scales_the_contract(instruments: Row) -> None:
    instruments["data"][0]["ctMult"] = "10"
    assert read_instruments(instruments)[Symbol("BTC-USDT-SWAP")].contract_size == Decimal("0.1")


def test_announced_instrument_is_left_out(markets: dict[Symbol, MarketRules]) -> None:
    assert Symbol("ETH-USD_UM-SWAP") not in markets
    assert len(markets) == 4


@pytest.mark.parametrize(
    "damage",
    [{"lotSz": "0"}, {"ctVal": ""}, {"tickSz": "NaN"}, {"minSz": None}, {"ctType": "quanto"}, {"instId": ""}],
)
def test_damaged_row_costs_only_its_own_instrument(instruments: Row, damage: Row) -> None:
    instruments["data"][0] |= damage
    assert set(read_instruments(instruments)) == {"BTC-USD-SWAP", "LTC-USDT-SWAP", "BTC-USDT"}


def test_foreign_list_is_refused(envelope: Callable[..., Row]) -> None:
    with pytest.raises(MalformedAnswer):
        read_instruments({**envelope(), "data": {"instId": "BTC-USDT-SWAP"}})
