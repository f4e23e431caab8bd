"""The real adapter writes to the sandbox's Bybit: reductions, cancellations, transfers, and lost answers."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.errors import RequestRefused
from brokers.models import OrderSide, Position, Symbol
from brokers.orders import ClientOrderId, OrderBook, OrderState, ReduceOrder, Verdict
from brokers.sandbox.engine import Engine
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.orders import OrderSpec, OrderType, Trigger, TriggerDirection
from brokers.sandbox.server import SandboxServer
from brokers.venues.bybit.broker import BybitBroker

pytestmark = pytest.mark.wire

Open = Callable[[str], Awaitable[BybitBroker]]
BTC = Symbol("BTCUSDT")
CREATE = "/v5/order/create"


def reduction(
    broker: BybitBroker,
    position: Position,
    client_id: str,
    *,
    quantity: str = "0.4",
    price: str | None = None,
) -> ReduceOrder:
    return ReduceOrder(
        position=position,
        quantity=Decimal(quantity),
        client_order_id=ClientOrderId(client_id),
        deadline=broker.venue_now() + timedelta(seconds=3),
        limit_price=None if price is None else Decimal(price),
    )


async def only_position(broker: BybitBroker) -> Position:
    return (await broker.fetch_snapshot()).positions[0]


def rest(engine: Engine, account: str, **changes: object) -> str:
    usual: dict[str, object] = {
        "symbol": "BTC-USDT",
        "side": OrderSide.BUY,
        "quantity": Decimal("0.01"),
        "type": OrderType.LIMIT,
        "price": Decimal(50_000),
    }
    return engine.place(account, OrderSpec(**{**usual, **changes})).order_id


STOP = {
    "side": OrderSide.SELL,
    "type": OrderType.MARKET,
    "price": None,
    "trigger": Trigger(price=Decimal(40_000), direction=TriggerDirection.FALLS),
    "reduce_only": True,
}


async def test_a_market_reduction_is_accepted_and_found_filled(
    adapter: Open, engine: Engine, ids: Iterator[str]
) -> None:
    broker = await adapter("cross")
    order = reduction(broker, await only_position(broker), next(ids))
    report = await broker.submit(order)
    assert (report.verdict, report.state) == (Verdict.ACCEPTED, None)
    found = await broker.find_order(order.client_order_id, BTC)
    assert found is not None
    assert (found.state, found.filled, found.order_id) == (
        OrderState.FILLED,
        Decimal("0.4"),
        report.order_id,
    )
    assert found.fee is not None
    assert found.fee > 0
    assert engine.figures("cross").positions[0].quantity == Decimal("0.6")


async def test_an_ioc_reduction_that_meets_nothing_is_cancelled_unfilled(
    adapter: Open, ids: Iterator[str]
) -> None:
    broker = await adapter("cross")
    order = reduction(broker, await only_position(broker), next(ids), price="65000")
    assert (await broker.submit(order)).verdict is Verdict.ACCEPTED
    found = await broker.find_order(order.client_order_id, BTC)
    assert found is not None
    assert (found.state, found.filled, found.average_price) == (OrderState.CANCELLED, Decimal(0), None)


async def test_hedge_legs_are_reduced_by_their_own_index(
    adapter: Open, engine: Engine, ids: Iterator[str]
) -> None:
    broker = await adapter("hedge")
    long, short = (await broker.fetch_snapshot()).positions
    for position, quantity in ((long, "0.3"), (short, "0.1")):
        report = await broker.submit(reduction(broker, position, next(ids), quantity=quantity))
        assert report.verdict is Verdict.ACCEPTED
    assert [p.quantity for p in engine.figures("hedge").positions] == [Decimal("0.7"), Decimal("0.3")]


@pytest.mark.parametrize("symbol", ["ETHPERP", "BTCUSD"])
async def test_positions_of_other_products_are_reduced(
    adapter: Open, ids: Iterator[str], symbol: str
) -> None:
    broker = await adapter("wide")
    held = next(p for p in (await broker.fetch_snapshot()).positions if p.symbol == symbol)
    order = reduction(broker, held, next(ids), quantity=str(held.quantity))
    assert (await broker.submit(order)).verdict is Verdict.ACCEPTED
    assert symbol not in {p.symbol for p in (await broker.fetch_snapshot()).positions}


async def test_a_used_client_id_exists_and_an_unknown_one_does_not(adapter: Open, ids: Iterator[str]) -> None:
    broker = await adapter("cross")
    position = await only_position(broker)
    order = reduction(broker, position, next(ids))
    await broker.submit(order)
    assert (await broker.submit(order)).verdict is Verdict.EXISTS
    assert await broker.find_order(ClientOrderId(next(ids)), BTC) is None


async def test_reducing_what_is_gone_is_rejected_as_done(
    adapter: Open, engine: Engine, ids: Iterator[str]
) -> None:
    broker = await adapter("cross")
    position = await only_position(broker)
    engine.external_trade("cross", "BTC-USDT", OrderSide.SELL, Decimal(1))
    report = await broker.submit(reduction(broker, position, next(ids)))
    assert (report.verdict, report.code) == (Verdict.REJECTED, "110017")


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        (Fault(kind=FaultKind.ACCEPTED_NO_ANSWER, path=CREATE), Verdict.UNKNOWN),
        (Fault(kind=FaultKind.HTTP_502_HTML, path=CREATE, executes=True), Verdict.UNKNOWN),
        (Fault(kind=FaultKind.HTML_200, path=CREATE, executes=True), Verdict.UNKNOWN),
        (Fault(kind=FaultKind.DUPLICATE_CODE, path=CREATE, executes=True), Verdict.EXISTS),
    ],
)
async def test_an_order_whose_answer_is_lost_is_unknown_and_then_found(
    adapter: Open, server: SandboxServer, ids: Iterator[str], fault: Fault, verdict: Verdict
) -> None:
    broker = await adapter("cross")
    order = reduction(broker, await only_position(broker), next(ids))
    server.faults.set(fault)
    assert (await broker.submit(order)).verdict is verdict
    server.faults.clear()
    found = await broker.find_order(order.client_order_id, BTC)
    assert found is not None
    assert found.state is OrderState.FILLED


async def test_a_request_that_reaches_the_venue_after_its_window_does_nothing(
    adapter: Open, server: SandboxServer, engine: Engine, ids: Iterator[str]
) -> None:
    broker = await adapter("cross")
    position = await only_position(broker)
    late = ReduceOrder(
        position=position,
        quantity=Decimal("0.4"),
        client_order_id=ClientOrderId(next(ids)),
        deadline=broker.venue_now() + timedelta(milliseconds=200),
    )
    broker.transport.write_deadline_s = 0.3
    server.faults.set(Fault(kind=FaultKind.EXECUTED_LATE, path=CREATE, ms=400))
    assert (await broker.submit(late)).verdict is Verdict.UNKNOWN
    server.faults.clear()
    broker.transport.write_deadline_s = 2.5
    assert await broker.find_order(late.client_order_id, BTC) is None
    assert engine.figures("cross").positions[0].quantity == 1


async def test_an_order_after_its_deadline_is_not_sent(
    adapter: Open, server: SandboxServer, ids: Iterator[str]
) -> None:
    broker = await adapter("cross")
    order = reduction(broker, await only_position(broker), next(ids))
    passed = ReduceOrder(
        position=order.position,
        quantity=order.quantity,
        client_order_id=order.client_order_id,
        deadline=broker.venue_now() - timedelta(seconds=1),
    )
    server.received.clear()
    assert (await broker.submit(passed)).verdict is Verdict.REJECTED
    assert CREATE not in {path for _, path, _ in server.received}


async def test_open_orders_of_every_product_and_book(adapter: Open, engine: Engine) -> None:
    broker = await adapter("wide")
    rest(engine, "wide")
    rest(engine, "wide", symbol="ETH-USDC", quantity=Decimal("0.1"), price=Decimal(2000))
    rest(engine, "wide", symbol="BTC-USD", quantity=Decimal(100))
    rest(engine, "wide", **STOP, quantity=Decimal("0.5"))
    orders = await broker.fetch_open_orders()
    assert {(order.symbol, order.book, order.is_protective) for order in orders} == {
        ("BTCUSDT", OrderBook.ACTIVE, False),
        ("BTCUSDT", OrderBook.TRIGGER, True),
        ("ETHPERP", OrderBook.ACTIVE, False),
        ("BTCUSD", OrderBook.ACTIVE, False),
    }


async def test_more_open_orders_than_a_page_holds(adapter: Open, engine: Engine) -> None:
    broker = await adapter("flat")
    wanted = {rest(engine, "flat", quantity=Decimal("0.001"), price=Decimal(40_000 + n)) for n in range(120)}
    assert {order.order_id for order in await broker.fetch_open_orders()} == wanted


async def test_exactly_the_given_orders_are_cancelled(adapter: Open, engine: Engine) -> None:
    broker = await adapter("wide")
    entry, stop = rest(engine, "wide"), rest(engine, "wide", **STOP, quantity=Decimal("0.5"))
    inverse = rest(engine, "wide", symbol="BTC-USD", quantity=Decimal(100))
    orders = [order for order in await broker.fetch_open_orders() if not order.is_protective]
    reports = await broker.cancel_orders(orders)
    assert {report.order_id for report in reports} == {entry, inverse}
    assert {report.verdict for report in reports} == {Verdict.ACCEPTED}
    assert [order.order_id for order in engine.open_orders("wide")] == [stop]


async def test_cancelling_what_is_gone_is_rejected_with_the_venues_code(
    adapter: Open, engine: Engine
) -> None:
    broker = await adapter("cross")
    order_id = rest(engine, "cross")
    orders = await broker.fetch_open_orders()
    engine.cancel("cross", order_id=order_id)
    (report,) = await broker.cancel_orders(orders)
    assert (report.verdict, report.code) == (Verdict.REJECTED, "110001")
    assert broker.outcomes.is_benign("cancel", report.code)


async def test_leverage_that_is_there_already_is_success(adapter: Open, engine: Engine) -> None:
    broker = await adapter("cross")
    await broker.set_leverage(BTC, Decimal(8))
    await broker.set_leverage(BTC, Decimal(8))
    assert engine.leverage("cross", "BTC-USDT") == 8
    with pytest.raises(RequestRefused):
        await broker.set_leverage(BTC, Decimal(500))


async def test_collateral_moves_in_once_and_is_found_by_its_id(
    adapter: Open, engine: Engine, ids: Iterator[str]
) -> None:
    broker, client_id, amount = await adapter("cross"), next(ids), Decimal("250.123456")
    since = broker.venue_now()
    assert await broker.fetch_funding_balance("USDT") == 1_000
    assert await broker.find_transfer(client_id, "USDT", amount, since) is None
    report = await broker.transfer_in("USDT", amount, client_id)
    assert report.verdict is Verdict.ACCEPTED
    assert (await broker.transfer_in("USDT", amount, client_id)).verdict is Verdict.EXISTS
    found = await broker.find_transfer(client_id, "USDT", amount, since)
    assert found is not None
    assert (found.verdict, found.transfer_id) == (Verdict.ACCEPTED, report.transfer_id)
    assert engine.funding_balance("cross", "USDT") == Decimal("749.876544")


async def test_a_transfer_beyond_the_funding_wallet_is_rejected(adapter: Open, ids: Iterator[str]) -> None:
    broker = await adapter("cross")
    report = await broker.transfer_in("USDT", Decimal(5_000), next(ids))
    assert (report.verdict, report.code) == (Verdict.REJECTED, "131212")
