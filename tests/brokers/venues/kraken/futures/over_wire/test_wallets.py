from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer, Unauthorized
from brokers.models import FindingCode, MarginMode, Measure, OrderSide, Side
from brokers.orders import OrderState, ReduceOrder, Verdict
from brokers.sandbox.engine import Engine
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.orders import OrderSpec, OrderType
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.wire.base import Route, WireAnswer

pytestmark = pytest.mark.wire

Open = Callable[..., Awaitable[Any]]
Reduce = Callable[..., ReduceOrder]
NEAR = Decimal("1e-9")


async def test_each_inverse_wallet_is_a_unit_in_its_coin(sign_in: Open, engine: Engine) -> None:
    broker = await sign_in("coin")
    engine.move_price("BTC", Decimal("0.8"))
    snapshot = await broker.fetch_snapshot()
    assert snapshot.findings == ()
    units = {unit.key: unit for unit in snapshot.units if unit.measures}
    margined = {key for key, unit in units.items() if unit.maintenance_margin}
    assert margined == {"fi_xbtusd", "fi_ethusd"}
    for key, currency in (("fi_xbtusd", "BTC"), ("fi_ethusd", "ETH")):
        pool = engine.figures("coin").pool(currency)
        assert pool is not None
        unit = units[key]
        assert unit.currency == currency
        assert unit.measures == frozenset(Measure)
        assert abs(unit.margin_equity - pool.margin_balance) < NEAR
        assert abs(unit.initial_margin - pool.initial_margin) < NEAR
        assert abs(unit.maintenance_margin - pool.maintenance_margin) < NEAR
    # 60,000 dollars bought at 60,000 are one coin; at 48,000 they are 1.25, a quarter of a coin lost
    bitcoin = next(p for p in snapshot.positions if p.symbol == "PI_XBTUSD")
    assert (bitcoin.notional, bitcoin.unrealized_pnl) == (Decimal("1.25"), Decimal("-0.25"))
    assert abs(units["fi_xbtusd"].margin_equity - Decimal("0.15")) < NEAR


async def test_an_inverse_position_is_cut_in_dollars(sign_in: Open, engine: Engine, reduce: Reduce) -> None:
    broker = await sign_in("coin")
    position = next(p for p in (await broker.fetch_snapshot()).positions if p.symbol == "PI_XBTUSD")
    order = reduce(broker, position, "25000")
    report = await broker.submit(order)
    assert (report.verdict, report.state, report.filled) == (Verdict.ACCEPTED, OrderState.FILLED, 25_000)
    left = engine.figures("coin").position("PI_XBTUSD")
    assert left is not None
    assert left.quantity == 35_000


async def test_coins_back_linear_contracts_after_their_haircut(sign_in: Open, engine: Engine) -> None:
    snapshot = await (await sign_in("flex")).fetch_snapshot()
    assert snapshot.findings == ()
    unit = snapshot.unit("flex")
    ether = next(p for p in snapshot.positions if p.symbol == "PF_ETHUSD")
    isolated = snapshot.unit(ether.unit)
    assert ether.margin_mode is MarginMode.ISOLATED
    assert isolated.initial_margin == Decimal(5 * 3000) / 10
    # 15,000 dollars less what the isolated position holds, and a tenth of a bitcoin less 5 %
    assert abs(unit.margin_equity - (15_000 - 1_500 + Decimal(6_000) * Decimal("0.95"))) < NEAR
    assert {c.currency: c.wallet_balance for c in snapshot.collaterals} == {
        "USD": 15_000,
        "BTC": Decimal("0.1"),
    }


async def test_an_order_that_ended_long_ago_is_found_in_fills_or_history(
    sign_in: Open, engine: Engine, server: SandboxServer, reduce: Reduce
) -> None:
    broker = await sign_in("flex")
    position = next(p for p in (await broker.fetch_snapshot()).positions if p.side is Side.LONG)
    away = reduce(broker, position, "0.1", "61000")
    assert (await broker.submit(away)).code == "iocWouldNotExecute"
    assert (await broker.find_order(away.client_order_id, away.symbol)).state is OrderState.CANCELLED
    engine.advance(engine.now_ms + 60_000)
    found = await broker.find_order(away.client_order_id, away.symbol)
    assert (found.state, found.filled) == (OrderState.CANCELLED, 0), "the history has it"
    assert ("GET", "/api/history/v2/orders", "flex") in server.received
    assert await broker.find_order("f" * 32, away.symbol) is None


async def test_an_old_order_that_executed_is_found_in_fills(
    sign_in: Open, engine: Engine, reduce: Reduce
) -> None:
    broker = await sign_in("flex")
    position = next(p for p in (await broker.fetch_snapshot()).positions if p.side is Side.LONG)
    order = reduce(broker, position, "0.1")
    await broker.submit(order)
    engine.advance(engine.now_ms + 60_000)
    found = await broker.find_order(order.client_order_id, order.symbol)
    assert (found.is_final, found.filled) == (True, Decimal("0.1"))
    assert found.average_price <= 60_000


@pytest.mark.parametrize(
    ("missing", "resting", "done", "unknown"),
    [
        (("v3/orders/status",), OrderState.OPEN, OrderState.CANCELLED, None),
        (("v2/orders",), OrderState.OPEN, OrderState.FILLED, None),
        (("v3/fills",), OrderState.OPEN, OrderState.FILLED, None),
        (("v3/orders/status", "v3/fills"), MalformedAnswer, MalformedAnswer, MalformedAnswer),
        (("v3/fills", "v2/orders"), OrderState.OPEN, OrderState.FILLED, MalformedAnswer),
    ],
)
async def test_absence_needs_two_sources(
    *,
    sign_in: Open,
    server: SandboxServer,
    reduce: Reduce,
    missing: tuple[str, ...],
    resting: object,
    done: object,
    unknown: object,
) -> None:
    broker = await sign_in("flex")
    position = next(p for p in (await broker.fetch_snapshot()).positions if p.side is Side.LONG)
    order = reduce(broker, position, "0.1")
    await broker.submit(order)
    server.wire.engine.place(
        "flex",
        OrderSpec(
            symbol="PF_XBTUSD",
            side=OrderSide.SELL,
            quantity=Decimal("0.1"),
            type=OrderType.LIMIT,
            price=Decimal(70_000),
            client_id="e" * 32,
        ),
    )
    routes = server._gateway._routes
    server._gateway._routes = {key: r for key, r in routes.items() if not key[1].endswith(missing)}
    expected = {"resting": resting, "done": done, "unknown": unknown}
    for name, own in (("resting", "e" * 32), ("done", order.client_order_id), ("unknown", "f" * 32)):
        try:
            report = await broker.find_order(own, order.symbol)
        except MalformedAnswer:
            assert expected[name] is MalformedAnswer
        else:
            assert (None if report is None else report.state) is expected[name], name


async def test_an_answer_that_leaves_its_list_out_tells_nothing(sign_in: Open, server: SandboxServer) -> None:
    broker = await sign_in("flex")
    bare = WireAnswer(payload={"result": "success", "serverTime": "2026-01-01T00:00:00.000Z"})
    routes = server._gateway._routes
    path = "/derivatives/api/v3/orders/status"
    server._gateway._routes = routes | {
        ("POST", path): Route(method="POST", path=path, handler=lambda *_: bare)
    }
    assert await broker.find_order("f" * 32, "PF_XBTUSD") is None
    assert server.received[-2] == ("GET", "/derivatives/api/v3/openorders", "flex")


async def test_without_a_key_service_permissions_are_unknown(sign_in: Open, server: SandboxServer) -> None:
    broker = await sign_in("flex")
    routes = server._gateway._routes
    server._gateway._routes = {key: r for key, r in routes.items() if not key[1].endswith("check")}
    found = await broker.fetch_permissions()
    assert (found.can_read, found.can_withdraw) == (None, None)


async def test_a_leg_of_a_reply_that_leaves_out_positions_is_no_picture(
    sign_in: Open, server: SandboxServer
) -> None:
    broker = await sign_in("flex")
    server.faults.set(Fault(kind=FaultKind.MISSING_FIELD, path="/derivatives/api/v3/openpositions"))
    with pytest.raises(MalformedAnswer, match="openPositions"):
        await broker.fetch_snapshot()


async def test_a_partial_immediate_order_says_how_much(
    sign_in: Open, server: SandboxServer, reduce: Reduce
) -> None:
    broker = await sign_in("flex")
    position = next(p for p in (await broker.fetch_snapshot()).positions if p.side is Side.LONG)
    server.faults.set(Fault(kind=FaultKind.PARTIAL_FILL, count=1, fraction=Decimal("0.4")))
    report = await broker.submit(reduce(broker, position, "0.5"))
    assert (report.verdict, report.state) == (Verdict.ACCEPTED, None)
    assert report.filled == Decimal("0.2")
    final = await broker.find_order(report.client_order_id, report.symbol)
    assert (final.state, final.filled) == (OrderState.CANCELLED, Decimal("0.2"))


@pytest.mark.parametrize(
    ("name", "trades", "withdraws", "bound"),
    [("flex", True, False, True), ("reader", False, False, False), ("rich", True, True, True)],
)
async def test_the_key_service_says_what_a_key_may(
    *, sign_in: Open, name: str, trades: bool, withdraws: bool, bound: bool
) -> None:
    found = await (await sign_in(name)).fetch_permissions()
    assert (found.can_trade, found.can_withdraw, found.ip_bound) == (trades, withdraws, bound)


@pytest.mark.parametrize("secret", ["bm90IHRoZSBzZWNyZXQ=", "no base64"])
async def test_a_wrong_secret_is_for_a_human(sign_in: Open, secret: str) -> None:
    broker = await sign_in("flex", secret=secret, connect=False)
    with pytest.raises(Unauthorized):
        await broker.connect()


async def test_without_prices_the_wallets_are_judged_and_alarm(sign_in: Open, server: SandboxServer) -> None:
    broker = await sign_in("flex")
    whole = (await broker.fetch_snapshot()).unit("flex")
    gateway = server._gateway
    gateway._routes = {key: to for key, to in gateway._routes.items() if not key[1].endswith("/tickers")}
    snapshot = await broker.fetch_snapshot()
    assert {finding.code for finding in snapshot.findings} >= {FindingCode.PRICE_UNKNOWN}
    unit = snapshot.unit("flex")
    assert (unit.margin_equity, unit.initial_margin) == (whole.margin_equity, whole.initial_margin)
