"""Raw payloads of balance, positions and tickers -> one account snapshot."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from brokers.fields import Fields, rows_from
from brokers.hooks import SnapshotContext
from brokers.models import AccountSnapshot, Finding, FindingCode, Position, RiskUnit, Symbol
from brokers.numbers import NumberError, decimal_or_none, time_from_ms
from brokers.venues.cryptocom.envelope import row_of, rows_of
from brokers.venues.cryptocom.positions import (
    ACCOUNT_UNIT,
    Margins,
    OpenRow,
    isolated_unit_key,
    isolation_of,
    position_of,
    read_rows,
    total_notional,
)
from brokers.venues.cryptocom.units import (
    account_unit,
    collateral_of,
    is_liquidating,
    isolated_unit,
    margins_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSnapshot:
    """The answers of user-balance, get-positions and get-tickers of what is held, with their envelopes.

    `asked_at` is the venue's time when the first was asked for.
    """

    balance: Any
    positions: Any
    tickers: tuple[Any, ...]
    asked_at: datetime


def read_snapshot(raw: RawSnapshot, context: SnapshotContext, as_of: datetime) -> AccountSnapshot:
    """Build the snapshot, dated `as_of`: the answers carry no time of their own (see `freshness`).

    An isolated position takes its size from get-positions and its totals from the balance, by its id.

    Raises:
        MalformedAnswer: a payload is not what Crypto.com documents; an empty balance is no flat account.
    """
    findings: list[Finding] = []
    account = row_of(raw.balance, "private/user-balance")
    rows = read_rows(
        rows_of(raw.positions, "private/get-positions"), context.markets, read_prices(raw.tickers), findings
    )
    fields = Fields(account, findings, unit=ACCOUNT_UNIT)
    cross = [row for row in rows if not row.is_isolated]
    units = [account_unit(fields, cross, liquidating=is_liquidating(account))]
    positions = _positions(cross, margins_of(fields))
    isolated = _isolated_rows(account)
    keys = dict.fromkeys([*isolated, *(row.unit for row in rows if row.is_isolated)])
    for key in keys:
        unit, held = _isolated(key, isolated.get(key), [row for row in rows if row.unit == key], findings)
        units.append(unit)
        positions += held
    balances = rows_from(account.get("position_balances") or [], "position_balances")
    return AccountSnapshot(
        account_id=context.account_id,
        broker=context.broker,
        product=context.product,
        as_of=as_of,
        fetched_at=context.now,
        mode=context.mode,
        units=tuple(units),
        positions=tuple(positions),
        collaterals=tuple(collateral_of(Fields(row, findings)) for row in balances),
        findings=tuple(dict.fromkeys(findings)),
        markets=context.markets,
        tiers=context.tiers,
    )


def read_prices(tickers: Sequence[Any]) -> dict[Symbol, Decimal]:
    """Return the last price of every ticker, held inside the spread; what is damaged is not there.

    Raises:
        MalformedAnswer: an answer is no list in Crypto.com's envelope.
    """
    prices = {}
    for payload in tickers:
        for row in rows_of(payload, "public/get-tickers"):
            last, bid, ask = (_price(row, name) for name in ("a", "b", "k"))
            if last is None and bid is not None and ask is not None:
                last = (bid + ask) / 2
            if last is None:
                continue
            if bid is not None and ask is not None and bid <= ask:
                last = min(max(last, bid), ask)
            prices[Symbol(str(row.get("i") or ""))] = last
    return prices


def newest_price_time(tickers: Sequence[Any]) -> datetime | None:
    """Return when the latest of the tickers was published; `None`: none of them tells.

    Raises:
        MalformedAnswer: an answer is no list in Crypto.com's envelope.
    """
    times = []
    for payload in tickers:
        for row in rows_of(payload, "public/get-tickers"):
            with suppress(NumberError):
                times.append(time_from_ms(row.get("t")))
    return max(times, default=None)


def _price(row: Mapping[str, Any], name: str) -> Decimal | None:
    try:
        value = decimal_or_none(row.get(name))
    except NumberError:
        return None
    return value if value is not None and value > 0 else None


def _positions(rows: Sequence[OpenRow], margins: Margins) -> list[Position]:
    total = total_notional(rows)
    return [position_of(row, margins, total) for row in rows]


def _isolated_rows(account: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the balance rows of isolated positions by their unit's key."""
    rows = rows_from(account.get("isolated_positions") or [], "isolated_positions")
    return {isolated_unit_key(isolation_of(row)): row for row in rows}


def _isolated(
    key: str, balance: Mapping[str, Any] | None, rows: Sequence[OpenRow], findings: list[Finding]
) -> tuple[RiskUnit, list[Position]]:
    fields = Fields(balance or {}, findings, unit=key)
    if balance is None:
        fields.find(FindingCode.TOTALS_MISSING, "the balance does not list this isolated position")
    unit = isolated_unit(key, fields, rows, liquidating=balance is not None and is_liquidating(balance))
    return unit, _positions(rows, margins_of(fields))
