import asyncio
import time
from decimal import Decimal

import aiohttp
import pytest

from brokers.sandbox.engine import Engine
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.scenarios import Scenario, Stress
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.wire.base import Wire

pytestmark = pytest.mark.wire

ORDER = {"quantity": "0.1", "id": "mine"}


async def test_requests_reach_the_engine_and_answers_tell_the_budget(
    client: aiohttp.ClientSession, server: SandboxServer
) -> None:
    answer = await client.get("/positions")
    assert await answer.json() == {"rows": [["BTC-USDT", "long", "0.5"]]}
    assert answer.headers["X-Used"] == "2"
    answer = await client.post("/order", data=ORDER)
    assert (await answer.json())["filled"] == "0.1"
    assert answer.headers["X-Own"] == "1"
    assert server.received == [("GET", "/positions", "desk"), ("POST", "/order", "desk")]


async def test_a_wrong_key_an_old_timestamp_and_an_unknown_path_are_refused(
    client: aiohttp.ClientSession, server: SandboxServer
) -> None:
    assert (await client.get("/positions", headers={"Key": "other"})).status == 400
    old = server.wire.engine.now_ms - 5000
    assert await (await client.get("/positions", params={"t": old})).json() == {"error": "timestamp"}
    assert (await client.get("/nothing")).status == 404


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (FaultKind.HTTP_500, (500, "internal error")),
        (FaultKind.HTTP_502_HTML, (502, "502 Bad Gateway")),
        (FaultKind.HTTP_503_HTML, (503, "Under maintenance")),
        (FaultKind.HTTP_429_PLAIN, (429, "slow down")),
        (FaultKind.HTTP_429_FOREIGN_JSON, (429, '"error": "rate limited"')),
        (FaultKind.HTML_200, (200, "Under maintenance")),
        (FaultKind.NULL_BODY, (200, "null")),
        (FaultKind.EMPTY_BODY, (200, "")),
        (FaultKind.BAN, (418, '{"error":"ban"}')),
        (FaultKind.REVOKED_KEY, (400, '{"error":"revoked_key"}')),
    ],
)
@pytest.mark.parametrize("executes", [False, True], ids=["only the answer", "and it executes"])
async def test_a_spoilt_answer_executes_only_when_told_to(
    client: aiohttp.ClientSession,
    server: SandboxServer,
    kind: FaultKind,
    expected: tuple[int, str],
    executes: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    server.faults.set(Fault(kind=kind, executes=executes))
    answer = await client.post("/order", data=ORDER)
    status, body = expected
    assert answer.status == status
    assert body in await answer.text()
    assert (server.wire.engine.find_order("desk", client_id="mine") is not None) is executes


async def test_a_truncated_answer_is_half_of_it(client: aiohttp.ClientSession, server: SandboxServer) -> None:
    whole = await (await client.get("/positions")).read()
    server.faults.set(Fault(kind=FaultKind.TRUNCATED))
    assert await (await client.get("/positions")).read() == whole[: len(whole) // 2]


async def test_a_dropped_answer_comes_after_the_deed(
    client: aiohttp.ClientSession, server: SandboxServer, engine: Engine
) -> None:
    server.faults.set(Fault(kind=FaultKind.ACCEPTED_NO_ANSWER))
    with pytest.raises(aiohttp.ClientError):
        await client.post("/order", data=ORDER)
    assert engine.find_order("desk", client_id="mine") is not None


async def test_a_late_request_is_judged_by_the_clock_when_it_arrives(
    client: aiohttp.ClientSession, server: SandboxServer, engine: Engine
) -> None:
    brief = aiohttp.ClientTimeout(total=0.05)
    server.faults.set(Fault(kind=FaultKind.EXECUTED_LATE, ms=100))
    now = engine.now_ms
    for order_id, sent in (("too old", now - 930), ("in time", now)):
        with pytest.raises(TimeoutError):
            await client.post("/order", data=ORDER | {"id": order_id}, params={"t": sent}, timeout=brief)
    assert engine.find_order("desk", client_id="in time") is None
    await asyncio.sleep(0.2)
    assert engine.find_order("desk", client_id="in time") is not None
    assert engine.find_order("desk", client_id="too old") is None


async def test_a_hanging_venue_does_nothing(
    client: aiohttp.ClientSession, server: SandboxServer, engine: Engine
) -> None:
    server.faults.set(Fault(kind=FaultKind.HANG))
    with pytest.raises(TimeoutError):
        await client.post("/order", data=ORDER, timeout=aiohttp.ClientTimeout(total=0.05))
    assert engine.find_order("desk", client_id="mine") is None


async def test_a_slow_answer_takes_its_time(client: aiohttp.ClientSession, server: SandboxServer) -> None:
    server.faults.set(Fault(kind=FaultKind.SLOW, ms=80))
    started = time.perf_counter()
    assert (await client.get("/positions")).status == 200
    assert time.perf_counter() - started >= 0.08


async def test_deformed_answers_are_the_wires_own(
    client: aiohttp.ClientSession, server: SandboxServer
) -> None:
    server.faults.set(Fault(kind=FaultKind.NAN, count=1))
    assert (await (await client.get("/positions")).json())["deformed"] == ["nan", "/positions"]
    assert "deformed" not in await (await client.get("/positions")).json()


async def test_a_partial_fill_lasts_for_its_requests_only(
    client: aiohttp.ClientSession, server: SandboxServer
) -> None:
    server.faults.set(Fault(kind=FaultKind.PARTIAL_FILL, count=1, fraction=Decimal("0.5")))
    first = await (await client.post("/order", data=ORDER)).json()
    second = await (await client.post("/order", data=ORDER | {"id": "other"})).json()
    assert Decimal(first["filled"]) < Decimal("0.1") == Decimal(second["filled"])


async def test_an_outsider_can_turn_a_position_around(
    client: aiohttp.ClientSession, server: SandboxServer
) -> None:
    server.faults.set(Fault(kind=FaultKind.OUTSIDER_TRADES, count=1, fraction=Decimal(2)))
    assert (await (await client.get("/positions")).json())["rows"] == [["BTC-USDT", "short", "0.5"]]


async def test_a_skewed_clock_tells_and_judges_wrong_times(
    client: aiohttp.ClientSession, server: SandboxServer, engine: Engine
) -> None:
    server.faults.set(Fault(kind=FaultKind.CLOCK_SKEW, ms=-30_000))
    told = (await (await client.get("/time")).json())["now"]
    assert abs(told - (engine.now_ms - 30_000)) < 200
    assert (await client.get("/positions", params={"t": engine.now_ms})).status == 400
    assert (await client.get("/positions", params={"t": told})).status == 200


async def test_who_asks_too_much_is_limited_and_who_goes_on_is_banned(client: aiohttp.ClientSession) -> None:
    statuses = [(await client.get("/positions")).status for _ in range(102)]
    assert statuses[:50] == [200] * 50
    assert statuses[50:100] == [429] * 50
    assert statuses[100:] == [418] * 2


async def test_time_passes_at_the_speed_asked_for_and_not_at_all_at_zero(engine: Engine, wire: Wire) -> None:
    async with SandboxServer(wire, speed=0):
        before = engine.now_ms
        await asyncio.sleep(0.15)
        assert engine.now_ms == before
    async with SandboxServer(wire, speed=50) as server:
        before, told = engine.now_ms, wire.now_ms
        await asyncio.sleep(0.25)
        assert 5_000 <= engine.now_ms - before <= 50_000
        async with aiohttp.ClientSession(server.url) as session:
            now = (await (await session.get("/time")).json())["now"]
        assert 200 <= now - told <= 2_000
        assert wire.engine_ms(wire.stamp(before)) == pytest.approx(before, abs=60)


async def test_a_scenarios_outage_and_latency_are_what_clients_meet(
    client: aiohttp.ClientSession, engine: Engine
) -> None:
    stress = Stress(outage_ms=60_000, latency_multiplier=Decimal(5))
    engine.play(Scenario(name="bad day", title="", duration_ms=60_000, stress=stress, worst_at=0.5))
    engine.advance(engine.now_ms + 29_000)
    started = time.perf_counter()
    assert (await client.get("/time")).status == 200
    assert time.perf_counter() - started > 0.05
    engine.advance(engine.now_ms + 2_000)
    assert (await client.get("/time")).status == 503
    engine.advance(engine.now_ms + 60_000)
    assert (await client.get("/time")).status == 200


async def test_the_control_routes_tell_the_truth_and_set_faults(
    client: aiohttp.ClientSession, server: SandboxServer, engine: Engine
) -> None:
    truth = await (await client.get("/_sandbox/truth")).json()
    assert truth["accounts"]["desk"]["positions"][0]["quantity"] == "0.5"
    assert "secret" not in str(truth)
    await client.post("/order", data=ORDER)
    history = await (await client.get("/_sandbox/history", params={"since": 0})).json()
    assert [event["event"] for event in history] == ["OrderPlaced", "Filled"]
    answer = await (await client.post("/_sandbox/faults", json={"kind": "http_500", "path": "/pos"})).json()
    assert (await client.get("/positions")).status == 500
    listed = await (await client.get("/_sandbox/faults")).json()
    assert listed[str(answer["number"])]["kind"] == "http_500"
    await client.delete("/_sandbox/faults", params={"number": answer["number"]})
    assert (await client.get("/positions")).status == 200
    price = engine.ticker("BTC-USDT").mark
    await client.post("/_sandbox/scenario", json={"asset": "BTC", "factor": "0.5"})
    assert engine.ticker("BTC-USDT").mark == price / 2
    assert (await client.post("/_sandbox/scenario", json={"name": "calm"})).status == 200
    assert (await client.post("/_sandbox/scenario", json={"name": "unheard of"})).status == 400
    assert (await client.post("/_sandbox/faults", json={"kind": "meteor"})).status == 400
    await client.post("/_sandbox/stop")
    assert server.stopped.is_set()
