"""Orders, transfers and repayments as values: what rests, what margind may send, what became of it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NewType

from brokers.models import MarginMode, OrderSide, Position, Symbol

ClientOrderId = NewType("ClientOrderId", str)
"""32 lowercase hex digits: valid as an own order id on every venue."""

CLIENT_ORDER_ID_LENGTH = 32


class OrderBook(StrEnum):
    """Where an open order rests; venues cancel each by another call."""

    ACTIVE = "active"
    TRIGGER = "trigger"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """An order that rests at the venue.

    `quantity` is what is left of it; `None` for "close the position", and where the venue does not say.

    `kind` is the venue's own word for its type or algo book, needed to cancel it.
    """

    order_id: str
    client_order_id: str | None
    symbol: Symbol
    side: OrderSide
    quantity: Decimal | None
    price: Decimal | None
    reduce_only: bool
    book: OrderBook
    kind: str

    @property
    def is_protective(self) -> bool:
        """A stop or take-profit that can only reduce: it is the owner's protection and stays."""
        return self.book is OrderBook.TRIGGER and self.reduce_only


@dataclass(frozen=True, slots=True, kw_only=True)
class ReduceOrder:
    """The only order margind can build: it closes part or all of one position and can do nothing else.

    `quantity` in the venue's order unit; `limit_price` `None` means market. The venue must not accept it
    after `deadline` (venue time), so that absence after it is proof.
    """

    position: Position
    quantity: Decimal
    client_order_id: ClientOrderId
    deadline: datetime
    limit_price: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse more than the position, one that is only watched, a foreign id and a naive time."""
        if not self.position.reducible:
            raise ValueError(f"{self.position.symbol}: no order can only reduce it")
        if not 0 < self.quantity <= self.position.quantity:
            raise ValueError(
                f"{self.position.symbol}: cannot reduce {self.position.quantity} by {self.quantity}",
            )
        if len(self.client_order_id) != CLIENT_ORDER_ID_LENGTH or set(self.client_order_id) - set(
            "0123456789abcdef"
        ):
            raise ValueError(f"client order id must be 32 hex digits, not {self.client_order_id!r}")
        if self.deadline.tzinfo is None:
            raise ValueError("order deadline must be aware")

    @property
    def symbol(self) -> Symbol:
        """The instrument."""
        return self.position.symbol

    @property
    def side(self) -> OrderSide:
        """Always against the position."""
        return self.position.closing_side


@dataclass(frozen=True, slots=True, kw_only=True)
class SentOrder:
    """What is known of an order that was sent: enough to recognise it where the venue keeps no id of ours.

    `margin_mode` is the position's. Times are the venue's. `order_id` is the venue's own, once it was told.
    """

    client_order_id: ClientOrderId
    symbol: Symbol
    side: OrderSide
    quantity: Decimal
    limit_price: Decimal | None
    margin_mode: MarginMode
    sent_at: datetime
    deadline: datetime
    order_id: str | None = None


class Verdict(StrEnum):
    """What a venue's answer to a write proves."""

    ACCEPTED = "accepted"  # the venue holds it, and echoed what we sent
    EXISTS = "exists"  # the venue already holds this client id: look it up and adopt it
    REJECTED = "rejected"  # a reviewed code proves that it did nothing
    UNKNOWN = "unknown"  # everything else


class OrderState(StrEnum):
    """Where an order stands at the venue."""

    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"  # incl. expired and IOC remainder; `filled` may be above zero
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """What the venue says of one order. `state` is `None` when an answer only acknowledges or rejects it.

    `filled` in the venue's order unit, `average_price` in quote; `None` where the answer does not say.
    `code` and `message` are the venue's own, on a rejection.
    """

    client_order_id: ClientOrderId
    symbol: Symbol
    verdict: Verdict
    state: OrderState | None = None
    order_id: str | None = None
    filled: Decimal | None = None
    average_price: Decimal | None = None
    fee: Decimal | None = None
    code: str | None = None
    message: str | None = None

    @property
    def is_final(self) -> bool:
        """Nothing more can happen to it."""
        return self.state in {OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelReport:
    """What became of one cancellation; REJECTED with a benign code means it was gone already."""

    order_id: str
    symbol: Symbol
    verdict: Verdict
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferReport:
    """What the venue says of a transfer from the funding wallet; `amount` in `currency`."""

    client_id: str
    currency: str
    amount: Decimal
    verdict: Verdict
    transfer_id: str | None = None
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repayment:
    """Debt to be given back out of the same currency's free balance; nothing is sold for it.

    `unit` is the key of the risk unit that owes it, `amount` in `currency`, principal and interest alike.
    `client_id` is for our journal: venues take none, so a repayment is never sent twice.
    """

    unit: str
    currency: str
    amount: Decimal
    client_id: str

    def __post_init__(self) -> None:
        """Refuse to give back nothing."""
        if self.amount <= 0:
            raise ValueError(f"{self.currency}: cannot repay {self.amount}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RepaymentReport:
    """What the venue says of a repayment; the debt, read again, says what it did.

    ACCEPTED: the venue has taken it, done or still at it. `repaid` in the debt's currency, `None` where the
    answer does not say.
    """

    repayment: Repayment
    verdict: Verdict
    repaid: Decimal | None = None
    code: str | None = None
    message: str | None = None
