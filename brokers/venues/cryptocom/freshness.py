"""How old a picture may be: balance and positions carry no time of their own, so it is proved from outside.

An honest answer is not older than its request, so `as_of` starts as the venue's clock just before the first
request. Two things prove a picture older than that, and both take `as_of` back:

* a position's `update_timestamp_ms` lies before one that was seen already;
* the profit of the largest position stands still while the public price of its instrument moves on by more
  than a mark may lag: the picture is frozen since the read before.

A picture frozen from the very first read on, or of an account without positions, cannot be told from a quiet
one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from brokers.models import Symbol
from brokers.numbers import ZERO, NumberError, decimal_or_none, time_from_ms

SERVERS_DIFFER = timedelta(seconds=1)

MOVED = Decimal("0.002")
"""A public price this far, as a fraction, from where it was when the profit last changed must move it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The last read that was not frozen, and the public price when its profit was first seen."""

    symbol: str
    profit: Decimal
    quantity: Decimal
    price: Decimal | None
    at: datetime


class Freshness:
    """Remember what earlier pictures of one account showed, and date the present one by it."""

    def __init__(self) -> None:
        self._changes: dict[tuple[str, str], datetime] = {}
        self._proof: Proof | None = None

    def date(
        self, rows: Iterable[Mapping[str, Any]], prices: Mapping[Symbol, Decimal], asked_at: datetime
    ) -> datetime:
        """Return `as_of` of a picture that was asked for at `asked_at`, and remember it."""
        rows = tuple(rows)
        as_of = min([asked_at, *self._overtaken(rows)])
        self._proof = self._prove(rows, prices, asked_at)
        return as_of if self._proof is None else min(as_of, self._proof.at)

    def _overtaken(self, rows: Iterable[Mapping[str, Any]]) -> list[datetime]:
        """Return the changes that were seen before and are not in this picture."""
        missing = []
        for row in rows:
            changed = _time(row)
            if changed is None:
                continue
            key = (str(row.get("instrument_name")), str(row.get("isolation_id") or ""))
            seen = self._changes.get(key)
            if seen is not None and changed < seen - SERVERS_DIFFER:
                missing.append(changed)
            elif seen is None or changed > seen:
                self._changes[key] = changed
        return missing

    def _prove(
        self, rows: Iterable[Mapping[str, Any]], prices: Mapping[Symbol, Decimal], asked_at: datetime
    ) -> Proof | None:
        largest = max(rows, key=lambda row: abs(_figure(row, "open_pos_cost") or ZERO), default=None)
        if largest is None:
            return None
        symbol = str(largest.get("instrument_name"))
        profit, quantity = _figure(largest, "open_position_pnl"), _figure(largest, "quantity")
        if profit is None or not quantity:
            return None
        price, before = prices.get(Symbol(symbol)), self._proof
        seen = (symbol, profit, quantity)
        if before is not None and (before.symbol, before.profit, before.quantity) == seen and before.price:
            if price is not None and abs(price - before.price) > MOVED * before.price:
                return before
            price = before.price
        return Proof(symbol=symbol, profit=profit, quantity=quantity, price=price, at=asked_at)


def _time(row: Mapping[str, Any]) -> datetime | None:
    try:
        return time_from_ms(row.get("update_timestamp_ms"))
    except NumberError:
        return None


def _figure(row: Mapping[str, Any], name: str) -> Decimal | None:
    try:
        return decimal_or_none(row.get(name))
    except NumberError:
        return None
