"""`cfm/positions`: raw rows -> open futures positions.

A row states its size without a sign, its side apart, and no margins: those are the account's alone. The
unrealized PnL is built from the prices: in Coinbase's own sample the stated one does not follow from them.
"""

from collections.abc import Mapping, Sequence
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
from brokers.venues.coinbase.amounts import USD, amount
from brokers.venues.coinbase.summary import FUTURES_UNIT

SIDES = {
    "LONG": Side.LONG,
    "SHORT": Side.SHORT,
    "FUTURES_POSITION_SIDE_LONG": Side.LONG,
    "FUTURES_POSITION_SIDE_SHORT": Side.SHORT,
}


def read_positions(
    rows: Sequence[Mapping[str, Any]], markets: Mapping[Symbol, MarketRules], findings: list[Finding]
) -> tuple[Position, ...]:
    """Read every open row. One row a product: Coinbase nets long and short."""
    found: dict[Symbol, Position] = {}
    for row in rows:
        symbol = Symbol(str(row.get("product_id") or ""))
        fields = Fields(row, findings, unit=FUTURES_UNIT, symbol=symbol or None)
        if not symbol:
            fields.find(FindingCode.FIELD_MISSING, "a position without product_id")
            continue
        position = _position(symbol, row, markets.get(symbol), fields)
        if position is None:
            continue
        if symbol in found:
            fields.find(FindingCode.INCONSISTENT, "two rows for one product")
            continue
        found[symbol] = position
    return tuple(found.values())


def _position(
    symbol: Symbol, row: Mapping[str, Any], rules: MarketRules | None, fields: Fields
) -> Position | None:
    contracts = fields.required("number_of_contracts")
    if not contracts:
        return None
    side = SIDES.get(str(row.get("side") or ""))
    if side is None or contracts < 0:
        fields.find(FindingCode.FIELD_DAMAGED, f"side {row.get('side')!r} of {contracts} contracts")
        return None
    if rules is None:
        fields.find(FindingCode.SYMBOL_UNKNOWN, "a position in a product without market rules")
    mark = _positive(amount(row, "current_price", fields))
    entry = _positive(amount(row, "avg_entry_price", fields))
    if mark is None:
        fields.find(FindingCode.FIELD_MISSING, "no notional: current_price is missing")
    return Position(
        symbol=symbol,
        unit=FUTURES_UNIT,
        side=side,
        quantity=contracts,
        settle=USD,
        kind=ContractKind.LINEAR,
        margin_mode=MarginMode.CROSS,
        hedged=False,
        entry_price=entry,
        mark_price=mark,
        notional=None if mark is None or rules is None else contracts * rules.contract_size * mark,
        initial_margin=None,
        maintenance_margin=None,
        unrealized_pnl=_pnl(contracts, side, entry, mark, rules),
    )


def _positive(value: Decimal | None) -> Decimal | None:
    return value if value is not None and value > 0 else None


def _pnl(
    contracts: Decimal, side: Side, entry: Decimal | None, mark: Decimal | None, rules: MarketRules | None
) -> Decimal | None:
    if entry is None or mark is None or rules is None:
        return None
    gained = (mark - entry) * contracts * rules.contract_size
    return gained if side is Side.LONG else -gained
