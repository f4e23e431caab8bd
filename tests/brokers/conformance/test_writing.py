import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import NotSupported
from brokers.models import OrderSide, Side
from brokers.numbers import ceil_to_step, floor_to_step
from brokers.orders import OrderState, Verdict
from brokers.outcomes import Write
from brokers.sandbox.faults import Fault, FaultKind

pytestmark = pytest.mark.wire

Station = Any  # the fixture's type lives in conftest
BTC, ETH = "BTC-USDT", "ETH-USDT"
NOTHING = Decimal(0)

GUARDED = [
    "binance-single-asset",
    "binance-single-asset-isolated",
    "binance-multi-assets-hedge",
    "binance-coinm",
    "binance-coinm-isolated",
    "binance-coinm-hedge",
    "binance-portfolio",
    "binance-portfolio-hedge",
    "bybit-cross",
    "bybit-cross-hedge",
    "bybit-isolated",
    "bybit-portfolio",
    "bybit-cross-usdc",
    "bybit-cross-inverse",
    "bybit-cross-all-kinds",
    "bybit-isolated-inverse",
    "bybit-uta1",
    "bybit-uta1-inverse",
    "okx-futures",
    "okx-futures-isolated",
    "okx-multi-currency-hedge",
    "okx-futures-inverse",
    "okx-multi-currency-inverse",
    "okx-spot-margin",
    "okx-spot-margin-isolated",
    "kraken-futures",
    "kraken-futures-isolated",
    "cryptocom",
    "cryptocom-isolated",
    "kraken-futures-inverse",
    "coinbase-futures",
    "kraken-spot",
]
"""Where the venue itself keeps an order from opening. OKX documents `reduceOnly` for futures and multi-
currency mode only; in portfolio mode nothing but the order's size, from a fresh picture, does it."""

PRICED = [*(name for name in GUARDED if name != "coinbase-futures"), "okx-portfolio"]
PRICED += ["binance-cross-classic", "binance-cross-pro", "binance-isolated"]
"""Where an order that only reduces may carry a price."""


async def settled(station: Station, order: Any) -> Any:  # noqa: ANN401 - ReduceOrder and OrderReport
    """Look an order up until the venue calls it final."""
    for _ in range(20):
        report = await station.broker.find_order(order.client_order_id, order.symbol)
        if report is not None and report.is_final:
            return report
        await asyncio.sleep(0.02)
    return report


# ---------------------------------------------------------------- reducing


async def test_a_market_reduction_closes_part_of_each_position_and_nothing_else(station: Station) -> None:
    snapshot = await station.snapshot()
    for position in snapshot.positions:
        before = station.exposure()
        rules = snapshot.markets[position.symbol]
        part = floor_to_step(position.quantity / 4, rules.lot_step)
        order = station.reduce(position, part)
        report = await station.broker.submit(order)
        assert report.verdict is Verdict.ACCEPTED, report
        assert report.order_id
        final = await settled(station, order)
        assert (final.state, final.filled) == (OrderState.FILLED, part)
        key = (station.pair(position.symbol), position.side)
        expected = before | {key: before[key] - part * rules.contract_size}
        assert station.exposure() == expected


@pytest.mark.parametrize("case", PRICED, indirect=True)
async def test_an_immediate_limit_reduction_fills_at_its_price_or_better(station: Station) -> None:
    position = await station.position(ETH, Side.SHORT)
    rules = station.broker._rulebook.rules[position.symbol]
    price = ceil_to_step(position.mark_price * Decimal("1.005"), rules.price_step)
    part = floor_to_step(position.quantity / 2, rules.lot_step)
    order = station.reduce(position, part, price=price)
    assert (await station.broker.submit(order)).verdict is Verdict.ACCEPTED
    final = await settled(station, order)
    assert (final.state, final.filled) == (OrderState.FILLED, part)
    assert final.average_price <= price


@pytest.mark.parametrize("case", PRICED, indirect=True)
async def test_an_immediate_limit_away_from_the_market_ends_unfilled(station: Station) -> None:
    position = await station.position(BTC, Side.LONG)
    rules = station.broker._rulebook.rules[position.symbol]
    price = floor_to_step(position.mark_price * Decimal("1.02"), rules.price_step)
    before = station.exposure()
    order = station.reduce(position, position.quantity, price=price)
    report = await station.broker.submit(order)
    if report.verdict is Verdict.REJECTED:  # a venue may say so at once
        assert (report.state, report.filled, report.code) == (OrderState.CANCELLED, 0, "iocWouldNotExecute")
        assert station.exposure() == before
        return
    assert report.verdict is Verdict.ACCEPTED
    final = await settled(station, order)
    assert final.state is OrderState.CANCELLED
    assert final.filled in {None, NOTHING}
    assert station.exposure() == before


async def test_a_whole_position_is_closed_and_not_turned_around(station: Station) -> None:
    snapshot = await station.snapshot()
    for position in snapshot.positions:
        order = station.reduce(position, position.quantity)
        assert (await station.broker.submit(order)).verdict is Verdict.ACCEPTED
        await settled(station, order)
    assert station.exposure() == {}
    after = await station.snapshot()
    assert (after.positions, after.findings) == ((), ())


@pytest.mark.parametrize("case", GUARDED, indirect=True)
async def test_an_order_from_an_old_picture_never_opens_or_turns_a_position(station: Station) -> None:
    position = await station.position(BTC, Side.LONG)
    quantity = station.exposure()[BTC, Side.LONG]
    leg = Side.LONG if station.case.hedge else None
    station.engine.external_trade(
        station.account, station.listed(BTC), OrderSide.SELL, quantity * Decimal("0.9"), position_side=leg
    )
    order = station.reduce(position, position.quantity)
    report = await station.broker.submit(order)
    assert report.verdict in {Verdict.ACCEPTED, Verdict.REJECTED}, report
    if report.verdict is Verdict.ACCEPTED:
        await settled(station, order)
    left = station.exposure()
    assert left.get((BTC, Side.LONG), NOTHING) <= quantity * Decimal("0.1")
    shorts = sum(1 for held in station.case.positions if (held.symbol, held.side) == (BTC, Side.SHORT))
    assert len([key for key in left if key == (BTC, Side.SHORT)]) == shorts


@pytest.mark.parametrize("case", GUARDED, indirect=True)
async def test_reducing_what_is_flat_is_a_benign_rejection(station: Station) -> None:
    position = await station.position(BTC, Side.LONG)
    station.engine.close_position(
        station.account,
        station.listed(BTC),
        position_side=Side.LONG if station.case.hedge else None,
        margin_mode=station.truth(position).margin_mode,
    )
    before = station.exposure()
    report = await station.broker.submit(station.reduce(position, position.quantity))
    assert report.verdict is Verdict.REJECTED, report
    assert station.broker.outcomes.is_benign(Write.ORDER, report.code), report
    assert station.exposure() == before


# ---------------------------------------------------------------- outcomes


async def test_a_lost_answer_is_settled_by_looking_the_order_up(station: Station) -> None:
    position = await station.position(BTC, Side.LONG)
    station.server.faults.set(Fault(kind=FaultKind.ACCEPTED_NO_ANSWER, count=1))
    order = station.reduce(position, position.quantity)
    assert (await station.broker.submit(order)).verdict is Verdict.UNKNOWN
    final = await settled(station, order)
    assert final.state is OrderState.FILLED
    assert len(station.orders_of(order.client_order_id)) == 1


async def test_an_order_that_was_never_taken_is_not_found(station: Station) -> None:
    position = await station.position(BTC, Side.LONG)
    station.broker.transport.write_deadline_s = 0.2
    station.server.faults.set(Fault(kind=FaultKind.HANG, writes=True))
    order = station.reduce(position, position.quantity)
    assert (await station.broker.submit(order)).verdict is Verdict.UNKNOWN
    assert await station.broker.find_order(order.client_order_id, order.symbol) is None
    assert station.orders_of(order.client_order_id) == []


async def test_an_order_that_arrives_after_its_deadline_is_refused_by_the_venue(station: Station) -> None:
    position = await station.position(BTC, Side.LONG)
    before = station.exposure()
    station.broker.transport.write_deadline_s = 0.2
    life_s = station.broker.profile.shortest_order_life.total_seconds() + 0.25
    late_s = life_s + 0.2 + (station.case.clock_error_ms - 500) / 1000
    station.server.faults.set(Fault(kind=FaultKind.EXECUTED_LATE, ms=round(late_s * 1000), count=1))
    order = station.reduce(position, position.quantity, ttl_s=life_s)
    # where deadlines are whole seconds, the venue may refuse it at once
    assert (await station.broker.submit(order)).verdict in {Verdict.UNKNOWN, Verdict.REJECTED}
    await asyncio.sleep(late_s + 0.05)
    assert await station.broker.find_order(order.client_order_id, order.symbol) is None
    assert station.exposure() == before


async def test_an_order_that_arrives_late_but_in_time_is_found_later(station: Station) -> None:
    position = await station.position(BTC, Side.LONG)
    station.broker.transport.write_deadline_s = 0.1
    station.server.faults.set(Fault(kind=FaultKind.EXECUTED_LATE, ms=200, count=1))
    order = station.reduce(position, position.quantity)
    assert (await station.broker.submit(order)).verdict is Verdict.UNKNOWN
    assert await station.broker.find_order(order.client_order_id, order.symbol) is None
    await asyncio.sleep(0.25)
    assert (await settled(station, order)).state is OrderState.FILLED


async def test_an_order_past_its_deadline_does_not_leave(station: Station) -> None:
    position = await station.position(BTC, Side.LONG)
    seen = len(station.server.received)
    report = await station.broker.submit(station.reduce(position, position.quantity, ttl_s=0))
    assert report.verdict is Verdict.REJECTED
    assert len(station.server.received) == seen


async def test_a_client_id_in_use_is_recognised(station: Station) -> None:
    position = await station.position(BTC, Side.LONG)
    rules = station.broker._rulebook.rules[position.symbol]
    order = station.reduce(position, floor_to_step(position.quantity / 4, rules.lot_step))
    first = await station.broker.submit(order)
    assert first.verdict is Verdict.ACCEPTED
    again = await station.broker.submit(order)
    taken = len(station.orders_of(order.client_order_id))
    if station.broker.capabilities.ids_unique_for_ever:
        same = again.verdict is Verdict.ACCEPTED and again.order_id == first.order_id
        assert again.verdict is Verdict.EXISTS or same
        assert taken == 1
    else:
        assert (again.verdict, taken) in {(Verdict.EXISTS, 1), (Verdict.ACCEPTED, 2)}


async def test_the_venues_duplicate_code_means_that_the_order_is_there(station: Station) -> None:
    position = await station.position(BTC, Side.LONG)
    station.server.faults.set(Fault(kind=FaultKind.DUPLICATE_CODE, count=1, executes=True))
    order = station.reduce(position, position.quantity)
    assert (await station.broker.submit(order)).verdict is Verdict.EXISTS
    assert (await settled(station, order)).state is OrderState.FILLED


async def test_a_partial_fill_says_how_much(station: Station) -> None:
    position = await station.position(BTC, Side.LONG)
    station.server.faults.set(Fault(kind=FaultKind.PARTIAL_FILL, count=1, fraction=Decimal("0.4")))
    order = station.reduce(position, position.quantity)
    assert (await station.broker.submit(order)).verdict is Verdict.ACCEPTED
    final = await settled(station, order)
    assert final.state is OrderState.CANCELLED
    contract = station.broker._rulebook.rules[position.symbol].contract_size
    assert NOTHING < final.filled < position.quantity
    assert final.filled * contract == station.filled(order.client_order_id)


async def test_an_unknown_client_id_is_not_found(station: Station) -> None:
    position = await station.position(BTC, Side.LONG)
    assert await station.broker.find_order("f" * 32, position.symbol) is None


# ---------------------------------------------------------------- cancelling


async def test_everything_is_cancelled_but_the_owners_protection(station: Station) -> None:
    station.place(BTC, OrderSide.BUY, "0.01", price="50000", leg=Side.LONG)
    station.place(BTC, OrderSide.SELL, "0.1", price="70000", reduce_only=True, leg=Side.LONG)
    station.place(ETH, OrderSide.SELL, "1", trigger="2000", leg=Side.SHORT)
    stop = station.place(BTC, OrderSide.SELL, "0.1", trigger="40000", reduce_only=True, leg=Side.LONG)
    orders = await station.broker.fetch_open_orders()
    unprotected = [order for order in orders if not order.is_protective]
    reports = await station.broker.cancel_orders(unprotected)
    assert [report.order_id for report in reports] == [order.order_id for order in unprotected]
    assert {report.verdict for report in reports} == {Verdict.ACCEPTED}
    assert [order.order_id for order in station.engine.open_orders(station.account)] == [stop.order_id]
    assert all(order.is_protective for order in await station.broker.fetch_open_orders())


async def test_cancelling_what_is_gone_is_a_benign_rejection(station: Station) -> None:
    station.place(BTC, OrderSide.BUY, "0.01", price="50000", leg=Side.LONG)
    station.place(ETH, OrderSide.SELL, "1", trigger="2000", leg=Side.SHORT)
    orders = await station.broker.fetch_open_orders()
    await station.broker.cancel_orders(orders)
    reports = await station.broker.cancel_orders(orders)
    assert [report.verdict for report in reports] == [Verdict.REJECTED] * 2
    assert all(station.broker.outcomes.is_benign(Write.CANCEL, report.code) for report in reports), reports


@pytest.mark.parametrize(
    "case",
    [
        "binance-multi-assets-hedge",
        "bybit-isolated",
        "okx-futures",
        "kraken-futures",
        "kraken-spot",
        "cryptocom",
    ],
    indirect=True,
)
async def test_many_orders_are_found_and_cancelled_over_all_pages_and_batches(station: Station) -> None:
    for n in range(60):
        station.place(BTC, OrderSide.BUY, "0.001", price=str(30_000 + n), leg=Side.LONG)
    orders = await station.broker.fetch_open_orders()
    assert len({order.order_id for order in orders}) == 60
    reports = await station.broker.cancel_orders(orders)
    assert {(report.verdict, report.message) for report in reports} == {(Verdict.ACCEPTED, None)}
    assert station.engine.open_orders(station.account) == ()


async def test_cancelling_nothing_asks_nothing(station: Station) -> None:
    seen = len(station.server.received)
    assert await station.broker.cancel_orders([]) == ()
    assert len(station.server.received) == seen


# ---------------------------------------------------------------- leverage and transfers


async def refuses_unasked(station: Station, call: Coroutine[Any, Any, Any]) -> None:
    """What an adapter cannot do, it says so without asking the venue."""
    seen = len(station.server.received)
    with pytest.raises(NotSupported):
        await call
    assert len(station.server.received) == seen


async def test_leverage_is_set_and_setting_it_again_is_no_error(station: Station) -> None:
    if not station.broker.capabilities.set_leverage:
        await refuses_unasked(station, station.broker.set_leverage(station.symbol(BTC), Decimal(7)))
        return
    symbol = station.symbol("SOL-USDT")
    if not station.broker.capabilities.set_leverage:
        await refuses_unasked(station, station.broker.set_leverage(symbol, Decimal(7)))
        return
    await station.broker.set_leverage(symbol, Decimal(7))
    leg = Side.LONG if station.case.hedge else None
    assert station.engine.leverage(station.account, station.listed("SOL-USDT"), leg) == 7
    await station.broker.set_leverage(symbol, Decimal(7))
    assert station.engine.leverage(station.account, station.listed("SOL-USDT"), leg) == 7


async def test_collateral_moves_in_once_and_is_found_again(station: Station) -> None:
    since = station.broker.venue_now()
    amount, client_id = Decimal("1234.5"), "0" * 31 + "a"
    currency = station.case.venue.currency
    if not station.broker.capabilities.transfer_in:
        await refuses_unasked(station, station.broker.transfer_in(currency, amount, client_id))
        await refuses_unasked(station, station.broker.find_transfer(client_id, currency, amount, since))
        return
    coin = station.engine.figures(station.account).coin(currency)
    before = coin.wallet_balance if coin else NOTHING
    report = await station.broker.transfer_in(currency, amount, client_id)
    assert report.verdict is Verdict.ACCEPTED, report
    assert report.transfer_id
    assert station.engine.funding_balance(station.account, currency) == Decimal(5000) - amount
    assert station.engine.figures(station.account).coin(currency).wallet_balance == before + amount
    found = await station.broker.find_transfer(client_id, currency, amount, since - timedelta(seconds=1))
    assert found is not None
    assert (found.verdict, found.amount) == (Verdict.ACCEPTED, amount)
    assert await station.broker.find_transfer("0" * 31 + "b", currency, Decimal(1), since) is None


async def test_a_transfer_without_funds_moves_nothing(station: Station) -> None:
    if not station.broker.capabilities.transfer_in:
        return
    report = await station.broker.transfer_in(station.case.venue.currency, Decimal(50_000), "0" * 31 + "c")
    assert report.verdict in {Verdict.REJECTED, Verdict.UNKNOWN}
    assert station.engine.funding_balance(station.account, station.case.venue.currency) == Decimal(5000)
