"""The frozen rows that go into the journal and the history, and come out again.

Money is `Decimal`, times are aware, everything named by a venue or another package is `str`. `None` is "not
known" or "does not apply"; it is never zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

EVERY_ACCOUNT = "*"
"""The account of an operator order that covers all of them."""

NO_EPISODE = 0
"""The episode and step of an intent that belongs to no episode (a cancel at CRITICAL)."""


class Record:
    """What all rows hold to: finite numbers and aware times."""

    __slots__: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse NaN, infinities and naive times."""
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, Decimal) and not value.is_finite():
                raise ValueError(f"{type(self).__name__}.{name} must be finite, not {value}")
            if isinstance(value, datetime) and value.tzinfo is None:
                raise ValueError(f"{type(self).__name__}.{name} must be an aware time")

    def values(self) -> dict[str, Any]:
        """Return the fields by name, as tables take them."""
        return {name: getattr(self, name) for name in self.__slots__}


# --- the journal ------------------------------------------------------------------------------------------


class IntentKind(StrEnum):
    """What an intent does to the account."""

    REDUCE = "reduce"
    FLATTEN = "flatten"
    CANCEL = "cancel"
    TRANSFER = "transfer"


class IntentState(StrEnum):
    """Where an intent stands; the legal moves are in `database.intents`."""

    PLANNED = "planned"  # committed; proof that nothing left yet, if SENT is committed before sending
    SENT = "sent"  # may have left
    UNKNOWN = "unknown"  # left, no verdict
    NOT_FOUND = "not_found"  # the venue did not know it when asked; no proof before its deadline
    ACCEPTED = "accepted"  # the venue has it
    FILLED = "filled"  # final
    CANCELLED = "cancelled"  # final; `filled` may be above zero
    REJECTED = "rejected"  # final: the venue proved that it refused
    ABSENT = "absent"  # final: unknown to the venue after its deadline, position unchanged
    ABANDONED = "abandoned"  # final: never sent

    @property
    def is_final(self) -> bool:
        """Nothing more is expected of it."""
        return self in FINAL_STATES


FINAL_STATES = frozenset(
    {
        IntentState.FILLED,
        IntentState.CANCELLED,
        IntentState.REJECTED,
        IntentState.ABSENT,
        IntentState.ABANDONED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent(Record):
    """One write to a venue, journaled before it is sent; also the row of the history's orders.

    `intent_id` is the client order id. `side` is the position's side and `margin_mode` the position's;
    both are empty for a cancel or a transfer that has no position (`symbol` is then the symbol, currency or
    order id it concerns). `quantity`, `quantity_before` (the position when planned) and `filled` are in the
    venue's order unit, for a transfer in its currency. `deadline` is the venue time after which the venue
    must not accept it. `slippage` is what the fill cost against the mark when planned, in settle currency;
    the fee is apart.
    """

    intent_id: str
    account: str
    symbol: str
    side: str
    margin_mode: str
    episode: int
    step: int
    attempt: int
    kind: IntentKind
    reason: str
    created_at: datetime
    quantity: Decimal | None = None
    quantity_before: Decimal | None = None
    limit_price: Decimal | None = None
    deadline: datetime | None = None
    plan_id: str | None = None
    state: IntentState = IntentState.PLANNED
    venue_order_id: str | None = None
    filled: Decimal | None = None
    average_price: Decimal | None = None
    fee: Decimal | None = None
    slippage: Decimal | None = None
    code: str | None = None
    message: str | None = None
    sent_at: datetime | None = None
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode(Record):
    """One excursion of an account, from the trigger to the target; numbered from 1 per account."""

    account: str
    number: int
    opened_at: datetime
    trigger: str
    peak_level: str
    steps: int = 0
    closed_at: datetime | None = None
    outcome: str | None = None


class PlanState(StrEnum):
    """What became of a plan."""

    PROPOSED = "proposed"  # waits for an operator
    APPROVED = "approved"
    REFUSED = "refused"  # by the guard or an operator
    EXECUTED = "executed"
    EXPIRED = "expired"  # the picture, or time, has gone on without it


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Record):
    """One decision with what it was made from; `snapshot` and `plan` are JSON, for people and replay."""

    plan_id: str
    account: str
    decided_at: datetime
    decision: str
    reason: str
    mode: str
    config_hash: str
    state: PlanState
    episode: int | None = None
    step: int | None = None
    snapshot: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    settled_at: datetime | None = None
    settled_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Latch(Record):
    """Something that stays on until the venue proves it done, over any restart (`flatten`)."""

    account: str
    name: str
    set_at: datetime
    reason: str
    cleared_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmState(Record):
    """The alarm of one account as text; only the daemon reads what is in it."""

    account: str
    state: str
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowState(Record):
    """What an account that is only watched is followed for, as text; only the daemon reads what is in it."""

    account: str
    state: str
    updated_at: datetime


class TransferState(StrEnum):
    """Where a top-up stands."""

    PLANNED = "planned"
    SENT = "sent"
    UNKNOWN = "unknown"  # no verdict: counts as moved until proved otherwise
    COMPLETED = "completed"  # final
    REJECTED = "rejected"  # final
    ABSENT = "absent"  # final: the venue never had it

    @property
    def is_final(self) -> bool:
        """Nothing more is expected of it."""
        return self in {TransferState.COMPLETED, TransferState.REJECTED, TransferState.ABSENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(Record):
    """One movement of `amount` of `currency` from the funding wallet into the margin account."""

    client_id: str
    account: str
    currency: str
    amount: Decimal
    created_at: datetime
    state: TransferState = TransferState.PLANNED
    episode: int | None = None
    step: int | None = None
    transfer_id: str | None = None
    code: str | None = None
    message: str | None = None
    settled_at: datetime | None = None


class OperatorOrderKind(StrEnum):
    """What an operator overrides."""

    MODE = "mode"
    HALT = "halt"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorOrder(Record):
    """A mode or halt that an operator imposed on one account or on `EVERY_ACCOUNT`, until `expires_at`."""

    account: str
    kind: OperatorOrderKind
    mode: str
    set_at: datetime
    actor: str
    reason: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Install(Record):
    """The installation: made once with the journal and part of every client order id."""

    install_id: str
    created_at: datetime
    schema_version: int


# --- the history ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginSample(Record):
    """The margin of one risk unit at one moment; amounts in `currency`, ratios as fractions of 1.

    `debit_balance` is what is owed (>= 0), `equity_balance` the margin equity, `market_value` the gross
    notional of the positions, `margin_ratio` equity / market value, `maintenance_excess` equity less
    maintenance margin, `interest_rate` per year, `daily_interest_cost` what the debt costs a day.
    `net_leverage` is that of longs less shorts, `underlying_leverage` that of the coin most is held of.
    """

    time: datetime
    account: str
    broker: str
    product: str
    unit: str
    currency: str
    level: str
    debit_balance: Decimal | None = None
    equity_balance: Decimal | None = None
    market_value: Decimal | None = None
    margin_ratio: Decimal | None = None
    initial_margin: Decimal | None = None
    maintenance_margin: Decimal | None = None
    available_margin: Decimal | None = None
    maintenance_excess: Decimal | None = None
    margin_utilization: Decimal | None = None
    maintenance_ratio: Decimal | None = None
    effective_leverage: Decimal | None = None
    interest_rate: Decimal | None = None
    daily_interest_cost: Decimal | None = None
    net_leverage: Decimal | None = None
    largest_underlying: str | None = None
    underlying_leverage: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionSample(Record):
    """One position when it changed; a `quantity` of zero says that it is gone."""

    time: datetime
    account: str
    broker: str
    product: str
    unit: str
    symbol: str
    side: str
    margin_mode: str
    quantity: Decimal
    settle: str
    entry_price: Decimal | None = None
    mark_price: Decimal | None = None
    notional: Decimal | None = None
    initial_margin: Decimal | None = None
    maintenance_margin: Decimal | None = None
    unrealized_pnl: Decimal | None = None
    leverage_setting: Decimal | None = None
    liquidation_price: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Record):
    """Something that happened: a transition, decision, refusal or fault. No account: the daemon itself."""

    time: datetime
    kind: str
    message: str
    account: str | None = None
    level: str | None = None
    reason: str | None = None
    episode: int | None = None
    step: int | None = None
    plan_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert(Record):
    """One notification as it was offered to the channels. `status` is the sender's (`firing`, `resolved`)."""

    time: datetime
    kind: str
    severity: str
    status: str
    title: str
    message: str
    account: str | None = None
    episode: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry(Record):
    """One link of the audit chain of one install; `database.audit` makes and verifies the hashes."""

    chain: str
    number: int
    time: datetime
    actor: str
    action: str
    subject: str
    account: str | None
    detail: Mapping[str, Any]
    prev_hash: str
    row_hash: str


HistoryRow = MarginSample | PositionSample | Intent | Event | Alert | AuditEntry


class RowKind(StrEnum):
    """Which table of the history an outbox row goes to."""

    MARGIN = "margin"
    POSITION = "position"
    ORDER = "order"
    EVENT = "event"
    ALERT = "alert"
    AUDIT = "audit"

    @property
    def is_sample(self) -> bool:
        """May be dropped, oldest first, when the history is away for too long; all else never is."""
        return self in {RowKind.MARGIN, RowKind.POSITION}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow(Record):
    """One row on its way to the history; `payload` is the JSON of a `HistoryRow`."""

    sequence: int
    event_id: str
    kind: RowKind
    account: str | None
    at: datetime
    payload: str
