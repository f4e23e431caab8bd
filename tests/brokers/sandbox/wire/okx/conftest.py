"""An OKX venue in memory, and a client that signs requests to it by hand."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urlencode

import pytest

from brokers.models import ContractKind, MarginMode, PositionMode, Side
from brokers.profile import Json
from brokers.sandbox.catalogue import ASSETS, INSTRUMENTS
from brokers.sandbox.engine import Engine
from brokers.sandbox.gateway import Gateway
from brokers.sandbox.instrument import Instrument
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
from brokers.sandbox.wire.okx.rules import RULES
from brokers.sandbox.wire.okx.wire import OkxWire

BTC, ETH, INVERSE = "BTC-USDT", "ETH-USDT", "BTC-USD"

BTC_USD = Instrument(
    name=INVERSE,
    base="BTC",
    settle="BTC",
    kind=ContractKind.INVERSE,
    contract_size=Decimal(100),
    lot_step=Decimal(100),
    min_quantity=Decimal(100),
    price_step=Decimal("0.1"),
)


def position(symbol: str, side: Side, quantity: str, mode: MarginMode | None = None) -> OpeningPosition:
    """Open a position at the opening price."""
    return OpeningPosition(symbol=symbol, side=side, quantity=Decimal(quantity), margin_mode=mode)


def account(name: str, **more: object) -> AccountSpec:
    """Describe an account whose key is its name; secret and passphrase are made of it."""
    usual: dict[str, object] = {
        "wallets": {
            "USDT": OpeningWallet(balance=Decimal(20_000)),
            "BTC": OpeningWallet(balance=Decimal("0.1")),
        },
        "funding": {"USDT": Decimal(1_000)},
        "margin_pool": MarginPool.ACCOUNT,
    }
    return AccountSpec(
        name=name, api_key=name, secret=name[::-1], password=f"pass {name}", **{**usual, **more}
    )


ACCOUNTS = (
    account("multi", positions=(position(BTC, Side.LONG, "1"), position(ETH, Side.SHORT, "2"))),
    account(
        "futures",
        margin_pool=MarginPool.CURRENCY,
        positions=(
            position(BTC, Side.LONG, "0.5"),
            position(INVERSE, Side.SHORT, "1200"),
            position(ETH, Side.SHORT, "5", MarginMode.ISOLATED),
        ),
    ),
    account(
        "hedge",
        position_mode=PositionMode.HEDGE,
        positions=(position(BTC, Side.LONG, "1"), position(BTC, Side.SHORT, "0.4")),
    ),
    account("portfolio", positions=(position(BTC, Side.LONG, "1"),)),
    account("flat", margin_pool=MarginPool.CURRENCY),
    account(
        "debtor",
        wallets={
            "USDT": OpeningWallet(balance=Decimal(500), borrowed=Decimal(2_000), interest=Decimal(3)),
            "BTC": OpeningWallet(balance=Decimal("0.1")),
        },
    ),
    account("reader", permissions=Permissions(can_trade=False, can_transfer=False, ip_bound=False)),
    account("rich", permissions=Permissions(can_withdraw=True)),
)


@dataclass
class Client:
    """Ask the wire as a client of the venue would, signature and all."""

    wire: OkxWire
    gateway: Gateway
    name: str = "multi"

    def sign(self, method: str, target: str, body: bytes = b"", **changes: str) -> WireRequest:
        """Build a signed request; `changes` replace parts of what is signed with or sent."""
        moment = datetime.fromtimestamp(self.wire.now_ms / 1000, UTC)
        stamp = changes.get("timestamp", moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
        signed = f"{stamp}{method}{changes.get('signed_target', target)}".encode() + body
        key = changes.get("secret", self.name[::-1]).encode()
        headers = {
            "ok-access-key": changes.get("key", self.name),
            "ok-access-sign": base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode(),
            "ok-access-timestamp": stamp,
            "ok-access-passphrase": changes.get("passphrase", f"pass {self.name}"),
        }
        if "exp_time" in changes:
            headers["exptime"] = changes["exp_time"]
        return WireRequest(
            method=method, target=f"/api/v5/{target}" if not target.startswith("/") else target,
            headers=headers, body=body, now_ms=self.wire.now_ms,
        )  # fmt: skip

    def send(self, request: WireRequest) -> WireAnswer:
        """Let the venue's front answer a request."""
        route = self.gateway.route_of(request)
        try:
            name = self.gateway.admit(request, route)
        except WireRefusal as refusal:
            return refusal.answer
        assert route is not None
        return self.gateway.act(request, route, name)

    def get(self, path: str, **params: str) -> Json:
        """Return the payload of a signed read."""
        target = f"/api/v5/{path}" + (f"?{urlencode(params)}" if params else "")
        return self.send(self.sign("GET", target)).payload

    def post(self, path: str, body: object, **changes: str) -> Json:
        """Return the payload of a signed write."""
        return self.send(self.sign("POST", f"/api/v5/{path}", json.dumps(body).encode(), **changes)).payload

    def public(self, path: str, **params: str) -> Json:
        """Return the payload of an unsigned request."""
        target = f"/api/v5/{path}" + (f"?{urlencode(params)}" if params else "")
        request = WireRequest(method="GET", target=target, headers={}, body=b"", now_ms=self.wire.now_ms)
        return self.send(request).payload

    def row(self, path: str, **params: str) -> Json:
        """Return the one row of a signed read."""
        payload = self.get(path, **params)
        assert payload["code"] == "0", payload
        (row,) = payload["data"]
        return row

    def order(self, *, exp_time: str | None = None, **params: object) -> Json:
        """Place an order, by default a reduce-only sale of 10 contracts, and return its row."""
        usual: Mapping[str, object] = {
            "instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "sell", "ordType": "market", "sz": "10",
            "reduceOnly": True,
        }  # fmt: skip
        body = {name: value for name, value in {**usual, **params}.items() if value is not None}
        payload = self.post("trade/order", body, **({} if exp_time is None else {"exp_time": exp_time}))
        return payload["data"][0] if payload["data"] else payload


@pytest.fixture
def engine() -> Engine:
    """A calm venue under OKX's rules."""
    spec = SandboxSpec(
        instruments=(*INSTRUMENTS, BTC_USD), assets=ASSETS, accounts=ACCOUNTS, rules=RULES, scenario=calm()
    )
    return Engine(spec)


@pytest.fixture
def client(engine: Engine) -> Callable[[str], Client]:
    """Sign in as one of the accounts."""
    wire = OkxWire(engine, portfolio=["portfolio"])
    gateway = Gateway(wire, speed=0, clock=lambda: 0.0)
    return lambda name: Client(wire, gateway, name)


@pytest.fixture
def desk(client: Callable[[str], Client]) -> Client:
    """The net-mode, multi-currency account."""
    return client("multi")
