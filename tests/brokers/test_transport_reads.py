import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from brokers.answers import ForeignAnswer
from brokers.errors import (
    Banned,
    ClockRefused,
    MalformedAnswer,
    NotSupported,
    RateLimited,
    RequestRefused,
    Unauthorized,
    VenueUnavailable,
)
from brokers.profile import BudgetRules, BudgetScope, CallLimit
from brokers.registry import BrokerSpec
from brokers.transport import Transport

Venue = Any  # the loopback venue of conftest
Open = Callable[..., Transport]

pytestmark = pytest.mark.wire

POSITIONS = "privateGetV5PositionList"
PATH = "/v5/position/list"
HTML = "<html>maintenance</html>"


async def test_a_read_is_signed_and_comes_back_as_the_venue_sent_it(
    transport: Transport, venue: Venue
) -> None:
    venue.always(PATH, lambda: web.json_response({"retCode": 0, "result": {"size": "0.10", "n": 1.5}}))
    payload = await transport.read(POSITIONS, {"category": "linear"})
    assert payload == {"retCode": 0, "result": {"size": "0.10", "n": 1.5}}
    request = venue.received[-1]
    assert request.query_string == "category=linear"
    assert request.headers["X-BAPI-RECV-WINDOW"] == "5000"
    assert request.headers["X-BAPI-SIGN"]


@pytest.mark.parametrize("fault", ["html", "502", "empty", "null", "truncated"])
async def test_one_spoilt_answer_is_made_good_by_another_try(
    transport: Transport, venue: Venue, fault: str
) -> None:
    spoilt = {
        "html": lambda: web.Response(text=HTML, content_type="text/html"),
        "502": lambda: web.Response(status=502, text=HTML, content_type="text/html"),
        "empty": lambda: web.Response(text="", content_type="application/json"),
        "null": lambda: web.Response(text="null", content_type="application/json"),
        "truncated": lambda: web.Response(text='{"retCode": 0, "res', content_type="application/json"),
    }
    answers = [spoilt[fault](), web.json_response({"retCode": 0, "result": "whole"})]

    async def handler(_: web.Request) -> web.Response:
        return answers.pop(0)

    venue.on(PATH, handler)
    assert (await transport.read(POSITIONS))["result"] == "whole"
    assert venue.paths() == [PATH, PATH]


async def test_a_read_is_tried_three_times_and_no_more(transport: Transport, venue: Venue) -> None:
    venue.always(PATH, lambda: web.Response(status=503, text=HTML, content_type="text/html"))
    with pytest.raises(VenueUnavailable, match="loopback privateGetV5PositionList: HTTP 503"):
        await transport.read(POSITIONS)
    assert venue.paths() == [PATH] * 3


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda: web.json_response({"retCode": 110001, "retMsg": "no"}), RequestRefused),
        (lambda: web.json_response({"retCode": 10003, "retMsg": "no"}, status=401), Unauthorized),
        (lambda: web.Response(status=404, text="no such page"), ForeignAnswer),
        (lambda: web.Response(status=418, text="", headers={"Retry-After": "1"}), Banned),
        (lambda: web.Response(status=429, text="", headers={"Retry-After": "1"}), RateLimited),
    ],
)
async def test_what_another_try_cannot_cure_is_asked_once(
    transport: Transport, venue: Venue, answer: Callable[[], web.Response], expected: type[Exception]
) -> None:
    venue.always(PATH, answer)
    with pytest.raises(expected):
        await transport.read(POSITIONS)
    assert venue.paths() == [PATH]


async def test_a_venue_that_hangs_is_given_up_at_the_deadline(transport: Transport, venue: Venue) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(10)
        return web.Response()

    venue.on(PATH, hang)
    started = time.perf_counter()
    with pytest.raises(VenueUnavailable, match=r"no answer within 0\.2 s"):
        await transport.read(POSITIONS, deadline_s=0.2)
    assert time.perf_counter() - started < 0.5


async def test_a_venue_that_is_not_there_is_unavailable(
    spec: BrokerSpec, open_transport: Open, venue: Venue
) -> None:
    transport = open_transport()
    venue.always(PATH, lambda: web.Response(status=500))
    object.__setattr__(spec, "endpoint", "http://127.0.0.1:1")
    elsewhere = open_transport()
    with pytest.raises(VenueUnavailable, match="no connection"):
        await elsewhere.read(POSITIONS)
    with pytest.raises(VenueUnavailable, match="HTTP 500"):
        await transport.read(POSITIONS)


async def test_a_connection_cut_in_the_middle_of_an_answer_is_unavailable(
    transport: Transport, venue: Venue
) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(b'{"retCode": 0,')
        assert request.transport is not None
        request.transport.abort()
        return response

    venue.on(PATH, cut)
    with pytest.raises(VenueUnavailable):
        await transport.read(POSITIONS, deadline_s=1)


async def test_a_redirect_is_not_followed(transport: Transport, venue: Venue) -> None:
    venue.always(PATH, lambda: web.Response(status=302, headers={"Location": "/elsewhere"}))
    with pytest.raises(VenueUnavailable, match="HTTP 302"):
        await transport.read(POSITIONS)
    assert set(venue.paths()) == {PATH}


async def test_a_call_ccxt_does_not_know_is_not_supported(transport: Transport) -> None:
    with pytest.raises(NotSupported):
        await transport.read("privateGetV5Nothing")


async def test_a_refused_timestamp_leads_to_a_measurement_and_one_more_try(
    transport: Transport, venue: Venue
) -> None:
    venue.skew_ms = 20_000
    windows = []

    async def strict(request: web.Request) -> web.Response:
        late = abs(int(request.headers["X-BAPI-TIMESTAMP"]) - time.time() * 1000 - venue.skew_ms)
        windows.append(late < 3000)
        return web.json_response({"retCode": 0 if late < 3000 else 10002, "retMsg": "time"})

    venue.on(PATH, strict)
    assert (await transport.read(POSITIONS))["retCode"] == 0
    assert windows == [False, True]
    assert transport.clock_offset is not None
    assert transport.clock_offset.offset_ms == pytest.approx(20_000, abs=200)


async def test_a_timestamp_refused_again_is_the_callers(transport: Transport, venue: Venue) -> None:
    venue.always(PATH, lambda: web.json_response({"retCode": 10002, "retMsg": "time"}))
    with pytest.raises(ClockRefused):
        await transport.read(POSITIONS)
    assert venue.paths() == [PATH, PATH]


async def test_a_refusal_that_names_no_cause_is_tried_again_if_the_clock_was_wrong(
    transport: Transport, venue: Venue
) -> None:
    await transport.measure_clock()
    venue.skew_ms = 20_000

    async def strict(request: web.Request) -> web.Response:
        late = abs(int(request.headers["X-BAPI-TIMESTAMP"]) - time.time() * 1000 - venue.skew_ms)
        return web.json_response({"retCode": 0 if late < 3000 else 10004, "retMsg": "refused"})

    venue.on(PATH, strict)
    assert (await transport.read(POSITIONS))["retCode"] == 0
    assert venue.paths() == [PATH, PATH]


async def test_a_refusal_that_names_no_cause_is_the_keys_if_the_clock_was_right(
    transport: Transport, venue: Venue
) -> None:
    await transport.measure_clock()
    venue.always(PATH, lambda: web.json_response({"retCode": 10004, "retMsg": "refused"}))
    with pytest.raises(Unauthorized):
        await transport.read(POSITIONS)
    assert venue.paths() == [PATH]


async def test_a_refusal_without_a_cause_stands_where_the_clock_cannot_be_asked(
    transport: Transport, venue: Venue
) -> None:
    venue.always("/v5/market/time", lambda: web.Response(status=404))
    venue.always(PATH, lambda: web.json_response({"retCode": 10004, "retMsg": "refused"}))
    with pytest.raises(Unauthorized):
        await transport.read(POSITIONS)
    assert venue.paths() == [PATH]


async def test_a_venue_without_a_clock_leaves_signing_as_it_was(transport: Transport, venue: Venue) -> None:
    venue.always("/v5/market/time", lambda: web.Response(status=404))
    before = transport.venue_now()
    with pytest.raises(VenueUnavailable):
        await transport.measure_clock()
    assert transport.clock_offset is None
    assert abs((transport.venue_now() - before).total_seconds()) < 1
    assert (await transport.read(POSITIONS))["retCode"] == 0


@pytest.mark.parametrize(
    "body", ['{"retCode": 0}', '{"retCode": 0, "result": {"timeNano": null}}', '{"retCode": 0, "result": []}']
)
async def test_a_foreign_time_answer_is_malformed(transport: Transport, venue: Venue, body: str) -> None:
    venue.always("/v5/market/time", lambda: web.Response(text=body, content_type="application/json"))
    with pytest.raises(MalformedAnswer):
        await transport.measure_clock()


async def test_polls_hold_back_when_told_and_protective_reads_do_not(
    transport: Transport, venue: Venue
) -> None:
    venue.always(PATH, lambda: web.json_response({"retCode": 10006, "retMsg": "too many"}))
    with pytest.raises(RateLimited):
        await transport.read(POSITIONS)
    venue.always(PATH, lambda: web.json_response({"retCode": 0}))
    with pytest.raises(RateLimited, match="told by the venue to wait"):
        await transport.read(POSITIONS)
    assert (await transport.read(POSITIONS, protective=True))["retCode"] == 0
    await asyncio.sleep(0.25)
    assert (await transport.read(POSITIONS))["retCode"] == 0
    assert venue.paths() == [PATH] * 3


async def test_a_ban_stops_every_call_of_every_account_at_that_address(
    open_transport: Open, venue: Venue
) -> None:
    one, other = open_transport(), open_transport()
    venue.always(PATH, lambda: web.Response(status=418, headers={"Retry-After": "60"}))
    with pytest.raises(Banned):
        await one.read(POSITIONS)
    for protective in (False, True):
        with pytest.raises(Banned):
            await other.read(POSITIONS, protective=protective)
    reply = await other.write("privatePostV5OrderCreate", {"symbol": "BTCUSDT"})
    assert not reply.sent
    assert venue.paths() == [PATH]


async def test_the_venues_own_count_of_the_budget_is_learned(open_transport: Open, venue: Venue) -> None:
    rules = BudgetRules(capacity=100, period_s=60, scope=BudgetScope.KEY, reserve=0.5)
    transport = open_transport(budget=rules, used_weight=lambda headers: float(headers["x-used"]))
    venue.always(PATH, lambda: web.json_response({"retCode": 0}, headers={"X-Used": "90"}))
    await transport.read(POSITIONS)
    with pytest.raises(RateLimited, match="our own request budget"):
        await transport.read(POSITIONS)
    await transport.read(POSITIONS, protective=True)


async def test_a_call_limit_holds_its_own_call_and_no_other(open_transport: Open, venue: Venue) -> None:
    transport = open_transport(call_limits={POSITIONS: CallLimit(4, 20)})
    for _ in range(2):
        await transport.read(POSITIONS)
    with pytest.raises(RateLimited, match="our own request budget"):
        await transport.read(POSITIONS)
    for _ in range(2):
        await transport.read(POSITIONS, protective=True)
    with pytest.raises(RateLimited):
        await transport.read(POSITIONS, protective=True)
    for _ in range(5):
        await transport.read("privateGetV5AccountInfo")
    assert venue.paths().count(PATH) == 4


async def test_protective_reads_go_by_the_emergency_door(transport: Transport, venue: Venue) -> None:
    await transport.read(POSITIONS, protective=True)
    assert venue.received[-1].headers["X-BAPI-RECV-WINDOW"] == "3000"


async def test_reads_at_once_do_not_mix_up_their_answers(transport: Transport, venue: Venue) -> None:
    async def echo(request: web.Request) -> web.Response:
        number = int(request.query["cursor"])
        await asyncio.sleep(0.001 * (7 - number))
        return web.json_response({"retCode": 0, "result": number})

    venue.on(PATH, echo)
    payloads = await asyncio.gather(*(transport.read(POSITIONS, {"cursor": str(n)}) for n in range(8)))
    assert [payload["result"] for payload in payloads] == list(range(8))
