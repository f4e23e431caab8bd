"""What a sandbox is made of: assets, contracts, the venue's rules, and accounts with their opening state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from brokers.models import MarginMode, PositionMode, Side
from brokers.numbers import ONE, ZERO
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.scenarios import Scenario, calm

NOTHING: Mapping[str, Decimal] = MappingProxyType({})

HOURS_PER_YEAR = Decimal(8760)

RATE_PLACES = Decimal("1e-16")
"""As far as venues print an hourly rate."""


class MarginPool(StrEnum):
    """What backs cross positions."""

    ACCOUNT = "account"  # all currencies together, in USD after haircuts
    CURRENCY = "currency"  # each settle currency by itself
    SPLIT = "split"  # stable currencies together in USD, every other one by itself (Bybit's UTA 1.0)
    ISOLATED_ONLY = "isolated_only"  # no cross positions at all; wallets as with CURRENCY


class DuplicateRule(StrEnum):
    """When a client id that was used before is refused."""

    OPEN_ORDERS = "open_orders"  # only while its order is open
    FOR_EVER = "for_ever"


class OversizeRule(StrEnum):
    """What becomes of a reduce-only order larger than its position."""

    CLIP = "clip"  # accepted, executed up to the position
    REJECT = "reject"


class MarginPrice(StrEnum):
    """The price at which positions are margined; PnL is always at mark."""

    MARK = "mark"
    ENTRY = "entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A currency: its opening price in USD, what it counts as collateral, what borrowing it costs.

    A `stable` asset keeps its price unless the scenario breaks its peg. `collateral_ratio` is 1 - haircut,
    applied to positive equity in a USD pool; negative equity counts in full. `borrow_apr` accrues hourly on
    principal and on a negative balance. `borrow_initial_rate` and `borrow_maintenance_rate` are the margins
    that a debt itself requires, as fractions of its value.
    """

    name: str
    usd_price: Decimal
    stable: bool = False
    collateral_ratio: Decimal = ONE
    borrow_apr: Decimal = ZERO
    borrow_initial_rate: Decimal = ZERO
    borrow_maintenance_rate: Decimal = ZERO

    @property
    def hourly_borrow_rate(self) -> Decimal:
        """What borrowing costs per hour, as venues print it."""
        return (self.borrow_apr / HOURS_PER_YEAR).quantize(RATE_PLACES)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookShape:
    """The generated order book: `levels` on each side, `level_notional` (in quote) on each before stress.

    Level 0 is `half_spread` from the middle, each further one `level_spacing` away, both as fractions of
    the price. Depth that was taken grows back linearly within `recovery_ms`.
    """

    levels: int = 25
    level_notional: Decimal = Decimal(200_000)
    half_spread: Decimal = Decimal("0.0001")
    level_spacing: Decimal = Decimal("0.0002")
    recovery_ms: int = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Lending:
    """A venue that lends what a spot account lacks, by its margin level: assets / debts.

    Below `initial` it lends nothing more, at `liquidation` it liquidates.
    """

    initial: Decimal
    liquidation: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueRules:
    """Where venues differ in ways the engine must know.

    `closing_fee_margined`: the taker fee of closing at the bankruptcy price is part of a position's initial
    and maintenance margin (Bybit). `liquidation_fee_margined`: liquidation comes when equity is no more
    than maintenance margin *plus* liquidation fees (OKX's ratio). `partial_liquidation`: the venue steps
    down the tiers and stops when the pool is sound again; otherwise it closes everything.
    `triggers_reserve_margin`: untriggered stop orders reserve initial margin. `isolated_leverage_may_fall`:
    an isolated position's leverage may be lowered (Binance refuses it). `transfer_ids_unique`: a transfer's
    client id works only once. `liquidation_ratio` is the maintenance ratio at which the venue acts.
    `initial_over_maintenance`: cross positions and orders need so many times their maintenance margin to
    open, and a leverage setting is for isolated ones (Kraken Futures); `None`: notional / leverage.
    `maintenance_share`: maintenance margin is this share of the initial margin of positions and haircuts, and
    brackets play no part (Crypto.com: half). `haircut_margined`: a haircut is part of what is required, not
    taken off the equity.
    `lending`: positions are coins bought and sold for money, own or lent, and what is required goes by the
    debts alone (Binance margin); `None`: they are contracts.
    """

    duplicate_client_ids: DuplicateRule = DuplicateRule.FOR_EVER
    oversize_reduce: OversizeRule = OversizeRule.CLIP
    margin_price: MarginPrice = MarginPrice.MARK
    closing_fee_margined: bool = False
    liquidation_fee_margined: bool = False
    liquidation_ratio: Decimal = ONE
    initial_over_maintenance: Decimal | None = None
    maintenance_share: Decimal | None = None
    haircut_margined: bool = False
    partial_liquidation: bool = True
    triggers_reserve_margin: bool = True
    isolated_leverage_may_fall: bool = True
    reduce_only_exempt_from_minimum: bool = True
    transfer_ids_unique: bool = True
    max_open_orders: int = 500
    lending: Lending | None = None

    def initial_margin(
        self,
        instrument: Instrument,
        notional: Decimal,
        leverage: Decimal,
        mode: MarginMode,
        quantity: Decimal = ZERO,
    ) -> Decimal:
        """Return what exposure worth `notional` needs to open; `quantity` is that of a position held."""
        if self.initial_over_maintenance is None or mode is MarginMode.ISOLATED:
            return notional * instrument.margin_rate(quantity, leverage)
        return instrument.maintenance(notional) * self.initial_over_maintenance


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningWallet:
    """One currency at the start. `borrowed` is principal owed, `interest` what accrued on it."""

    balance: Decimal
    borrowed: Decimal = ZERO
    interest: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningPosition:
    """A position that is there from the start, taken without a fee.

    `entry_price` `None` is the opening mark. `margin_mode` `None` is the account's. `isolated_margin`
    `None` is the initial margin at the symbol's leverage; it is part of the wallet's balance.
    """

    symbol: str
    side: Side
    quantity: Decimal
    entry_price: Decimal | None = None
    margin_mode: MarginMode | None = None
    isolated_margin: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What an account's API key may do."""

    can_read: bool = True
    can_trade: bool = True
    can_withdraw: bool = False
    can_transfer: bool = True
    ip_bound: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSpec:
    """One account at the venue, with the key that opens it. Secrets stay out of its repr.

    `funding` is the funding wallet, by currency. `leverages` and `margin_modes` are the settings by symbol;
    `default_leverage` and `margin_mode` hold elsewhere.
    """

    name: str
    api_key: str = field(repr=False)
    secret: str = field(repr=False)
    password: str = field(default="", repr=False)
    wallets: Mapping[str, OpeningWallet]
    funding: Mapping[str, Decimal] = field(default_factory=lambda: NOTHING)
    margin_pool: MarginPool = MarginPool.ACCOUNT
    position_mode: PositionMode = PositionMode.ONE_WAY
    margin_mode: MarginMode = MarginMode.CROSS
    default_leverage: Decimal = Decimal(10)
    leverages: Mapping[str, Decimal] = field(default_factory=lambda: NOTHING)
    margin_modes: Mapping[str, MarginMode] = field(default_factory=lambda: MappingProxyType({}))
    positions: tuple[OpeningPosition, ...] = ()
    permissions: Permissions = Permissions()

    def __post_init__(self) -> None:
        """Isolate where the account knows nothing else; refuse positions that exclude each other."""
        if self.margin_pool is MarginPool.ISOLATED_ONLY and self.margin_mode is not MarginMode.ISOLATED:
            object.__setattr__(self, "margin_mode", MarginMode.ISOLATED)
        hedged = self.position_mode is PositionMode.HEDGE
        keys = [(p.symbol, p.side if hedged else None, p.margin_mode) for p in self.positions]
        if len(set(keys)) != len(keys):
            raise ValueError(f"{self.name}: two positions where {self.position_mode} mode holds one")
        if any(position.quantity <= 0 for position in self.positions):
            raise ValueError(f"{self.name}: a position has a positive quantity; its side is apart")


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """A whole venue: what is listed, by which rules, who trades there, and what prices will do.

    `tick_ms` is the grid on which the venue acts (fills, triggers, liquidations), so that what happens does
    not depend on how often somebody looks. Every base, quote and settle currency needs an `Asset`.
    `books` are the order books of single instruments, by name; the others have `book`.
    """

    instruments: tuple[Instrument, ...]
    assets: tuple[Asset, ...]
    accounts: tuple[AccountSpec, ...]
    rules: VenueRules = VenueRules()
    book: BookShape = BookShape()
    books: Mapping[str, BookShape] = field(default_factory=lambda: MappingProxyType({}))
    scenario: Scenario = field(default_factory=calm)
    start_ms: int = 1_767_225_600_000  # 2026-01-01 00:00 UTC
    tick_ms: int = 250

    def __post_init__(self) -> None:
        """Refuse names used twice and currencies nobody described."""
        for names in (
            [instrument.name for instrument in self.instruments],
            [asset.name for asset in self.assets],
            [account.name for account in self.accounts],
            [account.api_key for account in self.accounts],
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"names used twice: {sorted({n for n in names if names.count(n) > 1})}")
        listed = {instrument.name for instrument in self.instruments}
        held = {position.symbol for account in self.accounts for position in account.positions}
        if missing := sorted((held | self.books.keys()) - listed):
            raise ValueError(f"positions in or books of what is not listed: {', '.join(missing)}")
        known = {asset.name for asset in self.assets}
        wanted = {c for i in self.instruments for c in (i.base, i.settle)}
        wanted |= {c for account in self.accounts for c in (*account.wallets, *account.funding)}
        if missing := sorted(wanted - known):
            raise ValueError(f"no asset described for {', '.join(missing)}")
        if self.tick_ms <= 0:
            raise ValueError("tick_ms must be positive")
