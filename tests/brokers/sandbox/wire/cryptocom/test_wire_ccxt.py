"""Ccxt's own `cryptocom` class, as it comes out of the box, trades against the wire."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import ccxt.async_support as ccxt
import pytest

from brokers.profile import Json
from brokers.sandbox.engine import Engine
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.wire.cryptocom.wire import CryptocomWire

pytestmark = pytest.mark.wire

SYMBOL = "BTC/USD:USD"


@pytest.fixture
async def exchange(engine: Engine) -> AsyncIterator[Json]:
    now = Engine(replace(engine.spec, start_ms=round(time.time() * 1000)))
    async with SandboxServer(CryptocomWire(now)) as server:
        client = ccxt.cryptocom({"apiKey": "cross", "secret": "ssorc", "rateLimit": 40})
        client.urls["api"] = {"v1": f"{server.url}/exchange/v1"}
        client.has["fetchCurrencies"] = False
        try:
            await client.load_markets()
            yield client
        finally:
            await client.close()


async def test_markets_are_perpetuals_in_base_coin(exchange: Json) -> None:
    market = exchange.market(SYMBOL)
    assert (market["id"], market["contractSize"], market["linear"]) == ("BTCUSD-PERP", 1, True)
    assert market["precision"] == {"amount": 0.0001, "price": 0.1}


async def test_balance_and_positions(exchange: Json) -> None:
    balance = await exchange.fetch_balance()
    assert balance["USD"]["total"] == pytest.approx(20_000, abs=200)
    assert Decimal(balance["info"]["result"]["data"][0]["total_position_im"]) == pytest.approx(
        6_600, rel=0.01
    )
    positions = {p["symbol"]: p for p in await exchange.fetch_positions()}
    assert (positions[SYMBOL]["side"], positions[SYMBOL]["contracts"]) == ("long", 1)
    assert (positions["ETH/USD:USD"]["side"], positions["ETH/USD:USD"]["contracts"]) == ("short", 2)


async def test_a_position_is_closed_in_part_and_the_order_found(exchange: Json) -> None:
    closed = await exchange.close_position(SYMBOL, None, {"quantity": "0.25", "type": "MARKET"})
    order = await exchange.fetch_order(closed["id"], SYMBOL)
    assert (order["status"], order["side"], order["filled"]) == ("closed", "sell", 0.25)
    (history, *_) = await exchange.fetch_orders(SYMBOL)
    assert history["id"] == closed["id"]


async def test_orders_rest_and_are_cancelled(exchange: Json) -> None:
    params = {"client_oid": "mine", "timeInForce": "GTC"}
    placed = await exchange.create_order(SYMBOL, "limit", "buy", 0.01, 50_000, params)
    (resting,) = await exchange.fetch_open_orders(SYMBOL)
    assert (resting["id"], resting["clientOrderId"]) == (placed["id"], "mine")
    with pytest.raises(ccxt.ExchangeError, match="204"):
        await exchange.create_order(SYMBOL, "limit", "buy", 0.01, 50_000, params)
    await exchange.cancel_order(placed["id"], SYMBOL)
    assert await exchange.fetch_open_orders(SYMBOL) == []


async def test_an_immediate_order_does_not_rest(exchange: Json) -> None:
    placed = await exchange.create_order(SYMBOL, "limit", "buy", 0.01, 50_000, {"timeInForce": "IOC"})
    assert (await exchange.fetch_order(placed["id"], SYMBOL))["status"] == "canceled"


async def test_ccxts_reduce_only_flag_breaks_its_own_signature(exchange: Json) -> None:
    with pytest.raises(ccxt.AuthenticationError):
        await exchange.create_order(SYMBOL, "market", "sell", 0.1, None, {"reduceOnly": True})


async def test_a_wrong_secret_is_an_authentication_error(exchange: Json) -> None:
    exchange.secret = "wrong"
    with pytest.raises(ccxt.AuthenticationError):
        await exchange.fetch_balance()
