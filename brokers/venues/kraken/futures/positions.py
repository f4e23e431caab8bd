"""`openpositions` joined with `tickers`: raw rows -> open positions.

A row states side, size and entry price and nothing else: mark price, notional and PnL come from the ticker of
its contract, the margins from the published schedule.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from brokers.fields import Fields
from brokers.models import ContractKind, Finding, FindingCode, MarginMode, MarketRules, Position, Side, Symbol
from brokers.numbers import ZERO, NumberError
from brokers.venues.kraken.futures.envelope import time_from_iso
from brokers.venues.kraken.futures.markets import USD, common_name, pair_of, requirement

FLEX = "flex"
"""The wallet of all linear contracts, and the key of its risk unit."""

SIDES = {"long": Side.LONG, "short": Side.SHORT}
INVERSE_PREFIXES = frozenset({"PI", "FI"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a ticker says of one contract; `mark` is `None` where it says nothing usable."""

    mark: Decimal | None
    suspended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a row does not say itself: rules and quotes, by the contract's name in upper case."""

    markets: Mapping[str, MarketRules]
    quotes: Mapping[str, Quote]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One open position, the wallet it belongs to and the coin under it.

    `isolated_margin` is what was put up for an isolated one: its entry notional over its fixed leverage.
    `least` is the least maintenance margin that its wallet can have counted for it, by entry or mark.
    """

    position: Position
    wallet: str
    underlying: str
    isolated_margin: Decimal | None = None
    least: Decimal = ZERO

    @property
    def is_cross(self) -> bool:
        """Whether all of its wallet backs it."""
        return self.position.margin_mode is MarginMode.CROSS


def surroundings(markets: Mapping[Symbol, MarketRules], tickers: Sequence[Mapping[str, Any]]) -> Surroundings:
    """Index rules and tickers; Kraken writes one contract's name in either case."""
    findings: list[Finding] = []  # a damaged price is found where it is used
    quotes = {}
    for row in tickers:
        mark = Fields(row, findings).optional("markPrice")
        quotes[str(row.get("symbol") or "").upper()] = Quote(
            mark=mark if mark is not None and mark > 0 else None,
            suspended=row.get("suspended") is True,
        )
    return Surroundings(
        markets=MappingProxyType({symbol.upper(): rules for symbol, rules in markets.items()}),
        quotes=MappingProxyType(quotes),
    )


def wallet_of(symbol: str, rules: MarketRules | None) -> str:
    """Return the wallet a contract belongs to: `flex`, or the one of its coin (`fi_xbtusd`)."""
    inverse = symbol.upper().split("_")[0] in INVERSE_PREFIXES
    if rules is not None:
        inverse = rules.kind is ContractKind.INVERSE
    return f"fi_{pair_of(symbol).lower()}" if inverse else FLEX


def isolated_unit_key(symbol: Symbol) -> str:
    """Name the unit of an isolated position; a contract holds one position."""
    return f"isolated:{symbol}"


def read_positions(
    rows: Sequence[Mapping[str, Any]], around: Surroundings, findings: list[Finding]
) -> tuple[Holding, ...]:
    """Read every open row; the margins of legs that net are those Kraken counts."""
    holdings: dict[Symbol, Holding] = {}
    for row in rows:
        name = str(row.get("symbol") or "")
        rules = around.markets.get(name.upper())
        symbol = Symbol(name.upper()) if rules is None else rules.symbol
        fields = Fields(row, findings, symbol=symbol or None)
        if not name:
            fields.find(FindingCode.FIELD_MISSING, "a position without symbol")
            continue
        holding = _holding(symbol, rules, fields, around)
        if holding is None:
            continue
        if symbol in holdings:
            fields.find(FindingCode.INCONSISTENT, "two rows for one contract")
            continue
        holdings[symbol] = holding
    return _netted(tuple(holdings.values()))


def _holding(
    symbol: Symbol, rules: MarketRules | None, fields: Fields, around: Surroundings
) -> Holding | None:
    size, side = fields.required("size"), SIDES.get(str(fields.text("side")))
    if not size:
        return None
    if side is None or size < 0:
        fields.find(FindingCode.FIELD_DAMAGED, f"a position of {size} on side {fields.text('side')!r}")
        if side is None:
            return None
    if rules is None:
        fields.find(FindingCode.SYMBOL_UNKNOWN, "a position in a contract without market rules")
    wallet = wallet_of(symbol, rules)
    kind = ContractKind.LINEAR if wallet == FLEX else ContractKind.INVERSE
    coin = common_name(pair_of(symbol).upper().removesuffix(USD)) if rules is None else rules.base
    entry, fixed = fields.required("price"), fields.optional("maxFixedLeverage")
    isolated = fixed is not None
    mark = _mark(fields, around.quotes.get(symbol.upper()))
    quantity = abs(size)
    worth = None if rules is None else quantity * rules.contract_size
    asked = None if rules is None or not entry else requirement(rules, quantity, entry)
    at_entry = _value(kind, worth, entry)
    own = None if at_entry is None or not fixed or fixed <= 0 else at_entry / fixed
    if isolated and own is None:
        fields.find(FindingCode.FIELD_DAMAGED, "the margin of an isolated position cannot be told")
    position = Position(
        symbol=symbol,
        unit=isolated_unit_key(symbol) if isolated else wallet,
        side=side,
        quantity=quantity,
        settle=USD if kind is ContractKind.LINEAR else coin,
        kind=kind,
        margin_mode=MarginMode.ISOLATED if isolated else MarginMode.CROSS,
        hedged=False,
        entry_price=entry,
        mark_price=mark,
        notional=_value(kind, worth, mark),
        initial_margin=own if isolated else None if asked is None else asked.initial,
        maintenance_margin=None if asked is None else asked.maintenance,
        unrealized_pnl=_pnl(kind, side, worth, entry, mark),
        leverage_setting=fixed,
        updated_at=_time(fields),
        netting=None if rules is None else f"{wallet}:{coin}:{rules.contract_size}",
    )
    at_mark = None if rules is None or not mark else requirement(rules, quantity, mark)
    needs = [each.maintenance for each in (asked, at_mark) if each is not None]
    least = min(needs, default=ZERO)
    return Holding(position=position, wallet=wallet, underlying=coin, isolated_margin=own, least=least)


def _mark(fields: Fields, quote: Quote | None) -> Decimal | None:
    """Return a live price; that of a suspended market may be an old one, and nothing trades there."""
    if quote is None or quote.mark is None:
        fields.find(FindingCode.PRICE_UNKNOWN, "its ticker is missing, or states no mark price")
        return None
    if quote.suspended:
        fields.find(FindingCode.PRICE_UNKNOWN, "its market is suspended")
        return None
    return quote.mark


def _value(kind: ContractKind, worth: Decimal | None, price: Decimal | None) -> Decimal | None:
    """Return what `worth` (base coin, or dollars if inverse) is in settle currency at a price."""
    if worth is None or price is None or price <= 0:
        return None
    return worth * price if kind is ContractKind.LINEAR else worth / price


def _pnl(
    kind: ContractKind, side: Side, worth: Decimal | None, entry: Decimal | None, mark: Decimal | None
) -> Decimal | None:
    if worth is None or not entry or not mark or min(entry, mark) <= 0:
        return None
    signed = worth if side is Side.LONG else -worth
    if kind is ContractKind.LINEAR:
        return signed * (mark - entry)
    return signed / entry - signed / mark


def _time(fields: Fields) -> datetime | None:
    try:
        return time_from_iso(fields.text("fillTime"))
    except NumberError:
        return None


def _netted(holdings: tuple[Holding, ...]) -> tuple[Holding, ...]:
    """Let the smaller side of one coin in one wallet require nothing: Kraken counts the larger alone.

    Source: Kraken support 4844463246100, "Margin Netting": cross margined legs only.
    """
    sums: dict[tuple[str, str], dict[Side, Decimal]] = {}
    for holding in holdings:
        if holding.is_cross:
            sides = sums.setdefault((holding.wallet, holding.underlying), {})
            need = holding.position.maintenance_margin or ZERO
            sides[holding.position.side] = sides.get(holding.position.side, ZERO) + need
    larger = {key: max(sides, key=lambda side: sides[side]) for key, sides in sums.items()}
    return tuple(
        holding
        if not holding.is_cross or holding.position.side is larger[holding.wallet, holding.underlying]
        else replace(holding, position=_without_margin(holding.position), least=ZERO)
        for holding in holdings
    )


def _without_margin(position: Position) -> Position:
    if position.maintenance_margin is None:
        return position
    return replace(position, initial_margin=ZERO, maintenance_margin=ZERO)
