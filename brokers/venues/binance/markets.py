"""`exchangeInfo` -> market rules, `leverageBracket` -> maintenance tiers."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from brokers.fields import mapping_from, rows_from
from brokers.models import ContractKind, MarginTier, MarketRules, Symbol
from brokers.numbers import ONE, ZERO, NumberError, decimal_from, decimal_or_none

FLOORS = ("notionalFloor", "qtyFloor", "qtylFloor")
"""What a bracket's lower edge is called; COIN-M states it in coin, and its docs spell it last so."""


def read_usdm_markets(payload: object) -> dict[Symbol, MarketRules]:
    """Read `GET /fapi/v1/exchangeInfo`; an instrument whose filters are damaged is left out.

    Raises:
        MalformedAnswer: it is not that answer.
    """
    return _read_markets(payload, linear_rules)


def read_coinm_markets(payload: object) -> dict[Symbol, MarketRules]:
    """Read `GET /dapi/v1/exchangeInfo`; an instrument whose filters are damaged is left out.

    Raises:
        MalformedAnswer: it is not that answer.
    """
    return _read_markets(payload, _inverse_rules)


def _read_markets(
    payload: object, rules_of: Callable[[Mapping[str, Any]], MarketRules]
) -> dict[Symbol, MarketRules]:
    listed = rows_from(mapping_from(payload, "exchangeInfo").get("symbols"), "exchangeInfo's symbols")
    markets = {}
    for row in listed:
        try:
            rules = rules_of(row)
        except (NumberError, ValueError, KeyError, TypeError):
            continue
        markets[rules.symbol] = rules
    return markets


def linear_rules(row: Mapping[str, Any]) -> MarketRules:
    """Read one instrument: base coins in, quote out, reduce-only exempt from the minimum notional.

    A market order must respect both lot filters, so the coarser step counts; a step of 0 is none.
    """
    filters = {one["filterType"]: one for one in row["filters"]}
    lot, market_lot = filters["LOT_SIZE"], filters.get("MARKET_LOT_SIZE", {})
    minimum = filters.get("MIN_NOTIONAL", {})
    return MarketRules(
        symbol=Symbol(row["symbol"]),
        base=row["baseAsset"],
        quote=row["quoteAsset"],
        settle=row.get("marginAsset") or row["quoteAsset"],
        kind=ContractKind.LINEAR,
        contract_size=ONE,
        lot_step=max(decimal_from(lot["stepSize"]), decimal_or_none(market_lot.get("stepSize")) or ZERO),
        min_quantity=max(decimal_from(lot["minQty"]), decimal_or_none(market_lot.get("minQty")) or ZERO),
        price_step=decimal_from(filters["PRICE_FILTER"]["tickSize"]),
        max_market_quantity=_cap(market_lot) if market_lot else _cap(lot),
        max_limit_quantity=_cap(lot),
        min_notional=decimal_or_none(minimum.get("notional") or minimum.get("minNotional")),
        reduce_only_exempt_from_minimum=True,
        price_band=_band(filters.get("PERCENT_PRICE", {})),
    )


def _inverse_rules(row: Mapping[str, Any]) -> MarketRules:
    """Read one instrument: contracts of a fixed size in quote in, coin out; there is no minimum notional."""
    return replace(
        linear_rules(row),
        settle=row["marginAsset"],
        kind=ContractKind.INVERSE,
        contract_size=decimal_from(row["contractSize"]),
    )


def _band(one: Mapping[str, Any]) -> Decimal | None:
    """Return how far from mark a limit price may lie on either side; `None`: not, or badly, stated.

    Source: Binance USD-M futures, filter `PERCENT_PRICE`: mark x `multiplierDown` to `multiplierUp`.
    """
    try:
        up, down = decimal_or_none(one.get("multiplierUp")), decimal_or_none(one.get("multiplierDown"))
    except NumberError:
        return None
    band = min(up - ONE, ONE - down) if up is not None and down is not None else None
    return band if band is not None and band > 0 else None


def _cap(one: Mapping[str, Any]) -> Decimal | None:
    """Return a filter's largest quantity; 0 is none."""
    return decimal_or_none(one.get("maxQty")) or None


def read_tiers(payload: object) -> dict[Symbol, tuple[MarginTier, ...]]:
    """Read `leverageBracket`: a list, or one object where a symbol was named.

    A symbol whose brackets carry the account's own multiplier (`notionalCoef`) is left out: whether the
    floors are stated before or after it is not documented. So is one with a damaged bracket.
    """
    rows = rows_from(payload if isinstance(payload, list) else [payload], "leverageBracket")
    tiers = {}
    for row in rows:
        try:
            if decimal_or_none(row.get("notionalCoef")) in {None, ONE}:
                tiers[Symbol(row["symbol"])] = _brackets(row["brackets"])
        except (NumberError, KeyError, TypeError):
            continue
    return tiers


def _brackets(rows: list[Mapping[str, Any]]) -> tuple[MarginTier, ...]:
    """Read the brackets; maintenance = notional x `maintMarginRatio` - `cum` from `notionalFloor` on."""
    brackets = [
        MarginTier(
            floor=decimal_from(next((row[name] for name in FLOORS if name in row), None)),
            rate=decimal_from(row["maintMarginRatio"]),
            deduction=decimal_from(row["cum"]),
        )
        for row in rows
    ]
    return tuple(sorted(brackets, key=lambda tier: tier.floor))
