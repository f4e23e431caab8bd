from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import NotSupported
from brokers.models import AccountSnapshot, MarginMode, Measure, OrderSide, RiskUnit, Side, UnitKind
from brokers.orders import OrderBook
from brokers.sandbox.figures import PoolFigures

pytestmark = pytest.mark.wire

Station = Any  # the fixture's type lives in conftest
BTC, ETH = "BTC-USDT", "ETH-USDT"
CLOSE = Decimal("0.0002")


def near(one: Decimal | None, other: Decimal, tolerance: Decimal = CLOSE) -> bool:
    return one is not None and abs(one - other) <= tolerance * max(abs(other), Decimal(1))


def utilization(unit: RiskUnit) -> Decimal:
    assert unit.initial_margin is not None
    assert unit.available_margin is not None
    return unit.initial_margin / (unit.initial_margin + unit.available_margin)


def maintenance(unit: RiskUnit) -> Decimal:
    if unit.venue_ratio is not None:
        return unit.venue_ratio
    assert unit.maintenance_margin is not None
    assert unit.margin_equity is not None
    return unit.maintenance_margin / unit.margin_equity


def pool_of(station: Station, snapshot: AccountSnapshot, unit: RiskUnit) -> PoolFigures | None:
    """The engine's pool behind a risk unit."""
    figures = station.engine.figures(station.account)
    if unit.kind is UnitKind.ISOLATED_POSITION or unit.key.startswith("isolated:"):
        [position] = snapshot.positions_of(unit.key)
        row = station.truth(position)
        return figures.pool(row.pool)
    return figures.pool("account" if unit.kind is UnitKind.ACCOUNT else unit.currency) or figures.pool(
        unit.currency  # one currency is the whole account
    )


async def test_a_snapshot_shows_every_position_as_the_venue_has_it(station: Station) -> None:
    snapshot = await station.snapshot()
    assert snapshot.findings == ()
    assert len(snapshot.positions) == len(station.case.positions)
    for position in snapshot.positions:
        truth, rate = station.truth(position), station.rate(position)
        rules = snapshot.markets[position.symbol]
        assert position.quantity * rules.contract_size == truth.quantity
        assert position.hedged is station.case.hedge
        portfolio = station.case.mode == "portfolio"
        pooled = portfolio or station.case.mode == "portfolio_margin"
        assert position.margin_mode is (MarginMode.PORTFOLIO if pooled else truth.margin_mode)
        assert near(position.notional, truth.notional * rate)
        assert near(position.mark_price, truth.mark_price)
        if not station.case.row_margins:
            assert (position.initial_margin, position.maintenance_margin) == (None, None)
        elif not portfolio and station.case.states_maintenance(truth.symbol):
            assert near(position.maintenance_margin, truth.maintenance_margin * rate)
        assert position.unrealized_pnl is None or station.case.tells_entry
        if station.case.tells_entry:
            assert near(position.unrealized_pnl, truth.unrealized_pnl * rate)


async def test_a_snapshot_is_dated_by_the_venue(station: Station) -> None:
    snapshot = await station.snapshot()
    assert -0.05 <= (snapshot.fetched_at - snapshot.as_of).total_seconds() < 2
    assert abs(snapshot.as_of.timestamp() * 1000 - station.engine.now_ms) < 2000


async def test_both_measures_are_the_venues_own_at_every_price(station: Station) -> None:
    for fall in ("1", "0.95", "0.9"):
        station.engine.move_price("BTC", Decimal(fall))
        snapshot = await station.snapshot()
        assert snapshot.findings == ()
        measured = 0
        for unit in snapshot.units:
            pool = pool_of(station, snapshot, unit)
            if pool is None or not pool.wallet_balance:  # a wallet that the account does not use
                assert unit.initial_margin == unit.maintenance_margin == 0
                continue
            if Measure.MAINTENANCE in unit.measures and unit.maintenance_margin:
                assert near(maintenance(unit), station.case.ratio_of(pool), Decimal("0.002")), unit
                measured += 1
            if Measure.UTILIZATION in unit.measures and pool.kind is not UnitKind.ISOLATED_POSITION:
                assert unit.available_margin is not None
                assert utilization(unit) > 0 or pool.initial_margin == 0
                if station.case.pool is not None and station.case.margin_mode is not MarginMode.ISOLATED:
                    truth = pool.initial_margin / (pool.initial_margin + pool.available)
                    assert near(utilization(unit), truth, Decimal("0.01")), unit
                measured += 1
        assert measured >= min(2, sum(len(unit.measures) for unit in snapshot.units))


async def test_brackets_come_with_a_later_snapshot_and_agree_with_the_venue(station: Station) -> None:
    await station.snapshot()
    await station.rest()
    snapshot = await station.snapshot()
    for symbol, tiers in snapshot.tiers.items():
        own = station.engine.instrument(station.listed(station.pair(symbol))).tiers
        if tiers:
            assert [tier.rate for tier in tiers] == [tier.rate for tier in own][: len(tiers)]


async def test_an_account_whose_positions_are_closed_is_flat_without_findings(station: Station) -> None:
    for row in station.engine.figures(station.account).positions:
        station.engine.close_position(
            station.account, row.symbol, position_side=row.position_side, margin_mode=row.margin_mode
        )
    snapshot = await station.snapshot()
    assert snapshot.positions == ()
    assert snapshot.findings == ()


async def test_every_open_order_of_every_book_is_found_and_protective_ones_are_known(
    station: Station,
) -> None:
    entry = station.place(BTC, OrderSide.BUY, "0.01", price="50000", leg=Side.LONG)
    exit_ = station.place(BTC, OrderSide.SELL, "0.1", price="70000", reduce_only=True, leg=Side.LONG)
    stop = station.place(BTC, OrderSide.SELL, "0.1", trigger="40000", reduce_only=True, leg=Side.LONG)
    add = station.place(ETH, OrderSide.SELL, "1", trigger="2000", leg=Side.SHORT)
    orders = {order.order_id: order for order in await station.broker.fetch_open_orders()}
    assert len(orders) == 4
    by_book = {book: sum(order.book is book for order in orders.values()) for book in OrderBook}
    assert by_book == {OrderBook.ACTIVE: 2, OrderBook.TRIGGER: 2}
    protective = [order for order in orders.values() if order.is_protective]
    assert [(order.symbol, order.side) for order in protective] == [(station.symbol(BTC), OrderSide.SELL)]
    reducing = sorted((station.pair(o.symbol), o.side) for o in orders.values() if o.reduce_only)
    assert reducing == [(BTC, OrderSide.SELL)] * 2
    quantities = {station.pair(o.symbol): o.quantity for o in orders.values() if o.book is OrderBook.TRIGGER}
    for order in (entry, exit_, stop, add):
        assert order.is_open
    eth = station.broker._rulebook.rules[station.symbol(ETH)]
    assert quantities[ETH] * eth.contract_size == add.quantity


async def test_permissions_are_the_keys_own(station: Station) -> None:
    if not station.broker.capabilities.key_permissions:
        with pytest.raises(NotSupported):
            await station.broker.fetch_permissions()
        return
    permissions = await station.broker.fetch_permissions()
    assert permissions.can_withdraw is False
    assert permissions.can_read is not False
    assert permissions.can_trade is not False


async def test_the_venues_clock_is_measured(station: Station) -> None:
    offset = await station.broker.measure_clock()
    error_ms = station.case.clock_error_ms
    assert offset.offset_ms == pytest.approx(7000, abs=error_ms * 0.8)
    assert 0 < offset.error_ms < error_ms
    assert abs(station.broker.venue_now().timestamp() * 1000 - station.engine.now_ms) < error_ms


async def test_units_are_judged_by_the_measures_their_product_is_said_to_have(station: Station) -> None:
    snapshot = await station.snapshot()
    judged = {measure for unit in snapshot.units for measure in unit.measures}
    assert judged or all(unit.kind is UnitKind.CASH for unit in snapshot.units)
    assert judged <= station.broker.capabilities.measures


async def test_a_protective_snapshot_is_the_same_picture(station: Station) -> None:
    plain = await station.snapshot()
    protective = await station.broker.fetch_snapshot(protective=True)
    assert {p.key: p.quantity for p in plain.positions} == {p.key: p.quantity for p in protective.positions}
    assert [u.key for u in plain.units] == [u.key for u in protective.units]


async def test_the_funding_wallet_says_what_it_could_give(station: Station) -> None:
    if not station.broker.capabilities.transfer_in:
        with pytest.raises(NotSupported):
            await station.broker.fetch_funding_balance(station.case.venue.currency)
        return
    assert await station.broker.fetch_funding_balance(station.case.venue.currency) == Decimal(5000)
