"""Coinbase's wire on loopback, and the adapters opened at it."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from brokers.ccxt_broker import CcxtBroker
from brokers.models import AccountId, OrderSide, Position, Side, Symbol
from brokers.orders import ClientOrderId, ReduceOrder
from brokers.registry import BrokerSpec, Credentials, open_broker
from brokers.sandbox.engine import Engine
from brokers.sandbox.orders import Order, OrderSpec, OrderType, Trigger
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
from brokers.sandbox.venues import VENUES
from brokers.sandbox.wire.coinbase.wire import CoinbaseWire

PLAYED = VENUES["coinbase"]
OWN_ID = ClientOrderId("0123456789abcdef0123456789abcdef")
BTC, FUTURE = "BTC-USD-CDE", Symbol("BIP-20DEC30-CDE")
AHEAD_MS = 3_000

Open = Callable[..., Awaitable[CcxtBroker]]


def new_key() -> str:
    """Make a private key as Coinbase gives them out."""
    key = generate_private_key(SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def account(name: str, **more: object) -> AccountSpec:
    usual: dict[str, object] = {
        "wallets": {"USD": OpeningWallet(balance=Decimal(20_000))},
        "margin_pool": MarginPool.CURRENCY,
        "permissions": Permissions(can_withdraw=False),
    }
    api_key = f"organizations/desk/apiKeys/{name}"
    return AccountSpec(name=name, api_key=api_key, secret=new_key(), **{**usual, **more})


@pytest.fixture(scope="session")
def accounts() -> tuple[AccountSpec, ...]:
    """A futures account, a cash account, one without anything, and two with other keys."""
    coins = {"BTC": "0.5", "ETH": "2", "SOL": "10", "USDT": "100", "USDC": "1000", "USD": "5000"}
    long = OpeningPosition(symbol=BTC, side=Side.LONG, quantity=Decimal(1))
    return (
        account("futures", positions=(long,)),
        account(
            "spot",
            wallets={name: OpeningWallet(balance=Decimal(amount)) for name, amount in coins.items()},
        ),
        account("empty", wallets={}),
        account("reader", permissions=Permissions(can_trade=False, can_withdraw=False)),
        account("sender", permissions=Permissions(can_withdraw=True)),
    )


@pytest.fixture
def engine(accounts: tuple[AccountSpec, ...]) -> Engine:
    """A calm venue whose clock is ahead of ours."""
    return Engine(
        SandboxSpec(
            instruments=PLAYED.instruments,
            assets=PLAYED.assets,
            accounts=accounts,
            rules=PLAYED.rules,
            scenario=calm(noise=0.0),
            start_ms=round(time.time() * 1000) + AHEAD_MS,
        )
    )


@pytest.fixture
def wire(engine: Engine) -> CoinbaseWire:
    return CoinbaseWire(engine)


@pytest.fixture
async def server(wire: CoinbaseWire) -> AsyncIterator[SandboxServer]:
    async with SandboxServer(wire) as running:
        yield running


@pytest.fixture
async def open_at(accounts: tuple[AccountSpec, ...]) -> AsyncIterator[Open]:
    """Open the adapter of one account at a server; by default the futures account."""
    async with AsyncExitStack() as stack:

        async def connect(
            at: SandboxServer, name: str = "futures", product: str = "", **changes: str
        ) -> CcxtBroker:
            keys = next(spec for spec in accounts if spec.name == name)
            broker = open_broker(
                BrokerSpec(
                    account_id=AccountId(name),
                    broker="coinbase",
                    product=product or ("spot" if name in {"spot", "empty"} else "futures"),
                    credentials=Credentials(**{"api_key": keys.api_key, "secret": keys.secret, **changes}),
                    endpoint=at.url,
                )
            )
            assert isinstance(broker, CcxtBroker)
            stack.push_async_callback(broker.aclose)
            await broker.connect()
            return broker

        yield connect


@pytest.fixture
def reduce() -> Callable[..., ReduceOrder]:
    """Build an order that closes so many contracts of a position."""

    def build(broker: CcxtBroker, position: Position, quantity: str, *, ttl_s: float = 4.0) -> ReduceOrder:
        return ReduceOrder(
            position=position,
            quantity=Decimal(quantity),
            client_order_id=OWN_ID,
            deadline=broker.venue_now() + timedelta(seconds=ttl_s),
        )

    return build


@pytest.fixture
def rest(engine: Engine) -> Callable[..., Order]:
    """Rest an order of the futures account, as its owner would."""

    def place(
        side: OrderSide, quantity: str, *, price: str | None = None, trigger: str | None = None
    ) -> Order:
        return engine.place(
            "futures",
            OrderSpec(
                symbol=BTC,
                side=side,
                quantity=Decimal(quantity),
                type=OrderType.MARKET if price is None else OrderType.LIMIT,
                price=None if price is None else Decimal(price),
                trigger=None if trigger is None else Trigger(price=Decimal(trigger)),
            ),
        )

    return place
