"""`public/instruments` -> market rules of perpetual and expiry futures."""

from collections.abc import Mapping
from typing import Any

from brokers.models import ContractKind, MarketRules, Symbol
from brokers.numbers import ONE, NumberError, decimal_from, decimal_or_none
from brokers.venues.okx.envelope import rows_of

INSTRUMENT_TYPES = ("SWAP", "FUTURES")
"""The instrument types whose positions margind can reduce."""

KINDS = {"linear": ContractKind.LINEAR, "inverse": ContractKind.INVERSE}


def read_instruments(payload: object) -> dict[Symbol, MarketRules]:
    """Read the rules of every instrument that states them all.

    Announced instruments (`preopen`) come with little more than their name; they are left out, and so is a
    damaged row: a position in one is then flagged as unknown, while the others stay tradable.

    Raises:
        MalformedAnswer: the answer is no list in OKX's envelope.
    """
    found: dict[Symbol, MarketRules] = {}
    for raw in rows_of(payload, "public/instruments"):
        rules = _rules(raw)
        if rules is not None:
            found[rules.symbol] = rules
    return found


def _rules(raw: Mapping[str, Any]) -> MarketRules | None:
    name, settle = str(raw.get("instId") or ""), str(raw.get("settleCcy") or "")
    kind = KINDS.get(str(raw.get("ctType") or ""))
    base, _, rest = str(raw.get("uly") or raw.get("instFamily") or name).partition("-")
    quote = rest.partition("-")[0]
    if not (name and settle and kind and base and quote):
        return None
    try:
        # A contract is ctVal x ctMult of ctValCcy: base coin if linear, quote (USD) if inverse.
        multiplier = decimal_or_none(raw.get("ctMult"))
        return MarketRules(
            symbol=Symbol(name),
            base=base,
            quote=quote,
            settle=settle,
            kind=kind,
            contract_size=decimal_from(raw.get("ctVal")) * (ONE if multiplier is None else multiplier),
            lot_step=decimal_from(raw.get("lotSz")),
            min_quantity=decimal_from(raw.get("minSz")),
            price_step=decimal_from(raw.get("tickSz")),
            max_market_quantity=decimal_or_none(raw.get("maxMktSz")),
            max_limit_quantity=decimal_or_none(raw.get("maxLmtSz")),
        )
    except (NumberError, ValueError):
        return None
