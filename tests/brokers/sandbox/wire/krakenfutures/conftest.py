"""A Kraken Futures venue in memory, and a client that signs requests to it by hand."""

import base64
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
from brokers.sandbox.spec import (
    AccountSpec,
    MarginPool,
    OpeningPosition,
    OpeningWallet,
    Permissions,
    SandboxSpec,
)
from brokers.sandbox.wire.base import WireAnswer, WireRefusal, WireRequest
from brokers.sandbox.wire.krakenfutures.contracts import CONTRACTS
from brokers.sandbox.wire.krakenfutures.rules import RULES
from brokers.sandbox.wire.krakenfutures.wire import KrakenFuturesWire

TRADING = "/derivatives/api/v3/"


def account(name: str, **more: object) -> AccountSpec:
    """Describe an account whose key is its name, and its secret that in base64."""
    usual: dict[str, object] = {
        "wallets": {"USD": OpeningWallet(balance=Decimal(20_000))},
        "funding": {"USD": Decimal(1_000)},
        "margin_pool": MarginPool.ACCOUNT,
    }
    secret = base64.b64encode(name.encode()).decode()
    return AccountSpec(name=name, api_key=name, secret=secret, **{**usual, **more})


def held(symbol: str, side: Side, quantity: str, mode: MarginMode | None = None) -> OpeningPosition:
    return OpeningPosition(symbol=symbol, side=side, quantity=Decimal(quantity), margin_mode=mode)


ACCOUNTS = (
    account(
        "flex",
        positions=(
            held("PF_XBTUSD", Side.LONG, "0.5"),
            held("PF_ETHUSD", Side.SHORT, "5", MarginMode.ISOLATED),
        ),
    ),
    account(
        "coin",
        wallets={"BTC": OpeningWallet(balance=Decimal("0.4"))},
        margin_pool=MarginPool.CURRENCY,
        positions=(held("PI_XBTUSD", Side.SHORT, "60000"),),
    ),
    account("reader", permissions=Permissions(can_trade=False, can_transfer=False)),
)


@dataclass
class Client:
    """Ask the wire as a client of the venue would, signature and all."""

    wire: KrakenFuturesWire
    gateway: Gateway
    name: str = "flex"

    def sign(self, method: str, target: str, body: bytes = b"", **changes: str) -> WireRequest:
        """Build a signed request; `changes` replace parts of what is signed with or sent."""
        path, _, query = target.partition("?")
        nonce = changes.get("nonce", "")
        signed = f"{changes.get('signed_query', query)}".encode() + body + nonce.encode()
        signed += changes.get("signed_path", path.removeprefix("/derivatives")).encode()
        digest = hashlib.sha256(signed).digest()
        mac = hmac.new(changes.get("secret", self.name).encode(), digest, hashlib.sha512).digest()
        headers = {"apikey": changes.get("key", self.name), "authent": base64.b64encode(mac).decode()}
        if nonce:
            headers["nonce"] = nonce
        return WireRequest(method=method, target=target, headers=headers, body=body, now_ms=self.wire.now_ms)

    def send(self, request: WireRequest) -> WireAnswer:
        """Let the venue's front answer a request."""
        route = self.gateway.route_of(request)
        try:
            name = self.gateway.admit(request, route)
        except WireRefusal as refusal:
            return refusal.answer
        assert route is not None
        return self.gateway.act(request, route, name)

    def ask(self, method: str, call: str, **params: object) -> Json:
        """Return the payload of a signed call, its arguments in the query."""
        query = f"?{urlencode(params)}" if params else ""
        return self.send(self.sign(method, f"{TRADING}{call}{query}")).payload

    def get(self, call: str, **params: object) -> Json:
        return self.ask("GET", call, **params)

    def order(self, **params: object) -> Json:
        """Place an order, by default a reduce-only sale of 0.1, and return its status."""
        usual: dict[str, object] = {
            "orderType": "mkt",
            "symbol": "PF_XBTUSD",
            "side": "sell",
            "size": "0.1",
            "reduceOnly": "true",
        }
        payload = self.ask("POST", "sendorder", **(usual | params))
        return payload.get("sendStatus", payload)

    def batch(self, *rows: Json) -> Json:
        body = b"json=" + json.dumps({"batchOrder": list(rows)}).encode()
        payload = self.send(self.sign("POST", f"{TRADING}batchorder", body)).payload
        return payload.get("batchStatus", payload)


@pytest.fixture
def engine() -> Engine:
    """A calm venue under Kraken Futures' rules."""
    return Engine(
        SandboxSpec(
            instruments=CONTRACTS, assets=ASSETS, accounts=ACCOUNTS, rules=RULES, scenario=calm(noise=0.0)
        )
    )


@pytest.fixture
def client(engine: Engine) -> Callable[[str], Client]:
    """Sign in as one of the accounts."""
    wire = KrakenFuturesWire(engine)
    gateway = Gateway(wire, speed=0, clock=lambda: 0.0)
    return lambda name: Client(wire, gateway, name)


@pytest.fixture
def desk(client: Callable[[str], Client]) -> Client:
    """The multi-collateral account."""
    return client("flex")
