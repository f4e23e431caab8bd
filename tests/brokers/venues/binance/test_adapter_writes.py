"""The adapter over the venue's wire: reducing, cancelling, moving collateral, and unknown outcomes."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import RequestRefused
from brokers.models import MarginMode, OrderSide, Side, Symbol
from brokers.orders import OrderBook, OrderState, ReduceOrder, Verdict
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.orders import OrderSpec, OrderType, Trigger, TriggerDirection

pytestmark = pytest.mark.wire

Venue = Any
Reducing = Callable[..., ReduceOrder]
BTC = Symbol("BTCUSDT")
ORDER = "/fapi/v1/order"


async def test_a_market_order_reduces_and_is_found_again(binance: Venue, reducing: Reducing) -> None:
    broker = await binance.broker("single")
    (held,) = (await broker.fetch_snapshot()).positions
    order = reducing(broker, held, "0.25")
    report = await broker.submit(order)
    assert (report.verdict, report.state, report.filled) == (
        Verdict.ACCEPTED,
        OrderState.FILLED,
        Decimal("0.25"),
    )
    assert report.average_price is not None
    found = await broker.find_order(order.client_order_id, BTC)
    assert found is not None
    assert (found.order_id, found.state) == (report.order_id, OrderState.FILLED)
    (sent,) = binance.engine.orders("single")
    assert (sent.spec.reduce_only, sent.spec.side) == (True, OrderSide.SELL)
    assert (await broker.fetch_snapshot()).positions[0].quantity == Decimal("0.75")


async def test_an_ioc_order_beyond_the_market_ends_unfilled(binance: Venue, reducing: Reducing) -> None:
    broker = await binance.broker("single")
    (held,) = (await broker.fetch_snapshot()).positions
    report = await broker.submit(reducing(broker, held, "0.25", price="90000"))
    assert (report.verdict, report.state, report.filled) == (
        Verdict.ACCEPTED,
        OrderState.CANCELLED,
        Decimal(0),
    )


async def test_in_hedge_mode_an_order_closes_its_own_leg(binance: Venue, reducing: Reducing) -> None:
    broker = await binance.broker("hedge")
    legs = {p.side: p for p in (await broker.fetch_snapshot()).positions}
    report = await broker.submit(reducing(broker, legs[Side.SHORT], "0.1"))
    assert report.state is OrderState.FILLED
    held = {p.side: p.quantity for p in (await broker.fetch_snapshot()).positions}
    assert held == {Side.LONG: Decimal(1), Side.SHORT: Decimal("0.3")}


async def test_an_order_is_valid_no_longer_than_its_deadline(binance: Venue, reducing: Reducing) -> None:
    broker = await binance.broker("single")
    (held,) = (await broker.fetch_snapshot()).positions
    order = reducing(broker, held, "0.1")
    await broker.submit(order)
    (sent,) = binance.engine.orders("single")
    deadline_ms = round(order.deadline.timestamp() * 1000)
    assert deadline_ms - 60 <= sent.spec.deadline_ms <= deadline_ms + 5
    late = replace(order, deadline=broker.venue_now() - timedelta(seconds=1))
    assert (await broker.submit(late)).verdict is Verdict.REJECTED
    assert len(binance.engine.orders("single")) == 1


async def test_a_request_that_arrives_after_the_deadline_executes_nothing(
    binance: Venue, reducing: Reducing
) -> None:
    broker = await binance.broker("single")
    (held,) = (await broker.fetch_snapshot()).positions
    binance.server.faults.set(Fault(kind=FaultKind.EXECUTED_LATE, path=ORDER, ms=700))
    order = replace(reducing(broker, held, "0.1"), deadline=broker.venue_now() + timedelta(seconds=0.4))
    report = await broker.submit(order)
    assert report.verdict is Verdict.UNKNOWN
    await asyncio.sleep(0.1)
    assert binance.engine.orders("single") == ()
    assert await broker.find_order(order.client_order_id, BTC) is None


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.ACCEPTED_NO_ANSWER,
        FaultKind.HTTP_502_HTML,
        FaultKind.HTTP_503_HTML,
        FaultKind.HTML_200,
        FaultKind.TRUNCATED,
        FaultKind.NULL_BODY,
        FaultKind.EMPTY_BODY,
        FaultKind.HTTP_429_FOREIGN_JSON,
    ],
)
async def test_an_order_without_a_trustworthy_answer_is_unknown_until_looked_up(
    binance: Venue, reducing: Reducing, kind: FaultKind
) -> None:
    broker = await binance.broker("single")
    (held,) = (await broker.fetch_snapshot()).positions
    binance.server.faults.set(Fault(kind=kind, path=ORDER, count=1, executes=True))
    order = reducing(broker, held, "0.1")
    report = await broker.submit(order)
    assert (report.verdict, report.order_id) == (Verdict.UNKNOWN, None)
    assert len(binance.engine.orders("single")) == 1, "sent once"
    if kind is not FaultKind.HTTP_429_FOREIGN_JSON:
        found = await broker.find_order(order.client_order_id, BTC)
        assert found is not None
        assert found.state is OrderState.FILLED


@pytest.mark.parametrize(
    ("kind", "verdict", "code"),
    [
        (FaultKind.DUPLICATE_CODE, Verdict.EXISTS, "-4116"),
        (FaultKind.REDUCE_ONLY_REJECTED, Verdict.REJECTED, "-2022"),
        (FaultKind.REVOKED_KEY, Verdict.REJECTED, "-2015"),
        (FaultKind.BAN, Verdict.UNKNOWN, None),
    ],
)
async def test_refused_orders_prove_what_their_code_proves(
    binance: Venue, reducing: Reducing, kind: FaultKind, verdict: Verdict, code: str | None
) -> None:
    broker = await binance.broker("single")
    (held,) = (await broker.fetch_snapshot()).positions
    binance.server.faults.set(Fault(kind=kind, path=ORDER))
    report = await broker.submit(reducing(broker, held, "0.1"))
    assert (report.verdict, report.code) == (verdict, code)
    assert binance.engine.orders("single") == ()


async def test_a_position_closed_meanwhile_rejects_the_order(binance: Venue, reducing: Reducing) -> None:
    broker = await binance.broker("single")
    (held,) = (await broker.fetch_snapshot()).positions
    binance.engine.close_position("single", "BTC-USDT")
    report = await broker.submit(reducing(broker, held, "0.1"))
    assert (report.verdict, report.code) == (Verdict.REJECTED, "-2022")


async def test_a_partly_filled_order_says_so(binance: Venue, reducing: Reducing) -> None:
    broker = await binance.broker("single")
    (held,) = (await broker.fetch_snapshot()).positions
    binance.server.faults.set(Fault(kind=FaultKind.PARTIAL_FILL, path=ORDER, fraction=Decimal("0.3")))
    report = await broker.submit(reducing(broker, held, "0.5"))
    assert (report.state, report.filled) == (OrderState.CANCELLED, Decimal("0.150"))


def rest(
    venue: Venue, name: str, *, price: str | None = None, trigger: str | None = None, **more: object
) -> None:
    stop = None if trigger is None else Trigger(price=Decimal(trigger), direction=TriggerDirection.FALLS)
    venue.engine.place(
        name,
        OrderSpec(
            **{
                "symbol": "BTC-USDT",
                "side": OrderSide.BUY if price else OrderSide.SELL,
                "quantity": Decimal("0.05"),
                "type": OrderType.LIMIT if price else OrderType.MARKET,
                "price": None if price is None else Decimal(price),
                "trigger": stop,
                **more,
            }
        ),
    )


async def test_both_books_are_listed_and_only_what_is_named_is_cancelled(binance: Venue) -> None:
    broker = await binance.broker("single")
    for price in ("50000", "51000", "52000"):
        rest(binance, "single", price=price)
    rest(binance, "single", trigger="50000", reduce_only=True)
    rest(binance, "single", trigger="49000")
    orders = await broker.fetch_open_orders()
    assert [order.book for order in orders] == [OrderBook.ACTIVE] * 3 + [OrderBook.TRIGGER] * 2
    assert [order.is_protective for order in orders] == [False, False, False, True, False]
    named = [orders[0], orders[2], orders[4]]
    reports = await broker.cancel_orders(named)
    assert [(r.order_id, r.verdict) for r in reports] == [(o.order_id, Verdict.ACCEPTED) for o in named]
    left = await broker.fetch_open_orders()
    assert [order.order_id for order in left] == [orders[1].order_id, orders[3].order_id]


async def test_in_hedge_mode_a_stop_against_its_leg_is_protective(binance: Venue) -> None:
    broker = await binance.broker("hedge")
    rest(binance, "hedge", trigger="50000", position_side=Side.LONG)
    rest(binance, "hedge", trigger="50000", position_side=Side.SHORT)
    guard, entry = await broker.fetch_open_orders()
    assert guard.is_protective
    assert not entry.is_protective


async def test_an_order_that_is_gone_already_is_a_benign_rejection(binance: Venue) -> None:
    broker = await binance.broker("single")
    rest(binance, "single", price="50000")
    rest(binance, "single", trigger="50000")
    orders = await broker.fetch_open_orders()
    for order in orders:
        binance.engine.cancel("single", order_id=order.order_id)
    reports = await broker.cancel_orders(orders)
    assert [(r.verdict, r.code) for r in reports] == [(Verdict.REJECTED, "-2011")] * 2
    assert all(broker.outcomes.is_benign("cancel", report.code) for report in reports)


async def test_a_cancellation_without_an_answer_is_unknown(binance: Venue) -> None:
    broker = await binance.broker("single")
    rest(binance, "single", price="50000")
    (order,) = await broker.fetch_open_orders()
    binance.server.faults.set(Fault(kind=FaultKind.HTTP_502_HTML, path=ORDER, executes=True))
    (report,) = await broker.cancel_orders([order])
    assert report.verdict is Verdict.UNKNOWN


async def test_leverage_is_set_in_whole_numbers_and_read_back(binance: Venue) -> None:
    broker = await binance.broker("single")
    assert (await broker.fetch_snapshot()).positions[0].leverage_setting == Decimal(10)
    await broker.set_leverage(BTC, Decimal("4.9"))
    await broker.set_leverage(BTC, Decimal(4))
    assert (await broker.fetch_snapshot()).positions[0].leverage_setting == Decimal(4)


async def test_leverage_of_an_isolated_position_may_not_fall(binance: Venue) -> None:
    broker = await binance.broker("isolated")
    with pytest.raises(RequestRefused) as refused:
        await broker.set_leverage(Symbol("ETHUSDT"), Decimal(2))
    assert refused.value.code == "-4161"


async def test_collateral_moves_in_and_the_transfer_is_found_by_amount(binance: Venue) -> None:
    broker = await binance.broker("single")
    since = broker.venue_now()
    report = await broker.transfer_in("USDT", Decimal("250.50"), "mine")
    assert report.verdict is Verdict.ACCEPTED
    found = await broker.find_transfer("mine", "USDT", Decimal("250.5"), since)
    assert found is not None
    assert (found.transfer_id, found.verdict) == (report.transfer_id, Verdict.ACCEPTED)
    assert binance.engine.funding_balance("single", "USDT") == Decimal("749.5")
    assert await broker.find_transfer("mine", "USDT", Decimal(9), since) is None
    later = broker.venue_now() + timedelta(seconds=5)
    assert await broker.find_transfer("mine", "USDT", Decimal("250.5"), later) is None


async def test_a_transfer_without_an_answer_is_unknown_until_found(binance: Venue) -> None:
    broker = await binance.broker("single")
    since = broker.venue_now()
    fault = Fault(kind=FaultKind.ACCEPTED_NO_ANSWER, path="/sapi/v1/asset/transfer", count=1)
    binance.server.faults.set(fault)
    assert (await broker.transfer_in("USDT", Decimal(100), "mine")).verdict is Verdict.UNKNOWN
    found = await broker.find_transfer("mine", "USDT", Decimal(100), since)
    assert found is not None
    assert found.verdict is Verdict.ACCEPTED


async def test_more_than_the_funding_wallet_holds_is_refused(binance: Venue) -> None:
    broker = await binance.broker("single")
    since = broker.venue_now()
    report = await broker.transfer_in("USDT", Decimal(5_000), "mine")
    assert (report.verdict, report.code) == (Verdict.UNKNOWN, "-9000")
    assert await broker.find_transfer("mine", "USDT", Decimal(5_000), since) is None


async def test_a_wrong_clock_is_measured_again_and_the_read_repeated(binance: Venue) -> None:
    broker = await binance.broker("single")
    binance.server.faults.set(Fault(kind=FaultKind.CLOCK_SKEW, ms=90_000))
    snapshot = await broker.fetch_snapshot()
    assert len(snapshot.positions) == 1
    assert broker.transport.clock_offset.offset_ms == pytest.approx(90_000, abs=500)


async def test_isolated_margin_closes_by_its_own_order(binance: Venue, reducing: Reducing) -> None:
    broker = await binance.broker("isolated")
    held = {p.margin_mode: p for p in (await broker.fetch_snapshot()).positions}
    report = await broker.submit(reducing(broker, held[MarginMode.ISOLATED], "5"))
    assert report.state is OrderState.FILLED
    left = await broker.fetch_snapshot()
    assert [p.symbol for p in left.positions] == [BTC]
    assert [unit.key for unit in left.units] == ["USDT", "BTC"]
