"""Reading through the wire: traps in the answers, the clock, sessions, haircuts and loans."""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import BrokerError, MalformedAnswer, RateLimited, VenueUnavailable
from brokers.models import FindingCode, OrderSide, Symbol
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.wire.base import WireAnswer, WireRequest

pytestmark = pytest.mark.wire

Desk = Any  # the fixtures' types live in conftest
Open = Callable[..., Awaitable[Desk]]
Trap = Callable[..., WireAnswer]
BTC, ETH = Symbol("BTCUSD-PERP"), Symbol("ETHUSD-PERP")
HOUR_MS = 3_600_000


@pytest.mark.parametrize("result", [{"data": []}, {}, {"data": None}, None])
async def test_an_empty_balance_is_no_picture(desk: Desk, trap: Trap, result: object) -> None:
    desk.wire.instead["private/user-balance"] = trap(result)
    with pytest.raises(MalformedAnswer):
        await desk.broker.fetch_snapshot()


@pytest.mark.parametrize("result", [{"data": {}}, {}, None, {"data": ["BTCUSD-PERP"]}])
async def test_prices_of_another_shape_stand_against_nothing(desk: Desk, trap: Trap, result: object) -> None:
    desk.wire.instead["public/get-tickers"] = trap(result)
    snapshot = await desk.broker.fetch_snapshot()
    assert (snapshot.findings, len(snapshot.positions)) == ((), 2)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.HTTP_502_HTML, VenueUnavailable),
        (FaultKind.HTML_200, MalformedAnswer),
        (FaultKind.HTTP_429_PLAIN, RateLimited),
        (FaultKind.EMPTY_BODY, MalformedAnswer),
    ],
)
async def test_what_is_no_json_is_a_failure_of_the_way(
    desk: Desk, kind: FaultKind, error: type[BrokerError]
) -> None:
    desk.broker.transport.read_deadline_s = 0.5
    desk.server.faults.set(Fault(kind=kind, path="/exchange/v1/private/user-balance"))
    with pytest.raises(error):
        await desk.broker.fetch_snapshot()


async def test_positions_that_vanish_while_the_totals_stand_are_a_finding(desk: Desk, trap: Trap) -> None:
    desk.wire.instead["private/get-positions"] = trap({"data": []})
    snapshot = await desk.broker.fetch_snapshot()
    assert [finding.code for finding in snapshot.findings] == [FindingCode.INCONSISTENT]


async def test_codes_as_text_are_codes_all_the_same(desk: Desk, trap: Trap) -> None:
    desk.wire.instead["private/get-positions"] = trap({"data": []}, code="0")
    assert (await desk.broker.fetch_snapshot()).positions == ()


async def test_a_price_that_is_not_to_be_had_stands_against_nothing(desk: Desk, trap: Trap) -> None:
    desk.wire.instead["public/get-tickers"] = trap(None, status=400, code=40004)
    snapshot = await desk.broker.fetch_snapshot()
    assert snapshot.findings == ()
    assert {position.mark_price for position in snapshot.positions} == {Decimal(60_000), Decimal(3_000)}


@pytest.mark.parametrize("kind", [FaultKind.HTTP_502_HTML, FaultKind.HANG])
async def test_prices_that_fail_or_tarry_do_not_blind_an_account(desk: Desk, kind: FaultKind) -> None:
    desk.server.faults.set(Fault(kind=kind, path="/exchange/v1/public/get-tickers"))
    snapshot = await desk.broker.fetch_snapshot()
    assert snapshot.findings == ()
    assert len(snapshot.positions) == 2


async def test_what_was_closed_comes_as_a_row_of_zero_and_is_no_position(desk: Desk) -> None:
    desk.engine.close_position("desk", ETH)
    snapshot = await desk.broker.fetch_snapshot()
    assert [position.symbol for position in snapshot.positions] == [BTC]
    assert snapshot.findings == ()


async def test_after_a_settlement_the_profit_is_still_that_since_entry(open_desk: Open) -> None:
    desk = await open_desk()
    desk.engine.move_price("BTC", Decimal("0.99"))
    before = await desk.broker.fetch_snapshot()
    desk.wire.now_ms += HOUR_MS - desk.wire.now_ms % HOUR_MS
    row = (await _balance(desk))["total_session_unrealized_pnl"]
    assert Decimal(row) == 0
    desk.wire.now_ms = desk.engine.now_ms
    after = await desk.broker.fetch_snapshot()
    assert before.units[0].unrealized_pnl == after.units[0].unrealized_pnl == Decimal(-300)
    assert before.units[0].margin_equity == after.units[0].margin_equity == Decimal(19_700)


async def _balance(desk: Desk) -> Mapping[str, str]:
    """Ask the wire itself."""
    handlers = {route.path: route.handler for route in desk.wire.routes()}
    path = "/exchange/v1/private/user-balance"
    body = b'{"id": 1, "method": "private/user-balance", "params": {}, "nonce": "1"}'
    request = WireRequest(method="POST", target=path, headers={}, body=body, now_ms=desk.wire.now_ms)
    row: Mapping[str, str] = handlers[path](request, "desk").payload["result"]["data"][0]
    return row


async def test_a_haircut_is_required_and_no_loss_of_equity(open_desk: Open) -> None:
    desk = await open_desk(wallets={"USD": "10000", "BTC": "0.5"})
    snapshot = await desk.broker.fetch_snapshot()
    unit = snapshot.units[0]
    assert snapshot.findings == ()
    assert unit.margin_equity == Decimal(40_000)
    positions = Decimal(60_000) / 10
    haircut = Decimal(30_000) * Decimal("0.05")
    assert unit.initial_margin == positions + haircut
    assert unit.maintenance_margin == (positions + haircut) / 2
    assert unit.available_margin == 40_000 - positions - haircut
    margins = [position.initial_margin for position in snapshot.positions]
    assert sum(margin for margin in margins if margin is not None) == positions


async def test_a_wallet_below_zero_is_a_loan(open_desk: Open) -> None:
    desk = await open_desk(wallets={"USD": "-500", "USDT": "20000"})
    snapshot = await desk.broker.fetch_snapshot()
    debts = {row.currency: row.debt for row in snapshot.collaterals}
    rates = {row.currency: row.interest_rate for row in snapshot.collaterals}
    assert debts == {"USD": Decimal(500), "USDT": Decimal(0)}
    assert rates["USDT"] is not None
    assert round(rates["USDT"], 4) == Decimal("0.08")
    assert snapshot.units[0].margin_equity == Decimal(19_500)


async def test_the_available_balance_may_be_negative(open_desk: Open) -> None:
    desk = await open_desk(wallets={"USD": "9000"})
    desk.engine.move_price("BTC", Decimal("0.88"))
    unit = (await desk.broker.fetch_snapshot()).units[0]
    assert unit.available_margin is not None
    assert unit.available_margin < 0
    assert unit.margin_equity == unit.available_margin + (unit.initial_margin or 0)


async def test_large_positions_need_more_than_their_leverage_asks_for(open_desk: Open) -> None:
    desk = await open_desk(wallets={"USD": "2000000"})
    desk.engine.external_trade("desk", BTC, OrderSide.BUY, Decimal("29.5"))
    margins = {p.symbol: p.initial_margin for p in desk.engine.figures("desk").positions}
    assert margins[BTC] == Decimal(30) * 60_000 * Decimal("0.005") * 30
    assert margins[ETH] == Decimal(3_000)


@pytest.mark.parametrize("ahead_ms", [0, 7_000, -33_000])
async def test_the_clock_is_read_off_the_answers_date(open_desk: Open, ahead_ms: int) -> None:
    desk = await open_desk(ahead_ms=ahead_ms)
    offset = desk.broker.transport.clock_offset
    assert offset is not None
    assert offset.offset_ms == pytest.approx(ahead_ms, abs=300)
    assert offset.error_ms >= 250


async def test_without_a_fresh_ticker_the_date_alone_tells_the_clock(open_desk: Open) -> None:
    desk = await open_desk(ahead_ms=7_000)
    desk.server.faults.set(Fault(kind=FaultKind.STALE_TIMESTAMP))
    offset = await desk.broker.measure_clock()
    assert offset.offset_ms == pytest.approx(7_000, abs=700)
