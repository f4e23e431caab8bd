"""How old a futures picture may be: the payloads carry no time of their own, so it is proved from outside.

`account` and `positionRisk` hold no answer time, and their `updateTime`s tell when a row last changed. What
is certain is that an honest answer is not older than its request, so `as_of` starts as the venue's clock
just before the first request. Two things prove an answer older than that, and both take `as_of` back:

* a row's `updateTime` lies before one that was seen already, by more than the venue's servers may differ:
  the picture ended when that change came;
* the position's mark price stands still while the public mark price of the symbol moves away from it, by more
  than rounding does: the picture is frozen since the last read in which they were together.

A picture frozen from the very first read on, of an account without positions, or of a venue that does not
answer for public prices, cannot be told from a quiet one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from brokers.models import Symbol
from brokers.numbers import NumberError, decimal_or_none, time_from_ms
from brokers.venues.binance.positions import Rows

SERVERS_DIFFER = timedelta(seconds=1)

APART = Decimal("0.002")
"""Share of a price: two prints of one mark price differ by less; below it a frozen one misleads nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkProof:
    """The last read, `at`, in which the private mark price was seen to follow the public one.

    `public` is what the public one was when the private one was first seen where it is.
    """

    symbol: Symbol
    private: Decimal
    public: Decimal | None
    at: datetime


class Freshness:
    """Remember what earlier pictures of one account showed, and date the present one by it."""

    def __init__(self) -> None:
        self._changes: dict[tuple[str, ...], datetime] = {}
        self._proof: MarkProof | None = None
        self._largest: Symbol | None = None

    @property
    def watched(self) -> Symbol | None:
        """The symbol whose public mark price the next picture is held against: the largest position's."""
        return self._largest

    def date(
        self, *, assets: Rows, positions: Rows, public: Mapping[str, Any] | None, asked_at: datetime
    ) -> datetime:
        """Return `as_of` of a picture that was asked for at `asked_at`, and remember it.

        `positions` are the rows of `positionRisk`, `public` is `premiumIndex` of the watched symbol, or
        `None` where it did not answer.
        """
        as_of = min([asked_at, *self._overtaken(assets, positions)])
        proof = self._prove(positions, public, asked_at)
        self._proof = proof
        self._largest = _largest(positions)
        return as_of if proof is None else min(as_of, proof.at)

    def _overtaken(self, assets: Rows, positions: Rows) -> list[datetime]:
        """Return the changes that were seen before and are not in this picture."""
        missing = []
        for key, row in _rows_by_key(assets, positions):
            changed = _changed(row)
            if changed is None:
                continue
            seen = self._changes.get(key)
            if seen is not None and changed < seen - SERVERS_DIFFER:
                missing.append(seen)
            elif seen is None or changed > seen:
                self._changes[key] = changed
        return missing

    def _prove(
        self, positions: Rows, public: Mapping[str, Any] | None, asked_at: datetime
    ) -> MarkProof | None:
        if self._largest is None:
            return None
        private = next((m for r in positions if r.get("symbol") == self._largest if (m := _mark(r))), None)
        if private is None:
            return None
        stated = _mark(public) if public is not None and public.get("symbol") == self._largest else None
        before = self._proof
        if before is None or before.symbol != self._largest or before.private != private:
            return MarkProof(symbol=self._largest, private=private, public=stated, at=asked_at)
        if _are_apart(stated, private) and _are_apart(stated, before.public):
            return before
        first = stated if before.public is None else before.public
        return MarkProof(symbol=self._largest, private=private, public=first, at=asked_at)


def _are_apart(price: Decimal | None, other: Decimal | None) -> bool:
    return price is not None and other is not None and abs(price - other) > APART * other


def _rows_by_key(assets: Rows, positions: Rows) -> Iterable[tuple[tuple[str, ...], Mapping[str, Any]]]:
    for row in assets:
        yield (str(row.get("asset")),), row
    for row in positions:
        yield (str(row.get("symbol")), str(row.get("positionSide"))), row


def _changed(row: Mapping[str, Any]) -> datetime | None:
    """Return when a row last changed; 0 is how Binance says "never"."""
    try:
        return time_from_ms(row.get("updateTime"))
    except NumberError:
        return None


def _mark(row: Mapping[str, Any]) -> Decimal | None:
    return _figure(row, "markPrice")


def _figure(row: Mapping[str, Any], name: str) -> Decimal | None:
    try:
        return decimal_or_none(row.get(name))
    except NumberError:
        return None


def _largest(positions: Rows) -> Symbol | None:
    """Return the symbol with the largest notional; `None` without positions."""
    sizes = [(abs(size), str(row.get("symbol"))) for row in positions if (size := _worth(row))]
    return Symbol(max(sizes)[1]) if sizes else None


def _worth(row: Mapping[str, Any]) -> Decimal | None:
    """Return a position's value in quote; `notionalValue` is in coin."""
    notional = _figure(row, "notional")
    if notional is not None:
        return notional
    in_coin, mark = _figure(row, "notionalValue"), _mark(row)
    return None if in_coin is None or mark is None else in_coin * mark
