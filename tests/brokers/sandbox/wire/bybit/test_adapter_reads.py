"""The real adapter reads the sandbox's Bybit: every mode, every list, and what faults do to a picture."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from brokers.errors import Banned, BrokerError, MalformedAnswer, Unauthorized, VenueUnavailable
from brokers.models import FindingCode, MarginMode, Measure, OrderSide, Side, UnitKind
from brokers.sandbox.engine import Engine
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.figures import ACCOUNT_POOL
from brokers.sandbox.server import SandboxServer
from brokers.venues.bybit.broker import BybitBroker

pytestmark = pytest.mark.wire

Open = Callable[[str], Awaitable[BybitBroker]]


def asked(server: SandboxServer) -> list[str]:
    return [path.removeprefix("/v5/") for _, path, _ in server.received if path != "/v5/market/time"]


async def test_a_cross_account_is_one_unit_with_the_venues_own_figures(adapter: Open, engine: Engine) -> None:
    shot = await (await adapter("cross")).fetch_snapshot()
    pool = engine.figures("cross").pool(ACCOUNT_POOL)
    unit = shot.unit("account")
    assert shot.findings == ()
    assert shot.mode.margin_mode is MarginMode.CROSS
    assert unit.margin_equity == pool.margin_balance
    assert unit.initial_margin == pool.initial_margin
    assert unit.maintenance_margin == pool.maintenance_margin
    assert unit.available_margin == pool.margin_balance - pool.initial_margin
    (position,) = shot.positions
    assert (position.symbol, position.side, position.quantity) == ("BTCUSDT", Side.LONG, Decimal(1))
    assert position.notional == 60_000
    assert shot.markets[position.symbol].max_market_quantity == 120
    assert 0 <= (shot.fetched_at - shot.as_of).total_seconds() < 2


async def test_an_isolated_account_has_a_unit_per_coin_and_position(adapter: Open, engine: Engine) -> None:
    shot = await (await adapter("isolated")).fetch_snapshot()
    assert shot.findings == ()
    assert shot.mode.margin_mode is MarginMode.ISOLATED
    kinds = {unit.key: (unit.kind, unit.measures, unit.parent) for unit in shot.units}
    maintenance = frozenset({Measure.MAINTENANCE})
    assert kinds == {
        "USDT": (UnitKind.CURRENCY, frozenset({Measure.UTILIZATION}), None),
        "BTCUSDT:long": (UnitKind.ISOLATED_POSITION, maintenance, "USDT"),
        "ETHUSDT:short": (UnitKind.ISOLATED_POSITION, maintenance, "USDT"),
    }
    figures = engine.figures("isolated")
    own = {p.symbol: p for p in figures.positions}
    assert shot.unit("BTCUSDT:long").margin_equity == own["BTC-USDT"].isolated_margin
    assert shot.unit("USDT").available_margin == figures.coin("USDT").available


async def test_hedge_legs_are_two_positions(adapter: Open) -> None:
    shot = await (await adapter("hedge")).fetch_snapshot()
    assert [(p.side, p.quantity, p.hedged) for p in shot.positions] == [
        (Side.LONG, Decimal(1), True),
        (Side.SHORT, Decimal("0.4"), True),
    ]
    assert shot.findings == ()


async def test_positions_of_every_settle_coin_are_seen(adapter: Open) -> None:
    shot = await (await adapter("wide")).fetch_snapshot()
    assert {(p.symbol, p.settle, p.notional) for p in shot.positions} == {
        ("BTCUSDT", "USDT", Decimal(30_000)),
        ("ETHPERP", "USDC", Decimal(3_000)),
        ("BTCUSD", "BTC", Decimal("0.05")),
    }
    assert shot.findings == ()


async def test_debt_shows_as_collateral(adapter: Open) -> None:
    shot = await (await adapter("debtor")).fetch_snapshot()
    (row,) = shot.collaterals
    assert (row.currency, row.debt, row.equity) == ("USDT", Decimal(4000), Decimal(5000))
    assert shot.unit("account").maintenance_margin == Decimal(160)
    assert shot.findings == ()


async def test_an_account_without_positions_is_read_without_a_finding(adapter: Open) -> None:
    shot = await (await adapter("flat")).fetch_snapshot()
    assert (shot.positions, shot.findings) == ((), ())


# ---------------------------------------------------------------- which calls


async def test_the_first_snapshot_reads_every_list_and_the_next_two_calls_only(
    adapter: Open, server: SandboxServer
) -> None:
    broker = await adapter("cross")
    server.received.clear()
    await broker.fetch_snapshot()
    assert sorted(asked(server)) == ["account/wallet-balance", *["position/list"] * 4] + [
        "market/risk-limit"
    ] * asked(server).count("market/risk-limit")
    server.received.clear()
    await broker.fetch_snapshot()
    assert sorted(path for path in asked(server) if not path.startswith("market/")) == [
        "account/wallet-balance",
        "position/list",
    ]


async def test_every_list_is_read_again_now_and_then(
    adapter: Open, server: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BybitBroker, "sweep_every", 2)
    broker = await adapter("cross")
    lists = []
    for _ in range(7):
        server.received.clear()
        await broker.fetch_snapshot()
        lists.append(asked(server).count("position/list"))
    assert lists == [4, 1, 1, 4, 1, 1, 4]


async def test_a_position_that_appears_in_another_coin_is_seen_in_the_same_snapshot(
    adapter: Open, engine: Engine
) -> None:
    broker = await adapter("wide")
    for symbol, side in (("ETH-USDC", OrderSide.SELL), ("BTC-USD", OrderSide.BUY)):
        quantity = next(p.quantity for p in engine.figures("wide").positions if p.symbol == symbol)
        engine.external_trade("wide", symbol, side, quantity)
    assert len((await broker.fetch_snapshot()).positions) == 1
    await broker.fetch_snapshot()
    engine.external_trade("wide", "BTC-USD", OrderSide.SELL, Decimal(500))
    assert {p.symbol for p in (await broker.fetch_snapshot()).positions} == {"BTCUSDT", "BTCUSD"}


async def test_a_mode_that_changes_is_noticed_in_the_wallet_itself(
    adapter: Open, engine: Engine, server: SandboxServer
) -> None:
    broker = await adapter("cross")
    await broker.fetch_snapshot()
    spec = engine.spec
    isolated = next(account for account in spec.accounts if account.name == "isolated")
    cross = replace(isolated, name="isolated", api_key="cross", secret="ssorc")
    server.wire.engine._by_key["cross"] = cross
    shot = await broker.fetch_snapshot()
    assert shot.mode.margin_mode is MarginMode.ISOLATED
    assert {finding.code for finding in shot.findings} == {FindingCode.MODE_UNKNOWN}
    await broker.fetch_snapshot()
    assert (await broker.fetch_snapshot()).findings == ()


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("kind", "path", "code"),
    [
        (FaultKind.EMPTY_POSITIONS, "/v5/position/list", FindingCode.INCOMPLETE),
        (FaultKind.NAN, "/v5/position/list", FindingCode.FIELD_DAMAGED),
        (FaultKind.MISSING_FIELD, "/v5/position/list", FindingCode.FIELD_MISSING),
        (FaultKind.NAN, "/v5/account/wallet-balance", FindingCode.FIELD_DAMAGED),
        (FaultKind.MISSING_FIELD, "/v5/account/wallet-balance", FindingCode.TOTALS_MISSING),
    ],
)
async def test_a_fault_in_a_payload_is_a_finding_and_never_a_flat_or_safe_account(
    adapter: Open, server: SandboxServer, kind: FaultKind, path: str, code: FindingCode
) -> None:
    broker = await adapter("cross")
    server.faults.set(Fault(kind=kind, path=path))
    assert code in {finding.code for finding in (await broker.fetch_snapshot()).findings}


async def test_equity_of_zero_is_told_as_it_is_told(adapter: Open, server: SandboxServer) -> None:
    broker = await adapter("cross")
    server.faults.set(Fault(kind=FaultKind.ZERO_EQUITY, path="/v5/account/wallet-balance"))
    unit = (await broker.fetch_snapshot()).unit("account")
    assert unit.margin_equity == 0
    assert unit.initial_margin > 0


async def test_old_answers_show_in_the_age_of_the_picture(adapter: Open, server: SandboxServer) -> None:
    broker = await adapter("cross")
    server.faults.set(Fault(kind=FaultKind.STALE_TIMESTAMP, path="/v5/position/list"))
    shot = await broker.fetch_snapshot()
    assert (shot.fetched_at - shot.as_of).total_seconds() > 590


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.HTTP_500, VenueUnavailable),
        (FaultKind.HTTP_502_HTML, VenueUnavailable),
        (FaultKind.HTTP_429_FOREIGN_JSON, VenueUnavailable),
        (FaultKind.HTML_200, MalformedAnswer),
        (FaultKind.TRUNCATED, MalformedAnswer),
        (FaultKind.NULL_BODY, MalformedAnswer),
        (FaultKind.EMPTY_BODY, MalformedAnswer),
        (FaultKind.BAN, Banned),
        (FaultKind.REVOKED_KEY, Unauthorized),
    ],
)
@pytest.mark.parametrize("path", ["/v5/account/wallet-balance", "/v5/position/list"])
async def test_a_spoilt_answer_is_no_picture(
    adapter: Open, server: SandboxServer, kind: FaultKind, error: type[BrokerError], path: str
) -> None:
    broker = await adapter("cross")
    server.faults.set(Fault(kind=kind, path=path))
    with pytest.raises(error):
        await broker.fetch_snapshot()


async def test_a_clock_that_jumps_is_measured_anew(adapter: Open, server: SandboxServer) -> None:
    broker = await adapter("cross")
    server.faults.set(Fault(kind=FaultKind.CLOCK_SKEW, ms=60_000))
    shot = await broker.fetch_snapshot()
    assert shot.unit("account").margin_equity == 20_000


async def test_optional_calls_may_all_be_missing(adapter: Open, server: SandboxServer) -> None:
    for path in ("/v5/market/risk-limit", "/v5/market/tickers", "/v5/user/query-api"):
        server.faults.set(Fault(kind=FaultKind.HTTP_500, path=path))
    shot = await (await adapter("cross")).fetch_snapshot()
    assert shot.findings == ()


async def test_permissions_say_who_may_withdraw(adapter: Open) -> None:
    honest = await (await adapter("cross")).fetch_permissions()
    thief = await (await adapter("thief")).fetch_permissions()
    assert (honest.can_trade, honest.can_withdraw, honest.ip_bound) == (True, False, True)
    assert (thief.can_withdraw, thief.ip_bound) == (True, False)
