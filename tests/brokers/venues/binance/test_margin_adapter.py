"""The margin adapters over their venue's wire: what they sell and buy repays, and never borrows."""

import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountId, MarginMode, OrderSide, Position, Side, Symbol
from brokers.numbers import floor_to_step
from brokers.orders import ClientOrderId, OrderState, ReduceOrder, Repayment, Verdict
from brokers.registry import BrokerSpec, Credentials, open_broker
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import LiquidationStarted
from brokers.sandbox.orders import OrderSpec, Trigger
from brokers.sandbox.scenarios import calm
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import AccountSpec, OpeningPosition, OpeningWallet, Permissions, SandboxSpec
from brokers.sandbox.venues import VENUES
from brokers.venues.binance.margin_outcomes import INSUFFICIENT

pytestmark = pytest.mark.wire

D = Decimal
BTC = Symbol("BTCUSDT")
HOUR_MS = 3_600_000
Station = Any
Open = Callable[..., Any]


class Desk:
    """One account, its venue and its adapter."""

    def __init__(self, server: SandboxServer, broker: Any) -> None:  # noqa: ANN401
        self.server, self.broker, self.engine = server, broker, server.wire.engine
        self._orders = 0

    @property
    def owed(self) -> dict[tuple[str, str], Decimal]:
        """What the venue says is owed, by pool and currency."""
        return {(b.pool, b.currency): b.owed for b in self.engine.figures("desk").balances}

    def hide(self, path: str) -> None:
        """Have the host know nothing of a path."""
        gateway = self.server._gateway
        gateway._routes = {key: one for key, one in gateway._routes.items() if key[1] != path}

    def order(self, position: Position, quantity: Decimal, price: Decimal | None = None) -> ReduceOrder:
        self._orders += 1
        return ReduceOrder(
            position=position,
            quantity=quantity,
            client_order_id=ClientOrderId(f"{self._orders:032x}"),
            deadline=self.broker.venue_now() + timedelta(seconds=3),
            limit_price=price,
        )


def account(product: str, *positions: OpeningPosition, **wallets: str) -> AccountSpec:
    isolated = product == "isolated"
    venue = VENUES["binanceisolated" if isolated else "binancemargin"]
    return AccountSpec(
        name="desk",
        api_key="desk-key",
        secret="desk-secret",
        wallets={name: OpeningWallet(balance=D(amount)) for name, amount in wallets.items()},
        funding={"USDT": D(1_000)},
        margin_pool=venue.pools["isolated_pairs" if isolated else "classic"],
        margin_mode=MarginMode.ISOLATED if isolated else MarginMode.CROSS,
        positions=positions,
        permissions=Permissions(can_withdraw=False),
    )


def held(symbol: str, side: Side, quantity: str, margin: str | None = None) -> OpeningPosition:
    return OpeningPosition(
        symbol=symbol, side=side, quantity=D(quantity), isolated_margin=None if margin is None else D(margin)
    )


LONG, SHORT = held("BTC-USDT", Side.LONG, "1"), held("BTC-USDT", Side.SHORT, "1")


@pytest.fixture
async def open_desk() -> AsyncIterator[Open]:
    """Open the adapter of an account at a calm venue on loopback."""
    async with AsyncExitStack() as stack:

        async def open_(spec: AccountSpec, product: str = "cross") -> Desk:
            venue = VENUES["binanceisolated" if product == "isolated" else "binancemargin"]
            sandbox = SandboxSpec(
                instruments=venue.instruments,
                assets=venue.assets,
                accounts=(spec,),
                rules=venue.rules,
                scenario=calm(noise=0.0),
                start_ms=time.time_ns() // 1_000_000,
                tick_ms=60_000,
            )
            server = await stack.enter_async_context(SandboxServer(venue.build(Engine(sandbox), {})))
            broker = open_broker(
                BrokerSpec(
                    account_id=AccountId("desk"),
                    broker="binance",
                    product=product,
                    credentials=Credentials(api_key="desk-key", secret="desk-secret"),
                    endpoint=server.url,
                )
            )
            stack.push_async_callback(broker.aclose)
            await broker.connect()
            return Desk(server, broker)

        yield open_


# ---------------------------------------------------------------- what cannot happen


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_is_sent_nothing_more_is_owed_afterwards(open_desk: Open, seed: int) -> None:
    """Random prices, sizes, old pictures and other hands: an order of ours never raises a debt."""
    dice = random.Random(seed)
    product = "isolated" if seed % 3 == 2 else "cross"
    margin = "30000" if product == "isolated" else None
    opening = (
        held("BTC-USDT", dice.choice(list(Side)), "1", margin),
        held("ETH-USDC", Side.SHORT, "10", margin),
    )
    desk = await open_desk(account(product, *opening, USDT="60000", USDC="60000"), product)
    seen = (await desk.broker.fetch_snapshot()).positions
    for _ in range(25):
        desk.engine.move_price(dice.choice(["BTC", "ETH"]), D(dice.choice(["0.99", "1.01"])))
        if dice.random() < 0.5:
            seen = (await desk.broker.fetch_snapshot()).positions or seen
        if product == "cross" and dice.random() < 0.2:
            desk.engine.external_trade("desk", "BTC-USDT", dice.choice(list(OrderSide)), D("0.05"))
        position = dice.choice(seen)
        part = floor_to_step(position.quantity * D(dice.choice(["0.1", "0.5", "1"])), D("0.01"))
        if part <= 0:
            continue
        before = desk.owed
        sign = 1 if position.closing_side is OrderSide.BUY else -1
        price = (position.mark_price * (1 + sign * D("0.02"))).quantize(D("0.1"))
        report = await desk.broker.submit(desk.order(position, part, dice.choice([None, price])))
        assert report.verdict in {Verdict.ACCEPTED, Verdict.REJECTED}, report
        after = desk.owed
        assert all(owed <= before.get(key, D(0)) for key, owed in after.items()), (before, after)
    assert not any(isinstance(event, LiquidationStarted) for event in desk.engine.history)


async def test_a_sale_from_an_old_picture_is_refused_and_leaves_the_debt_as_it_was(open_desk: Open) -> None:
    desk = await open_desk(account("cross", LONG, USDT="20000"))
    [position] = (await desk.broker.fetch_snapshot()).positions
    desk.engine.external_trade("desk", "BTC-USDT", OrderSide.SELL, D("0.6"))
    before = desk.owed
    report = await desk.broker.submit(desk.order(position, D(1)))
    assert (report.verdict, report.code) == (Verdict.REJECTED, INSUFFICIENT)
    assert desk.owed == before
    assert [p.quantity for p in desk.engine.figures("desk").positions] == [D("0.4")]


async def test_a_purchase_from_an_old_picture_is_paid_out_of_the_accounts_own_money(open_desk: Open) -> None:
    desk = await open_desk(account("cross", SHORT, USDT="30000"))
    [position] = (await desk.broker.fetch_snapshot()).positions
    desk.engine.external_trade("desk", "BTC-USDT", OrderSide.BUY, D("0.9"))
    report = await desk.broker.submit(desk.order(position, D(1)))
    # 36,000 USDT are left; 0.6 BTC can be paid with it, 1 BTC cannot
    assert (report.verdict, report.code) == (Verdict.REJECTED, INSUFFICIENT)
    report = await desk.broker.submit(desk.order(position, D("0.5")))
    assert report.verdict is Verdict.ACCEPTED
    assert all(owed == 0 for owed in desk.owed.values())
    assert (await desk.broker.fetch_snapshot()).positions == ()


async def test_what_a_stop_has_locked_is_not_offered_for_sale(open_desk: Open) -> None:
    desk = await open_desk(account("cross", LONG, USDT="20000"))
    stop = OrderSpec(
        symbol="BTC-USDT", side=OrderSide.SELL, quantity=D("0.9"), trigger=Trigger(price=D(50_000))
    )
    desk.engine.place("desk", stop)
    snapshot = await desk.broker.fetch_snapshot()
    assert snapshot.markets[BTC].max_market_quantity == D("0.1")
    [order] = await desk.broker.fetch_open_orders()
    assert order.is_protective
    report = await desk.broker.submit(desk.order(snapshot.positions[0], D("0.2")))
    assert (report.verdict, report.code) == (Verdict.REJECTED, INSUFFICIENT)


# ---------------------------------------------------------------- what does


@pytest.mark.parametrize("bound", [None, "59900"])
async def test_a_sale_repays_what_it_brings(open_desk: Open, bound: str | None) -> None:
    desk = await open_desk(account("cross", LONG, USDT="20000"))
    snapshot = await desk.broker.fetch_snapshot()
    [position] = snapshot.positions
    report = await desk.broker.submit(desk.order(position, D("0.25"), None if bound is None else D(bound)))
    assert (report.verdict, report.state, report.filled) == (Verdict.ACCEPTED, OrderState.FILLED, D("0.25"))
    proceeds = report.average_price * D("0.25")
    assert desk.owed["account", "USDT"] == pytest.approx(40_000 - proceeds * D("0.999"), abs=D("0.01"))
    after = await desk.broker.fetch_snapshot()
    assert after.positions[0].quantity == D("0.75")
    assert after.unit("account").venue_ratio < snapshot.unit("account").venue_ratio


async def test_a_flatten_of_what_the_picture_allows_leaves_no_debt_and_no_position(open_desk: Open) -> None:
    desk = await open_desk(account("cross", LONG, USDT="20000"))
    snapshot = await desk.broker.fetch_snapshot()
    most = snapshot.markets[BTC].max_market_quantity
    assert most == D("0.669")
    await desk.broker.submit(desk.order(snapshot.positions[0], most))
    after = await desk.broker.fetch_snapshot()
    assert (after.positions, after.findings) == ((), ())
    assert after.unit("account").venue_ratio is None
    assert desk.owed["account", "USDT"] == 0


@pytest.mark.parametrize(
    ("product", "opening", "own", "moves"),
    [
        ("cross", LONG, "20000", ("0.74", "0.999")),
        ("cross", SHORT, "20000", ("1.205", "1.001")),
        ("isolated", held("BTC-USDT", Side.LONG, "1", "20000"), "20000", ("0.795", "0.999")),
        ("isolated", held("BTC-USDT", Side.SHORT, "1", "25000"), "25000", ("1.195", "1.001")),
    ],
)
async def test_at_the_ratio_of_one_the_venue_takes_the_unit(
    open_desk: Open, product: str, opening: OpeningPosition, own: str, moves: tuple[str, str]
) -> None:
    desk = await open_desk(account(product, opening, USDT=own), product)
    ratios = []
    for move in (moves[0], *[moves[1]] * 30):
        desk.engine.move_price("BTC", D(move))
        if any(isinstance(event, LiquidationStarted) for event in desk.engine.history):
            break
        [unit] = (await desk.broker.fetch_snapshot()).units
        ratios.append(unit.venue_ratio)
    assert 1 < len(ratios) < 31
    assert ratios == sorted(ratios)
    assert D("0.997") < ratios[-1] < 1


async def test_interest_grows_the_debt_and_its_rate_is_told(open_desk: Open) -> None:
    desk = await open_desk(account("cross", LONG, USDT="20000"))
    await desk.broker.fetch_snapshot()
    for task in list(desk.broker._aside):
        await task
    desk.engine.advance(desk.engine.now_ms + 24 * HOUR_MS)
    snapshot = await desk.broker.fetch_snapshot()
    usdt = next(row for row in snapshot.collaterals if row.currency == "USDT")
    # 40,000 at 8 % a year for a day
    assert usdt.interest == pytest.approx(D("8.767"), abs=D("0.01"))
    assert usdt.owed == usdt.debt + usdt.interest
    assert usdt.interest_rate == pytest.approx(D("0.08"), abs=D("0.0001"))


async def test_what_is_free_of_the_owed_currency_can_be_given_back(open_desk: Open) -> None:
    spec = account("cross", LONG, USDT="20000")
    loan = {"USDT": OpeningWallet(balance=D(75_000), borrowed=D(30_000), interest=D(5))}
    desk = await open_desk(replace(spec, wallets=loan))
    snapshot = await desk.broker.fetch_snapshot()
    usdt = next(row for row in snapshot.collaterals if row.currency == "USDT")
    assert (usdt.owed, usdt.repayable) == (30_005, 15_000)
    repayment = Repayment(unit="account", currency="USDT", amount=D(15_000), client_id="x")
    assert (await desk.broker.repay(repayment)).verdict is Verdict.ACCEPTED
    assert desk.owed["account", "USDT"] == 15_005
    again = await desk.broker.repay(repayment)
    assert (again.verdict, again.code) == (Verdict.REJECTED, "-3041")


# ---------------------------------------------------------------- hosts that differ


async def test_a_host_that_tells_no_last_prices_is_asked_for_the_margin_index(open_desk: Open) -> None:
    desk = await open_desk(account("cross", LONG, USDT="20000"))
    desk.hide("/api/v3/ticker/price")
    snapshot = await desk.broker.fetch_snapshot()
    assert snapshot.findings == ()
    assert snapshot.unit("account").margin_equity == pytest.approx(D(20_000), rel=D("0.001"))
    desk.hide("/sapi/v1/margin/priceIndex")
    blind = await desk.broker.fetch_snapshot()
    assert blind.findings
    assert blind.unit("account").venue_ratio == snapshot.unit("account").venue_ratio


async def test_one_pair_that_is_listed_no_more_does_not_blind_the_account(open_desk: Open) -> None:
    desk = await open_desk(account("cross", LONG, USDT="20000"))
    rules = desk.broker._rulebook.rules
    gone = Symbol("BTCUSDC")
    desk.broker._rulebook.rules = {**rules, gone: replace(rules[BTC], symbol=gone, quote="BTC")}
    snapshot = await desk.broker.fetch_snapshot()
    assert snapshot.findings == ()
    assert [p.symbol for p in snapshot.positions] == [BTC]


async def test_a_key_trades_by_the_flag_of_spot_and_margin(open_desk: Open) -> None:
    desk = await open_desk(account("cross", LONG, USDT="20000"))
    permissions = await desk.broker.fetch_permissions()
    assert (permissions.can_read, permissions.can_trade, permissions.can_withdraw) == (True, True, False)


async def test_collateral_comes_into_cross_margin_from_the_funding_wallet(open_desk: Open) -> None:
    desk = await open_desk(account("cross", LONG, USDT="20000"))
    since = desk.broker.venue_now()
    report = await desk.broker.transfer_in("USDT", D(500), "x")
    assert report.verdict is Verdict.ACCEPTED
    assert desk.owed["account", "USDT"] == 39_500
    found = await desk.broker.find_transfer("x", "USDT", D(500), since - timedelta(seconds=1))
    assert found.verdict is Verdict.ACCEPTED
