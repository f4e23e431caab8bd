"""Ccxt's own `kraken` class, as it comes out of the box, trades against the wire."""

from collections.abc import AsyncIterator

import ccxt.async_support as ccxt
import pytest

from brokers.profile import Json
from brokers.sandbox.engine import Engine
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.wire.kraken.wire import KrakenWire

pytestmark = pytest.mark.wire

SYMBOL = "BTC/USD"


@pytest.fixture
async def exchange(engine: Engine) -> AsyncIterator[Json]:
    async with SandboxServer(KrakenWire(engine)) as server:
        kraken = ccxt.kraken({"apiKey": "desk", "secret": "ZGVzaw==", "enableRateLimit": False})
        kraken.urls["api"] = {"public": server.url, "private": server.url}
        try:
            await kraken.load_markets()
            yield kraken
        finally:
            await kraken.close()


async def test_markets_balance_and_positions(exchange: Json) -> None:
    market = exchange.market(SYMBOL)
    assert (market["id"], market["margin"], market["precision"]["amount"]) == ("XXBTZUSD", True, 1e-8)
    assert (await exchange.fetch_balance())["USD"]["total"] == 20_000
    rows = await exchange.fetch_positions()
    assert [(row["symbol"], row["side"], row["contracts"]) for row in rows[:2]] == [
        (SYMBOL, "long", 0.3),
        (SYMBOL, "long", 0.2),
    ]


async def test_a_margin_order_reduces_and_a_resting_one_is_cancelled(exchange: Json, engine: Engine) -> None:
    cut = {"leverage": 5, "reduceOnly": True, "clientOrderId": "0" * 31 + "7"}
    order = await exchange.create_order(SYMBOL, "market", "sell", 0.1, None, cut)
    assert float(engine.figures("desk").position("XXBTZUSD").quantity) == 0.4
    closed = await exchange.fetch_closed_orders()
    assert [(row["id"], row["filled"], row["status"]) for row in closed] == [(order["id"], 0.1, "closed")]
    for price in (70_000, 71_000):
        resting = {"leverage": 5, "reduceOnly": True}
        await exchange.create_order(SYMBOL, "limit", "sell", 0.1, price, resting)
    open_orders = await exchange.fetch_open_orders()
    assert {row["price"] for row in open_orders} == {70_000, 71_000}
    await exchange.cancel_orders([row["id"] for row in open_orders])
    assert await exchange.fetch_open_orders() == []


async def test_a_spot_order_is_refused_for_want_of_funds(exchange: Json) -> None:
    with pytest.raises(ccxt.InsufficientFunds):
        await exchange.create_order(SYMBOL, "market", "sell", 0.1, None, {"reduceOnly": True})
