"""`private/get-positions`: raw rows -> open positions.

A row holds a signed quantity and its cost since entry, and neither prices nor margins. The mark is what makes
the row's own profit; a public price of the same moment proves it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokers.fields import Fields
from brokers.models import ContractKind, Finding, FindingCode, MarginMode, MarketRules, Position, Side, Symbol
from brokers.numbers import ZERO, NumberError, decimal_or_none

ACCOUNT_UNIT = "account"
"""Key of the one wallet that backs every cross position."""

ISOLATED_PREFIX = "isolated:"
USD = "USD"

PRICE_TOLERANCE = Decimal("0.1")
"""A row's mark further from the public price than this is no mark; closer, it is one of another moment."""

ISOLATED = "ISOLATED_MARGIN"
NO_ISOLATION = frozenset({"", "0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """What a unit requires for its positions, to be shared among them; `None`: not stated."""

    initial: Decimal | None
    maintenance: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRow:
    """One open row: its unit's key, its signed quantity and the value of it at mark."""

    symbol: Symbol
    unit: str
    quantity: Decimal
    entry: Decimal | None
    mark: Decimal | None
    notional: Decimal | None
    pnl: Decimal | None
    fields: Fields
    rules: MarketRules | None

    @property
    def is_isolated(self) -> bool:
        """Whether it can lose no more than its own margin."""
        return self.unit != ACCOUNT_UNIT


def isolated_unit_key(isolation_id: str) -> str:
    """Name the unit of an isolated position."""
    return f"{ISOLATED_PREFIX}{isolation_id}"


def isolation_id_of(position: Position) -> str | None:
    """Return the venue's id of an isolated position; `None` for a cross one."""
    if position.margin_mode is not MarginMode.ISOLATED:
        return None
    return position.unit.removeprefix(ISOLATED_PREFIX)


def isolation_of(row: Mapping[str, Any]) -> str:
    """Return the id of the isolated position that a row belongs to; "" where it belongs to none."""
    raw = str(row.get("isolation_id") or "")
    return "" if raw in NO_ISOLATION else raw


def is_flat(row: Mapping[str, Any]) -> bool:
    """Whether a row is certain to hold nothing: Crypto.com also lists what was held once."""
    try:
        return decimal_or_none(row.get("quantity")) == ZERO
    except NumberError:
        return False


def read_rows(
    rows: Sequence[Mapping[str, Any]],
    markets: Mapping[Symbol, MarketRules],
    prices: Mapping[Symbol, Decimal],
    findings: list[Finding],
) -> tuple[OpenRow, ...]:
    """Read every open row; rows of quantity 0 are of instruments that were held once."""
    found: dict[tuple[Symbol, str], OpenRow] = {}
    for raw in rows:
        symbol = Symbol(str(raw.get("instrument_name") or ""))
        isolation = isolation_of(raw)
        unit = isolated_unit_key(isolation) if isolation else ACCOUNT_UNIT
        fields = Fields(raw, findings, unit=unit, symbol=symbol or None)
        if not symbol:
            fields.find(FindingCode.FIELD_MISSING, "a position without instrument_name")
            continue
        quantity = fields.required("quantity")
        if not quantity:
            continue
        if not isolation and raw.get("isolation_type") == ISOLATED:
            fields.find(FindingCode.FIELD_MISSING, "an isolated position without isolation_id")
            continue
        if (symbol, unit) in found:
            fields.find(FindingCode.INCONSISTENT, "two rows for one position")
            continue
        around = (markets.get(symbol), prices.get(symbol))
        found[symbol, unit] = _open_row(symbol, unit, quantity, fields, around)
    return tuple(found.values())


def _open_row(
    symbol: Symbol,
    unit: str,
    quantity: Decimal,
    fields: Fields,
    around: tuple[MarketRules | None, Decimal | None],
) -> OpenRow:
    rules, price = around
    if rules is None:
        fields.find(FindingCode.SYMBOL_UNKNOWN, "a position in an instrument without market rules")
    size = abs(quantity) if rules is None else abs(quantity) * rules.contract_size
    cost, pnl = fields.required("open_pos_cost"), fields.required("open_position_pnl")
    entry = None if cost is None else _positive(abs(cost) / size)
    mark = _mark(quantity, size, cost, pnl, price)
    if mark is None:
        fields.find(FindingCode.FIELD_MISSING, "no mark: neither the row nor the ticker tells a price")
    return OpenRow(
        symbol=symbol,
        unit=unit,
        quantity=quantity,
        entry=entry,
        mark=mark,
        notional=None if mark is None else size * mark,
        pnl=pnl,
        fields=fields,
        rules=rules,
    )


def _mark(
    quantity: Decimal, size: Decimal, cost: Decimal | None, pnl: Decimal | None, price: Decimal | None
) -> Decimal | None:
    """Return the mark that the row's profit was made with, unless the public price denies it.

    A signed cost plus the profit is the signed value at mark. A row that tells another price altogether is
    left to the public one; that its profit does not fit it shows in the position.
    """
    own = None
    if cost is not None and pnl is not None:
        signed = abs(cost) if quantity > 0 else -abs(cost)
        own = _positive((signed + pnl) / size if quantity > 0 else -(signed + pnl) / size)
    if own is None or price is None:
        return price if own is None else own
    return own if abs(own - price) <= PRICE_TOLERANCE * price else price


def position_of(row: OpenRow, margins: Margins, total: Decimal | None) -> Position:
    """Return an open row as a position.

    Crypto.com states no margin per position, only what all of them require: it is shared by notional, `total`
    being the notional of all positions of the unit.
    """
    settle = row.rules.settle if row.rules is not None else USD
    return Position(
        symbol=row.symbol,
        unit=row.unit,
        side=Side.LONG if row.quantity > 0 else Side.SHORT,
        quantity=abs(row.quantity),
        settle=settle,
        kind=ContractKind.LINEAR,
        margin_mode=MarginMode.ISOLATED if row.is_isolated else MarginMode.CROSS,
        hedged=False,
        entry_price=row.entry,
        mark_price=row.mark,
        notional=row.notional,
        initial_margin=_share(margins.initial, row.notional, total),
        maintenance_margin=_share(margins.maintenance, row.notional, total),
        unrealized_pnl=row.pnl,
        updated_at=row.fields.time("update_timestamp_ms"),
    )


def total_notional(rows: Sequence[OpenRow]) -> Decimal | None:
    """Return the notional of `rows` together; `None` unless every one is known."""
    known = [row.notional for row in rows if row.notional is not None]
    return sum(known, ZERO) if len(known) == len(rows) else None


def total_pnl(rows: Sequence[OpenRow]) -> Decimal | None:
    """Return the profit of `rows` since their entry; `None` unless every one is known."""
    known = [row.pnl for row in rows if row.pnl is not None]
    return sum(known, ZERO) if len(known) == len(rows) else None


def _share(margin: Decimal | None, notional: Decimal | None, total: Decimal | None) -> Decimal | None:
    if margin is None or notional is None or not total:
        return None
    return margin * notional / total


def _positive(value: Decimal) -> Decimal | None:
    return value if value > 0 else None
