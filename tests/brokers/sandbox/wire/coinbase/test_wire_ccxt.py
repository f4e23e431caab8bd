"""Plain ccxt, unmodified, against the wire: what it parses is what Coinbase would have it parse."""

import time
from collections.abc import AsyncIterator
from decimal import Decimal

import ccxt.async_support
import pytest
from ccxt.base.errors import AuthenticationError, BadRequest, ExchangeError

from brokers.models import Side
from brokers.sandbox.engine import Engine
from brokers.sandbox.scenarios import calm
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import AccountSpec, MarginPool, OpeningPosition, OpeningWallet, SandboxSpec
from brokers.sandbox.venues import VENUES
from brokers.sandbox.wire.coinbase.wire import CoinbaseWire

pytestmark = pytest.mark.wire

PLAYED = VENUES["coinbase"]
D = Decimal
SECRET = """\
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEICREq8Qza4rjx0zJNgxFy1FXoCdcBleqA4/Gv4W0Ik6ooAoGCCqGSM49
AwEHoUQDQgAEQfQ7X2BS7hqHCdwPXdr3KQ/6KvLnRJFIH4JKF1yDVZMRnMFdoNWg
8+dv5kQQ7iZwqwAuDuZeIFWE/oDTIFZ3VQ==
-----END EC PRIVATE KEY-----
"""
SYMBOL = "BTC/USD:USD-301220"


@pytest.fixture
def engine() -> Engine:
    position = OpeningPosition(symbol="BTC-USD-CDE", side=Side.LONG, quantity=D(1))
    desk = AccountSpec(
        name="desk",
        api_key="organizations/desk/apiKeys/1",
        secret=SECRET,
        wallets={"USD": OpeningWallet(balance=D(20_000)), "BTC": OpeningWallet(balance=D("0.25"))},
        margin_pool=MarginPool.CURRENCY,
        positions=(position,),
    )
    return Engine(
        SandboxSpec(
            instruments=PLAYED.instruments,
            assets=PLAYED.assets,
            accounts=(desk,),
            rules=PLAYED.rules,
            scenario=calm(noise=0.0),
            start_ms=round(time.time() * 1000),
        )
    )


@pytest.fixture
async def exchange(engine: Engine) -> AsyncIterator[ccxt.async_support.coinbase]:
    async with SandboxServer(CoinbaseWire(engine)) as server:
        keys = {"apiKey": "organizations/desk/apiKeys/1", "secret": SECRET}
        client = ccxt.async_support.coinbase({**keys, "urls": {"api": {"rest": server.url}}})
        yield client
        await client.close()


async def test_markets_positions_and_margin_are_those_of_the_engine(
    exchange: ccxt.async_support.coinbase, engine: Engine
) -> None:
    markets = await exchange.load_markets()
    assert markets[SYMBOL]["id"] == "BIP-20DEC30-CDE"
    assert (markets[SYMBOL]["contractSize"], markets["BTC/USD"]["spot"]) == (0.01, True)
    [position] = await exchange.fetch_positions()
    assert (position["symbol"], position["side"], position["contracts"]) == (SYMBOL, "long", 100.0)
    assert position["notional"] == 60_000
    pool = engine.figures("desk").pool("USD")
    balance = (await exchange.fetch_balance({"type": "future"}))["info"]["balance_summary"]
    assert D(balance["available_margin"]["value"]) == pool.margin_balance
    assert D(balance["initial_margin"]["value"]) == pool.initial_margin
    wallets = await exchange.fetch_balance({"v3": True})
    assert (wallets["BTC"]["free"], wallets["USD"]["free"]) == (0.25, 20_000)


async def test_a_position_is_closed_in_part_and_the_order_is_listed(
    exchange: ccxt.async_support.coinbase, engine: Engine
) -> None:
    await exchange.load_markets()
    order = await exchange.close_position(SYMBOL, None, {"clientOrderId": "mine", "size": "30"})
    assert order["clientOrderId"] == "mine"
    assert engine.figures("desk").positions[0].quantity == D("0.7")
    [listed] = await exchange.fetch_closed_orders(SYMBOL)
    assert (listed["id"], listed["status"], listed["filled"]) == (order["id"], "closed", 30.0)


async def test_without_a_size_all_of_the_position_is_closed(
    exchange: ccxt.async_support.coinbase, engine: Engine
) -> None:
    await exchange.load_markets()
    await exchange.close_position(SYMBOL, None, {"clientOrderId": "mine"})
    assert engine.figures("desk").positions == ()
    with pytest.raises(ExchangeError, match="CANNOT_CLOSE_ZERO_POSITION"):
        await exchange.close_position(SYMBOL, None, {"clientOrderId": "another"})


async def test_a_resting_order_is_placed_listed_and_cancelled(
    exchange: ccxt.async_support.coinbase, engine: Engine
) -> None:
    await exchange.load_markets()
    order = await exchange.create_order(SYMBOL, "limit", "buy", 2, 50_000)
    [listed] = await exchange.fetch_open_orders(SYMBOL)
    assert (listed["id"], listed["price"], listed["amount"]) == (order["id"], 50_000, 2)
    await exchange.cancel_orders([order["id"]])
    assert engine.open_orders("desk") == ()
    with pytest.raises(BadRequest, match="has failed"):
        await exchange.cancel_orders([order["id"]])


async def test_ccxts_reduce_only_does_not_get_through(
    exchange: ccxt.async_support.coinbase, engine: Engine
) -> None:
    await exchange.load_markets()
    with pytest.raises(ExchangeError, match="unknown field"):
        await exchange.create_order(
            SYMBOL, "market", "sell", 1, None, {"reduceOnly": True, "clientOrderId": "mine"}
        )
    assert engine.figures("desk").positions[0].quantity == D(1)


async def test_a_stop_is_listed_as_what_it_is(exchange: ccxt.async_support.coinbase) -> None:
    await exchange.load_markets()
    await exchange.create_order(SYMBOL, "limit", "sell", 5, 49_000, {"stopLossPrice": 50_000})
    [listed] = await exchange.fetch_open_orders(SYMBOL)
    assert (listed["triggerPrice"], listed["info"]["trigger_status"]) == (50_000, "STOP_PENDING")


async def test_a_clock_two_minutes_off_is_refused_as_a_key_would_be(
    exchange: ccxt.async_support.coinbase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "seconds", lambda: int(time.time()) - 121)
    with pytest.raises(AuthenticationError):
        await exchange.v3PrivateGetBrokerageAccounts()


async def test_the_margin_window_is_told(exchange: ccxt.async_support.coinbase) -> None:
    window = (await exchange.v3PrivateGetBrokerageCfmIntradayCurrentMarginWindow())["margin_window"]
    assert window["margin_window_type"] == "FCM_MARGIN_WINDOW_TYPE_OVERNIGHT"
