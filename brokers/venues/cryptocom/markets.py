"""`public/get-instruments` -> market rules of perpetual and expiry futures."""

from collections.abc import Mapping
from typing import Any

from brokers.models import ContractKind, MarketRules, Symbol
from brokers.numbers import ONE, NumberError, decimal_from, decimal_or_none
from brokers.venues.cryptocom.envelope import rows_of

DERIVATIVES = frozenset({"PERPETUAL_SWAP", "FUTURE"})
"""The instrument types whose positions margind can reduce: linear, settled in their quote currency."""


def read_instruments(payload: object) -> dict[Symbol, MarketRules]:
    """Read the rules of every derivative that states them all.

    The smallest order is one step: Crypto.com states minimums for spot orders only. An instrument without a
    contract size is traded in its base coin. A damaged row is left out: a position in it is then flagged as
    unknown, while the others stay tradable.

    Raises:
        MalformedAnswer: the answer is no list in Crypto.com's envelope.
    """
    found: dict[Symbol, MarketRules] = {}
    for raw in rows_of(payload, "public/get-instruments"):
        rules = _rules(raw)
        if rules is not None:
            found[rules.symbol] = rules
    return found


def _rules(raw: Mapping[str, Any]) -> MarketRules | None:
    name, base, quote = (str(raw.get(field) or "") for field in ("symbol", "base_ccy", "quote_ccy"))
    if not (name and base and quote) or raw.get("inst_type") not in DERIVATIVES:
        return None
    try:
        step = decimal_from(raw.get("qty_tick_size"))
        size = decimal_or_none(raw.get("contract_size"))
        return MarketRules(
            symbol=Symbol(name),
            base=base,
            quote=quote,
            settle=quote,
            kind=ContractKind.LINEAR,
            contract_size=ONE if size is None else size,
            lot_step=step,
            min_quantity=step,
            price_step=decimal_from(raw.get("price_tick_size")),
        )
    except (NumberError, ValueError):
        return None
