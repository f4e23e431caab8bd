"""`market/products` -> market rules of US futures, perpetual-style and dated."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from brokers.models import ContractKind, MarketRules, Symbol
from brokers.numbers import NumberError, decimal_from, decimal_or_none
from brokers.venues.coinbase.amounts import USD


def market_rules(rows: Sequence[Mapping[str, Any]]) -> dict[Symbol, MarketRules]:
    """Read the rules of every futures product that states them all.

    A damaged row is left out: a position in it is then flagged as unknown, while the others stay tradable.
    """
    found: dict[Symbol, MarketRules] = {}
    for row in rows:
        rules = _rules(row)
        if rules is not None:
            found[rules.symbol] = rules
    return found


def _rules(row: Mapping[str, Any]) -> MarketRules | None:
    """Return one product's rules. Orders are in contracts of `contract_size` coins, margined in USD."""
    details = row.get("future_product_details")
    name = str(row.get("product_id") or "")
    if not name or not isinstance(details, Mapping):
        return None
    base = str(details.get("contract_root_unit") or row.get("base_currency_id") or "")
    quote = str(row.get("quote_currency_id") or USD)
    if not base or quote != USD:
        return None
    try:
        step = decimal_from(row.get("base_increment"))
        return MarketRules(
            symbol=Symbol(name),
            base=base,
            quote=USD,
            settle=USD,
            kind=ContractKind.LINEAR,
            contract_size=decimal_from(details.get("contract_size")),
            lot_step=step,
            min_quantity=decimal_or_none(row.get("base_min_size")) or step,
            price_step=_price_step(row),
            max_market_quantity=decimal_or_none(row.get("base_max_size")) or None,
        )
    except (NumberError, ValueError):
        return None


def _price_step(row: Mapping[str, Any]) -> Decimal:
    step = decimal_or_none(row.get("price_increment"))
    return decimal_from(row.get("quote_increment")) if step is None else step
