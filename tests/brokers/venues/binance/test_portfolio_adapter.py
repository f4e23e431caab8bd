"""The portfolio margin adapter over its venue's wire: both kinds of contracts behind one equity."""

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountId, FindingCode, OrderSide, Side, Symbol
from brokers.orders import ClientOrderId, OrderBook, OrderState, ReduceOrder, Verdict
from brokers.registry import BrokerSpec, Credentials, open_broker
from brokers.sandbox.catalogue import ASSETS
from brokers.sandbox.engine import Engine
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.orders import OrderSpec, OrderType, Trigger, TriggerDirection
from brokers.sandbox.scenarios import calm
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import AccountSpec, OpeningPosition, OpeningWallet, SandboxSpec
from brokers.sandbox.venues import VENUES

pytestmark = pytest.mark.wire

D = Decimal
PLAYED = VENUES["binancepm"]
UM, CM = Symbol("BTCUSDT"), Symbol("ETHUSD_PERP")

ACCOUNT = AccountSpec(
    name="desk",
    api_key="desk-key",
    secret="desk-secret",
    wallets={"USDT": OpeningWallet(balance=D(20_000)), "ETH": OpeningWallet(balance=D(2))},
    funding={"USDT": D(1_000)},
    margin_pool=PLAYED.pools["portfolio_margin"],
    positions=(
        OpeningPosition(symbol="BTC-USDT", side=Side.LONG, quantity=D(1)),
        OpeningPosition(symbol="ETH-USD", side=Side.LONG, quantity=D(30_000)),
    ),
)


@pytest.fixture
async def server() -> AsyncIterator[SandboxServer]:
    """A calm venue on loopback."""
    spec = SandboxSpec(
        instruments=PLAYED.instruments,
        assets=ASSETS,
        accounts=(ACCOUNT,),
        rules=PLAYED.rules,
        scenario=calm(noise=0.0),
        start_ms=time.time_ns() // 1_000_000,
    )
    async with SandboxServer(PLAYED.build(Engine(spec), {})) as server:
        yield server


@pytest.fixture
async def broker(server: SandboxServer) -> AsyncIterator[Any]:
    """The account, connected."""
    broker = open_broker(
        BrokerSpec(
            account_id=AccountId("desk"),
            broker="binance",
            product="portfolio",
            credentials=Credentials(api_key="desk-key", secret="desk-secret"),
            endpoint=server.url,
        )
    )
    await broker.connect()
    yield broker
    await broker.aclose()


def paths(server: SandboxServer, method: str) -> list[str]:
    return [path for sent, path, _ in server.received if sent == method]


def reducing(broker: Any, held: Any, quantity: str, number: int = 1) -> ReduceOrder:  # noqa: ANN401
    return ReduceOrder(
        position=held,
        quantity=D(quantity),
        client_order_id=ClientOrderId(f"{number:032x}"),
        deadline=broker.venue_now() + timedelta(seconds=3),
    )


async def test_the_unit_is_the_pool_in_dollars(server: SandboxServer, broker: Any) -> None:  # noqa: ANN401
    snapshot = await broker.fetch_snapshot()
    assert snapshot.findings == ()
    # 20,000 USDT and 2 ETH at 3,000 USD after a haircut of 10 %: 25,400 USD
    # 60,000 USDT at 0.5 % less 50, and 10 ETH at 0.5 %: 250 + 150 = 400 USD
    unit = snapshot.unit("account")
    assert (unit.margin_equity, unit.maintenance_margin, unit.initial_margin) == (25_400, 400, 9_000)
    assert unit.venue_ratio == pytest.approx(D("1.05") * 400 / 25_400)
    assert {(p.symbol, p.quantity, p.settle) for p in snapshot.positions} == {
        (UM, D(1), "USDT"),
        (CM, D(3000), "ETH"),
    }


async def test_at_the_ratio_of_one_the_venue_takes_the_account(server: SandboxServer, broker: Any) -> None:  # noqa: ANN401
    engine = server.wire.engine
    ratios = []
    for step in (D("0.74"), *[D("0.9995")] * 60):
        engine.move_price("BTC", step)
        engine.move_price("ETH", step)
        snapshot = await broker.fetch_snapshot()
        if {p.symbol: p.quantity for p in snapshot.positions} != {UM: D(1), CM: D(3000)}:
            break
        ratios.append(snapshot.unit("account").venue_ratio)
    assert ratios == sorted(ratios)
    assert D("0.8") < ratios[-1] < 1, "the venue acts at one, and not before"


async def test_each_kind_is_reduced_where_it_rests(server: SandboxServer, broker: Any) -> None:  # noqa: ANN401
    held = {p.symbol: p for p in (await broker.fetch_snapshot()).positions}
    for number, (symbol, part) in enumerate(((UM, "0.25"), (CM, "1000")), start=1):
        order = reducing(broker, held[symbol], part, number)
        report = await broker.submit(order)
        assert (report.verdict, report.state, report.filled) == (Verdict.ACCEPTED, OrderState.FILLED, D(part))
        found = await broker.find_order(order.client_order_id, symbol)
        assert found.order_id == report.order_id
    assert paths(server, "POST") == ["/papi/v1/um/order", "/papi/v1/cm/order"]
    sent = server.wire.engine.orders("desk")
    assert [(one.spec.reduce_only, one.spec.quantity) for one in sent] == [
        (True, D("0.25")),
        (True, D(10_000)),
    ]
    left = {p.symbol: p.quantity for p in (await broker.fetch_snapshot()).positions}
    assert left == {UM: D("0.75"), CM: D(2000)}


async def test_orders_of_every_book_are_found_and_cancelled(server: SandboxServer, broker: Any) -> None:  # noqa: ANN401
    engine = server.wire.engine
    trigger = Trigger(price=D(1_500), direction=TriggerDirection.FALLS)
    stop = OrderSpec(
        symbol="ETH-USD", side=OrderSide.SELL, quantity=D(30_000), trigger=trigger, reduce_only=True
    )
    limit = {"type": OrderType.LIMIT, "price": D(50_000)}
    engine.place("desk", stop)
    engine.place("desk", OrderSpec(symbol="BTC-USDT", side=OrderSide.BUY, quantity=D("0.1"), **limit))
    orders = {order.book: order for order in await broker.fetch_open_orders()}
    assert orders[OrderBook.TRIGGER].is_protective
    assert (orders[OrderBook.TRIGGER].symbol, orders[OrderBook.TRIGGER].quantity) == (CM, 3000)
    reports = await broker.cancel_orders(list(orders.values()))
    assert {report.verdict for report in reports} == {Verdict.ACCEPTED}
    assert sorted(paths(server, "DELETE")) == ["/papi/v1/cm/conditional/order", "/papi/v1/um/order"]
    assert engine.open_orders("desk") == ()


async def test_collateral_comes_from_the_spot_wallet(server: SandboxServer, broker: Any) -> None:  # noqa: ANN401
    since = broker.venue_now() - timedelta(seconds=1)
    assert await broker.fetch_funding_balance("USDT") == 1_000
    moved = await broker.transfer_in("USDT", D(400), "b" * 32)
    assert moved.verdict is Verdict.ACCEPTED
    assert (await broker.fetch_snapshot()).unit("account").margin_equity == 25_800
    found = await broker.find_transfer("b" * 32, "USDT", D(400), since)
    assert found.transfer_id == moved.transfer_id
    assert "/sapi/v3/asset/getUserAsset" in paths(server, "POST")


async def test_a_key_trades_by_the_flag_of_portfolio_margin(broker: Any) -> None:  # noqa: ANN401
    permissions = await broker.fetch_permissions()
    assert (permissions.can_trade, permissions.can_withdraw) == (True, False)


async def test_brackets_and_leverage_are_of_either_kind(server: SandboxServer, broker: Any) -> None:  # noqa: ANN401
    tiers = await broker.load_tiers(broker.transport.read, [UM, CM])
    assert (tiers[UM][1].floor, tiers[CM][1].floor) == (50_000, 100)
    await broker.set_leverage(CM, D(7))
    await broker.set_leverage(UM, D(5))
    engine = server.wire.engine
    assert (engine.leverage("desk", "ETH-USD"), engine.leverage("desk", "BTC-USDT")) == (7, 5)


async def test_a_picture_does_without_the_public_price(server: SandboxServer, broker: Any) -> None:  # noqa: ANN401
    await broker.fetch_snapshot()
    server.faults.set(Fault(kind=FaultKind.HTTP_500, path="/fapi/v1/premiumIndex"))
    assert (await broker.fetch_snapshot()).findings == ()
    server.faults.set(Fault(kind=FaultKind.MISSING_FIELD, path="/papi/v1/account"))
    assert (await broker.fetch_snapshot()).unit("account").margin_equity is None


async def test_near_liquidation_the_venue_still_takes_what_reduces(
    server: SandboxServer,
    broker: Any,  # noqa: ANN401
) -> None:
    engine = server.wire.engine
    for asset in ("BTC", "ETH"):
        engine.move_price(asset, D("0.733"))
    snapshot = await broker.fetch_snapshot()
    ratio = snapshot.unit("account").venue_ratio
    assert D("1.05") / D("1.2") < ratio < 1, "reduce-only, and not yet liquidated"
    opening = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
    refused = await broker.transport.write("papiPostUmOrder", opening)
    assert refused.code == "-4400"
    held = next(p for p in snapshot.positions if p.symbol == UM)
    report = await broker.submit(reducing(broker, held, "0.5"))
    assert (report.verdict, report.filled) == (Verdict.ACCEPTED, D("0.5"))
    assert (await broker.fetch_snapshot()).unit("account").venue_ratio < ratio


async def test_a_host_without_coin_margined_contracts_or_balances_is_read_all_the_same(
    server: SandboxServer,
    broker: Any,  # noqa: ANN401
) -> None:
    engine = server.wire.engine
    engine.close_position("desk", "ETH-USD")
    gateway, absent = server._gateway, ("/papi/v1/cm/", "/papi/v1/balance", "/papi/v1/um/conditional")
    gateway._routes = {key: one for key, one in gateway._routes.items() if not key[1].startswith(absent)}
    snapshot = await broker.fetch_snapshot()
    assert (snapshot.findings, snapshot.collaterals) == ((), ())
    assert [p.symbol for p in snapshot.positions] == [UM]


async def test_a_host_with_half_of_the_coin_margined_calls_shows_nothing_or_a_finding(
    server: SandboxServer,
    broker: Any,  # noqa: ANN401
) -> None:
    gateway = server._gateway
    everything = gateway._routes
    for path in ("/papi/v1/cm/account", "/papi/v1/cm/positionRisk"):
        gateway._routes = {key: one for key, one in everything.items() if key[1] != path}
        snapshot = await broker.fetch_snapshot()
        assert FindingCode.INCONSISTENT in {finding.code for finding in snapshot.findings}, path
        assert {position.symbol for position in snapshot.positions} == {UM, CM}, path
    server.wire.engine.close_position("desk", "ETH-USD")
    for path in ("/papi/v1/cm/account", "/papi/v1/cm/positionRisk"):
        gateway._routes = {key: one for key, one in everything.items() if key[1] != path}
        assert (await broker.fetch_snapshot()).findings == (), path


async def test_the_later_call_of_the_usdm_side_does_as_well(
    server: SandboxServer,
    broker: Any,  # noqa: ANN401
) -> None:
    gateway = server._gateway
    route = gateway._routes["GET", "/papi/v1/um/account"]
    gateway._routes = {
        key: one for key, one in gateway._routes.items() if key[1] != "/papi/v1/um/account"
    } | {("GET", "/papi/v2/um/account"): route}
    snapshot = await broker.fetch_snapshot()
    assert (snapshot.findings, len(snapshot.positions)) == ((), 2)
