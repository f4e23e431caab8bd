"""How one venue and product is asked for an order book: one frozen value, written by the venue's adapter."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from brokers.levels import Sides
from brokers.models import MarketRules, Symbol
from brokers.profile import Json, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class BookQuery:
    """Whose book is wanted, and how many levels of each side; `markets` are all that the venue lists."""

    symbol: Symbol
    levels: int
    markets: Mapping[Symbol, MarketRules]


@dataclass(frozen=True, slots=True, kw_only=True)
class BookCalls:
    """The calls that tell a book, the first that a host has; and how the answer to any of them is read.

    Both are pure. `read` gives the best levels, quantities in the unit of orders; on a foreign payload it
    raises what parsers raise (see `brokers.hooks.VenueHooks`), and `MalformedAnswer` on the book of another
    instrument.
    """

    requests: Callable[[BookQuery], Sequence[Request]]
    read: Callable[[BookQuery, Json], Sides]
