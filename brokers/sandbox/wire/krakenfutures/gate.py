"""Who may enter: Kraken Futures' signature over the arguments as they came, its nonce, key permissions."""

import base64
import binascii
import hmac
from hashlib import sha256, sha512

from brokers.sandbox.engine import Engine
from brokers.sandbox.spec import AccountSpec
from brokers.sandbox.wire.base import WireRequest
from brokers.sandbox.wire.krakenfutures.envelope import refuse

PREFIX = "/derivatives"
READS_BY_POST = frozenset({"/derivatives/api/v3/orders/status"})


def authent(secret: bytes, arguments: bytes, nonce: str, path: str) -> str:
    """Return the signature: base64(HMAC-SHA512(secret, SHA256(arguments + nonce + path))).

    `arguments` are the raw query or form body, `path` is that of the URL without `/derivatives`.
    """
    digest = sha256(arguments + nonce.encode() + path.removeprefix(PREFIX).encode()).digest()
    return base64.b64encode(hmac.new(secret, digest, sha512).digest()).decode()


class Gate:
    """Admits signed requests of the engine's accounts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._nonces: dict[str, int] = {}

    def admit(self, request: WireRequest) -> str:
        """Return the account that signed `request`. A nonce may be left out; where one came, it must rise.

        Raises:
            WireRefusal: not a request of any account, or of one that may not make it.
        """
        key, given = request.headers.get("apikey", ""), request.headers.get("authent", "")
        spec = self._engine.account_by_key(key)
        if spec is None or not given:
            raise refuse("authenticationError", request)
        nonce = request.headers.get("nonce", "")
        expected = authent(_secret_of(spec), request.raw_query.encode() + request.body, nonce, request.path)
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise refuse("authenticationError", request)
        self._check_nonce(nonce, spec, request)
        _check_permission(request, spec)
        return spec.name

    def _check_nonce(self, nonce: str, spec: AccountSpec, request: WireRequest) -> None:
        if not nonce:
            return
        if not (nonce.isascii() and nonce.isdigit()):
            raise refuse("invalidArgument", request, "nonce")
        last = self._nonces.get(spec.name, -1)
        if int(nonce) <= last:
            raise refuse("nonceDuplicate" if int(nonce) == last else "nonceBelowThreshold", request)
        self._nonces[spec.name] = int(nonce)


def _secret_of(spec: AccountSpec) -> bytes:
    try:
        return base64.b64decode(spec.secret, validate=True)
    except binascii.Error:
        return spec.secret.encode()


def _check_permission(request: WireRequest, spec: AccountSpec) -> None:
    granted = spec.permissions
    allowed = granted.can_read
    if request.method != "GET" and request.path not in READS_BY_POST:
        allowed = granted.can_transfer if request.path.endswith("/transfer") else granted.can_trade
    if not allowed:
        raise refuse("permissionDenied", request)
