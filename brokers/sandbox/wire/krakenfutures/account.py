"""The account's side: wallets, positions, leverage preferences, transfers, and what the key may do."""

from decimal import Decimal
from typing import Any

from brokers.models import ContractKind, MarginMode
from brokers.numbers import ZERO
from brokers.sandbox.figures import ACCOUNT_POOL, AccountFigures, CoinFigures, PoolFigures, PositionFigures
from brokers.sandbox.history import Wallet
from brokers.sandbox.orders import Refusal, Rejection
from brokers.sandbox.wire.base import Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.krakenfutures.contracts import USD, code_of, currency_of, wallet_of
from brokers.sandbox.wire.krakenfutures.envelope import (
    arguments,
    figure,
    iso,
    needed,
    number,
    refuse,
    success,
)

FLEX, CASH = "flex", "cash"
TRANSFER_ERRORS = {
    Refusal.INSUFFICIENT_BALANCE: "insufficientFunds",
    Refusal.AMOUNT: "invalidAmount",
    Refusal.UNKNOWN_CURRENCY: "invalidUnit",
}


class Statement:
    """What the account is made of."""

    def __init__(self, wire: Wire) -> None:
        self._engine = wire.engine
        self._wire = wire

    def accounts(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `accounts`: the cash wallet, one wallet of each coin, and the multi-collateral one."""
        figures = self._engine.figures(account)
        funding = {
            code_of(asset.name).lower(): figure(self._engine.funding_balance(account, asset.name))
            for asset in self._engine.spec.assets
            if self._engine.funding_balance(account, asset.name)
        }
        wallets: dict[str, Any] = {CASH: {"type": "cashAccount", "balances": funding}}
        for instrument in self._engine.instruments:
            if instrument.kind is ContractKind.INVERSE:
                wallets[wallet_of(instrument)] = _margin_account(instrument.base, figures)
        wallets[FLEX] = self._flex(figures)
        return success(request.now_ms, accounts=wallets)

    def _flex(self, figures: AccountFigures) -> dict[str, Any]:
        pooled = figures.pool(ACCOUNT_POOL)
        pool = pooled or figures.pool(USD)
        coins = figures.coins if pooled else tuple(c for c in figures.coins if c.currency == USD)
        unrealized = ZERO if pool is None else pool.unrealized_pnl
        equity = ZERO if pool is None else pool.margin_balance
        balance = sum((coin.wallet_balance * coin.usd_price for coin in coins), ZERO)
        used = ZERO if pool is None else pool.initial_margin
        return {
            "type": "multiCollateralMarginAccount",
            "currencies": {code_of(coin.currency): _currency(coin) for coin in coins},
            "balanceValue": figure(balance),
            "portfolioValue": figure(balance + unrealized),
            "collateralValue": figure(equity - unrealized),
            "initialMargin": figure(ZERO if pool is None else pool.position_initial_margin),
            "initialMarginWithOrders": figure(used),
            "maintenanceMargin": figure(ZERO if pool is None else pool.maintenance_margin),
            "pnl": figure(unrealized),
            "unrealizedFunding": 0.0,
            "totalUnrealized": figure(unrealized),
            "totalUnrealizedAsMargin": figure(unrealized),
            "marginEquity": figure(equity),
            "availableMargin": figure(equity - used),
        }

    def positions(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `openpositions`."""
        rows = [self._position(row) for row in self._engine.figures(account).positions]
        return success(request.now_ms, openPositions=rows)

    def _position(self, row: PositionFigures) -> dict[str, Any]:
        printed: dict[str, Any] = {
            "side": row.side.value,
            "symbol": row.symbol,
            "price": figure(row.entry_price),
            "fillTime": iso(self._wire.stamp(row.updated_ms)),
            "size": figure(row.quantity),
            "unrealizedFunding": 0.0,
            "pnlCurrency": code_of(row.settle),
        }
        if row.margin_mode is MarginMode.ISOLATED:
            printed["maxFixedLeverage"] = figure(row.leverage)
        return printed

    # ------------------------------------------------------------------ settings and money

    def preferences(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET leveragepreferences`: the contracts that are isolated."""
        rows = [
            {"symbol": i.name, "maxLeverage": figure(self._engine.leverage(account, i.name))}
            for i in self._engine.instruments
            if self._engine.margin_mode(account, i.name) is MarginMode.ISOLATED
        ]
        return success(request.now_ms, leveragePreferences=rows)

    def set_preference(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `PUT leveragepreferences`: with a leverage the contract is isolated, without it cross."""
        given = arguments(request)
        name = needed(given, "symbol", request).upper()
        wanted = number(given["maxLeverage"]) if given.get("maxLeverage") else None
        try:
            mode = MarginMode.CROSS if wanted is None else MarginMode.ISOLATED
            if self._engine.margin_mode(account, name) is not mode:
                self._engine.set_margin_mode(account, name, mode)
            if wanted is not None:
                self._engine.set_leverage(account, name, wanted)
        except Rejection as rejection:
            raise refuse("invalidArgument", request, str(rejection.reason)) from None
        return success(request.now_ms)

    def transfer(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `transfer` between the cash wallet and the margin wallets; it names no transfer."""
        given = arguments(request)
        source, target = needed(given, "fromAccount", request), needed(given, "toAccount", request)
        amount = number(needed(given, "amount", request))
        if (source == CASH) is (target == CASH):
            raise refuse("invalidAccount", request)
        if amount is None:
            raise refuse("invalidAmount", request)
        try:
            self._engine.transfer(
                account,
                currency_of(needed(given, "unit", request)),
                amount,
                source=Wallet.FUNDING if source == CASH else Wallet.TRADING,
                target=Wallet.TRADING if source == CASH else Wallet.FUNDING,
            )
        except Rejection as rejection:
            raise refuse(TRANSFER_ERRORS.get(rejection.reason, "invalidAccount"), request) from None
        return success(request.now_ms)

    def key(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `api-keys/v3/check`."""
        spec = self._engine.accounts[account]
        granted = spec.permissions
        reads = "READ_ONLY" if granted.can_read else "NO_ACCESS"
        blocks = ["127.0.0.0/8"] if granted.ip_bound else []
        return WireAnswer(
            payload={
                "apiKey": spec.api_key,
                "accountUid": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
                "iiban": None,
                "createdAt": iso(request.now_ms),
                "permissions": {
                    "general": "FULL_ACCESS" if granted.can_trade else reads,
                    "transfer": "FULL_ACCESS" if granted.can_withdraw else "NO_ACCESS",
                },
                "allowedCidrBlock": blocks[0] if blocks else None,
                "allowedCidrBlocks": blocks,
            }
        )


def _currency(coin: CoinFigures) -> dict[str, Any]:
    return {
        "quantity": figure(coin.wallet_balance),
        "value": figure(coin.wallet_balance * coin.usd_price),
        "collateral": figure(coin.wallet_balance * coin.usd_price * coin.collateral_ratio),
        "available": figure(coin.transferable),
    }


def _margin_account(currency: str, figures: AccountFigures) -> dict[str, Any]:
    """Print the wallet of a coin's inverse contracts, in the coin."""
    pool: PoolFigures | None = figures.pool(currency)
    equity = ZERO if pool is None else pool.margin_balance
    used = ZERO if pool is None else pool.position_initial_margin
    left = ZERO if pool is None else equity - pool.initial_margin
    maintenance = ZERO if pool is None else pool.maintenance_margin
    return {
        "type": "marginAccount",
        "currency": code_of(currency).lower(),
        "balances": {code_of(currency).lower(): figure(ZERO if pool is None else pool.wallet_balance)},
        "auxiliary": {
            "usd": 0,
            "pv": figure(equity),
            "pnl": figure(ZERO if pool is None else pool.unrealized_pnl),
            "af": figure(left),
            "funding": 0.0,
        },
        "marginRequirements": {
            "im": figure(used),
            "mm": figure(maintenance),
            "lt": figure(maintenance / Decimal("1.25")),
            "tt": figure(maintenance / 2),
        },
        "triggerEstimates": {"im": 0.0, "mm": 0.0, "lt": 0.0, "tt": 0.0},
    }
