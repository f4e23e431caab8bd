"""Order books read beside the picture: a plan is better with them and does without.

They may cost neither time nor the polls of other accounts: all are asked for at once, for a moment only, and
an instrument whose book did not come in that moment is left out for a while. As long as nothing comes of it
(the positions stay as they are) they are asked for less and less often; what was read a moment ago still
serves, as when orders were cancelled before the cut. After a cut it does not: our own order has eaten of it.
"""

import asyncio
from collections.abc import Mapping, Sequence

from brokers.errors import BrokerError
from brokers.models import Position, Symbol
from brokers.order_book import NO_BOOKS, OrderBook
from brokers.port import Broker
from daemon.clock import Clock
from daemon.logs import logger

MOST_BOOKS = 8
LATE_REST_S = 30.0
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 15.0


class Books:
    """One account's order books."""

    def __init__(self, *, broker: Broker, clock: Clock) -> None:
        self._broker = broker
        self._clock = clock
        self._late: dict[Symbol, float] = {}
        self._held: tuple[tuple[Symbol, object], ...] = ()
        self._pause_s = 0.0
        self._asked_at = float("-inf")
        self._read: Mapping[Symbol, OrderBook] = NO_BOOKS

    async def read(self, positions: Sequence[Position], patience_s: float) -> Mapping[Symbol, OrderBook]:
        """Return the books of the first of `positions` that come within `patience_s`, or came just before."""
        symbols = self._due(positions)
        if not symbols:
            return self._read if self._clock.uptime() - self._asked_at < SHORTEST_PAUSE_S else NO_BOOKS
        asked = {symbol: asyncio.create_task(self._book(symbol)) for symbol in symbols}
        try:
            await asyncio.wait(asked.values(), timeout=patience_s)
        finally:
            came = {symbol: task for symbol, task in asked.items() if task.done()}
            for task in asked.values():
                task.cancel()
        self._late |= dict.fromkeys(asked.keys() - came.keys(), self._clock.uptime())
        found = {symbol: task.result() for symbol, task in came.items()}
        self._read = {symbol: book for symbol, book in found.items() if book is not None}
        return self._read

    def _due(self, positions: Sequence[Position]) -> list[Symbol]:
        """Return whose books to ask for now, and take them as asked for."""
        now, held = self._clock.uptime(), tuple((one.symbol, one.quantity) for one in positions)
        if held != self._held:
            self._held, self._pause_s, self._read = held, SHORTEST_PAUSE_S, NO_BOOKS
        if now - self._asked_at < self._pause_s:
            return []
        symbols = list(dict.fromkeys(position.symbol for position in positions))[:MOST_BOOKS]
        due = [symbol for symbol in symbols if now - self._late.get(symbol, float("-inf")) >= LATE_REST_S]
        if due:
            self._asked_at, self._pause_s = now, min(2 * self._pause_s, LONGEST_PAUSE_S)
        return due

    async def _book(self, symbol: Symbol) -> OrderBook | None:
        try:
            return await self._broker.fetch_order_book(symbol)
        except BrokerError as error:
            logger().debug("no_order_book", account=self._broker.account_id, symbol=symbol, why=str(error))
            return None
