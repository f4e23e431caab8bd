"""What the sandbox venue would print of an account: pools, coins and positions."""

from dataclasses import dataclass
from decimal import Decimal

from brokers.models import MarginMode, PositionMode, Side, UnitKind
from brokers.numbers import ZERO
from brokers.sandbox.spec import MarginPool

USD = "USD"
ACCOUNT_POOL = "account"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFigures:
    """What the venue liquidates as one. All amounts in `currency` ("USD" for the account pool).

    `equity` is before haircuts, `margin_balance` after them (equal in a single currency); both hold wallet,
    unrealized PnL and debt of the pool, without the isolated positions. `initial_margin` =
    `position_initial_margin` + `order_initial_margin` (+ `debt_initial_margin`, and `haircut_margin` where a
    haircut is a requirement). `available` is `margin_balance - initial_margin`, >= 0. `liquidation_fee` is
    the estimate for closing every position.
    `ratio` is the venue's distance to liquidation, 1 = it liquidates; `None` when nothing is at risk, or
    when equity is gone (see `exhausted`).
    """

    key: str  # "account", a currency, or "BTC-USDT:net" / ":long" / ":short" of an isolated position
    kind: UnitKind
    currency: str
    wallet_balance: Decimal
    unrealized_pnl: Decimal
    equity: Decimal
    margin_balance: Decimal
    position_initial_margin: Decimal
    order_initial_margin: Decimal
    debt_initial_margin: Decimal
    maintenance_margin: Decimal
    liquidation_fee: Decimal
    available: Decimal
    ratio: Decimal | None
    haircut_margin: Decimal = ZERO

    @property
    def initial_margin(self) -> Decimal:
        """Initial margin of positions, orders, debt and haircuts together."""
        own = self.position_initial_margin + self.order_initial_margin
        return own + self.debt_initial_margin + self.haircut_margin

    @property
    def exhausted(self) -> bool:
        """Whether a requirement stands against equity of zero or less."""
        return self.maintenance_margin > 0 and self.margin_balance <= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinFigures:
    """One currency of the trading account; amounts in it, `usd_value` and `collateral_value` in USD.

    `wallet_balance` holds borrowed coins and isolated margins; `isolated_wallet` is the part of it given to
    isolated positions and `cross_wallet` the rest. `equity` = `wallet_balance` + `unrealized_pnl` -
    `borrowed` - `interest`. `liability` is what venues print as borrowed: `borrowed` + a negative balance.
    `usd_value` is of `equity`; `collateral_value` is what it counts in a USD pool, without isolated
    positions, after the haircut. Margins are of cross *and* isolated positions; `cross_*` only of the
    former.
    """

    currency: str
    usd_price: Decimal
    collateral_ratio: Decimal
    wallet_balance: Decimal
    isolated_wallet: Decimal
    cross_wallet: Decimal
    borrowed: Decimal
    interest: Decimal
    liability: Decimal
    unrealized_pnl: Decimal
    cross_unrealized_pnl: Decimal
    isolated_unrealized_pnl: Decimal
    equity: Decimal
    usd_value: Decimal
    collateral_value: Decimal
    position_initial_margin: Decimal
    order_initial_margin: Decimal
    maintenance_margin: Decimal
    cross_position_initial_margin: Decimal
    cross_order_initial_margin: Decimal
    cross_maintenance_margin: Decimal
    available: Decimal  # what could still back an order in this currency, by the account's pool
    transferable: Decimal  # what could leave for the funding wallet
    realized_pnl: Decimal  # since the start
    updated_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """One currency of a spot margin account, or of one isolated pair of it; amounts in the currency.

    `pool` is the key of the pool that it belongs to, `locked` what resting orders would spend, `borrowed`
    principal, lent by request or because it was lacking.
    """

    pool: str
    currency: str
    held: Decimal
    locked: Decimal
    borrowed: Decimal
    interest: Decimal

    @property
    def free(self) -> Decimal:
        """What no order has locked."""
        return self.held - self.locked

    @property
    def owed(self) -> Decimal:
        """Principal and interest."""
        return self.borrowed + self.interest

    @property
    def net(self) -> Decimal:
        """What is held less what is owed."""
        return self.held - self.owed


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionFigures:
    """One open position. `quantity` > 0 in engine units; amounts in `settle`.

    `position_side` is the leg in hedge mode, `None` in one-way mode; `side` is always told. `notional` is
    at mark, `entry_notional` at entry. `isolated_wallet` is the margin given to it without its PnL,
    `isolated_margin` with it; both zero for cross. `order_initial_margin` is that of the symbol's resting
    orders on this leg and margin mode. `bankruptcy_price` is where its own margin is gone,
    `liquidation_price` an estimate with everything else standing still; `None`: no price does it.
    """

    symbol: str
    pool: str
    side: Side
    position_side: Side | None
    margin_mode: MarginMode
    settle: str
    quantity: Decimal
    entry_price: Decimal
    mark_price: Decimal
    notional: Decimal
    entry_notional: Decimal
    leverage: Decimal
    unrealized_pnl: Decimal
    realized_pnl: Decimal
    initial_margin: Decimal
    order_initial_margin: Decimal
    maintenance_margin: Decimal
    liquidation_fee: Decimal
    isolated_wallet: Decimal
    isolated_margin: Decimal
    bankruptcy_price: Decimal | None
    liquidation_price: Decimal | None
    in_liquidation: bool
    created_ms: int
    updated_ms: int

    @property
    def signed_quantity(self) -> Decimal:
        """`quantity` with the sign of its side: long > 0."""
        return self.quantity if self.side is Side.LONG else -self.quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFigures:
    """Everything the venue would print of an account, at one moment."""

    account: str
    ms: int
    margin_pool: MarginPool
    position_mode: PositionMode
    pools: tuple[PoolFigures, ...]
    coins: tuple[CoinFigures, ...]
    positions: tuple[PositionFigures, ...]
    balances: tuple[Balance, ...] = ()
    """Of a spot margin account, every currency held or owed."""

    def balance(self, pool: str, currency: str) -> Balance | None:
        """Return one currency of a spot margin account or of an isolated pair."""
        return next((b for b in self.balances if (b.pool, b.currency) == (pool, currency)), None)

    def pool(self, key: str) -> PoolFigures | None:
        """Return the pool named `key`."""
        return next((pool for pool in self.pools if pool.key == key), None)

    def coin(self, currency: str) -> CoinFigures | None:
        """Return one currency's row."""
        return next((coin for coin in self.coins if coin.currency == currency), None)

    def position(self, symbol: str, position_side: Side | None = None) -> PositionFigures | None:
        """Return the position in `symbol` (and its leg, in hedge mode)."""
        return next(
            (p for p in self.positions if p.symbol == symbol and p.position_side is position_side), None
        )
