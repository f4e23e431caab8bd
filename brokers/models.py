"""The venue-neutral vocabulary: frozen values, Decimal money, aware time.

A field that a venue left out is `None`. It is never zero, and no default below stands for a missing number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import NewType

AccountId = NewType("AccountId", str)
"""The operator's name for one set of credentials at one broker and product."""

Symbol = NewType("Symbol", str)
"""The venue's own instrument id (`BTCUSDT`, `BTC-USDT-SWAP`)."""


class Side(StrEnum):
    """The side of a position."""

    LONG = "long"
    SHORT = "short"


class OrderSide(StrEnum):
    """The side of an order."""

    BUY = "buy"
    SELL = "sell"


class MarginMode(StrEnum):
    """Which collateral a position can lose."""

    CROSS = "cross"
    ISOLATED = "isolated"
    PORTFOLIO = "portfolio"


class PositionMode(StrEnum):
    """Whether one symbol may hold a long and a short at once."""

    ONE_WAY = "one_way"
    HEDGE = "hedge"


class ContractKind(StrEnum):
    """How quantity and price make a notional."""

    LINEAR = "linear"  # quantity x contract_size is in base; notional = that x price, in settle currency
    INVERSE = "inverse"  # quantity x contract_size is in quote; notional = that / price, in settle currency


class UnitKind(StrEnum):
    """What the venue liquidates as one."""

    ACCOUNT = "account"
    CURRENCY = "currency"
    ISOLATED_POSITION = "isolated_position"
    CASH = "cash"  # nothing: the account owns what it holds and owes nothing


class Measure(StrEnum):
    """The two ways to say how far a unit is from trouble."""

    UTILIZATION = "utilization"  # how much of the initial margin capacity is used
    MAINTENANCE = "maintenance"  # how near the venue's own liquidation is


class FindingCode(StrEnum):
    """Why a snapshot cannot be trusted, or only in part."""

    FIELD_MISSING = "field_missing"  # a figure we need is absent
    FIELD_DAMAGED = "field_damaged"  # present, but no finite number in range
    TOTALS_MISSING = "totals_missing"  # the unit's margin figures are not all there
    INCOMPLETE = "incomplete"  # a page, a settle currency or a product did not answer
    INCONSISTENT = "inconsistent"  # two figures that must agree do not
    MODE_UNKNOWN = "mode_unknown"  # account mode not recognised or not what it was
    SYMBOL_UNKNOWN = "symbol_unknown"  # a position in an instrument without market rules
    PRICE_UNKNOWN = "price_unknown"  # a position without a live mark price; the unit's totals still count it
    TIME_MISSING = "time_missing"  # the answer carries no venue time
    VENUE_ACTING = "venue_acting"  # the venue itself is liquidating or auto-deleveraging


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is missing or odd in a snapshot. Every finding takes away the right to act."""

    code: FindingCode
    detail: str
    unit: str | None = None
    symbol: Symbol | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginTier:
    """One bracket of a tiered maintenance margin: `maintenance = notional x rate - deduction` above `floor`.

    `floor` is in settle currency, `rate` a fraction, `deduction` in settle currency (Binance's `cum`); it
    makes the requirement continuous at each floor.
    """

    floor: Decimal
    rate: Decimal
    deduction: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRules:
    """What an order in one instrument must respect.

    `lot_step`, `min_quantity` and the caps are in the venue's order unit (base coin, or contracts of
    `contract_size`); `price_step` and `min_notional` in quote. A `None` cap: the venue states none.
    `price_band` is how far from mark a limit price may lie, as a fraction; `None`: not known.
    """

    symbol: Symbol
    base: str
    quote: str
    settle: str
    kind: ContractKind
    contract_size: Decimal
    lot_step: Decimal
    min_quantity: Decimal
    price_step: Decimal
    max_market_quantity: Decimal | None = None
    max_limit_quantity: Decimal | None = None
    min_notional: Decimal | None = None
    reduce_only_exempt_from_minimum: bool = False
    price_band: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse steps that no quantity could respect."""
        if min(self.lot_step, self.price_step, self.contract_size) <= 0:
            raise ValueError(f"{self.symbol}: lot step, price step and contract size must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One open position, as the venue liquidates and as an order would close it.

    `quantity` is in the venue's order unit, > 0. `notional` is at mark, in `settle`, >= 0. Margin figures
    are in `settle`. `unit` is the key of the risk unit that answers for it. `reducible`: the venue has an
    order that can only reduce it; one without is watched, and never cut.

    `netting` names what hedges it under other symbols: long and short of one name (and margin mode) stand
    against each other, and a unit of quantity is as much of the same thing in each. `None`: only its symbol.
    """

    symbol: Symbol
    unit: str
    side: Side
    quantity: Decimal
    settle: str
    kind: ContractKind
    margin_mode: MarginMode
    hedged: bool
    entry_price: Decimal | None
    mark_price: Decimal | None
    notional: Decimal | None
    initial_margin: Decimal | None
    maintenance_margin: Decimal | None
    unrealized_pnl: Decimal | None
    leverage_setting: Decimal | None = None
    liquidation_price: Decimal | None = None
    updated_at: datetime | None = None
    netting: str | None = None
    reducible: bool = True

    def __post_init__(self) -> None:
        """Refuse an empty row: a flat position is the absence of one."""
        if self.quantity <= 0:
            raise ValueError(f"{self.symbol}: a position has a positive quantity, not {self.quantity}")

    @property
    def key(self) -> tuple[Symbol, Side, MarginMode]:
        """What identifies the position within its account."""
        return (self.symbol, self.side, self.margin_mode)

    @property
    def hedge(self) -> tuple[str, MarginMode]:
        """What it shares with the positions that it can hedge, and that can hedge it."""
        return (self.netting or self.symbol, self.margin_mode)

    @property
    def closing_side(self) -> OrderSide:
        """The order side that reduces it."""
        return OrderSide.SELL if self.side is Side.LONG else OrderSide.BUY


BOTH_MEASURES = frozenset(Measure)


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskUnit:
    """What the venue liquidates as one: the account, a settle currency, an isolated position.

    All amounts in `currency`. `venue_ratio` is the venue's own distance to forced liquidation, turned so
    that 1 means it liquidates; `venue_utilization` its own share of initial margin used, where it states one.
    `margin_equity` may be zero or negative; `None` is "not stated".

    `measures` are the ones that make sense for the unit: an isolated position has no utilization (its margin
    is all used from the first moment), a currency whose positions are all isolated has no maintenance, a cash
    unit has neither. A measure listed here whose figures are `None` is missing data. `parent` names the unit
    to which margin freed in this one returns.
    """

    key: str
    kind: UnitKind
    currency: str
    margin_equity: Decimal | None
    initial_margin: Decimal | None
    maintenance_margin: Decimal | None
    available_margin: Decimal | None
    wallet_balance: Decimal | None = None
    unrealized_pnl: Decimal | None = None
    venue_ratio: Decimal | None = None
    venue_utilization: Decimal | None = None
    measures: frozenset[Measure] = BOTH_MEASURES
    parent: str | None = None

    def __post_init__(self) -> None:
        """Refuse a cash unit with a measure or a margin: it is no place to lose missing figures in."""
        margins = (self.initial_margin, self.maintenance_margin, self.available_margin, self.venue_ratio)
        if self.kind is UnitKind.CASH and (self.measures or any(figure is not None for figure in margins)):
            raise ValueError(f"{self.key}: a cash unit has no margin and no measure")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collateral:
    """One currency of an account; amounts in that currency, `value` in the venue's account currency.

    `debt` is principal owed (>= 0), `interest` what has accrued on it; `None` where the venue shows none.
    `interest_rate` is per year, as a fraction. `repayable` is how much of debt and interest the account could
    give back now by a call, out of this currency's own free balance; `None`: not known, or no call does it in
    the account's mode. `unit` is the key of the risk unit that owns the row; `None`: the account's, or that
    of the currency.
    """

    currency: str
    wallet_balance: Decimal | None
    equity: Decimal | None
    value: Decimal | None = None
    debt: Decimal | None = None
    interest: Decimal | None = None
    interest_rate: Decimal | None = None
    repayable: Decimal | None = None
    unit: str | None = None

    @property
    def owed(self) -> Decimal | None:
        """Debt and interest; `None` where the venue shows neither."""
        if self.debt is None and self.interest is None:
            return None
        return (self.debt or Decimal(0)) + (self.interest or Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountMode:
    """How the venue margins the account. `label` is the venue's own word, for people."""

    label: str
    margin_mode: MarginMode | None  # None: positions choose for themselves
    position_mode: PositionMode | None  # None: the venue says so per position


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSnapshot:
    """Everything one cycle sees of one account, read inside one deadline.

    `as_of` is the venue's time of the oldest figure in it, `fetched_at` ours when the last byte arrived, by
    the venue's clock (so that `fetched_at - as_of` is an age). `tiers` hold a symbol's maintenance brackets
    where the venue publishes them. A position's market rules may be missing: then it carries a finding.
    """

    account_id: AccountId
    broker: str
    product: str
    as_of: datetime
    fetched_at: datetime
    mode: AccountMode
    units: tuple[RiskUnit, ...]
    positions: tuple[Position, ...]
    collaterals: tuple[Collateral, ...] = ()
    findings: tuple[Finding, ...] = ()
    markets: Mapping[Symbol, MarketRules] = field(default_factory=lambda: MappingProxyType({}))
    tiers: Mapping[Symbol, tuple[MarginTier, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """Refuse a naive time and a position whose unit is not there, or cannot answer for it."""
        if self.as_of.tzinfo is None or self.fetched_at.tzinfo is None:
            raise ValueError("snapshot times must be aware")
        keys = {unit.key for unit in self.units}
        cash = {unit.key for unit in self.units if unit.kind is UnitKind.CASH}
        if len(keys) != len(self.units):
            raise ValueError("two risk units share one key")
        for position in self.positions:
            if position.unit not in keys:
                raise ValueError(f"{position.symbol}: no risk unit {position.unit!r}")
            if position.unit in cash:
                raise ValueError(f"{position.symbol}: a cash unit answers for no position")

    def unit(self, key: str) -> RiskUnit:
        """Return the risk unit named `key`."""
        return next(unit for unit in self.units if unit.key == key)

    def positions_of(self, key: str) -> tuple[Position, ...]:
        """Return the positions that the unit named `key` answers for."""
        return tuple(position for position in self.positions if position.unit == key)

    def positions_under(self, key: str) -> tuple[Position, ...]:
        """Return the positions whose freed margin returns to the unit `key`: its own and its children's."""
        keys = {key} | {unit.key for unit in self.units if unit.parent == key}
        return tuple(position for position in self.positions if position.unit in keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPermissions:
    """What the venue lets this API key do. `None`: the venue or environment cannot say."""

    can_read: bool | None
    can_trade: bool | None
    can_withdraw: bool | None
    can_transfer: bool | None
    ip_bound: bool | None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockOffset:
    """Venue time minus ours, in milliseconds, with half the round trip as its error bar."""

    offset_ms: float
    error_ms: float
