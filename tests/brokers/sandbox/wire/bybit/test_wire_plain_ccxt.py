"""Unmodified ccxt works against the sandbox, signatures, pages and all."""

from collections.abc import Callable

import ccxt.async_support as ccxt
import pytest

from brokers.sandbox.engine import Engine
from brokers.sandbox.server import SandboxServer

pytestmark = pytest.mark.wire

SignIn = Callable[[str], ccxt.bybit]
BTC = "BTC/USDT:USDT"


async def test_markets_of_every_category(plain: SignIn) -> None:
    markets = await plain("cross").load_markets()
    assert markets[BTC]["precision"]["amount"] == 0.001
    assert markets["ETH/USDC:USDC"]["settle"] == "USDC"
    assert markets["BTC/USD:BTC"]["inverse"] is True


async def test_balance_shows_coins_and_the_raw_totals(plain: SignIn) -> None:
    balance = await plain("cross").fetch_balance()
    assert balance["USDT"]["total"] == 20_000
    account = balance["info"]["result"]["list"][0]
    assert float(account["totalInitialMargin"]) > 6_000
    assert account["accountIMRate"] != ""


async def test_balance_of_the_funding_wallet(plain: SignIn) -> None:
    balance = await plain("cross").fetch_balance({"type": "funding"})
    assert balance["USDT"]["free"] == 1_000


async def test_positions_of_every_product(plain: SignIn) -> None:
    exchange = plain("wide")
    usdt = await exchange.fetch_positions()
    usdc = await exchange.fetch_positions(None, {"settleCoin": "USDC"})
    inverse = await exchange.fetch_positions(None, {"subType": "inverse"})
    assert [(p["symbol"], p["side"], p["contracts"]) for p in (*usdt, *usdc, *inverse)] == [
        (BTC, "long", 0.5),
        ("ETH/USDC:USDC", "long", 1.0),
        ("BTC/USD:BTC", "short", 3000.0),
    ]


async def test_a_position_of_a_symbol_without_one_is_a_flat_row(plain: SignIn) -> None:
    position = await plain("flat").fetch_position(BTC)
    assert (position["contracts"], position["side"]) == (0, None)


async def test_a_reduce_only_market_order_fills(plain: SignIn, engine: Engine) -> None:
    exchange = plain("cross")
    order = await exchange.create_order(
        BTC, "market", "sell", 0.4, None, {"reduceOnly": True, "clientOrderId": "abc-1"}
    )
    (row,) = (await exchange.privateGetV5OrderRealtime({"category": "linear", "orderLinkId": "abc-1"}))[
        "result"
    ]["list"]
    assert (row["orderId"], row["orderStatus"], row["cumExecQty"]) == (order["id"], "Filled", "0.400")
    assert float(engine.figures("cross").positions[0].quantity) == 0.6


async def test_orders_rest_and_are_cancelled_by_settle_coin(plain: SignIn) -> None:
    exchange = plain("wide")
    await exchange.create_order(BTC, "limit", "buy", 0.01, 30_000)
    await exchange.create_order("ETH/USDC:USDC", "limit", "buy", 0.1, 1_000)
    await exchange.create_order("BTC/USD:BTC", "limit", "buy", 100, 30_000)
    assert len(await exchange.fetch_open_orders()) == 1
    assert len(await exchange.cancel_all_orders()) == 1
    assert await exchange.fetch_open_orders() == []
    assert len(await exchange.cancel_all_orders(None, {"settleCoin": "USDC"})) == 1
    assert len(await exchange.cancel_all_orders(None, {"subType": "inverse", "settleCoin": "BTC"})) == 1


async def test_inverse_orders_survive_a_cancel_all_that_names_the_wrong_settle_coin(plain: SignIn) -> None:
    exchange = plain("wide")
    await exchange.create_order("BTC/USD:BTC", "limit", "buy", 100, 30_000)
    assert await exchange.cancel_all_orders(None, {"subType": "inverse"}) == []
    assert len(await exchange.fetch_open_orders("BTC/USD:BTC")) == 1


async def test_a_stop_is_listed_as_a_trigger_order(plain: SignIn) -> None:
    exchange = plain("cross")
    params = {"triggerPrice": 50_000, "triggerDirection": "descending", "reduceOnly": True}
    await exchange.create_order(BTC, "market", "sell", 1, None, params)
    (order,) = await exchange.fetch_open_orders(BTC, None, None, {"trigger": True})
    assert (order["triggerPrice"], order["reduceOnly"]) == (50_000, True)
    assert await exchange.cancel_all_orders(None, {"trigger": True}) != []


async def test_cancelling_what_is_gone_is_order_not_found(plain: SignIn) -> None:
    exchange = plain("cross")
    with pytest.raises(ccxt.OrderNotFound):
        await exchange.cancel_order("999", BTC)


async def test_leverage_as_it_is_is_refused(plain: SignIn) -> None:
    exchange = plain("cross")
    await exchange.set_leverage(5, BTC)
    with pytest.raises(ccxt.BadRequest, match="110043"):
        await exchange.set_leverage(5, BTC)


async def test_transfers_work_once_per_id(plain: SignIn) -> None:
    exchange = plain("cross")
    await exchange.load_markets()
    uuid = {"transferId": "42c0cfb0-6bca-c242-bc76-4e6df6cbcb16"}
    await exchange.transfer("USDT", 250, "funding", "unified", uuid)
    with pytest.raises(ccxt.BadRequest, match="131214"):
        await exchange.transfer("USDT", 250, "funding", "unified", uuid)
    (entry,) = await exchange.fetch_transfers("USDT")
    assert (entry["amount"], entry["status"]) == (250, "ok")


async def test_a_wrong_secret_is_an_authentication_error(plain: SignIn) -> None:
    exchange = plain("cross")
    await exchange.load_markets()
    exchange.secret = "wrong"
    with pytest.raises(ccxt.AuthenticationError, match="10004"):
        await exchange.fetch_positions()


async def test_a_clock_that_is_off_is_an_invalid_nonce(plain: SignIn, server: SandboxServer) -> None:
    exchange = plain("cross")
    await exchange.load_markets()
    exchange.milliseconds = lambda: server.wire.now_ms - 6_000
    with pytest.raises(ccxt.InvalidNonce, match="10002"):
        await exchange.fetch_positions()
