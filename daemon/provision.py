"""What the rungs need beside the picture: the open orders to cancel, the funds to move in, the order books.

All are read while the picture is being confirmed, and none may delay the cut: what has not come after a
moment is done without. The list of open orders is the dearest read of some venues (Binance counts it as much
as eight pictures), so it is read only when a cancel rung may be due, and then not again for a while, whatever
it showed; a cancellation that was sent is worth one more look at once, a failed read one soon, and so is a
cut before which orders that were spared have to go.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

from brokers.models import AccountSnapshot, Symbol
from brokers.order_book import NO_BOOKS, OrderBook
from brokers.orders import OpenOrder
from brokers.port import Broker
from daemon.books import Books
from daemon.clock import Clock
from daemon.logs import logger
from daemon.risk.books import MOST_AGE, believable, positions_to_cut
from daemon.risk.resting import concerning, in_turn
from daemon.sight import look_at_orders
from daemon.topup import TopUp

PATIENCE_S = 0.5
LOOK_EVERY_S = 15.0
RETRY_S = 2.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """What may be due: orders to cancel, funds for a unit in that currency, a cut of that unit.

    `None`: no funds are wanted, nothing is to be cut.
    """

    orders: bool = False
    funds_in: str | None = None
    cut: str | None = None

    def __bool__(self) -> bool:
        return self.orders or self.funds_in is not None or self.cut is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """What was read: the orders that may be cancelled now, the funds, the books in time to be believed.

    `orders` `None`: could not be read; `funds` `None`: none may be moved, or unknown. `seen` are all resting
    orders that protect nobody, whatever their turn.
    """

    orders: tuple[OpenOrder, ...] | None = ()
    seen: tuple[OpenOrder, ...] = ()
    funds: Decimal | None = None
    funds_in: str | None = None
    books: Mapping[Symbol, OrderBook] = field(default_factory=lambda: NO_BOOKS)


class Provision:
    """One account's errands; what one of them brings does not wait for the other."""

    def __init__(self, *, broker: Broker, top_up: TopUp, clock: Clock) -> None:
        self._broker = broker
        self._top_up = top_up
        self._clock = clock
        self._books = Books(broker=broker, clock=clock)
        self._looked_at = float("-inf")
        self._spared = False  # the last look showed orders whose turn comes before a cut only
        self._running: _Errands | None = None

    @property
    def seeks_funds(self) -> bool:
        """Whether what may be moved in is being looked up."""
        return self._running is not None and self._running.funds_in is not None

    def start(self, wants: Wants, snapshot: AccountSnapshot | None) -> None:
        """Begin to read what is wanted for the account that `snapshot` shows, unless that is under way."""
        if self._running is not None or not wants:
            return
        self._running = _Errands(
            orders=self._send(self._orders(wants), "open orders"),
            funds=self._send(self._funds(wants), "funds"),
            books=self._send(self._order_books(wants.cut, snapshot, PATIENCE_S), "order books"),
            funds_in=wants.funds_in,
            cut=wants.cut,
        )

    async def take(self, snapshot: AccountSnapshot | None) -> Provided:
        """Return what has come, after a moment's patience, and fits the confirmed picture."""
        if self._running is None or snapshot is None:
            return Provided()
        errands, began = self._running, self._clock.uptime()
        _, late = await asyncio.wait(errands.tasks, timeout=PATIENCE_S)
        if errands.orders in late:
            self._looked_at += RETRY_S - LOOK_EVERY_S
        left_s = PATIENCE_S - (self._clock.uptime() - began)
        seen = _brought(errands.orders)
        return Provided(
            orders=seen and self._due(seen, errands.cut, snapshot),
            seen=seen or (),
            funds=_brought(errands.funds),
            funds_in=errands.funds_in,
            books=await self._believed(errands, snapshot, left_s),
        )

    async def _believed(
        self, errands: "_Errands", snapshot: AccountSnapshot, patience_s: float
    ) -> Mapping[Symbol, OrderBook]:
        """Return the books that fit the picture; where it was long in coming they are read once more."""
        books, now = _brought(errands.books) or NO_BOOKS, self._broker.venue_now()
        if not books:
            return NO_BOOKS
        if patience_s > 0 and all(now - book.fetched_at > MOST_AGE for book in books.values()):
            again = self._send(self._order_books(errands.cut, snapshot, patience_s), "order books again")
            await asyncio.wait({again})
            books = _brought(again) or NO_BOOKS
        return believable(books, snapshot, self._broker.venue_now())

    def stop(self) -> None:
        """Forget what is under way; it was for this cycle."""
        if self._running is not None:
            for errand in self._running.tasks:
                errand.cancel()
            self._running = None

    def look_again(self) -> None:
        """Let the next cycle read the open orders anew: a cancellation has changed them."""
        self._looked_at = float("-inf")

    async def _orders(self, wants: Wants) -> tuple[OpenOrder, ...] | None:
        now = self._clock.uptime()
        is_fresh = now - self._looked_at < LOOK_EVERY_S and not (self._spared and wants.cut is not None)
        if not wants.orders or is_fresh:
            return ()
        self._looked_at, self._spared = now, False
        orders = await look_at_orders(self._broker)
        if orders is None:
            self._looked_at += RETRY_S - LOOK_EVERY_S
        return orders

    def _due(
        self, seen: tuple[OpenOrder, ...], cut: str | None, snapshot: AccountSnapshot
    ) -> tuple[OpenOrder, ...]:
        """Return the orders whose turn it is; those in the way of the unit that may be cut come first."""
        own = concerning(seen, snapshot, cut) if cut is not None else ()
        due = in_turn(own, before_cut=True) or in_turn(seen, before_cut=cut is not None)
        self._spared = len(due) < len(seen)
        return due

    async def _funds(self, wants: Wants) -> Decimal | None:
        return None if wants.funds_in is None else await self._top_up.funds(wants.funds_in)

    async def _order_books(
        self, unit: str | None, snapshot: AccountSnapshot | None, patience_s: float
    ) -> Mapping[Symbol, OrderBook]:
        if unit is None or snapshot is None:
            return NO_BOOKS
        return await self._books.read(positions_to_cut(snapshot, unit), patience_s)

    def _send(self, errand: Coroutine[Any, Any, T], what: str) -> asyncio.Task[T]:
        task = asyncio.create_task(errand, name=f"{what} of {self._broker.account_id}")
        task.add_done_callback(self._tell_failure)
        return task

    def _tell_failure(self, errand: asyncio.Task[Any]) -> None:
        """Log a bug met on the way; the cut goes on without what was to be provided."""
        error = None if errand.cancelled() else errand.exception()
        if error is not None:
            logger().error("provision_failed", account=self._broker.account_id, exc_info=error)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Errands:
    """What is under way."""

    orders: asyncio.Task[tuple[OpenOrder, ...] | None]
    funds: asyncio.Task[Decimal | None]
    books: asyncio.Task[Mapping[Symbol, OrderBook]]
    funds_in: str | None
    cut: str | None

    @property
    def tasks(self) -> tuple[asyncio.Task[Any], ...]:
        return self.orders, self.funds, self.books


def _brought(errand: asyncio.Task[T]) -> T | None:
    """Return what an errand has brought by now; `None`: nothing."""
    return errand.result() if errand.done() and errand.exception() is None else None
