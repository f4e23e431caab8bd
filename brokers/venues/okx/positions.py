"""`account/positions`: raw rows -> open positions with their figures in the unit's currency.

OKX states a row's PnL and isolated margin in the row's margin currency (`ccy`) and its notional in USD.
Where the account answers as one pool in USD, the row's figures are turned into USD, so that unit and
positions agree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokers.fields import Fields
from brokers.models import (
    Finding,
    FindingCode,
    MarginMode,
    MarketRules,
    Position,
    Side,
    Symbol,
)
from brokers.numbers import ONE
from brokers.venues.okx.exposures import Exposure, contracts, option, spot_margin
from brokers.venues.okx.markets import instrument_type

ACCOUNT_UNIT = "account"
"""Key of the one unit of an account whose currencies answer together."""

USD = "USD"

FUTURES_TYPES = frozenset({"SWAP", "FUTURES"})
PAIRS, OPTIONS = "MARGIN", "OPTION"
PAID_IN_FULL = "EVENTS"
CASH = "cash"
"""How options are bought in spot mode: paid in full."""

MARGIN_MODES = frozenset({"cross", "isolated"})

PEG_BAND = (Decimal("0.8"), Decimal("1.25"))
"""Beyond it a dollar coin's price says that `notionalUsd` and the mark price do not belong together."""

RATE_TOLERANCE = Decimal("0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a row does not say itself.

    `pooled`: all currencies answer together in USD. `risk_units`: margins of cross rows are those of a whole
    risk unit (portfolio margin) and no row's own.
    """

    pooled: bool
    risk_units: bool
    markets: Mapping[Symbol, MarketRules]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One open position and what its isolated unit needs.

    `currency` is the currency that margins it. `isolated_margin` is what was given to the position, without
    its PnL, in the unit's currency; `margin_ratio` is OKX's own `mgnRatio` of the row. `paid_in_full`: a
    bought option that stands alone; nobody can liquidate it.
    """

    position: Position
    currency: str
    isolated_margin: Decimal | None
    margin_ratio: Decimal | None
    paid_in_full: bool = False

    @property
    def is_cross(self) -> bool:
        """Whether it can lose more than its own margin."""
        return self.position.margin_mode is not MarginMode.ISOLATED


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """All open rows. `other_currencies` margin options, whose PnL may stand in another sum than futures'."""

    holdings: tuple[Holding, ...]
    other_currencies: frozenset[str]

    @property
    def is_empty(self) -> bool:
        """Whether no row of any type is open."""
        return not self.holdings and not self.other_currencies


def isolated_unit_key(symbol: Symbol, side: Side) -> str:
    """Name the unit of an isolated position."""
    return f"isolated:{symbol}:{side}"


def read_positions(rows: Sequence[Mapping[str, Any]], around: Surroundings, findings: list[Finding]) -> Book:
    """Read every open row.

    Rows of size 0 come for instruments asked for by name and for margin put aside by hand; they are no
    positions. Options count in the venue's totals and are nothing margind could reduce: OKX has no
    reduce-only order for them, and none at market.
    """
    holdings: dict[tuple[Symbol, Side, MarginMode], Holding] = {}
    others: set[str] = set()
    for row in rows:
        symbol = Symbol(str(row.get("instId") or ""))
        fields = Fields(row, findings, symbol=symbol or None)
        if not symbol:
            fields.find(FindingCode.FIELD_MISSING, "a position without instId")
            continue
        size = None if _is_closed(row) else fields.required("pos")
        if not size:
            continue
        kind = _instrument_type(row, symbol, around)
        if kind not in FUTURES_TYPES | {PAIRS}:
            others.add(str(row.get("ccy") or ""))
        if kind not in FUTURES_TYPES | {PAIRS, OPTIONS}:
            if kind != PAID_IN_FULL:
                detail = f"a position of unknown instrument type {kind or '(none)'} is open"
                fields.find(FindingCode.INCOMPLETE, detail)
            continue
        holding = _holding(symbol, kind, size, fields, around)
        if holding is None:
            continue
        if holding.position.key in holdings:
            fields.find(FindingCode.INCONSISTENT, "two rows for one position")
            continue
        holdings[holding.position.key] = holding
    return Book(holdings=tuple(holdings.values()), other_currencies=frozenset(others))


def _is_closed(row: Mapping[str, Any]) -> bool:
    """Tell whether a row is what is left of a closed position: `""` for its size and all its cost."""
    return row.get("pos") == "" and all(not row.get(name) for name in ("notionalUsd", "imr", "mmr", "margin"))


def _instrument_type(row: Mapping[str, Any], symbol: Symbol, around: Surroundings) -> str:
    stated = str(row.get("instType") or "")
    if stated:
        return stated
    return instrument_type(symbol) if symbol.endswith("-SWAP") or symbol in around.markets else ""


def _holding(
    symbol: Symbol, kind: str, size: Decimal, fields: Fields, around: Surroundings
) -> Holding | None:
    rules = around.markets.get(symbol)
    currency = fields.text("ccy") or (rules.settle if rules is not None and kind in FUTURES_TYPES else "")
    mark = _positive(fields.optional("markPx"))
    exposure = _exposure(symbol, kind, size, fields, around, mark=mark, currency=currency)
    if exposure is None:
        return None
    if rules is None and not exposure.is_option:
        fields.find(FindingCode.SYMBOL_UNKNOWN, "a position in an instrument without market rules")
    if not currency:
        fields.find(FindingCode.FIELD_MISSING, "ccy is missing")
    mode = _margin_mode(fields, around, exposure)
    notional, rate = _notional_and_rate(exposure, currency, fields, around)

    isolated = mode is MarginMode.ISOLATED
    paid_in_full = isolated and exposure.is_bought_option
    shared = around.risk_units and not isolated
    read = fields.optional if paid_in_full or (exposure.is_option and not isolated) else fields.required
    margin = None if shared else read("margin" if isolated else "imr")
    maintenance = None if shared else read("mmr")
    lever = _positive(fields.optional("lever"))
    margin_rate = rate if isolated else _margin_rate(margin, rate, notional, lever)
    pnl = read("upl") if isolated else fields.optional("upl")
    cross_unit = ACCOUNT_UNIT if around.pooled else currency
    position = Position(
        symbol=symbol,
        unit=isolated_unit_key(symbol, exposure.side) if isolated else cross_unit,
        side=exposure.side,
        quantity=exposure.quantity,
        settle=USD if around.pooled else currency,
        kind=exposure.kind,
        margin_mode=mode,
        hedged=exposure.hedged,
        entry_price=_positive(fields.optional("avgPx")),
        mark_price=mark,
        notional=notional,
        initial_margin=_times(margin, margin_rate),
        maintenance_margin=_times(maintenance, margin_rate),
        unrealized_pnl=_times(pnl, rate),
        leverage_setting=lever,
        liquidation_price=_positive(fields.optional("liqPx")),
        updated_at=fields.time("uTime"),
        reducible=not exposure.is_option,
        delta=exposure.delta,
    )
    return Holding(
        position=position,
        currency=currency,
        isolated_margin=_times(margin, rate) if isolated else None,
        margin_ratio=fields.optional("mgnRatio"),
        paid_in_full=paid_in_full,
    )


def _exposure(
    symbol: Symbol,
    kind: str,
    size: Decimal,
    fields: Fields,
    around: Surroundings,
    *,
    mark: Decimal | None,
    currency: str,
) -> Exposure | None:
    if kind == PAIRS:
        return spot_margin(size, mark, symbol, currency, fields)
    if kind == OPTIONS:
        return option(size, fields)
    return contracts(size, mark, around.markets.get(symbol), fields)


def _margin_mode(fields: Fields, around: Surroundings, exposure: Exposure) -> MarginMode:
    word = fields.text("mgnMode")
    if word == CASH and exposure.is_bought_option:
        return MarginMode.ISOLATED
    if word not in MARGIN_MODES:
        fields.find(FindingCode.FIELD_DAMAGED, f"mgnMode {word!r} is not known")
    if word == "isolated":
        return MarginMode.ISOLATED
    return MarginMode.PORTFOLIO if around.risk_units else MarginMode.CROSS


def _positive(value: Decimal | None) -> Decimal | None:
    """Return a price or setting; OKX also writes 0 for "none"."""
    return value if value is not None and value > 0 else None


def _notional_and_rate(
    exposure: Exposure, currency: str, fields: Fields, around: Surroundings
) -> tuple[Decimal | None, Decimal | None]:
    """Return the notional in the unit's currency, and what one `currency` is worth in it.

    `usdPx` is OKX's own rate; where a row has none, as those of spot margin, the rate is what makes the
    notional at mark the stated `notionalUsd`. Two rates that differ, or a dollar coin far from a dollar, mean
    that the row's mark price and notional do not belong together. An option's `notionalUsd` is its face: it
    says nothing of either.
    """
    own = exposure.notional
    if not around.pooled:
        if own is None and not exposure.is_option:
            fields.find(FindingCode.FIELD_MISSING, "no notional: markPx or the market rules are missing")
        return own, ONE
    stated = None if exposure.is_option else fields.optional("notionalUsd")
    stated = None if stated is None else abs(stated)
    quoted = _positive(fields.optional("usdPx"))
    implied = stated / own if stated and own else None
    rate = quoted if quoted is not None else implied
    if rate is None and currency == USD:
        rate = ONE
    if rate is None:
        fields.find(
            FindingCode.FIELD_MISSING, f"no USD price of {currency}: usdPx and notionalUsd are missing"
        )
    if not _agree(quoted, implied, currency):
        fields.find(FindingCode.INCONSISTENT, f"notionalUsd {stated} does not fit the mark price")
    if stated is not None:
        return stated, rate
    return (None if own is None or rate is None else own * rate), rate


def _margin_rate(
    margin: Decimal | None, rate: Decimal | None, notional: Decimal | None, lever: Decimal | None
) -> Decimal | None:
    """Return the rate that turns a cross row's `imr` and `mmr` into the unit's currency.

    OKX documents `imr` of a cross row as "in USD", and shows margins of coin-margined rows in the coin. Which
    it is, is told by the size of it: initial margin is about notional / leverage.
    """
    if not margin or not rate or not notional or not lever:
        return rate
    expected = notional / lever
    return min(ONE, rate, key=lambda one: max(margin * one / expected, expected / (margin * one)))


def _times(figure: Decimal | None, rate: Decimal | None) -> Decimal | None:
    return None if figure is None or rate is None else figure * rate


def _agree(quoted: Decimal | None, implied: Decimal | None, currency: str) -> bool:
    if implied is None:
        return True
    if quoted is not None:
        return abs(implied - quoted) <= quoted * RATE_TOLERANCE
    low, high = PEG_BAND
    return not currency.startswith(USD) or low <= implied <= high
