"""Order books read aside: nothing depends on them, and a host without them is not asked again and again."""

import logging

from brokers.answers import ForeignAnswer
from brokers.book_calls import BookCalls, BookQuery
from brokers.budget import boot_seconds
from brokers.errors import (
    BrokerError,
    ClockRefused,
    KeyOrClockRefused,
    NonceRefused,
    NotSupported,
    RequestRefused,
)
from brokers.models import Symbol
from brokers.order_book import OrderBook
from brokers.profile import Json, Request
from brokers.reading import parsing
from brokers.transport import Transport

ABSENT_S = 600.0
"""What a host has shown not to have, a call or one instrument's book, it is not asked for again sooner."""

_PASSING = (ClockRefused, KeyOrClockRefused, NonceRefused)

_log = logging.getLogger("margind.brokers")


class DepthReader:
    """Reads one account's books out of the polls' share of the budget, and never waits for room there."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._resting: dict[tuple[str, Symbol | None], float] = {}

    async def read(self, query: BookQuery, calls: BookCalls) -> OrderBook:
        """Return the book that is wanted, by the first of `calls` that the host has.

        Raises:
            NotSupported: the host has none of these calls or not this book, by what it said lately.
            MalformedAnswer: what came is no book, or a crossed one.
            BrokerError: there is no book.
        """
        symbol = query.symbol
        for request in calls.requests(query):
            if self._rests(request.call, symbol):
                continue
            try:
                payload = await self._ask(request)
            except BrokerError as error:
                if not self._note(request.call, symbol, error):
                    raise
                continue
            with parsing("order book"):
                sides = calls.read(query, payload)
                return OrderBook(
                    symbol=symbol,
                    bids=sides.bids,
                    asks=sides.asks,
                    as_of=sides.as_of,
                    fetched_at=self._transport.venue_now(),
                )
        raise NotSupported(f"no order book of {symbol} is to be had at this host")

    async def _ask(self, request: Request) -> Json:
        if isinstance(request.params, list):
            raise NotSupported(f"{request.call}: a book is asked for by name")
        return await self._transport.read_aside(request.call, request.params, cost=request.cost)

    def _rests(self, call: str, symbol: Symbol) -> bool:
        now = boot_seconds()
        return any(now < self._resting.get((call, whose), 0.0) for whose in (None, symbol))

    def _note(self, call: str, symbol: Symbol, error: BrokerError) -> bool:
        """Remember what is not to be had; return whether `error` says so."""
        if isinstance(error, (ForeignAnswer, NotSupported)):
            self._resting[call, None] = boot_seconds() + ABSENT_S
        elif isinstance(error, RequestRefused) and not isinstance(error, _PASSING):
            self._resting[call, symbol] = boot_seconds() + ABSENT_S
        else:
            return False
        _log.info("no such order book: %s", error)
        return True
