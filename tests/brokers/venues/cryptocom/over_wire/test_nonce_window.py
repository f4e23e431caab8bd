"""How old a nonce the host takes: as documented, until it refuses a write that it should have let through."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from brokers.models import Symbol
from brokers.orders import Verdict
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.wire.base import WireAnswer

pytestmark = pytest.mark.wire

Desk = Any  # the fixtures' types live in conftest
Open = Callable[..., Awaitable[Desk]]
CLOSE = "private/close-position"
LIFE_MS, WINDOW_MS = 6_000, 60_000
TOLD = "nonces older than"


async def close(desk: Desk) -> Any:  # noqa: ANN401 - an OrderReport
    """Close a little of the position, once."""
    return await desk.broker.submit(desk.closing(await desk.position(), "0.1"))


def left_ms(desk: Desk, window_ms: int = WINDOW_MS) -> list[int]:
    """How long the host would have gone on to take each close that it got."""
    return [int(body["nonce"]) + window_ms - body["at"] for body in desk.wire.sent(CLOSE)]


def refused() -> WireAnswer:
    return WireAnswer(payload={"id": 1, "method": CLOSE, "code": 40102, "message": "NONCE"}, status=400)


@pytest.mark.parametrize("window_ms", [45_000, 30_000, 10_000, 4_000])
async def test_a_narrower_window_is_found_out_and_leaves_a_write_no_more_than_its_life(
    open_desk: Open, caplog: pytest.LogCaptureFixture, window_ms: int
) -> None:
    desk = await open_desk(nonce_window_ms=window_ms)
    first, second, third = [await close(desk) for _ in range(3)]
    assert (first.verdict, first.code) == (Verdict.REJECTED, "40102")
    assert [second.verdict, third.verdict] == [Verdict.ACCEPTED] * 2
    assert len(desk.wire.sent(CLOSE)) == 3, "nothing is sent again by itself"
    assert all(2_000 < left <= LIFE_MS + 100 for left in left_ms(desk, window_ms)[1:])
    assert sum(TOLD in record.getMessage() for record in caplog.records) == 1


async def test_a_wrong_clock_is_put_right_and_the_window_left_as_it_is(
    open_desk: Open, caplog: pytest.LogCaptureFixture
) -> None:
    desk = await open_desk()
    position = await desk.position()
    desk.server.faults.set(Fault(kind=FaultKind.CLOCK_SKEW, ms=20_000))
    first = await desk.broker.submit(desk.closing(position, "0.1"))
    assert (first.verdict, first.code) == (Verdict.REJECTED, "40102")
    second = await desk.broker.submit(desk.closing(position, "0.1"))
    assert second.verdict is Verdict.ACCEPTED
    assert 3_000 < left_ms(desk)[1] <= LIFE_MS + 1_100
    assert TOLD not in caplog.text


async def test_a_refusal_that_reads_of_that_age_do_not_meet_changes_nothing(
    open_desk: Open, caplog: pytest.LogCaptureFixture
) -> None:
    desk = await open_desk(instead={CLOSE: refused()})
    assert (await close(desk)).verdict is Verdict.REJECTED
    desk.wire.instead.clear()
    assert (await close(desk)).verdict is Verdict.ACCEPTED
    assert 4_500 < left_ms(desk)[1] <= LIFE_MS + 100
    assert TOLD not in caplog.text


async def test_where_nonces_of_every_age_are_refused_nothing_is_learned(
    open_desk: Open, caplog: pytest.LogCaptureFixture
) -> None:
    desk = await open_desk()
    position = await desk.position()
    desk.wire.instead |= {CLOSE: refused(), "private/get-positions": refused()}
    assert (await desk.broker.submit(desk.closing(position, "0.1"))).verdict is Verdict.REJECTED
    desk.wire.instead.clear()
    assert (await close(desk)).verdict is Verdict.ACCEPTED
    assert 4_500 < left_ms(desk)[1] <= LIFE_MS + 100
    assert TOLD not in caplog.text


async def test_protective_reads_are_dated_by_the_time_of_signing(desk: Desk) -> None:
    await desk.broker.fetch_open_orders()
    order = (await close(desk)).client_order_id
    await desk.broker.find_order(order, Symbol("BTCUSD-PERP"))
    asked = [body for body in desk.wire.signed if body["method"] != CLOSE]
    assert {"private/get-open-orders", "private/get-order-detail"} <= {body["method"] for body in asked}
    assert all(abs(int(body["nonce"]) - body["at"]) < 1_000 for body in asked)
