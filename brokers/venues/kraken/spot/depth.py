"""`Depth`: quantities in base currency, as orders. Public calls do not count against the call counter.

Source: Kraken docs, "Get Order Book".
"""

from collections.abc import Sequence

from brokers.book_calls import BookCalls, BookQuery
from brokers.errors import MalformedAnswer
from brokers.fields import mapping_from
from brokers.levels import Sides, read_sides
from brokers.profile import Json, Request
from brokers.venues.kraken.spot.envelope import object_of
from brokers.venues.kraken.spot.markets import find_rules

MOST_LEVELS = 500


def _requests(query: BookQuery) -> Sequence[Request]:
    params = {"pair": _names(query)[0], "count": min(query.levels, MOST_LEVELS)}
    return (Request(call="publicGetDepth", params=params, cost=0),)


def _read(query: BookQuery, payload: Json) -> Sides:
    """Read the only book there is, under any of the pair's names; its levels have times, it has none."""
    books = object_of(payload, "Depth")
    name = next(iter(books), None)
    if len(books) != 1 or name not in _names(query):
        raise MalformedAnswer(f"Depth: books of {sorted(map(str, books))}")
    return read_sides(mapping_from(books[name], "Depth"), query.levels, as_of=None)


def _names(query: BookQuery) -> tuple[str, ...]:
    """Return what Kraken may call the pair, its id first."""
    rules = find_rules(query.symbol, query.markets)
    return (query.symbol,) if rules is None else (rules.symbol, rules.altname, rules.wsname)


BOOKS = BookCalls(requests=_requests, read=_read)
