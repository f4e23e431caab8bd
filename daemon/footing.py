"""What a rung of the ladder stands on, and what climbing it came to."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from brokers.models import AccountSnapshot, Symbol
from brokers.order_book import NO_BOOKS, OrderBook
from brokers.orders import OpenOrder
from daemon.risk.assessment import Assessment
from daemon.risk.guard import RefusedPlan
from daemon.risk.policy import Mode
from daemon.risk.proposal import Proposal
from daemon.risk.reason import Reason
from database.records import Intent


@dataclass(frozen=True, slots=True, kw_only=True)
class Climb:
    """What climbing a rung came to. `sent` counts all that left, from orders to repayments.

    `gave_nothing`: the rung is over for this picture, and another one may be due. `held`: nothing was sent,
    and no other rung is due either; a hedge waits for its other side.
    """

    sentence: str
    sent: int = 0
    gave_nothing: bool = False
    intents: tuple[Intent, ...] = ()
    refused: RefusedPlan | None = None
    held: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """What a rung stands on: the confirmed picture, its judgement, and the place in the episode."""

    snapshot: AccountSnapshot
    assessment: Assessment
    orders: tuple[OpenOrder, ...] | None
    episode: int
    step: int
    mode: Mode
    orders_last_minute: int
    funds_in: str | None = None
    """The unit currency for which the funding wallet was looked up."""

    approved: Proposal | None = None
    """What an operator allowed of it; `None`: nothing has to be allowed."""

    books: Mapping[Symbol, OrderBook] = field(default_factory=lambda: NO_BOOKS)
    """Fresh order books, of the symbols whose came in time."""

    transaction: Callable[[], AbstractContextManager[None]]
    """Opens a transaction that takes the cycle's other rows (alarm, transitions, samples) along."""
