"""Finding and cancelling orders: two lists, and acknowledgements that only say "queued"."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import OrderSide, Symbol
from brokers.orders import OrderBook, Verdict
from brokers.sandbox.wire.base import WireAnswer

pytestmark = pytest.mark.wire

Desk = Any  # the fixtures' types live in conftest
Open = Callable[..., Awaitable[Desk]]
BTC, ETH = Symbol("BTCUSD-PERP"), Symbol("ETHUSD-PERP")
NO_SUCH_METHOD = WireAnswer(payload={"id": 1, "code": 40002, "message": "METHOD_NOT_FOUND"}, status=400)
HTML = WireAnswer(payload={"error": "upstream"}, status=502)


async def test_each_order_is_cancelled_by_the_call_that_lists_it(
    desk: Desk, stop_at: Callable[[str], Any]
) -> None:
    resting = desk.rest(BTC, OrderSide.BUY, "0.01", price=Decimal(50_000))
    adding = desk.rest(ETH, OrderSide.SELL, "1", trigger=stop_at("2000"))
    orders = await desk.broker.fetch_open_orders()
    assert {order.book for order in orders} == {OrderBook.ACTIVE, OrderBook.TRIGGER}
    reports = await desk.broker.cancel_orders(orders)
    assert [report.verdict for report in reports] == [Verdict.ACCEPTED] * 2
    assert desk.engine.open_orders("desk") == ()
    (plain,) = desk.wire.sent("private/cancel-order")
    (advanced,) = desk.wire.sent("private/advanced/cancel-order")
    assert plain["params"] == {"order_id": resting.order_id}
    assert advanced["params"] == {"order_id": adding.order_id}


async def test_a_stop_without_a_flag_is_kept_while_it_only_reduces(
    desk: Desk, stop_at: Callable[[str], Any]
) -> None:
    desk.rest(BTC, OrderSide.SELL, "0.5", trigger=stop_at("40000"))
    (stop,) = await desk.broker.fetch_open_orders()
    assert stop.is_protective
    desk.engine.external_trade("desk", BTC, OrderSide.SELL, Decimal("0.1"))
    (stop,) = await desk.broker.fetch_open_orders()
    assert not stop.is_protective


async def test_a_cancellation_that_still_shows_is_not_known_to_have_worked(open_desk: Open) -> None:
    desk = await open_desk(lag_ms=1_500)
    desk.rest(BTC, OrderSide.BUY, "0.01", price=Decimal(50_000))
    desk.engine.advance(desk.engine.now_ms + 2_000)
    orders = await desk.broker.fetch_open_orders()
    assert len(orders) == 1
    (report,) = await desk.broker.cancel_orders(orders)
    assert (report.verdict, report.order_id) == (Verdict.UNKNOWN, orders[0].order_id)
    desk.engine.advance(desk.engine.now_ms + 2_000)
    assert await desk.broker.fetch_open_orders() == ()


async def test_a_cancellation_is_waited_for(open_desk: Open) -> None:
    desk = await open_desk(lag_ms=300)
    desk.rest(BTC, OrderSide.BUY, "0.01", price=Decimal(50_000))
    desk.engine.advance(desk.engine.now_ms + 1_000)
    (report,) = await desk.broker.cancel_orders(await desk.broker.fetch_open_orders())
    assert report.verdict is Verdict.ACCEPTED


async def test_a_cancellation_that_cannot_be_looked_up_is_not_known_to_have_worked(desk: Desk) -> None:
    desk.rest(BTC, OrderSide.BUY, "0.01", price=Decimal(50_000))
    orders = await desk.broker.fetch_open_orders()
    desk.wire.instead["private/get-open-orders"] = HTML
    desk.broker.transport.read_deadline_s = 0.2
    (report,) = await desk.broker.cancel_orders(orders)
    assert report.verdict is Verdict.UNKNOWN
    assert desk.engine.open_orders("desk") == ()


async def test_a_host_without_the_advanced_list_holds_no_such_orders(open_desk: Open) -> None:
    desk = await open_desk(instead={"private/advanced/get-open-orders": NO_SUCH_METHOD})
    desk.rest(BTC, OrderSide.BUY, "0.01", price=Decimal(50_000))
    assert [order.kind for order in await desk.broker.fetch_open_orders()] == ["LIMIT"]
