"""Crypto.com's wire on loopback, and the adapter opened at it."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountId, MarginMode, OrderSide, Position, Side, Symbol
from brokers.orders import ClientOrderId, ReduceOrder
from brokers.registry import BrokerSpec, Credentials, open_broker
from brokers.sandbox.catalogue import ASSETS
from brokers.sandbox.engine import Engine
from brokers.sandbox.orders import Order, OrderSpec, OrderType, TimeInForce, Trigger
from brokers.sandbox.scenarios import calm
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import AccountSpec, OpeningPosition, OpeningWallet, SandboxSpec
from brokers.sandbox.venues import VENUES
from brokers.sandbox.wire.base import Route, WireAnswer, WireRequest
from brokers.sandbox.wire.cryptocom.gate import NONCE_WINDOW_MS
from brokers.sandbox.wire.cryptocom.wire import CryptocomWire
from brokers.venues.cryptocom.broker import CryptocomBroker

BTC, ETH = Symbol("BTCUSD-PERP"), Symbol("ETHUSD-PERP")
ROOT = "/exchange/v1/"


class Observed(CryptocomWire):
    """The wire, with a record of what was signed, and with answers put in the place of its own."""

    def __init__(
        self,
        engine: Engine,
        *,
        lag_ms: int = 0,
        nonce_window_ms: int = NONCE_WINDOW_MS,
        instead: Mapping[str, WireAnswer] | None = None,
    ) -> None:
        super().__init__(engine, lag_ms=lag_ms, nonce_window_ms=nonce_window_ms)
        self.signed: list[dict[str, Any]] = []
        self.instead = dict(instead or {})

    def authenticate(self, request: WireRequest) -> str:
        self.signed.append({**json.loads(request.body), "at": request.now_ms})
        return super().authenticate(request)

    def routes(self) -> list[Route]:
        return [replace(route, handler=self._or_instead(route)) for route in super().routes()]

    def _or_instead(self, route: Route) -> Callable[[WireRequest, str], WireAnswer]:
        name = route.path.removeprefix(ROOT)

        def handle(request: WireRequest, account: str) -> WireAnswer:
            found = self.instead.get(name)
            return route.handler(request, account) if found is None else found

        return handle

    def sent(self, name: str) -> list[dict[str, Any]]:
        """Return the bodies that were signed for one method."""
        return [body for body in self.signed if body["method"] == name]


@dataclass
class Desk:
    """One account at a calm venue, the wire it is reached by, and the adapter."""

    engine: Engine
    wire: Observed
    server: SandboxServer
    broker: CryptocomBroker
    _numbers: list[int] = field(default_factory=list)

    async def position(self, symbol: Symbol = BTC) -> Position:
        snapshot = await self.broker.fetch_snapshot()
        return next(position for position in snapshot.positions if position.symbol == symbol)

    def closing(self, position: Position, quantity: str, **more: object) -> ReduceOrder:
        self._numbers.append(1)
        usual: dict[str, object] = {
            "client_order_id": ClientOrderId(f"{len(self._numbers):032x}"),
            "deadline": self.broker.venue_now() + timedelta(seconds=10),
        }
        return ReduceOrder(position=position, quantity=Decimal(quantity), **{**usual, **more})

    def held(self, symbol: Symbol = BTC) -> Decimal:
        position = self.engine.figures("desk").position(symbol)
        return Decimal(0) if position is None else position.signed_quantity

    def rest(self, symbol: Symbol, side: OrderSide, quantity: str, **more: object) -> Order:
        """Rest an order as its owner would."""
        usual: dict[str, object] = {
            "type": OrderType.MARKET if "price" not in more else OrderType.LIMIT,
            "time_in_force": TimeInForce.GTC,
        }
        spec = OrderSpec(symbol=symbol, side=side, quantity=Decimal(quantity), **{**usual, **more})
        return self.engine.place("desk", spec)

    async def after_a_restart(self) -> CryptocomBroker:
        """Open a second adapter of the same account, which knows of nothing."""
        again = open_broker(self.broker.spec)
        assert isinstance(again, CryptocomBroker)
        await again.connect()
        return again


Open = Callable[..., Awaitable[Desk]]


def held(symbol: Symbol, side: Side, quantity: str, mode: MarginMode | None = None) -> OpeningPosition:
    return OpeningPosition(symbol=symbol, side=side, quantity=Decimal(quantity), margin_mode=mode)


POSITIONS = (held(BTC, Side.LONG, "0.5"), held(ETH, Side.SHORT, "10"))


@pytest.fixture
async def open_desk() -> AsyncIterator[Open]:
    """Open a desk at a venue of its own."""
    async with AsyncExitStack() as stack:

        async def build(
            *positions: OpeningPosition,
            wallets: Mapping[str, str] | None = None,
            lag_ms: int = 0,
            nonce_window_ms: int = NONCE_WINDOW_MS,
            ahead_ms: int = 0,
            tick_ms: int = 250,
            instead: Mapping[str, WireAnswer] | None = None,
            connect: bool = True,
        ) -> Desk:
            played = VENUES["cryptocom"]
            account = AccountSpec(
                name="desk",
                api_key="desk-key",
                secret="desk-secret",
                wallets={
                    name: OpeningWallet(balance=Decimal(amount))
                    for name, amount in (wallets or {"USD": "20000"}).items()
                },
                positions=positions or POSITIONS,
            )
            engine = Engine(
                SandboxSpec(
                    instruments=played.instruments,
                    assets=ASSETS,
                    accounts=(account,),
                    rules=played.rules,
                    scenario=calm(noise=0.0),
                    start_ms=round(time.time() * 1000) + ahead_ms,
                    tick_ms=tick_ms,
                )
            )
            wire = Observed(engine, lag_ms=lag_ms, nonce_window_ms=nonce_window_ms, instead=instead)
            server = await stack.enter_async_context(SandboxServer(wire))
            spec = BrokerSpec(
                account_id=AccountId("desk"),
                broker="cryptocom",
                product="exchange",
                credentials=Credentials(api_key="desk-key", secret="desk-secret"),
                endpoint=server.url,
            )
            broker = open_broker(spec)
            assert isinstance(broker, CryptocomBroker)
            stack.push_async_callback(broker.aclose)
            if connect:
                await broker.connect()
            return Desk(engine, wire, server, broker)

        yield build


@pytest.fixture
async def desk(open_desk: Open) -> Desk:
    """Long 0.5 BTC and short 10 ETH on 20,000 USD."""
    return await open_desk()


@pytest.fixture
def stop_at() -> Callable[[str], Trigger]:
    return lambda price: Trigger(price=Decimal(price))


@pytest.fixture
def trap() -> Callable[..., WireAnswer]:
    """An answer of the venue's own shape, with `result` in it."""

    def build(result: object, *, status: int = 200, **more: object) -> WireAnswer:
        return WireAnswer(
            payload={"id": 1, "method": "any", "code": 0, "result": result, **more}, status=status
        )

    return build
