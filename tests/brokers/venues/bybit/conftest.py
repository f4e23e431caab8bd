"""Raw Bybit payloads as the documentation shows them, and the way from them to a snapshot."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.hooks import SnapshotContext
from brokers.models import (
    AccountId,
    AccountMode,
    AccountSnapshot,
    ContractKind,
    FindingCode,
    MarketRules,
    Position,
    Side,
    Symbol,
)
from brokers.models import MarginMode as Mode
from brokers.venues.bybit.contracts import Category
from brokers.venues.bybit.positions import SweptRow
from brokers.venues.bybit.snapshot import UnifiedAnswers, account_mode, read_snapshot
from brokers.venues.bybit.wallet import AccountInfo, read_wallet

NOW = datetime(2023, 1, 1, tzinfo=UTC)
TIME = 1_672_531_199_500

Payload = dict[str, Any]
MakeSnapshot = Callable[..., AccountSnapshot]


@pytest.fixture
def cross_wallet() -> Payload:
    """Bybit docs, wallet-balance sample (cross margin), shortened; the coin without `availableToWithdraw`."""
    return {
        "retCode": 0,
        "retMsg": "OK",
        "result": {
            "list": [
                {
                    "accountType": "UNIFIED",
                    "totalEquity": "18070.32797922",
                    "totalMarginBalance": "18070.32797922",
                    "totalInitialMargin": "182.60183684",
                    "totalMaintenanceMargin": "0.38106773",
                    "totalAvailableBalance": "17887.72614237",
                    "totalWalletBalance": "18070.43799271",
                    "totalPerpUPL": "-0.11001349",
                    "accountIMRate": "0.0101",
                    "accountMMRate": "0",
                    "accountLTV": "0.017",
                    "coin": [
                        {
                            "coin": "BTC",
                            "equity": "0.805994",
                            "usdValue": "12920.95352538",
                            "walletBalance": "0.805994",
                            "unrealisedPnl": "0",
                            "borrowAmount": "0",
                            "accruedInterest": "0",
                            "totalOrderIM": "0",
                            "totalPositionIM": "0",
                            "totalPositionMM": "0",
                            "locked": "0",
                            "bonus": "0",
                            "availableToWithdraw": "",
                        }
                    ],
                }
            ]
        },
        "retExtInfo": {},
        "time": TIME,
    }


@pytest.fixture
def isolated_wallet() -> Payload:
    """A wallet in isolated margin: every total is empty. Source: ccxt issue #24878."""
    return {
        "retCode": 0,
        "retMsg": "OK",
        "result": {
            "list": [
                {
                    "accountType": "UNIFIED",
                    "totalEquity": "3968.01",
                    "totalMarginBalance": "",
                    "totalInitialMargin": "",
                    "totalMaintenanceMargin": "",
                    "totalAvailableBalance": "",
                    "totalWalletBalance": "",
                    "totalPerpUPL": "",
                    "accountIMRate": "",
                    "accountMMRate": "",
                    "accountLTV": "",
                    "coin": [
                        {
                            "coin": "USDT",
                            "equity": "3967.36309513",
                            "usdValue": "3968.01",
                            "walletBalance": "4271.12149513",
                            "unrealisedPnl": "-303.7584",
                            "borrowAmount": "0",
                            "accruedInterest": "0",
                            "totalOrderIM": "0",
                            "totalPositionIM": "2466.37380399",
                            "totalPositionMM": "42.31621371",
                            "locked": "0",
                            "bonus": "0",
                            "availableToWithdraw": "",
                        }
                    ],
                }
            ]
        },
        "retExtInfo": {},
        "time": TIME,
    }


@pytest.fixture
def ltc_row() -> Payload:
    """A linear position. Source: ccxt static response tests for Bybit, shortened."""
    return {
        "symbol": "LTCUSDT",
        "side": "Buy",
        "size": "1.2",
        "positionIdx": "0",
        "leverage": "6",
        "avgPrice": "64.59947917",
        "markPrice": "71.1",
        "positionValue": "77.519375",
        "positionIM": "12.95542633",
        "positionMM": "0.81072399",
        "positionBalance": "11.699649",
        "unrealisedPnl": "7.800625",
        "liqPrice": "",
        "positionStatus": "Normal",
        "updatedTime": "1672531190000",
    }


@pytest.fixture
def btcusd_row() -> Payload:
    """An inverse position. Source: Bybit docs, position list sample."""
    return {
        "symbol": "BTCUSD",
        "side": "Sell",
        "size": "300",
        "positionIdx": 0,
        "leverage": "10",
        "avgPrice": "27464.50441675",
        "markPrice": "28224.50",
        "positionValue": "0.01092319",
        "positionIM": "0.00010923",
        "positionMM": "0.0000015",
        "positionBalance": "0.00139186",
        "unrealisedPnl": "-0.00029413",
        "liqPrice": "",
        "positionStatus": "Normal",
        "updatedTime": "1697673600012",
    }


@pytest.fixture
def account_of() -> Callable[[Payload], Payload]:
    """Reach the one account row inside a wallet payload."""
    return lambda wallet: wallet["result"]["list"][0]


@pytest.fixture
def snapshot() -> MakeSnapshot:
    """Read a snapshot from raw payloads: `snapshot(wallet, rows, mode=..., status=..., category=...)`."""

    def make(
        wallet: Payload,
        rows: Sequence[Mapping[str, Any]] = (),
        *,
        mode: str = "REGULAR_MARGIN",
        status: int | None = 5,
        category: Category = Category.LINEAR,
        times: tuple[datetime | None, ...] = (NOW,),
        markets: Mapping[Symbol, MarketRules] | None = None,
        known: AccountMode | None = None,
    ) -> AccountSnapshot:
        modes = {
            "REGULAR_MARGIN": Mode.CROSS,
            "ISOLATED_MARGIN": Mode.ISOLATED,
            "PORTFOLIO_MARGIN": Mode.PORTFOLIO,
        }
        answers = UnifiedAnswers(
            info=AccountInfo(label=mode, margin_mode=modes.get(mode), status=status),
            wallet=read_wallet(wallet),
            rows=tuple(
                SweptRow(category=category, settle="USDT" if category is Category.LINEAR else None, row=row)
                for row in rows
            ),
            times=times,
        )
        context = SnapshotContext(
            account_id=AccountId("main"),
            broker="bybit",
            product="unified",
            now=NOW,
            mode=known or account_mode(answers.info),
            markets=markets or {},
        )
        return read_snapshot(answers, context)

    return make


@pytest.fixture
def codes() -> Callable[[AccountSnapshot], set[FindingCode]]:
    """What a snapshot's findings are about."""
    return lambda snapshot: {finding.code for finding in snapshot.findings}


@pytest.fixture
def percent() -> Callable[[Decimal, Decimal, str], Decimal]:
    """A share in percent, rounded as the worked examples print it."""
    return lambda part, whole, places: (part / whole * 100).quantize(Decimal(places))


@pytest.fixture
def held() -> Callable[..., Position]:
    """Build a position to reduce."""

    def make(symbol: str = "BTCUSDT", *, side: Side = Side.LONG, hedged: bool = False) -> Position:
        return Position(
            symbol=Symbol(symbol),
            unit="account",
            side=side,
            quantity=Decimal("2.5"),
            settle="USDT",
            kind=ContractKind.LINEAR,
            margin_mode=Mode.CROSS,
            hedged=hedged,
            entry_price=Decimal(60000),
            mark_price=Decimal(61000),
            notional=Decimal(152500),
            initial_margin=Decimal(15250),
            maintenance_margin=Decimal(762),
            unrealized_pnl=Decimal(2500),
        )

    return make
