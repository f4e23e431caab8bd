from decimal import Decimal
from types import MappingProxyType

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import MarketRules, OrderSide, Symbol
from brokers.venues.kraken.spot.markets import currency_of, find_rules, rate_pair, read_pairs

D = Decimal
Markets = MappingProxyType[Symbol, MarketRules]


def test_a_pair_is_read_with_its_steps_and_levels(markets: Markets) -> None:
    rules = find_rules("XXBTZUSD", markets)
    assert rules is not None
    assert (rules.base, rules.quote, rules.settle) == ("BTC", "USD", "USD")
    assert (rules.lot_step, rules.price_step, rules.min_quantity, rules.min_notional) == (
        D("1e-8"),
        D("0.1"),
        D("0.0001"),
        D("0.5"),
    )
    assert (rules.margin_call, rules.margin_stop, rules.leverage_buy) == (80, 40, (2, 3, 4, 5))


@pytest.mark.parametrize("name", ["XXBTZUSD", "XBTUSD", "XBT/USD"])
def test_a_pair_is_found_by_each_of_its_names(markets: Markets, name: str) -> None:
    found = find_rules(name, markets)
    assert found is not None
    assert found.symbol == "XXBTZUSD"
    assert find_rules("XBT", markets) is None


def test_a_pair_that_says_little_is_read_and_a_damaged_one_left_out() -> None:
    little = {"altname": "XBTUSD", "base": "XXBT", "quote": "ZUSD", "pair_decimals": 1, "lot_decimals": 8}
    pairs = {"XXBTZUSD": little, "BAD": little | {"lot_decimals": "many"}, "NEW": {"altname": "NEW"}}
    (rules,) = read_pairs({"error": [], "result": pairs}).values()
    assert (rules.base, rules.quote, rules.price_step, rules.min_quantity) == (
        "BTC",
        "USD",
        D("0.1"),
        D("1e-8"),
    )
    with pytest.raises(MalformedAnswer):
        read_pairs({"error": [], "result": []})


def test_the_levels_of_a_pair_without_any_are_the_usual_ones() -> None:
    row = {"wsname": "SOL/USD", "pair_decimals": 2, "lot_decimals": 8, "leverage_buy": [2]}
    (rules,) = read_pairs({"error": [], "result": {"SOLUSD": row}}).values()
    found = find_rules("SOLUSD", {rules.symbol: rules})
    assert found is not None
    assert (found.margin_call, found.margin_stop) == (80, 40)
    assert found.leverage_for(OrderSide.SELL, D(2)) is None


@pytest.mark.parametrize(
    ("code", "name"),
    [("XXBT", "BTC"), ("ZUSD", "USD"), ("XBT", "BTC"), ("XXDG", "DOGE"), ("USDC", "USDC"), ("SOL", "SOL")],
)
def test_currencies_have_their_common_names(code: str, name: str) -> None:
    assert currency_of(code) == name


def test_the_price_of_a_currency_is_that_of_its_pair_with_the_dollar(markets: Markets) -> None:
    assert rate_pair("EUR", markets) == "ZEURZUSD"
    assert rate_pair("JPY", markets) is None
