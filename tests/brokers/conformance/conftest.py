"""One account of every kind, at a sandbox of every venue, seen through its real adapter."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.budget import Ledger
from brokers.ccxt_broker import CcxtBroker
from brokers.errors import BrokerError
from brokers.models import (
    AccountId,
    AccountSnapshot,
    MarginMode,
    Measure,
    OrderSide,
    Position,
    RiskUnit,
    Side,
    Symbol,
    UnitKind,
)
from brokers.orders import ClientOrderId, ReduceOrder
from brokers.registry import PRODUCTS, BrokerSpec, Credentials, open_broker
from brokers.sandbox.engine import Engine
from brokers.sandbox.faults import GATEWAY, Fault, FaultKind
from brokers.sandbox.figures import PoolFigures, PositionFigures
from brokers.sandbox.orders import Order, OrderSpec, OrderType, TimeInForce, Trigger
from brokers.sandbox.scenarios import calm
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import SandboxSpec
from brokers.sandbox.wire.kraken.gate import Tier
from brokers.sandbox.wire.kraken.wire import KrakenWire
from tests.brokers.conformance.cases import BTC, CASES, KEY, PASSWORD, PRICES, Case

AHEAD_MS = 7_000
"""How far the sandbox's clock is ahead of ours: nothing works unless it is measured."""

FAULT_MS = {FaultKind.SLOW: 30, FaultKind.EXECUTED_LATE: 300, FaultKind.CLOCK_SKEW: 60_000}
ROUNDING = Decimal("0.0002")

UNCOUNTED = Tier(1e9, 1e9)
"""Kraken's call counter would hold every test up for minutes; tests of its own wait for it."""

_ids = itertools.count(1)


class Station:
    """A sandbox venue, its only account, and the adapter that sees it."""

    def __init__(self, case: Case, engine: Engine, server: SandboxServer, broker: CcxtBroker) -> None:
        self.case = case
        self.engine = engine
        self.server = server
        self.broker = broker
        self.account = "desk"
        self._earlier: dict[str, tuple[ReduceOrder, int]] = {}

    # --- names

    def listed(self, pair: str) -> str:
        """Return the engine's contract of a pair."""
        return self.case.listed(pair)

    def symbol(self, pair: str) -> Symbol:
        """Return the venue's symbol of a pair: of several, that of the case's own contract."""
        rules, own = self.broker._rulebook.rules, self.case.contract(pair)
        wanted = (own.kind, own.contract_size, own.lot_step / own.contract_size)
        found = [symbol for symbol in rules if self.pair(symbol) == pair]
        fit = [s for s in found if (rules[s].kind, rules[s].contract_size, rules[s].lot_step) == wanted]
        return (fit or found)[0]

    def pair(self, symbol: Symbol) -> str:
        """Return the pair that a venue's symbol trades: what it settles in stands for the pair's dollars."""
        rules = self.broker._rulebook.rules[symbol]
        settles = {one.name: one.settle for one in self.case.venue.instruments}
        dollars = settles.get(self.listed(f"{rules.base}-USDT"))
        return f"{rules.base}-{'USDT' if rules.settle == dollars else rules.quote}"

    # --- the engine's truth

    def truth(self, position: Position) -> PositionFigures | None:
        """Return the engine's own row of a position; `None` when it is flat."""
        rows = self.engine.figures(self.account).positions
        name = self.listed(self.pair(position.symbol))
        return next((row for row in rows if row.symbol == name and row.side is position.side), None)

    def rate(self, position: Position) -> Decimal:
        """Return what one of the engine's settle currency is worth in the one the snapshot counts in."""
        settle = self.truth(position).settle
        in_dollars = position.settle == "USD" != settle
        return self.engine.usd_price(settle) if in_dollars else Decimal(1)

    def exposure(self) -> dict[tuple[str, Side], Decimal]:
        """Return every position of the engine by pair, in engine units."""
        rows = self.engine.figures(self.account).positions
        return {(self.case.pair_of(row.symbol), row.side): row.quantity for row in rows}

    def orders_of(self, client_id: str) -> list[Order]:
        """Return every order the venue ever took with that client id.

        Where orders carry none: every one against that position since the order was built.
        """
        taken = self.engine.orders(self.account)
        if self.case.carries_ids:
            return [order for order in taken if order.client_id == client_id]
        built, earlier = self._earlier[client_id]
        name = self.listed(self.pair(built.symbol))
        return [o for o in taken[earlier:] if (o.symbol, o.side) == (name, built.side)]

    def filled(self, client_id: str) -> Decimal:
        """Return what was executed under a client id, in engine units."""
        return sum((order.filled for order in self.orders_of(client_id)), Decimal(0))

    def flaws(self, snapshot: AccountSnapshot) -> list[str]:
        """Name every figure of a snapshot that is not the engine's own."""
        held = {(self.pair(p.symbol), p.side) for p in snapshot.positions}
        wrong = [] if held == self.exposure().keys() else [f"positions are {sorted(held)}"]
        if all(unit.kind is UnitKind.ISOLATED_POSITION for unit in snapshot.units):
            wrong.append("no unit for the wallet")
        rows = [
            (str(unit.key), unit, unit.currency, self._truth_of_unit(snapshot, unit))
            for unit in snapshot.units
        ]
        rows += [
            (f"{p.symbol} {p.side}", p, p.settle, self._truth_of_position(p))
            for p in snapshot.positions
            if (self.pair(p.symbol), p.side) in self.exposure()
        ]
        for name, row, currency, truth in rows:
            dollar = Decimal(1) / PRICES.get(currency, Decimal(1))
            for figure, true in truth.items():
                seen = getattr(row, figure)
                if seen is None or abs(seen - true) > ROUNDING * max(abs(true), dollar):
                    wrong.append(f"{name}: {figure} is {seen}, not {true}")
        return wrong

    def _truth_of_unit(self, snapshot: AccountSnapshot, unit: RiskUnit) -> dict[str, Decimal]:
        figures = self.engine.figures(self.account)
        own_pool = unit.kind is UnitKind.ISOLATED_POSITION or unit.key.startswith("isolated:")
        if unit.kind is UnitKind.CURRENCY and self.case.margin_mode is MarginMode.ISOLATED:
            coin = figures.coin(unit.currency)
            used = coin.wallet_balance - coin.available
            return {
                "margin_equity": coin.wallet_balance,
                "initial_margin": used,
                "available_margin": coin.available,
            }
        key = "account" if unit.kind is UnitKind.ACCOUNT else unit.currency
        if own_pool:
            [position] = snapshot.positions_of(unit.key)
            row = self.truth(position)
            if row is None:
                return {}
            key = row.pool
        pool = figures.pool(key) or figures.pool(unit.currency)  # one currency is the whole account
        if pool is None:  # a wallet that holds nothing
            return dict.fromkeys(("margin_equity", "initial_margin", "maintenance_margin"), Decimal(0))
        truth = {"margin_equity": pool.margin_balance, "initial_margin": pool.initial_margin}
        if self.case.orders_hold:
            truth["margin_equity"] -= pool.order_initial_margin
            truth["initial_margin"] -= pool.order_initial_margin
        if unit.kind is UnitKind.ISOLATED_POSITION:
            truth["initial_margin"] = self._margin_of(row)
        if Measure.MAINTENANCE in unit.measures:
            truth["maintenance_margin"] = pool.maintenance_margin
        if Measure.UTILIZATION in unit.measures:
            truth["available_margin"] = pool.available
        return self._as_stated(truth, pool)

    def _as_stated(self, truth: dict[str, Decimal], pool: PoolFigures) -> dict[str, Decimal]:
        """Leave out of a pool's figures what the venue does not count or tell."""
        if not self.case.orders_reserve:
            truth["initial_margin"] -= pool.order_initial_margin
            truth["available_margin"] += pool.order_initial_margin
        if not self.case.states_initial:
            del truth["initial_margin"]
        return truth

    def _truth_of_position(self, position: Position) -> dict[str, Decimal]:
        row, rate = self.truth(position), self.rate(position)
        size = self.engine.instrument(row.symbol).contract_size
        truth = {
            "quantity": row.quantity / size,
            "mark_price": row.mark_price,
            "notional": row.notional * rate,
        }
        if self.case.tells_entry:
            truth |= {"entry_price": row.entry_price, "unrealized_pnl": row.unrealized_pnl * rate}
        if not self.case.states_margins:
            truth |= self._shared_margins(row)
        elif self.case.row_margins and self.case.mode != "portfolio":  # there no position has its own
            truth |= {
                "initial_margin": self._margin_of(row) * rate,
                "maintenance_margin": row.maintenance_margin * rate,
            }
            if not self.case.states_maintenance(row.symbol):
                del truth["maintenance_margin"]
            if not self.case.states_initial:
                del truth["initial_margin"]
        return truth

    def _shared_margins(self, row: PositionFigures) -> dict[str, Decimal]:
        """Return a position's share of what its pool requires, without what a haircut of collateral does."""
        figures = self.engine.figures(self.account)
        pool = figures.pool(row.pool)
        share = row.notional / sum(p.notional for p in figures.positions if p.pool == row.pool)
        initial = pool.initial_margin - pool.haircut_margin
        maintenance = pool.maintenance_margin * initial / pool.initial_margin
        return {"initial_margin": share * initial, "maintenance_margin": share * maintenance}

    def _margin_of(self, row: PositionFigures) -> Decimal:
        """Return what ties a position down: at OKX an isolated one keeps what it was given."""
        given = row.margin_mode is MarginMode.ISOLATED and self.case.broker == "okx"
        return row.isolated_wallet if given else row.initial_margin

    # --- trouble

    def trouble(self, kind: FaultKind, *, executes: bool = False, path: str = "/") -> None:
        """Set a fault, and do not wait long where no good answer will come."""
        silent = kind in {FaultKind.HANG, FaultKind.EXECUTED_LATE}
        hopeless = kind in GATEWAY | {FaultKind.HANG, FaultKind.TRUNCATED}
        self.broker.transport.read_deadline_s = 0.15 if hopeless else 3.0
        self.broker.transport.write_deadline_s = 0.15 if silent else 2.5
        once = 1 if kind is FaultKind.OUTSIDER_TRADES else None
        account = self.account if kind is FaultKind.OUTSIDER_TRADES else None
        self.server.faults.set(
            Fault(
                kind=kind,
                path=path,
                account=account,
                count=once,
                ms=FAULT_MS.get(kind, 0),
                executes=executes,
            )
        )

    async def calm(self) -> None:
        """Take the faults back, let what is late arrive, and lift whatever pause they led to."""
        late = any(fault.kind is FaultKind.EXECUTED_LATE for fault in self.server.faults.active.values())
        self.server.faults.clear()
        await asyncio.sleep(FAULT_MS[FaultKind.EXECUTED_LATE] / 1000 if late else 0)
        transport, ledger = self.broker.transport, self.broker.transport._polling.budget.ledger
        transport.read_deadline_s, transport.write_deadline_s = 5.0, 2.5
        ledger._banned_until = ledger._paused_until = 0.0

    async def told(self, answer: Awaitable[Any]) -> Any:  # noqa: ANN401 - whatever was asked for
        """Return what a call says, or the error it raises."""
        try:
            return await answer
        except BrokerError as error:
            return error

    async def rest(self) -> None:
        """Wait until the adapter has learned all that it reads aside."""
        while self.broker._aside:
            await asyncio.gather(*self.broker._aside)

    @property
    def venue_ms(self) -> int:
        """The clock by which the venue judges now."""
        return self.server.wire.now_ms + self.server.faults.skew_ms()

    # --- what a daemon does

    async def snapshot(self) -> AccountSnapshot:
        """Read the account."""
        return await self.broker.fetch_snapshot()

    async def position(self, pair: str = BTC, side: Side = Side.LONG) -> Position:
        """Read one position."""
        snapshot = await self.snapshot()
        return next(p for p in snapshot.positions if (p.symbol, p.side) == (self.symbol(pair), side))

    def reduce(
        self,
        position: Position,
        quantity: Decimal,
        *,
        price: Decimal | None = None,
        ttl_s: float | None = None,
    ) -> ReduceOrder:
        """Build a reducing order with an id of its own; `quantity` in the venue's order unit."""
        life = self.broker.capabilities.order_time_to_live
        order = ReduceOrder(
            position=position,
            quantity=quantity,
            client_order_id=ClientOrderId(f"{next(_ids):032x}"),
            deadline=self.broker.venue_now() + (life if ttl_s is None else timedelta(seconds=ttl_s)),
            limit_price=price,
        )
        self._earlier[order.client_order_id] = (order, len(self.engine.orders(self.account)))
        return order

    # --- other hands

    def place(
        self,
        pair: str,
        side: OrderSide,
        quantity: str,
        *,
        price: str | None = None,
        trigger: str | None = None,
        reduce_only: bool = False,
        leg: Side | None = None,
    ) -> Order:
        """Rest an order at the venue, as its owner would."""
        return self.engine.place(
            self.account,
            OrderSpec(
                symbol=self.listed(pair),
                side=side,
                quantity=self.case.sized(pair, Decimal(quantity)),
                type=OrderType.MARKET if price is None else OrderType.LIMIT,
                time_in_force=TimeInForce.GTC,
                price=None if price is None else Decimal(price),
                trigger=None if trigger is None else Trigger(price=Decimal(trigger)),
                reduce_only=reduce_only and not self.case.hedge,
                position_side=leg if self.case.hedge else None,
            ),
        )


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    """Every kind of account; tests name some of them to run on fewer."""
    return CASES[request.param]


@pytest.fixture(autouse=True)
def in_virtual_time(virtual_time: None) -> None:
    """These tests never wait."""


WRITES_ONLY = {kind for kind in FaultKind if not Fault(kind=kind).hits("/", "desk", writes=False)}


@pytest.fixture(params=[kind for kind in FaultKind if kind not in WRITES_ONLY])
def kind(request: pytest.FixtureRequest) -> FaultKind:
    """Every fault that can meet a read."""
    return request.param


@pytest.fixture
async def strange(case: Case) -> AsyncIterator[Station]:
    """An adapter that has not connected yet, at a calm venue whose clock is ahead of ours."""
    played = case.venue
    spec = SandboxSpec(
        instruments=played.instruments,
        assets=played.assets,
        accounts=(case.account(),),
        rules=played.rules,
        scenario=calm(noise=0.0),
        start_ms=round(time.time() * 1000) + AHEAD_MS,
    )
    engine = Engine(spec)
    wire = played.build(engine, {"desk": case.mode})
    if isinstance(wire, KrakenWire):
        wire.gate.tier = UNCOUNTED
    async with SandboxServer(wire) as server:
        broker = open_broker(
            BrokerSpec(
                account_id=AccountId("conformance"),
                broker=played.broker or case.broker,
                product=case.product or played.product or PRODUCTS[case.broker][0],
                credentials=Credentials(api_key=KEY, secret=case.secret, password=PASSWORD),
                endpoint=server.url,
            )
        )
        assert isinstance(broker, CcxtBroker)
        if isinstance(wire, KrakenWire):
            broker.transport._polling.budget.ledger = Ledger(replace(broker.profile.budget, capacity=1e6))
        yield Station(case, engine, server, broker)
        await broker.aclose()


@pytest.fixture
async def station(strange: Station) -> Station:
    """A connected adapter at a calm venue whose clock is ahead of ours."""
    await strange.broker.connect()
    return strange


@pytest.fixture
async def settled(station: Station) -> Station:
    """A station with a profit, a loss and an order of each book, whose adapter has learned all it can."""
    station.engine.move_price("BTC", Decimal("0.98"))
    station.engine.move_price("ETH", Decimal("0.97"))
    station.place(BTC, OrderSide.BUY, "0.01", price="50000", leg=Side.LONG)
    station.place(BTC, OrderSide.SELL, "0.1", trigger="40000", reduce_only=True, leg=Side.LONG)
    await station.snapshot()
    await station.rest()
    return station
