"""Other people's orders, leverage and collateral, over the wire."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from brokers.errors import (
    RequestRefused,
)
from brokers.models import OrderSide, Position, Symbol
from brokers.orders import ClientOrderId, OrderBook, ReduceOrder, Verdict
from brokers.port import Broker
from brokers.sandbox.engine import Engine
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.orders import OrderSpec
from brokers.sandbox.server import SandboxServer

pytestmark = pytest.mark.wire

BTC, ETH = "BTC-USDT", "ETH-USDT"
BTC_SWAP, ETH_SWAP = Symbol("BTC-USDT-SWAP"), Symbol("ETH-USDT-SWAP")
OWN_ID = ClientOrderId("0123456789abcdef0123456789abcdef")

Open = Callable[..., Awaitable[Broker]]
Build = Callable[..., OrderSpec]
Reduce = Callable[..., ReduceOrder]
PositionOf = Callable[..., Awaitable[Position]]


async def test_every_page_and_every_book_is_read_and_exactly_the_given_are_cancelled(
    server: SandboxServer, open_at: Open, engine: Engine, resting: Build, stop: Build
) -> None:
    for step in range(105):
        engine.place("multi", resting(f"{50_000 + step}"))
    kept = engine.place("multi", stop("50000"))
    opening = engine.place(
        "multi", stop("70000", side=OrderSide.BUY, reduce_only=False, quantity=Decimal("0.01"))
    )
    broker = await open_at(server)
    orders = await broker.fetch_open_orders()
    assert len(orders) == 107
    assert {order.order_id for order in orders if order.is_protective} == {kept.order_id}
    unwanted = [order for order in orders if not order.is_protective]
    assert {order.book for order in unwanted} == {OrderBook.ACTIVE, OrderBook.TRIGGER}
    reports = await broker.cancel_orders(unwanted)
    assert [report.order_id for report in reports] == [order.order_id for order in unwanted]
    assert {report.verdict for report in reports} == {Verdict.ACCEPTED}
    assert [order.order_id for order in engine.open_orders("multi")] == [kept.order_id]
    assert opening.order_id in {report.order_id for report in reports}


async def test_order_gone_meanwhile_is_told_from_its_neighbours(
    server: SandboxServer, open_at: Open, engine: Engine, resting: Build
) -> None:
    first, second = (engine.place("multi", resting(p)).order_id for p in ("50000", "50001"))
    broker = await open_at(server)
    orders = await broker.fetch_open_orders()
    engine.cancel("multi", order_id=first)
    reports = {report.order_id: report for report in await broker.cancel_orders(orders)}
    assert (reports[first].verdict, reports[first].code) == (Verdict.REJECTED, "51400")
    assert reports[second].verdict is Verdict.ACCEPTED


async def test_cancellation_without_an_answer_is_unknown(
    server: SandboxServer, open_at: Open, engine: Engine, resting: Build
) -> None:
    engine.place("multi", resting("50000"))
    broker = await open_at(server)
    orders = await broker.fetch_open_orders()
    server.faults.set(Fault(kind=FaultKind.HTTP_500, path="/api/v5/trade/cancel-batch-orders"))
    (report,) = await broker.cancel_orders(orders)
    assert report.verdict is Verdict.UNKNOWN
    alien = replace(orders[0], order_id="5", book=OrderBook.TRIGGER)
    (absent,) = await broker.cancel_orders([alien])
    assert (absent.verdict, absent.code) == (Verdict.REJECTED, "51400")


async def test_client_ids_of_own_orders_are_listed(
    server: SandboxServer, open_at: Open, engine: Engine, resting: Build
) -> None:
    engine.place("multi", resting("50000", client_id=OWN_ID))
    (order,) = await (await open_at(server)).fetch_open_orders()
    assert (order.client_order_id, order.quantity, order.price) == (OWN_ID, Decimal("0.1"), 50_000)


async def test_leverage_is_set_for_the_mode_that_is_held(
    server: SandboxServer, open_at: Open, engine: Engine
) -> None:
    broker = await open_at(server, "futures")
    await broker.fetch_snapshot()
    await broker.set_leverage(ETH_SWAP, Decimal(5))
    await broker.set_leverage(ETH_SWAP, Decimal(5))
    assert engine.leverage("futures", ETH) == 5
    with pytest.raises(RequestRefused, match="59102"):
        await broker.set_leverage(BTC_SWAP, Decimal(500))


async def test_collateral_is_moved_in_and_the_transfer_found(
    server: SandboxServer, open_at: Open, engine: Engine
) -> None:
    broker = await open_at(server)
    assert await broker.fetch_funding_balance("USDT") == 1000
    assert await broker.fetch_funding_balance("BTC") == 0
    report = await broker.transfer_in("USDT", Decimal("250.123456789"), OWN_ID)
    assert report.verdict is Verdict.ACCEPTED
    found = await broker.find_transfer(OWN_ID, "USDT", Decimal("250.123456789"), broker.venue_now())
    assert found is not None
    assert (found.transfer_id, found.verdict) == (report.transfer_id, Verdict.ACCEPTED)
    assert engine.funding_balance("multi", "USDT") == Decimal("749.87654322")


async def test_transfer_of_more_than_there_is_does_nothing(server: SandboxServer, open_at: Open) -> None:
    broker = await open_at(server)
    report = await broker.transfer_in("USDT", Decimal(1001), OWN_ID)
    assert (report.verdict, report.code) == (Verdict.REJECTED, "58350")
    assert await broker.find_transfer(OWN_ID, "USDT", Decimal(1001), broker.venue_now()) is None
