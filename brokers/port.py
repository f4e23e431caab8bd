"""The port: what the daemon may ask of one account at one venue."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from brokers.models import (
    BOTH_MEASURES,
    AccountId,
    AccountSnapshot,
    ClockOffset,
    KeyPermissions,
    Measure,
    Symbol,
)
from brokers.no_return import PointOfNoReturn
from brokers.order_book import LEVELS, OrderBook
from brokers.orders import (
    CancelReport,
    ClientOrderId,
    OpenOrder,
    OrderReport,
    ReduceOrder,
    Repayment,
    RepaymentReport,
    SentOrder,
    TransferReport,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a broker and product can do; the daemon plans within it and the docs print it.

    `order_time_to_live` is how long after sending the venue may still accept an order.
    `ids_unique_for_ever`: a client id that was ever used is refused; otherwise only while its order is open.
    `set_leverage`: a leverage setting can be made without changing what backs a position.
    `repay`: there is a call that gives back debt out of its own currency's free balance and sells nothing.
    `limit_orders`: a reducing order may carry a price; where not, everything goes to market.
    `pace` is how often a picture can be read for ever, where the venue's limits allow that less often than
    once a poll interval; `protective_pace` is the same for protective reads.
    `measures` are the ones by which its units are judged. `points` are the points of no return: the policy
    keeps its thresholds below them.
    `position_bound`: orders go by a call that only closes positions, in place of a reduce-only flag.
    `lookup_by_id`: an order is found by its client id; where not, by what it was.
    `deadline` names what carries an order's deadline, where that is neither signature window nor nonce.
    `timer`: the venue can be told to cancel all orders of the account unless it is told again in time.
    """

    order_time_to_live: timedelta
    ids_unique_for_ever: bool
    reduce_only: bool
    transfer_in: bool
    key_permissions: bool
    set_leverage: bool = True
    repay: bool = False
    limit_orders: bool = True
    pace: timedelta = timedelta(0)
    protective_pace: timedelta = timedelta(0)
    measures: frozenset[Measure] = BOTH_MEASURES
    points: tuple[PointOfNoReturn, ...] = ()
    position_bound: bool = False
    lookup_by_id: bool = True
    deadline: str | None = None
    timer: bool = False


class Broker(Protocol):
    """One margin account at one venue; raises only `BrokerError`s.

    Reads may be repeated. Writes may not: after an UNKNOWN verdict the venue may already hold the order, so
    look it up by its client id. Writes never raise for an unknown outcome, they report it.
    """

    @property
    def account_id(self) -> AccountId:
        """The operator's name for the account."""

    @property
    def capabilities(self) -> Capabilities:
        """What this broker and product can do."""

    async def connect(self) -> None:
        """Measure the clock, then load market rules and the account's mode; repeatable after a failure."""

    async def fetch_snapshot(self, *, protective: bool = False) -> AccountSnapshot:
        """Read balances, positions and mode as one picture.

        `protective` reads go by the emergency connection and may use the reserved share of the budget.
        """

    async def fetch_open_orders(self) -> tuple[OpenOrder, ...]:
        """Read every resting order of every settle currency, product and trigger or algo book."""

    async def fetch_order_book(self, symbol: Symbol, *, levels: int = LEVELS) -> OrderBook:
        """Read the best `levels` of both sides of an order book, or as many as the venue tells.

        Nothing depends on it: asked once, never before its turn, and a host without books is left alone.
        """

    async def cancel_orders(self, orders: Sequence[OpenOrder]) -> tuple[CancelReport, ...]:
        """Cancel exactly `orders`, whatever book each rests in; one report per order, in that order."""

    async def submit(self, order: ReduceOrder) -> OrderReport:
        """Send one reducing order, once."""

    async def find_order(self, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport | None:
        """Look an order up by its client id; `None` when the venue says it does not know it.

        A report's verdict is ACCEPTED whenever the venue has the order; `state` says what became of it,
        REJECTED included. Any other verdict is an answer that proves nothing.
        """

    def recall(self, order: SentOrder) -> None:
        """Tell of an order that an earlier process may have sent, before it is looked up; asks nobody."""

    async def set_leverage(self, symbol: Symbol, leverage: Decimal) -> None:
        """Set the venue's leverage setting; "not modified" is success.

        Raises `NotSupported` without the capability `set_leverage`.
        """

    async def fetch_funding_balance(self, currency: str) -> Decimal:
        """Return what the funding wallet could give, in `currency`; zero only if the venue says so."""

    async def transfer_in(self, currency: str, amount: Decimal, client_id: str) -> TransferReport:
        """Move collateral from the funding wallet into the margin account, once."""

    async def find_transfer(
        self, client_id: str, currency: str, amount: Decimal, since: datetime
    ) -> TransferReport | None:
        """Look a transfer up, by id where the venue has one, else by amount and time; `None`: not known."""

    async def repay(self, repayment: Repayment) -> RepaymentReport:
        """Give back debt, once, out of what the account has free of that currency; never sells for it.

        An unknown outcome needs no lookup: a later snapshot shows the debt. Raises
        `NotSupported` without the capability `repay`.
        """

    async def arm_timer(self, after: timedelta) -> None:
        """Have the venue cancel every order of the account, protective stops too, unless asked again in time.

        Whole seconds; zero disarms. Asking again is harmless, and positions are never touched. Raises
        `NotSupported` without the capability `timer`.
        """

    async def fetch_permissions(self, *, emergency: bool = False) -> KeyPermissions:
        """Read what the API key may do; `emergency`: the key of what protects, where the account has one."""

    async def measure_clock(self) -> ClockOffset:
        """Measure the venue's clock against ours, and sign by it from now on."""

    def venue_now(self) -> datetime:
        """The venue's time, by the last measurement."""

    async def aclose(self) -> None:
        """Close every connection."""
