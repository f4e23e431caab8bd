"""The broker port straight onto the engine."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.errors import RequestRefused, VenueUnavailable
from brokers.models import AccountId, FindingCode, MarginMode, Measure, PositionMode, Side, Symbol, UnitKind
from brokers.orders import ClientOrderId, OrderBook, OrderState, ReduceOrder, Verdict
from brokers.port import Broker
from brokers.sandbox.broker import SandboxBroker
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import Filled, OrderRefused
from brokers.sandbox.instrument import maintenance_tiers
from brokers.sandbox.mishaps import Fate
from brokers.sandbox.orders import OrderSpec, Refusal, Trigger
from brokers.sandbox.spec import DuplicateRule, MarginPool, OpeningPosition, Permissions

D = Decimal
X = Symbol("X-USDT")
ID = ClientOrderId("0123456789abcdef" * 2)

Connect = Callable[..., SandboxBroker]


@pytest.fixture
def broker(build: Callable[..., Engine]) -> Connect:
    def connect(**spec: object) -> SandboxBroker:
        return SandboxBroker(build(**spec), "a", AccountId("desk"))

    return connect


async def reducing(broker: SandboxBroker, quantity: object, **more: object) -> ReduceOrder:
    position = (await broker.fetch_snapshot()).positions[0]
    defaults = {"client_order_id": ID, "deadline": broker.venue_now() + timedelta(seconds=5)}
    return ReduceOrder(position=position, quantity=D(str(quantity)), **defaults | more)


async def test_snapshot_speaks_in_contracts_of_the_venue(
    broker: Connect, long_x: Callable[..., OpeningPosition]
) -> None:
    desk: Broker = broker(
        positions=(long_x(10),),
        instrument={"contract_size": D("0.1"), "max_market_quantity": D(50), "min_notional": D(5)},
    )
    await desk.connect()
    snapshot = await desk.fetch_snapshot(protective=True)
    assert snapshot.account_id == "desk"
    (position,) = snapshot.positions
    assert (position.symbol, position.side, position.quantity) == (X, Side.LONG, 100)
    assert (position.notional, position.unit, position.hedged) == (1000, "USDT", False)
    rules = snapshot.markets[X]
    assert (rules.lot_step, rules.contract_size, rules.max_market_quantity) == (D("0.1"), D("0.1"), 500)
    assert rules.reduce_only_exempt_from_minimum
    assert snapshot.tiers[X][0].rate == D("0.01")


async def test_unit_of_a_currency_states_both_measures(
    broker: Connect, long_x: Callable[..., OpeningPosition]
) -> None:
    snapshot = await broker(positions=(long_x(100),)).fetch_snapshot()
    (unit,) = snapshot.units
    assert (unit.key, unit.kind, unit.currency) == ("USDT", UnitKind.CURRENCY, "USDT")
    assert (unit.margin_equity, unit.initial_margin, unit.maintenance_margin) == (10_000, 1000, 100)
    assert (unit.available_margin, unit.venue_ratio) == (9000, D("0.01"))
    assert unit.measures == set(Measure)


async def test_currency_without_anything_at_risk_has_no_measure(broker: Connect) -> None:
    (unit,) = (await broker().fetch_snapshot()).units
    assert unit.measures == frozenset()


async def test_isolated_position_is_a_unit_under_its_currency(
    broker: Connect, long_x: Callable[..., OpeningPosition]
) -> None:
    snapshot = await broker(positions=(long_x(100),), pool=MarginPool.ISOLATED_ONLY).fetch_snapshot()
    wallet, isolated = snapshot.unit("USDT"), snapshot.unit("X-USDT:net")
    assert wallet.measures == {Measure.UTILIZATION}
    assert (wallet.margin_equity, wallet.initial_margin, wallet.available_margin) == (10_000, 1000, 9000)
    assert isolated.measures == {Measure.MAINTENANCE}
    assert (isolated.parent, isolated.margin_equity, isolated.venue_ratio) == ("USDT", 1000, D("0.1"))
    assert snapshot.mode.margin_mode is MarginMode.ISOLATED


async def test_account_unit_is_in_dollars(broker: Connect, long_x: Callable[..., OpeningPosition]) -> None:
    desk = broker(wallets={"USDT": 1000, "Y": 2}, pool=MarginPool.ACCOUNT, positions=(long_x(10),))
    snapshot = await desk.fetch_snapshot()
    (unit,) = snapshot.units
    assert (unit.key, unit.kind, unit.currency) == ("account", UnitKind.ACCOUNT, "USD")
    assert unit.margin_equity == 2800
    assert {c.currency: c.value for c in snapshot.collaterals} == {"USDT": 1000, "Y": 2000}


async def test_a_pool_in_liquidation_is_a_finding(
    broker: Connect, long_x: Callable[..., OpeningPosition]
) -> None:
    tiers = maintenance_tiers(("0", "0.01"), ("5000", "0.05"), ("20000", "0.1"))
    desk = broker(wallets={"USDT": 6000}, positions=(long_x(600),), instrument={"tiers": tiers}, leverage=20)
    desk.engine.move_price("X", D("0.9001"))
    (finding,) = (await desk.fetch_snapshot()).findings
    assert (finding.code, finding.unit, finding.symbol) == (FindingCode.VENUE_ACTING, "USDT", X)


async def test_frozen_snapshot_says_how_old_it_is(
    broker: Connect, long_x: Callable[..., OpeningPosition]
) -> None:
    desk = broker(positions=(long_x(10),))
    desk.freeze()
    then = desk.venue_now()
    desk.advance(desk.engine.now_ms + 7000)
    snapshot = await desk.fetch_snapshot()
    assert snapshot.as_of == then
    desk.thaw()
    assert (await desk.fetch_snapshot()).as_of == desk.venue_now() == then + timedelta(seconds=7)


async def test_frozen_snapshot_was_fetched_now(
    broker: Connect, long_x: Callable[..., OpeningPosition]
) -> None:
    desk = broker(positions=(long_x(10),))
    desk.freeze()
    desk.advance(desk.engine.now_ms + 7000)
    snapshot = await desk.fetch_snapshot()
    assert snapshot.fetched_at - snapshot.as_of == timedelta(seconds=7)


async def test_reduce_order_is_filled_and_reported(
    broker: Connect, long_x: Callable[..., OpeningPosition]
) -> None:
    desk = broker(positions=(long_x(10),), instrument={"contract_size": D("0.1")})
    report = await desk.submit(await reducing(desk, 40))
    assert (report.verdict, report.state, report.filled) == (Verdict.ACCEPTED, OrderState.FILLED, 40)
    assert report.average_price == D("99.99")
    assert (await desk.fetch_snapshot()).positions[0].quantity == 60
    assert await desk.find_order(ID, X) == report


async def test_limited_order_that_cannot_fill_is_cancelled(
    broker: Connect, long_x: Callable[..., OpeningPosition]
) -> None:
    desk = broker(positions=(long_x(10),))
    report = await desk.submit(await reducing(desk, 10, limit_price=D(101)))
    assert (report.state, report.filled, report.code) == (OrderState.CANCELLED, 0, "ioc_remainder")


async def test_hedge_leg_is_reduced_on_its_own_side(
    broker: Connect, short_x: Callable[..., OpeningPosition]
) -> None:
    desk = broker(position_mode=PositionMode.HEDGE, positions=(short_x(10),))
    report = await desk.submit(await reducing(desk, 4))
    assert report.filled == 4
    (position,) = (await desk.fetch_snapshot()).positions
    assert (position.side, position.quantity, position.hedged) == (Side.SHORT, 6, True)


async def test_partial_fill_is_told_as_it_is(broker: Connect, long_x: Callable[..., OpeningPosition]) -> None:
    desk = broker(positions=(long_x(10),))
    desk.engine.controls.fill_fraction = D("0.25")
    report = await desk.submit(await reducing(desk, 10))
    assert (report.state, report.filled) == (OrderState.CANCELLED, D("2.5"))


async def test_refused_order_tells_the_reason(
    broker: Connect, long_x: Callable[..., OpeningPosition]
) -> None:
    desk = broker(positions=(long_x(10),))
    order = await reducing(desk, 10)
    desk.engine.close_position("a", "X-USDT")
    report = await desk.submit(order)
    assert (report.verdict, report.state, report.code) == (
        Verdict.REJECTED,
        OrderState.REJECTED,
        "no_position",
    )


async def test_an_order_past_its_deadline_is_refused(
    broker: Connect, long_x: Callable[..., OpeningPosition]
) -> None:
    desk = broker(positions=(long_x(10),))
    order = await reducing(desk, 10)
    desk.advance(desk.engine.now_ms + 6000)
    assert (await desk.submit(order)).code == "expired"


async def test_second_use_of_an_id_says_that_it_exists(
    broker: Connect, long_x: Callable[..., OpeningPosition]
) -> None:
    desk = broker(positions=(long_x(10),))
    await desk.submit(await reducing(desk, 1))
    again = await desk.submit(await reducing(desk, 1))
    assert (again.verdict, again.state) == (Verdict.EXISTS, None)
    assert (await desk.fetch_snapshot()).positions[0].quantity == 9


async def test_capabilities_follow_the_rules(broker: Connect) -> None:
    assert broker().capabilities.ids_unique_for_ever
    rules = {"duplicate_client_ids": DuplicateRule.OPEN_ORDERS}
    assert not broker(rules=rules).capabilities.ids_unique_for_ever


async def test_lost_answer_leaves_a_filled_order_to_be_found(
    broker: Connect, long_x: Callable[..., OpeningPosition]
) -> None:
    desk = broker(positions=(long_x(10),))
    desk.mishaps.doom_write(Fate.ANSWER_LOST)
    report = await desk.submit(await reducing(desk, 4))
    assert (report.verdict, report.state) == (Verdict.UNKNOWN, None)
    assert (await desk.find_order(ID, X)).filled == 4


async def test_order_that_never_arrived_is_not_found(
    broker: Connect, long_x: Callable[..., OpeningPosition]
) -> None:
    desk = broker(positions=(long_x(10),))
    desk.mishaps.doom_write(Fate.NEVER_ARRIVED)
    assert (await desk.submit(await reducing(desk, 4))).verdict is Verdict.UNKNOWN
    assert await desk.find_order(ID, X) is None
    assert desk.engine.history == ()


async def test_late_order_executes_at_its_moment(
    broker: Connect, long_x: Callable[..., OpeningPosition]
) -> None:
    desk = broker(positions=(long_x(10),))
    desk.mishaps.doom_write(Fate.LATE, delay_ms=3000)
    start = desk.engine.now_ms
    await desk.submit(await reducing(desk, 4))
    desk.advance(start + 2999)
    assert await desk.find_order(ID, X) is None
    desk.advance(start + 60_000)
    (fill,) = [event for event in desk.engine.history if isinstance(event, Filled)]
    assert fill.ms == start + 3000


async def test_late_order_dies_at_its_deadline(
    broker: Connect, long_x: Callable[..., OpeningPosition]
) -> None:
    desk = broker(positions=(long_x(10),))
    desk.mishaps.doom_write(Fate.LATE, delay_ms=5001)
    await desk.submit(await reducing(desk, 4))
    desk.advance(desk.engine.now_ms + 60_000)
    assert await desk.find_order(ID, X) is None
    (refused,) = desk.engine.history
    assert isinstance(refused, OrderRefused)
    assert refused.reason is Refusal.EXPIRED


async def test_read_fails_as_often_as_told_and_only_there(
    broker: Connect, long_x: Callable[..., OpeningPosition]
) -> None:
    desk = broker(positions=(long_x(10),))
    desk.mishaps.fail_read(VenueUnavailable("gone"), call="fetch_snapshot", times=2)
    assert await desk.fetch_open_orders() == ()
    for _ in range(2):
        with pytest.raises(VenueUnavailable):
            await desk.fetch_snapshot()
    assert (await desk.fetch_snapshot()).positions


async def test_open_orders_name_their_book(
    broker: Connect, long_x: Callable[..., OpeningPosition], order: Callable[..., OrderSpec]
) -> None:
    desk = broker(positions=(long_x(10),), instrument={"contract_size": D("0.1")})
    desk.engine.place("a", order("buy", 1, price=90, client_id="bid"))
    desk.engine.place("a", order("sell", 10, reduce_only=True, trigger=Trigger(price=D(80))))
    desk.engine.place("a", order("sell", None, close_position=True, trigger=Trigger(price=D(70))))
    bid, stop, close = await desk.fetch_open_orders()
    assert (bid.book, bid.quantity, bid.price, bid.client_order_id) == (OrderBook.ACTIVE, 10, 90, "bid")
    assert (stop.book, stop.is_protective, bid.is_protective) == (OrderBook.TRIGGER, True, False)
    assert (close.quantity, close.reduce_only) == (None, True)


async def test_cancelling_reports_each_order(broker: Connect, order: Callable[..., OrderSpec]) -> None:
    desk = broker()
    desk.engine.place("a", order("buy", 1, price=90))
    (bid,) = await desk.fetch_open_orders()
    first, second = await desk.cancel_orders([bid, replace(bid, order_id="7")])
    assert (first.verdict, first.order_id) == (Verdict.ACCEPTED, bid.order_id)
    assert (second.verdict, second.code) == (Verdict.REJECTED, "order_not_found")
    assert (await desk.cancel_orders([bid]))[0].code == "order_closed"


async def test_leverage_is_set_or_refused(broker: Connect, long_x: Callable[..., OpeningPosition]) -> None:
    desk = broker(positions=(long_x(10),))
    await desk.set_leverage(X, D(20))
    await desk.set_leverage(X, D(20))
    assert (await desk.fetch_snapshot()).positions[0].leverage_setting == 20
    with pytest.raises(RequestRefused) as caught:
        await desk.set_leverage(X, D(1000))
    assert caught.value.code == "leverage"


async def test_transfer_comes_in_once(broker: Connect) -> None:
    desk = broker(funding={"USDT": D(100)})
    since = desk.venue_now()
    assert await desk.fetch_funding_balance("USDT") == 100
    done = await desk.transfer_in("USDT", D(60), "t")
    assert done.verdict is Verdict.ACCEPTED
    assert (await desk.transfer_in("USDT", D(60), "t")).verdict is Verdict.EXISTS
    refused = await desk.transfer_in("USDT", D(60), "u")
    assert (refused.verdict, refused.code) == (Verdict.REJECTED, "insufficient_balance")
    assert await desk.find_transfer("t", "USDT", D(60), since) == done
    assert await desk.find_transfer("t", "USDT", D(61), since) is None
    assert await desk.fetch_funding_balance("USDT") == 40


@pytest.mark.parametrize(("fate", "found"), [(Fate.ANSWER_LOST, True), (Fate.NEVER_ARRIVED, False)])
async def test_transfer_without_an_answer_is_looked_up(broker: Connect, fate: Fate, *, found: bool) -> None:
    desk = broker(funding={"USDT": D(100)})
    desk.mishaps.doom_write(fate)
    assert (await desk.transfer_in("USDT", D(60), "t")).verdict is Verdict.UNKNOWN
    known = await desk.find_transfer("t", "USDT", D(60), desk.venue_now())
    assert (known is not None) is found


async def test_late_transfer_arrives_at_its_moment(broker: Connect) -> None:
    desk = broker(funding={"USDT": D(100)})
    desk.mishaps.doom_write(Fate.LATE, delay_ms=1000)
    since = desk.venue_now()
    assert (await desk.transfer_in("USDT", D(60), "t")).verdict is Verdict.UNKNOWN
    assert await desk.find_transfer("t", "USDT", D(60), since) is None
    desk.advance(desk.engine.now_ms + 1000)
    assert await desk.find_transfer("t", "USDT", D(60), since) is not None


async def test_unknown_funding_currency_is_refused(broker: Connect) -> None:
    with pytest.raises(RequestRefused):
        await broker().fetch_funding_balance("DOGE")


async def test_permissions_and_clock_are_told(broker: Connect) -> None:
    desk = broker(permissions=Permissions(can_withdraw=True, ip_bound=False))
    granted = await desk.fetch_permissions()
    assert (granted.can_trade, granted.can_withdraw, granted.ip_bound) == (True, True, False)
    assert (await desk.measure_clock()).offset_ms == 0
    await desk.aclose()
