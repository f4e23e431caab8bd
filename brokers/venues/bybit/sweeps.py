"""Which position lists a snapshot must ask for, and what proves that one may be left out.

Bybit has no call that lists every position: linear contracts are listed by settle coin, inverse ones and
options by category. A list is left out only while the wallet of the *same* snapshot proves it empty:

* every coin states `totalOrderIM`, `totalPositionIM` and `totalPositionMM` (in portfolio margin none does, so
  nothing is ever left out there);
* the coin of the list ties up no position margin (a coin without a row has neither assets nor debt);
* in cross margin, the coins' maintenance margins, at the wallet's own prices, make up the account's
  `totalMaintenanceMargin`: no requirement is left for a position we do not see;
* for options, which may need no margin at all: every coin's equity is its balance plus the unrealized PnL, so
  no option value worth mentioning is in it.

Source: Bybit docs, Get Wallet Balance (`equity`, `totalPositionIM`, coins without assets are not returned).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from brokers.models import MarginMode
from brokers.numbers import ONE, ZERO
from brokers.venues.bybit.contracts import STABLECOINS, Category
from brokers.venues.bybit.wallet import Coin, Wallet

PAGE = 200
"""Most rows that one page of `position/list` gives."""

UNEXPLAINED = Decimal("0.001")
"""Share of the account's maintenance margin that rounding and prices may leave open."""

OPTION_VALUE = Decimal("0.001")
"""Share of a coin's equity that rounding may leave open; options worth less are seen by the full sweeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One list of positions: its category and, for linear contracts, its settle coin."""

    category: Category
    settle: str | None = None

    @property
    def params(self) -> Mapping[str, object]:
        """The parameters of its first page."""
        params: dict[str, object] = {"category": str(self.category), "limit": PAGE}
        if self.settle is not None:
            params["settleCoin"] = self.settle
        return MappingProxyType(params)

    def __str__(self) -> str:
        """Name the sweep as in `linear USDC`."""
        return f"{self.category} {self.settle}" if self.settle else str(self.category)


LINEAR_USDT = Sweep(category=Category.LINEAR, settle="USDT")
LINEAR_USDC = Sweep(category=Category.LINEAR, settle="USDC")
INVERSE = Sweep(category=Category.INVERSE)
OPTION = Sweep(category=Category.OPTION)

ALWAYS = frozenset({LINEAR_USDT})
ALL = frozenset({LINEAR_USDT, LINEAR_USDC, INVERSE, OPTION})


def required_sweeps(wallet: Wallet, mode: MarginMode | None) -> frozenset[Sweep]:
    """Return the lists that a snapshot with this wallet cannot do without."""
    if mode not in {MarginMode.CROSS, MarginMode.ISOLATED}:
        return ALL
    if not all(coin.has_margin_figures for coin in wallet.coins):
        return ALL
    if mode is MarginMode.CROSS and not _margins_explained(wallet):
        return ALL
    required = set(ALWAYS)
    for coin in wallet.coins:
        if coin.position_margin or coin.maintenance_margin:
            if coin.currency == "USDC":
                required.add(LINEAR_USDC)
            elif coin.currency not in STABLECOINS:
                required.add(INVERSE)
    if not all(_free_of_options(coin) for coin in wallet.coins):
        required.add(OPTION)
    return frozenset(required)


def usd_price(coin: Coin) -> Decimal | None:
    """Return a coin's price in USD, by its own equity and value; stablecoins without either count as 1.

    A value of 0 is no price: the venue prints it for coins that are no collateral.
    """
    if coin.equity and coin.usd_value:
        return coin.usd_value / coin.equity
    return ONE if coin.currency in STABLECOINS else None


def _margins_explained(wallet: Wallet) -> bool:
    total = wallet.maintenance_margin
    if total is None or wallet.initial_margin is None:
        return False
    explained = ZERO
    for coin in wallet.coins:
        margin = coin.maintenance_margin
        if margin is None:
            return False
        if margin == 0:
            continue
        price = usd_price(coin)
        if price is None or price < 0:
            return False
        explained += margin * price
    return total - explained <= total * UNEXPLAINED


def holds_options(wallet: Wallet) -> bool:
    """Tell whether some coin's equity holds what neither its balance nor its unrealized PnL explains."""
    return any(_option_share(coin) for coin in wallet.coins)


def _free_of_options(coin: Coin) -> bool:
    return _option_share(coin) is False


def _option_share(coin: Coin) -> bool | None:
    """Tell whether options are in a coin's equity; `None` when it states too little to tell.

    `walletBalance` holds what was borrowed on spot since `spotBorrow` exists, and did not before.
    """
    if coin.equity is None or coin.wallet_balance is None or coin.unrealized_pnl is None:
        return None
    value = coin.equity - coin.wallet_balance - coin.unrealized_pnl
    unexplained = min(abs(value), abs(value + (coin.spot_borrowed or ZERO)))
    return unexplained > OPTION_VALUE * abs(coin.equity)
