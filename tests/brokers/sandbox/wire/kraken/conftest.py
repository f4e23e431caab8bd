"""A Kraken venue in memory, and a client that signs requests to it by hand."""

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import urlencode

import pytest

from brokers.models import Side
from brokers.profile import Json
from brokers.sandbox.catalogue import ASSETS
from brokers.sandbox.engine import Engine
from brokers.sandbox.gateway import Gateway
from brokers.sandbox.scenarios import calm
from brokers.sandbox.spec import AccountSpec, OpeningPosition, OpeningWallet, Permissions, SandboxSpec
from brokers.sandbox.wire.base import WireAnswer, WireRefusal, WireRequest
from brokers.sandbox.wire.kraken.pairs import PAIRS
from brokers.sandbox.wire.kraken.rules import RULES
from brokers.sandbox.wire.kraken.wire import KrakenWire

PRIVATE = "/0/private/"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


def account(name: str, **more: object) -> AccountSpec:
    """Describe an account whose key is its name, and its secret that in base64."""
    usual: dict[str, object] = {"wallets": {"USD": OpeningWallet(balance=Decimal(20_000))}}
    secret = base64.b64encode(name.encode()).decode()
    return AccountSpec(name=name, api_key=name, secret=secret, **{**usual, **more})


def held(symbol: str, side: Side, quantity: str) -> OpeningPosition:
    return OpeningPosition(symbol=symbol, side=side, quantity=Decimal(quantity))


ACCOUNTS = (
    account("desk", positions=(held("XXBTZUSD", Side.LONG, "0.5"), held("XETHZUSD", Side.SHORT, "4"))),
    account("flat"),
    account("reader", permissions=Permissions(can_trade=False)),
    account("rich", permissions=Permissions(can_withdraw=True, ip_bound=False)),
)

_nonces = itertools.count(1_700_000_000_000)


@dataclass
class Client:
    """Ask the wire as a client of the venue would, signature and all."""

    wire: KrakenWire
    gateway: Gateway
    name: str = "desk"
    seen: list[WireAnswer] = field(default_factory=list)

    def sign(self, call: str, body: bytes, nonce: str, **changes: str) -> WireRequest:
        """Sign a body; `changes` replace the key, the secret, the signed path or the content type."""
        path = PRIVATE + call
        digest = hashlib.sha256(nonce.encode() + body).digest()
        signed = changes.get("path", path).encode() + digest
        mac = hmac.new(changes.get("secret", self.name).encode(), signed, hashlib.sha512).digest()
        headers = {
            "api-key": changes.get("key", self.name),
            "api-sign": base64.b64encode(mac).decode(),
            "content-type": changes.get("content_type", FORM),
        }
        return WireRequest(method="POST", target=path, headers=headers, body=body, now_ms=self.wire.now_ms)

    def send(self, request: WireRequest) -> Json:
        """Return the payload of the venue's answer; Kraken's status is always 200."""
        route = self.gateway.route_of(request)
        try:
            name = self.gateway.admit(request, route)
        except WireRefusal as refusal:
            answer = refusal.answer
        else:
            assert route is not None
            answer = self.gateway.act(request, route, name)
        assert answer.status == 200
        return answer.payload

    def ask(self, call: str, **params: object) -> Json:
        """Return the payload of a signed call."""
        nonce = str(next(_nonces))
        return self.send(self.sign(call, urlencode({"nonce": nonce, **params}).encode(), nonce))

    def ask_json(self, call: str, **params: object) -> Json:
        nonce = str(next(_nonces))
        body = json.dumps({"nonce": nonce, **params}).encode()
        return self.send(self.sign(call, body, nonce, content_type=JSON))

    def public(self, call: str) -> Json:
        request = WireRequest(
            method="GET", target=f"/0/public/{call}", headers={}, body=b"", now_ms=self.wire.now_ms
        )
        return self.send(request)

    def order(self, **params: object) -> Json:
        """Place an order, by default a reduce-only sale of 0.1 at market."""
        usual: dict[str, object] = {
            "pair": "XBTUSD",
            "type": "sell",
            "ordertype": "market",
            "volume": "0.1",
            "leverage": "10",
            "reduce_only": "true",
        }
        return self.ask("AddOrder", **(usual | params))


@pytest.fixture
def engine() -> Engine:
    """A calm venue under Kraken's rules."""
    return Engine(
        SandboxSpec(
            instruments=PAIRS, assets=ASSETS, accounts=ACCOUNTS, rules=RULES, scenario=calm(noise=0.0)
        )
    )


@pytest.fixture
def client(engine: Engine) -> Callable[[str], Client]:
    """Sign in as one of the accounts."""
    wire = KrakenWire(engine)
    gateway = Gateway(wire, speed=0, clock=lambda: 0.0)
    return lambda name: Client(wire, gateway, name)


@pytest.fixture
def desk(client: Callable[[str], Client]) -> Client:
    """The account with a long and a short."""
    return client("desk")
