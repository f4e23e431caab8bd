"""Reads on which nothing depends: asked once, and no other call feels them."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from brokers.doors import NotSent
from brokers.errors import BrokerError, ClockRefused, NotSupported, VenueUnavailable
from brokers.profile import BudgetRules, BudgetScope
from brokers.transport import Transport

Venue = Any  # the loopback venue of conftest
Open = Callable[..., Transport]

pytestmark = pytest.mark.wire

RATES, POSITIONS = "privateGetV5AccountCollateralInfo", "privateGetV5PositionList"
PATH, POLLED = "/v5/account/collateral-info", "/v5/position/list"


async def test_it_is_signed_like_any_poll(transport: Transport, venue: Venue) -> None:
    venue.always(PATH, lambda: web.json_response({"retCode": 0, "result": {"list": [1]}}))
    assert (await transport.read_aside(RATES, {"currency": "USDT"}))["result"] == {"list": [1]}
    (request,) = venue.received
    assert request.query_string == "currency=USDT"
    assert request.headers["X-BAPI-SIGN"]


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.Response(status=404, text="no such page"),
        lambda: web.Response(status=502, text="<html></html>", content_type="text/html"),
        lambda: web.Response(text='{"retCode": 0, "res', content_type="application/json"),
        lambda: web.Response(status=429, text="", headers={"Retry-After": "600"}),
        lambda: web.Response(status=418, text="", headers={"Retry-After": "600"}),
        lambda: web.json_response({"retCode": 10006, "retMsg": "too many visits"}),
        lambda: web.json_response({"retCode": 10002, "retMsg": "the clock"}),
        lambda: web.json_response({"retCode": 10003, "retMsg": "no"}, status=401),
    ],
)
async def test_whatever_it_answers_it_is_asked_once_and_polls_go_on(
    transport: Transport, venue: Venue, answer: Callable[[], web.Response]
) -> None:
    venue.always(PATH, answer)
    with pytest.raises(BrokerError):
        await transport.read_aside(RATES)
    started = time.perf_counter()
    await transport.read(POSITIONS)
    assert time.perf_counter() - started < 0.15
    assert [request.path for request in venue.received] == [PATH, POLLED]


async def test_a_refused_timestamp_is_only_told(transport: Transport, venue: Venue) -> None:
    venue.always(PATH, lambda: web.json_response({"retCode": 10002, "retMsg": "the clock"}))
    with pytest.raises(ClockRefused, match="loopback privateGetV5AccountCollateralInfo"):
        await transport.read_aside(RATES)


async def test_it_is_given_up_at_the_deadline(transport: Transport, venue: Venue) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(10)
        return web.Response()

    venue.on(PATH, hang)
    transport.read_deadline_s = 0.2
    with pytest.raises(VenueUnavailable, match=r"no answer within 0\.2 s"):
        await transport.read_aside(RATES)


async def test_without_room_in_the_budget_it_is_not_asked_at_all(open_transport: Open, venue: Venue) -> None:
    rules = BudgetRules(capacity=10, period_s=60, scope=BudgetScope.KEY)
    transport = open_transport(budget=rules)
    for _ in range(6):
        await transport.read(POSITIONS)
    started = time.perf_counter()
    with pytest.raises(NotSent, match="our own request budget"):
        await transport.read_aside(RATES)
    assert time.perf_counter() - started < 0.15
    assert PATH not in venue.paths()
    await transport.read(POSITIONS, protective=True)


async def test_a_call_that_ccxt_does_not_know_is_a_broker_error(transport: Transport) -> None:
    with pytest.raises(NotSupported):
        await transport.read_aside("privateGetNowhere")
