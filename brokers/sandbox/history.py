"""The venue's journal: what it received and what it did, in order, never changed."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

from brokers.models import MarginMode, Side
from brokers.sandbox.orders import CancelReason, Fill, Order, OrderSpec, Refusal


class Wallet(StrEnum):
    """Where money of an account lies."""

    TRADING = "trading"
    FUNDING = "funding"


class LedgerKind(StrEnum):
    """Why a trading wallet changed. Per currency: balance = opening balance + the sum over all kinds."""

    REALIZED_PNL = "realized_pnl"
    FEE = "fee"
    FUNDING = "funding"
    LIQUIDATION_FEE = "liquidation_fee"
    TRANSFER = "transfer"
    CONVERSION = "conversion"  # collateral sold, or bought, to repay debt
    REPAYMENT = "repayment"  # principal and interest given back
    LOAN = "loan"  # principal lent
    INTEREST = "interest"  # taken out of an isolated margin
    INSURANCE = "insurance"  # a loss beyond the pool, borne by the venue


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something happened to an account. `sequence` counts from 1 over the whole venue."""

    sequence: int
    ms: int
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced(Event):
    """An order was accepted; `order` as it was then, before any fill."""

    order: Order


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefused(Event):
    """An order was refused."""

    spec: OrderSpec
    reason: Refusal
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTriggered(Event):
    """A stop order's trigger was reached."""

    order: Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled(Event):
    """A position changed by a trade; `actor` says whose hand it was."""

    fill: Fill
    actor: "Actor"


class Actor(StrEnum):
    """Whose hand traded."""

    API = "api"
    EXTERNAL = "external"  # somebody else with access to the account
    LIQUIDATION = "liquidation"
    DELEVERAGING = "deleveraging"  # the venue closed a winning position against a bankrupt one


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled(Event):
    """An order ended unfilled or partly filled."""

    order: Order
    reason: CancelReason


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRefused(Event):
    """A cancellation found nothing to cancel."""

    order_id: str | None
    client_id: str | None
    reason: Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidationStarted(Event):
    """A pool reached its liquidation rule. Amounts in the pool's currency."""

    pool: str
    equity: Decimal
    maintenance: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidationEnded(Event):
    """The venue is done with a pool.

    `realized_pnl` and `fees` are those of the parts it closed, `insurance` is what it bore itself because
    the pool could not.
    """

    pool: str
    realized_pnl: Decimal
    fees: Decimal
    insurance: Decimal

    @property
    def loss(self) -> Decimal:
        """What the liquidation cost the account."""
        return self.fees - self.realized_pnl - self.insurance


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingPaid(Event):
    """Funding was exchanged; `amount` > 0 was received, in `currency`."""

    symbol: str
    position_side: Side | None
    amount: Decimal
    currency: str
    rate: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class InterestAccrued(Event):
    """A debt grew by `amount`."""

    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred(Event):
    """Money moved between an account's own wallets."""

    transfer_id: str
    client_id: str | None
    currency: str
    amount: Decimal
    source: Wallet
    target: Wallet


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRefused(Event):
    """A transfer was refused."""

    client_id: str | None
    currency: str
    amount: Decimal
    reason: Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaid(Event):
    """Debt was given back by request, out of the currency's own balance; `amount` may be less than asked."""

    currency: str
    asked: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class RepaymentRefused(Event):
    """A request to give debt back was refused."""

    currency: str
    asked: Decimal
    reason: Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverageSet(Event):
    """The leverage setting of a symbol (and leg) changed."""

    symbol: str
    leverage: Decimal
    margin_mode: MarginMode
    position_side: Side | None


E = TypeVar("E", bound=Event)


class Journal:
    """The append-only list of events; it numbers and dates them."""

    __slots__ = ("_clock", "_events")

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._events: list[Event] = []

    def add(self, kind: type[E], account: str, **what: Any) -> E:  # noqa: ANN401 - fields of whichever event
        """Append one event and return it."""
        event = kind(sequence=len(self._events) + 1, ms=self._clock(), account=account, **what)
        self._events.append(event)
        return event

    def since(self, sequence: int) -> tuple[Event, ...]:
        """Return the events after number `sequence`; 0 is all of them."""
        return tuple(self._events[sequence:])
