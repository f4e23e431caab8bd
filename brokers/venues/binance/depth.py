"""`depth`: the order book of a contract or pair; quantities in base coin or contracts, as orders.

Source: Binance docs, "Order Book" of USD-M and COIN-M futures, and of spot.
"""

from collections.abc import Callable, Sequence

from brokers.book_calls import BookCalls, BookQuery
from brokers.fields import mapping_from
from brokers.levels import Sides, read_sides
from brokers.models import Symbol
from brokers.numbers import time_or_none
from brokers.profile import Json, Request

Weights = tuple[tuple[int, int], ...]
"""How many levels may be asked for, rising, and what that weighs."""

FUTURES: Weights = ((5, 2), (10, 2), (20, 2), (50, 2), (100, 5), (500, 10), (1000, 20))
SPOT: Weights = ((100, 5), (500, 25), (1000, 50), (5000, 250))


def depth_calls(call_of: Callable[[Symbol], str], weights: Weights = FUTURES) -> BookCalls:
    """Return how books are read where `call_of` names the call for each symbol."""

    def requests(query: BookQuery) -> Sequence[Request]:
        limit, weight = next((one for one in weights if one[0] >= query.levels), weights[-1])
        params = {"symbol": str(query.symbol), "limit": limit}
        return (Request(call=call_of(query.symbol), params=params, cost=weight),)

    return BookCalls(requests=requests, read=_read)


def _read(query: BookQuery, payload: Json) -> Sides:
    """Read a book; futures tell when they sent it, spot tells no time."""
    book = mapping_from(payload, "depth")
    return read_sides(book, query.levels, as_of=time_or_none(book.get("E")))
