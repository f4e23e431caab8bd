"""`public/get-book`: levels of price, quantity and number of orders; quantities as orders.

Source: Exchange API v1, "public/get-book".
"""

from collections.abc import Sequence

from brokers.book_calls import BookCalls, BookQuery
from brokers.errors import MalformedAnswer
from brokers.levels import Sides, read_sides
from brokers.numbers import time_or_none
from brokers.profile import Json, Request
from brokers.venues.cryptocom.envelope import result_of, row_of

BOOK = "v1PublicGetPublicGetBook"
MOST_LEVELS = 50


def _requests(query: BookQuery) -> Sequence[Request]:
    params = {"instrument_name": str(query.symbol), "depth": str(min(query.levels, MOST_LEVELS))}
    return (Request(call=BOOK, params=params),)


def _read(query: BookQuery, payload: Json) -> Sides:
    name = result_of(payload, "public/get-book").get("instrument_name", query.symbol)
    if name != query.symbol:
        raise MalformedAnswer(f"public/get-book: that of {name!r}")
    book = row_of(payload, "public/get-book")
    return read_sides(book, query.levels, as_of=time_or_none(book.get("t")))


BOOKS = BookCalls(requests=_requests, read=_read)
