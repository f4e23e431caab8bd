"""Ccxt's own `okx` class, as it comes out of the box, trades against the wire."""

from collections.abc import AsyncIterator
from decimal import Decimal

import ccxt.async_support as ccxt
import pytest

from brokers.profile import Json
from brokers.sandbox.engine import Engine
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.wire.okx.wire import OkxWire

pytestmark = pytest.mark.wire

SYMBOL = "BTC/USDT:USDT"


@pytest.fixture
async def exchange(engine: Engine) -> AsyncIterator[Json]:
    async with SandboxServer(OkxWire(engine)) as server:
        okx = ccxt.okx(
            {
                "apiKey": "multi",
                "secret": "itlum",
                "password": "pass multi",
                "enableRateLimit": False,
                "options": {"fetchMarkets": {"types": ["swap"]}, "adjustForTimeDifference": True},
            }
        )
        okx.has["fetchCurrencies"] = False
        okx.urls["api"] = {"rest": server.url}
        try:
            await okx.load_markets()
            yield okx
        finally:
            await okx.close()


async def test_markets_are_perpetuals_in_contracts(exchange: Json) -> None:
    market = exchange.market(SYMBOL)
    assert (market["id"], market["contractSize"], market["linear"]) == ("BTC-USDT-SWAP", 0.01, True)
    assert exchange.market("BTC/USD:BTC")["inverse"] is True
    assert market["precision"]["amount"] == 0.1


async def test_balance_and_positions(exchange: Json, engine: Engine) -> None:
    balance = await exchange.fetch_balance()
    assert balance["USDT"]["total"] == pytest.approx(20_000, abs=200)
    (pool,) = engine.figures("multi").pools
    assert Decimal(balance["info"]["data"][0]["adjEq"]) == pytest.approx(pool.margin_balance, abs=50)
    positions = {p["symbol"]: p for p in await exchange.fetch_positions()}
    assert (positions[SYMBOL]["side"], positions[SYMBOL]["contracts"]) == ("long", 100)
    assert positions["ETH/USDT:USDT"]["side"] == "short"
    (alone,) = await exchange.fetch_positions([SYMBOL])
    assert alone["marginMode"] == "cross"


async def test_order_by_the_batch_call_that_ccxt_prefers(exchange: Json) -> None:
    params = {"reduceOnly": True, "clientOrderId": "abc123"}
    order = await exchange.create_order(SYMBOL, "market", "sell", 10, None, params)
    assert order["clientOrderId"] == "abc123"
    found = await exchange.fetch_order(order["id"], SYMBOL)
    assert (found["status"], found["filled"], found["reduceOnly"]) == ("closed", 10, True)
    assert (await exchange.fetch_order(None, SYMBOL, params))["id"] == order["id"]
    (position,) = await exchange.fetch_positions([SYMBOL])
    assert position["contracts"] == 90


async def test_order_by_the_single_call(exchange: Json) -> None:
    exchange.options["createOrder"] = "privatePostTradeOrder"
    order = await exchange.create_order(SYMBOL, "limit", "buy", 1, 50_000)
    assert order["id"]


async def test_open_orders_are_listed_and_cancelled(exchange: Json) -> None:
    orders = [await exchange.create_order(SYMBOL, "limit", "buy", 1, 50_000 + step) for step in range(3)]
    listed = await exchange.fetch_open_orders()
    assert {order["id"] for order in listed} == {order["id"] for order in orders}
    named = [{"id": order["id"], "symbol": SYMBOL} for order in orders]
    cancelled = await exchange.cancel_orders_for_symbols(named)
    assert len(cancelled) == 3
    assert await exchange.fetch_open_orders() == []


async def test_stop_orders_have_a_book_of_their_own(exchange: Json) -> None:
    params = {"stopLossPrice": 50_000, "reduceOnly": True}
    stop = await exchange.create_order(SYMBOL, "market", "sell", 10, None, params)
    (listed,) = await exchange.fetch_open_orders(None, None, None, {"ordType": "conditional"})
    assert listed["id"] == stop["id"]
    named = [{"id": stop["id"], "symbol": SYMBOL}]
    await exchange.cancel_orders_for_symbols(named, {"trigger": True})
    assert await exchange.fetch_open_orders(None, None, None, {"ordType": "conditional"}) == []


async def test_refusals_arrive_as_ccxt_knows_them(exchange: Json) -> None:
    with pytest.raises(ccxt.ExchangeError, match="51170"):
        await exchange.create_order(SYMBOL, "market", "buy", 10, None, {"reduceOnly": True})
    with pytest.raises(ccxt.BadRequest, match="51000"):
        await exchange.create_order(SYMBOL, "market", "sell", 1, None, {"clientOrderId": "mrg-1"})
    with pytest.raises(ccxt.OrderNotFound, match="51603"):
        await exchange.fetch_order("77", SYMBOL)
    exchange.secret = "wrong"
    with pytest.raises(ccxt.AuthenticationError, match="50113"):
        await exchange.fetch_balance()


async def test_leverage_position_close_and_money(exchange: Json) -> None:
    await exchange.set_leverage(20, SYMBOL, {"marginMode": "cross"})
    (position,) = await exchange.fetch_positions([SYMBOL])
    assert position["leverage"] == 20
    await exchange.close_position(SYMBOL, None, {"marginMode": "cross"})
    assert [p["contracts"] for p in await exchange.fetch_positions([SYMBOL])] in ([], [0])
    assert (await exchange.fetch_balance({"type": "funding"}))["USDT"]["free"] == 1000
    assert (await exchange.fetch_position_mode(SYMBOL))["hedged"] is False


async def test_public_calls(exchange: Json, engine: Engine) -> None:
    mark = float(engine.ticker("BTC-USDT").mark)
    assert await exchange.fetch_time() == pytest.approx(engine.now_ms, abs=2_000)
    assert (await exchange.fetch_ticker(SYMBOL))["last"] == pytest.approx(mark, rel=0.01)
    assert (await exchange.fetch_mark_price(SYMBOL))["markPrice"] == pytest.approx(mark, rel=0.01)
    book = await exchange.fetch_order_book(SYMBOL, 5)
    assert book["bids"][0][0] < book["asks"][0][0]
    tiers = await exchange.fetch_market_leverage_tiers(SYMBOL, {"marginMode": "cross"})
    assert tiers[0]["maintenanceMarginRate"] == 0.004


async def test_simulated_trading_header_is_taken(exchange: Json) -> None:
    exchange.set_sandbox_mode(True)
    exchange.urls["api"] = exchange.urls.get("apiBackup", exchange.urls["api"])
    assert exchange.headers["x-simulated-trading"] == "1"
    assert (await exchange.fetch_balance())["USDT"]["total"] > 0
