import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.errors import RateLimited, RequestRefused, Unauthorized, VenueUnavailable
from brokers.orders import OrderState, ReduceOrder, Verdict
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.wire.base import WireRequest
from brokers.sandbox.wire.kraken.gate import Tier
from brokers.sandbox.wire.kraken.wire import KrakenWire
from brokers.venues.kraken.spot.broker import KrakenSpotBroker

pytestmark = pytest.mark.wire

Open = Callable[..., Awaitable[KrakenSpotBroker]]
Reduce = Callable[..., ReduceOrder]
TRADE_BALANCE = "/0/private/TradeBalance"


def refusals(wire: KrakenWire) -> list[str]:
    """Collect what the gate refuses from now on."""
    found: list[str] = []
    admit = wire.gate.admit

    def admitting(request: object) -> str:
        try:
            return admit(request)  # type: ignore[arg-type]
        except Exception as refusal:
            found.append(refusal.answer.payload["error"][0])  # type: ignore[attr-defined]
            raise

    wire.gate.admit = admitting  # type: ignore[method-assign]
    return found


# ---------------------------------------------------------------- nonces


async def test_polls_and_writes_of_one_key_never_refuse_each_other(
    connect: Open, wire: KrakenWire, reduce: Reduce
) -> None:
    broker, other = await connect("one"), await connect("two")
    found = refusals(wire)
    position = (await broker.fetch_snapshot()).positions[0]
    wire.gate.tier = Tier(1e9, 1e9)
    reads = [
        each.transport.read("privatePostOpenOrders", cost=0) for each in (broker, other) for _ in range(20)
    ]
    writes = [broker.submit(reduce(broker, position, number)) for number in range(1, 9)]
    reports, *_ = await asyncio.gather(asyncio.gather(*writes), *reads)
    assert {report.verdict for report in reports} == {Verdict.ACCEPTED}
    assert found == []


async def test_a_write_does_not_wait_for_a_poll_that_hangs_and_the_poll_may_be_overtaken(
    connect: Open, wire: KrakenWire, server: SandboxServer, reduce: Reduce
) -> None:
    broker = await connect()
    position = (await broker.fetch_snapshot()).positions[0]
    server.faults.set(Fault(kind=FaultKind.SLOW, path=TRADE_BALANCE, ms=2000, count=1))
    poll = asyncio.create_task(broker.transport.read("privatePostTradeBalance", {"asset": "ZUSD"}))
    await asyncio.sleep(0.05)
    began = time.monotonic()
    assert (await broker.submit(reduce(broker, position))).verdict is Verdict.ACCEPTED
    assert time.monotonic() - began < 1.5
    assert "e" in (await poll)["result"]


async def test_a_picture_whose_answers_are_long_in_coming_is_young_enough_to_act_upon(
    connect: Open, wire: KrakenWire, server: SandboxServer
) -> None:
    broker = await connect()
    found = refusals(wire)
    server.faults.set(Fault(kind=FaultKind.SLOW, path="/0/private/", ms=4_000))
    snapshot = await broker.fetch_snapshot(protective=True)
    assert (snapshot.findings, found) == ((), [])
    assert 4 < (broker.venue_now() - snapshot.as_of).total_seconds() < 5, "what `act_max_age` allows"


async def test_no_write_is_refused_for_the_reads_of_slow_pictures(
    connect: Open, wire: KrakenWire, server: SandboxServer, reduce: Reduce
) -> None:
    broker = await connect()
    position = (await broker.fetch_snapshot()).positions[0]
    wire.gate.tier = Tier(1e9, 1e9)
    found = refusals(wire)
    server.faults.set(Fault(kind=FaultKind.SLOW, path="/0/private/", ms=1_200))
    read = broker.transport.read
    reads = [asyncio.create_task(read("privatePostOpenOrders", cost=0, protective=True)) for _ in range(6)]
    reports = []
    for number in range(1, 4):
        await asyncio.sleep(0.3)
        reports.append(await broker.submit(reduce(broker, position, number)))
    await asyncio.gather(*reads, return_exceptions=True)
    assert {report.verdict for report in reports} == {Verdict.ACCEPTED}
    assert found == []


async def test_a_poll_whose_nonce_came_too_late_is_asked_once_more(connect: Open, wire: KrakenWire) -> None:
    broker = await connect()
    found = refusals(wire)
    ours = broker.venue_now().timestamp()  # by a clock that is known to half a second
    wire.gate.use_nonce("desk", int(ours * 1000) + 700)
    snapshot = await broker.fetch_snapshot()
    assert (len(snapshot.positions), found) == (1, ["EAPI:Invalid nonce"])


async def test_a_write_with_a_late_nonce_is_proven_to_have_done_nothing(
    connect: Open, wire: KrakenWire, reduce: Reduce
) -> None:
    broker = await connect()
    position = (await broker.fetch_snapshot()).positions[0]
    wire.gate.use_nonce("desk", int(time.time() * 1000) + 30_000)
    report = await broker.submit(reduce(broker, position))
    assert (report.verdict, report.code) == (Verdict.REJECTED, "EAPI:Invalid nonce")
    assert wire.engine.orders("desk") == ()


async def test_a_key_whose_nonces_are_far_ahead_is_caught_up_with(connect: Open, wire: KrakenWire) -> None:
    broker = await connect()
    wire.gate.use_nonce("desk", int(time.time() * 1000) + 200_000)
    refused = 0
    for _ in range(6):
        try:
            await broker.fetch_permissions()
        except RequestRefused:
            refused += 1
    assert 1 <= refused <= 3


async def test_a_host_without_the_key_call_leaves_permissions_unknown(
    connect: Open, server: SandboxServer
) -> None:
    broker = await connect()
    routes = server._gateway._routes
    route = ("POST", "/0/private/GetApiKeyInfo")
    server._gateway._routes = {key: to for key, to in routes.items() if key != route}
    assert (await broker.fetch_permissions()).can_withdraw is None
    server._gateway._routes = routes
    server.faults.set(Fault(kind=FaultKind.REVOKED_KEY))
    with pytest.raises(Unauthorized):
        await broker.fetch_permissions()


# ---------------------------------------------------------------- the call counter


async def test_the_second_poll_waits_its_nine_seconds_and_a_protective_one_does_not(connect: Open) -> None:
    broker = await connect()
    await broker.fetch_snapshot()
    began = time.monotonic()
    protective = await broker.fetch_snapshot(protective=True)
    assert time.monotonic() - began < 2
    assert len(protective.positions) == 1
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await broker.fetch_snapshot()
    began = time.monotonic()
    await broker.fetch_snapshot()
    assert 6 < time.monotonic() - began < 9.5


async def test_an_alarm_reads_until_the_counter_is_nearly_full_and_then_as_fast_as_it_falls(
    connect: Open, wire: KrakenWire, reduce: Reduce
) -> None:
    broker = await connect()
    found = refusals(wire)
    began, when = time.monotonic(), []
    for _ in range(8):
        snapshot = await broker.fetch_snapshot(protective=True)
        assert snapshot.findings == (), "the calls of a picture stay together"
        when.append(time.monotonic() - began)
    assert when[5] < 3
    assert when[7] - when[6] == pytest.approx(6, abs=1)
    order = reduce(broker, snapshot.positions[0])
    assert (await broker.submit(order)).verdict is Verdict.ACCEPTED, "orders do not count"
    report = await broker.find_order(order.client_order_id, order.symbol)
    assert report is not None
    assert (report.state, report.filled) == (OrderState.FILLED, Decimal("0.01"))
    assert found == []


async def test_a_counter_that_others_have_filled_keeps_polls_away_for_a_while(
    connect: Open, wire: KrakenWire, reduce: Reduce
) -> None:
    broker = await connect()
    position = (await broker.fetch_snapshot(protective=True)).positions[0]
    wire.gate.tier = Tier(0, 0.33)
    with pytest.raises(RateLimited, match="EAPI:Rate limit exceeded"):
        await broker.fetch_snapshot(protective=True)
    with pytest.raises(VenueUnavailable, match="told by the venue to wait"):
        await broker.transport.read("privatePostTradeBalance")
    assert (await broker.submit(reduce(broker, position))).verdict is Verdict.ACCEPTED


async def test_one_look_for_an_order_before_its_deadline_and_two_after_it(
    connect: Open, wire: KrakenWire, server: SandboxServer, reduce: Reduce
) -> None:
    broker = await connect()
    position = (await broker.fetch_snapshot()).positions[0]
    server.faults.set(Fault(kind=FaultKind.HTTP_502_HTML, path="/0/private/AddOrder", count=1))
    order = replace(reduce(broker, position), deadline=broker.venue_now() + timedelta(seconds=4))
    assert (await broker.submit(order)).verdict is Verdict.UNKNOWN
    looked: list[str] = []
    admit = wire.gate.admit

    def admitting(request: WireRequest) -> str:
        looked.append(request.path.removeprefix("/0/private/"))
        return admit(request)

    wire.gate.admit = admitting  # type: ignore[method-assign]
    assert await broker.find_order(order.client_order_id, order.symbol) is None
    assert looked == ["ClosedOrders"], "the counter is short, and absence proves nothing yet"
    await asyncio.sleep((order.deadline - broker.venue_now()).total_seconds() + 0.1)
    assert await broker.find_order(order.client_order_id, order.symbol) is None
    assert looked[1:] == ["OpenOrders", "ClosedOrders"], "what moved in between is found"
