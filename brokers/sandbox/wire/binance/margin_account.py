"""Margin accounts as Binance prints them: cross in BTC and by asset, isolated by pair; and the loan desk.

Source: Binance docs, "Query Cross Margin Account Details", "Query Isolated Margin Account Info", "Get Summary
of Margin account", "Query Isolated Margin Tier Data", "Margin account borrow/repay".
"""

from collections.abc import Collection
from decimal import ROUND_DOWN, Decimal
from typing import Any

from brokers.numbers import ONE, ZERO
from brokers.sandbox.figures import ACCOUNT_POOL, AccountFigures, Balance, PositionFigures
from brokers.sandbox.history import Repaid
from brokers.sandbox.orders import Rejection
from brokers.sandbox.spec import Lending
from brokers.sandbox.wire.base import Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.binance.listing import EIGHT_PLACES, Listing, bare, money
from brokers.sandbox.wire.binance.margin_refusals import (
    NO_ACCOUNT,
    NOT_ENOUGH,
    REPAY_TOO_MUCH,
    loan_rejected,
    refuse,
)
from brokers.sandbox.wire.binance.parameters import Parameters
from brokers.sandbox.wire.binance.refusals import refuse as refuse_code

NO_DEBT = Decimal(999)
CALL = Decimal("1.3")
HOURS_PER_YEAR = Decimal(8760)

FREE_LEVEL = Decimal(2)
"""Above this margin level Binance lets collateral out again."""


def _lending(wire: Wire) -> Lending:
    lending = wire.engine.spec.rules.lending
    assert lending is not None  # noqa: S101 - a margin venue lends
    return lending


class LoanDesk:
    """Answer borrowing and repaying, and what they cost. `isolated`: whose debts these are."""

    def __init__(self, wire: Wire, listing: Listing, *, isolated: bool) -> None:
        self._wire = wire
        self._engine = wire.engine
        self._listing = listing
        self._isolated = isolated

    def borrow_or_repay(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `POST /sapi/v1/margin/borrow-repay`; nobody borrows by request in the sandbox."""
        asked = Parameters(request)
        asset, amount = asked.required("asset"), asked.number("amount")
        if asked.flag("isIsolated") is not self._isolated:
            raise refuse(NO_ACCOUNT)
        if asked.required("type") != "REPAY" or amount is None:
            raise refuse_code(-1130)
        pool = ACCOUNT_POOL
        if self._isolated:
            pool = f"{self._listing.instrument(asked.required('symbol')).name}:net"
        balance = self._engine.figures(account).balance(pool, asset)
        if balance is None or amount > balance.owed:
            raise refuse(REPAY_TOO_MUCH)
        if amount > balance.free:
            raise refuse(NOT_ENOUGH)
        try:
            done = self._engine.repay(account, asset, amount)
        except Rejection as rejection:
            raise loan_rejected(rejection) from None
        return WireAnswer(payload={"tranId": done.sequence})

    def records(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /sapi/v1/margin/borrow-repay`: repayments by request, latest first."""
        asked = Parameters(request)
        if asked.required("type") != "REPAY":
            return WireAnswer(payload={"rows": [], "total": 0})
        asset = asked.text("asset")
        rows = [
            {
                "type": "MANUAL",
                "amount": money(event.amount),
                "asset": event.currency,
                "interest": money(ZERO),
                "principal": money(event.amount),
                "status": "CONFIRMED",
                "timestamp": self._wire.stamp(event.ms),
                "txId": event.sequence,
            }
            for event in reversed(self._engine.history)
            if isinstance(event, Repaid) and event.account == account and asset in {None, event.currency}
        ]
        return WireAnswer(payload={"rows": rows, "total": len(rows)})

    def rates(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /sapi/v1/margin/next-hourly-interest-rate`."""
        del account
        assets = Parameters(request).required("assets").split(",")
        rows = []
        for asset in assets:
            try:
                apr = self._engine.asset(asset).borrow_apr
            except Rejection as rejection:
                raise loan_rejected(rejection) from None
            rows.append({"asset": asset, "nextHourlyInterestRate": money(apr / HOURS_PER_YEAR)})
        return WireAnswer(payload=rows)


class CrossAccountDesk:
    """Answer for the cross account. `pro` accounts state another margin level, and no more differs."""

    def __init__(self, wire: Wire, *, pro: Collection[str]) -> None:
        self._engine = wire.engine
        self._lending = _lending(wire)
        self._pro = frozenset(pro)

    def account(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /sapi/v1/margin/account`."""
        del request
        figures = self._engine.figures(account)
        balances = [balance for balance in figures.balances if balance.pool == ACCOUNT_POOL]
        assets = sum((self._usd(b.currency) * b.held for b in balances), ZERO)
        debts = sum((self._usd(b.currency) * b.owed for b in balances), ZERO)
        btc = self._usd("BTC")
        pro = account in self._pro
        frozen = ACCOUNT_POOL in {p.pool for p in figures.positions if p.in_liquidation}
        may_borrow = debts == ZERO or assets / debts > self._lending.initial
        return WireAnswer(
            payload={
                "created": True,
                "borrowEnabled": may_borrow,
                "marginLevel": _level(self._margin_level(assets, debts, pro=pro)),
                "collateralMarginLevel": _level(NO_DEBT if debts == ZERO else assets / debts),
                "totalAssetOfBtc": money(assets / btc),
                "totalLiabilityOfBtc": money(debts / btc),
                "totalNetAssetOfBtc": money((assets - debts) / btc),
                "TotalCollateralValueInUSDT": money(assets / self._usd("USDT")),
                "tradeEnabled": not frozen,
                "transferInEnabled": True,
                "transferOutEnabled": debts == ZERO or assets / debts > FREE_LEVEL,
                "accountType": "MARGIN_2" if pro else "MARGIN_1",
                "userAssets": [_asset(b) for b in balances],
            }
        )

    def levels(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /sapi/v1/margin/tradeCoeff`."""
        del request, account
        return WireAnswer(
            payload={
                "normalBar": bare(self._lending.initial),
                "marginCallBar": bare(CALL),
                "forceLiquidationBar": bare(self._lending.liquidation),
            }
        )

    def _margin_level(self, assets: Decimal, debts: Decimal, *, pro: bool) -> Decimal:
        """Return the level; a pro account's debts need what has it liquidated where others are."""
        if debts == ZERO:
            return NO_DEBT
        if not pro:
            return assets / debts
        return (assets - debts) / (debts * (self._lending.liquidation - ONE))

    def _usd(self, currency: str) -> Decimal:
        return self._engine.usd_price(currency)


class IsolatedAccountDesk:
    """Answer for the isolated pairs: those that hold a position, and the others empty."""

    def __init__(self, wire: Wire, listing: Listing) -> None:
        self._engine = wire.engine
        self._listing = listing
        self._lending = _lending(wire)

    def account(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /sapi/v1/margin/isolated/account`."""
        asked = Parameters(request).text("symbols")
        symbols = self._listing.symbols if asked is None else asked.split(",")
        figures = self._engine.figures(account)
        rows = [self._pair(symbol, figures) for symbol in symbols]
        totals = {"totalAssetOfBtc": ZERO, "totalLiabilityOfBtc": ZERO, "totalNetAssetOfBtc": ZERO}
        btc = self._engine.usd_price("BTC")
        for balance in figures.balances:
            if balance.pool != ACCOUNT_POOL:
                price = self._engine.usd_price(balance.currency) / btc
                totals["totalAssetOfBtc"] += balance.held * price
                totals["totalLiabilityOfBtc"] += balance.owed * price
                totals["totalNetAssetOfBtc"] += balance.net * price
        stated = {} if asked is not None else {name: money(total) for name, total in totals.items()}
        return WireAnswer(payload={"assets": rows, **stated})

    def tiers(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /sapi/v1/margin/isolatedMarginTier`."""
        del account
        symbol = Parameters(request).required("symbol")
        self._listing.instrument(symbol)
        row = {
            "symbol": symbol,
            "tier": 1,
            "effectiveMultiple": bare(self._multiple),
            "initialRiskRatio": bare(self._lending.initial),
            "liquidationRiskRatio": bare(self._lending.liquidation),
            "baseAssetMaxBorrowable": "9",
            "quoteAssetMaxBorrowable": "700000",
        }
        return WireAnswer(payload=[row])

    @property
    def _multiple(self) -> Decimal:
        return self._lending.initial / (self._lending.initial - ONE)

    def _pair(self, symbol: str, figures: AccountFigures) -> dict[str, Any]:
        one = self._listing.instrument(symbol)
        pool = f"{one.name}:net"
        base = figures.balance(pool, one.base) or _nothing(pool, one.base)
        quote = figures.balance(pool, one.quote) or _nothing(pool, one.quote)
        position = next((p for p in figures.positions if p.pool == pool), None)
        price = self._engine.ticker(one.name).mark
        held, owed = base.held * price + quote.held, base.owed * price + quote.owed
        level = NO_DEBT if owed == ZERO else held / owed
        at = self._liquidated_at(base, quote)
        return {
            "baseAsset": self._side(base),
            "quoteAsset": self._side(quote),
            "symbol": symbol,
            "isolatedCreated": True,
            "enabled": True,
            "marginLevel": _level(level),
            "marginLevelStatus": self._status(level, position),
            "marginRatio": bare(self._multiple),
            "indexPrice": money(price),
            "liquidatePrice": money(at),
            "liquidateRate": money(ZERO if price == ZERO else at / price),
            "tradeEnabled": position is None or not position.in_liquidation,
        }

    def _liquidated_at(self, base: Balance, quote: Balance) -> Decimal:
        """Return the price at which assets / debts is the liquidation ratio; 0: there is none."""
        ratio = self._lending.liquidation
        slope = base.held - ratio * base.owed
        price = (ratio * quote.owed - quote.held) / slope if slope else ZERO
        return max(price, ZERO)

    def _status(self, level: Decimal, position: PositionFigures | None) -> str:
        if position is not None and position.in_liquidation:
            return "FORCE_LIQUIDATION"
        if level > FREE_LEVEL:
            return "EXCESSIVE"
        return "NORMAL" if level > CALL else "MARGIN_CALL"

    def _side(self, balance: Balance) -> dict[str, Any]:
        usd, btc = self._engine.usd_price(balance.currency), self._engine.usd_price("BTC")
        return {
            **_asset(balance),
            "borrowEnabled": True,
            "netAssetOfBtc": money(balance.net * usd / btc),
            "repayEnabled": True,
            "totalAsset": money(balance.held),
        }


def _nothing(pool: str, currency: str) -> Balance:
    return Balance(pool=pool, currency=currency, held=ZERO, locked=ZERO, borrowed=ZERO, interest=ZERO)


def _asset(balance: Balance) -> dict[str, Any]:
    """Write amounts cut to eight places, so that the net amount is that of what is printed."""
    free, locked, borrowed, interest = (
        amount.quantize(EIGHT_PLACES, ROUND_DOWN)
        for amount in (balance.free, balance.locked, balance.borrowed, balance.interest)
    )
    return {
        "asset": balance.currency,
        "borrowed": money(borrowed),
        "free": money(free),
        "interest": money(interest),
        "locked": money(locked),
        "netAsset": money(free + locked - borrowed - interest),
    }


def _level(level: Decimal) -> str:
    return "999" if level >= NO_DEBT else money(level)
