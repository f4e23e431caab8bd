"""Hosts that lack a call that protection does not need: the account is guarded all the same.

A host says so with the venue's own error, or something in front of it with a plain 404.
"""

from typing import Any

import pytest

from brokers.errors import BrokerError
from brokers.models import OrderSide, Side
from brokers.orders import Verdict
from brokers.sandbox.wire.base import WireAnswer
from tests.brokers.conformance import conftest
from tests.brokers.conformance.cases import BTC, CASES, Case

pytestmark = pytest.mark.wire

Station = Any  # the fixture's type lives in conftest

KEY_AT_BINANCE = "GET /sapi/v1/account/apiRestrictions"

OPTIONAL = {
    "binance-single-asset": [
        "GET /fapi/v1/accountConfig",
        "GET /fapi/v1/leverageBracket",
        "GET /fapi/v1/openAlgoOrders",
        "GET /fapi/v1/order",
        "GET /fapi/v1/premiumIndex",
        "GET /fapi/v1/symbolConfig",
        "GET /fapi/v1/time",
        "DELETE /fapi/v1/algoOrder",
        KEY_AT_BINANCE,
    ],
    "binance-coinm": [
        "GET /dapi/v1/openAlgoOrders",
        "GET /dapi/v1/order",
        "GET /dapi/v1/positionSide/dual",
        "GET /dapi/v1/premiumIndex",
        "GET /dapi/v1/time",
        "GET /dapi/v2/leverageBracket",
        "DELETE /dapi/v1/algoOrder",
        KEY_AT_BINANCE,
    ],
    "binance-portfolio": [
        "GET /fapi/v1/premiumIndex",
        "GET /fapi/v1/time",
        "GET /papi/v1/balance",
        "GET /papi/v1/cm/conditional/openOrders",
        "GET /papi/v1/cm/leverageBracket",
        "GET /papi/v1/cm/openOrders",
        "GET /papi/v1/um/conditional/openOrders",
        "GET /papi/v1/um/leverageBracket",
        "GET /papi/v1/um/order",
        "DELETE /papi/v1/um/conditional/order",
        KEY_AT_BINANCE,
    ],
    "bybit-cross": [
        "GET /v5/market/risk-limit",
        "GET /v5/market/time",
        "GET /v5/order/history",
        "GET /v5/user/query-api",
    ],
    "okx-futures": [
        "GET /api/v5/public/position-tiers",
        "GET /api/v5/public/time",
        "GET /api/v5/trade/order",
        "GET /api/v5/trade/orders-algo-pending",
        "POST /api/v5/trade/cancel-algos",
    ],
    "kraken-spot": [
        "GET /0/public/Time",
        "POST /0/private/ClosedOrders",
        "POST /0/private/GetApiKeyInfo",
        "POST /0/private/QueryOrders",
    ],
    "kraken-futures": [
        "GET /api/auth/v1/api-keys/v3/check",
        "GET /api/history/v2/orders",
        "GET /derivatives/api/v3/fills",
        "POST /derivatives/api/v3/orders/status",
    ],
    "cryptocom": [
        "GET /exchange/v1/public/get-tickers",
        "POST /exchange/v1/private/advanced/cancel-order",
        "POST /exchange/v1/private/advanced/get-open-orders",
        "POST /exchange/v1/private/get-order-detail",
        "POST /exchange/v1/private/get-order-history",
    ],
    "coinbase-futures": [
        "GET /api/v3/brokerage/key_permissions",
        "GET /api/v3/brokerage/market/products",
        "GET /api/v3/brokerage/time",
    ],
}
"""What each product's adapter may ask for and can do without; `docs/venues.md` lists the rest."""


@pytest.fixture(params=[(name, call) for name, calls in OPTIONAL.items() for call in calls], ids="-".join)
def lacking(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A kind of account, and a call that its host lacks."""
    name, call = request.param
    return name, call


@pytest.fixture
def case(lacking: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Case:
    """The kind of account; its host's clock is right, for without a time call it cannot be measured."""
    monkeypatch.setattr(conftest, "AHEAD_MS", 0)
    return CASES[lacking[0]]


@pytest.fixture(params=["in the venue's words", "by a plain 404"])
def sparse(request: pytest.FixtureRequest, strange: Station, lacking: tuple[str, str]) -> Station:
    """An adapter that has not connected yet, at a host without that call."""
    method, path = lacking[1].split(" ")
    gateway, wire = strange.server._gateway, strange.server.wire
    assert (method, path) in gateway._routes, "a call that is not there cannot be missing"
    gateway._routes = {key: route for key, route in gateway._routes.items() if key != (method, path)}
    if "404" in request.param:
        refusal = wire.refusal
        nothing = WireAnswer(status=404, payload={"detail": "Not Found"})
        wire.refusal = lambda kind: nothing if kind == "not_found" else refusal(kind)
    return strange


async def test_a_host_without_a_call_that_can_be_missed_leaves_the_account_guarded(sparse: Station) -> None:
    broker = sparse.broker
    await broker.connect()
    sparse.place(BTC, OrderSide.BUY, "0.01", price="50000", leg=Side.LONG)
    for _ in range(2):
        snapshot = await broker.fetch_snapshot()
        await sparse.rest()
        assert snapshot.findings == ()
    assert len(snapshot.positions) == len(sparse.case.positions)
    permissions = await sparse.told(broker.fetch_permissions())
    assert isinstance(permissions, BrokerError) or permissions.can_withdraw is not True

    reports = await broker.cancel_orders(await broker.fetch_open_orders())
    assert [report.verdict for report in reports] == [Verdict.ACCEPTED]
    assert sparse.engine.open_orders(sparse.account) == ()

    held = next(p for p in snapshot.positions if (p.symbol, p.side) == (sparse.symbol(BTC), Side.LONG))
    before = sparse.exposure()
    report = await broker.submit(sparse.reduce(held, held.quantity / 5))
    assert report.verdict is Verdict.ACCEPTED
    assert sparse.exposure()[BTC, Side.LONG] == before[BTC, Side.LONG] * 4 / 5


async def test_what_was_acknowledged_is_known_without_one_of_the_lookups(
    sparse: Station, lacking: tuple[str, str]
) -> None:
    await sparse.broker.connect()
    held = await sparse.position()
    order = sparse.reduce(held, held.quantity / 5)
    report = await sparse.broker.submit(order)
    found = await sparse.told(sparse.broker.find_order(order.client_order_id, order.symbol))
    if isinstance(found, BrokerError):
        only = ("/order", "get-order-detail")
        assert report.is_final or lacking[1].endswith(only), "the fill is known from nowhere"
    else:
        assert (found.verdict, found.is_final) == (Verdict.ACCEPTED, True)
