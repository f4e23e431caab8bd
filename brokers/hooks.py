"""What a venue overrides to become a broker, and the values that pass between that and what all share."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import ClassVar, Generic, Protocol, TypeVar

from brokers.answers import Reply
from brokers.book_calls import BookCalls
from brokers.errors import NotSupported
from brokers.models import (
    AccountId,
    AccountMode,
    AccountSnapshot,
    KeyPermissions,
    MarginTier,
    MarketRules,
    OrderSide,
    Symbol,
)
from brokers.orders import (
    ClientOrderId,
    OpenOrder,
    OrderReport,
    OrderState,
    ReduceOrder,
    Repayment,
    TransferReport,
    Verdict,
)
from brokers.outcomes import OutcomeTable
from brokers.port import Capabilities
from brokers.profile import NO_PARAMS, Json, Request, VenueProfile

Raw = TypeVar("Raw")
"""A venue's own frozen dataclass of the raw payloads that make one snapshot."""


class Read(Protocol):
    """A read bound to one operation's deadline and door; a later call gets what is left of the deadline."""

    def __call__(
        self, call: str, params: Mapping[str, object] = NO_PARAMS, *, cost: float = 1
    ) -> Awaitable[Json]:
        """Return the parsed JSON payload, or raise a `BrokerError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotContext:
    """What a pure snapshot parser may use besides the raw payloads.

    `now` is the venue's time when the last byte arrived; it becomes `AccountSnapshot.fetched_at`.
    """

    account_id: AccountId
    broker: str
    product: str
    now: datetime
    mode: AccountMode
    markets: Mapping[Symbol, MarketRules]
    tiers: Mapping[Symbol, tuple[MarginTier, ...]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """What a venue's answer to an order says; `None` where that venue echoes nothing.

    Without `order_id` the outcome is unknown, whatever the status; so it is when an echoed field differs
    from what was sent.
    """

    order_id: str | None
    client_order_id: str | None = None
    symbol: str | None = None
    side: OrderSide | None = None
    quantity: Decimal | None = None
    state: OrderState | None = None
    filled: Decimal | None = None
    average_price: Decimal | None = None
    fee: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelBatch:
    """One cancelling request and the orders it covers, in the request's own order."""

    request: Request
    orders: tuple[OpenOrder, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """What a batch answer says of one order: `code` `None` is success."""

    order_id: str | None
    code: str | None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a successful answer to a repayment says: taken or failed, and how much of the currency it took."""

    verdict: Verdict = Verdict.ACCEPTED
    repaid: Decimal | None = None
    message: str | None = None


class VenueHooks(ABC, Generic[Raw]):
    """What differs between venues.

    A venue sets the class attributes and overrides the hooks: `load_*` and `look_up_*` talk to the venue
    through `read`; `*_request` and `cancel_batches` are pure and build parameters; `parse_*` are pure and
    read payloads, raising `MalformedAnswer`, `NumberError`, `KeyError`, `IndexError` or `TypeError` on a
    foreign one.
    """

    profile: ClassVar[VenueProfile]
    outcomes: ClassVar[OutcomeTable]
    capabilities: ClassVar[Capabilities]
    mode_every: ClassVar[int] = 30
    """The account's mode is read again every so many snapshots (and by `connect`)."""
    has_markets: ClassVar[bool] = True
    """Whether there is anything to hold a position in; a list of none of it is then no list."""
    book_calls: ClassVar[BookCalls | None] = None
    """How order books are read; `None`: there are none to read."""

    # ------------------------------------------------------------------ reading

    @abstractmethod
    async def load_markets(self, read: Read) -> Mapping[Symbol, MarketRules]:
        """Read every page of the raw instrument lists. Shared by accounts of one venue and endpoint."""

    @abstractmethod
    async def load_mode(self, read: Read) -> AccountMode:
        """Read how the venue margins the account."""

    async def load_tiers(
        self, read: Read, symbols: Sequence[Symbol]
    ) -> Mapping[Symbol, tuple[MarginTier, ...]]:
        """Read maintenance brackets of `symbols`; optional, a failure is a note and no more."""
        del read, symbols
        return {}

    async def load_borrow_rates(self, read: Read) -> Mapping[str, Decimal]:
        """Read the APR of borrowing each currency, a fraction; a currency without a stated rate is left out.

        Asked only of an account in debt, at most once an hour, and never waited for: it goes into the
        history. By default a venue states none.
        """
        del read
        return {}

    @abstractmethod
    async def gather(self, read: Read) -> Raw:
        """Read all raw payloads of one snapshot, concurrently (`asyncio.gather`), every page of each."""

    @abstractmethod
    def parse_snapshot(self, raw: Raw, context: SnapshotContext) -> AccountSnapshot:
        """Pure: one snapshot from the raw payloads.

        A missing or damaged figure becomes a finding (`brokers.fields.Fields`); a structurally foreign
        payload raises. `as_of` is the oldest of the venue's own timestamps in the payloads.
        """

    @abstractmethod
    async def load_open_orders(self, read: Read) -> tuple[OpenOrder, ...]:
        """Read every page of every order book of the account."""

    @abstractmethod
    async def load_permissions(self, read: Read) -> KeyPermissions:
        """Read what the API key may do."""

    # ------------------------------------------------------------------ writing

    @abstractmethod
    def order_request(self, order: ReduceOrder) -> Request:
        """Pure: the call that sends `order`."""

    @abstractmethod
    def parse_ack(self, order: ReduceOrder, payload: Json) -> Ack:
        """Pure: what a successful answer to `order` says."""

    @abstractmethod
    async def look_up_order(
        self, read: Read, client_order_id: ClientOrderId, symbol: Symbol
    ) -> OrderReport | None:
        """Find an order by client id; `None` only on the venue's documented not-found answer."""

    @abstractmethod
    def cancel_batches(self, orders: Sequence[OpenOrder]) -> Sequence[CancelBatch]:
        """Pure: the calls that cancel exactly `orders`, within the venue's batch sizes."""

    def parse_cancel(self, batch: CancelBatch, reply: Reply) -> Sequence[RowResult] | None:
        """Pure: what a JSON answer says per order; `None`: nothing, the answer as a whole speaks.

        Called whenever there is a payload, also with a failure. By default the answer speaks for all orders
        of the batch, which is right for calls that cancel a single one.
        """
        if reply.failure is not None:
            return None
        return [RowResult(order_id=order.order_id, code=None) for order in batch.orders]

    @abstractmethod
    def leverage_requests(self, symbol: Symbol, leverage: Decimal) -> Sequence[Request]:
        """Pure: the calls that set the leverage setting of `symbol`."""

    async def look_up_funding(self, read: Read, currency: str) -> Decimal:
        """What the funding wallet could give; raises `NotSupported` without `transfer_in`."""
        del read
        raise NotSupported(f"{self.profile.venue}: no funding wallet for {currency}")

    def transfer_request(self, currency: str, amount: Decimal, client_id: str) -> Request:
        """Pure: the call that moves collateral in."""
        del amount, client_id
        raise NotSupported(f"{self.profile.venue}: no transfers of {currency}")

    def parse_transfer(self, payload: Json) -> str | None:
        """Pure: the venue's transfer id out of a successful answer; `None`: it gave none."""
        del payload
        return None

    async def look_up_transfer(
        self, read: Read, client_id: str, currency: str, amount: Decimal, since: datetime
    ) -> TransferReport | None:
        """Find a transfer; `None` only on a complete answer that does not hold it."""
        del read, client_id, amount, since
        raise NotSupported(f"{self.profile.venue}: no transfers of {currency}")

    async def set_timer(self, read: Read, after: timedelta) -> None:
        """Arm the venue's timer that cancels all orders, or with zero disarm it; repeatable.

        Raises `NotSupported` without `timer`.
        """
        del read, after
        raise NotSupported(f"{self.profile.venue}: no timer cancels orders")

    def repay_request(self, repayment: Repayment) -> Request:
        """Pure: the call that gives back debt and sells nothing for it."""
        raise NotSupported(f"{self.profile.venue}: no call repays {repayment.currency}")

    def parse_receipt(self, repayment: Repayment, payload: Json) -> Receipt:
        """Pure: what a successful answer to a repayment says; by default that it was taken."""
        del repayment, payload
        return Receipt()
