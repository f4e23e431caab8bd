"""The gate, by hand: tokens signed with the real key, each wrong in one thing."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from brokers.sandbox.engine import Engine
from brokers.sandbox.gateway import Gateway
from brokers.sandbox.spec import AccountSpec, OpeningWallet, Permissions, SandboxSpec
from brokers.sandbox.venues import VENUES
from brokers.sandbox.wire.base import WireRefusal, WireRequest
from brokers.sandbox.wire.coinbase.wire import CoinbaseWire

SECRET = """\
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEICREq8Qza4rjx0zJNgxFy1FXoCdcBleqA4/Gv4W0Ik6ooAoGCCqGSM49
AwEHoUQDQgAEQfQ7X2BS7hqHCdwPXdr3KQ/6KvLnRJFIH4JKF1yDVZMRnMFdoNWg
8+dv5kQQ7iZwqwAuDuZeIFWE/oDTIFZ3VQ==
-----END EC PRIVATE KEY-----
"""
KEY = "organizations/desk/apiKeys/1"
PATH = "/api/v3/brokerage/accounts"
NOW_S = 1_767_225_600
PLAYED = VENUES["coinbase"]


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def token(header: dict[str, Any] | None = None, *, cut: int = 0, **claims: Any) -> str:  # noqa: ANN401
    usual = {
        "aud": ["retail_rest_api_proxy"],
        "iss": "coinbase-cloud",
        "sub": KEY,
        "nbf": NOW_S,
        "iat": NOW_S,
        "exp": NOW_S + 120,
        "uri": f"GET api.coinbase.com{PATH}",
    }
    head = {"alg": "ES256", "typ": "JWT", "kid": KEY, "nonce": "00ff", **(header or {})}
    text = f"{b64(json.dumps(head).encode())}.{b64(json.dumps({**usual, **claims}).encode())}"
    key: Any = load_pem_private_key(SECRET.encode(), None)
    r, s = decode_dss_signature(key.sign(text.encode(), ECDSA(SHA256())))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return f"{text}.{b64(signature[: 64 - cut])}"


@pytest.fixture
def gateway() -> Gateway:
    desk = AccountSpec(
        name="desk",
        api_key=KEY,
        secret=SECRET,
        wallets={"USD": OpeningWallet(balance=PLAYED.assets[-1].usd_price)},
        permissions=Permissions(can_trade=False),
    )
    spec = SandboxSpec(
        instruments=PLAYED.instruments,
        assets=PLAYED.assets,
        accounts=(desk,),
        rules=PLAYED.rules,
        start_ms=NOW_S * 1000,
    )
    return Gateway(CoinbaseWire(Engine(spec)), speed=0, clock=lambda: 0.0)


def admitted(gateway: Gateway, authorization: str, *, method: str = "GET", at_s: float = 0.0) -> object:
    """Return the account that is let in, or the status of the refusal."""
    path = PATH if method == "GET" else "/api/v3/brokerage/orders"
    request = WireRequest(
        method=method,
        target=f"{path}?limit=250",
        headers={"authorization": authorization, "host": "api.coinbase.com"},
        body=b"{}",
        now_ms=round((NOW_S + at_s) * 1000),
    )
    try:
        return gateway.admit(request, gateway.route_of(request))
    except WireRefusal as refusal:
        return refusal.answer.status


def test_a_sound_token_lets_its_account_in(gateway: Gateway) -> None:
    assert admitted(gateway, f"Bearer {token()}") == "desk"
    assert admitted(gateway, f"Bearer {token(uri=f'GET http://api.coinbase.com{PATH}')}") == "desk"
    assert admitted(gateway, f"Bearer {token()}", at_s=119.9) == "desk"


@pytest.mark.parametrize("at_s", [-0.1, 120.0, 500.0])
def test_a_token_lives_from_its_beginning_to_its_end(gateway: Gateway, at_s: float) -> None:
    assert admitted(gateway, f"Bearer {token()}", at_s=at_s) == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"uri": f"POST api.coinbase.com{PATH}"},
        {"uri": "GET api.coinbase.com/api/v3/brokerage/cfm/positions"},
        {"uri": f"GET elsewhere.example{PATH}"},
        {"uri": f"GET api.coinbase.com{PATH}?limit=250"},
        {"aud": ["cdp_service"]},
        {"iss": "cdp"},
        {"sub": "organizations/desk/apiKeys/2"},
        {"exp": NOW_S + 3600},
        {"exp": None},
        {"header": {"alg": "HS256"}},
        {"header": {"kid": "organizations/desk/apiKeys/2"}},
        {"cut": 1},
    ],
)
def test_a_token_for_anything_else_lets_nobody_in(gateway: Gateway, claims: dict[str, Any]) -> None:
    assert admitted(gateway, f"Bearer {token(**claims)}") == 401


def test_claims_changed_after_signing_let_nobody_in(gateway: Gateway) -> None:
    head, claims, signature = token().split(".")
    longer = json.loads(base64.urlsafe_b64decode(claims + "==")) | {"exp": NOW_S + 119}
    assert admitted(gateway, f"Bearer {head}.{b64(json.dumps(longer).encode())}.{signature}") == 401


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer a.b", "Bearer !.!.!", "Basic a.b.c", "Bearer bnVsbA.e30.e30"]
)
def test_what_is_no_token_lets_nobody_in(gateway: Gateway, header: str) -> None:
    assert admitted(gateway, header) == 401


def test_a_key_without_the_scope_is_told_so(gateway: Gateway) -> None:
    bearer = f"Bearer {token(uri='POST api.coinbase.com/api/v3/brokerage/orders')}"
    assert admitted(gateway, bearer, method="POST") == 403


def test_the_thirty_first_request_of_a_second_is_one_too_many(gateway: Gateway) -> None:
    bearer = f"Bearer {token()}"
    assert [admitted(gateway, bearer) for _ in range(31)] == ["desk"] * 30 + [429]
