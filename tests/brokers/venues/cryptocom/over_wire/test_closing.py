"""Closing positions at a venue that takes no id, no deadline and no time in force with the order."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import BrokerError, MalformedAnswer
from brokers.models import MarginMode, OrderSide, Symbol
from brokers.orders import ClientOrderId, OrderState, SentOrder, Verdict
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.orders import CancelReason, OrderStatus

pytestmark = pytest.mark.wire

Desk = Any  # the fixtures' types live in conftest
Open = Callable[..., Awaitable[Desk]]
BTC, ETH = Symbol("BTCUSD-PERP"), Symbol("ETHUSD-PERP")
CLOSE = "private/close-position"


async def found(desk: Desk, order: Any, *, tries: int = 20) -> Any:  # noqa: ANN401 - ReduceOrder and OrderReport
    """Look an order up until the venue calls it final."""
    for _ in range(tries):
        report = await desk.broker.find_order(order.client_order_id, order.symbol)
        if report is not None and report.is_final:
            return report
        await asyncio.sleep(0.05)
    return report


async def test_a_close_carries_texts_alone_and_nothing_that_is_not_documented(desk: Desk) -> None:
    order = desk.closing(await desk.position(), "0.10", limit_price=Decimal("59000.0"))
    assert (await desk.broker.submit(order)).verdict is Verdict.ACCEPTED
    (body,) = desk.wire.sent(CLOSE)
    assert body["params"] == {
        "instrument_name": "BTCUSD-PERP",
        "type": "LIMIT",
        "quantity": "0.1",
        "price": "59000",
    }
    assert desk.held() == Decimal("0.4")


async def test_what_a_limit_does_not_fill_at_once_does_not_stay(desk: Desk) -> None:
    order = desk.closing(await desk.position(), "0.1", limit_price=Decimal(61_000))
    report = await desk.broker.submit(order)
    assert (report.verdict, report.state, report.filled) == (
        Verdict.ACCEPTED,
        OrderState.CANCELLED,
        Decimal(0),
    )
    (taken,) = desk.engine.orders("desk")
    assert (taken.status, taken.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.BY_USER)
    assert desk.held() == Decimal("0.5")


async def test_a_partly_filled_limit_says_how_much_and_ends(open_desk: Open) -> None:
    desk = await open_desk(tick_ms=60_000)  # nothing takes the rest before it is cancelled
    desk.server.faults.set(Fault(kind=FaultKind.PARTIAL_FILL, count=1, fraction=Decimal("0.4")))
    order = desk.closing(await desk.position(), "0.1", limit_price=Decimal("59000.0"))
    report = await desk.broker.submit(order)
    assert (report.state, report.filled) == (OrderState.CANCELLED, Decimal("0.04"))
    assert desk.held() == Decimal("0.46")
    assert desk.engine.open_orders("desk") == ()


async def test_a_limit_whose_answer_was_lost_is_ended_by_the_lookup_that_finds_it(desk: Desk) -> None:
    order = desk.closing(await desk.position(), "0.1", limit_price=Decimal(61_000))
    desk.server.faults.set(Fault(kind=FaultKind.ACCEPTED_NO_ANSWER, count=1))
    assert (await desk.broker.submit(order)).verdict is Verdict.UNKNOWN
    assert len(desk.engine.open_orders("desk")) == 1
    seen = await desk.broker.find_order(order.client_order_id, BTC)
    assert (seen.state, seen.order_id) == (OrderState.OPEN, desk.engine.orders("desk")[0].order_id)
    assert desk.engine.open_orders("desk") == ()
    assert (await found(desk, order)).state is OrderState.CANCELLED


async def test_what_was_acknowledged_and_does_not_show_yet_is_not_absent(open_desk: Open) -> None:
    desk = await open_desk(lag_ms=400)
    order = desk.closing(await desk.position(), "0.1")
    assert (await desk.broker.submit(order)).verdict is Verdict.ACCEPTED
    early = await desk.broker.find_order(order.client_order_id, BTC)
    assert (early.verdict, early.state, early.filled) == (Verdict.ACCEPTED, None, None)
    final = await found(desk, order)
    assert (final.state, final.filled) == (OrderState.FILLED, Decimal("0.1"))


async def test_a_limit_that_does_not_show_yet_is_ended_all_the_same(open_desk: Open) -> None:
    desk = await open_desk(lag_ms=300)
    order = desk.closing(await desk.position(), "0.1", limit_price=Decimal(61_000))
    report = await desk.broker.submit(order)
    assert report.state is OrderState.CANCELLED
    assert desk.engine.open_orders("desk") == ()


async def test_while_one_close_is_unresolved_no_other_leaves_for_its_instrument(desk: Desk) -> None:
    btc, eth = await desk.position(BTC), await desk.position(ETH)
    desk.server.faults.set(Fault(kind=FaultKind.ACCEPTED_NO_ANSWER, count=1))
    first = desk.closing(btc, "0.1")
    assert (await desk.broker.submit(first)).verdict is Verdict.UNKNOWN
    held_up = await desk.broker.submit(desk.closing(btc, "0.2"))
    assert (held_up.verdict, held_up.code) == (Verdict.REJECTED, None)
    assert len(desk.wire.sent(CLOSE)) == 1
    assert (await desk.broker.submit(desk.closing(eth, "1"))).verdict is Verdict.ACCEPTED
    assert (await found(desk, first)).state is OrderState.FILLED
    assert (await desk.broker.submit(desk.closing(btc, "0.2"))).verdict is Verdict.ACCEPTED
    assert (desk.held(BTC), desk.held(ETH)) == (Decimal("0.2"), Decimal(-9))


async def test_an_id_that_was_sent_is_not_sent_again(desk: Desk) -> None:
    order = desk.closing(await desk.position(), "0.1")
    assert (await desk.broker.submit(order)).verdict is Verdict.ACCEPTED
    assert (await desk.broker.submit(order)).verdict is Verdict.EXISTS
    assert len(desk.wire.sent(CLOSE)) == 1
    assert desk.held() == Decimal("0.4")


async def test_two_closes_at_once_leave_one_after_the_other(desk: Desk) -> None:
    position = await desk.position()
    orders = [desk.closing(position, "0.1") for _ in range(3)]
    reports = await asyncio.gather(*(desk.broker.submit(order) for order in orders))
    assert [report.verdict for report in reports] == [Verdict.ACCEPTED] * 3
    assert desk.held() == Decimal("0.2")


async def test_a_close_leaves_the_venue_no_more_of_its_nonce_window_than_its_deadline(desk: Desk) -> None:
    deadline = desk.broker.venue_now() + timedelta(seconds=4)
    order = desk.closing(await desk.position(), "0.1", deadline=deadline)
    await desk.broker.submit(order)
    (body,) = desk.wire.sent(CLOSE)
    left_ms = int(body["nonce"]) + 60_000 - body["at"]
    assert 3_000 < left_ms <= 4_100
    reads = desk.wire.sent("private/get-positions")
    assert all(abs(int(read["nonce"]) - read["at"]) < 1_000 for read in reads)


async def test_no_two_requests_of_a_key_carry_one_nonce(desk: Desk) -> None:
    read = desk.broker.transport.read
    await asyncio.gather(
        *(read("v1PrivatePostPrivateGetOrderDetail", {"order_id": str(n)}) for n in range(12)),
        return_exceptions=True,
    )
    nonces = [body["nonce"] for body in desk.wire.signed]
    assert len(nonces) > 12
    assert len(set(nonces)) == len(nonces)


async def test_a_close_of_an_isolated_position_leaves_its_cross_twin_alone(open_desk: Open) -> None:
    desk = await open_desk()
    desk.engine.external_trade("desk", BTC, OrderSide.BUY, Decimal("0.3"), margin_mode=MarginMode.ISOLATED)
    snapshot = await desk.broker.fetch_snapshot()
    alone = next(p for p in snapshot.positions if p.margin_mode is MarginMode.ISOLATED)
    assert (await desk.broker.submit(desk.closing(alone, "0.3"))).verdict is Verdict.ACCEPTED
    after = {(p.symbol, p.margin_mode): p.quantity for p in desk.engine.figures("desk").positions}
    assert after == {(BTC, MarginMode.CROSS): Decimal("0.5"), (ETH, MarginMode.CROSS): Decimal(10)}
    assert desk.wire.sent(CLOSE)[0]["params"]["isolation_id"] == alone.unit.removeprefix("isolated:")


async def test_an_order_of_an_earlier_process_is_absent_only_where_nothing_could_be_it(desk: Desk) -> None:
    earlier = ClientOrderId("e" * 32)
    assert await desk.broker.find_order(earlier, BTC) is None
    desk.engine.external_trade("desk", BTC, OrderSide.SELL, Decimal("0.1"))
    assert await desk.broker.find_order(earlier, BTC) is None
    own = desk.closing(await desk.position(), "0.1")
    await desk.broker.submit(own)
    assert await desk.broker.find_order(earlier, BTC) is None
    desk.rest(BTC, OrderSide.SELL, "0.1", reduce_only=True)
    with pytest.raises(MalformedAnswer, match="cannot be told"):
        await desk.broker.find_order(earlier, BTC)
    assert await desk.broker.find_order(earlier, ETH) is None


async def test_after_a_restart_an_order_is_found_by_what_was_journaled_of_it(desk: Desk) -> None:
    order = desk.closing(await desk.position(), "0.1")
    desk.server.faults.set(Fault(kind=FaultKind.ACCEPTED_NO_ANSWER, count=1))
    sent_at = desk.broker.venue_now()
    assert (await desk.broker.submit(order)).verdict is Verdict.UNKNOWN
    again = await desk.after_a_restart()
    journaled = SentOrder(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        limit_price=None,
        margin_mode=order.position.margin_mode,
        sent_at=sent_at,
        deadline=order.deadline,
    )
    with pytest.raises(MalformedAnswer, match="cannot be told"):
        await again.find_order(order.client_order_id, BTC)
    again.recall(journaled)
    report = await again.find_order(order.client_order_id, BTC)
    assert (report.state, report.filled) == (OrderState.FILLED, Decimal("0.1"))
    await again.aclose()


async def test_two_orders_that_could_be_it_are_not_guessed_between(desk: Desk) -> None:
    order = desk.closing(await desk.position(), "0.1")
    desk.server.faults.set(Fault(kind=FaultKind.ACCEPTED_NO_ANSWER, count=1))
    assert (await desk.broker.submit(order)).verdict is Verdict.UNKNOWN
    desk.rest(BTC, OrderSide.SELL, "0.1", reduce_only=True)
    with pytest.raises(BrokerError, match="2 orders could be"):
        await desk.broker.find_order(order.client_order_id, BTC)


async def test_leverage_is_the_accounts_and_reaches_every_product(desk: Desk) -> None:
    await desk.broker.set_leverage(BTC, Decimal(60))
    leverages = {name: desk.engine.leverage("desk", name) for name in (BTC, ETH, "SOLUSD-PERP")}
    assert leverages == {BTC: 60, ETH: 60, "SOLUSD-PERP": 50}
    (body,) = desk.wire.sent("private/change-account-leverage")
    assert body["params"]["leverage"] == "60"
