"""`market/product_book`, or where a host has none `product_book`; quantities as orders: contracts or coins.

Source: Coinbase docs, Advanced Trade, "Get Public Product Book" and "Get Product Book".
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from brokers.book_calls import BookCalls, BookQuery
from brokers.errors import MalformedAnswer
from brokers.fields import mapping_from
from brokers.levels import Sides, read_sides
from brokers.profile import Json, Request

PUBLIC, PRIVATE = "v3PublicGetBrokerageMarketProductBook", "v3PrivateGetBrokerageProductBook"


def _requests(query: BookQuery) -> Sequence[Request]:
    params = {"product_id": str(query.symbol), "limit": str(query.levels)}
    return (Request(call=PUBLIC, params=params), Request(call=PRIVATE, params=params))


def _read(query: BookQuery, payload: Json) -> Sides:
    book = mapping_from(mapping_from(payload, "product_book").get("pricebook"), "pricebook")
    if book.get("product_id", query.symbol) != query.symbol:
        raise MalformedAnswer(f"product_book: that of {book.get('product_id')!r}")
    return read_sides(book, query.levels, as_of=_time(book.get("time")))


def _time(raw: object) -> datetime | None:
    """Return the venue's time of the book; `None` for what is absent or no time with a zone."""
    if not isinstance(raw, str):
        return None
    try:
        moment = datetime.fromisoformat(raw)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment.astimezone(UTC)


BOOKS = BookCalls(requests=_requests, read=_read)
