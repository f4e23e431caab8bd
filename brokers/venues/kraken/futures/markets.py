"""`instruments` -> market rules of Kraken's futures, with the margin schedule that comes along."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokers.models import ContractKind, MarginTier, MarketRules, Symbol
from brokers.numbers import ONE, ZERO, NumberError, decimal_from, decimal_or_none
from brokers.venues.kraken.futures.envelope import list_of

KINDS = {"flexible_futures": ContractKind.LINEAR, "futures_inverse": ContractKind.INVERSE}
USD = "USD"
OWN_NAMES = {"XBT": "BTC"}
FINEST_PRECISION = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginLevel:
    """From `floor` on (quote currency; USD contracts if inverse), the fractions a position needs."""

    floor: Decimal
    initial: Decimal
    maintenance: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class FuturesRules(MarketRules):
    """The rules of a contract, with its margin levels in rising order; none: the venue lists none."""

    levels: tuple[MarginLevel, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a schedule asks for a position, in settle currency."""

    initial: Decimal
    maintenance: Decimal


def common_name(currency: str) -> str:
    """Return a currency under the name it has elsewhere, in upper case."""
    return OWN_NAMES.get(currency.upper(), currency.upper())


def pair_of(symbol: str) -> str:
    """Return the middle of a symbol: `XBTUSD` of `PF_XBTUSD` and of `FI_XBTUSD_201225`."""
    return symbol.partition("_")[2].partition("_")[0]


def read_instruments(payload: object) -> dict[Symbol, MarketRules]:
    """Read the rules of every future that states them all; indexes and damaged rows are left out.

    Raises:
        MalformedAnswer: the answer holds no list of instruments.
    """
    found: dict[Symbol, MarketRules] = {}
    for row in list_of(payload, "instruments"):
        rules = _rules(row)
        if rules is not None:
            found[rules.symbol] = rules
    return found


def _rules(row: Mapping[str, Any]) -> FuturesRules | None:
    name, kind = str(row.get("symbol") or ""), KINDS.get(str(row.get("type") or ""))
    base, quote = _currencies(row, name)
    if not (name and kind and base and quote):
        return None
    try:
        step = _lot_step(row.get("contractValueTradePrecision"), kind)
        return FuturesRules(
            symbol=Symbol(name),
            base=base,
            quote=quote,
            settle=base if kind is ContractKind.INVERSE else quote,
            kind=kind,
            contract_size=decimal_or_none(row.get("contractSize")) or ONE,
            lot_step=step,
            min_quantity=step,
            price_step=decimal_from(row.get("tickSize")),
            levels=_levels(row.get("marginLevels")),
        )
    except (NumberError, ValueError):
        return None


def _currencies(row: Mapping[str, Any], name: str) -> tuple[str, str]:
    base, quote, pair = row.get("base"), row.get("quote"), pair_of(name).upper()
    if isinstance(base, str) and isinstance(quote, str) and base and quote:
        return common_name(base), common_name(quote)
    return common_name(pair.removesuffix(USD)), USD if pair.endswith(USD) else ""


def _lot_step(raw: object, kind: ContractKind) -> Decimal:
    """Return ten to the minus precision, which may be negative; inverse contracts are whole dollars."""
    precision = decimal_or_none(raw)
    if precision is None and kind is ContractKind.INVERSE:
        return ONE
    if precision is None or precision != precision.to_integral_value() or abs(precision) > FINEST_PRECISION:
        raise NumberError(f"not a precision: {raw!r}")
    return Decimal(10) ** -precision


def _levels(raw: object) -> tuple[MarginLevel, ...]:
    """Read a schedule; one that is not understood counts as none.

    A position's share of its wallet's own requirement can be told without it.
    """
    if not isinstance(raw, list):
        return ()
    try:
        levels = [_level(row) for row in raw]
    except (NumberError, AttributeError):
        return ()
    levels.sort(key=lambda level: level.floor)
    return tuple(levels) if levels and levels[0].floor == ZERO else ()


def _level(row: Mapping[str, Any]) -> MarginLevel:
    floor = row.get("numNonContractUnits")
    return MarginLevel(
        floor=decimal_from(row.get("contracts") if floor is None else floor),
        initial=decimal_from(row.get("initialMargin")),
        maintenance=decimal_from(row.get("maintenanceMargin")),
    )


def requirement(rules: MarketRules, quantity: Decimal, price: Decimal) -> Requirement | None:
    """Return what the schedule asks for a position taken at `price`; `None`: there is none.

    Kraken margins by the entry price. Its documents do not say whether a level's fraction is of the whole
    position or of the part within it: here each part needs its own level's, which is the least it can be.
    """
    if not isinstance(rules, FuturesRules) or not rules.levels or price <= 0:
        return None
    worth = quantity * rules.contract_size
    rate = ONE / price if rules.kind is ContractKind.INVERSE else ONE
    if rules.kind is ContractKind.LINEAR:
        worth *= price
    initial = maintenance = ZERO
    for level, upper in _parts(rules.levels):
        part = (worth if upper is None else min(worth, upper)) - level.floor
        if part > 0:
            initial += part * level.initial
            maintenance += part * level.maintenance
    return Requirement(initial=initial * rate, maintenance=maintenance * rate)


def maintenance_tiers(rules: MarketRules, mark: Decimal) -> tuple[MarginTier, ...]:
    """Return the schedule as brackets in settle currency; an inverse one moves with the price."""
    if not isinstance(rules, FuturesRules) or mark <= 0:
        return ()
    rate = ONE / mark if rules.kind is ContractKind.INVERSE else ONE
    tiers: list[MarginTier] = []
    for level in rules.levels:
        floor, deduction = level.floor * rate, ZERO
        if tiers:
            deduction = tiers[-1].deduction + floor * (level.maintenance - tiers[-1].rate)
        tiers.append(MarginTier(floor=floor, rate=level.maintenance, deduction=deduction))
    return tuple(tiers)


def _parts(levels: Sequence[MarginLevel]) -> list[tuple[MarginLevel, Decimal | None]]:
    uppers: list[Decimal | None] = [level.floor for level in levels[1:]]
    return list(zip(levels, [*uppers, None], strict=True))
