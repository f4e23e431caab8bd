"""`GET /v5/market/instruments-info` and `/v5/market/risk-limit`: market rules and maintenance tiers; pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from brokers.errors import MalformedAnswer
from brokers.models import MarginTier, MarketRules, Symbol
from brokers.numbers import ONE, ZERO, NumberError, decimal_from, decimal_or_none
from brokers.venues.bybit.contracts import Category, kind_of
from brokers.venues.bybit.envelope import Row, text_or_none

PAGE = 1000
"""Most instruments that one page gives."""

HUNDRED = Decimal(100)


def read_market(row: Row, category: Category) -> MarketRules | None:
    """Return one instrument's rules, `None` where the row does not hold a complete set.

    Quantities are in base coin (linear, option) or USD (inverse, contract size 1). A market order has a cap
    of its own, lower than the limit order's.
    """
    lots, prices = row.get("lotSizeFilter"), row.get("priceFilter")
    symbol, base, quote = (text_or_none(row, name) for name in ("symbol", "baseCoin", "quoteCoin"))
    if symbol is None or base is None or quote is None:
        return None
    if not isinstance(lots, Mapping) or not isinstance(prices, Mapping):
        return None
    default_settle = base if category is Category.INVERSE else quote
    try:
        return MarketRules(
            symbol=Symbol(symbol),
            base=base,
            quote=quote,
            settle=text_or_none(row, "settleCoin") or default_settle,
            kind=kind_of(category),
            contract_size=ONE,
            lot_step=decimal_from(lots.get("qtyStep")),
            min_quantity=decimal_from(lots.get("minOrderQty")),
            price_step=decimal_from(prices.get("tickSize")),
            max_market_quantity=_cap(lots, "maxMktOrderQty") or _cap(lots, "maxOrderQty"),
            max_limit_quantity=_cap(lots, "maxOrderQty"),
            min_notional=decimal_or_none(lots.get("minNotionalValue")),
            price_band=_band(row),
        )
    except (NumberError, ValueError):
        return None


def read_tiers(rows: Sequence[Row]) -> tuple[MarginTier, ...]:
    """Return one symbol's maintenance brackets, from the smallest position up.

    A row's `riskLimitValue` is the most its tier holds; so a tier's floor is the limit of the one below.
    Rates have been published as fractions (`"0.005"`) and as percentages (`"0.5"`); the symbol's highest
    leverage tells which: initial margin is 1 / leverage as a fraction, 100 / leverage as a percentage.

    Raises:
        MalformedAnswer: rates and leverage fit neither reading.
        NumberError: a figure is absent or damaged.
    """
    ordered = sorted(rows, key=lambda row: decimal_from(row.get("riskLimitValue")))
    if not ordered:
        return ()
    unit = _rate_unit(ordered[0])
    tiers = []
    floor = ZERO
    for row in ordered:
        tiers.append(
            MarginTier(
                floor=floor,
                rate=decimal_from(row.get("maintenanceMargin")) / unit,
                deduction=decimal_or_none(row.get("mmDeduction")) or ZERO,
            )
        )
        floor = decimal_from(row.get("riskLimitValue"))
    return _continuous(tuple(tiers))


def _continuous(tiers: tuple[MarginTier, ...]) -> tuple[MarginTier, ...]:
    """Fill in deductions that the venue leaves out: each makes the requirement continuous at its floor."""
    if len(tiers) == 1 or any(tier.deduction for tier in tiers):
        return tiers
    filled = [tiers[0]]
    for tier in tiers[1:]:
        below = filled[-1]
        deduction = below.deduction + tier.floor * (tier.rate - below.rate)
        filled.append(MarginTier(floor=tier.floor, rate=tier.rate, deduction=deduction))
    return tuple(filled)


def _rate_unit(lowest: Row) -> Decimal:
    initial = decimal_from(lowest.get("initialMargin"))
    times_leverage = initial * decimal_from(lowest.get("maxLeverage"))
    if Decimal("0.5") <= times_leverage <= Decimal(2):
        return ONE
    if Decimal(50) <= times_leverage <= Decimal(200):
        return HUNDRED
    raise MalformedAnswer(f"risk limit: initial margin {initial} fits no reading of the highest leverage")


def _band(row: Row) -> Decimal | None:
    """Return how far from mark a limit price is taken whatever the index; `None`: not, or badly, stated.

    Source: Bybit v5 "Set Price Limit Behaviour": futures, mark price x (1 +- `priceLimitRatioX`).
    """
    parameters = row.get("riskParameters")
    try:
        ratio = (
            decimal_or_none(parameters.get("priceLimitRatioX")) if isinstance(parameters, Mapping) else None
        )
    except NumberError:
        return None
    return ratio if ratio is not None and ratio > 0 else None


def _cap(lots: Mapping[str, object], name: str) -> Decimal | None:
    cap = decimal_or_none(lots.get(name))
    return cap if cap is not None and cap > 0 else None
