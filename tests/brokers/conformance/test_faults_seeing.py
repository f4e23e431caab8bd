"""Every fault against every picture: it is the engine's own truth, or an error, or says that it is not."""

from typing import Any

import pytest

from brokers.errors import BrokerError
from brokers.models import AccountSnapshot
from brokers.sandbox.faults import DEFORMED, GATEWAY, FaultKind

pytestmark = pytest.mark.wire

Station = Any  # the fixture's type lives in conftest
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
HARMLESS = {FaultKind.SLOW, FaultKind.CLOCK_SKEW}
PARTS = {
    "binance": ["/fapi/v3/account", "/fapi/v3/positionRisk", "/fapi/v1/premiumIndex", "/"],
    "binancecoinm": ["/dapi/v1/account", "/dapi/v1/positionRisk", "/dapi/v1/premiumIndex", "/"],
    "binancepm": ["/papi/v1/account", "/papi/v1/um/positionRisk", "/papi/v1/um/account", "/"],
    "binancemargin": ["/sapi/v1/margin/account", "/api/v3/ticker/price", "/"],
    "binanceisolated": ["/sapi/v1/margin/isolated/account", "/sapi/v1/margin/isolatedMarginTier", "/"],
    "bybit": ["/v5/account/wallet-balance", "/v5/position/list", "/"],
    "coinbase": [
        "/api/v3/brokerage/cfm/balance_summary",
        "/api/v3/brokerage/cfm/positions",
        "/",
    ],
    "cryptocom": [
        "/exchange/v1/private/user-balance",
        "/exchange/v1/private/get-positions",
        "/exchange/v1/public/get-tickers",
        "/",
    ],
    "kraken": ["/0/private/TradeBalance", "/0/private/OpenPositions", "/"],
    "krakenfutures": [
        "/derivatives/api/v3/accounts",
        "/derivatives/api/v3/openpositions",
        "/derivatives/api/v3/tickers",
        "/",
    ],
    "okx": ["/api/v5/account/balance", "/api/v5/account/positions", "/"],
}
"""What a picture is made of, each part by itself and all of it."""


def lies(station: Station, seen: AccountSnapshot | BrokerError) -> list[str]:
    """What is wrong in a picture that neither says so nor shows its age."""
    if isinstance(seen, BrokerError):
        return []
    ahead = seen.fetched_at.timestamp() * 1000 - station.venue_ms
    age_s = (seen.fetched_at - seen.as_of).total_seconds()
    if station.case.tells_clock and abs(ahead) > 1000 and age_s >= -1:
        return [f"the picture's clock is {ahead:.0f} ms off"]
    if seen.findings or not -1 <= age_s <= 60:
        return []
    return list(station.flaws(seen))


async def test_a_calm_picture_is_true_to_the_last_figure(settled: Station) -> None:
    seen = await settled.snapshot()
    assert seen.findings == ()
    assert settled.flaws(seen) == []


@pytest.mark.parametrize("case", ONE_EACH, indirect=True)
async def test_a_picture_under_a_fault_does_not_lie(settled: Station, kind: FaultKind) -> None:
    settled.trouble(kind)
    for protective in (False, True):
        seen = await settled.told(settled.broker.fetch_snapshot(protective=protective))
        assert lies(settled, seen) == []
        if kind in HOPELESS:
            assert isinstance(seen, BrokerError), seen
        elif kind in HARMLESS and (settled.case.tells_clock or kind is not FaultKind.CLOCK_SKEW):
            assert not isinstance(seen, BrokerError), seen
            assert seen.findings == ()
    await settled.calm()
    seen = await settled.snapshot()
    assert lies(settled, seen) == []


@pytest.mark.parametrize("part", range(4))
async def test_one_spoilt_part_of_a_picture_shows(settled: Station, part: int) -> None:
    parts = PARTS[settled.case.broker]
    if part >= len(parts):
        return
    for kind in sorted(DEFORMED):
        settled.trouble(kind, path=parts[part])
        seen = await settled.told(settled.broker.fetch_snapshot(protective=True))
        assert lies(settled, seen) == [], (kind, parts[part])
        await settled.calm()
        await settled.rest()
    seen = await settled.broker.fetch_snapshot(protective=True)
    assert (seen.findings, settled.flaws(seen)) == ((), [])
