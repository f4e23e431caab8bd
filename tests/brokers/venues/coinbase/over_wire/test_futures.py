from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import RateLimited
from brokers.models import OrderSide, Side
from brokers.orders import OrderState, ReduceOrder, Verdict
from brokers.outcomes import Write
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.orders import Order
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.wire.coinbase.wire import CoinbaseWire

pytestmark = pytest.mark.wire

Open = Any  # the fixtures' types live in conftest
Reduce = Callable[..., ReduceOrder]
Rest = Callable[..., Order]
BTC = "BTC-USD-CDE"
D = Decimal


async def test_the_nights_margin_counts_by_day_too(
    server: SandboxServer, open_at: Open, wire: CoinbaseWire
) -> None:
    broker = await open_at(server)
    by_night = await broker.fetch_snapshot()
    wire.intraday = True
    by_day = await broker.fetch_snapshot()
    pool = wire.engine.figures("futures").pool("USD")
    for snapshot in (by_night, by_day):
        [unit] = snapshot.units
        assert snapshot.findings == ()
        assert unit.initial_margin == pool.position_initial_margin == D(6000)
        assert unit.maintenance_margin == pool.maintenance_margin
        assert unit.margin_equity == D(20_000)


async def test_an_id_sent_again_is_the_same_order(
    server: SandboxServer, open_at: Open, reduce: Reduce, wire: CoinbaseWire
) -> None:
    broker = await open_at(server)
    [position] = (await broker.fetch_snapshot()).positions
    order = reduce(broker, position, "10")
    first, again = await broker.submit(order), await broker.submit(order)
    assert (again.verdict, again.order_id) == (Verdict.ACCEPTED, first.order_id)
    assert wire.engine.figures("futures").positions[0].quantity == D("0.9")


async def test_an_id_that_belongs_to_an_order_of_another_size_is_not_taken_for_it(
    server: SandboxServer, open_at: Open, reduce: Reduce
) -> None:
    broker = await open_at(server)
    [position] = (await broker.fetch_snapshot()).positions
    await broker.submit(reduce(broker, position, "10"))
    report = await broker.submit(reduce(broker, position, "20"))
    found = await broker.find_order(report.client_order_id, report.symbol)
    assert (found.state, found.filled) == (OrderState.FILLED, D(10))


async def test_more_than_the_position_closes_it_and_opens_nothing(
    server: SandboxServer, open_at: Open, reduce: Reduce, wire: CoinbaseWire
) -> None:
    broker = await open_at(server)
    [position] = (await broker.fetch_snapshot()).positions
    wire.engine.external_trade("futures", BTC, OrderSide.SELL, D("0.7"))
    assert (await broker.submit(reduce(broker, position, "100"))).verdict is Verdict.ACCEPTED
    assert wire.engine.figures("futures").positions == ()
    flat = await broker.submit(reduce(broker, position, "100"))
    assert flat.verdict is Verdict.ACCEPTED, "the id is that of the order before"
    assert wire.engine.figures("futures").positions == ()


async def test_a_position_turned_around_meanwhile_is_cut_from_the_side_it_is_on(
    server: SandboxServer, open_at: Open, reduce: Reduce, wire: CoinbaseWire
) -> None:
    broker = await open_at(server)
    [position] = (await broker.fetch_snapshot()).positions
    wire.engine.external_trade("futures", BTC, OrderSide.SELL, D("1.5"))
    report = await broker.submit(reduce(broker, position, "10"))
    assert report.verdict is Verdict.UNKNOWN, "the venue bought where a sale was meant: look it up"
    [left] = wire.engine.figures("futures").positions
    assert (left.side, left.quantity) == (Side.SHORT, D("0.4"))


async def test_open_orders_are_read_and_cancelled_over_all_pages_and_batches(
    server: SandboxServer, open_at: Open, rest: Rest, wire: CoinbaseWire
) -> None:
    for n in range(270):
        rest(OrderSide.BUY, "0.01", price=str(30_000 + 5 * n))
    broker = await open_at(server)
    orders = await broker.fetch_open_orders()
    assert len({order.order_id for order in orders}) == 270
    reports = await broker.cancel_orders(orders)
    assert {report.verdict for report in reports} == {Verdict.ACCEPTED}
    assert wire.engine.open_orders("futures") == ()
    assert [path for _, path, _ in server.received].count("/api/v3/brokerage/orders/batch_cancel") == 3


async def test_a_batch_that_failed_in_part_says_which(
    server: SandboxServer, open_at: Open, rest: Rest, wire: CoinbaseWire
) -> None:
    gone, open_ = rest(OrderSide.BUY, "0.01", price="30000"), rest(OrderSide.BUY, "0.01", price="31000")
    broker = await open_at(server)
    orders = {order.order_id: order for order in await broker.fetch_open_orders()}
    wire.engine.cancel("futures", order_id=gone.order_id)
    reports = await broker.cancel_orders([orders[gone.order_id], orders[open_.order_id]])
    assert [report.verdict for report in reports] == [Verdict.REJECTED, Verdict.ACCEPTED]
    assert broker.outcomes.is_benign(Write.CANCEL, reports[0].code)
    assert wire.engine.open_orders("futures") == ()


async def test_the_owners_stop_is_protection_though_nothing_flags_it(
    server: SandboxServer, open_at: Open, rest: Rest
) -> None:
    fits = rest(OrderSide.SELL, "1", trigger="40000")
    too_large = rest(OrderSide.SELL, "1.01", trigger="39000")
    entry = rest(OrderSide.BUY, "0.01", trigger="70000")
    broker = await open_at(server)
    await broker.fetch_snapshot()
    found = {order.order_id: order.is_protective for order in await broker.fetch_open_orders()}
    assert found == {fits.order_id: True, too_large.order_id: False, entry.order_id: False}


async def test_an_order_is_found_among_many_others(
    server: SandboxServer, open_at: Open, reduce: Reduce, rest: Rest
) -> None:
    broker = await open_at(server)
    [position] = (await broker.fetch_snapshot()).positions
    order = reduce(broker, position, "10")
    await broker.submit(order)
    for n in range(260):
        rest(OrderSide.BUY, "0.01", price=str(30_000 + 5 * n))
    found = await broker.find_order(order.client_order_id, order.symbol)
    assert (found.state, found.filled) == (OrderState.FILLED, D(10))
    assert await broker.find_order("f" * 32, order.symbol) is None


async def test_its_rate_limit_in_json_is_waited_out_and_not_taken_for_an_answer(
    server: SandboxServer, open_at: Open, reduce: Reduce, wire: CoinbaseWire
) -> None:
    broker = await open_at(server)
    [position] = (await broker.fetch_snapshot()).positions
    server.faults.set(Fault(kind=FaultKind.BAN, count=1))
    with pytest.raises(RateLimited) as caught:
        await broker.fetch_open_orders()
    assert caught.value.retry_after == 1.0
    server.faults.set(Fault(kind=FaultKind.BAN, count=1, writes=True))
    report = await broker.submit(reduce(broker, position, "10"))
    assert report.verdict is Verdict.UNKNOWN
    assert wire.engine.orders("futures") == ()


async def test_what_is_sent_to_close_is_what_is_documented_and_nothing_more(
    server: SandboxServer, open_at: Open, reduce: Reduce, wire: CoinbaseWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies: list[bytes] = []
    routes = {route.path: route for route in wire.routes()}
    close = routes["/api/v3/brokerage/orders/close_position"].handler
    monkeypatch.setattr(
        wire._trade,
        "close_position",
        lambda request, name: (bodies.append(request.body), close(request, name))[1],
    )
    async with SandboxServer(wire) as fresh:
        broker = await open_at(fresh)
        [position] = (await broker.fetch_snapshot()).positions
        await broker.submit(reduce(broker, position, "10"))
    [body] = bodies
    assert b"reduce" not in body.lower()
    assert body == (
        b'{"client_order_id":"0123456789abcdef0123456789abcdef","product_id":"BIP-20DEC30-CDE","size":"10"}'
    )
