"""Who may enter: Coinbase's bearer tokens, ES256 over method, host and path, and what their keys may do."""

import base64
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from brokers.sandbox.engine import Engine
from brokers.sandbox.spec import AccountSpec
from brokers.sandbox.wire.base import WireRefusal, WireRequest
from brokers.sandbox.wire.coinbase.answers import error, unauthorized

ISSUER = "coinbase-cloud"
AUDIENCE = "retail_rest_api_proxy"
LONGEST_LIFE_S = 120 + 1
SCALAR = 32
"""Bytes of each of the two numbers of a signature on P-256."""


class Gate:
    """Admits requests whose token was signed by an account's key, for this very call, and is still alive."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def admit(self, request: WireRequest) -> str:
        """Return the account that signed `request`.

        Raises:
            WireRefusal: not a request of any account, or not allowed to its key.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        parts = token.split(".")
        if scheme != "Bearer" or len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
            raise WireRefusal(unauthorized())
        header, claims, signature = _json(parts[0]), _json(parts[1]), _bytes(parts[2])
        spec = self._engine.account_by_key(str(claims.get("sub")))
        if spec is None or header.get("alg") != "ES256" or header.get("kid") != spec.api_key:
            raise WireRefusal(unauthorized())
        if not _is_signed(f"{parts[0]}.{parts[1]}".encode(), signature, spec.secret):
            raise WireRefusal(unauthorized())
        if not (_is_alive(claims, request.now_ms) and _is_for(claims, request)):
            raise WireRefusal(unauthorized())
        _check_permission(request, spec)
        return spec.name


def _json(part: str) -> Mapping[str, Any]:
    try:
        found = json.loads(_bytes(part))
    except ValueError:
        raise WireRefusal(unauthorized()) from None
    if not isinstance(found, dict):
        raise WireRefusal(unauthorized())
    return found


def _bytes(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise WireRefusal(unauthorized()) from None


@cache
def public_key(secret: str) -> EllipticCurvePublicKey:
    """Return the public half of an account's key, which is all that the venue would have of it.

    Raises:
        ValueError: it is no private key on P-256 in PEM form.
    """
    key = load_pem_private_key(secret.encode(), None)
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise ValueError("an account's secret must be an ECDSA key on P-256")  # noqa: TRY004 - a text
    return key.public_key()


def _is_signed(text: bytes, signature: bytes, secret: str) -> bool:
    """Check a signature: two numbers of 32 bytes, one after the other."""
    if len(signature) != 2 * SCALAR:
        return False
    r, s = int.from_bytes(signature[:SCALAR]), int.from_bytes(signature[SCALAR:])
    try:
        public_key(secret).verify(encode_dss_signature(r, s), text, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _is_alive(claims: Mapping[str, Any], now_ms: int) -> bool:
    begins, ends = claims.get("nbf"), claims.get("exp")
    if not isinstance(begins, int) or not isinstance(ends, int) or ends - begins > LONGEST_LIFE_S:
        return False
    return begins * 1000 <= now_ms < ends * 1000


def _is_for(claims: Mapping[str, Any], request: WireRequest) -> bool:
    """Whether the token names this call; on plain http ccxt leaves the scheme in."""
    host = request.headers.get("host", "")
    wanted = {f"{request.method} {scheme}{host}{request.path}" for scheme in ("", "http://")}
    audience = claims.get("aud")
    return claims.get("iss") == ISSUER and audience == [AUDIENCE] and claims.get("uri") in wanted


def _check_permission(request: WireRequest, spec: AccountSpec) -> None:
    granted = spec.permissions
    if not (granted.can_trade if request.method == "POST" else granted.can_read):
        raise WireRefusal(error(403, "PERMISSION_DENIED", "Missing required scopes"))
