"""One side of an order book, from the rows in which a venue sends it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from brokers.errors import MalformedAnswer
from brokers.numbers import ZERO, decimal_from
from brokers.order_book import PriceLevel

LEAST_FIGURES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The levels of a book, best first, and the venue's time of it, `None` where it states none."""

    bids: tuple[PriceLevel, ...]
    asks: tuple[PriceLevel, ...]
    as_of: datetime | None = None


def read_sides(
    raw: Mapping[str, object],
    levels: int,
    *,
    names: tuple[str, str] = ("bids", "asks"),
    as_of: datetime | None,
) -> Sides:
    """Read both sides of a book, the best `levels` of each; `names` are those of its bids and asks.

    Raises:
        MalformedAnswer: a side is missing, or holds something that is no level.
        NumberError: a figure is absent or damaged.
    """
    bids, asks = (_read_side(raw.get(name), name) for name in names)
    return Sides(
        bids=tuple(sorted(bids, key=lambda level: level.price, reverse=True)[:levels]),
        asks=tuple(sorted(asks, key=lambda level: level.price)[:levels]),
        as_of=as_of,
    )


def _read_side(raw: object, what: str) -> list[PriceLevel]:
    """Read rows of price and quantity, in whatever order they come.

    A quantity of zero is no level. Of two rows of one price the smaller is believed: that much is there.
    """
    if not isinstance(raw, list):
        raise MalformedAnswer(f"{what} of an order book are no list")
    found: dict[Decimal, Decimal] = {}
    for row in raw:
        price, quantity = _read_row(row, what)
        if price <= 0 or quantity < 0:
            raise MalformedAnswer(f"{what} of an order book: {quantity} at {price}")
        found[price] = min(quantity, found.get(price, quantity))
    return [PriceLevel(price=price, quantity=size) for price, size in found.items() if size != ZERO]


def _read_row(row: object, what: str) -> tuple[Decimal, Decimal]:
    """Read one level: a list that begins with price and quantity, or an object of `price` and `size`."""
    if isinstance(row, Mapping):
        return decimal_from(row.get("price")), decimal_from(row.get("size"))
    if not isinstance(row, list) or len(row) < LEAST_FIGURES:
        raise MalformedAnswer(f"{what} of an order book: a level of a foreign shape")
    return decimal_from(row[0]), decimal_from(row[1])
