"""Every fault against every write: what it reports of each order, setting and transfer is so."""

from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import BrokerError, NotSupported, RequestRefused
from brokers.models import Side
from brokers.numbers import floor_to_step
from brokers.orders import OrderReport, Verdict
from brokers.outcomes import Write
from brokers.sandbox.faults import GATEWAY, FaultKind

pytestmark = pytest.mark.wire

Station = Any  # the fixture's type lives in conftest
BTC, SOL = "BTC-USDT", "SOL-USDT"
FUNDS, MOVED, TRANSFER = Decimal(5000), Decimal(100), "0" * 31 + "d"
ANSWERED = {
    FaultKind.SLOW,
    FaultKind.REDUCE_ONLY_REJECTED,
    FaultKind.PARTIAL_FILL,
    FaultKind.OUTSIDER_TRADES,
    FaultKind.EMPTY_POSITIONS,
    FaultKind.ZERO_EQUITY,
    FaultKind.STALE_TIMESTAMP,
}
"""Faults under which the venue says what became of an order."""

ONE_EACH = pytest.mark.parametrize(
    "case",
    [
        "binance-single-asset",
        "binance-coinm",
        "binance-portfolio",
        "bybit-cross",
        "okx-futures",
        "kraken-futures",
        "cryptocom",
        "coinbase-futures",
        "kraken-spot",
        "binance-cross-classic",
        "binance-isolated",
    ],
    indirect=True,
)
TROUBLES = pytest.mark.parametrize(
    ("kind", "executes"),
    [(kind, False) for kind in FaultKind]
    + [(kind, True) for kind in (*sorted(GATEWAY), FaultKind.DUPLICATE_CODE)],
)
"""Every fault; and those by which a venue can act while something else answers."""


@ONE_EACH
@TROUBLES
async def test_an_order_under_a_fault_ends_in_a_true_verdict(
    settled: Station,
    kind: FaultKind,
    executes: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    position = await settled.position(BTC, Side.LONG)
    rules = settled.broker._rulebook.rules[position.symbol]
    before = settled.exposure()
    order = settled.reduce(position, floor_to_step(position.quantity / 4, rules.lot_step))
    settled.trouble(kind, executes=executes)
    report = await settled.broker.submit(order)
    await settled.calm()
    taken = settled.orders_of(order.client_order_id)
    check_verdict(report, kind, len(taken))
    found = await settled.broker.find_order(order.client_order_id, order.symbol)
    assert (found is not None) is bool(taken)
    if found is not None:
        assert found.order_id.removeprefix("O") == taken[0].order_id  # Kraken names its orders so
        assert found.filled * rules.contract_size == taken[0].filled <= order.quantity * rules.contract_size
    after = settled.exposure()
    assert after.keys() <= before.keys()
    assert all(after[key] <= before[key] for key in after)


def check_verdict(report: OrderReport, kind: FaultKind, taken: int) -> None:
    assert taken <= 1
    match report.verdict:
        case Verdict.ACCEPTED:
            assert taken == 1
        case Verdict.REJECTED:
            assert taken == 0
        case Verdict.EXISTS:
            assert kind is FaultKind.DUPLICATE_CODE
        case Verdict.UNKNOWN:
            assert kind not in ANSWERED


@ONE_EACH
@TROUBLES
async def test_a_cancellation_under_a_fault_tells_of_each_order_what_is_so(
    settled: Station,
    kind: FaultKind,
    executes: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    orders = await settled.broker.fetch_open_orders()
    assert len(orders) == 2
    settled.trouble(kind, executes=executes)
    reports = await settled.broker.cancel_orders(orders)
    assert [report.order_id for report in reports] == [order.order_id for order in orders]
    await settled.calm()
    resting = {order.order_id for order in settled.engine.open_orders(settled.account)}
    for report in reports:
        order_id = report.order_id.removeprefix("O")
        match report.verdict:
            case Verdict.ACCEPTED:
                assert order_id not in resting
            case Verdict.REJECTED:
                gone = settled.broker.outcomes.is_benign(Write.CANCEL, report.code)
                assert (order_id in resting) is not gone
            case Verdict.UNKNOWN:
                assert kind not in ANSWERED - {FaultKind.REDUCE_ONLY_REJECTED}
            case Verdict.EXISTS:
                pytest.fail("nothing exists by being cancelled")


@ONE_EACH
@TROUBLES
async def test_a_setting_and_a_transfer_under_a_fault_claim_nothing_that_is_not_so(
    settled: Station,
    kind: FaultKind,
    executes: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    broker, engine, contract = settled.broker, settled.engine, settled.listed(SOL)
    can, currency = broker.capabilities, settled.case.venue.currency
    since = broker.venue_now()
    before = engine.leverage(settled.account, contract)
    assert before != 3
    settled.trouble(kind, executes=executes)
    refused = await settled.told(broker.set_leverage(settled.symbol(SOL), Decimal(3)))
    moved = await settled.told(broker.transfer_in(currency, MOVED, TRANSFER))
    await settled.calm()

    now = engine.leverage(settled.account, contract)
    if refused is None:
        assert can.set_leverage
        assert now == 3
    elif isinstance(refused, RequestRefused) and not executes:
        assert now == before
    assert refused is None or isinstance(refused, BrokerError)

    arrived = engine.funding_balance(settled.account, currency) == FUNDS - MOVED
    assert arrived or engine.funding_balance(settled.account, currency) == FUNDS
    if not can.transfer_in:
        assert isinstance(moved, NotSupported)
        assert not arrived
        return
    match moved.verdict:
        case Verdict.ACCEPTED:
            assert arrived
        case Verdict.REJECTED:
            assert not arrived
        case Verdict.EXISTS:
            assert kind is FaultKind.DUPLICATE_CODE
        case Verdict.UNKNOWN:
            assert kind not in ANSWERED - {FaultKind.REDUCE_ONLY_REJECTED}
    found = await broker.find_transfer(TRANSFER, currency, MOVED, since)
    assert (found is not None) is arrived
    assert found is None or (found.verdict, found.amount) == (Verdict.ACCEPTED, MOVED)
