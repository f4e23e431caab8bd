"""Market rules and maintenance brackets."""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import ContractKind, MarginTier, Symbol
from brokers.venues.binance.markets import read_tiers, read_usdm_markets

BTC = Symbol("BTCUSDT")


def bracket(number: int, leverage: int, span: tuple[int, int], rate: float, cum: float) -> dict[str, Any]:
    return {
        "bracket": number,
        "initialLeverage": leverage,
        "notionalCap": span[1],
        "notionalFloor": span[0],
        "maintMarginRatio": rate,
        "cum": cum,
    }


BRACKETS = [
    bracket(1, 125, (0, 50_000), 0.004, 0.0),
    bracket(2, 100, (50_000, 250_000), 0.005, 50.0),
    bracket(3, 50, (250_000, 1_000_000), 0.01, 1300.0),
]


@pytest.mark.parametrize(
    ("up", "down", "band"),
    [
        ("1.0500", "0.9500", "0.05"),
        ("1.1500", "0.9500", "0.05"),
        ("much", "0.95", None),
        (None, "0.95", None),
    ],
)
def test_the_price_band_is_the_nearer_side(
    *, payload: Callable[[str], Any], up: object, down: object, band: str | None
) -> None:
    listed = payload("exchange_info")
    row = next(one for one in listed["symbols"] if one["symbol"] == BTC)
    (found,) = (one for one in row["filters"] if one["filterType"] == "PERCENT_PRICE")
    found |= {"multiplierUp": up, "multiplierDown": down}

    assert read_usdm_markets(listed)[BTC].price_band == (None if band is None else Decimal(band))


def test_rules_come_from_the_filters(payload: Callable[[str], Any]) -> None:
    rules = read_usdm_markets(payload("exchange_info"))[BTC]
    assert (rules.base, rules.quote, rules.settle, rules.kind) == ("BTC", "USDT", "USDT", ContractKind.LINEAR)
    assert (rules.lot_step, rules.min_quantity, rules.price_step) == (
        Decimal("0.001"),
        Decimal("0.001"),
        Decimal("0.10"),
    )
    assert (rules.max_market_quantity, rules.max_limit_quantity) == (Decimal(120), Decimal(1000))
    assert rules.min_notional == Decimal(100)
    assert rules.reduce_only_exempt_from_minimum


def test_a_market_order_respects_the_coarser_of_both_steps(payload: Callable[[str], Any]) -> None:
    info = payload("exchange_info")
    market_lot = info["symbols"][0]["filters"][2]
    market_lot["stepSize"] = "0.01"
    assert read_usdm_markets(info)[BTC].lot_step == Decimal("0.01")
    market_lot["stepSize"] = "0"
    assert read_usdm_markets(info)[BTC].lot_step == Decimal("0.001")


def test_a_damaged_instrument_is_left_out_and_no_other(payload: Callable[[str], Any]) -> None:
    info = payload("exchange_info")
    info["symbols"][0]["filters"][1]["stepSize"] = "none"
    info["symbols"][1]["filters"] = None
    assert set(read_usdm_markets(info)) == {"ETHUSDC", "SOLUSDT"}


def test_filters_that_an_order_can_do_without_may_be_missing(payload: Callable[[str], Any]) -> None:
    info = payload("exchange_info")
    info["symbols"][0]["filters"] = info["symbols"][0]["filters"][:2]
    rules = read_usdm_markets(info)[BTC]
    assert (rules.min_notional, rules.max_market_quantity) == (None, Decimal(1000))


@pytest.mark.parametrize("foreign", [None, [], {}, {"symbols": None}, {"symbols": ["BTCUSDT"]}])
def test_a_foreign_answer_is_refused(foreign: object) -> None:
    with pytest.raises(MalformedAnswer):
        read_usdm_markets(foreign)


def test_brackets_give_the_venues_maintenance_with_cum() -> None:
    # 4,758 without `cum`, 3,808 with: the documented short of 732,000 at 0.65 % and cum 950.
    own = MarginTier(floor=Decimal(600_000), rate=Decimal("0.0065"), deduction=Decimal(950))
    (read,) = read_tiers(
        {"symbol": "BTCUSDT", "brackets": [bracket(4, 75, (600_000, 3_000_000), 0.0065, 950)]}
    )[BTC]
    assert read == own
    assert Decimal(732_000) * read.rate - read.deduction == Decimal(3808)
    tiers = read_tiers([{"symbol": "BTCUSDT", "brackets": list(reversed(BRACKETS))}])[BTC]
    assert [tier.floor for tier in tiers] == [Decimal(0), Decimal(50000), Decimal(250000)]
    for below, above in pairwise(tiers):
        assert above.floor * below.rate - below.deduction == above.floor * above.rate - above.deduction


def test_one_symbols_answer_may_be_an_object() -> None:
    assert set(read_tiers({"symbol": "BTCUSDT", "brackets": BRACKETS})) == {BTC}


def test_brackets_with_a_multiplier_of_the_account_are_not_used() -> None:
    rows = [{"symbol": "BTCUSDT", "notionalCoef": 1.5, "brackets": BRACKETS}]
    assert read_tiers(rows) == {}
    assert set(read_tiers([{**rows[0], "notionalCoef": 1}])) == {BTC}


def test_a_damaged_bracket_leaves_its_symbol_out() -> None:
    broken = [{**BRACKETS[0], "cum": "?"}]
    rows = [{"symbol": "BTCUSDT", "brackets": broken}, {"symbol": "ETHUSDT", "brackets": BRACKETS}]
    assert set(read_tiers(rows)) == {"ETHUSDT"}
