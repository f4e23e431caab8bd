"""`margin/isolated/account` -> the snapshot of isolated margin: a unit for every pair, in its quote currency.

A pair's account holds and owes its two assets and nothing else; its margin level is assets / debts by the
stated index price. At which level it is liquidated goes by the tier of what was borrowed. It is taken from
the tiers where the venue lists them, and from the stated liquidation price, at which it is what the assets
are worth over the debts; the stricter counts.

Source: Binance docs, "Query Isolated Margin Account Info", "Query Isolated Margin Tier Data"; Binance
support, "Binance Margin Level and Margin Call".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from brokers.errors import MalformedAnswer
from brokers.fields import Fields, mapping_from, rows_from
from brokers.hooks import SnapshotContext
from brokers.models import (
    BOTH_MEASURES,
    AccountMode,
    AccountSnapshot,
    Collateral,
    Finding,
    FindingCode,
    MarginMode,
    Measure,
    PositionMode,
    RiskUnit,
    Symbol,
    UnitKind,
)
from brokers.numbers import ONE, ZERO
from brokers.venues.binance.margin_amounts import Amounts, read_amounts
from brokers.venues.binance.margin_markets import DOLLARS
from brokers.venues.binance.margin_positions import Book, Desk, Levels, add_longs
from brokers.venues.binance.margin_units import agreed_level, available

ISOLATED = AccountMode(
    label="isolated margin", margin_mode=MarginMode.ISOLATED, position_mode=PositionMode.ONE_WAY
)

STRICTEST = Decimal("1.18")
"""The highest liquidation ratio that Binance publishes for isolated pairs: that of 3x."""

PLAUSIBLE = Decimal("1.5")
"""No pair is liquidated above."""

LIQUIDATING = frozenset({"FORCE_LIQUIDATION"})

GRAIN = Decimal("0.00000001")

TOTALS_TOLERANCE = Decimal("0.05")
"""How far the pairs may be from their total: both are Binance's own, in BTC."""

TOTALS_GRAIN = Decimal("0.0000005")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One tier of a pair: the multiple it allows, and its margin levels."""

    multiple: Decimal
    levels: Levels


Tiers = Mapping[Symbol, Sequence[Tier]]


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolatedPicture:
    """One read of all pairs; the answer carries no time, so `asked_at` dates it."""

    account: Mapping[str, Any]
    tiers: Tiers
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One pair with its two assets, in the venue's own row."""

    symbol: Symbol
    row: Mapping[str, Any]
    base: Amounts | None
    quote: Amounts | None

    @property
    def unit(self) -> str:
        """The key of its risk unit."""
        return unit_key(self.symbol)

    @property
    def is_empty(self) -> bool:
        """Whether it provably holds and owes nothing."""
        return self.base is not None and self.quote is not None and self.base.is_empty and self.quote.is_empty

    @property
    def owes(self) -> bool:
        """Whether anything is owed, as far as it can be read."""
        return any(one is not None and one.owed > ZERO for one in (self.base, self.quote))


def unit_key(symbol: str) -> str:
    """Return the key of a pair's unit."""
    return f"isolated:{symbol}"


def symbol_of(unit: str) -> Symbol:
    """Return the pair that a unit's key names."""
    return Symbol(unit.removeprefix("isolated:"))


def check_account(payload: object) -> Mapping[str, Any]:
    """Return `GET /sapi/v1/margin/isolated/account`.

    Raises:
        MalformedAnswer: it is not that answer, or a pair has no name.
    """
    account = mapping_from(payload, "the isolated account")
    rows = rows_from(account.get("assets"), "the isolated pairs")
    if not all(isinstance(row.get("symbol"), str) and row["symbol"] for row in rows):
        raise MalformedAnswer("an isolated pair without a symbol")
    return account


def read_pairs(account: Mapping[str, Any], findings: list[Finding]) -> tuple[Pair, ...]:
    """Read every pair that may hold or owe anything."""
    pairs = []
    for row in account["assets"]:
        unit = unit_key(row["symbol"])
        base, quote = (
            read_amounts(mapping_from(row.get(side), f"{unit}: {side}"), unit, findings)
            for side in ("baseAsset", "quoteAsset")
        )
        pair = Pair(symbol=Symbol(row["symbol"]), row=row, base=base, quote=quote)
        if not pair.is_empty:
            pairs.append(pair)
    return tuple(pairs)


def read_tiers(payload: object) -> tuple[Tier, ...]:
    """Read `GET /sapi/v1/margin/isolatedMarginTier`; a tier that makes no sense is left out."""
    tiers = []
    for row in rows_from(payload, "the isolated tiers"):
        fields = Fields(row, [])
        multiple, initial = fields.optional("effectiveMultiple"), fields.optional("initialRiskRatio")
        liquidation = fields.optional("liquidationRiskRatio")
        if multiple is None or initial is None or liquidation is None:
            continue
        if multiple > ONE and ONE < liquidation < initial:
            tiers.append(Tier(multiple=multiple, levels=Levels(initial=initial, liquidation=liquidation)))
    return tuple(tiers)


def parse_isolated(raw: IsolatedPicture, context: SnapshotContext) -> AccountSnapshot:
    """Build the snapshot; pairs are never summed."""
    findings: list[Finding] = []
    book, units = Book(), []
    collaterals: list[Collateral] = []
    pairs = read_pairs(raw.account, findings)
    _check_totals(raw.account, pairs, findings)
    for pair in pairs:
        fields = Fields(pair.row, findings, unit=pair.unit)
        price, levels = _price(fields), _levels(pair, fields, raw.tiers.get(pair.symbol, ()))
        units.append(_unit(pair, fields, price, levels))
        if pair.base is None or pair.quote is None:
            continue
        collaterals += _collaterals(pair, pair.base, pair.quote, price)
        desk = Desk(
            unit=pair.unit,
            mode=MarginMode.ISOLATED,
            levels=levels,
            markets=context.markets,
            prices={} if price is None else {pair.symbol: price},
            findings=findings,
            book=book,
        )
        _add_position(desk, pair.symbol, pair.base, pair.quote)
    return AccountSnapshot(
        account_id=context.account_id,
        broker=context.broker,
        product=context.product,
        as_of=raw.asked_at,
        fetched_at=context.now,
        mode=ISOLATED,
        units=tuple(units),
        positions=tuple(book.positions),
        collaterals=tuple(collaterals),
        findings=tuple(dict.fromkeys(findings)),
        markets=MappingProxyType(book.rules),
    )


def _check_totals(account: Mapping[str, Any], pairs: Sequence[Pair], findings: list[Finding]) -> None:
    """Hold the totals, which are in BTC, against the pairs: what is listed must come to them.

    A pair that is missing shows in them. They are left out of answers for some pairs only.
    """
    fields = Fields(account, findings)
    total = fields.optional("totalNetAssetOfBtc")
    sides = [side for pair in pairs for side in (pair.row["baseAsset"], pair.row["quoteAsset"])]
    parts = [Fields(side, []).optional("netAssetOfBtc") for side in sides]
    listed = sum((part for part in parts if part is not None), ZERO)
    if total is None or None in parts:
        return
    if abs(total - listed) > TOTALS_TOLERANCE * max(abs(total), abs(listed)) + TOTALS_GRAIN:
        detail = f"totalNetAssetOfBtc is {total}, the pairs listed come to {listed}"
        fields.find(FindingCode.INCONSISTENT, detail)


def _price(fields: Fields) -> Decimal | None:
    price = fields.required("indexPrice")
    if price is not None and price <= ZERO:
        fields.find(FindingCode.FIELD_DAMAGED, f"indexPrice is {price}")
        return None
    return price


def _unit(pair: Pair, fields: Fields, price: Decimal | None, levels: Levels) -> RiskUnit:
    """Build a pair's unit, in its quote currency."""
    _note_state(fields, pair)
    level = fields.required("marginLevel")
    equity, initial, maintenance = None, None, None
    owes = True
    if price is not None and pair.base is not None and pair.quote is not None:
        held = pair.base.held * price + pair.quote.held
        owed = pair.base.owed * price + pair.quote.owed
        equity, owes = held - owed, owed > ZERO
        initial, maintenance = levels.initial_margin(owed), levels.maintenance_margin(owed)
        if owes:
            level = agreed_level(fields, level, held, owed, grain=GRAIN)
    return RiskUnit(
        key=pair.unit,
        kind=UnitKind.ACCOUNT,
        currency=str(mapping_from(pair.row.get("quoteAsset"), "quoteAsset").get("asset")),
        margin_equity=equity,
        initial_margin=initial,
        maintenance_margin=maintenance,
        available_margin=available(equity, initial),
        venue_ratio=levels.liquidation / level if owes and level is not None and level > ZERO else None,
        measures=BOTH_MEASURES if levels.initial is not None else frozenset({Measure.MAINTENANCE}),
    )


def _note_state(fields: Fields, pair: Pair) -> None:
    """Find a pair that the venue is liquidating, or in which it takes no orders though something is owed."""
    if pair.row.get("marginLevelStatus") in LIQUIDATING:
        fields.find(FindingCode.VENUE_ACTING, f"marginLevelStatus is {pair.row['marginLevelStatus']}")
    if pair.owes and pair.row.get("tradeEnabled") is False:
        fields.find(FindingCode.VENUE_ACTING, "tradeEnabled is false: the pair takes no order")


def _levels(pair: Pair, fields: Fields, tiers: Sequence[Tier]) -> Levels:
    """Return the levels of a pair: `marginRatio` is the multiple it may borrow to, which names its tier."""
    multiple = fields.optional("marginRatio")
    named = [tier.levels for tier in tiers if tier.multiple == multiple] or [tier.levels for tier in tiers]
    stated = [levels.liquidation for levels in named]
    implied = _implied_level(pair, fields)
    if implied is not None:
        stated.append(implied)
    initial = max((levels.initial for levels in named if levels.initial is not None), default=None)
    if initial is None and multiple is not None and multiple > ONE:
        initial = multiple / (multiple - ONE)
    return Levels(initial=initial, liquidation=max(stated, default=STRICTEST))


def _implied_level(pair: Pair, fields: Fields) -> Decimal | None:
    """Return assets / debts at the stated liquidation price; `None`: none is stated, or it makes no sense."""
    at = fields.optional("liquidatePrice")
    if at is None or at <= ZERO or pair.base is None or pair.quote is None:
        return None
    owed = pair.base.owed * at + pair.quote.owed
    if owed <= ZERO:
        return None
    level = (pair.base.held * at + pair.quote.held) / owed
    return level if ONE < level < PLAUSIBLE else None


def _add_position(desk: Desk, symbol: Symbol, base: Amounts, quote: Amounts) -> None:
    """Add the pair's long or short; one whose pair has no market rules is a finding."""
    if min(base.net, quote.net) >= ZERO or max(base.net, quote.net) <= ZERO:
        return
    rules = desk.markets.get(symbol)
    if rules is None or (rules.base, rules.quote) != (base.asset, quote.asset):
        detail = f"no market rules for {symbol}"
        desk.findings.append(
            Finding(code=FindingCode.SYMBOL_UNKNOWN, detail=detail, unit=desk.unit, symbol=symbol)
        )
    elif quote.net < ZERO:
        add_longs(desk, [(rules, base)], -quote.net)
    else:
        desk.short(rules, base, quote.free)


def _collaterals(pair: Pair, base: Amounts, quote: Amounts, price: Decimal | None) -> tuple[Collateral, ...]:
    in_dollars = quote.asset in DOLLARS  # what values are stated in
    value = base.net * price if in_dollars and price is not None else None
    rows = ((base, value), (quote, quote.net if in_dollars else None))
    return tuple(one.collateral(worth, pair.unit) for one, worth in rows if not one.is_empty)
