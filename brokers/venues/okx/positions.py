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
    ContractKind,
    Finding,
    FindingCode,
    MarginMode,
    MarketRules,
    Position,
    Side,
    Symbol,
)
from brokers.numbers import ONE

ACCOUNT_UNIT = "account"
"""Key of the one unit of an account whose currencies answer together."""

USD = "USD"

FUTURES_TYPES = frozenset({"SWAP", "FUTURES"})
PAID_IN_FULL = "EVENTS"
SIDES = {"long": Side.LONG, "short": Side.SHORT}
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
    """One open futures position and what its isolated unit needs.

    `currency` is the currency that margins it. `isolated_margin` is what was given to the position, without
    its PnL, in the unit's currency; `margin_ratio` is OKX's own `mgnRatio` of the row.
    """

    position: Position
    currency: str
    isolated_margin: Decimal | None
    margin_ratio: Decimal | None

    @property
    def is_cross(self) -> bool:
        """Whether it can lose more than its own margin."""
        return self.position.margin_mode is not MarginMode.ISOLATED


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """All open rows: `holdings` are futures; `other_currencies` margin options and spot margin positions."""

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
    positions. Options count in the venue's totals and are nothing margind could reduce. A spot margin
    position closes by a spot order and owes another currency: it is named in a finding, not misread.
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
        if kind not in FUTURES_TYPES:
            others.add(str(row.get("ccy") or ""))
            _note_other(kind, row, fields)
            continue
        holding = _holding(symbol, size, fields, around)
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
    if symbol.endswith("-SWAP"):
        return "SWAP"
    return "FUTURES" if symbol in around.markets else ""


def _note_other(kind: str, row: Mapping[str, Any], fields: Fields) -> None:
    if kind == "MARGIN":
        mode = str(row.get("mgnMode") or "")
        fields.find(
            FindingCode.INCOMPLETE, f"a spot margin position ({mode}) is open: margind cannot watch it"
        )
    elif kind == "OPTION":
        if row.get("mgnMode") == "isolated":
            fields.find(
                FindingCode.INCOMPLETE, "an isolated option position is open: margind cannot watch it"
            )
    elif kind != PAID_IN_FULL:
        fields.find(
            FindingCode.INCOMPLETE, f"a position of unknown instrument type {kind or '(none)'} is open"
        )


def _holding(symbol: Symbol, size: Decimal, fields: Fields, around: Surroundings) -> Holding | None:
    side_and_leg = _side(size, fields)
    if side_and_leg is None:
        return None
    side, hedged = side_and_leg
    rules = around.markets.get(symbol)
    if rules is None:
        fields.find(FindingCode.SYMBOL_UNKNOWN, "a position in an instrument without market rules")
    mode = _margin_mode(fields, around)
    currency = fields.text("ccy") or (rules.settle if rules is not None else "")
    if not currency:
        fields.find(FindingCode.FIELD_MISSING, "ccy is missing")
    mark = _positive(fields.optional("markPx"))
    own_notional = _notional_at(abs(size), mark, rules)
    notional, rate = _notional_and_rate(own_notional, currency, fields, around)

    isolated = mode is MarginMode.ISOLATED
    shared = around.risk_units and not isolated
    margin = None if shared else fields.required("margin" if isolated else "imr")
    lever = _positive(fields.optional("lever"))
    margin_rate = rate if isolated else _margin_rate(margin, rate, notional, lever)
    pnl = fields.required("upl") if isolated else fields.optional("upl")
    cross_unit = ACCOUNT_UNIT if around.pooled else currency
    position = Position(
        symbol=symbol,
        unit=isolated_unit_key(symbol, side) if isolated else cross_unit,
        side=side,
        quantity=abs(size),
        settle=USD if around.pooled else currency,
        kind=rules.kind if rules is not None else ContractKind.LINEAR,
        margin_mode=mode,
        hedged=hedged,
        entry_price=_positive(fields.optional("avgPx")),
        mark_price=mark,
        notional=notional,
        initial_margin=_times(margin, margin_rate),
        maintenance_margin=None if shared else _times(fields.required("mmr"), margin_rate),
        unrealized_pnl=_times(pnl, rate),
        leverage_setting=lever,
        liquidation_price=_positive(fields.optional("liqPx")),
        updated_at=fields.time("uTime"),
    )
    return Holding(
        position=position,
        currency=currency,
        isolated_margin=_times(margin, rate) if isolated else None,
        margin_ratio=fields.optional("mgnRatio"),
    )


def _side(size: Decimal, fields: Fields) -> tuple[Side, bool] | None:
    """Return side and whether it is a leg: in net mode the sign is the side, otherwise `posSide` is."""
    word = fields.text("posSide") or "net"
    if word == "net":
        return (Side.LONG if size > 0 else Side.SHORT), False
    if word not in SIDES:
        fields.find(FindingCode.FIELD_DAMAGED, f"posSide {word!r} is not known")
        return None
    return SIDES[word], True


def _margin_mode(fields: Fields, around: Surroundings) -> MarginMode:
    word = fields.text("mgnMode")
    if word not in MARGIN_MODES:
        fields.find(FindingCode.FIELD_DAMAGED, f"mgnMode {word!r} is not known")
    if word == "isolated":
        return MarginMode.ISOLATED
    return MarginMode.PORTFOLIO if around.risk_units else MarginMode.CROSS


def _positive(value: Decimal | None) -> Decimal | None:
    """Return a price or setting; OKX also writes 0 for "none"."""
    return value if value is not None and value > 0 else None


def _notional_at(quantity: Decimal, mark: Decimal | None, rules: MarketRules | None) -> Decimal | None:
    """Return the value at mark in settle currency: contracts x size, times the price or (inverse) over it."""
    if mark is None or rules is None:
        return None
    face = quantity * rules.contract_size
    return face * mark if rules.kind is ContractKind.LINEAR else face / mark


def _notional_and_rate(
    own: Decimal | None, currency: str, fields: Fields, around: Surroundings
) -> tuple[Decimal | None, Decimal | None]:
    """Return the notional in the unit's currency, and what one `currency` is worth in it.

    `usdPx` is OKX's own rate; where a row has none, the rate is what makes the notional at mark the stated
    `notionalUsd`. Two rates that differ, or a dollar coin far from a dollar, mean that the row's mark price
    and notional do not belong together.
    """
    if not around.pooled:
        if own is None:
            fields.find(FindingCode.FIELD_MISSING, "no notional: markPx or the market rules are missing")
        return own, ONE
    stated = fields.optional("notionalUsd")
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
