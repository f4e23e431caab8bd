"""Payloads as Kraken documents them: `TradeBalance`, `OpenPositions`, `AssetPairs`, and orders."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest

from brokers.hooks import SnapshotContext
from brokers.models import AccountId, AccountSnapshot, MarketRules, Symbol
from brokers.orders import ClientOrderId, ReduceOrder
from brokers.venues.kraken.spot.markets import read_pairs
from brokers.venues.kraken.spot.snapshot import SPOT_MARGIN, RawSnapshot, read_snapshot

Row = dict[str, Any]

NOW = datetime(2026, 3, 2, 12, 0, 1, tzinfo=UTC)
ASKED = NOW - timedelta(milliseconds=300)
OWN_ID = ClientOrderId("0123456789abcdef0123456789abcdef")


def pair(altname: str, wsname: str, **more: object) -> Row:
    """A row of `AssetPairs`, with the fields of Kraken's live list."""
    base, quote = wsname.split("/")
    return {
        "altname": altname,
        "wsname": wsname,
        "base": f"X{base}" if len(base) == 3 else base,
        "quote": f"Z{quote}",
        "pair_decimals": 1,
        "lot_decimals": 8,
        "leverage_buy": [2, 3, 4, 5],
        "leverage_sell": [2, 3, 4, 5],
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": "0.0001",
        "costmin": "0.5",
        "tick_size": "0.1",
        "status": "online",
        **more,
    }


PAIRS = {
    "XXBTZUSD": pair("XBTUSD", "XBT/USD"),
    "XETHZEUR": pair("ETHEUR", "ETH/EUR"),
    "ZEURZUSD": pair("EURUSD", "EUR/USD", base="ZEUR"),
    "XXBTZEUR": pair("XBTEUR", "XBT/EUR", leverage_sell=[2, 3], margin_stop=45, margin_call=90),
    "ADAETH": pair("ADAETH", "ADA/ETH", leverage_buy=[], leverage_sell=[]),
}

SAMPLE = {
    "eb": "1101.3425",
    "tb": "392.2264",
    "m": "7.0354",
    "n": "-10.0232",
    "c": "21.1063",
    "v": "31.1297",
    "e": "382.2032",
    "mf": "375.1678",
    "ml": "5432.57",
}
"""Kraken's own sample of a trade balance."""

SMALL = {
    "pair": "XXBTZUSD",
    "type": "buy",
    "ordertxid": "OAAAAA-AAAAA-AAAAAA",
    "posstatus": "open",
    "time": 1640000000.5,
    "cost": "35.1770",
    "fee": "0.05",
    "vol": "0.0010",
    "vol_closed": "0.0000",
    "margin": "7.0354",
    "value": "31.1297",
    "net": "-4.0473",
    "terms": "0.0100% per 4 hours",
}
"""A position with the sample's used margin and valuation."""


def answer(result: object) -> Row:
    return {"error": [], "result": result}


@pytest.fixture
def markets() -> MappingProxyType[Symbol, MarketRules]:
    return MappingProxyType(read_pairs(answer(PAIRS)))


@pytest.fixture
def see(markets: MappingProxyType[Symbol, MarketRules]) -> Callable[..., AccountSnapshot]:
    """Read a snapshot of a trade balance and some positions."""

    def read(
        balance: object = SAMPLE, positions: object = None, rates: dict[str, Decimal] | None = None
    ) -> AccountSnapshot:
        raw = RawSnapshot(
            balance=answer(balance),
            positions=answer({"T1": SMALL} if positions is None else positions),
            rates=rates or {},
            asked_at=ASKED,
        )
        context = SnapshotContext(
            account_id=AccountId("kraken-main"),
            broker="kraken",
            product="spot",
            now=NOW,
            mode=SPOT_MARGIN,
            markets=markets,
        )
        return read_snapshot(raw, context)

    return read


@pytest.fixture
def reduce_btc(see: Callable[..., AccountSnapshot]) -> Callable[..., ReduceOrder]:
    """Reduce the long bitcoin position."""

    def build(quantity: str = "0.0004", price: str | None = None, **row: object) -> ReduceOrder:
        (held,) = see(positions={"T1": SMALL | row}).positions
        return ReduceOrder(
            position=held,
            quantity=Decimal(quantity),
            client_order_id=OWN_ID,
            deadline=NOW + timedelta(seconds=6),
            limit_price=None if price is None else Decimal(price),
        )

    return build
