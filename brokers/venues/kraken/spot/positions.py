"""`OpenPositions` -> positions. Kraken has a row for every opening trade; an order closes the oldest first.

A row's `cost`, `vol`, `margin` and `fee` are those of its opening, `value` and what is open are of now. What
is still open of a row is `vol - vol_closed`; its share of cost and margin is taken to be that of the volume.

Source: Kraken docs, "Get Open Positions".
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokers.fields import Fields, rows_from
from brokers.models import Collateral, Finding, FindingCode, MarginMode, MarketRules, Position, Side, Symbol
from brokers.models import ContractKind as Kind
from brokers.numbers import ONE, ZERO
from brokers.venues.kraken.spot.markets import MARGIN_CALL, MARGIN_STOP, USD, SpotRules, find_rules

ACCOUNT_UNIT = "account"
"""Key of the one unit: Kraken liquidates the spot margin account as a whole."""

SIDES = {"buy": Side.LONG, "sell": Side.SHORT}

TERMS = re.compile(r"\s*(\d+(?:\.\d+)?)%\s+per\s+(\d+)\s+hours?\s*", re.ASCII | re.IGNORECASE)
HOURS_PER_YEAR = Decimal(24 * 365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """What is open of one opening trade: `quantity` in base, money in quote currency.

    `margin` is its share of the initial margin, `full_margin` the most that can be counted for it: that of
    the whole trade, or of what is open at today's value; `value` is at mark.
    `leverage` is what it was opened with, `rate` the APR of its loan. `None`: the row does not say.
    """

    pair: Symbol
    side: Side
    opened: Decimal
    quantity: Decimal
    cost: Decimal | None
    margin: Decimal | None
    full_margin: Decimal | None
    value: Decimal | None
    leverage: Decimal | None
    rate: Decimal | None
    rules: SpotRules | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """All that is open. `full_margin`, in USD, is the most Kraken can count for these rows; `None`: unknown.

    `margin_call` and `margin_stop` are the strictest of the pairs held.
    """

    positions: tuple[Position, ...]
    loans: tuple[Collateral, ...]
    full_margin: Decimal | None
    margin_call: Decimal
    margin_stop: Decimal
    is_listed: bool


def read_lots(
    result: object, markets: Mapping[Symbol, MarketRules], findings: list[Finding]
) -> tuple[Lot, ...]:
    """Read every row with something open, oldest first.

    Raises:
        MalformedAnswer: the result is neither an object nor a list of rows.
    """
    lots = [lot for row in _rows(result) if (lot := _lot(row, markets, findings)) is not None]
    return tuple(sorted(lots, key=lambda lot: lot.opened))


def quotes_of(result: object, markets: Mapping[Symbol, MarketRules]) -> frozenset[str]:
    """Return the currencies other than USD that the rows are quoted in.

    Raises:
        MalformedAnswer: the result is neither an object nor a list of rows.
    """
    known = (find_rules(str(row.get("pair") or ""), markets) for row in _rows(result))
    return frozenset(rules.quote for rules in known if rules is not None) - {USD}


def _rows(result: object) -> tuple[Mapping[str, Any], ...]:
    return rows_from(list(result.values()) if isinstance(result, Mapping) else result, "OpenPositions")


def read_book(lots: Sequence[Lot], rates: Mapping[str, Decimal], findings: list[Finding]) -> Book:
    """Merge the lots of each pair and side into one position, in USD; `rates` are USD per quote currency."""
    groups: dict[tuple[Symbol, Side], list[Lot]] = {}
    for lot in lots:
        groups.setdefault((lot.pair, lot.side), []).append(lot)
    findings += [
        Finding(
            code=FindingCode.INCONSISTENT,
            detail="a long and a short in one pair",
            unit=ACCOUNT_UNIT,
            symbol=pair,
        )
        for pair, side in groups
        if side is Side.SHORT and (pair, Side.LONG) in groups
    ]
    positions, full = [], []
    for (pair, side), group in groups.items():
        rate = _rate(pair, group[0].rules, rates, findings)
        positions.append(_position(pair, side, group, rate))
        full.append(_times(_sum(lot.full_margin for lot in group), rate))
    held = [lot.rules for lot in lots if lot.rules is not None]
    return Book(
        positions=tuple(positions),
        loans=_loans(lots),
        full_margin=_sum(full),
        margin_call=max((rules.margin_call for rules in held), default=MARGIN_CALL),
        margin_stop=max((rules.margin_stop for rules in held), default=MARGIN_STOP),
        is_listed=bool(lots),
    )


def _lot(
    row: Mapping[str, Any], markets: Mapping[Symbol, MarketRules], findings: list[Finding]
) -> Lot | None:
    name = str(row.get("pair") or "")
    rules = find_rules(name, markets)
    pair = rules.symbol if rules is not None else Symbol(name)
    fields = Fields(row, findings, unit=ACCOUNT_UNIT, symbol=pair or None)
    side = SIDES.get(str(row.get("type") or ""))
    if not pair or side is None:
        fields.find(FindingCode.FIELD_DAMAGED, f"a position of pair {name!r} and type {row.get('type')!r}")
        return None
    volume, closed = fields.required("vol"), fields.required("vol_closed")
    if closed is None and row.get("vol_closed") not in (None, ""):
        return None
    if volume is None:
        return None
    quantity = volume - (closed or ZERO)
    if quantity < 0 or volume <= 0:
        fields.find(FindingCode.INCONSISTENT, f"vol_closed {closed} of vol {volume}")
        return None
    if quantity == 0:
        return None
    if rules is None:
        fields.find(FindingCode.SYMBOL_UNKNOWN, "a position in a pair without market rules")
    share = quantity / volume
    cost, margin, value = fields.required("cost"), fields.required("margin"), fields.required("value")
    leverage = cost / margin if cost and margin and margin > 0 else None
    of_value = None if value is None or not leverage else abs(value) / leverage
    return Lot(
        pair=pair,
        side=side,
        opened=fields.optional("time") or ZERO,
        quantity=quantity,
        cost=_times(cost, share),
        margin=_times(margin, share),
        full_margin=margin if margin is None or of_value is None else max(margin, of_value),
        value=None if value is None else abs(value),
        leverage=leverage,
        rate=annual_rate(row.get("terms")),
        rules=rules,
    )


def annual_rate(terms: object) -> Decimal | None:
    """Return the APR of terms such as `0.0100% per 4 hours`; `None` for any other text."""
    match = TERMS.fullmatch(terms) if isinstance(terms, str) else None
    if match is None or int(match[2]) == 0:
        return None
    return Decimal(match[1]) / 100 * HOURS_PER_YEAR / Decimal(match[2])


def _position(pair: Symbol, side: Side, lots: Sequence[Lot], rate: Decimal | None) -> Position:
    """Return the position that `lots` are. An order closes the oldest first: its leverage is that one's.

    A pair takes one side only, so that a coin is hedged between its pairs.
    """
    quantity = sum((lot.quantity for lot in lots), ZERO)
    cost, value = _sum(lot.cost for lot in lots), _sum(lot.value for lot in lots)
    margin = _times(_sum(lot.margin for lot in lots), rate)
    gain = None if cost is None or value is None else (value - cost) * (1 if side is Side.LONG else -1)
    stop = lots[0].rules.margin_stop if lots[0].rules is not None else MARGIN_STOP
    return Position(
        symbol=pair,
        unit=ACCOUNT_UNIT,
        side=side,
        quantity=quantity,
        settle=USD,
        kind=Kind.LINEAR,
        margin_mode=MarginMode.CROSS,
        hedged=False,
        entry_price=None if cost is None else cost / quantity,
        mark_price=None if value is None else value / quantity,
        notional=_times(value, rate),
        initial_margin=margin,
        maintenance_margin=_times(margin, stop / 100),
        unrealized_pnl=_times(gain, rate),
        leverage_setting=lots[0].leverage,
        netting=None if lots[0].rules is None else lots[0].rules.base,
    )


def _rate(
    pair: Symbol, rules: SpotRules | None, rates: Mapping[str, Decimal], findings: list[Finding]
) -> Decimal | None:
    if rules is None:
        return None
    rate = ONE if rules.quote == USD else rates.get(rules.quote)
    if rate is None:
        findings.append(
            Finding(
                code=FindingCode.FIELD_MISSING,
                detail=f"no USD price of {rules.quote}",
                unit=ACCOUNT_UNIT,
                symbol=pair,
            )
        )
    return rate


def _loans(lots: Sequence[Lot]) -> tuple[Collateral, ...]:
    """Return what the positions owe: a long its cost in quote, a short its coins; the rate is the average.

    Kraken shows no debt: the loan is implied by the position.
    """
    owed: dict[str, Decimal] = {}
    interest: dict[str, Decimal | None] = {}
    for lot in lots:
        if lot.rules is None:
            continue
        currency, debt = (
            (lot.rules.quote, lot.cost) if lot.side is Side.LONG else (lot.rules.base, lot.quantity)
        )
        if debt is None:
            continue
        owed[currency] = owed.get(currency, ZERO) + debt
        before = interest.get(currency, ZERO)
        interest[currency] = None if before is None or lot.rate is None else before + debt * lot.rate
    return tuple(
        Collateral(
            currency=currency,
            wallet_balance=None,
            equity=None,
            debt=debt,
            interest_rate=None if (yearly := interest[currency]) is None or not debt else yearly / debt,
        )
        for currency, debt in owed.items()
    )


def _sum(figures: Any) -> Decimal | None:  # noqa: ANN401 - an iterable of figures
    """Return the sum, or `None` when one of them is missing."""
    total = ZERO
    for figure in figures:
        if figure is None:
            return None
        total += figure
    return total


def _times(figure: Decimal | None, factor: Decimal | None) -> Decimal | None:
    return None if figure is None or factor is None else figure * factor
