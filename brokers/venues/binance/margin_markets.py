"""Spot pairs that can be traded on margin: `exchangeInfo` -> market rules, and their prices."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from brokers.fields import mapping_from, rows_from
from brokers.models import MarketRules, Symbol
from brokers.numbers import ONE, NumberError, decimal_from, decimal_or_none
from brokers.venues.binance.markets import linear_rules

USDT = "USDT"
BTC = "BTC"
BTC_USDT = Symbol("BTCUSDT")

DOLLARS = frozenset({"USDT", "USDC", "FDUSD", "TUSD", "USD1", "DAI", "BUSD", "USDP"})

MINIMA = (("NOTIONAL", "minNotional"), ("MIN_NOTIONAL", "minNotional"))

Prices = Mapping[Symbol, Decimal]


def read_margin_markets(payload: object) -> dict[Symbol, MarketRules]:
    """Read `GET /api/v3/exchangeInfo`; a pair without margin trading, or with damaged filters, is left out.

    Raises:
        MalformedAnswer: it is not that answer.
    """
    found = {}
    for row in rows_from(mapping_from(payload, "exchangeInfo").get("symbols"), "exchangeInfo's symbols"):
        if row.get("isMarginTradingAllowed") is False:
            continue
        try:
            rules = _rules(row)
        except (NumberError, ValueError, KeyError, TypeError):
            continue
        found[rules.symbol] = rules
    return found


def _rules(row: Mapping[str, Any]) -> MarketRules:
    """Read one pair: base coins in, quote out; no order is exempt from the least worth."""
    filters = {one["filterType"]: one for one in row["filters"]}
    stated = (decimal_or_none(filters[name].get(field)) for name, field in MINIMA if name in filters)
    return replace(
        linear_rules(row),
        settle=row["quoteAsset"],
        min_notional=next(stated, None),
        reduce_only_exempt_from_minimum=False,
    )


def wanted_pairs(assets: Collection[str], markets: Mapping[Symbol, MarketRules]) -> tuple[Symbol, ...]:
    """Return the pairs whose prices a picture needs: of `assets` in one another, in USDT and BTC, and BTC."""
    known = set(assets)
    if not known:
        return ()
    quotes, bases = known | {USDT, BTC}, known | {BTC}
    found = (rules.symbol for rules in markets.values() if rules.base in bases and rules.quote in quotes)
    return tuple(dict.fromkeys((BTC_USDT, *found)))


def read_prices(payload: object) -> dict[Symbol, Decimal]:
    """Read `GET /api/v3/ticker/price`, or one `priceIndex`; a damaged price is left out."""
    rows = rows_from(payload if isinstance(payload, list) else [payload], "the prices")
    prices = {}
    for row in rows:
        try:
            price = decimal_from(row.get("price"))
        except NumberError:
            continue
        if price > 0:
            prices[Symbol(str(row.get("symbol")))] = price
    return prices


def in_usdt(asset: str, prices: Prices) -> Decimal | None:
    """Return what one of `asset` is worth in USDT, by its pair in USDT or in BTC; `None`: no price."""
    if asset == USDT:
        return ONE
    direct = prices.get(Symbol(asset + USDT))
    if direct is not None:
        return direct
    in_btc, btc = prices.get(Symbol(asset + BTC)), prices.get(BTC_USDT)
    return None if in_btc is None or btc is None else in_btc * btc


def pairs_between(
    base: str, quotes: Iterable[str], markets: Mapping[Symbol, MarketRules]
) -> tuple[MarketRules, ...]:
    """Return the pairs of `base` in any of `quotes`."""
    found = (markets.get(Symbol(base + quote)) for quote in quotes)
    return tuple(rules for rules in found if rules is not None and rules.base == base)
