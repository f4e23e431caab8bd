"""OKX's wire on loopback, and the adapter opened at it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.models import AccountId, MarginMode, OrderSide, Position, PositionMode, Side, Symbol
from brokers.orders import ClientOrderId, ReduceOrder
from brokers.port import Broker
from brokers.registry import BrokerSpec, Credentials, open_broker
from brokers.sandbox.catalogue import venue
from brokers.sandbox.engine import Engine
from brokers.sandbox.orders import OrderSpec, OrderType, Trigger
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import (
    AccountSpec,
    MarginPool,
    OpeningPosition,
    OpeningWallet,
    Permissions,
    SandboxSpec,
)
from brokers.sandbox.wire.okx.rules import RULES
from brokers.sandbox.wire.okx.wire import OkxWire

BTC, ETH = "BTC-USDT", "ETH-USDT"
BTC_SWAP, ETH_SWAP = Symbol("BTC-USDT-SWAP"), Symbol("ETH-USDT-SWAP")
OWN_ID = ClientOrderId("0123456789abcdef0123456789abcdef")

Open = Callable[..., Awaitable[Broker]]


def held(symbol: str, side: Side, quantity: str, mode: MarginMode | None = None) -> OpeningPosition:
    return OpeningPosition(symbol=symbol, side=side, quantity=Decimal(quantity), margin_mode=mode)


def account(name: str, *positions: OpeningPosition, **more: object) -> AccountSpec:
    usual: dict[str, object] = {
        "wallets": {"USDT": OpeningWallet(balance=Decimal(20_000))},
        "funding": {"USDT": Decimal(1_000)},
        "margin_pool": MarginPool.ACCOUNT,
        "positions": positions,
    }
    return AccountSpec(
        name=name, api_key=name, secret=f"secret-{name}", password=f"pass {name}", **{**usual, **more}
    )


ACCOUNTS = (
    account("multi", held(BTC, Side.LONG, "1"), held(ETH, Side.SHORT, "2")),
    account(
        "futures",
        held(BTC, Side.LONG, "0.5"),
        held(ETH, Side.SHORT, "5", MarginMode.ISOLATED),
        margin_pool=MarginPool.CURRENCY,
    ),
    account(
        "hedge", held(BTC, Side.LONG, "1"), held(BTC, Side.SHORT, "0.4"), position_mode=PositionMode.HEDGE
    ),
    account("portfolio", held(BTC, Side.LONG, "1")),
    account("flat", margin_pool=MarginPool.CURRENCY),
    account("reader", permissions=Permissions(can_trade=False, can_transfer=False, ip_bound=False)),
    account("rich", permissions=Permissions(can_withdraw=True)),
)


@pytest.fixture
def spec() -> SandboxSpec:
    """A calm venue under OKX's rules."""
    return venue(ACCOUNTS, rules=RULES)


@pytest.fixture
def engine(spec: SandboxSpec) -> Engine:
    return Engine(spec)


@pytest.fixture
async def server(engine: Engine) -> AsyncIterator[SandboxServer]:
    async with SandboxServer(OkxWire(engine, portfolio=["portfolio"])) as running:
        yield running


@pytest.fixture
async def open_at() -> AsyncIterator[Open]:
    """Open the adapter of one account at a server."""
    async with AsyncExitStack() as stack:

        async def connect(at: SandboxServer, name: str = "multi", **changes: object) -> Broker:
            keys = {"api_key": name, "secret": f"secret-{name}", "password": f"pass {name}", **changes}
            spec = BrokerSpec(
                account_id=AccountId(name),
                broker="okx",
                product="unified",
                credentials=Credentials(**keys),
                endpoint=at.url,
            )
            broker = open_broker(spec)
            stack.push_async_callback(broker.aclose)
            await broker.connect()
            return broker

        yield connect


@pytest.fixture
def position_of() -> Callable[..., Awaitable[Position]]:
    """Read one position."""

    async def read(broker: Broker, symbol: Symbol = BTC_SWAP, side: Side = Side.LONG) -> Position:
        snapshot = await broker.fetch_snapshot()
        return next(p for p in snapshot.positions if (p.symbol, p.side) == (symbol, side))

    return read


@pytest.fixture
def reduce() -> Callable[..., ReduceOrder]:
    """Build an order that reduces a position by so many contracts, with three seconds to live."""

    def build(broker: Broker, position: Position, quantity: str, **more: object) -> ReduceOrder:
        usual: dict[str, object] = {
            "client_order_id": OWN_ID,
            "deadline": broker.venue_now() + timedelta(seconds=3),
        }
        return ReduceOrder(position=position, quantity=Decimal(quantity), **{**usual, **more})

    return build


@pytest.fixture
def resting() -> Callable[..., OrderSpec]:
    """Describe somebody's limit order below the market."""

    def build(price: str, **more: object) -> OrderSpec:
        usual: dict[str, object] = {
            "symbol": BTC,
            "side": OrderSide.BUY,
            "quantity": Decimal("0.001"),
            "type": OrderType.LIMIT,
            "price": Decimal(price),
            "margin_mode": MarginMode.CROSS,
        }
        return OrderSpec(**{**usual, **more})

    return build


@pytest.fixture
def stop() -> Callable[..., OrderSpec]:
    """Describe somebody's stop that can only reduce."""

    def build(price: str, **more: object) -> OrderSpec:
        usual: dict[str, object] = {
            "symbol": BTC,
            "side": OrderSide.SELL,
            "quantity": Decimal(1),
            "reduce_only": True,
            "trigger": Trigger(price=Decimal(price)),
            "margin_mode": MarginMode.CROSS,
        }
        return OrderSpec(**{**usual, **more})

    return build
