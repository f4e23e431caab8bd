"""Ccxt's own `krakenfutures` class, as it comes out of the box, trades against the wire."""

from collections.abc import AsyncIterator

import ccxt.async_support as ccxt
import pytest

from brokers.profile import Json
from brokers.sandbox.engine import Engine
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.wire.krakenfutures.wire import KrakenFuturesWire

pytestmark = pytest.mark.wire

SYMBOL = "BTC/USD:USD"


@pytest.fixture
async def exchange(engine: Engine) -> AsyncIterator[Json]:
    async with SandboxServer(KrakenFuturesWire(engine)) as server:
        kraken = ccxt.krakenfutures({"apiKey": "flex", "secret": "ZmxleA==", "enableRateLimit": False})
        trading = f"{server.url}/derivatives/api/"
        kraken.urls["api"] = {
            "public": trading,
            "private": trading,
            "history": f"{server.url}/api/history/",
            "charts": f"{server.url}/api/charts/",
        }
        try:
            await kraken.load_markets()
            yield kraken
        finally:
            await kraken.close()


async def test_markets_wallet_and_positions(exchange: Json) -> None:
    market = exchange.market(SYMBOL)
    assert (market["id"], market["linear"], market["precision"]["amount"]) == ("PF_XBTUSD", True, 0.0001)
    assert exchange.market("BTC/USD:BTC")["inverse"] is True
    balance = await exchange.fetch_balance()
    assert balance["info"]["accounts"]["flex"]["marginEquity"] == 18_500
    positions = {p["symbol"]: p for p in await exchange.fetch_positions()}
    assert (positions[SYMBOL]["side"], positions[SYMBOL]["contracts"]) == ("long", 0.5)
    assert positions["ETH/USD:USD"]["marginMode"] == "isolated"
    tiers = await exchange.fetch_leverage_tiers([SYMBOL])
    assert (tiers[SYMBOL][0]["maintenanceMarginRate"], tiers[SYMBOL][0]["maxLeverage"]) == (0.05, 10)


async def test_orders_are_placed_found_and_cancelled(exchange: Json) -> None:
    params = {"reduceOnly": True, "clientOrderId": "abc"}
    placed = await exchange.create_order(SYMBOL, "market", "sell", 0.1, None, params)
    assert placed["id"]
    with pytest.raises(ccxt.DuplicateOrderId):
        await exchange.create_order(SYMBOL, "market", "sell", 0.1, None, params)
    with pytest.raises(ccxt.OrderNotFillable):
        await exchange.create_order(SYMBOL, "limit", "sell", 0.1, 61_000, {"timeInForce": "ioc"})
    resting = await exchange.create_order(SYMBOL, "limit", "sell", 0.1, 70_000, {"reduceOnly": True})
    stop = await exchange.create_order(SYMBOL, "market", "sell", 0.1, None, {"stopLossPrice": 40_000})
    found = {order["id"] for order in await exchange.fetch_open_orders()}
    assert found == {resting["id"], stop["id"]}
    await exchange.cancel_orders([resting["id"]], SYMBOL)
    assert [order["id"] for order in await exchange.fetch_open_orders()] == [stop["id"]]
    assert [trade["order"] for trade in await exchange.fetch_my_trades()] == [placed["id"]]
