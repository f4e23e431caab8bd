"""The account's own endpoints: mode, wallet, positions, key."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

from brokers.models import ContractKind, MarginMode, Side
from brokers.numbers import ZERO, plain
from brokers.sandbox.engine import Engine
from brokers.sandbox.figures import ACCOUNT_POOL, USD, AccountFigures, CoinFigures, PositionFigures
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.spec import Asset, MarginPool
from brokers.sandbox.wire.base import Wire
from brokers.sandbox.wire.bybit.listing import (
    Listing,
    amount,
    category_of,
    index_of,
    on_grid,
    rate,
)
from brokers.sandbox.wire.bybit.pages import page_of
from brokers.sandbox.wire.bybit.parameters import Parameters
from brokers.sandbox.wire.bybit.refusals import BybitRefusal

UTA_1, UTA_2 = 3, 5
UNIFIED, CONTRACT = "UNIFIED", "CONTRACT"
SIDES = {Side.LONG: "Buy", Side.SHORT: "Sell"}
TOTALS = (
    "totalWalletBalance",
    "totalMarginBalance",
    "totalAvailableBalance",
    "totalPerpUPL",
    "totalInitialMargin",
    "totalMaintenanceMargin",
    "accountIMRate",
    "accountMMRate",
)
"""What the venue leaves `""` in isolated margin, and of the wallet of inverse contracts always."""

NOT_OF_COINS = dict.fromkeys(("totalOrderIM", "totalPositionIM", "totalPositionMM"), "")
NOT_OF_POSITIONS = {
    **dict.fromkeys(
        ("positionIM", "positionIMByMp", "positionMM", "positionMMByMp", "leverage", "liqPrice"), ""
    ),
    "riskId": 0,
    "riskLimitValue": "0",
}
"""What portfolio margin leaves out of each coin and position."""

IGNORED = dict.fromkeys(("positionIM", "positionIMByMp", "positionMM", "positionMMByMp"), "0")
"""Figures of UTA 1.0's inverse positions that the venue says to ignore."""

Result = dict[str, Any]


class AccountDesk:
    """Answer what a unified account is, has and holds; `portfolio` names those in portfolio margin.

    An account whose margin is split is of UTA 1.0: its stable currencies are in the unified wallet, and its
    coins in the wallet of inverse contracts.
    """

    def __init__(self, wire: Wire, listing: Listing, portfolio: Collection[str] = ()) -> None:
        self._wire = wire
        self._engine: Engine = wire.engine
        self._listing = listing
        self._portfolio = portfolio

    def info(self, asked: Parameters, account: str) -> Result:
        """Answer `account/info`: isolated and portfolio margin are modes of the whole account."""
        del asked
        mode = "ISOLATED_MARGIN" if self._isolated(account) else "REGULAR_MARGIN"
        return {
            "marginMode": "PORTFOLIO_MARGIN" if account in self._portfolio else mode,
            "updatedTime": str(self._wire.stamp(self._engine.spec.start_ms)),
            "unifiedMarginStatus": UTA_1 if self._split(account) else UTA_2,
            "dcpStatus": "OFF",
            "timeWindow": 10,
            "smpGroup": 0,
            "isMasterTrader": False,
            "spotHedgingStatus": "OFF",
        }

    def api_key(self, asked: Parameters, account: str) -> Result:
        """Answer `user/query-api`."""
        del asked
        may = self._engine.accounts[account].permissions
        wallet = ["AccountTransfer"] if may.can_transfer else []
        if may.can_withdraw:
            wallet.append("Withdraw")
        return {
            "id": "13770661",
            "note": account,
            "readOnly": int(not may.can_trade),
            "secret": "",
            "permissions": {
                "ContractTrade": ["Order", "Position"] if may.can_trade else [],
                "Spot": ["SpotTrade"] if may.can_trade else [],
                "Wallet": wallet,
                "Options": ["OptionsTrade"] if may.can_trade else [],
                "Derivatives": ["DerivativesTrade"] if may.can_trade else [],
                "Exchange": [],
                "NFT": [],
                "BlockTrade": [],
                "CopyTrading": [],
                "Affiliate": [],
            },
            "ips": ["127.0.0.1"] if may.ip_bound else ["*"],
            "type": 1,
            "deadlineDay": 0 if may.ip_bound else 90,
            "expiredAt": "1970-01-01T00:00:00Z" if may.ip_bound else "2099-01-01T00:00:00Z",
            "createdAt": "2022-10-16T02:24:40Z",
            "unified": 0,
            "uta": 1,
            "userID": 24617703,
            "isMaster": True,
        }

    def wallet(self, asked: Parameters, account: str) -> Result:
        """Answer `account/wallet-balance`: coins with neither assets nor debt are left out."""
        kind, split = asked.required("accountType"), self._split(account)
        if kind != UNIFIED and not (split and kind == CONTRACT):
            raise BybitRefusal(10001, "accountType only support UNIFIED.")
        chosen = asked.text("coin")
        names = None if chosen is None else set(chosen.split(","))
        figures = self._engine.figures(account)
        isolated = self._isolated(account)
        inside = [
            coin
            for coin in figures.coins
            if (names is None and _is_there(coin)) or (names is not None and coin.currency in names)
        ]
        if split:
            inside = [c for c in inside if (figures.pool(c.currency) is not None) is (kind == CONTRACT)]
        if kind == CONTRACT:
            return _contract_wallet(inside, figures)
        coins = [_coin(coin, isolated=isolated) for coin in inside]
        if account in self._portfolio:
            coins = [{**coin, **NOT_OF_COINS} for coin in coins]
        equity = sum((coin.usd_value for coin in inside), ZERO)
        totals = dict.fromkeys(TOTALS, "") if isolated else _totals(figures)
        return {
            "list": [
                {
                    "accountType": "UNIFIED",
                    "accountLTV": "",
                    "totalEquity": amount(equity),
                    **totals,
                    "coin": coins,
                }
            ]
        }

    def collateral(self, asked: Parameters, account: str) -> Result:
        """Answer `account/collateral-info`: what each coin counts for, and what borrowing it costs."""
        wanted = asked.text("currency")
        owed = {coin.currency: coin.liability for coin in self._engine.figures(account).coins}
        return {
            "list": [
                _terms(asset, owed.get(asset.name, ZERO))
                for asset in self._engine.spec.assets
                if wanted in {None, asset.name} and asset.name != USD  # no coin of Bybit's
            ]
        }

    def positions(self, asked: Parameters, account: str) -> Result:
        """Answer `position/list`; linear ones are asked for by symbol or settle coin."""
        category, symbol = asked.category(), asked.text("symbol")
        settle = asked.text("settleCoin")
        if category == "linear" and symbol is None and settle is None:
            raise BybitRefusal(10001, "Missing some parameters that must be filled in, symbol or settleCoin.")
        held = [
            position
            for position in self._engine.figures(account).positions
            if category_of(self._engine.instrument(position.symbol)) == category
            and (symbol is not None or settle in {None, position.settle})
            and symbol in {None, self._listing.symbol(position.symbol)}
        ]
        rows = [self._position(position, account) for position in held]
        if symbol is not None and not rows:
            rows = [self._flat(account, symbol, self._listing.instrument(category, symbol))]
        rows.sort(key=lambda row: (row["symbol"], row["positionIdx"]))
        page, cursor = page_of(rows, asked, default=20, most=200)
        return {"category": category, "list": page, "nextPageCursor": cursor}

    def _isolated(self, account: str) -> bool:
        return self._engine.accounts[account].margin_pool is MarginPool.ISOLATED_ONLY

    def _split(self, account: str) -> bool:
        return self._engine.accounts[account].margin_pool is MarginPool.SPLIT

    def _position(self, position: PositionFigures, account: str) -> dict[str, Any]:
        row = self._own_row(position)
        if account in self._portfolio:
            return {**row, **NOT_OF_POSITIONS}
        inverse = self._engine.instrument(position.symbol).kind is ContractKind.INVERSE
        if not (inverse and self._split(account)):
            return row
        isolated = position.margin_mode is MarginMode.ISOLATED
        margin = position.isolated_wallet if isolated else position.initial_margin
        return {**row, **IGNORED, "positionBalance": amount(margin), "tradeMode": int(isolated)}

    def _own_row(self, position: PositionFigures) -> dict[str, Any]:
        one = self._engine.instrument(position.symbol)
        isolated = position.margin_mode is MarginMode.ISOLATED
        liquidation = position.liquidation_price
        return {
            **self._frame(one, self._listing.symbol(position.symbol), position.position_side),
            "side": SIDES[position.side],
            "size": on_grid(position.quantity, one.lot_step),
            "avgPrice": amount(position.entry_price),
            "positionValue": amount(position.entry_notional),
            "positionStatus": "Liq" if position.in_liquidation else "Normal",
            "leverage": plain(position.leverage),
            "markPrice": amount(position.mark_price),
            "liqPrice": "" if liquidation is None else on_grid(liquidation, one.price_step),
            "positionIM": amount(position.initial_margin),
            "positionIMByMp": amount(position.initial_margin),
            "positionMM": amount(position.maintenance_margin),
            "positionMMByMp": amount(position.maintenance_margin),
            "positionBalance": amount(position.isolated_wallet) if isolated else "0",
            "unrealisedPnl": amount(position.unrealized_pnl),
            "curRealisedPnl": amount(position.realized_pnl),
            "cumRealisedPnl": amount(position.realized_pnl),
            "createdTime": str(self._wire.stamp(position.created_ms)),
            "updatedTime": str(self._wire.stamp(position.updated_ms)),
        }

    def _flat(self, account: str, symbol: str, one: Instrument) -> dict[str, Any]:
        """Return the row of a symbol without a position, which the venue gives when asked by name."""
        return {
            **self._frame(one, symbol, None),
            "side": "",
            "size": "0",
            "avgPrice": "0",
            "positionValue": "",
            "positionStatus": "Normal",
            "leverage": plain(self._engine.leverage(account, one.name)),
            "markPrice": amount(self._engine.ticker(one.name).mark),
            "liqPrice": "",
            "positionIM": "0",
            "positionIMByMp": "0",
            "positionMM": "0",
            "positionMMByMp": "0",
            "positionBalance": "0",
            "unrealisedPnl": "",
            "curRealisedPnl": "0",
            "cumRealisedPnl": "0",
            "createdTime": str(self._wire.stamp(self._engine.now_ms)),
            "updatedTime": str(self._wire.stamp(self._engine.now_ms)),
        }

    @staticmethod
    def _frame(one: Instrument, symbol: str, leg: Side | None) -> dict[str, Any]:
        return {
            "positionIdx": index_of(leg),
            "riskId": 1,
            "riskLimitValue": plain(one.tiers[-1].floor),
            "symbol": symbol,
            "tradeMode": 0,
            "autoAddMargin": 0,
            "adlRankIndicator": 2,
            "bustPrice": "",
            "tpslMode": "Full",
            "takeProfit": "",
            "stopLoss": "",
            "trailingStop": "0",
            "sessionAvgPrice": "",
            "seq": 1,
            "isReduceOnly": False,
            "mmrSysUpdatedTime": "",
            "leverageSysUpdatedTime": "",
        }


def _totals(figures: AccountFigures) -> dict[str, str]:
    """Return the totals of cross margin, in USD; equity counts after haircuts."""
    pool = figures.pool(ACCOUNT_POOL)
    if pool is None:
        return dict.fromkeys(TOTALS, "0")
    available = pool.margin_balance - pool.initial_margin
    return {
        "totalWalletBalance": amount(pool.margin_balance - pool.unrealized_pnl),
        "totalMarginBalance": amount(pool.margin_balance),
        "totalAvailableBalance": amount(available),
        "totalPerpUPL": amount(pool.unrealized_pnl),
        "totalInitialMargin": amount(pool.initial_margin),
        "totalMaintenanceMargin": amount(pool.maintenance_margin),
        "accountIMRate": rate(pool.initial_margin, pool.margin_balance),
        "accountMMRate": rate(pool.maintenance_margin, pool.margin_balance),
    }


def _contract_wallet(coins: Sequence[CoinFigures], figures: AccountFigures) -> Result:
    """Return UTA 1.0's wallet of inverse contracts, where each coin stands alone and nothing is summed."""
    rows = []
    for coin in coins:
        pool = figures.pool(coin.currency)
        row = _coin(coin, isolated=False)
        del row["bonus"]
        available = amount(coin.available if pool is None else pool.available)
        rows.append({**row, "usdValue": "", "locked": "", "availableToWithdraw": available})
    account = {"accountType": CONTRACT, "accountLTV": "", "totalEquity": "", **dict.fromkeys(TOTALS, "")}
    return {"list": [{**account, "coin": rows}]}


def _is_there(coin: CoinFigures) -> bool:
    return any((coin.wallet_balance, coin.liability, coin.interest, coin.unrealized_pnl))


def _terms(asset: Asset, owed: Decimal) -> dict[str, Any]:
    return {
        "currency": asset.name,
        "hourlyBorrowRate": plain(asset.hourly_borrow_rate),
        "maxBorrowingAmount": "1000000",
        "freeBorrowingLimit": "0",
        "freeBorrowAmount": "0",
        "borrowAmount": amount(owed),
        "otherBorrowAmount": "0",
        "availableToBorrow": "1000000",
        "borrowable": True,
        "borrowUsageRate": "0",
        "marginCollateral": True,
        "collateralSwitch": True,
        "collateralRatio": plain(asset.collateral_ratio),
        "freeBorrowingAmount": "",
    }


def _coin(coin: CoinFigures, *, isolated: bool) -> dict[str, Any]:
    """Return a coin's row. An isolated account's position margin is what its positions were given."""
    position_margin: Decimal = coin.isolated_wallet if isolated else coin.position_initial_margin
    return {
        "coin": coin.currency,
        "equity": amount(coin.equity),
        "usdValue": amount(coin.usd_value),
        "walletBalance": amount(coin.wallet_balance),
        "free": "",
        "locked": "0",
        "borrowAmount": amount(coin.liability),
        "spotBorrow": amount(coin.borrowed),
        "availableToBorrow": "",
        "availableToWithdraw": "",
        "accruedInterest": amount(coin.interest),
        "totalOrderIM": amount(coin.order_initial_margin),
        "totalPositionIM": amount(position_margin),
        "totalPositionMM": amount(coin.maintenance_margin),
        "unrealisedPnl": amount(coin.unrealized_pnl),
        "cumRealisedPnl": amount(coin.realized_pnl),
        "bonus": "0",
        "collateralSwitch": True,
        "marginCollateral": True,
        "spotHedgingQty": "0",
    }
