"""Who may enter: Kraken's signature over the raw body, rising nonces, key permissions, the call counter.

The signature is base64(HMAC-SHA512(base64-decoded secret, path + SHA256(nonce + body))), the nonce being the
one in the body. Source: Kraken docs, "Spot REST Authentication".
"""

import base64
import binascii
import hmac
import json
from dataclasses import dataclass
from hashlib import sha256, sha512

from brokers.sandbox.engine import Engine
from brokers.sandbox.spec import AccountSpec
from brokers.sandbox.wire.base import WireRequest
from brokers.sandbox.wire.kraken.envelope import (
    INVALID_KEY,
    INVALID_NONCE,
    INVALID_SIGNATURE,
    PERMISSION_DENIED,
    RATE_LIMIT,
    refuse,
)

JSON_TYPE = "application/json"

READS = frozenset({"TradeBalance", "OpenPositions", "OpenOrders", "ClosedOrders", "QueryOrders", "BalanceEx"})
UNCOUNTED = frozenset({"AddOrder", "CancelOrder", "CancelOrderBatch"})
WRITES = UNCOUNTED | {"CancelAllOrdersAfter"}


@dataclass(frozen=True, slots=True)
class Tier:
    """A verification tier's call counter: where it ends, and how fast it falls, per second."""

    limit: float
    decay: float


STARTER, INTERMEDIATE, PRO = Tier(15, 0.33), Tier(20, 0.5), Tier(20, 1.0)
"""Source: Kraken docs, "Spot REST Rate Limits"."""


@dataclass(slots=True)
class _Counter:
    level: float = 0.0
    at_ms: int = 0


def api_sign(secret: bytes, path: str, nonce: str, body: bytes) -> str:
    """Return the signature of a private request."""
    digest = path.encode() + sha256(nonce.encode() + body).digest()
    return base64.b64encode(hmac.new(secret, digest, sha512).digest()).decode()


def arguments(request: WireRequest) -> dict[str, object]:
    """Return the arguments of the body, a form or a JSON object; none for what is neither."""
    if not request.headers.get("content-type", "").startswith(JSON_TYPE):
        return dict(request.form)
    try:
        body = json.loads(request.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


class Gate:
    """Admits signed requests of the engine's accounts, and counts them by the account's tier."""

    def __init__(self, engine: Engine, tier: Tier = STARTER) -> None:
        self._engine = engine
        self.tier = tier
        self._second_keys: dict[str, AccountSpec] = {}
        self._nonces: dict[str, int] = {}
        self._counters: dict[str, _Counter] = {}

    def add_key(self, spec: AccountSpec) -> None:
        """Let `spec`'s key and permissions open the account of its name, beside the account's own."""
        self._second_keys[spec.api_key] = spec

    def use_nonce(self, api_key: str, nonce: int) -> None:
        """Note a nonce as seen, as if another client had used the key."""
        self._nonces[api_key] = nonce

    def admit(self, request: WireRequest) -> str:
        """Return the account that signed `request`, and count it.

        Raises:
            WireRefusal: not a request of any account, a nonce that does not rise, one call too many.
        """
        spec = self.signer(request)
        nonce = str(arguments(request).get("nonce") or "")
        if not (nonce.isascii() and nonce.isdigit()) or int(nonce) <= self._nonces.get(spec.api_key, -1):
            raise refuse(INVALID_NONCE)
        self._nonces[spec.api_key] = int(nonce)
        call = request.path.rpartition("/")[2]
        _check_permission(call, spec)
        if call not in UNCOUNTED:
            self._count(spec.api_key, request.now_ms)
        return spec.name

    def signer(self, request: WireRequest) -> AccountSpec:
        """Return the account that signed `request`, with the key it used, whenever that was.

        Raises:
            WireRefusal: not a request of any account.
        """
        api_key = request.headers.get("api-key", "")
        spec = self._second_keys.get(api_key) or self._engine.account_by_key(api_key)
        if spec is None:
            raise refuse(INVALID_KEY)
        nonce = str(arguments(request).get("nonce") or "")
        expected = api_sign(_secret_of(spec), request.path, nonce, request.body)
        if not hmac.compare_digest(request.headers.get("api-sign", "").encode(), expected.encode()):
            raise refuse(INVALID_SIGNATURE)
        return spec

    def _count(self, api_key: str, now_ms: int) -> None:
        counter = self._counters.setdefault(api_key, _Counter(at_ms=now_ms))
        gone = max(now_ms - counter.at_ms, 0) / 1000 * self.tier.decay
        counter.level, counter.at_ms = max(counter.level - gone, 0.0) + 1, now_ms
        if counter.level > self.tier.limit:
            raise refuse(RATE_LIMIT)


def _secret_of(spec: AccountSpec) -> bytes:
    try:
        return base64.b64decode(spec.secret, validate=True)
    except binascii.Error:
        return spec.secret.encode()


def _check_permission(call: str, spec: AccountSpec) -> None:
    granted = spec.permissions
    if (call in READS and not granted.can_read) or (call in WRITES and not granted.can_trade):
        raise refuse(PERMISSION_DENIED)
