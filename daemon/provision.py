"""What the first rungs need beside the picture: the open orders to cancel, the funds to move in.

Both are read while the picture is being confirmed, and neither may delay the cut: what has not come after a
moment is done without. The list of open orders is the dearest read of some venues (Binance counts it as much
as eight pictures), so it is read only when a cancel rung may be due, and then not again for a while, whatever
it showed; a cancellation that was sent is worth one more look at once, a failed read one soon, and so is a
cut before which orders that were spared have to go.
"""

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from brokers.orders import OpenOrder
from brokers.port import Broker
from daemon.clock import Clock
from daemon.logs import logger
from daemon.risk.resting import in_turn
from daemon.sight import look_at_orders
from daemon.topup import TopUp

PATIENCE_S = 0.5
LOOK_EVERY_S = 15.0
RETRY_S = 2.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """What may be due: orders to cancel, funds for a unit in that currency (`None`: none are wanted).

    `before_cut`: something may be cut once the orders are gone.
    """

    orders: bool = False
    before_cut: bool = False
    funds_in: str | None = None

    def __bool__(self) -> bool:
        return self.orders or self.funds_in is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """What was read: the orders whose turn it is.

    `orders` `None`: could not be read; `funds` `None`: none may be moved, or unknown.
    """

    orders: tuple[OpenOrder, ...] | None = ()
    funds: Decimal | None = None
    funds_in: str | None = None


class Provision:
    """One account's errands; what one of them brings does not wait for the other."""

    def __init__(self, *, broker: Broker, top_up: TopUp, clock: Clock) -> None:
        self._broker = broker
        self._top_up = top_up
        self._clock = clock
        self._looked_at = float("-inf")
        self._spared = False  # the last look showed orders whose turn comes before a cut only
        self._running: _Errands | None = None

    @property
    def seeks_funds(self) -> bool:
        """Whether what may be moved in is being looked up."""
        return self._running is not None and self._running.funds_in is not None

    def start(self, wants: Wants) -> None:
        """Begin to read what is wanted, unless that is under way."""
        if self._running is not None or not wants:
            return
        account = self._broker.account_id
        self._running = _Errands(
            orders=asyncio.create_task(self._orders(wants), name=f"open orders of {account}"),
            funds=asyncio.create_task(self._funds(wants), name=f"funds of {account}"),
            funds_in=wants.funds_in,
        )
        for errand in self._running.tasks:
            errand.add_done_callback(self._tell_failure)

    async def take(self) -> Provided:
        """Return what has come, after a moment's patience."""
        if self._running is None:
            return Provided()
        errands = self._running
        _, late = await asyncio.wait(errands.tasks, timeout=PATIENCE_S)
        if errands.orders in late:
            self._looked_at += RETRY_S - LOOK_EVERY_S
        return Provided(
            orders=_brought(errands.orders), funds=_brought(errands.funds), funds_in=errands.funds_in
        )

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
        is_fresh = now - self._looked_at < LOOK_EVERY_S and not (self._spared and wants.before_cut)
        if not wants.orders or is_fresh:
            return ()
        self._looked_at, self._spared = now, False
        orders = await look_at_orders(self._broker)
        if orders is None:
            self._looked_at += RETRY_S - LOOK_EVERY_S
            return None
        due = in_turn(orders, before_cut=wants.before_cut)
        self._spared = len(due) < len(orders)
        return due

    async def _funds(self, wants: Wants) -> Decimal | None:
        return None if wants.funds_in is None else await self._top_up.funds(wants.funds_in)

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
    funds_in: str | None

    @property
    def tasks(self) -> tuple[asyncio.Task[Any], ...]:
        return self.orders, self.funds


def _brought(errand: asyncio.Task[T]) -> T | None:
    """Return what an errand has brought by now; `None`: nothing."""
    return errand.result() if errand.done() and errand.exception() is None else None
