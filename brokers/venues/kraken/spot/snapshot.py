"""`TradeBalance` and `OpenPositions` -> one account snapshot: one unit, in USD.

Margin equity is `e`, used margin `m`, available margin `mf`. Kraken liquidates by the margin level
`ml` = 100 e / m: at `margin_stop` (40 %) it does, and below `margin_call` (80 %) it may. The maintenance
margin is therefore `margin_stop` percent of `m`; the venue's own ratio is `margin_call / ml`, because 1 is
where Kraken may begin.

Source: Kraken docs, "Get Trade Balance"; Kraken support, "Margin call level and margin liquidation level".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from brokers.fields import Fields, mapping_from
from brokers.hooks import SnapshotContext
from brokers.models import (
    AccountMode,
    AccountSnapshot,
    Finding,
    FindingCode,
    MarginMode,
    PositionMode,
    RiskUnit,
    UnitKind,
)
from brokers.numbers import ZERO
from brokers.venues.kraken.spot.envelope import object_of, result_of
from brokers.venues.kraken.spot.markets import USD
from brokers.venues.kraken.spot.positions import ACCOUNT_UNIT, Book, read_book, read_lots

SPOT_MARGIN = AccountMode(
    label="spot margin", margin_mode=MarginMode.CROSS, position_mode=PositionMode.ONE_WAY
)
"""The one mode there is: a pair holds a long or a short, and all positions answer together."""

TOLERANCE = Decimal("0.001")
"""How far two figures of one answer may differ that must agree, as a fraction of the larger."""

ROUNDING = Decimal("0.01")

LISTED_TOLERANCE = Decimal("1.1")
"""Used margin above this times what all listed rows can need says that a row is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSnapshot:
    """The two answers with their envelopes, USD prices by currency, and the venue's time of asking."""

    balance: Any
    positions: Any
    rates: Mapping[str, Decimal]
    asked_at: datetime


def read_snapshot(raw: RawSnapshot, context: SnapshotContext) -> AccountSnapshot:
    """Build the snapshot.

    Kraken's answers carry no time. They cannot be older than the question unless something keeps copies,
    so `as_of` is when the first one was asked.

    Raises:
        MalformedAnswer: a payload is not what Kraken documents.
    """
    findings: list[Finding] = []
    fields = Fields(object_of(raw.balance, "TradeBalance"), findings, unit=ACCOUNT_UNIT)
    lots = read_lots(result_of(raw.positions, "OpenPositions"), context.markets, findings)
    book = read_book(lots, raw.rates, findings)
    unit = _unit(fields, book)
    _note_torn(fields, unit.initial_margin, book)
    return AccountSnapshot(
        account_id=context.account_id,
        broker=context.broker,
        product=context.product,
        as_of=raw.asked_at,
        fetched_at=context.now,
        mode=context.mode,
        units=(unit,),
        positions=book.positions,
        collaterals=book.loans,
        findings=tuple(dict.fromkeys(findings)),
        markets=context.markets,
        tiers=context.tiers,
    )


def read_rates(payload: object, pairs: Mapping[str, str]) -> dict[str, Decimal]:
    """Read the last prices of `pairs` (currency -> pair) out of a ticker; a damaged one is left out."""
    result = object_of(payload, "Ticker")
    rates: dict[str, Decimal] = {}
    for currency, pair in pairs.items():
        row = mapping_from(result.get(pair) or {}, "a ticker")
        last = row.get("c")
        price = Fields({"c": last[0] if isinstance(last, list) and last else None}, []).optional("c")
        if price is not None and price > 0:
            rates[currency] = price
    return rates


def _unit(fields: Fields, book: Book) -> RiskUnit:
    equity, used, free = _total(fields, "e"), _total(fields, "m"), _total(fields, "mf")
    balance, gain = fields.optional("tb"), fields.optional("n")
    _note_disagreement(fields, "e", equity, "tb + n", _plus(balance, gain))
    _note_disagreement(fields, "mf", free, "e - m", _plus(equity, None if used is None else -used))
    return RiskUnit(
        key=ACCOUNT_UNIT,
        kind=UnitKind.ACCOUNT,
        currency=USD,
        margin_equity=equity,
        initial_margin=used,
        maintenance_margin=None if used is None else used * book.margin_stop / 100,
        available_margin=free,
        wallet_balance=balance,
        unrealized_pnl=gain,
        venue_ratio=_call_ratio(fields, equity, used, book.margin_call),
    )


def _call_ratio(
    fields: Fields, equity: Decimal | None, used: Decimal | None, margin_call: Decimal
) -> Decimal | None:
    """Return `margin_call / ml`; without used margin there is none.

    Where used margin comes without a margin level it is what its formula says: both figures are checked.
    """
    level = fields.optional("ml")
    if used is None or used == ZERO:
        return None
    built = None if equity is None else 100 * equity / used
    if level is None:
        level = built
    elif built is not None:
        slack = TOLERANCE * max(abs(level), abs(built)) + ROUNDING * (1 + 100 / used)
        if abs(level - built) > slack:
            fields.find(FindingCode.INCONSISTENT, f"ml is {level}, and 100 e / m is {built:.2f}")
    return margin_call / level if level is not None and level > 0 else None


def _note_disagreement(
    fields: Fields, name: str, stated: Decimal | None, formula: str, built: Decimal | None
) -> None:
    if stated is None or built is None:
        return
    if abs(stated - built) > TOLERANCE * max(abs(stated), abs(built)) + ROUNDING:
        fields.find(FindingCode.INCONSISTENT, f"{name} is {stated}, and {formula} is {built}")


def _note_torn(fields: Fields, used: Decimal | None, book: Book) -> None:
    """Find a picture torn between the two answers: used margin without rows, or rows without used margin.

    An empty list of positions is believed only together with a used margin of zero.
    """
    if used is None:
        return
    if used < 0:
        fields.find(FindingCode.FIELD_DAMAGED, f"m is {used}")
    elif used > 0 and not book.is_listed:
        fields.find(FindingCode.INCONSISTENT, f"m is {used}, and no position is listed")
    elif used == 0 and book.is_listed:
        fields.find(FindingCode.INCONSISTENT, "positions are listed, and m is 0")
    elif book.full_margin is not None and used > book.full_margin * LISTED_TOLERANCE + ROUNDING:
        detail = f"m is {used}, and the listed positions need at most {book.full_margin:.4f}"
        fields.find(FindingCode.INCONSISTENT, detail)


def _total(fields: Fields, name: str) -> Decimal | None:
    """Return one of the account's own figures; its absence means that the account cannot be judged."""
    value = fields.optional(name)
    if value is None:
        fields.find(FindingCode.TOTALS_MISSING, f"{name} is not stated")
    return value


def _plus(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other
