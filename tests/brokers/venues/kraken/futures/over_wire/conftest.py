"""Kraken Futures' wire on loopback, and the adapter opened at it."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.ccxt_broker import CcxtBroker
from brokers.models import AccountId, MarginMode, Position, Side
from brokers.orders import ClientOrderId, ReduceOrder
from brokers.registry import BrokerSpec, Credentials, open_broker
from brokers.sandbox.catalogue import ASSETS
from brokers.sandbox.engine import Engine
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
from brokers.sandbox.wire.krakenfutures.contracts import CONTRACTS
from brokers.sandbox.wire.krakenfutures.rules import RULES
from brokers.sandbox.wire.krakenfutures.wire import KrakenFuturesWire

OWN_ID = ClientOrderId("0123456789abcdef0123456789abcdef")

Open = Callable[..., Awaitable[CcxtBroker]]  # type: ignore[type-arg]


def held(symbol: str, side: Side, quantity: str, mode: MarginMode | None = None) -> OpeningPosition:
    return OpeningPosition(symbol=symbol, side=side, quantity=Decimal(quantity), margin_mode=mode)


def account(name: str, *positions: OpeningPosition, **more: object) -> AccountSpec:
    usual: dict[str, object] = {
        "wallets": {"USD": OpeningWallet(balance=Decimal(20_000))},
        "margin_pool": MarginPool.ACCOUNT,
        "positions": positions,
    }
    secret = base64.b64encode(name.encode()).decode()
    return AccountSpec(name=name, api_key=name, secret=secret, **{**usual, **more})


ACCOUNTS = (
    account(
        "flex",
        held("PF_XBTUSD", Side.LONG, "0.5"),
        held("PF_ETHUSD", Side.SHORT, "5", MarginMode.ISOLATED),
        wallets={"USD": OpeningWallet(balance=Decimal(15_000)), "BTC": OpeningWallet(balance=Decimal("0.1"))},
    ),
    account(
        "coin",
        held("PI_XBTUSD", Side.LONG, "60000"),
        held("PI_ETHUSD", Side.SHORT, "9000"),
        wallets={"BTC": OpeningWallet(balance=Decimal("0.4")), "ETH": OpeningWallet(balance=Decimal(2))},
        margin_pool=MarginPool.CURRENCY,
    ),
    account("reader", permissions=Permissions(can_trade=False, can_transfer=False, ip_bound=False)),
    account("rich", permissions=Permissions(can_withdraw=True)),
)


@pytest.fixture
def engine() -> Engine:
    """A calm venue under Kraken Futures' rules."""
    return Engine(
        SandboxSpec(
            instruments=CONTRACTS, assets=ASSETS, accounts=ACCOUNTS, rules=RULES, scenario=calm(noise=0.0)
        )
    )


@pytest.fixture
async def server(engine: Engine) -> AsyncIterator[SandboxServer]:
    async with SandboxServer(KrakenFuturesWire(engine)) as listening:
        yield listening


@pytest.fixture
async def sign_in(server: SandboxServer) -> AsyncIterator[Open]:
    """Open the adapter of one of the accounts, connected."""
    async with AsyncExitStack() as stack:

        async def sign(name: str, *, secret: str | None = None, connect: bool = True) -> CcxtBroker:  # type: ignore[type-arg]
            own = base64.b64encode(name.encode()).decode()
            broker = open_broker(
                BrokerSpec(
                    account_id=AccountId(name),
                    broker="kraken",
                    product="futures",
                    credentials=Credentials(api_key=name, secret=own if secret is None else secret),
                    endpoint=server.url,
                )
            )
            assert isinstance(broker, CcxtBroker)
            stack.push_async_callback(broker.aclose)
            if connect:
                await broker.connect()
            return broker

        yield sign


@pytest.fixture
def reduce() -> Callable[..., ReduceOrder]:
    """Build a reducing order for a broker."""

    def build(broker: CcxtBroker, position: Position, quantity: str, price: str | None = None) -> ReduceOrder:  # type: ignore[type-arg]
        return ReduceOrder(
            position=position,
            quantity=Decimal(quantity),
            client_order_id=OWN_ID,
            deadline=broker.venue_now() + timedelta(seconds=2),
            limit_price=None if price is None else Decimal(price),
        )

    return build
