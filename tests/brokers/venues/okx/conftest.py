"""Payloads as OKX sends them, built from its documented samples."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from brokers.hooks import SnapshotContext
from brokers.models import AccountId, AccountSnapshot, MarketRules, Symbol
from brokers.venues.okx.account import account_mode, read_config
from brokers.venues.okx.markets import read_instruments
from brokers.venues.okx.snapshot import RawSnapshot, read_snapshot

NOW = datetime(2025, 7, 11, 14, 15, 40, tzinfo=UTC)
NOW_MS = "1752243339082"  # a second before NOW

Row = dict[str, Any]


def answer(*rows: Row, code: str = "0", msg: str = "") -> Row:
    return {"code": code, "data": list(rows), "msg": msg}


@pytest.fixture
def envelope() -> Callable[..., Row]:
    return answer


@pytest.fixture
def config_row() -> Row:
    """A sample from ccxt: `fetch_accounts` sample of `account/config`."""
    return {
        "acctLv": "3",
        "autoLoan": False,
        "ctIsoMode": "automatic",
        "ip": "203.0.113.7",
        "kycLv": "3",
        "label": "v5 test",
        "level": "Lv1",
        "liquidationGear": "-1",
        "mainUid": "44705892343619584",
        "perm": "read_only,trade",
        "posMode": "net_mode",
        "uid": "44705892343619584",
    }


INSTRUMENTS = (
    # OKX docs, public/instruments; maxMktSz and steps of the live list
    {
        "instType": "SWAP",
        "instId": "BTC-USDT-SWAP",
        "uly": "BTC-USDT",
        "instFamily": "BTC-USDT",
        "baseCcy": "",
        "quoteCcy": "",
        "settleCcy": "USDT",
        "ctVal": "0.01",
        "ctMult": "1",
        "ctValCcy": "BTC",
        "ctType": "linear",
        "lotSz": "0.01",
        "minSz": "0.01",
        "tickSz": "0.1",
        "maxMktSz": "12000",
        "maxLmtSz": "100000000",
        "lever": "100",
        "state": "live",
    },
    {
        "instType": "SWAP",
        "instId": "BTC-USD-SWAP",
        "uly": "BTC-USD",
        "instFamily": "BTC-USD",
        "settleCcy": "BTC",
        "ctVal": "100",
        "ctMult": "1",
        "ctValCcy": "USD",
        "ctType": "inverse",
        "lotSz": "1",
        "minSz": "1",
        "tickSz": "0.1",
        "maxMktSz": "50000",
        "maxLmtSz": "1000000",
        "state": "live",
    },
    {
        "instType": "SWAP",
        "instId": "LTC-USDT-SWAP",
        "uly": "LTC-USDT",
        "instFamily": "LTC-USDT",
        "settleCcy": "USDT",
        "ctVal": "1",
        "ctMult": "",
        "ctValCcy": "LTC",
        "ctType": "linear",
        "lotSz": "0.001",
        "minSz": "0.001",
        "tickSz": "0.01",
        "maxMktSz": "",
        "maxLmtSz": "",
        "state": "live",
    },
    {
        "instType": "MARGIN",
        "instId": "BTC-USDT",
        "uly": "",
        "instFamily": "",
        "baseCcy": "BTC",
        "quoteCcy": "USDT",
        "settleCcy": "",
        "ctVal": "",
        "ctMult": "",
        "ctValCcy": "",
        "ctType": "",
        "lotSz": "0.00000001",
        "minSz": "0.00001",
        "tickSz": "0.1",
        "maxMktSz": "1000000",
        "maxLmtSz": "9999999999",
        "lever": "10",
        "state": "live",
    },
    # announced instruments come with little more than a name (ccxt's `parse_market` notes)
    {"instId": "ETH-USD_UM-SWAP", "instType": "SWAP", "state": "preopen"},
)


@pytest.fixture
def instruments() -> Row:
    return answer(*deepcopy(INSTRUMENTS))


@pytest.fixture
def markets(instruments: Row) -> dict[Symbol, MarketRules]:
    return read_instruments(instruments)


@pytest.fixture
def context_of(config_row: Row, markets: dict[Symbol, MarketRules]) -> Callable[..., SnapshotContext]:
    """A parser's context at one account level."""

    def build(level: str = "3", **changes: object) -> SnapshotContext:
        config = read_config(answer({**config_row, "acctLv": level, **changes}))
        return SnapshotContext(
            account_id=AccountId("okx-main"),
            broker="okx",
            product="unified",
            now=NOW,
            mode=account_mode(config),
            markets=MappingProxyType(markets),
        )

    return build


@pytest.fixture
def pooled_row() -> Row:
    """A sample from ccxt: its static balance test, with a shortened and illustrative currency row."""
    return {
        "totalEq": "43749372.50896299",
        "adjEq": "152550.80919105993",
        "imr": "101.55251216636945",
        "mmr": "9.073149592403611",
        "mgnRatio": "15986.632239614408",
        "availEq": "151083.76008402856",
        "borrowFroz": "88.21717883303612",
        "ordFroz": "13.335333333333333",
        "notionalUsd": "441.0858941651806",
        "isoEq": "0",
        "uTime": NOW_MS,
        "details": [
            {
                "ccy": "USDT",
                "eq": "0.000258796",
                "eqUsd": "0.00025874",
                "cashBal": "0.000258796",
                "availEq": "0",
                "frozenBal": "441.02",
                "liab": "12",
                "interest": "0.1",
                "imr": "",
                "mmr": "",
                "mgnRatio": "",
            }
        ],
    }


@pytest.fixture
def futures_row() -> Row:
    """A futures-mode account: its own figures are empty, each currency states its own."""
    return {
        "adjEq": "",
        "availEq": "",
        "borrowFroz": "",
        "imr": "",
        "isoEq": "300",
        "mgnRatio": "",
        "mmr": "",
        "notionalUsd": "",
        "ordFroz": "",
        "totalEq": "12000",
        "uTime": NOW_MS,
        "upl": "",
        "details": [
            {
                "ccy": "USDT",
                "eq": "5300",
                "eqUsd": "5299.1",
                "cashBal": "5200",
                "availEq": "3000",
                "isoEq": "300",
                "isoUpl": "-20",
                "upl": "80",
                "imr": "2000",
                "mmr": "160",
                "mgnRatio": "27.5",
                "ordFrozen": "0",
                "stgyEq": "0",
                "liab": "",
                "interest": "",
            },
            {
                "ccy": "BTC",
                "eq": "0.5",
                "eqUsd": "30000",
                "cashBal": "0.5",
                "availEq": "0.3",
                "isoEq": "0",
                "imr": "0.1",
                "mmr": "0.008",
                "mgnRatio": "55.5",
                "ordFrozen": "0",
            },
            {
                "ccy": "OKB",
                "eq": "3",
                "eqUsd": "150",
                "cashBal": "3",
                "availEq": "3",
                "isoEq": "0",
                "imr": "",
                "mmr": "",
                "mgnRatio": "",
            },
        ],
    }


@pytest.fixture
def swap_row() -> Row:
    """A long of 100 contracts (1 BTC) in net mode at 60,000."""
    return {
        "instType": "SWAP",
        "instId": "BTC-USDT-SWAP",
        "pos": "100",
        "posSide": "net",
        "mgnMode": "cross",
        "ccy": "USDT",
        "avgPx": "59000",
        "markPx": "60000",
        "notionalUsd": "59970",
        "usdPx": "0.9995",
        "imr": "12000",
        "margin": "",
        "mmr": "240",
        "mgnRatio": "12.5",
        "upl": "1000",
        "lever": "5",
        "liqPx": "41234.5",
        "adl": "1",
        "uTime": "1752100000000",
    }


@pytest.fixture
def inverse_row() -> Row:
    """A short of 300 contracts of 100 USD at 60,000: 0.5 BTC."""
    return {
        "instType": "SWAP",
        "instId": "BTC-USD-SWAP",
        "pos": "-300",
        "posSide": "net",
        "mgnMode": "cross",
        "ccy": "BTC",
        "avgPx": "61000",
        "markPx": "60000",
        "notionalUsd": "30000",
        "usdPx": "60000",
        "imr": "0.1",
        "margin": "",
        "mmr": "0.004",
        "mgnRatio": "55.5",
        "upl": "0.0082",
        "lever": "5",
        "liqPx": "",
        "uTime": "1752100000000",
    }


@pytest.fixture
def isolated_row() -> Row:
    """A short leg of 10 contracts (0.1 BTC) with its own margin."""
    return {
        "instType": "SWAP",
        "instId": "BTC-USDT-SWAP",
        "pos": "10",
        "posSide": "short",
        "mgnMode": "isolated",
        "ccy": "USDT",
        "avgPx": "59800",
        "markPx": "60000",
        "notionalUsd": "5997",
        "usdPx": "0.9995",
        "imr": "",
        "margin": "320",
        "mmr": "24",
        "mgnRatio": "11.11",
        "upl": "-20",
        "lever": "20",
        "liqPx": "62500",
        "uTime": "1752100000000",
    }


@pytest.fixture
def parse(context_of: Callable[..., SnapshotContext]) -> Callable[..., AccountSnapshot]:
    """Parse one balance row and any position rows at an account level."""

    def read(balance: Row, *positions: Row, level: str = "3", **config: object) -> AccountSnapshot:
        raw = RawSnapshot(balance=answer(balance), positions=answer(*positions))
        return read_snapshot(raw, context_of(level, **config))

    return read
