"""The COIN-M adapter over its venue's wire, and plain ccxt beside it: contracts out, coin in."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import ccxt.async_support
import pytest

from brokers.doors import redirect
from brokers.errors import RequestRefused, Unauthorized
from brokers.models import AccountId, ContractKind, MarginMode, OrderSide, PositionMode, Side, Symbol
from brokers.orders import ClientOrderId, OrderBook, OrderState, ReduceOrder, Verdict
from brokers.registry import BrokerSpec, Credentials, open_broker
from brokers.sandbox.catalogue import ASSETS
from brokers.sandbox.engine import Engine
from brokers.sandbox.orders import OrderSpec, OrderType, Trigger, TriggerDirection
from brokers.sandbox.scenarios import calm
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import AccountSpec, MarginPool, OpeningPosition, OpeningWallet, SandboxSpec
from brokers.sandbox.venues import VENUES
from brokers.sandbox.wire.base import WireAnswer

pytestmark = pytest.mark.wire

D = Decimal
Opened = Callable[..., Any]
PLAYED = VENUES["binancecoinm"]
BTC, ETH = Symbol("BTCUSD_PERP"), Symbol("ETHUSD_PERP")
LONG, SHORT = Side.LONG, Side.SHORT


def account(name: str, *positions: OpeningPosition, **more: object) -> AccountSpec:
    """Two coins, and something of each in the funding wallet."""
    wallets = {"BTC": OpeningWallet(balance=D("0.5")), "ETH": OpeningWallet(balance=D(10))}
    keys = {"api_key": f"{name}-key", "secret": f"{name}-secret"}
    funding = {"BTC": D("0.25"), "ETH": D(3)}
    fixed = {"name": name, "wallets": wallets, "funding": funding, "margin_pool": MarginPool.CURRENCY}
    return AccountSpec(**{**fixed, **keys, "positions": positions, **more})


def position(symbol: str, side: Side, dollars: int, mode: MarginMode | None = None) -> OpeningPosition:
    return OpeningPosition(symbol=symbol, side=side, quantity=D(dollars), margin_mode=mode)


ACCOUNTS = (
    account("coins", position("BTC-USD", LONG, 60_000), position("ETH-USD", SHORT, 15_000)),
    account(
        "hedge",
        position("BTC-USD", LONG, 60_000),
        position("BTC-USD", SHORT, 24_000),
        position_mode=PositionMode.HEDGE,
    ),
    account("isolated", position("BTC-USD", LONG, 60_000, MarginMode.ISOLATED)),
)


@pytest.fixture
async def server() -> AsyncIterator[SandboxServer]:
    """A calm COIN-M on loopback."""
    spec = SandboxSpec(
        instruments=PLAYED.instruments,
        assets=ASSETS,
        accounts=ACCOUNTS,
        rules=PLAYED.rules,
        scenario=calm(noise=0.0),
        start_ms=time.time_ns() // 1_000_000,
    )
    async with SandboxServer(PLAYED.build(Engine(spec), {})) as server:
        yield server


@pytest.fixture
async def opened(server: SandboxServer) -> AsyncIterator[Opened]:
    """Open an account by its registry name; it is closed with the test."""
    brokers = []

    async def open_account(name: str) -> Any:  # noqa: ANN401 - the adapter
        keys = Credentials(api_key=f"{name}-key", secret=f"{name}-secret")
        broker: Any = open_broker(
            BrokerSpec(
                account_id=AccountId(name),
                broker="binance",
                product="coinm",
                credentials=keys,
                endpoint=server.url,
            )
        )
        brokers.append(broker)
        await broker.connect()
        return broker

    yield open_account
    for broker in brokers:
        await broker.aclose()


def reducing(broker: Any, held: Any, contracts: str, price: str | None = None) -> ReduceOrder:  # noqa: ANN401
    return ReduceOrder(
        position=held,
        quantity=D(contracts),
        client_order_id=ClientOrderId("7" * 32),
        deadline=broker.venue_now() + timedelta(seconds=3),
        limit_price=None if price is None else D(price),
    )


async def test_each_coin_is_read_as_a_unit_of_its_own(server: SandboxServer, opened: Opened) -> None:
    snapshot = await (await opened("coins")).fetch_snapshot()
    assert snapshot.findings == ()
    assert (snapshot.product, snapshot.mode.label) == ("coinm", "coin-margined")
    assert {unit.key for unit in snapshot.units} == {"BTC", "ETH"}
    btc, eth = (next(p for p in snapshot.positions if p.symbol == symbol) for symbol in (BTC, ETH))
    assert (btc.side, btc.quantity, btc.notional) == (LONG, 600, D(1))
    assert (eth.side, eth.quantity, eth.notional) == (SHORT, 1500, D(5))
    assert {p.kind for p in snapshot.positions} == {ContractKind.INVERSE}
    unit = snapshot.unit("BTC")
    assert (unit.margin_equity, unit.initial_margin, unit.maintenance_margin) == (
        D("0.5"),
        D("0.1"),
        D("0.004"),
    )
    assert unit.available_margin == D("0.4")

    server.wire.engine.move_price("BTC", D("0.8"))
    fallen = (await (await opened("coins")).fetch_snapshot()).unit("BTC")
    # 60,000 USD / 48,000 = 1.25 BTC; 0.5 BTC + 60,000 x (1/60,000 - 1/48,000) = 0.25 BTC
    assert (fallen.margin_equity, fallen.initial_margin, fallen.maintenance_margin) == (
        D("0.25"),
        D("0.125"),
        D("0.005"),
    )


async def test_an_order_is_in_contracts_and_reduces_only(server: SandboxServer, opened: Opened) -> None:
    broker = await opened("coins")
    held = next(p for p in (await broker.fetch_snapshot()).positions if p.symbol == BTC)
    order = reducing(broker, held, "150")
    report = await broker.submit(order)
    assert (report.verdict, report.state, report.filled) == (Verdict.ACCEPTED, OrderState.FILLED, 150)
    (sent,) = server.wire.engine.orders("coins")
    assert (sent.spec.reduce_only, sent.spec.side, sent.spec.quantity) == (True, OrderSide.SELL, 15_000)
    assert ("POST", "/dapi/v1/order") in [(method, path) for method, path, _ in server.received]
    found = await broker.find_order(order.client_order_id, BTC)
    assert (found.order_id, found.filled) == (report.order_id, 150)
    left = next(p for p in (await broker.fetch_snapshot()).positions if p.symbol == BTC)
    assert left.quantity == 450


async def test_in_hedge_mode_an_order_names_the_leg_it_closes(server: SandboxServer, opened: Opened) -> None:
    broker = await opened("hedge")
    legs = {p.side: p for p in (await broker.fetch_snapshot()).positions}
    report = await broker.submit(reducing(broker, legs[SHORT], "40"))
    assert report.state is OrderState.FILLED
    (sent,) = server.wire.engine.orders("hedge")
    assert (sent.spec.position_side, sent.spec.side) == (SHORT, OrderSide.BUY)
    assert {p.side: p.quantity for p in (await broker.fetch_snapshot()).positions} == {LONG: 600, SHORT: 200}


async def test_an_isolated_position_is_its_own_unit(opened: Opened) -> None:
    snapshot = await (await opened("isolated")).fetch_snapshot()
    (held,) = snapshot.positions
    unit = snapshot.unit("isolated:BTCUSD_PERP:long")
    assert (held.margin_mode, held.unit, held.leverage_setting) == (MarginMode.ISOLATED, unit.key, 10)
    assert (unit.margin_equity, unit.maintenance_margin, unit.parent) == (D("0.1"), D("0.004"), "BTC")
    assert snapshot.unit("BTC").margin_equity == D("0.4")


async def test_stops_rest_in_the_algo_book_and_are_cancelled_there(
    server: SandboxServer, opened: Opened
) -> None:
    broker, engine = await opened("coins"), server.wire.engine
    trigger = Trigger(price=D(50_000), direction=TriggerDirection.FALLS)
    common = {"symbol": "BTC-USD", "side": OrderSide.SELL, "quantity": D(60_000)}
    engine.place("coins", OrderSpec(**common, trigger=trigger, reduce_only=True))
    entry = OrderSpec(
        symbol="BTC-USD", side=OrderSide.BUY, quantity=D(500), type=OrderType.LIMIT, price=D(50_000)
    )
    engine.place("coins", entry)
    orders = {order.book: order for order in await broker.fetch_open_orders()}
    stop, limit = orders[OrderBook.TRIGGER], orders[OrderBook.ACTIVE]
    assert (stop.is_protective, stop.quantity, limit.quantity) == (True, 600, 5)
    reports = await broker.cancel_orders([stop, limit])
    assert [report.verdict for report in reports] == [Verdict.ACCEPTED] * 2
    deleted = {path for method, path, _ in server.received if method == "DELETE"}
    assert deleted == {"/dapi/v1/algoOrder", "/dapi/v1/order"}
    assert engine.open_orders("coins") == ()


async def test_collateral_comes_in_as_coin(server: SandboxServer, opened: Opened) -> None:
    broker = await opened("coins")
    since = broker.venue_now() - timedelta(seconds=1)
    assert await broker.fetch_funding_balance("BTC") == D("0.25")
    moved = await broker.transfer_in("BTC", D("0.1"), "a" * 32)
    assert moved.verdict is Verdict.ACCEPTED
    assert (await broker.fetch_snapshot()).unit("BTC").margin_equity == D("0.6")
    found = await broker.find_transfer("a" * 32, "BTC", D("0.1"), since)
    assert (found.verdict, found.transfer_id) == (Verdict.ACCEPTED, moved.transfer_id)


async def test_leverage_is_set_in_whole_numbers(server: SandboxServer, opened: Opened) -> None:
    broker = await opened("coins")
    await broker.set_leverage(ETH, D("4.7"))
    assert server.wire.engine.leverage("coins", "ETH-USD") == 4
    with pytest.raises(RequestRefused):
        await broker.set_leverage(Symbol("ADAUSD_PERP"), D(2))


async def test_brackets_arrive_in_coin(opened: Opened) -> None:
    broker = await opened("coins")
    tiers = await broker.load_tiers(broker.transport.read, [BTC])
    assert [(tier.floor, tier.rate) for tier in tiers[BTC]][:2] == [(0, D("0.004")), (5, D("0.005"))]


async def test_plain_ccxt_reads_the_same_account(server: SandboxServer) -> None:
    options = {"fetchCurrencies": False, "fetchMargins": False}
    keys = {"apiKey": "coins-key", "secret": "coins-secret", "options": options}
    exchange = ccxt.async_support.binancecoinm(keys)
    exchange.urls["api"] = redirect(exchange.urls["api"], server.url)
    try:
        await exchange.load_markets()
        balance = await exchange.fetch_balance()
        assert (balance["BTC"]["total"], balance["BTC"]["used"], balance["BTC"]["free"]) == (0.5, 0.1, 0.4)
        held = {row["info"]["symbol"]: row for row in await exchange.fetch_positions()}
        btc = held[BTC]
        assert (btc["contracts"], btc["contractSize"], btc["notional"]) == (600, 100, 1)
        assert btc["maintenanceMargin"] == pytest.approx(0.004)
        done = await exchange.create_order("BTC/USD:BTC", "market", "sell", 100, None, {"reduceOnly": True})
        assert (done["status"], done["filled"]) == ("closed", 100)
    finally:
        await exchange.close()


async def test_a_host_without_optional_calls_is_read_all_the_same(
    server: SandboxServer, opened: Opened
) -> None:
    gateway = server._gateway
    absent = ("/dapi/v1/positionSide", "/dapi/v1/openAlgo", "/dapi/v1/premiumIndex", "/dapi/v2/", "/sapi/")
    gateway._routes = {key: one for key, one in gateway._routes.items() if not key[1].startswith(absent)}
    broker = await opened("hedge")
    for _ in range(2):
        snapshot = await broker.fetch_snapshot()
    assert snapshot.findings == ()
    assert snapshot.mode.position_mode is None
    assert {(p.side, p.hedged) for p in snapshot.positions} == {(LONG, True), (SHORT, True)}
    assert await broker.fetch_open_orders() == ()
    assert (await broker.fetch_permissions()).can_withdraw is None


@pytest.mark.parametrize(("code", "connects"), [(-1, True), (-1121, True), (-2015, False)])
async def test_a_position_mode_that_is_refused_is_told_by_each_row(
    server: SandboxServer, opened: Opened, *, code: int, connects: bool
) -> None:
    gateway = server._gateway
    key = ("GET", "/dapi/v1/positionSide/dual")
    refused = WireAnswer(status=400, payload={"code": code, "msg": "no"})
    route = replace(gateway._routes[key], handler=lambda *_: refused)
    gateway._routes = {**gateway._routes, key: route}
    if not connects:
        with pytest.raises(Unauthorized):
            await opened("hedge")
        return
    snapshot = await (await opened("hedge")).fetch_snapshot()
    assert snapshot.findings == ()
    assert {p.hedged for p in snapshot.positions} == {True}
