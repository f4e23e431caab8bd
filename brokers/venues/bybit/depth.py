"""`GET /v5/market/orderbook`: quantities in base coin, of inverse contracts in dollars, as orders.

Source: Bybit docs, "Get Orderbook".
"""

from collections.abc import Sequence

from brokers.book_calls import BookCalls, BookQuery
from brokers.errors import MalformedAnswer
from brokers.levels import Sides, read_sides
from brokers.numbers import time_or_none
from brokers.profile import Json, Request
from brokers.venues.bybit.contracts import Category, category_of
from brokers.venues.bybit.envelope import result_of

MOST_LEVELS, MOST_OF_OPTION = 500, 25


def _requests(query: BookQuery) -> Sequence[Request]:
    category = category_of(query.symbol)
    most = MOST_OF_OPTION if category is Category.OPTION else MOST_LEVELS
    params = {
        "category": str(category),
        "symbol": str(query.symbol),
        "limit": min(query.levels, most),
    }
    return (Request(call="publicGetV5MarketOrderbook", params=params),)


def _read(query: BookQuery, payload: Json) -> Sides:
    book = result_of(payload, "orderbook")
    if book.get("s", query.symbol) != query.symbol:
        raise MalformedAnswer(f"orderbook: that of {book.get('s')!r}")
    return read_sides(book, query.levels, names=("b", "a"), as_of=time_or_none(book.get("ts")))


BOOKS = BookCalls(requests=_requests, read=_read)
