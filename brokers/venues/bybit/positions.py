"""`GET /v5/position/list`: the venue's rows as positions, valued at mark."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from brokers.errors import MalformedAnswer
from brokers.fields import Fields
from brokers.models import ContractKind, Finding, FindingCode, MarginMode, Position, Side, Symbol
from brokers.numbers import ZERO, NumberError, time_from_ms
from brokers.venues.bybit.contracts import Category, kind_of, settle_of
from brokers.venues.bybit.envelope import Row, margin_in, number_or_none, positive_or_none
from brokers.venues.bybit.wallet import ACCOUNT

SIDES = {"Buy": Side.LONG, "Sell": Side.SHORT}
TRADE_MODES = {"0": MarginMode.CROSS, "1": MarginMode.ISOLATED}
LEGS = {1: Side.LONG, 2: Side.SHORT}
"""`positionIdx` of hedge mode; 0 is one-way."""

VENUE_ACTS = {"liq": "is liquidating", "adl": "is auto-deleveraging"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptRow:
    """A row of one position sweep. `settle` is the sweep's own settle coin, `None` where it has none."""

    category: Category
    settle: str | None
    row: Row


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPosition:
    """A position with what only an isolated one has: its equity, in settle currency.

    `in_contract_wallet`: it is margined by UTA 1.0's wallet of inverse contracts.
    """

    position: Position
    isolated_equity: Decimal | None
    in_contract_wallet: bool = False

    @property
    def is_isolated(self) -> bool:
        """Whether it is a risk unit of its own."""
        return self.position.margin_mode is MarginMode.ISOLATED


def read_positions(
    rows: Iterable[SweptRow],
    mode: MarginMode | None,
    findings: list[Finding],
    *,
    inverse_apart: bool = False,
) -> tuple[HeldPosition, ...]:
    """Parse swept rows into the open positions of an account in `mode`; empty rows are dropped.

    A row whose size or side cannot be read is no position but a finding. Margins that the venue leaves out in
    portfolio margin, and on options, are not. `inverse_apart`: inverse positions have a wallet of their own,
    and each says itself whether it is isolated (UTA 1.0).

    Raises:
        MalformedAnswer: a row names no symbol.
    """
    held: dict[tuple[Symbol, Side, MarginMode], HeldPosition] = {}
    for swept in rows:
        name = swept.row.get("symbol")
        if not isinstance(name, str) or not name:
            raise MalformedAnswer("position list: a row without a symbol")
        fields = Fields(swept.row, findings, symbol=Symbol(name))
        apart = inverse_apart and swept.category is Category.INVERSE
        row_mode = _own_mode(swept.row, fields) if apart else mode
        one = _read_row(swept, Symbol(name), row_mode, fields, apart=apart)
        if one is None:
            continue
        twin = held.setdefault(one.position.key, one)
        if twin.position.quantity != one.position.quantity:
            fields.find(FindingCode.INCONSISTENT, "two rows of one position with different sizes")
    return tuple(held.values())


def notional_at_mark(kind: ContractKind, quantity: Decimal, mark: Decimal | None) -> Decimal | None:
    """Return a position's value at mark, in settle currency (`positionValue` is at entry and not used)."""
    if mark is None:
        return None
    if kind is ContractKind.LINEAR:
        return quantity * mark
    return None if mark == 0 else quantity / mark


def isolated_key(symbol: str, side: Side) -> str:
    """Return the key of an isolated position's own risk unit."""
    return f"{symbol}:{side}"


def contract_key(currency: str) -> str:
    """Return the key of the risk unit of a coin in the wallet of inverse contracts."""
    return f"contract:{currency}"


def _own_mode(row: Row, fields: Fields) -> MarginMode:
    """Return the margin mode that an inverse position of UTA 1.0 has by itself."""
    mode = TRADE_MODES.get(str(row.get("tradeMode")))
    if mode is None:
        fields.find(FindingCode.MODE_UNKNOWN, f"tradeMode is {row.get('tradeMode')!r}")
    return mode or MarginMode.CROSS


def _read_row(
    swept: SweptRow, symbol: Symbol, mode: MarginMode | None, fields: Fields, *, apart: bool
) -> HeldPosition | None:
    row, category = swept.row, swept.category
    size = margin_in(fields, row, "size", due=True)
    if not size:
        return None
    side = SIDES.get(row.get("side") or "")
    if side is None:
        fields.find(FindingCode.FIELD_DAMAGED, f"side {row.get('side')!r} with size {size}")
        return None
    _check_status(row, fields)
    kind = kind_of(category)
    mark = margin_in(fields, row, "markPrice", due=True)
    if mark == 0 and category is not Category.OPTION:
        fields.find(FindingCode.FIELD_DAMAGED, "markPrice is 0")
        mark = None
    margins_due = mode is not MarginMode.PORTFOLIO and category is not Category.OPTION
    isolated = mode is MarginMode.ISOLATED
    settle = swept.settle or settle_of(symbol, category)
    margin, maintenance = "positionIM", "positionMM"
    if apart:  # both are to be ignored there, and `positionBalance` is the initial margin
        margin, maintenance = "positionBalance", ""
    position = Position(
        symbol=symbol,
        unit=isolated_key(symbol, side) if isolated else contract_key(settle) if apart else ACCOUNT,
        side=side,
        quantity=size,
        settle=settle,
        kind=kind,
        margin_mode=mode or MarginMode.CROSS,
        hedged=_hedged(row, side, fields),
        entry_price=positive_or_none(row, "avgPrice"),
        mark_price=mark,
        notional=notional_at_mark(kind, size, mark),
        initial_margin=margin_in(fields, row, margin, due=margins_due),
        maintenance_margin=margin_in(fields, row, maintenance, due=margins_due) if maintenance else None,
        unrealized_pnl=fields.required("unrealisedPnl") if isolated else fields.optional("unrealisedPnl"),
        leverage_setting=positive_or_none(row, "leverage"),
        liquidation_price=positive_or_none(row, "liqPrice"),
        updated_at=_time(row),
    )
    equity = _isolated_equity(position, row, fields) if isolated else None
    if apart and isolated:
        position = replace(position, maintenance_margin=_by_liquidation(position, row, equity, fields))
    return HeldPosition(position=position, isolated_equity=equity, in_contract_wallet=apart)


def _by_liquidation(position: Position, row: Row, equity: Decimal | None, fields: Fields) -> Decimal | None:
    """Return the maintenance margin of an isolated position that states none.

    Where it is liquidated, its equity is just that; it follows the notional, which is the larger in coin the
    lower the price. Zero where Bybit says (`""`) that no price it allows would liquidate it.
    """
    liquidation, mark = position.liquidation_price, position.mark_price
    if row.get("liqPrice") == "":
        return ZERO
    if liquidation is None or mark is None or equity is None:
        fields.find(FindingCode.FIELD_MISSING, "no liquidation price of an isolated position")
        return None
    return max(equity - _loss_until(liquidation, mark, position), ZERO) * liquidation / mark


def _isolated_equity(position: Position, row: Row, fields: Fields) -> Decimal | None:
    """Return what an isolated position can still lose, in settle currency.

    Its margin plus unrealized PnL. The margin is `positionBalance`; that field is deprecated, and where it is
    `""` or `"0"` the equity is told by the liquidation price, which is exact for isolated positions: there,
    equity equals maintenance margin. Without a liquidation price (none within the venue's price range) the
    substitute that the venue names, `positionIM`, stands in for the margin.

    Source: Bybit docs, Get Position Info (`positionBalance`, `liqPrice`, `positionIM`).
    """
    pnl, initial = position.unrealized_pnl, position.initial_margin
    if balance := margin_in(fields, row, "positionBalance"):
        return None if pnl is None else balance + pnl
    liquidation, mark, maintenance = (
        position.liquidation_price,
        position.mark_price,
        position.maintenance_margin,
    )
    if liquidation is not None and mark is not None and maintenance is not None:
        return maintenance + _loss_until(liquidation, mark, position)
    if liquidation is None and initial is not None and pnl is not None:
        return initial + pnl
    fields.find(FindingCode.FIELD_MISSING, "neither positionBalance nor a liquidation price")
    return None


def _loss_until(liquidation: Decimal, mark: Decimal, position: Position) -> Decimal:
    """Return what the move from mark to the liquidation price would lose; below zero when it is past."""
    if position.kind is ContractKind.LINEAR:
        move = position.quantity * (mark - liquidation)
    else:
        move = position.quantity * (1 / liquidation - 1 / mark)
    return move if position.side is Side.LONG else -move


def _hedged(row: Row, side: Side, fields: Fields) -> bool:
    index = number_or_none(row, "positionIdx")
    if index not in {0, 1, 2}:
        fields.find(FindingCode.FIELD_MISSING, f"positionIdx is {row.get('positionIdx')!r}")
        return False
    if index and LEGS[int(index)] is not side:
        fields.find(FindingCode.INCONSISTENT, f"positionIdx {index} on the {side} side")
    return index != 0


def _check_status(row: Row, fields: Fields) -> None:
    status = row.get("positionStatus")
    word = status.casefold() if isinstance(status, str) else ""
    if word in VENUE_ACTS:
        fields.find(FindingCode.VENUE_ACTING, f"the venue {VENUE_ACTS[word]}")
    elif word not in {"", "normal"}:
        fields.find(FindingCode.FIELD_DAMAGED, f"positionStatus is {status!r}")


def _time(row: Row) -> datetime | None:
    try:
        return time_from_ms(row.get("updatedTime"))
    except NumberError:
        return None
