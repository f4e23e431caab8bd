"""Reducing over the wire: acknowledgements, verdicts, deadlines and lost answers."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.errors import (
    RequestRefused,
)
from brokers.models import OrderSide, Position, Side, Symbol
from brokers.orders import ClientOrderId, OrderState, ReduceOrder, Verdict
from brokers.port import Broker
from brokers.sandbox.engine import Engine
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.history import OrderPlaced, OrderRefused
from brokers.sandbox.orders import OrderSpec, Refusal
from brokers.sandbox.server import SandboxServer

pytestmark = pytest.mark.wire

BTC, ETH = "BTC-USDT", "ETH-USDT"
BTC_SWAP, ETH_SWAP = Symbol("BTC-USDT-SWAP"), Symbol("ETH-USDT-SWAP")
OWN_ID = ClientOrderId("0123456789abcdef0123456789abcdef")

Open = Callable[..., Awaitable[Broker]]
Build = Callable[..., OrderSpec]
Reduce = Callable[..., ReduceOrder]
PositionOf = Callable[..., Awaitable[Position]]


async def test_order_is_acknowledged_then_found_filled(
    server: SandboxServer, open_at: Open, engine: Engine, position_of: PositionOf, reduce: Reduce
) -> None:
    broker = await open_at(server)
    order = reduce(broker, await position_of(broker), "40.5")
    report = await broker.submit(order)
    assert (report.verdict, report.state) == (Verdict.ACCEPTED, None)  # an acknowledgement is not a fill
    found = await broker.find_order(OWN_ID, BTC_SWAP)
    assert found is not None
    assert (found.order_id, found.state, found.filled) == (
        report.order_id,
        OrderState.FILLED,
        Decimal("40.5"),
    )
    assert found.fee is not None
    assert found.fee > 0
    assert (await position_of(broker)).quantity == Decimal("59.5")
    placed = [event.order for event in engine.history if isinstance(event, OrderPlaced)]
    assert [order.reduce_only for order in placed] == [True]
    assert placed[0].spec.deadline_ms is not None


async def test_limit_order_is_immediate_or_cancel(
    server: SandboxServer, open_at: Open, position_of: PositionOf, reduce: Reduce
) -> None:
    broker = await open_at(server)
    position = await position_of(broker)
    far = Decimal(10) * (position.mark_price or 0).quantize(Decimal(1))
    report = await broker.submit(reduce(broker, position, "10", limit_price=far))
    assert report.verdict is Verdict.ACCEPTED
    found = await broker.find_order(OWN_ID, BTC_SWAP)
    assert found is not None
    assert (found.state, found.filled) == (OrderState.CANCELLED, 0)


async def test_leg_is_reduced_by_its_name(
    server: SandboxServer, open_at: Open, engine: Engine, position_of: PositionOf, reduce: Reduce
) -> None:
    broker = await open_at(server, "hedge")
    await broker.submit(reduce(broker, await position_of(broker, side=Side.SHORT), "15"))
    legs = {p.position_side: p.quantity for p in engine.figures("hedge").positions}
    assert legs == {Side.LONG: 1, Side.SHORT: Decimal("0.25")}


async def test_isolated_position_is_reduced_in_its_own_mode(
    server: SandboxServer, open_at: Open, engine: Engine, position_of: PositionOf, reduce: Reduce
) -> None:
    broker = await open_at(server, "futures")
    report = await broker.submit(reduce(broker, await position_of(broker, ETH_SWAP, Side.SHORT), "20"))
    assert report.verdict is Verdict.ACCEPTED
    eth = engine.figures("futures").position(ETH)
    assert eth is not None
    assert eth.quantity == 3


async def test_lost_answer_is_unknown_and_the_order_is_found(
    server: SandboxServer, open_at: Open, engine: Engine, position_of: PositionOf, reduce: Reduce
) -> None:
    broker = await open_at(server)
    order = reduce(broker, await position_of(broker), "10")
    server.faults.set(Fault(kind=FaultKind.ACCEPTED_NO_ANSWER, path="/api/v5/trade/order", count=1))
    report = await broker.submit(order)
    assert report.verdict is Verdict.UNKNOWN
    found = await broker.find_order(OWN_ID, BTC_SWAP)
    assert found is not None
    assert found.state is OrderState.FILLED
    assert len(engine.fills("multi")) == 1


async def test_late_order_is_discarded_by_the_venue(
    server: SandboxServer, open_at: Open, engine: Engine, position_of: PositionOf, reduce: Reduce
) -> None:
    broker = await open_at(server)
    deadline = broker.venue_now() + timedelta(milliseconds=400)
    order = reduce(broker, await position_of(broker), "10", deadline=deadline)
    server.faults.set(Fault(kind=FaultKind.EXECUTED_LATE, path="/api/v5/trade/order", count=1, ms=600))
    report = await broker.submit(order)
    assert report.verdict is Verdict.UNKNOWN
    assert await broker.find_order(OWN_ID, BTC_SWAP) is None
    assert [e.reason for e in engine.history if isinstance(e, OrderRefused)] == [Refusal.EXPIRED]
    assert engine.fills("multi") == ()


@pytest.mark.parametrize(
    ("kind", "verdict", "code"),
    [
        (FaultKind.DUPLICATE_CODE, Verdict.EXISTS, "51016"),
        (FaultKind.REDUCE_ONLY_REJECTED, Verdict.REJECTED, "51169"),
        (FaultKind.HTTP_502_HTML, Verdict.UNKNOWN, None),
        (FaultKind.HTTP_429_PLAIN, Verdict.UNKNOWN, None),
        (FaultKind.HTML_200, Verdict.UNKNOWN, None),
    ],
)
async def test_verdict_on_a_refused_order(
    server: SandboxServer,
    open_at: Open,
    *,
    position_of: PositionOf,
    reduce: Reduce,
    kind: FaultKind,
    verdict: Verdict,
    code: str | None,
) -> None:
    broker = await open_at(server)
    order = reduce(broker, await position_of(broker), "10")
    server.faults.set(Fault(kind=kind, path="/api/v5/trade/order"))
    report = await broker.submit(order)
    assert (report.verdict, report.code) == (verdict, code)


async def test_order_on_a_flat_position_is_refused_and_proves_it(
    server: SandboxServer, open_at: Open, engine: Engine, position_of: PositionOf, reduce: Reduce
) -> None:
    broker = await open_at(server)
    position = await position_of(broker)
    engine.external_trade("multi", BTC, OrderSide.SELL, Decimal(1))
    report = await broker.submit(reduce(broker, position, "100"))
    assert (report.verdict, report.code) == (Verdict.REJECTED, "51169")


async def test_order_off_the_lot_is_refused_with_its_own_code(
    server: SandboxServer, open_at: Open, position_of: PositionOf, reduce: Reduce
) -> None:
    broker = await open_at(server)
    report = await broker.submit(reduce(broker, await position_of(broker), "0.05"))
    assert (report.verdict, report.code) == (Verdict.REJECTED, "51121")


async def test_read_only_key_cannot_reduce(
    server: SandboxServer, open_at: Open, position_of: PositionOf, reduce: Reduce
) -> None:
    multi, reader = await open_at(server), await open_at(server, "reader")
    report = await reader.submit(reduce(reader, await position_of(multi), "1"))
    assert (report.verdict, report.code) == (Verdict.REJECTED, "50120")


async def test_unknown_order_is_not_found(server: SandboxServer, open_at: Open) -> None:
    broker = await open_at(server)
    assert await broker.find_order(OWN_ID, BTC_SWAP) is None
    with pytest.raises(RequestRefused):
        await broker.find_order(OWN_ID, Symbol("NO-USDT-SWAP"))
