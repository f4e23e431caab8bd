"""A unified-account venue in memory and on loopback, and clients that sign to it by hand or by plain ccxt."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import count
from urllib.parse import urlencode

import ccxt.async_support as ccxt
import pytest

from brokers.models import AccountId, ContractKind, PositionMode, Side
from brokers.profile import Json
from brokers.registry import BrokerSpec, Credentials
from brokers.sandbox.catalogue import ASSETS, ETH_USDT, INSTRUMENTS
from brokers.sandbox.engine import Engine
from brokers.sandbox.gateway import Gateway
from brokers.sandbox.instrument import Instrument
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
from brokers.sandbox.wire.base import WireAnswer, WireRefusal, WireRequest
from brokers.sandbox.wire.bybit.limits import EndpointLimits
from brokers.sandbox.wire.bybit.rules import RULES
from brokers.sandbox.wire.bybit.wire import BybitWire
from brokers.venues.bybit.broker import BybitBroker

BTC_USD = Instrument(
    name="BTC-USD",
    base="BTC",
    settle="BTC",
    kind=ContractKind.INVERSE,
    lot_step=Decimal(1),
    min_quantity=Decimal(1),
    price_step=Decimal("0.5"),
    max_market_quantity=Decimal(5_000_000),
)
ETH_USDC = replace(ETH_USDT, name="ETH-USDC", settle="USDC", quote="USDC")


def position(symbol: str, side: Side, quantity: str) -> OpeningPosition:
    """Open a position at the opening price."""
    return OpeningPosition(symbol=symbol, side=side, quantity=Decimal(quantity))


def account(name: str, **more: object) -> AccountSpec:
    """Describe an account with 20,000 USDT whose key is its name and whose secret is its name reversed."""
    usual: dict[str, object] = {
        "wallets": {"USDT": OpeningWallet(balance=Decimal(20_000))},
        "funding": {"USDT": Decimal(1_000)},
    }
    return AccountSpec(name=name, api_key=name, secret=name[::-1], **{**usual, **more})


WIDE = {
    "USDT": OpeningWallet(balance=Decimal(20_000)),
    "USDC": OpeningWallet(balance=Decimal(5_000)),
    "BTC": OpeningWallet(balance=Decimal("0.5")),
}

ACCOUNTS = (
    account("cross", positions=(position("BTC-USDT", Side.LONG, "1"),)),
    account("flat"),
    account(
        "hedge",
        position_mode=PositionMode.HEDGE,
        positions=(position("BTC-USDT", Side.LONG, "1"), position("BTC-USDT", Side.SHORT, "0.4")),
    ),
    account(
        "isolated",
        margin_pool=MarginPool.ISOLATED_ONLY,
        positions=(position("BTC-USDT", Side.LONG, "0.5"), position("ETH-USDT", Side.SHORT, "5")),
    ),
    account(
        "wide",
        wallets=WIDE,
        positions=(
            position("BTC-USDT", Side.LONG, "0.5"),
            position("ETH-USDC", Side.LONG, "1"),
            position("BTC-USD", Side.SHORT, "3000"),
        ),
    ),
    account("debtor", wallets={"USDT": OpeningWallet(balance=Decimal(9_000), borrowed=Decimal(4_000))}),
    account("reader", permissions=Permissions(can_trade=False, can_transfer=False)),
    account("thief", permissions=Permissions(can_withdraw=True, ip_bound=False)),
)


def specification() -> SandboxSpec:
    """A calm venue under Bybit's rules, with contracts of every settle coin."""
    return SandboxSpec(
        instruments=(*INSTRUMENTS, BTC_USD, ETH_USDC),
        assets=ASSETS,
        accounts=ACCOUNTS,
        rules=RULES,
        scenario=calm(noise=0.0),
    )


@dataclass
class Client:
    """Ask the wire as a client of the venue would, signature and all."""

    wire: BybitWire
    gateway: Gateway
    name: str = "cross"

    def sign(
        self,
        method: str,
        path: str,
        params: Mapping[str, object],
        *,
        timestamp: int | None = None,
        window: int = 5000,
        secret: str | None = None,
    ) -> WireRequest:
        """Build a signed request; parameters of POST go into the body."""
        stamp = self.wire.now_ms if timestamp is None else timestamp
        posted = method == "POST"
        payload = json.dumps(params) if posted else urlencode(params)
        signed = f"{stamp}{self.name}{window}{payload}"
        key = (secret or self.name[::-1]).encode()
        return WireRequest(
            method=method,
            target=f"/v5/{path}" if posted else f"/v5/{path}?{payload}",
            headers={
                "x-bapi-api-key": self.name,
                "x-bapi-timestamp": str(stamp),
                "x-bapi-recv-window": str(window),
                "x-bapi-sign": hmac.new(key, signed.encode(), hashlib.sha256).hexdigest(),
            },
            body=payload.encode() if posted else b"",
            now_ms=self.wire.now_ms,
        )

    def send(self, request: WireRequest) -> WireAnswer:
        """Let the venue's front answer a request."""
        route = self.gateway.route_of(request)
        try:
            name = self.gateway.admit(request, route)
        except WireRefusal as refusal:
            return refusal.answer
        assert route is not None
        return self.gateway.act(request, route, name)

    def get(self, path: str, **params: object) -> Json:
        """Return the payload of a signed read."""
        return self.send(self.sign("GET", path, params)).payload

    def post(self, path: str, **params: object) -> Json:
        """Return the payload of a signed write."""
        return self.send(self.sign("POST", path, params)).payload

    def public(self, path: str, **params: object) -> Json:
        """Return the payload of an unsigned read."""
        return self.public_raw(path, urlencode(params))

    def public_raw(self, path: str, query: str) -> Json:
        """Return the payload of an unsigned read whose query is encoded already."""
        target = f"/v5/{path}?{query}"
        request = WireRequest(method="GET", target=target, headers={}, body=b"", now_ms=self.wire.now_ms)
        return self.send(request).payload

    def order(self, **params: object) -> Json:
        """Place an order that sells 0.1 BTCUSDT at market, unless told otherwise."""
        usual = {
            "category": "linear",
            "symbol": "BTCUSDT",
            "side": "Sell",
            "orderType": "Market",
            "qty": "0.1",
        }
        chosen = {name: value for name, value in {**usual, **params}.items() if value is not None}
        return self.post("order/create", **chosen)

    def positions(self, **params: object) -> list[Json]:
        """Return the rows of a position list."""
        asked = {"category": "linear", "settleCoin": "USDT", **params}
        return self.get("position/list", **asked)["result"]["list"]


def unlimited() -> EndpointLimits:
    """Limits that no test runs into."""
    return EndpointLimits(lambda: 0.0, {})


@pytest.fixture
def engine() -> Engine:
    """A calm venue under Bybit's rules."""
    return Engine(specification())


@pytest.fixture
def client(engine: Engine) -> Callable[[str], Client]:
    """Sign in as one of the accounts."""
    wire = BybitWire(engine, limits=unlimited())
    gateway = Gateway(wire, speed=0, clock=lambda: 0.0)
    return lambda name: Client(wire, gateway, name)


@pytest.fixture
def desk(client: Callable[[str], Client]) -> Client:
    """The one-way cross account, long 1 BTC."""
    return client("cross")


@pytest.fixture
async def server(engine: Engine) -> AsyncIterator[SandboxServer]:
    """The venue on a loopback port, with the venue's own limits."""
    async with SandboxServer(BybitWire(engine)) as server:
        yield server


@pytest.fixture
async def plain(server: SandboxServer) -> AsyncIterator[Callable[[str], ccxt.bybit]]:
    """Unmodified ccxt on the sandbox: only its URLs are others."""
    opened: list[ccxt.bybit] = []

    def sign_in(name: str) -> ccxt.bybit:
        exchange = ccxt.bybit(
            {
                "apiKey": name,
                "secret": name[::-1],
                "enableRateLimit": False,
                "options": {"fetchMarkets": {"types": ["linear", "inverse"]}},
            }
        )
        for api in ("public", "private"):
            exchange.urls["api"][api] = server.url
        exchange.milliseconds = lambda: server.wire.now_ms
        opened.append(exchange)
        return exchange

    yield sign_in
    for exchange in opened:
        await exchange.close()


@pytest.fixture
async def adapter(server: SandboxServer) -> AsyncIterator[Callable[[str], BybitBroker]]:
    """The real adapter on the sandbox, connected."""
    opened: list[BybitBroker] = []

    async def open_account(name: str) -> BybitBroker:
        broker = BybitBroker(
            BrokerSpec(
                account_id=AccountId(name),
                broker="bybit",
                product="unified",
                credentials=Credentials(api_key=name, secret=name[::-1]),
                endpoint=server.url,
            )
        )
        opened.append(broker)
        await broker.connect()
        return broker

    yield open_account
    for broker in opened:
        await broker.aclose()


@pytest.fixture
def ids() -> Iterator[str]:
    """Client ids, none of them twice."""
    return (f"{number:032x}" for number in count(1))
