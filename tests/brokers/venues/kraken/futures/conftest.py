"""Payloads as Kraken Futures sends them, built from its documented samples and published fixtures."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest

from brokers.hooks import SnapshotContext
from brokers.models import AccountId, AccountSnapshot, MarketRules, Symbol
from brokers.orders import ClientOrderId, ReduceOrder
from brokers.venues.kraken.futures.markets import read_instruments
from brokers.venues.kraken.futures.snapshot import RawSnapshot, account_mode, read_snapshot

Row = dict[str, Any]

NOW = datetime(2025, 11, 17, 0, 34, 38, tzinfo=UTC)
SERVER_TIME = "2025-11-17T00:34:37.524Z"  # half a second before NOW
OWN_ID = ClientOrderId("0123456789abcdef0123456789abcdef")

TWO_LEVELS = [
    {"numNonContractUnits": 0.0, "initialMargin": 0.02, "maintenanceMargin": 0.01},
    {"numNonContractUnits": 1000000.0, "initialMargin": 0.04, "maintenanceMargin": 0.02},
]


def instrument(symbol: str, kind: str = "flexible_futures", **more: object) -> Row:
    """A row of `instruments`; the fields are those of Kraken's live list."""
    return {
        "symbol": symbol,
        "type": kind,
        "tickSize": 0.5,
        "contractSize": 1,
        "tradeable": True,
        "marginLevels": deepcopy(TWO_LEVELS),
        "contractValueTradePrecision": 4,
        **more,
    }


INSTRUMENTS = (
    instrument("PF_XBTUSD", base="BTC", quote="USD"),
    instrument("FF_XBTUSD_260327", base="BTC", quote="USD", lastTradingTime="2026-03-27T08:00:00Z"),
    instrument("PF_LTCUSD", contractValueTradePrecision=2, tickSize=0.01),
    instrument("PF_AAPLxUSD", base="AAPLx", quote="USD", contractValueTradePrecision=2),
    instrument(
        "PI_XBTUSD",
        "futures_inverse",
        contractValueTradePrecision=0,
        marginLevels=[
            {"contracts": 0, "initialMargin": 0.02, "maintenanceMargin": 0.01},
            {"contracts": 500000, "initialMargin": 0.04, "maintenanceMargin": 0.02},
        ],
    ),
    {"symbol": "in_xbtusd", "type": "spot index", "tradeable": False},
)


def success(**parts: object) -> Row:
    return {"result": "success", **parts, "serverTime": SERVER_TIME}


def ticker(symbol: str, mark: float) -> Row:
    return {"symbol": symbol, "markPrice": mark, "suspended": False, "lastTime": "2025-11-17T00:31:01.83Z"}


TICKERS = (
    ticker("PF_XBTUSD", 90000.0),
    ticker("FF_XBTUSD_260327", 91000.0),
    ticker("PF_LTCUSD", 68.804),
    ticker("PI_XBTUSD", 80000.0),
)


FLEX = {
    "type": "multiCollateralMarginAccount",
    "currencies": {"USD": {"quantity": 20000.0, "value": 20000.0, "collateral": 20000.0}},
    "balanceValue": 20000.0,
    "portfolioValue": 10000.0,
    "collateralValue": 20000.0,
    "initialMargin": 2000.0,
    "initialMarginWithOrders": 2500.0,
    "maintenanceMargin": 1000.0,
    "pnl": -10000.0,
    "unrealizedFunding": 0.0,
    "totalUnrealized": -10000.0,
    "totalUnrealizedAsMargin": -10000.0,
    "marginEquity": 10000.0,
    "availableMargin": 7500.0,
}
"""A multi-collateral wallet with one long of a bitcoin from 100,000, at 90,000."""

LONG = {"side": "long", "symbol": "PF_XBTUSD", "price": 100000.0, "size": 1}
CASH = {"type": "cashAccount", "balances": {"xbt": "141.31756797", "usd": "10"}}


@pytest.fixture
def flex() -> Callable[..., Row]:
    """A multi-collateral wallet, with changes."""
    return lambda **changes: FLEX | changes


@pytest.fixture
def markets() -> MappingProxyType[Symbol, MarketRules]:
    return MappingProxyType(read_instruments(success(instruments=list(INSTRUMENTS))))


@pytest.fixture
def see(markets: MappingProxyType[Symbol, MarketRules]) -> Callable[..., AccountSnapshot]:
    """Read a snapshot of some positions, wallets and tickers."""

    def read(
        *positions: Row, wallets: Row | None = None, tickers: tuple[Row, ...] = TICKERS, **answers: Row
    ) -> AccountSnapshot:
        accounts = {"cash": CASH, **({"flex": FLEX} if wallets is None else wallets)}
        raw = RawSnapshot(
            accounts=answers.get("accounts", success(accounts=accounts)),
            positions=answers.get("positions", success(openPositions=list(positions))),
            tickers=answers.get("tickers_answer", success(tickers=list(tickers))),
        )
        context = SnapshotContext(
            account_id=AccountId("kraken-main"),
            broker="kraken",
            product="futures",
            now=NOW,
            mode=account_mode(success(accounts={"flex": FLEX})),
            markets=markets,
        )
        return read_snapshot(raw, context)

    return read


@pytest.fixture
def reduce_btc(see: Callable[..., AccountSnapshot]) -> Callable[..., ReduceOrder]:
    """Reduce the long bitcoin position."""

    def build(quantity: str = "0.4", price: str | None = None) -> ReduceOrder:
        (held,) = see(LONG).positions
        return ReduceOrder(
            position=held,
            quantity=Decimal(quantity),
            client_order_id=OWN_ID,
            deadline=NOW,
            limit_price=None if price is None else Decimal(price),
        )

    return build
