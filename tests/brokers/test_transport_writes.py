import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from brokers.errors import OutcomeUnknown, RequestRefused, VenueUnavailable
from brokers.registry import BrokerSpec
from brokers.transport import Transport

Venue = Any  # the loopback venue of conftest
Open = Callable[..., Transport]

pytestmark = pytest.mark.wire

CREATE = "privatePostV5OrderCreate"
PATH = "/v5/order/create"
ORDER = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "0" * 32}


async def test_an_accepted_write_carries_the_payload(transport: Transport, venue: Venue) -> None:
    venue.always(PATH, lambda: web.json_response({"retCode": 0, "result": {"orderId": "7"}}))
    reply = await transport.write(CREATE, ORDER)
    assert reply.failure is None
    assert reply.payload["result"]["orderId"] == "7"
    assert reply.status == 200
    assert reply.sent


async def test_a_refused_write_says_code_and_message(transport: Transport, venue: Venue) -> None:
    venue.always(PATH, lambda: web.json_response({"retCode": 110017, "retMsg": "position is zero"}))
    reply = await transport.write(CREATE, ORDER)
    assert (reply.code, reply.message, reply.status) == ("110017", "position is zero", 200)
    assert isinstance(reply.failure, RequestRefused)


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (200, "text/html", "<html>"),
        (200, "application/json", ""),
        (200, "application/json", "null"),
        (200, "application/json", '{"retCode": 0, "resu'),
        (500, "text/plain", "oops"),
        (502, "application/json", '{"error": "bad gateway"}'),
        (429, "application/json", '{"error": "rate"}'),
    ],
)
async def test_a_spoilt_answer_to_a_write_is_a_failure_without_a_code_and_is_not_sent_again(
    transport: Transport, venue: Venue, status: int, content_type: str, body: str
) -> None:
    venue.always(PATH, lambda: web.Response(status=status, text=body, content_type=content_type))
    reply = await transport.write(CREATE, ORDER)
    assert reply.failure is not None
    assert not isinstance(reply.failure, RequestRefused)
    assert reply.code is None
    assert reply.sent
    assert venue.paths() == [PATH]


async def test_a_write_without_an_answer_is_unknown_at_its_deadline(
    transport: Transport, venue: Venue
) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(10)
        return web.Response()

    venue.on(PATH, hang)
    started = time.perf_counter()
    reply = await transport.write(CREATE, ORDER, deadline_s=0.2)
    assert time.perf_counter() - started < 0.5
    assert isinstance(reply.failure, OutcomeUnknown)
    assert reply.sent


async def test_a_connection_dropped_after_the_request_is_unknown_and_not_sent_again(
    transport: Transport, venue: Venue
) -> None:
    async def drop(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    venue.on(PATH, drop)
    reply = await transport.write(CREATE, ORDER)
    assert isinstance(reply.failure, OutcomeUnknown)
    assert reply.sent
    assert venue.paths() == [PATH]


async def test_a_write_that_finds_no_connection_was_not_sent(open_transport: Open, spec: BrokerSpec) -> None:
    object.__setattr__(spec, "endpoint", "http://127.0.0.1:1")
    reply = await open_transport().write(CREATE, ORDER)
    assert not reply.sent
    assert isinstance(reply.failure, VenueUnavailable)


async def test_a_write_past_its_venue_deadline_does_not_leave(transport: Transport, venue: Venue) -> None:
    reply = await transport.write(CREATE, ORDER, expires_at=transport.venue_now())
    assert not reply.sent
    assert reply.message == "its deadline has passed"
    assert venue.paths() == []


async def test_the_signature_lives_no_longer_than_the_write(transport: Transport, venue: Venue) -> None:
    await transport.write(CREATE, ORDER, expires_at=transport.venue_now() + timedelta(seconds=1))
    await transport.write(CREATE, ORDER, expires_at=transport.venue_now() + timedelta(seconds=60))
    await transport.write(CREATE, ORDER)
    windows = [int(request.headers["X-BAPI-RECV-WINDOW"]) for request in venue.received]
    assert 900 <= windows[0] <= 1000
    assert windows[1:] == [3000, 3000]


async def test_a_deadline_may_travel_in_a_header(open_transport: Open, venue: Venue) -> None:
    def headers(call: str, expires_at: object) -> dict[str, str]:
        return {} if expires_at is None else {"expTime": f"{call} {expires_at:%Y}"}

    transport = open_transport(extra_headers=headers)
    moment = transport.venue_now() + timedelta(seconds=1)
    await transport.write(CREATE, ORDER, expires_at=moment)
    assert venue.received[-1].headers["expTime"] == f"{CREATE} {moment:%Y}"
    await transport.read("privateGetV5PositionList")
    assert "expTime" not in venue.received[-1].headers


async def test_a_cancelled_caller_does_not_cut_a_write_off(transport: Transport, venue: Venue) -> None:
    done: list[str] = []

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(0.1)
        done.append(request.path)
        return web.json_response({"retCode": 0, "result": {"orderId": "7"}})

    venue.on(PATH, slow)
    task = asyncio.create_task(transport.write(CREATE, ORDER))
    await asyncio.sleep(0.03)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == []
    await transport.aclose()
    assert done == [PATH]


async def test_a_closed_transport_sends_nothing(transport: Transport, venue: Venue) -> None:
    await transport.aclose()
    reply = await transport.write(CREATE, ORDER)
    assert not reply.sent
    with pytest.raises(VenueUnavailable):
        await transport.read("privateGetV5PositionList")
    assert venue.paths() == []


async def test_writes_do_not_wait_behind_polls_for_the_budget(open_transport: Open, venue: Venue) -> None:
    transport = open_transport()
    ledger = transport._emergency.budget.ledger
    ledger.spend(ledger.rules.capacity * (1 - ledger.rules.reserve), time.clock_gettime(time.CLOCK_BOOTTIME))
    polls = [
        asyncio.create_task(transport.read("privateGetV5PositionList", deadline_s=0.2)) for _ in range(3)
    ]
    await asyncio.sleep(0.01)
    started = time.perf_counter()
    reply = await transport.write(CREATE, ORDER)
    assert reply.failure is None
    assert time.perf_counter() - started < 0.2
    assert venue.paths() == [PATH]
    await asyncio.gather(*polls, return_exceptions=True)


async def test_parameters_are_not_written_into(transport: Transport, venue: Venue) -> None:
    params = dict(ORDER)
    await transport.write(CREATE, params)
    assert params == ORDER
