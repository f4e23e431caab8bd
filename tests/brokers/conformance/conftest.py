"""One account of every kind, at a sandbox of every venue, seen through its real adapter."""

import itertools
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.budget import Budget
from brokers.ccxt_broker import CcxtBroker
from brokers.models import (
    AccountId,
    AccountSnapshot,
    MarginMode,
    OrderSide,
    Position,
    PositionMode,
    Side,
    Symbol,
)
from brokers.orders import ClientOrderId, ReduceOrder
from brokers.registry import PRODUCTS, BrokerSpec, Credentials, open_broker
from brokers.sandbox.catalogue import ASSETS
from brokers.sandbox.engine import Engine
from brokers.sandbox.figures import PositionFigures
from brokers.sandbox.orders import Order, OrderSpec, OrderType, TimeInForce, Trigger
from brokers.sandbox.scenarios import calm
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import (
    AccountSpec,
    MarginPool,
    OpeningPosition,
    OpeningWallet,
    Permissions,
    SandboxSpec,
)
from brokers.sandbox.venues import VENUES, SandboxVenue
from brokers.sandbox.wire.kraken.gate import Tier
from brokers.sandbox.wire.kraken.wire import KrakenWire

AHEAD_MS = 7_000
"""How far the sandbox's clock is ahead of ours: nothing works unless it is measured."""

UNCOUNTED = Tier(1e9, 1e9)
"""Kraken's call counter would hold every test up for minutes; tests of its own wait for it."""

KEY, PASSWORD = "conformance-key-0001", "conformance-pass"
SECRET = b64encode(b"conformance-secret-0001").decode()  # Kraken's secrets are base64, the others any text
BTC, ETH = "BTC-USDT", "ETH-USDT"


def _held(symbol: str, side: Side, quantity: str, mode: MarginMode | None = None) -> OpeningPosition:
    return OpeningPosition(symbol=symbol, side=side, quantity=Decimal(quantity), margin_mode=mode)


ONE_WAY = (_held(BTC, Side.LONG, "0.5"), _held(ETH, Side.SHORT, "10"))
HEDGED = (_held(BTC, Side.LONG, "0.5"), _held(BTC, Side.SHORT, "0.2"), _held(ETH, Side.SHORT, "10"))
DOLLARS = (_held(BTC, Side.LONG, "30000"), _held(ETH, Side.SHORT, "30000"))
MIXED = (_held(BTC, Side.LONG, "0.5"), _held(ETH, Side.SHORT, "10", MarginMode.ISOLATED))


@dataclass(frozen=True, kw_only=True)
class Case:
    """One kind of account at one sandbox venue; its positions are named by pair."""

    broker: str
    mode: str
    positions: tuple[OpeningPosition, ...] = ONE_WAY
    hedge: bool = False
    margin_mode: MarginMode = MarginMode.CROSS
    early: Decimal = Decimal(1)
    """The venue's own ratio over that of its last moment: it may liquidate before it must."""
    clock_error_ms: float = 500
    wallets: Mapping[str, str] = field(default_factory=dict)
    """Currency -> balance; by default 20,000 of what the venue's contracts settle in."""
    inverse: bool = False
    """Whether a pair stands for the contract that settles in its coin and is counted in dollars."""

    @property
    def venue(self) -> SandboxVenue:
        """Where it is."""
        return VENUES[self.broker]

    @property
    def pool(self) -> MarginPool:
        """What backs cross positions."""
        return self.venue.pools[self.mode]

    def listed(self, pair: str) -> str:
        """Return the engine's contract of a pair."""
        return self.venue.listed_as(pair.replace("USDT", "USD") if self.inverse else pair)

    def pair_of(self, name: str) -> str:
        """Return the pair that the engine's contract stands for."""
        pair = self.venue.pair_of(name)
        return f"{pair}T" if self.inverse and pair.endswith("-USD") else pair

    def account(self) -> AccountSpec:
        """Return the account as the engine has it."""
        currency = self.venue.currency
        wallets = self.wallets or {currency: "20000"}
        positions = tuple(replace(held, symbol=self.listed(held.symbol)) for held in self.positions)
        return AccountSpec(
            name="desk",
            api_key=KEY,
            secret=SECRET,
            password=PASSWORD,
            wallets={name: OpeningWallet(balance=Decimal(amount)) for name, amount in wallets.items()},
            funding={currency: Decimal(5_000)},
            margin_pool=self.pool,
            position_mode=PositionMode.HEDGE if self.hedge else PositionMode.ONE_WAY,
            margin_mode=self.margin_mode,
            margin_modes={
                held.symbol: held.margin_mode for held in positions if held.margin_mode is not None
            },
            positions=positions,
            permissions=Permissions(can_withdraw=False),
        )


CASES = {
    "binance-single-asset": Case(broker="binance", mode="single_asset"),
    "binance-single-asset-isolated": Case(broker="binance", mode="single_asset", positions=MIXED),
    "binance-multi-assets-hedge": Case(broker="binance", mode="multi_assets", positions=HEDGED, hedge=True),
    "bybit-cross": Case(broker="bybit", mode="cross"),
    "bybit-cross-hedge": Case(broker="bybit", mode="cross", positions=HEDGED, hedge=True),
    "bybit-isolated": Case(broker="bybit", mode="isolated", margin_mode=MarginMode.ISOLATED),
    "okx-futures": Case(broker="okx", mode="futures"),
    "okx-futures-isolated": Case(broker="okx", mode="futures", positions=MIXED),
    "okx-multi-currency-hedge": Case(broker="okx", mode="multi_currency", positions=HEDGED, hedge=True),
    "okx-portfolio": Case(broker="okx", mode="portfolio"),
    "kraken-spot": Case(broker="kraken", mode="spot_margin", early=Decimal(2), clock_error_ms=1000),
    "kraken-futures": Case(broker="krakenfutures", mode="multi_collateral"),
    "kraken-futures-isolated": Case(broker="krakenfutures", mode="multi_collateral", positions=MIXED),
    "kraken-futures-inverse": Case(
        broker="krakenfutures",
        mode="single_collateral",
        positions=DOLLARS,
        wallets={"BTC": "0.3", "ETH": "6"},
        inverse=True,
    ),
}

_ids = itertools.count(1)


class Station:
    """A sandbox venue, its only account, and the adapter that sees it."""

    def __init__(self, case: Case, engine: Engine, server: SandboxServer, broker: CcxtBroker) -> None:
        self.case = case
        self.engine = engine
        self.server = server
        self.broker = broker
        self.account = "desk"

    # --- names

    def listed(self, pair: str) -> str:
        """Return the engine's contract of a pair."""
        return self.case.listed(pair)

    def symbol(self, pair: str) -> Symbol:
        """Return the venue's symbol of a pair."""
        return next(symbol for symbol in self.broker._rulebook.rules if self.pair(symbol) == pair)

    def pair(self, symbol: Symbol) -> str:
        """Return the pair that a venue's symbol stands for: what it settles in is the pair's dollars."""
        rules = self.broker._rulebook.rules[symbol]
        settle = rules.base if self.case.inverse else self.case.venue.currency
        return f"{rules.base}-{'USDT' if rules.settle == settle else rules.settle}"

    # --- the engine's truth

    def truth(self, position: Position) -> PositionFigures | None:
        """Return the engine's own row of a position; `None` when it is flat."""
        rows = self.engine.figures(self.account).positions
        name = self.listed(self.pair(position.symbol))
        return next((row for row in rows if row.symbol == name and row.side is position.side), None)

    def exposure(self) -> dict[tuple[str, Side], Decimal]:
        """Return every position of the engine by pair, in engine units."""
        rows = self.engine.figures(self.account).positions
        return {(self.case.pair_of(row.symbol), row.side): row.quantity for row in rows}

    def orders_of(self, client_id: str) -> list[Order]:
        """Return every order the venue ever took with that client id."""
        return [order for order in self.engine.orders(self.account) if order.client_id == client_id]

    def filled(self, client_id: str) -> Decimal:
        """Return what was executed under a client id, in engine units."""
        return sum((order.filled for order in self.orders_of(client_id)), Decimal(0))

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
        return ReduceOrder(
            position=position,
            quantity=quantity,
            client_order_id=ClientOrderId(f"{next(_ids):032x}"),
            deadline=self.broker.venue_now() + (life if ttl_s is None else timedelta(seconds=ttl_s)),
            limit_price=price,
        )

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
                quantity=Decimal(quantity) * (Decimal(price or trigger or "0") if self.case.inverse else 1),
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


@pytest.fixture
async def station(case: Case) -> AsyncIterator[Station]:
    """A connected adapter at a calm venue whose clock is ahead of ours."""
    played = case.venue
    spec = SandboxSpec(
        instruments=played.instruments,
        assets=ASSETS,
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
                product=played.product or PRODUCTS[case.broker][0],
                credentials=Credentials(api_key=KEY, secret=SECRET, password=PASSWORD),
                endpoint=server.url,
            )
        )
        assert isinstance(broker, CcxtBroker)
        if isinstance(wire, KrakenWire):
            broker.transport._budget = Budget(replace(broker.profile.budget, capacity=1e6))
        await broker.connect()
        yield Station(case, engine, server, broker)
        await broker.aclose()
