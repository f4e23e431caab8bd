"""Account endpoints: balances, positions, modes, brackets."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from brokers.models import MarginMode, OrderSide, PositionMode, Side
from brokers.numbers import ZERO
from brokers.sandbox.engine import Engine
from brokers.sandbox.figures import ACCOUNT_POOL, AccountFigures, CoinFigures, PositionFigures
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.orders import Order, OrderStatus
from brokers.sandbox.spec import MarginPool
from brokers.sandbox.wire.base import Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.binance.listing import Listing, bare, money, position_side, size
from brokers.sandbox.wire.binance.parameters import Parameters

TOTALS_ASSET = "USDT"
LARGEST_NOTIONAL = Decimal(1_000_000_000)

COIN_FIELDS = (
    "walletBalance",
    "unrealizedProfit",
    "marginBalance",
    "maintMargin",
    "initialMargin",
    "positionInitialMargin",
    "openOrderInitialMargin",
    "crossWalletBalance",
    "crossUnPnl",
    "availableBalance",
    "maxWithdrawAmount",
)


def margin_mode_of(engine: Engine, account: str, name: str) -> MarginMode:
    """Return a symbol's margin mode: it has one at this venue, so its position's if there is one."""
    held = [one for one in engine.figures(account).positions if one.symbol == name]
    return held[0].margin_mode if held else engine.margin_mode(account, name)


class AccountDesk:
    """Answer what an account holds and how it is set."""

    def __init__(self, wire: Wire, listing: Listing) -> None:
        self._wire = wire
        self._engine = wire.engine
        self._listing = listing

    def account(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /fapi/v3/account`."""
        del request
        figures = self._engine.figures(account)
        assets = self._assets(figures)
        return WireAnswer(
            payload={
                **self._totals(figures, assets),
                "assets": assets,
                "positions": [_account_row(row) for row in self._rows(account, figures)],
            }
        )

    def balance(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /fapi/v3/balance`."""
        del request
        rows = [self._asset_row(coin) for coin in self._engine.figures(account).coins]
        names = ("asset", "crossWalletBalance", "crossUnPnl", "availableBalance", "maxWithdrawAmount")
        return WireAnswer(
            payload=[
                {
                    "accountAlias": "sandbox",
                    "balance": row["walletBalance"],
                    "marginAvailable": True,
                    "updateTime": row["updateTime"],
                    **{name: row[name] for name in names},
                }
                for row in rows
            ]
        )

    def position_risk(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /fapi/v3/positionRisk`."""
        symbol = Parameters(request).text("symbol")
        if symbol is not None:
            self._listing.instrument(symbol)
        rows = self._rows(account, self._engine.figures(account))
        return WireAnswer(payload=[row for row in rows if symbol in {None, row["symbol"]}])

    def account_config(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /fapi/v1/accountConfig`."""
        del request
        spec = self._engine.accounts[account]
        return WireAnswer(
            payload={
                "feeTier": 0,
                "canTrade": spec.permissions.can_trade,
                "canDeposit": True,
                "canWithdraw": True,  # of the account, whatever the key may do
                "dualSidePosition": spec.position_mode is PositionMode.HEDGE,
                "updateTime": 0,
                "multiAssetsMargin": spec.margin_pool is MarginPool.ACCOUNT,
                "tradeGroupId": -1,
            }
        )

    def position_mode(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /fapi/v1/positionSide/dual`."""
        del request
        hedge = self._engine.accounts[account].position_mode is PositionMode.HEDGE
        return WireAnswer(payload={"dualSidePosition": hedge})

    def asset_mode(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /fapi/v1/multiAssetsMargin`."""
        del request
        multi = self._engine.accounts[account].margin_pool is MarginPool.ACCOUNT
        return WireAnswer(payload={"multiAssetsMargin": multi})

    def symbol_config(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /fapi/v1/symbolConfig`."""
        hedge = self._engine.accounts[account].position_mode is PositionMode.HEDGE
        rows = []
        for symbol in self._asked(request):
            name = self._listing.instrument(symbol).name
            isolated = margin_mode_of(self._engine, account, name) is MarginMode.ISOLATED
            rows.append(
                {
                    "symbol": symbol,
                    "marginType": "ISOLATED" if isolated else "CROSSED",
                    "isAutoAddMargin": "false",
                    "leverage": int(self._engine.leverage(account, name, Side.LONG if hedge else None)),
                    "maxNotionalValue": bare(LARGEST_NOTIONAL),
                }
            )
        return WireAnswer(payload=rows)

    def leverage_bracket(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /fapi/v1/leverageBracket`: a list, also for a single symbol."""
        del account
        return WireAnswer(
            payload=[
                {"symbol": symbol, "brackets": _brackets(self._listing.instrument(symbol))}
                for symbol in self._asked(request)
            ]
        )

    def _asked(self, request: WireRequest) -> tuple[str, ...]:
        symbol = Parameters(request).text("symbol")
        return self._listing.symbols if symbol is None else (symbol,)

    def _assets(self, figures: AccountFigures) -> list[dict[str, Any]]:
        """Return a row for every asset that is held or that contracts settle in."""
        held = {coin.currency for coin in figures.coins}
        settled = {self._listing.instrument(symbol).settle for symbol in self._listing.symbols}
        rows = [self._asset_row(coin) for coin in figures.coins]
        return rows + [_empty_asset(asset) for asset in sorted(settled - held)]

    def _asset_row(self, coin: CoinFigures) -> dict[str, Any]:
        amounts = (
            coin.wallet_balance,
            coin.unrealized_pnl,
            coin.wallet_balance + coin.unrealized_pnl,
            coin.maintenance_margin,
            coin.position_initial_margin + coin.order_initial_margin,
            coin.position_initial_margin,
            coin.order_initial_margin,
            coin.cross_wallet,
            coin.cross_unrealized_pnl,
            coin.available,
            coin.transferable,
        )
        figures = {name: money(amount) for name, amount in zip(COIN_FIELDS, amounts, strict=True)}
        return {"asset": coin.currency, **figures, "updateTime": self._wire.stamp(coin.updated_ms)}

    def _totals(self, figures: AccountFigures, assets: Iterable[dict[str, Any]]) -> dict[str, str]:
        """Return the totals: of the pool in multi-assets mode, else of USDT alone."""
        pool = figures.pool(ACCOUNT_POOL)
        if pool is None:
            row = next((row for row in assets if row["asset"] == TOTALS_ASSET), _empty_asset(TOTALS_ASSET))
            amounts = [row[name] for name in COIN_FIELDS]
        else:
            amounts = [
                money(amount)
                for amount in (
                    pool.wallet_balance,
                    pool.unrealized_pnl,
                    pool.margin_balance,
                    pool.maintenance_margin,
                    pool.initial_margin,
                    pool.position_initial_margin,
                    pool.order_initial_margin,
                    pool.wallet_balance,
                    pool.unrealized_pnl,
                    pool.available,
                    pool.available,
                )
            ]
        names = (
            "totalWalletBalance",
            "totalUnrealizedProfit",
            "totalMarginBalance",
            "totalMaintMargin",
            "totalInitialMargin",
            "totalPositionInitialMargin",
            "totalOpenOrderInitialMargin",
            "totalCrossWalletBalance",
            "totalCrossUnPnl",
            "availableBalance",
            "maxWithdrawAmount",
        )
        return dict(zip(names, amounts, strict=True))

    def _rows(self, account: str, figures: AccountFigures) -> list[dict[str, Any]]:
        """Return the rows of symbols with a position or an open order, as `positionRisk` has them."""
        listed = [p for p in figures.positions if self._listing.symbol(p.symbol) is not None]
        rows = [self._position_row(position) for position in listed]
        held = {(position.symbol, position.position_side) for position in listed}
        waiting: dict[tuple[str, Any], list[Order]] = {}
        for order in self._engine.open_orders(account):
            leg = (order.symbol, order.spec.position_side)
            if leg not in held and order.status is OrderStatus.OPEN and self._listing.symbol(order.symbol):
                waiting.setdefault(leg, []).append(order)
        return rows + [self._order_row(account, orders) for orders in waiting.values()]

    def _position_row(self, position: PositionFigures) -> dict[str, Any]:
        symbol = str(self._listing.symbol(position.symbol))
        one = self._listing.instrument(symbol)
        sign = 1 if position.signed_quantity > 0 else -1
        liquidation = position.liquidation_price
        isolated = position.margin_mode is MarginMode.ISOLATED
        return {
            "symbol": symbol,
            "positionSide": position_side(position.position_side),
            "positionAmt": size(position.signed_quantity, one),
            "entryPrice": bare(position.entry_price.quantize(Decimal("1e-8"))),
            "breakEvenPrice": bare(position.entry_price.quantize(Decimal("1e-8"))),
            "markPrice": money(position.mark_price),
            "unRealizedProfit": money(position.unrealized_pnl),
            "liquidationPrice": "0" if liquidation is None else money(liquidation),
            "isolatedMargin": money(position.isolated_margin) if isolated else "0",
            "notional": money(sign * position.notional),
            "marginAsset": position.settle,
            "isolatedWallet": money(position.isolated_wallet) if isolated else "0",
            "initialMargin": money(position.initial_margin + position.order_initial_margin),
            "maintMargin": money(position.maintenance_margin),
            "positionInitialMargin": money(position.initial_margin),
            "openOrderInitialMargin": money(position.order_initial_margin),
            "adl": 1,
            "bidNotional": "0",
            "askNotional": "0",
            "updateTime": self._wire.stamp(position.updated_ms),
        }

    def _order_row(self, account: str, orders: list[Order]) -> dict[str, Any]:
        """Return the row of a symbol with orders and no position: amount 0, margin for the dearer side."""
        first = orders[0]
        symbol = str(self._listing.symbol(first.symbol))
        one = self._listing.instrument(symbol)
        worth = {OrderSide.BUY: ZERO, OrderSide.SELL: ZERO}
        for order in orders:
            if not order.reduce_only:
                worth[order.side] += one.notional(order.remaining, order.spec.price or ZERO)
        margin = money(
            max(worth.values()) / self._engine.leverage(account, one.name, first.spec.position_side)
        )
        zero = dict.fromkeys(
            (
                "unRealizedProfit",
                "liquidationPrice",
                "isolatedMargin",
                "notional",
                "isolatedWallet",
                "maintMargin",
                "positionInitialMargin",
            ),
            "0",
        )
        return {
            "symbol": symbol,
            "positionSide": position_side(first.spec.position_side),
            "positionAmt": size(ZERO, one),
            "entryPrice": "0.0",
            "breakEvenPrice": "0.0",
            "markPrice": money(self._engine.ticker(one.name).mark),
            "marginAsset": one.settle,
            **zero,
            "initialMargin": margin,
            "openOrderInitialMargin": margin,
            "adl": 0,
            "bidNotional": money(worth[OrderSide.BUY]),
            "askNotional": money(worth[OrderSide.SELL]),
            "updateTime": 0,
        }


def _account_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of `positionRisk` as the account answer repeats it."""
    names = ("symbol", "positionSide", "positionAmt", "isolatedMargin", "notional", "isolatedWallet")
    margins = ("initialMargin", "maintMargin", "updateTime")
    return {
        **{name: row[name] for name in names},
        "unrealizedProfit": row["unRealizedProfit"],
        **{name: row[name] for name in margins},
    }


def _empty_asset(asset: str) -> dict[str, Any]:
    return {"asset": asset, **dict.fromkeys(COIN_FIELDS, money(ZERO)), "updateTime": 0}


def _brackets(one: Instrument) -> list[dict[str, Any]]:
    caps = [tier.floor for tier in one.tiers[1:]] + [LARGEST_NOTIONAL]
    return [
        {
            "bracket": number,
            "initialLeverage": int(one.max_leverage_at(tier.floor)),
            "notionalCap": int(cap),
            "notionalFloor": int(tier.floor),
            "maintMarginRatio": float(tier.rate),
            "cum": float(tier.deduction),
        }
        for number, (tier, cap) in enumerate(zip(one.tiers, caps, strict=True), start=1)
    ]
