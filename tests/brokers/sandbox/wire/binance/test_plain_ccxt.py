"""ccxt's own `binanceusdm`, unmodified, against the wire."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import ccxt.async_support
import pytest
from ccxt.base.errors import AuthenticationError, ExchangeError, OrderNotFound

from brokers.models import Side
from brokers.sandbox.catalogue import venue
from brokers.sandbox.engine import Engine
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import AccountSpec, MarginPool, OpeningPosition, OpeningWallet
from brokers.sandbox.wire.binance.rules import RULES
from brokers.sandbox.wire.binance.wire import BinanceWire

pytestmark = pytest.mark.wire

Exchange = Any
BTC = "BTC/USDT:USDT"

ACCOUNT = AccountSpec(
    name="desk",
    api_key="desk-key",
    secret="desk-secret",
    wallets={"USDT": OpeningWallet(balance=Decimal(20_000))},
    funding={"USDT": Decimal(500)},
    margin_pool=MarginPool.CURRENCY,
    positions=(OpeningPosition(symbol="BTC-USDT", side=Side.LONG, quantity=Decimal(1)),),
)


def redirected(url: str, base: str) -> str:
    return urlunsplit((*urlsplit(base)[:2], *urlsplit(url)[2:]))


def sign_in(base: str, *, secret: str = ACCOUNT.secret) -> Exchange:
    options = {"fetchCurrencies": False, "fetchMargins": False}
    exchange = ccxt.async_support.binanceusdm({"apiKey": "desk-key", "secret": secret, "options": options})
    exchange.urls["api"] = {name: redirected(url, base) for name, url in exchange.urls["api"].items()}
    return exchange


@pytest.fixture
async def base() -> AsyncIterator[str]:
    spec = replace(venue([ACCOUNT], rules=RULES), start_ms=time.time_ns() // 1_000_000)
    async with SandboxServer(BinanceWire(Engine(spec))) as server:
        yield server.url


@pytest.fixture
async def exchange(base: str) -> AsyncIterator[Exchange]:
    exchange = sign_in(base)
    await exchange.load_markets()
    yield exchange
    await exchange.close()


async def test_markets_balance_and_positions(exchange: Exchange) -> None:
    market = exchange.market(BTC)
    assert (market["id"], market["linear"], market["limits"]["market"]["max"]) == ("BTCUSDT", True, 120)
    balance = await exchange.fetch_balance()
    assert balance["USDT"]["total"] == pytest.approx(20_000, rel=0.01)
    assert balance["info"]["totalInitialMargin"] == balance["info"]["assets"][0]["initialMargin"]
    (held,) = await exchange.fetch_positions()
    assert (held["symbol"], held["side"], held["contracts"]) == (BTC, "long", 1)
    # ccxt leaves out `cum`: 50 USDT more maintenance than the venue states.
    stated = float(held["info"]["maintMargin"])
    assert held["maintenanceMargin"] == pytest.approx(stated + 50, abs=0.001)


async def test_orders_from_placing_to_cancelling_all(exchange: Exchange) -> None:
    placed = [await exchange.create_order(BTC, "limit", "buy", 0.01, 50_000 + n) for n in range(3)]
    assert placed[0]["status"] == "open"
    assert len(await exchange.fetch_open_orders(BTC)) == 3
    (gone,) = await exchange.cancel_orders([placed[0]["id"]], BTC)
    assert (gone["id"], gone["status"]) == (placed[0]["id"], "canceled")
    await exchange.cancel_all_orders(BTC)
    assert await exchange.fetch_open_orders(BTC) == []
    with pytest.raises(OrderNotFound):
        await exchange.cancel_order(placed[1]["id"], BTC)


async def test_reducing_and_finding_by_client_id(exchange: Exchange) -> None:
    params = {"reduceOnly": True, "clientOrderId": "mine"}
    done = await exchange.create_order(BTC, "market", "sell", 0.4, None, params)
    assert (done["status"], done["filled"], done["reduceOnly"]) == ("closed", 0.4, True)
    found = await exchange.fetch_order(None, BTC, {"clientOrderId": "mine"})
    assert found["id"] == done["id"]
    assert (await exchange.fetch_positions())[0]["contracts"] == 0.6
    with pytest.raises(ExchangeError):
        await exchange.create_order(BTC, "market", "buy", 0.4, None, {"reduceOnly": True})


async def test_stops_go_to_the_algo_book(exchange: Exchange) -> None:
    params = {"stopLossPrice": 50_000, "reduceOnly": True}
    stop = await exchange.create_order(BTC, "market", "sell", 0.5, None, params)
    (resting,) = await exchange.fetch_open_orders(BTC, params={"trigger": True})
    assert resting["id"] == stop["id"]
    assert await exchange.fetch_open_orders(BTC) == []
    await exchange.cancel_all_orders(BTC, {"trigger": True})
    assert await exchange.fetch_open_orders(BTC, params={"trigger": True}) == []


async def test_leverage_tickers_and_tiers(exchange: Exchange) -> None:
    await exchange.set_leverage(20, BTC)
    assert (await exchange.fetch_leverages([BTC]))[BTC]["longLeverage"] == 20
    tiers = await exchange.fetch_leverage_tiers([BTC])
    assert tiers[BTC][0]["maxLeverage"] == 125
    assert (await exchange.fetch_order_book(BTC, 5))["bids"]
    assert (await exchange.fetch_funding_rate(BTC))["markPrice"] == pytest.approx(60_000, rel=0.01)


async def test_transfers_and_funding_wallet(exchange: Exchange) -> None:
    inward = {"type": "FUNDING_UMFUTURE", "asset": "USDT"}
    done = await exchange.sapiPostAssetTransfer({**inward, "amount": "100"})
    history = await exchange.sapiGetAssetTransfer({"type": "FUNDING_UMFUTURE"})
    assert history["rows"][0]["tranId"] == done["tranId"]
    balance = await exchange.sapiPostAssetGetFundingAsset({"asset": "USDT"})
    assert balance[0]["free"] == "400.00000000"


async def test_a_wrong_secret_is_an_authentication_error(base: str) -> None:
    exchange = sign_in(base, secret="other")
    try:
        with pytest.raises(AuthenticationError):
            await exchange.fapiPrivateV3GetAccount()
    finally:
        await exchange.close()
