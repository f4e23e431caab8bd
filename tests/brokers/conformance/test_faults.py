"""Every fault against every read and write of every venue: an error, a finding, or an honest outcome."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import BrokerError
from brokers.models import AccountSnapshot, OrderSide, Side
from brokers.numbers import floor_to_step
from brokers.orders import Verdict
from brokers.sandbox.faults import DEFORMED, GATEWAY, Fault, FaultKind

pytestmark = pytest.mark.wire

Station = Any  # the fixture's type lives in conftest
BTC = "BTC-USDT"
ONE_EACH = ["binance-single-asset", "bybit-cross", "okx-futures", "kraken-futures", "kraken-spot"]
HARMLESS_TO_READS = {
    FaultKind.SLOW,
    FaultKind.DUPLICATE_CODE,
    FaultKind.REDUCE_ONLY_REJECTED,
    FaultKind.PARTIAL_FILL,
    FaultKind.EXECUTED_LATE,
    FaultKind.ACCEPTED_NO_ANSWER,
}
MS = {FaultKind.SLOW: 30, FaultKind.EXECUTED_LATE: 300, FaultKind.CLOCK_SKEW: 60_000}

KINDS = [kind for kind in FaultKind if kind is not FaultKind.OUTSIDER_TRADES]


@pytest.fixture
async def settled(station: Station) -> Station:
    """A station with an order of each book resting, whose adapter has learned all it can."""
    station.place(BTC, OrderSide.BUY, "0.01", price="50000", leg=Side.LONG)
    station.place(BTC, OrderSide.SELL, "0.1", trigger="40000", reduce_only=True, leg=Side.LONG)
    await station.snapshot()
    while station.broker._aside:
        await asyncio.gather(*station.broker._aside)
    return station


def set_fault(station: Station, kind: FaultKind, *, executes: bool = False) -> None:
    """Set a fault, and do not wait long where no good answer will come."""
    silent = kind in {FaultKind.HANG, FaultKind.EXECUTED_LATE}
    hopeless = kind in GATEWAY | {FaultKind.HANG, FaultKind.TRUNCATED}
    station.broker.transport.read_deadline_s = 0.3 if hopeless else 3.0
    station.broker.transport.write_deadline_s = 0.15 if silent else 2.5
    station.server.faults.set(Fault(kind=kind, ms=MS.get(kind, 0), executes=executes))


def looks_honest(station: Station, snapshot: AccountSnapshot) -> bool:
    """A snapshot that shows the truth, or says that it does not: by a finding, or by its age."""
    if snapshot.findings or (snapshot.fetched_at - snapshot.as_of).total_seconds() > 60:
        return True
    held = {(station.pair(p.symbol), p.side): p.quantity for p in snapshot.positions}
    sizes = {name: station.engine.instrument(station.listed(name)).contract_size for name, _ in held}
    if {key: quantity * sizes[key[0]] for key, quantity in held.items()} != station.exposure():
        return False
    equity = [unit.margin_equity for unit in snapshot.units if unit.maintenance_margin]
    return bool(equity) and None not in equity


async def told(read: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 - whatever was read
    """Return what a read says, or the error it raises."""
    try:
        return await read()
    except BrokerError as error:
        return error


@pytest.mark.parametrize("case", ONE_EACH, indirect=True)
@pytest.mark.parametrize("kind", KINDS)
async def test_reads_under_a_fault_are_honest(settled: Station, kind: FaultKind) -> None:
    broker = settled.broker
    symbol = settled.symbol(BTC)
    set_fault(settled, kind)
    for protective in (False, True):
        seen = await told(lambda p=protective: broker.fetch_snapshot(protective=p))
        assert isinstance(seen, BrokerError) or looks_honest(settled, seen), seen
        if kind in GATEWAY | {FaultKind.HANG, FaultKind.TRUNCATED, FaultKind.BAN, FaultKind.REVOKED_KEY}:
            assert isinstance(seen, BrokerError), seen
        elif kind in HARMLESS_TO_READS:
            assert not isinstance(seen, BrokerError), seen
            assert seen.findings == ()
        elif kind in DEFORMED - {FaultKind.EMPTY_POSITIONS, FaultKind.ZERO_EQUITY}:
            assert isinstance(seen, BrokerError) or seen.findings or seen.as_of < seen.fetched_at
    orders = await told(broker.fetch_open_orders)
    assert isinstance(orders, BrokerError) or len(orders) == 2, orders
    unknown = await told(lambda: broker.find_order("e" * 32, symbol))
    assert unknown is None or isinstance(unknown, BrokerError)
    if kind in GATEWAY | {FaultKind.HANG, FaultKind.TRUNCATED, FaultKind.BAN, FaultKind.REVOKED_KEY}:
        assert isinstance(orders, BrokerError)
        assert isinstance(unknown, BrokerError), "a spoilt answer is no proof of absence"
    funds = await told(lambda: broker.fetch_funding_balance("USDT"))
    assert isinstance(funds, BrokerError) or funds == Decimal(5000), funds
    permissions = await told(broker.fetch_permissions)
    assert isinstance(permissions, BrokerError) or permissions.can_withdraw is not True
    await told(broker.measure_clock)
    settled.server.faults.clear()


@pytest.mark.parametrize("case", ONE_EACH, indirect=True)
@pytest.mark.parametrize(
    ("kind", "executes"),
    [(kind, False) for kind in KINDS]
    + [(kind, True) for kind in (*sorted(GATEWAY), FaultKind.DUPLICATE_CODE)],
)
async def test_an_order_under_a_fault_ends_in_a_true_verdict(
    settled: Station,
    kind: FaultKind,
    executes: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    position = await settled.position(BTC, Side.LONG)
    rules = settled.broker._rulebook.rules[position.symbol]
    before = settled.exposure()
    order = settled.reduce(position, floor_to_step(position.quantity / 4, rules.lot_step))
    set_fault(settled, kind, executes=executes)
    report = await settled.broker.submit(order)
    settled.server.faults.clear()
    settled.broker.transport.read_deadline_s = 5.0
    await asyncio.sleep(0.3 if kind is FaultKind.EXECUTED_LATE else 0)
    taken = settled.orders_of(order.client_order_id)
    assert len(taken) <= 1
    match report.verdict:
        case Verdict.ACCEPTED:
            assert len(taken) == 1
        case Verdict.REJECTED:
            assert taken == []
        case Verdict.EXISTS:
            assert kind is FaultKind.DUPLICATE_CODE
        case Verdict.UNKNOWN:
            assert kind not in HARMLESS_TO_READS - {FaultKind.EXECUTED_LATE, FaultKind.ACCEPTED_NO_ANSWER}
    settled.broker.transport._budget.ledger._banned_until = 0.0
    settled.broker.transport._budget.ledger._paused_until = 0.0
    found = await settled.broker.find_order(order.client_order_id, order.symbol)
    assert (found is not None) is bool(taken)
    after = settled.exposure()
    assert after.keys() <= before.keys()
    assert all(after[key] <= before[key] for key in after)


@pytest.mark.parametrize("case", ONE_EACH, indirect=True)
@pytest.mark.parametrize("kind", KINDS)
async def test_other_writes_under_a_fault_claim_nothing_that_is_not_so(
    settled: Station, kind: FaultKind
) -> None:
    broker, engine = settled.broker, settled.engine
    orders = await broker.fetch_open_orders()
    set_fault(settled, kind)
    reports = await broker.cancel_orders(orders)
    resting = {order.order_id for order in engine.open_orders(settled.account)}
    assert len(reports) == len(orders)
    if {report.verdict for report in reports} == {Verdict.ACCEPTED}:
        assert resting == set()
    if len(resting) == len(orders):
        assert Verdict.ACCEPTED not in {report.verdict for report in reports}

    can, currency = broker.capabilities, settled.case.venue.currency
    symbol = settled.symbol("SOL-USDT")
    before = engine.leverage(settled.account, settled.listed("SOL-USDT"))
    refused = await told(lambda: broker.set_leverage(symbol, Decimal(3)))
    if refused is None:
        assert can.set_leverage
        assert engine.leverage(settled.account, settled.listed("SOL-USDT")) == 3
    else:
        assert engine.leverage(settled.account, settled.listed("SOL-USDT")) in {before, Decimal(3)}

    moved = await told(lambda: broker.transfer_in(currency, Decimal(100), "0" * 31 + "d"))
    left = engine.funding_balance(settled.account, currency)
    if isinstance(moved, BrokerError):
        assert not can.transfer_in
        assert left == Decimal(5000)
    elif moved.verdict is Verdict.ACCEPTED:
        assert left == Decimal(4900)
    elif moved.verdict is Verdict.REJECTED:
        assert left == Decimal(5000)
    settled.server.faults.clear()


@pytest.mark.parametrize("case", ONE_EACH, indirect=True)
async def test_somebody_elses_trade_shows_in_the_next_snapshot(station: Station) -> None:
    await station.snapshot()
    station.server.faults.set(
        Fault(kind=FaultKind.OUTSIDER_TRADES, account=station.account, fraction=Decimal("1.5"), count=1)
    )
    await told(station.snapshot)
    snapshot = await station.snapshot()
    held = {(station.pair(p.symbol), p.side) for p in snapshot.positions}
    assert held == {(BTC, Side.SHORT), ("ETH-USDT", Side.LONG)} == set(station.exposure())


@pytest.mark.parametrize("case", [case for case in ONE_EACH if case != "kraken-spot"], indirect=True)
async def test_a_clock_that_jumps_is_measured_again_by_the_next_read(station: Station) -> None:
    station.server.faults.set(Fault(kind=FaultKind.CLOCK_SKEW, ms=90_000))
    snapshot = await station.snapshot()
    assert snapshot.positions
    offset = station.broker.transport.clock_offset
    assert offset.offset_ms == pytest.approx(97_000, abs=500)


@pytest.mark.parametrize("case", ["kraken-spot"], indirect=True)
async def test_where_no_answer_carries_a_time_the_next_order_has_a_jumping_clock_measured(
    station: Station,
) -> None:
    position = await station.position(BTC, Side.LONG)
    station.server.faults.set(Fault(kind=FaultKind.CLOCK_SKEW, ms=90_000))
    early = await station.broker.submit(station.reduce(position, position.quantity))
    assert (early.verdict, early.code) == (Verdict.REJECTED, "EService:Deadline elapsed")
    await station.broker.measure_clock()  # joins the measurement that the refusal began
    assert station.broker.transport.clock_offset.offset_ms == pytest.approx(97_000, abs=1000)
    again = await station.broker.submit(station.reduce(position, position.quantity))
    assert again.verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("case", ONE_EACH, indirect=True)
async def test_an_adapter_connects_again_after_the_venue_was_down(station: Station) -> None:
    number = station.server.faults.set(Fault(kind=FaultKind.HTTP_503_HTML))
    assert isinstance(await told(station.broker.connect), BrokerError)
    station.server.faults.clear(number)
    await station.broker.connect()
    assert (await station.snapshot()).findings == ()
