"""Hosts that do not have everything: what is needed must be there, what is not may be missing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from brokers.errors import NotSupported, RequestRefused, VenueUnavailable
from brokers.models import FindingCode, OrderSide
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.orders import Order
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.wire.base import WireAnswer, WireRequest
from brokers.sandbox.wire.coinbase.wire import CoinbaseWire

pytestmark = pytest.mark.wire

Open = Any  # the fixtures' types live in conftest
V3 = "/api/v3/brokerage/"


class Without:
    """The wire of a host that lacks some paths."""

    def __init__(self, wire: CoinbaseWire, *names: str) -> None:
        self.server = SandboxServer(wire)
        routes = self.server._gateway._routes
        self.server._gateway._routes = {
            k: r for k, r in routes.items() if k[1] not in {V3 + n for n in names}
        }


async def test_products_may_come_from_the_private_list(wire: CoinbaseWire, open_at: Open) -> None:
    async with Without(wire, "market/products").server as server:
        futures, spot = await open_at(server), await open_at(server, "spot")
        assert (await futures.fetch_snapshot()).findings == ()
        assert (await spot.fetch_snapshot()).units[0].margin_equity == 43_600


async def test_without_any_products_only_the_worth_of_a_cash_account_is_unknown(
    wire: CoinbaseWire, open_at: Open
) -> None:
    async with Without(wire, "market/products", "products").server as server:
        snapshot = await (await open_at(server, "spot")).fetch_snapshot()
        assert (snapshot.findings, snapshot.units[0].margin_equity) == ((), None)
        assert {row.currency for row in snapshot.collaterals} >= {"BTC", "USD"}


async def test_a_host_that_cannot_say_what_a_key_may_do_says_so(wire: CoinbaseWire, open_at: Open) -> None:
    async with Without(wire, "key_permissions").server as server:
        broker = await open_at(server)
        snapshot = await broker.fetch_snapshot()
        assert (snapshot.findings, snapshot.mode.label) == ((), "US futures, unnamed portfolio")
        with pytest.raises(NotSupported):
            await broker.fetch_permissions()


async def test_a_host_that_never_states_the_night_is_judged_by_day_and_must_not_forget_it_later(
    wire: CoinbaseWire, open_at: Open
) -> None:
    host = Without(wire)
    routes = host.server._gateway._routes
    key = ("GET", V3 + "cfm/balance_summary")
    states = False

    def answer(request: WireRequest, account: str) -> WireAnswer:
        payload: Any = routes[key].handler(request, account).payload
        if not states:
            del payload["balance_summary"]["overnight_margin_window_measure"]
        return WireAnswer(payload=payload)

    host.server._gateway._routes = {**routes, key: replace(routes[key], handler=answer)}
    async with host.server as server:
        broker = await open_at(server)
        by_day = await broker.fetch_snapshot()
        assert (by_day.findings, len(by_day.positions)) == ((), 1)
        states = True
        assert (await broker.fetch_snapshot()).findings == ()
        states = False
        [finding] = (await broker.fetch_snapshot()).findings
        assert finding.code is FindingCode.TOTALS_MISSING


async def test_a_host_without_the_margin_is_no_host_for_futures(wire: CoinbaseWire, open_at: Open) -> None:
    async with Without(wire, "cfm/balance_summary").server as server:
        broker = await open_at(server)
        with pytest.raises(RequestRefused, match="NOT_FOUND"):
            await broker.fetch_snapshot()


async def test_a_venue_that_is_down_is_not_one_that_lacks_something(
    server: SandboxServer, open_at: Open
) -> None:
    broker = await open_at(server)
    server.faults.set(Fault(kind=FaultKind.HTTP_503_HTML, path=V3 + "key_permissions"))
    with pytest.raises(VenueUnavailable):
        await broker.fetch_permissions()
    server.faults.set(Fault(kind=FaultKind.HTTP_503_HTML, path=V3 + "orders"))
    with pytest.raises(VenueUnavailable):
        await broker.fetch_open_orders()


async def test_a_host_that_heeds_no_filter_has_only_the_products_resting_orders_cancelled(
    server: SandboxServer, open_at: Open, rest: Callable[..., Order]
) -> None:
    rest(OrderSide.BUY, "0.01", price="50000")
    key = ("GET", V3 + "orders/historical/batch")
    route = server._gateway._routes[key]

    def all_of_them(request: WireRequest, account: str) -> WireAnswer:
        answer = route.handler(request, account)
        rows = [
            {**row, "order_id": f"{row['order_id']}-{word}", field: word}
            for row in answer.payload["orders"]
            for field, word in (("product_type", "SPOT"), ("status", "FILLED"), ("status", "CANCELLED"))
        ]
        return replace(answer, payload={**answer.payload, "orders": [*answer.payload["orders"], *rows]})

    server._gateway._routes = {**server._gateway._routes, key: replace(route, handler=all_of_them)}
    broker = await open_at(server)
    (order,) = await broker.fetch_open_orders()
    assert "-" not in order.order_id or not order.order_id.endswith(("SPOT", "FILLED", "CANCELLED"))
