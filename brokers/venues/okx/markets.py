"""`public/instruments` -> market rules of perpetual and expiry futures and of spot margin pairs."""

from collections.abc import Mapping
from typing import Any

from brokers.models import ContractKind, MarketRules, Symbol
from brokers.numbers import ONE, NumberError, decimal_from, decimal_or_none
from brokers.venues.okx.envelope import rows_of

INSTRUMENT_TYPES = ("SWAP", "FUTURES", "MARGIN")
"""The instrument types whose positions margind can reduce."""

KINDS = {"linear": ContractKind.LINEAR, "inverse": ContractKind.INVERSE}


def read_instruments(payload: object) -> dict[Symbol, MarketRules]:
    """Read the rules of every instrument that states them all.

    Announced instruments (`preopen`) come with little more than their name; they are left out, and so is a
    damaged row: a position in one is then flagged as unknown, while the others stay tradable. The cap on a
    pair's market orders counts in USDT: limit orders' cap, in base currency, stands for both.

    Raises:
        MalformedAnswer: the answer is no list in OKX's envelope.
    """
    found: dict[Symbol, MarketRules] = {}
    for raw in rows_of(payload, "public/instruments"):
        rules = _rules(raw)
        if rules is not None:
            found[rules.symbol] = rules
    return found


def is_pair(symbol: str) -> bool:
    """Tell a spot margin pair by its name: `BTC-USDT`; contracts have a third part."""
    return symbol.count("-") == 1


def instrument_type(symbol: str) -> str:
    """Return the instrument type of what margind can reduce, by its name."""
    if is_pair(symbol):
        return "MARGIN"
    return "SWAP" if symbol.endswith("-SWAP") else "FUTURES"


def _rules(raw: Mapping[str, Any]) -> MarketRules | None:
    name, settle = str(raw.get("instId") or ""), str(raw.get("settleCcy") or "")
    kind = KINDS.get(str(raw.get("ctType") or ""))
    base, _, rest = str(raw.get("uly") or raw.get("instFamily") or name).partition("-")
    quote = rest.partition("-")[0]
    in_pairs = str(raw.get("instType") or "") == "MARGIN"
    if in_pairs:  # traded in base currency for the quote currency
        kind, settle = ContractKind.LINEAR, quote
    if not (name and settle and kind and base and quote):
        return None
    try:
        # A contract is ctVal x ctMult of ctValCcy: base coin if linear, quote (USD) if inverse.
        size = ONE if in_pairs else decimal_from(raw.get("ctVal"))
        multiplier = decimal_or_none(raw.get("ctMult"))
        return MarketRules(
            symbol=Symbol(name),
            base=base,
            quote=quote,
            settle=settle,
            kind=kind,
            contract_size=size * (ONE if multiplier is None else multiplier),
            lot_step=decimal_from(raw.get("lotSz")),
            min_quantity=decimal_from(raw.get("minSz")),
            price_step=decimal_from(raw.get("tickSz")),
            max_market_quantity=decimal_or_none(raw.get("maxLmtSz" if in_pairs else "maxMktSz")),
            max_limit_quantity=decimal_or_none(raw.get("maxLmtSz")),
        )
    except (NumberError, ValueError):
        return None
