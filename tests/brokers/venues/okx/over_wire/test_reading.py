"""What the adapter reads over the wire: units by mode, permissions, and every way an answer can be spoilt."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.errors import (
    BrokerError,
    MalformedAnswer,
    RateLimited,
    Unauthorized,
    VenueUnavailable,
)
from brokers.models import FindingCode, MarginMode, Position, PositionMode, Side, Symbol, UnitKind
from brokers.orders import ClientOrderId, ReduceOrder
from brokers.port import Broker
from brokers.sandbox.engine import Engine
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.orders import OrderSpec
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import SandboxSpec
from brokers.sandbox.wire.base import Route
from brokers.sandbox.wire.okx.wire import OkxWire

pytestmark = pytest.mark.wire

BTC, ETH = "BTC-USDT", "ETH-USDT"
BTC_SWAP, ETH_SWAP = Symbol("BTC-USDT-SWAP"), Symbol("ETH-USDT-SWAP")
OWN_ID = ClientOrderId("0123456789abcdef0123456789abcdef")

Open = Callable[..., Awaitable[Broker]]
Build = Callable[..., OrderSpec]
Reduce = Callable[..., ReduceOrder]
PositionOf = Callable[..., Awaitable[Position]]


class SparseWire(OkxWire):
    """A host that has only what margind cannot do without."""

    MISSING = frozenset(
        {"/api/v5/trade/orders-history", "/api/v5/trade/orders-algo-pending", "/api/v5/public/time"}
    )

    def routes(self) -> Sequence[Route]:
        return [route for route in super().routes() if route.path not in self.MISSING]


async def test_multi_currency_account_is_one_unit_in_usd(
    server: SandboxServer, open_at: Open, engine: Engine
) -> None:
    broker = await open_at(server)
    snapshot = await broker.fetch_snapshot()
    assert snapshot.findings == ()
    assert snapshot.mode.label == "multi-currency margin"
    (unit,) = snapshot.units
    (pool,) = engine.figures("multi").pools
    assert (unit.key, unit.kind, unit.currency) == ("account", UnitKind.ACCOUNT, "USD")
    for ours, theirs in (
        (unit.margin_equity, pool.margin_balance),
        (unit.initial_margin, pool.initial_margin),
        (unit.maintenance_margin, pool.maintenance_margin),
    ):
        assert ours is not None
        assert abs(ours - theirs) < pool.margin_balance * Decimal("0.01")
    assert unit.venue_ratio is not None
    assert unit.maintenance_margin is not None
    assert unit.margin_equity is not None
    assert unit.venue_ratio > unit.maintenance_margin / unit.margin_equity  # liquidation fees are inside
    assert {(p.symbol, p.side, p.quantity) for p in snapshot.positions} == {
        (BTC_SWAP, Side.LONG, 100),
        (ETH_SWAP, Side.SHORT, 20),
    }
    assert abs(snapshot.fetched_at - snapshot.as_of) < timedelta(seconds=2)


async def test_futures_account_has_units_by_currency_and_isolated_ones(
    server: SandboxServer, open_at: Open
) -> None:
    snapshot = await (await open_at(server, "futures")).fetch_snapshot()
    assert snapshot.findings == ()
    isolated = f"isolated:{ETH_SWAP}:short"
    assert {unit.key for unit in snapshot.units} == {"USDT", isolated}
    assert snapshot.unit(isolated).parent == "USDT"
    usdt = snapshot.unit("USDT")
    assert usdt.initial_margin is not None
    assert usdt.available_margin is not None
    assert usdt.margin_equity is not None
    assert abs(usdt.initial_margin + usdt.available_margin - usdt.margin_equity) < 1


async def test_flat_futures_account_is_calm(server: SandboxServer, open_at: Open) -> None:
    snapshot = await (await open_at(server, "flat")).fetch_snapshot()
    assert snapshot.findings == ()
    assert snapshot.positions == ()
    assert snapshot.unit("USDT").measures == frozenset()


async def test_long_short_mode_shows_both_legs(server: SandboxServer, open_at: Open) -> None:
    snapshot = await (await open_at(server, "hedge")).fetch_snapshot()
    assert snapshot.mode.position_mode is PositionMode.HEDGE
    assert {(p.side, p.quantity, p.hedged) for p in snapshot.positions} == {
        (Side.LONG, 100, True),
        (Side.SHORT, 40, True),
    }


async def test_portfolio_account_has_account_figures_only(server: SandboxServer, open_at: Open) -> None:
    snapshot = await (await open_at(server, "portfolio")).fetch_snapshot()
    assert snapshot.findings == ()
    assert snapshot.mode.margin_mode is MarginMode.PORTFOLIO
    assert snapshot.positions[0].maintenance_margin is None
    assert snapshot.unit("account").maintenance_margin is not None


async def test_market_rules_are_in_contracts(server: SandboxServer, open_at: Open) -> None:
    snapshot = await (await open_at(server)).fetch_snapshot()
    rules = snapshot.markets[BTC_SWAP]
    assert (rules.contract_size, rules.lot_step, rules.max_market_quantity) == (
        Decimal("0.01"),
        Decimal("0.1"),
        12_000,
    )


@pytest.mark.parametrize(
    ("name", "trade", "withdraw", "bound"),
    [("multi", True, False, True), ("reader", False, False, False), ("rich", True, True, True)],
)
async def test_permissions(
    server: SandboxServer, open_at: Open, *, name: str, trade: bool, withdraw: bool, bound: bool
) -> None:
    granted = await (await open_at(server, name)).fetch_permissions()
    assert (granted.can_trade, granted.can_withdraw, granted.ip_bound) == (trade, withdraw, bound)


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"secret": "x"}, "50113"), ({"password": "x"}, "50105"), ({"api_key": "x"}, "50119")],
)
async def test_wrong_credentials_are_for_a_human(
    server: SandboxServer, open_at: Open, changes: dict[str, str], code: str
) -> None:
    with pytest.raises(Unauthorized) as refused:
        await open_at(server, **changes)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.HTML_200, MalformedAnswer),
        (FaultKind.NULL_BODY, MalformedAnswer),
        (FaultKind.TRUNCATED, MalformedAnswer),
        (FaultKind.HTTP_502_HTML, VenueUnavailable),
        (FaultKind.HTTP_429_FOREIGN_JSON, RateLimited),
        (FaultKind.REVOKED_KEY, Unauthorized),
    ],
)
async def test_broken_answer_is_an_error_and_never_flat(
    server: SandboxServer, open_at: Open, kind: FaultKind, error: type[BrokerError]
) -> None:
    broker = await open_at(server)
    server.faults.set(Fault(kind=kind, path="/api/v5/account/positions"))
    with pytest.raises(error):
        await broker.fetch_snapshot()


@pytest.mark.parametrize(
    ("kind", "path", "code"),
    [
        (FaultKind.EMPTY_POSITIONS, "positions", FindingCode.INCONSISTENT),
        (FaultKind.NAN, "positions", FindingCode.FIELD_DAMAGED),
        (FaultKind.MISSING_FIELD, "positions", FindingCode.FIELD_MISSING),
        (FaultKind.NAN, "balance", FindingCode.FIELD_DAMAGED),
        (FaultKind.MISSING_FIELD, "balance", FindingCode.TOTALS_MISSING),
    ],
)
@pytest.mark.parametrize("name", ["multi", "futures"])
async def test_spoilt_figures_are_findings(
    server: SandboxServer, open_at: Open, *, kind: FaultKind, path: str, code: FindingCode, name: str
) -> None:
    broker = await open_at(server, name)
    server.faults.set(Fault(kind=kind, path=f"/api/v5/account/{path}"))
    snapshot = await broker.fetch_snapshot()
    assert code in {finding.code for finding in snapshot.findings}


async def test_frozen_totals_show_their_age(server: SandboxServer, open_at: Open) -> None:
    broker = await open_at(server)
    server.faults.set(Fault(kind=FaultKind.STALE_TIMESTAMP, path="/api/v5/account"))
    snapshot = await broker.fetch_snapshot()
    assert snapshot.fetched_at - snapshot.as_of > timedelta(minutes=9)


async def test_venue_clock_far_from_ours_is_followed(server: SandboxServer, open_at: Open) -> None:
    broker = await open_at(server)
    server.faults.set(Fault(kind=FaultKind.CLOCK_SKEW, ms=120_000))
    assert (await broker.fetch_snapshot()).findings == ()


async def test_rate_limit_of_the_venue_is_told(server: SandboxServer, open_at: Open) -> None:
    broker = await open_at(server)
    wire = server.wire
    assert isinstance(wire, OkxWire)
    wire._gate._times["multi", "GET", "/api/v5/account/balance"].extend([wire.now_ms] * 10)
    with pytest.raises(RateLimited) as limited:
        await broker.fetch_snapshot()
    assert limited.value.retry_after == 2.0


async def test_host_without_optional_calls_is_enough(
    open_at: Open, spec: SandboxSpec, resting: Build
) -> None:
    engine = Engine(replace(spec, start_ms=round(time.time() * 1000)))
    async with SandboxServer(SparseWire(engine)) as sparse:
        broker = await open_at(sparse)
        assert (await broker.fetch_snapshot()).findings == ()
        engine.place("multi", resting("50000"))
        assert len(await broker.fetch_open_orders()) == 1
        assert await broker.find_order(OWN_ID, BTC_SWAP) is None
