"""Kraken's wire on loopback, and the adapter opened at it with its real budget."""

import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.models import AccountId, Position, Side
from brokers.orders import ClientOrderId, ReduceOrder
from brokers.registry import BrokerSpec, Credentials, open_broker
from brokers.sandbox.catalogue import ASSETS
from brokers.sandbox.engine import Engine
from brokers.sandbox.scenarios import calm
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import AccountSpec, OpeningPosition, OpeningWallet, SandboxSpec
from brokers.sandbox.wire.kraken.pairs import PAIRS
from brokers.sandbox.wire.kraken.rules import RULES
from brokers.sandbox.wire.kraken.wire import KrakenWire
from brokers.venues.kraken.spot.broker import KrakenSpotBroker

Open = Callable[..., Awaitable[KrakenSpotBroker]]


@pytest.fixture
def wire() -> KrakenWire:
    """A calm venue by Kraken's rules, its counter that of the lowest tier."""
    account = AccountSpec(
        name="desk",
        api_key="desk",
        secret=base64.b64encode(b"desk").decode(),
        wallets={"USD": OpeningWallet(balance=Decimal(20_000))},
        positions=(OpeningPosition(symbol="XXBTZUSD", side=Side.LONG, quantity=Decimal("0.5")),),
    )
    spec = SandboxSpec(
        instruments=PAIRS,
        assets=ASSETS,
        accounts=(account,),
        rules=RULES,
        scenario=calm(noise=0.0),
        start_ms=round(time.time() * 1000),
    )
    return KrakenWire(Engine(spec))


@pytest.fixture
async def server(wire: KrakenWire) -> AsyncIterator[SandboxServer]:
    async with SandboxServer(wire) as server:
        yield server


@pytest.fixture
async def connect(server: SandboxServer) -> AsyncIterator[Open]:
    """Open the adapter as often as asked, and connect it."""
    async with AsyncExitStack() as stack:

        async def opened(name: str = "one", emergency: Credentials | None = None) -> KrakenSpotBroker:
            broker = open_broker(
                BrokerSpec(
                    account_id=AccountId(name),
                    broker="kraken",
                    product="spot",
                    credentials=Credentials(api_key="desk", secret=base64.b64encode(b"desk").decode()),
                    emergency=emergency,
                    endpoint=server.url,
                )
            )
            assert isinstance(broker, KrakenSpotBroker)
            stack.push_async_callback(broker.aclose)
            await broker.connect()
            return broker

        yield opened


@pytest.fixture
def reduce() -> Callable[..., ReduceOrder]:
    """Reduce a position by a hundredth of a bitcoin."""

    def build(broker: KrakenSpotBroker, position: Position, number: int = 1) -> ReduceOrder:
        return ReduceOrder(
            position=position,
            quantity=Decimal("0.01"),
            client_order_id=ClientOrderId(f"{number:032x}"),
            deadline=broker.venue_now() + timedelta(seconds=6),
        )

    return build
