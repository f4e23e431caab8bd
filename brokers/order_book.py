"""The order book of one instrument, as deep as a reducing order may have to look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from types import MappingProxyType

from brokers.models import OrderSide, Symbol

LEVELS = 50
"""So many levels a side are read, unless told otherwise: no venue counts fewer of them much cheaper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceLevel:
    """So much can be traded at one price: `quantity` in the venue's order unit, `price` in quote."""

    price: Decimal
    quantity: Decimal

    def __post_init__(self) -> None:
        """Refuse a level at which nothing can be traded."""
        if min(self.price, self.quantity) <= 0:
            raise ValueError(f"a price level is positive, not {self.quantity} at {self.price}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderBook:
    """The best levels of both sides, best first; a side may be empty, and ends where the venue cut it.

    `as_of` is the venue's time of the book, `None` where it states none; `fetched_at` ours when it had
    arrived, by the venue's clock.
    """

    symbol: Symbol
    bids: tuple[PriceLevel, ...]
    asks: tuple[PriceLevel, ...]
    as_of: datetime | None
    fetched_at: datetime

    def __post_init__(self) -> None:
        """Refuse sides that are out of order and a book that is crossed: no cost can be read from it."""
        falling = all(one.price > other.price for one, other in pairwise(self.bids))
        rising = all(one.price < other.price for one, other in pairwise(self.asks))
        if not (falling and rising):
            raise ValueError(f"{self.symbol}: the levels of a book must get worse from the best one on")
        if self.bids and self.asks and self.bids[0].price >= self.asks[0].price:
            raise ValueError(f"{self.symbol}: the book is crossed at {self.bids[0].price}")

    def against(self, side: OrderSide) -> Sequence[PriceLevel]:
        """Return the levels that an order of `side` takes, best first."""
        return self.asks if side is OrderSide.BUY else self.bids


NO_BOOKS: Mapping[Symbol, OrderBook] = MappingProxyType({})
"""None were read."""
