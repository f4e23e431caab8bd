"""Orders at the sandbox venue: what is asked, what became of it, and why it was refused."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from brokers.models import MarginMode, OrderSide, Side
from brokers.numbers import ZERO


class OrderType(StrEnum):
    """How the price is found."""

    MARKET = "market"  # immediate, at whatever the book gives; what the book cannot fill is cancelled
    LIMIT = "limit"


class TimeInForce(StrEnum):
    """How long a limit order lives."""

    GTC = "gtc"
    IOC = "ioc"
    POST_ONLY = "post_only"  # cancelled, not filled, if it would take


class TriggerKind(StrEnum):
    """The price a trigger watches."""

    MARK = "mark"
    LAST = "last"
    INDEX = "index"


class TriggerDirection(StrEnum):
    """From which side the trigger price is reached."""

    RISES = "rises"  # price >= trigger
    FALLS = "falls"  # price <= trigger


class OrderStatus(StrEnum):
    """Where an order stands."""

    UNTRIGGERED = "untriggered"
    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"  # `filled` may be above zero

    @property
    def is_final(self) -> bool:
        """Nothing more can happen to it."""
        return self in {OrderStatus.FILLED, OrderStatus.CANCELLED}


class CancelReason(StrEnum):
    """Why an order ended before it was filled."""

    BY_USER = "by_user"
    IOC_REMAINDER = "ioc_remainder"
    NO_LIQUIDITY = "no_liquidity"  # a market order beyond the end of the book
    WOULD_TAKE = "would_take"  # a post-only order that crosses
    POSITION_GONE = "position_gone"  # a reduce-only order with nothing left to reduce
    LIQUIDATION = "liquidation"
    TIMER = "timer"  # the account's dead-man timer ran out
    TRIGGER_REFUSED = "trigger_refused"  # triggered, then failed the checks of a new order


class Refusal(StrEnum):
    """Why the venue refused a request."""

    UNKNOWN_SYMBOL = "unknown_symbol"
    UNKNOWN_ACCOUNT = "unknown_account"
    UNKNOWN_CURRENCY = "unknown_currency"
    DUPLICATE_CLIENT_ID = "duplicate_client_id"
    EXPIRED = "expired"  # its deadline has passed
    QUANTITY = "quantity"  # absent, zero or negative
    LOT = "lot"  # not on the lot step
    TICK = "tick"  # not on the price step
    MIN_QUANTITY = "min_quantity"
    MIN_NOTIONAL = "min_notional"
    MAX_QUANTITY = "max_quantity"
    PRICE = "price"  # absent or not positive
    PRICE_BAND = "price_band"
    TRIGGER = "trigger"  # trigger price absent or not positive
    WOULD_TRIGGER = "would_trigger"  # the trigger price is reached already
    NO_POSITION = "no_position"  # reduce-only, and nothing to reduce
    REDUCE_ONLY_WRONG_SIDE = "reduce_only_wrong_side"  # it would increase the position
    REDUCE_ONLY_TOO_LARGE = "reduce_only_too_large"
    WRONG_POSITION_SIDE = "wrong_position_side"  # a leg in one-way mode, none in hedge mode
    MARGIN_MODE = "margin_mode"  # the account has no such margin mode
    MARGIN_MODE_BUSY = "margin_mode_busy"  # open orders or positions forbid the change
    NOT_MODIFIED = "not_modified"
    INSUFFICIENT_MARGIN = "insufficient_margin"
    IN_LIQUIDATION = "in_liquidation"
    TOO_MANY_ORDERS = "too_many_orders"
    HALTED = "halted"  # the venue does not trade the symbol now
    LEVERAGE = "leverage"  # out of range or not on the step
    LEVERAGE_TIER = "leverage_tier"  # too high for the size of the position
    LEVERAGE_LOCKED = "leverage_locked"  # may not be lowered on an isolated position
    ORDER_NOT_FOUND = "order_not_found"
    ORDER_CLOSED = "order_closed"  # filled or cancelled already
    AMOUNT = "amount"  # of a transfer or repayment: zero or negative
    INSUFFICIENT_BALANCE = "insufficient_balance"
    TRANSFER_BLOCKED = "transfer_blocked"
    DUPLICATE_TRANSFER = "duplicate_transfer"
    REPAY_BLOCKED = "repay_blocked"
    NO_DEBT = "no_debt"
    REPAY_TOO_MUCH = "repay_too_much"  # more than is owed


class Rejection(Exception):
    """The venue refused a request and did nothing; `reason` says why, `detail` in words."""

    def __init__(self, reason: Refusal, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """When a stop order goes live. `direction` `None`: the side on which the price is not yet."""

    price: Decimal
    kind: TriggerKind = TriggerKind.MARK
    direction: TriggerDirection | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSpec:
    """What a client asks for.

    `quantity` is in engine units, > 0; `None` only with `close_position`, which means all that is there
    when the order executes. `position_side` names the leg in hedge mode and is `None` in one-way mode.
    `margin_mode` `None` is the symbol's setting. The venue refuses the order when its clock is past
    `deadline_ms`. On spot margin `borrows` says that the venue may lend what the order lacks, `repays` that
    what it brings gives debt back.
    """

    symbol: str
    side: OrderSide
    quantity: Decimal | None
    type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.GTC
    price: Decimal | None = None
    client_id: str | None = None
    reduce_only: bool = False
    position_side: Side | None = None
    margin_mode: MarginMode | None = None
    trigger: Trigger | None = None
    close_position: bool = False
    deadline_ms: int | None = None
    borrows: bool = True
    repays: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as the venue holds it, at one moment.

    `quantity` is what was accepted (a reduce-only order may have been clipped), `filled` and
    `average_price` what was executed; `average_price` is `None` before the first fill. `margin_mode` and
    `reduce_only` are as resolved: an order against its leg in hedge mode is reduce-only. `fee` and
    `realized_pnl` are sums over its fills, in settle.
    """

    order_id: str
    account: str
    spec: OrderSpec
    status: OrderStatus
    quantity: Decimal
    margin_mode: MarginMode
    reduce_only: bool
    created_ms: int
    updated_ms: int
    filled: Decimal = ZERO
    average_price: Decimal | None = None
    fee: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    triggered: bool = False
    cancel_reason: CancelReason | None = None

    @property
    def symbol(self) -> str:
        """The instrument's name."""
        return self.spec.symbol

    @property
    def side(self) -> OrderSide:
        """Buy or sell."""
        return self.spec.side

    @property
    def key(self) -> tuple[str, Side | None, MarginMode]:
        """The position it would change: symbol, leg and margin mode."""
        return (self.spec.symbol, self.spec.position_side, self.margin_mode)

    @property
    def client_id(self) -> str | None:
        """The client's own id."""
        return self.spec.client_id

    @property
    def remaining(self) -> Decimal:
        """What is neither filled nor cancelled yet."""
        return ZERO if self.status.is_final else self.quantity - self.filled

    @property
    def is_open(self) -> bool:
        """Whether it rests, or waits for its trigger."""
        return not self.status.is_final


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution. `fee` > 0 is paid, in settle; `realized_pnl` in settle, before the fee."""

    fill_id: str
    order_id: str | None  # None: the venue's own or another's hand on the account
    client_id: str | None
    account: str
    symbol: str
    side: OrderSide
    quantity: Decimal
    price: Decimal
    fee: Decimal
    realized_pnl: Decimal
    maker: bool
    reduce_only: bool
    position_side: Side | None
    ms: int
