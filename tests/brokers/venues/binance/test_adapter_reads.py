"""The adapter over the venue's wire: what it sees, and what it does when the venue is in trouble."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import (
    Banned,
    BrokerError,
    MalformedAnswer,
    RateLimited,
    Unauthorized,
    VenueUnavailable,
)
from brokers.models import (
    AccountSnapshot,
    FindingCode,
    MarginMode,
    Measure,
    PositionMode,
    Side,
    Symbol,
    UnitKind,
)
from brokers.sandbox.faults import Fault, FaultKind
from brokers.venues.binance.usdm import UsdmBroker

pytestmark = pytest.mark.wire

Venue = Any
BTC = Symbol("BTCUSDT")
ACCOUNT, RISK = "/fapi/v3/account", "/fapi/v3/positionRisk"


async def look(
    binance: Venue, name: str, pool: str, *figures: str
) -> tuple[AccountSnapshot, tuple[Decimal, ...]]:
    """Return a picture and the venue's own figures of a pool, which did not move while it was taken."""
    broker = await binance.broker(name)

    def told() -> tuple[Decimal, ...]:
        held = binance.engine.figures(name).pool(pool)
        return tuple(round(getattr(held, figure), 8) for figure in figures)

    for _ in range(50):
        before = told()
        snapshot = await broker.fetch_snapshot()
        if told() == before:
            return snapshot, before
    raise AssertionError("the market never stood still")


async def test_a_single_asset_account(binance: Venue) -> None:
    margins = ("initial_margin", "available", "maintenance_margin")
    snapshot, told = await look(binance, "single", "USDT", *margins)
    assert (snapshot.mode.label, snapshot.mode.position_mode) == ("single-asset", PositionMode.ONE_WAY)
    assert [unit.key for unit in snapshot.units] == ["USDT", "BTC"]
    usdt = snapshot.unit("USDT")
    assert (usdt.initial_margin, usdt.available_margin, usdt.maintenance_margin) == told
    (held,) = snapshot.positions
    assert (held.symbol, held.side, held.quantity) == (BTC, Side.LONG, Decimal(1))
    assert held.leverage_setting == Decimal(10)
    assert snapshot.markets[BTC].max_market_quantity == Decimal(120)
    assert snapshot.findings == ()


async def test_a_multi_assets_account(binance: Venue) -> None:
    snapshot, told = await look(binance, "multi", "account", "maintenance_margin")
    (unit,) = snapshot.units
    assert (unit.kind, unit.currency) == (UnitKind.ACCOUNT, "USD")
    assert snapshot.mode.margin_mode is MarginMode.CROSS
    assert (unit.maintenance_margin,) == told
    assert {c.currency for c in snapshot.collaterals} == {"USDT", "BTC"}
    assert snapshot.findings == ()


async def test_hedged_legs_and_isolated_positions(binance: Venue) -> None:
    hedge = await (await binance.broker("hedge")).fetch_snapshot()
    assert [(p.side, p.hedged, p.quantity) for p in hedge.positions] == [
        (Side.LONG, True, Decimal(1)),
        (Side.SHORT, True, Decimal("0.4")),
    ]
    assert hedge.findings == ()
    isolated = await (await binance.broker("isolated")).fetch_snapshot()
    unit = isolated.unit("isolated:ETHUSDT:short")
    assert (unit.parent, unit.measures) == ("USDT", {Measure.MAINTENANCE})
    assert isolated.unit("USDT").wallet_balance == Decimal(18_500)
    assert isolated.findings == ()


async def test_a_flat_account_is_read_as_flat(binance: Venue) -> None:
    snapshot = await (await binance.broker("flat")).fetch_snapshot()
    assert (snapshot.positions, snapshot.findings) == ((), ())
    assert snapshot.unit("USDT").initial_margin == 0


async def test_brackets_follow_with_a_later_picture(binance: Venue) -> None:
    broker = await binance.broker("single")
    await broker.fetch_snapshot()
    for _ in range(20):
        await asyncio.sleep(0.02)
        snapshot = await broker.fetch_snapshot()
        if snapshot.tiers:
            break
    tier = snapshot.tiers[BTC][1]
    assert (tier.floor, tier.rate, tier.deduction) == (Decimal(50_000), Decimal("0.005"), Decimal(50))


async def test_a_picture_costs_eleven_of_the_venues_weight(binance: Venue) -> None:
    broker = await binance.broker("single")
    await broker.fetch_snapshot()
    await asyncio.sleep(0.1)
    binance.server.received.clear()
    await broker.fetch_snapshot()
    assert sorted(binance.paths()) == ["/fapi/v1/premiumIndex", ACCOUNT, RISK]


async def test_key_permissions_and_funding_wallet(binance: Venue) -> None:
    flat = await binance.broker("flat")
    may = await flat.fetch_permissions()
    assert (may.can_read, may.can_trade, may.can_withdraw, may.ip_bound) == (True, True, True, False)
    assert await flat.fetch_funding_balance("USDT") == Decimal(1_000)
    assert await flat.fetch_funding_balance("BTC") == 0


async def test_the_test_environment_says_nothing_of_permissions(binance: Venue) -> None:
    broker = await binance.broker("single", connect=False, testnet=True)
    may = await broker.fetch_permissions()
    assert (may.can_read, may.can_withdraw) == (None, None)
    assert "/sapi/v1/account/apiRestrictions" not in binance.paths()


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.HTTP_500, VenueUnavailable),
        (FaultKind.HTTP_502_HTML, VenueUnavailable),
        (FaultKind.HTTP_503_HTML, VenueUnavailable),
        (FaultKind.HTTP_429_PLAIN, RateLimited),
        (FaultKind.HTTP_429_FOREIGN_JSON, RateLimited),
        (FaultKind.HTML_200, MalformedAnswer),
        (FaultKind.TRUNCATED, MalformedAnswer),
        (FaultKind.NULL_BODY, MalformedAnswer),
        (FaultKind.EMPTY_BODY, MalformedAnswer),
        (FaultKind.REVOKED_KEY, Unauthorized),
        (FaultKind.BAN, Banned),
    ],
)
@pytest.mark.parametrize("path", [ACCOUNT, RISK])
async def test_trouble_is_an_error_and_never_a_flat_account(
    binance: Venue, kind: FaultKind, error: type[BrokerError], path: str
) -> None:
    broker = await binance.broker("single")
    binance.server.faults.set(Fault(kind=kind, path=path))
    with pytest.raises(error):
        await broker.fetch_snapshot()


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FaultKind.EMPTY_POSITIONS, FindingCode.INCONSISTENT),
        (FaultKind.NAN, FindingCode.FIELD_DAMAGED),
        (FaultKind.MISSING_FIELD, FindingCode.FIELD_MISSING),
    ],
)
@pytest.mark.parametrize("name", ["single", "multi", "isolated"])
async def test_a_damaged_picture_carries_findings(
    binance: Venue, kind: FaultKind, code: FindingCode, name: str
) -> None:
    broker = await binance.broker(name)
    binance.server.faults.set(Fault(kind=kind, path="/fapi/v3"))
    snapshot = await broker.fetch_snapshot()
    assert code in {finding.code for finding in snapshot.findings}


async def test_equity_of_zero_is_passed_on_as_it_is_stated(binance: Venue) -> None:
    broker = await binance.broker("single")
    binance.server.faults.set(Fault(kind=FaultKind.ZERO_EQUITY, path=ACCOUNT))
    snapshot = await broker.fetch_snapshot()
    assert snapshot.unit("USDT").margin_equity == 0
    assert len(snapshot.positions) == 1


async def test_timestamps_that_run_back_make_the_picture_old(binance: Venue) -> None:
    broker = await binance.broker("single")
    seen = await broker.fetch_snapshot()
    assert seen.fetched_at - seen.as_of < timedelta(seconds=1)
    binance.engine.external_trade("single", "BTC-USDT", "sell", Decimal("0.1"))
    await broker.fetch_snapshot()
    binance.server.faults.set(Fault(kind=FaultKind.STALE_TIMESTAMP, path="/fapi/v3"))
    await asyncio.sleep(0.3)
    stale = await broker.fetch_snapshot()
    assert stale.fetched_at - stale.as_of > timedelta(seconds=0.25)


async def test_a_fill_between_the_two_reads_is_read_again(binance: Venue) -> None:
    broker = await binance.broker("single")
    fault = Fault(kind=FaultKind.OUTSIDER_TRADES, path=ACCOUNT, account="single", count=1)
    binance.server.faults.set(fault)
    snapshot = await broker.fetch_snapshot()
    assert snapshot.positions[0].quantity == Decimal("0.7")
    assert snapshot.findings == ()


@pytest.mark.parametrize(
    "path",
    [
        "/fapi/v1/premiumIndex",
        "/fapi/v1/symbolConfig",
        "/fapi/v1/leverageBracket",
        "/fapi/v1/time",
        "/sapi/",
    ],
)
@pytest.mark.parametrize("kind", [FaultKind.HTTP_502_HTML, FaultKind.HANG])
async def test_a_picture_does_without_what_is_optional(
    binance: Venue, path: str, kind: FaultKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brokers.venues.binance.account.ASIDE_S", 0.05)
    if path == "/fapi/v1/time":
        kind = FaultKind.HTTP_502_HTML
    binance.server.faults.set(Fault(kind=kind, path=path))
    broker = await binance.broker("single")
    for _ in range(2):
        snapshot = await broker.fetch_snapshot()
    assert snapshot.unit("USDT").initial_margin is not None
    assert snapshot.findings == ()


class _Older:
    """Hosts that lack newer calls: their paths answer 404."""

    def __init__(self, binance: Venue, *paths: str) -> None:
        gateway = binance.server._gateway
        gateway._routes = {key: route for key, route in gateway._routes.items() if key[1] not in paths}


async def test_without_an_account_configuration_the_older_calls_tell_the_mode(binance: Venue) -> None:
    _Older(binance, "/fapi/v1/accountConfig")
    broker = await binance.broker("multi")
    mode = (await broker.fetch_snapshot()).mode
    assert (mode.label, mode.position_mode) == ("multi-assets", PositionMode.ONE_WAY)


async def test_a_host_that_does_not_tell_the_mode_is_judged_asset_by_asset_and_reported(
    binance: Venue,
) -> None:
    _Older(binance, "/fapi/v1/accountConfig", "/fapi/v1/multiAssetsMargin")
    snapshot = await (await binance.broker("single")).fetch_snapshot()
    assert [unit.key for unit in snapshot.units] == ["USDT", "BTC"]
    assert [finding.code for finding in snapshot.findings] == [FindingCode.MODE_UNKNOWN]


async def test_a_host_without_algo_book_or_permissions_has_none(binance: Venue) -> None:
    _Older(binance, "/fapi/v1/openAlgoOrders", "/sapi/v1/account/apiRestrictions")
    broker = await binance.broker("single")
    assert await broker.fetch_open_orders() == ()
    assert (await broker.fetch_permissions()).can_trade is None


async def test_an_algo_book_that_fails_is_not_taken_for_an_empty_one(binance: Venue) -> None:
    broker = await binance.broker("single")
    binance.server.faults.set(Fault(kind=FaultKind.HTTP_502_HTML, path="/fapi/v1/openAlgoOrders"))
    with pytest.raises(VenueUnavailable):
        await broker.fetch_open_orders()


async def test_a_mode_that_changed_is_noticed_in_the_picture_itself(binance: Venue) -> None:
    broker: UsdmBroker = await binance.broker("multi")
    await broker.fetch_snapshot()
    broker._account_mode = (await binance.broker("single"))._account_mode
    broker._mode_left = 30
    snapshot = await broker.fetch_snapshot()
    assert snapshot.mode.label == "multi-assets"
    assert [finding.code for finding in snapshot.findings] == [FindingCode.MODE_UNKNOWN]
    assert (await broker.fetch_snapshot()).findings == ()
