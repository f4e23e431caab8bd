"""`AssetPairs` -> market rules, with what spot margin adds to them: leverages and margin levels."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokers.fields import mapping_from
from brokers.models import ContractKind, MarketRules, OrderSide, Symbol
from brokers.numbers import ONE, NumberError, decimal_from, decimal_or_none
from brokers.venues.kraken.spot.envelope import object_of

USD = "USD"

OWN_CODES = {"XBT": "BTC", "XDG": "DOGE"}
"""Kraken's codes of currencies that everybody else writes differently."""

LEGACY_LENGTH = 4
"""Codes of this length starting with X (coins) or Z (money) are the three letters behind it."""

MARGIN_CALL, MARGIN_STOP = Decimal(80), Decimal(40)
"""The margin levels of a pair that states none. Source: Kraken support, "Margin call level"."""

ROUNDED = Decimal("1.001")
"""By what a leverage that was reckoned from a rounded cost and margin may fall short of the true one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotRules(MarketRules):
    """The rules of one pair.

    `leverage_buy` and `leverage_sell` are what an order may ask for, rising; empty: the pair has no margin.
    `margin_call` and `margin_stop` are margin levels in percent: below the first Kraken may liquidate, at
    the second it does.
    """

    altname: str
    wsname: str
    leverage_buy: tuple[Decimal, ...]
    leverage_sell: tuple[Decimal, ...]
    margin_call: Decimal
    margin_stop: Decimal

    def leverage_for(self, side: OrderSide, own: Decimal | None) -> Decimal | None:
        """Return what an order on `side` may ask for: `own` if listed, else the next one below, else any.

        `None`: the pair lists none on that side.
        """
        listed = self.leverage_buy if side is OrderSide.BUY else self.leverage_sell
        if not listed:
            return None
        fitting = [leverage for leverage in listed if own is not None and leverage <= own * ROUNDED]
        return max(fitting) if fitting else listed[0]


def read_pairs(payload: object) -> dict[Symbol, MarketRules]:
    """Read the rules of every pair that states them; a damaged row is left out.

    Raises:
        MalformedAnswer: the answer holds no pairs.
    """
    found: dict[Symbol, MarketRules] = {}
    for name, raw in object_of(payload, "AssetPairs").items():
        rules = _rules(str(name), mapping_from(raw, "a pair"))
        if rules is not None:
            found[rules.symbol] = rules
    return found


def find_rules(name: str, markets: Mapping[Symbol, MarketRules]) -> SpotRules | None:
    """Return the pair that Kraken calls `name` somewhere: by its id, its altname or its WebSocket name."""
    found = markets.get(Symbol(name))
    if isinstance(found, SpotRules):
        return found
    spot = (rules for rules in markets.values() if isinstance(rules, SpotRules))
    return next((rules for rules in spot if name in (rules.altname, rules.wsname)), None)


def rate_pair(currency: str, markets: Mapping[Symbol, MarketRules]) -> Symbol | None:
    """Return the pair whose price is what one `currency` is worth in USD."""
    pairs = (rules for rules in markets.values() if rules.base == currency and rules.quote == USD)
    return min((rules.symbol for rules in pairs), key=len, default=None)


def currency_of(code: str) -> str:
    """Return the common name of a currency that Kraken writes `XXBT`, `ZUSD` or `XBT`."""
    legacy = len(code) == LEGACY_LENGTH and code[0] in "XZ" and code.isalpha()
    plain = code[1:] if legacy else code
    return OWN_CODES.get(plain, plain)


def _rules(name: str, raw: Mapping[str, Any]) -> SpotRules | None:
    wsname = str(raw.get("wsname") or "")
    base, _, quote = wsname.partition("/")
    base = currency_of(base or str(raw.get("base") or ""))
    quote = currency_of(quote.partition(":")[0] or str(raw.get("quote") or ""))
    if not (name and base and quote):
        return None
    try:
        lot = ONE.scaleb(-int(decimal_from(raw.get("lot_decimals"))))
        tick = decimal_or_none(raw.get("tick_size"))
        if tick is None:
            tick = ONE.scaleb(-int(decimal_from(raw.get("pair_decimals"))))
        least = decimal_or_none(raw.get("ordermin"))
        call, stop = decimal_or_none(raw.get("margin_call")), decimal_or_none(raw.get("margin_stop"))
        return SpotRules(
            symbol=Symbol(name),
            base=base,
            quote=quote,
            settle=quote,
            kind=ContractKind.LINEAR,
            contract_size=ONE,
            lot_step=lot,
            min_quantity=lot if least is None else least,
            price_step=tick,
            min_notional=decimal_or_none(raw.get("costmin")),
            altname=str(raw.get("altname") or name),
            wsname=wsname,
            leverage_buy=_leverages(raw.get("leverage_buy")),
            leverage_sell=_leverages(raw.get("leverage_sell")),
            margin_call=MARGIN_CALL if call is None or call <= 0 else call,
            margin_stop=MARGIN_STOP if stop is None or stop <= 0 else stop,
        )
    except (NumberError, ValueError):
        return None


def _leverages(raw: object) -> tuple[Decimal, ...]:
    return tuple(sorted(decimal_from(step) for step in raw)) if isinstance(raw, list) else ()
