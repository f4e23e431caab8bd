"""`market/books`: quantities in contracts, of pairs in base currency, as orders.

Source: OKX docs, "GET / Order book".
"""

from collections.abc import Sequence

from brokers.book_calls import BookCalls, BookQuery
from brokers.levels import Sides, read_sides
from brokers.numbers import time_or_none
from brokers.profile import Json, Request
from brokers.venues.okx.envelope import row_of

MOST_LEVELS = 400


def _requests(query: BookQuery) -> Sequence[Request]:
    params = {"instId": str(query.symbol), "sz": str(min(query.levels, MOST_LEVELS))}
    return (Request(call="publicGetMarketBooks", params=params, cost=1 / 2),)


def _read(query: BookQuery, payload: Json) -> Sides:
    book = row_of(payload, "market/books")
    return read_sides(book, query.levels, as_of=time_or_none(book.get("ts")))


BOOKS = BookCalls(requests=_requests, read=_read)
