"""A Crypto.com venue in memory, and a client that signs requests to it by hand."""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlencode

import pytest

from brokers.models import MarginMode, Side
from brokers.profile import Json
from brokers.sandbox.catalogue import ASSETS
from brokers.sandbox.engine import Engine
from brokers.sandbox.gateway import Gateway
from brokers.sandbox.scenarios import calm
from brokers.sandbox.spec import AccountSpec, OpeningPosition, OpeningWallet, Permissions, SandboxSpec
from brokers.sandbox.venues import VENUES
from brokers.sandbox.wire.base import WireAnswer, WireRefusal, WireRequest
from brokers.sandbox.wire.cryptocom.wire import CryptocomWire

BTC, ETH = "BTCUSD-PERP", "ETHUSD-PERP"
ROOT = "/exchange/v1/"


def position(symbol: str, side: Side, quantity: str, mode: MarginMode | None = None) -> OpeningPosition:
    """Open a position at the opening price."""
    return OpeningPosition(symbol=symbol, side=side, quantity=Decimal(quantity), margin_mode=mode)


def account(name: str, *positions: OpeningPosition, **more: object) -> AccountSpec:
    """Describe an account whose key is its name, and its secret that name backwards."""
    usual: dict[str, object] = {
        "wallets": {"USD": OpeningWallet(balance=Decimal(20_000))},
        "positions": positions,
    }
    return AccountSpec(name=name, api_key=name, secret=name[::-1], **{**usual, **more})


ACCOUNTS = (
    account("cross", position(BTC, Side.LONG, "1"), position(ETH, Side.SHORT, "2")),
    account("mixed", position(BTC, Side.LONG, "0.5"), position(ETH, Side.SHORT, "5", MarginMode.ISOLATED)),
    account("flat"),
    account("reader", permissions=Permissions(can_trade=False)),
)


@dataclass
class Client:
    """Ask the wire as a client of the venue would, signature and all."""

    wire: CryptocomWire
    gateway: Gateway
    name: str = "cross"
    last: int = 0

    def body(self, method: str, params: object = None, **changes: object) -> bytes:
        """Return a signed body; `changes` replace parts of what is signed with, or sent."""
        self.last += 1
        parts: dict[str, object] = {
            "id": self.last,
            "method": method,
            "api_key": self.name,
            "params": {} if params is None else params,
            "nonce": self.wire.now_ms + self.last,
            "secret": self.name[::-1],
            **changes,
        }
        secret = str(parts.pop("secret"))
        text = parts.pop("text", None)
        words = params_text(parts["params"]) if text is None else text
        signed = f"{parts['method']}{parts['id']}{parts['api_key']}{words}{parts['nonce']}"
        parts.setdefault("sig", hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest())
        return json.dumps(parts).encode()

    def send(self, method: str, body: bytes) -> WireAnswer:
        """Let the venue's front answer a request."""
        request = WireRequest(
            method="POST", target=ROOT + method, headers={}, body=body, now_ms=self.wire.now_ms
        )
        return self._answer(request)

    def ask(self, method: str, params: object = None, **changes: object) -> WireAnswer:
        return self.send(method, self.body(method, params, **changes))

    def post(self, method: str, params: object = None, **changes: object) -> Json:
        """Return the payload of a signed request."""
        return self.ask(method, params, **changes).payload

    def rows(self, method: str, params: object = None) -> Json:
        payload = self.post(method, params)
        assert payload["code"] == 0, payload
        return payload["result"]["data"]

    def public(self, method: str, **params: str) -> WireAnswer:
        """Return the answer of an unsigned request."""
        target = ROOT + method + (f"?{urlencode(params)}" if params else "")
        return self._answer(
            WireRequest(method="GET", target=target, headers={}, body=b"", now_ms=self.wire.now_ms)
        )

    def wait(self, ms: int) -> None:
        self.wire.engine.advance(self.wire.engine.now_ms + ms)
        self.wire.now_ms = self.wire.engine.now_ms

    def _answer(self, request: WireRequest) -> WireAnswer:
        route = self.gateway.route_of(request)
        try:
            name = self.gateway.admit(request, route)
        except WireRefusal as refusal:
            return refusal.answer
        assert route is not None
        return self.gateway.act(request, route, name)


def params_text(value: object) -> str:
    """The parameter string, written down independently of the wire."""
    if isinstance(value, dict):
        return "".join(f"{key}{params_text(value[key])}" for key in sorted(value))
    if isinstance(value, list):
        return "".join(map(params_text, value))
    return "" if value is None else str(value)


@pytest.fixture
def engine() -> Engine:
    """A calm venue under Crypto.com's rules."""
    played = VENUES["cryptocom"]
    return Engine(
        SandboxSpec(
            instruments=played.instruments,
            assets=ASSETS,
            accounts=ACCOUNTS,
            rules=played.rules,
            scenario=calm(noise=0.0),
        )
    )


@pytest.fixture
def client(engine: Engine) -> Callable[[str], Client]:
    """Sign in as one of the accounts."""
    wire = CryptocomWire(engine)
    gateway = Gateway(wire, speed=0, clock=lambda: 0.0)
    return lambda name: Client(wire, gateway, name)


@pytest.fixture
def desk(client: Callable[[str], Client]) -> Client:
    return client("cross")
