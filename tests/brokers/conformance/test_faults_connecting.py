"""Every fault against connecting: an error, or a connection whose pictures do not lie."""

import re
from decimal import Decimal
from typing import Any

import orjson
import pytest

from brokers import ccxt_broker
from brokers.errors import BrokerError
from brokers.models import Side
from brokers.sandbox.faults import GATEWAY, Fault, FaultKind
from tests.brokers.conformance.cases import CASES

pytestmark = pytest.mark.wire

Station = Any  # the fixture's type lives in conftest
BTC, ETH = "BTC-USDT", "ETH-USDT"
ONE_EACH = [
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
]
HOPELESS = GATEWAY | {FaultKind.HANG, FaultKind.TRUNCATED, FaultKind.BAN, FaultKind.REVOKED_KEY}
STEPS = b"stepSize|qtyStep|lotSz|qty_tick_size|contractValueTradePrecision|base_increment|lot_decimals"
VITAL = {FaultKind.NAN, FaultKind.MISSING_FIELD, FaultKind.STALE_TIMESTAMP}


def in_danger(station: Station) -> None:
    """Make profits and losses, so that no figure of the account equals another."""
    station.engine.move_price("BTC", Decimal("0.98"))
    station.engine.move_price("ETH", Decimal("0.97"))


@pytest.mark.parametrize("case", ONE_EACH, indirect=True)
async def test_a_connection_under_a_fault_is_refused_or_sound(
    strange: Station, kind: FaultKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ccxt_broker, "SLOW_DEADLINE_S", 0.4 if kind in HOPELESS else 3.0)
    in_danger(strange)
    strange.trouble(kind)
    failure = await strange.told(strange.broker.connect())
    assert failure is None or isinstance(failure, BrokerError)
    if kind in HOPELESS:
        assert isinstance(failure, BrokerError)
    elif kind not in VITAL:
        assert failure is None
    await strange.calm()
    seen = await strange.snapshot()
    assert seen.findings or strange.flaws(seen) == []
    if kind not in VITAL:
        assert seen.findings == ()
    await strange.broker.connect()
    offset = await strange.broker.measure_clock()
    assert offset.offset_ms == pytest.approx(7000, abs=500)


@pytest.mark.parametrize("case", ONE_EACH, indirect=True)
async def test_rules_of_which_none_can_be_read_are_no_rules(
    strange: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    def every_row(kind: str, path: str, payload: object) -> object:
        del kind, path
        return orjson.loads(
            re.sub(rb'"(%b)":("[^"]*"|-?[0-9.]+)' % STEPS, rb'"\1":"NaN"', orjson.dumps(payload))
        )

    monkeypatch.setattr(strange.server.wire, "deform", every_row)
    strange.trouble(FaultKind.NAN)
    failure = await strange.told(strange.broker.connect())
    assert "not one instrument" in str(failure)
    await strange.calm()
    await strange.broker.connect()
    assert (await strange.snapshot()).findings == ()


@pytest.mark.parametrize("case", ONE_EACH, indirect=True)
async def test_a_stale_time_is_not_signed_by(station: Station) -> None:
    before = station.broker.venue_now().timestamp() * 1000 - station.venue_ms
    station.trouble(FaultKind.STALE_TIMESTAMP)
    failure = await station.told(station.broker.measure_clock())
    if station.case.tells_time:
        assert isinstance(failure, BrokerError)
        assert "not that of the answer's date" in str(failure)
    after = station.broker.venue_now().timestamp() * 1000 - station.venue_ms
    assert after == pytest.approx(before, abs=50 if station.case.tells_time else 1000)
    if station.broker.capabilities.transfer_in:
        assert await station.broker.fetch_funding_balance(station.case.venue.currency) == 5000
    assert await station.broker.fetch_open_orders() == ()


@pytest.mark.parametrize("case", [name for name in ONE_EACH if CASES[name].tells_clock], indirect=True)
async def test_a_clock_that_jumps_is_measured_again_by_the_next_read(station: Station) -> None:
    station.server.faults.set(Fault(kind=FaultKind.CLOCK_SKEW, ms=90_000))
    if station.case.tells_time:
        assert isinstance(await station.told(station.broker.measure_clock()), BrokerError)
    snapshot = await station.snapshot()
    assert snapshot.positions
    offset = station.broker.transport.clock_offset
    assert offset.offset_ms == pytest.approx(97_000, abs=500)
    station.server.faults.clear()
    station.server.faults.set(Fault(kind=FaultKind.CLOCK_SKEW, ms=45_000))
    assert (await station.snapshot()).positions
    now = station.broker.venue_now().timestamp() * 1000
    assert now == pytest.approx(station.venue_ms, abs=500)


@pytest.mark.parametrize(
    ("case", "time_call"),
    [("kraken-futures", "/derivatives/api/v3/openorders"), ("cryptocom", "/exchange/v1/public/get-tickers")],
    indirect=["case"],
)
async def test_old_answers_have_the_clock_measured_and_not_at_every_read(
    station: Station, time_call: str
) -> None:
    def asked() -> int:
        return [path for _, path, _ in station.server.received].count(time_call)

    before = asked()
    await station.snapshot()
    usual = asked() - before
    station.trouble(FaultKind.STALE_TIMESTAMP)
    for measurements in (5, 0, 0):
        before = asked()
        await station.told(station.snapshot())
        assert asked() - before == usual + measurements
    assert station.broker.venue_now().timestamp() * 1000 == pytest.approx(station.venue_ms, abs=1000)


@pytest.mark.parametrize("case", ONE_EACH, indirect=True)
async def test_somebody_elses_trade_shows_in_the_next_snapshot(station: Station) -> None:
    await station.snapshot()
    station.server.faults.set(
        Fault(kind=FaultKind.OUTSIDER_TRADES, account=station.account, fraction=Decimal("1.5"), count=1)
    )
    await station.told(station.snapshot())
    snapshot = await station.snapshot()
    held = {(station.pair(p.symbol), p.side) for p in snapshot.positions}
    turned = {Side.LONG: Side.SHORT, Side.SHORT: Side.LONG}
    before = station.case.positions
    assert held == {(one.symbol, turned[one.side]) for one in before} == set(station.exposure())
