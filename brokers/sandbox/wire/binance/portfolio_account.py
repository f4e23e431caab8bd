"""Portfolio margin's account endpoints: one equity over both kinds of contracts.

Source: Binance Open Platform, Portfolio Margin "Account Information", "Account Balance".
"""

from decimal import Decimal
from types import MappingProxyType
from typing import Any

from brokers.models import ContractKind
from brokers.numbers import ZERO
from brokers.sandbox.figures import ACCOUNT_POOL, CoinFigures, PoolFigures
from brokers.sandbox.orders import Refusal, Rejection
from brokers.sandbox.wire.base import Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.binance.account import AccountDesk
from brokers.sandbox.wire.binance.coin_account import CoinAccountDesk
from brokers.sandbox.wire.binance.listing import Listing, bare, money
from brokers.sandbox.wire.binance.parameters import Parameters
from brokers.sandbox.wire.binance.refusals import refuse

NOTHING_REQUIRED = "99999999.99999999"
"""The ratio of an account without any requirement."""

REDUCES_ONLY_FROM = Decimal("1.2")
STATES = ((Decimal("1.5"), "NORMAL"), (REDUCES_ONLY_FROM, "MARGIN_CALL"), (Decimal("1.05"), "REDUCE_ONLY"))
"""Above which ratio an account is in which state."""

LOAN_REFUSALS = MappingProxyType(
    {
        Refusal.AMOUNT: -1102,
        Refusal.NO_DEBT: -3015,
        Refusal.REPAY_TOO_MUCH: -3015,
        Refusal.INSUFFICIENT_BALANCE: -3041,
    }
)
"""What the loan desk says; of anything else that it takes nothing back."""

FIGURES = ("initialMargin", "maintMargin", "positionInitialMargin", "openOrderInitialMargin", "updateTime")


def ratio_of(pool: PoolFigures) -> Decimal | None:
    """Return `uniMMR`; `None` where nothing is required."""
    return pool.margin_balance / pool.maintenance_margin if pool.maintenance_margin > 0 else None


class PortfolioDesk:
    """Answer for the account as a whole."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._engine = wire.engine

    def account(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /papi/v1/account`."""
        del request
        figures = self._engine.figures(account)
        pool = figures.pool(ACCOUNT_POOL)
        assert pool is not None  # noqa: S101 - a portfolio account has it
        ratio = ratio_of(pool)
        state = next((word for least, word in STATES if ratio is None or ratio > least), "FORCE_LIQUIDATION")
        return WireAnswer(
            payload={
                "uniMMR": NOTHING_REQUIRED if ratio is None else money(ratio),
                "accountEquity": money(pool.margin_balance),
                "actualEquity": money(pool.equity),
                "accountInitialMargin": money(pool.initial_margin),
                "accountMaintMargin": money(pool.maintenance_margin),
                "accountStatus": state,
                "virtualMaxWithdrawAmount": money(pool.available),
                "totalAvailableBalance": money(pool.available),
                "totalMarginOpenLoss": "0",
                "updateTime": self._wire.stamp(figures.ms),
            }
        )

    def may_open(self, account: str) -> bool:
        """Tell whether the account may do more than reduce: the venue stops it at the last state but one."""
        pool = self._engine.figures(account).pool(ACCOUNT_POOL)
        ratio = None if pool is None else ratio_of(pool)
        return ratio is None or ratio > REDUCES_ONLY_FROM

    def balance(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /papi/v1/balance`."""
        del request
        positions = self._engine.figures(account).positions
        kinds = {row.symbol: self._engine.instrument(row.symbol).kind for row in positions}
        rows = []
        for coin in self._engine.figures(account).coins:
            pnl = dict.fromkeys(ContractKind, ZERO)
            for row in positions:
                if row.settle == coin.currency:
                    pnl[kinds[row.symbol]] += row.unrealized_pnl
            rows.append(self._balance(account, coin, pnl[ContractKind.LINEAR], pnl[ContractKind.INVERSE]))
        return WireAnswer(payload=rows)

    def repay(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `POST /papi/v1/repayLoan`: out of the asset's own cross margin balance."""
        asked = Parameters(request)
        amount = asked.number("amount")
        if amount is None:
            raise refuse(-1102, "Mandatory parameter 'amount' was not sent, was empty/null, or malformed.")
        try:
            done = self._engine.repay(account, asked.required("asset"), amount)
        except Rejection as rejection:
            raise refuse(LOAN_REFUSALS.get(rejection.reason, -3010)) from None
        return WireAnswer(payload={"tranId": done.sequence})

    def _balance(self, account: str, coin: CoinFigures, linear: Decimal, inverse: Decimal) -> dict[str, Any]:
        """Return an asset's row: what is there of a loan lies on the cross margin side."""
        lent = self._engine.repayable(account, coin.currency)
        return {
            "asset": coin.currency,
            "totalWalletBalance": money(coin.wallet_balance),
            "crossMarginAsset": money(lent),
            "crossMarginBorrowed": money(coin.borrowed),
            "crossMarginFree": money(lent),
            "crossMarginInterest": money(coin.interest),
            "crossMarginLocked": money(ZERO),
            "umWalletBalance": money(coin.wallet_balance - lent),
            "umUnrealizedPNL": money(linear),
            "cmWalletBalance": money(ZERO),
            "cmUnrealizedPNL": money(inverse),
            "updateTime": self._wire.stamp(coin.updated_ms),
            "negativeBalance": money(max(ZERO, -coin.wallet_balance)),
        }


class UmDesk(AccountDesk):
    """Answer for its USD-M positions: margins in the account's rows, leverage in those of `positionRisk`."""

    def account(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /papi/v1/um/account`."""
        del request
        rows = self._rows(account, self._engine.figures(account))
        return WireAnswer(payload={"assets": [], "positions": [self._detail(row) for row in rows]})

    def position_risk(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /papi/v1/um/positionRisk`."""
        del request
        names = ("symbol", "positionSide", "positionAmt", "entryPrice", "markPrice", "unRealizedProfit")
        more = ("liquidationPrice", "notional", "updateTime")
        rows = self._rows(account, self._engine.figures(account))
        return WireAnswer(payload=[{name: row[name] for name in (*names, *more)} for row in rows])

    def _detail(self, row: dict[str, Any]) -> dict[str, Any]:
        shared = ("symbol", "positionSide", "positionAmt", "entryPrice")
        figures = {name: row[name] for name in (*shared, *FIGURES)}
        return {
            **figures,
            "unrealizedProfit": row["unRealizedProfit"],
            "maxNotional": bare(Decimal(10_000_000)),
        }


class CmDesk(CoinAccountDesk):
    """Answer for its COIN-M positions."""

    def account(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /papi/v1/cm/account`."""
        payload = super().account(request, account).payload
        return WireAnswer(payload={"assets": [], "positions": payload["positions"]})

    def position_risk(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /papi/v1/cm/positionRisk`: nothing here is isolated."""
        rows = super().position_risk(request, account).payload
        hidden = {"marginType", "isolatedMargin", "isolatedWallet", "isAutoAddMargin"}
        return WireAnswer(payload=[{k: v for k, v in row.items() if k not in hidden} for row in rows])


def listings(wire: Wire) -> tuple[Listing, Listing]:
    """Return what the account trades: USD-M and COIN-M."""
    return Listing(wire.engine), Listing(wire.engine, ContractKind.INVERSE)
