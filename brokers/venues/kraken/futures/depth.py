"""`orderbook`: the whole of it, quantities as orders: base coin, of inverse contracts dollars.

Source: Kraken docs, Futures REST, "Get orderbook".
"""

from collections.abc import Sequence

from brokers.book_calls import BookCalls, BookQuery
from brokers.fields import mapping_from
from brokers.levels import Sides, read_sides
from brokers.numbers import NumberError
from brokers.profile import Json, Request
from brokers.venues.kraken.futures.envelope import time_from_iso
from brokers.venues.kraken.futures.profile import COSTS, ORDER_BOOK


def _requests(query: BookQuery) -> Sequence[Request]:
    return (Request(call=ORDER_BOOK, params={"symbol": str(query.symbol)}, cost=COSTS[ORDER_BOOK]),)


def _read(query: BookQuery, payload: Json) -> Sides:
    """Read a book; the time is that of the answer."""
    answer = mapping_from(payload, "orderbook")
    try:
        as_of = time_from_iso(answer.get("serverTime"))
    except NumberError:
        as_of = None
    return read_sides(mapping_from(answer.get("orderBook"), "orderBook"), query.levels, as_of=as_of)


BOOKS = BookCalls(requests=_requests, read=_read)
