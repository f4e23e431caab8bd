"""Hosts that lack what can be done otherwise."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import OrderSide, Symbol
from brokers.orders import ClientOrderId, OrderState, ReduceOrder, SentOrder, Verdict
from brokers.sandbox.engine import Engine
from brokers.sandbox.orders import OrderSpec, OrderType, TimeInForce
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.wire.kraken.gate import Tier
from brokers.sandbox.wire.kraken.wire import KrakenWire

pytestmark = pytest.mark.wire

Open = Any  # the fixtures' types live in conftest
D = Decimal


@pytest.fixture(autouse=True)
def uncounted(wire: KrakenWire) -> None:
    """Kraken's counter would hold these tests up."""
    wire.gate.tier = Tier(1e9, 1e9)


def without(server: SandboxServer, *names: str) -> None:
    gateway, gone = server._gateway, {f"/0/private/{name}" for name in names}
    gateway._routes = {key: route for key, route in gateway._routes.items() if key[1] not in gone}


def rest(engine: Engine, count: int) -> None:
    for number in range(count):
        spec = OrderSpec(
            symbol=Symbol("XXBTZUSD"),
            side=OrderSide.BUY,
            quantity=D("0.001"),
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC,
            price=D(30_000 + number),
        )
        engine.place("desk", spec)


async def test_a_host_without_batches_has_its_orders_cancelled_one_by_one(
    connect: Open, server: SandboxServer, wire: KrakenWire
) -> None:
    without(server, "CancelOrderBatch")
    broker = await connect()
    rest(wire.engine, 7)
    for verdict, left in ((Verdict.UNKNOWN, 7), (Verdict.ACCEPTED, 0)):
        reports = await broker.cancel_orders(await broker.fetch_open_orders())
        assert [report.verdict for report in reports] == [verdict] * 7
        assert len(wire.engine.open_orders("desk")) == left


async def test_an_order_is_asked_for_by_krakens_id_and_else_by_ours(
    connect: Open, server: SandboxServer, reduce: Callable[..., ReduceOrder]
) -> None:
    broker = await connect()
    (held,) = (await broker.fetch_snapshot()).positions
    order = reduce(broker, held)
    sent = await broker.submit(order)
    without(server, "ClosedOrders", "OpenOrders")
    found = await broker.find_order(order.client_order_id, order.symbol)
    assert (found.order_id, found.state, found.filled) == (sent.order_id, OrderState.FILLED, D("0.01"))


async def test_krakens_id_outlives_a_restart(
    connect: Open, server: SandboxServer, reduce: Callable[..., ReduceOrder]
) -> None:
    first = await connect()
    (held,) = (await first.fetch_snapshot()).positions
    order = reduce(first, held)
    report = await first.submit(order)
    again = await connect("two")
    again.recall(
        SentOrder(
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            limit_price=None,
            margin_mode=held.margin_mode,
            sent_at=order.deadline,
            deadline=order.deadline,
            order_id=report.order_id,
        )
    )
    without(server, "ClosedOrders", "OpenOrders")
    found = await again.find_order(order.client_order_id, order.symbol)
    assert (found.order_id, found.state) == (report.order_id, OrderState.FILLED)


async def test_an_id_that_kraken_does_not_know_is_not_the_last_word(connect: Open) -> None:
    broker = await connect()
    nobody = ClientOrderId("f" * 32)
    broker._remember(nobody, "OGONE")
    assert await broker.find_order(nobody, Symbol("XXBTZUSD")) is None
