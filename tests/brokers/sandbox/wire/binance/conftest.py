"""A USD-M venue in memory, and a client that signs requests to it by hand."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlencode

import pytest

from brokers.models import MarginMode, PositionMode, Side
from brokers.profile import Json
from brokers.sandbox.catalogue import venue
from brokers.sandbox.engine import Engine
from brokers.sandbox.gateway import Gateway
from brokers.sandbox.spec import AccountSpec, MarginPool, OpeningPosition, OpeningWallet, Permissions
from brokers.sandbox.wire.base import WireAnswer, WireRefusal, WireRequest
from brokers.sandbox.wire.binance.rules import RULES
from brokers.sandbox.wire.binance.wire import BinanceWire

BTC, ETH = "BTC-USDT", "ETH-USDT"


def position(symbol: str, side: Side, quantity: str, mode: MarginMode | None = None) -> OpeningPosition:
    """Open a position at the opening price."""
    return OpeningPosition(symbol=symbol, side=side, quantity=Decimal(quantity), margin_mode=mode)


def account(name: str, **more: object) -> AccountSpec:
    """Describe an account with 20,000 USDT whose key is its name and whose secret is its name reversed."""
    return AccountSpec(
        name=name,
        api_key=name,
        secret=name[::-1],
        wallets={"USDT": OpeningWallet(balance=Decimal(20_000)), "USDC": OpeningWallet(balance=Decimal(50))},
        funding={"USDT": Decimal(1_000)},
        **{"margin_pool": MarginPool.CURRENCY, **more},
    )


ACCOUNTS = (
    account("single", positions=(position(BTC, Side.LONG, "1"),)),
    account("flat"),
    account(
        "hedge",
        margin_pool=MarginPool.ACCOUNT,
        position_mode=PositionMode.HEDGE,
        positions=(position(BTC, Side.LONG, "1"), position(BTC, Side.SHORT, "0.4")),
    ),
    account(
        "isolated",
        positions=(
            position(BTC, Side.LONG, "0.5"),
            position(ETH, Side.SHORT, "5", MarginMode.ISOLATED),
        ),
    ),
    account("reader", permissions=Permissions(can_trade=False, can_transfer=False)),
)


@dataclass
class Client:
    """Ask the wire as a client of the venue would, signature and all."""

    wire: BinanceWire
    gateway: Gateway
    name: str = "single"

    def sign(
        self,
        method: str,
        path: str,
        params: Mapping[str, object],
        *,
        timestamp: int | None = None,
        secret: str | None = None,
    ) -> WireRequest:
        """Build a signed request; parameters of POST go into the body."""
        stamp = self.wire.now_ms if timestamp is None else timestamp
        query = urlencode({"timestamp": stamp, **params})
        key = (secret or self.name[::-1]).encode()
        signed = f"{query}&signature={hmac.new(key, query.encode(), hashlib.sha256).hexdigest()}"
        in_body = method == "POST"
        return WireRequest(
            method=method,
            target=path if in_body else f"{path}?{signed}",
            headers={"x-mbx-apikey": self.name},
            body=signed.encode() if in_body else b"",
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

    def ask(self, method: str, path: str, **params: object) -> Json:
        """Return the payload of a signed request."""
        return self.send(self.sign(method, path, params)).payload

    def public(self, path: str, **params: object) -> Json:
        """Return the payload of an unsigned request."""
        target = f"{path}?{urlencode(params)}" if params else path
        request = WireRequest(method="GET", target=target, headers={}, body=b"", now_ms=self.wire.now_ms)
        return self.send(request).payload

    def order(self, **params: object) -> Json:
        """Place an order of 0.1 BTCUSDT, unless told otherwise."""
        usual = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.1"}
        chosen = {name: value for name, value in {**usual, **params}.items() if value is not None}
        return self.ask("POST", "/fapi/v1/order", **chosen)

    def stop(self, **params: object) -> Json:
        """Place a stop below the market that closes the position."""
        usual = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"}
        return self.ask(
            "POST",
            "/fapi/v1/algoOrder",
            **{**usual, "triggerPrice": "50000", "workingType": "MARK_PRICE", **params},
        )


@pytest.fixture
def engine() -> Engine:
    """A calm venue under Binance's rules."""
    return Engine(venue(ACCOUNTS, rules=RULES))


@pytest.fixture
def client(engine: Engine) -> Callable[[str], Client]:
    """Sign in as one of the accounts."""
    wire = BinanceWire(engine)
    gateway = Gateway(wire, speed=0, clock=lambda: 0.0)
    return lambda name: Client(wire, gateway, name)


@pytest.fixture
def desk(client: Callable[[str], Client]) -> Client:
    """The one-way, single-asset account."""
    return client("single")
