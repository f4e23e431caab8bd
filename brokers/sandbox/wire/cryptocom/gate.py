"""Who may enter: Crypto.com's signature over the request as it was written, its nonce window, its limits."""

import hmac
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from brokers.sandbox.engine import Engine
from brokers.sandbox.spec import AccountSpec
from brokers.sandbox.wire.base import WireAnswer, WireRequest
from brokers.sandbox.wire.cryptocom.envelope import ROOT, body_of, refuse

Handler = Callable[[WireRequest, str], WireAnswer]

NONCE_WINDOW_MS = 60_000
MOST_LEVELS = 3
LIMIT_WINDOW_MS = 100

LIMITS: Mapping[str, tuple[int, int]] = {
    "private/create-order": (15, LIMIT_WINDOW_MS),
    "private/cancel-order": (15, LIMIT_WINDOW_MS),
    "private/cancel-all-orders": (15, LIMIT_WINDOW_MS),
    "private/get-order-detail": (30, LIMIT_WINDOW_MS),
    "private/get-order-history": (1, 1_000),
}
OTHERS = (3, LIMIT_WINDOW_MS)
"""Requests per method and key, and in how many milliseconds. Source: Exchange API v1, "Rate Limits"."""

READING = ("private/get-", "private/user-", "private/advanced/get-")


class Gate:
    """Admits signed requests of the engine's accounts, and counts them.

    `nonce_window_ms` is how far off a nonce may be; a host may keep a narrower one than documented.
    """

    def __init__(self, engine: Engine, *, nonce_window_ms: int = NONCE_WINDOW_MS) -> None:
        self._engine = engine
        self._window_ms = nonce_window_ms
        self._seen: dict[tuple[str, str, str], int] = {}
        self._times: defaultdict[tuple[str, str], deque[int]] = defaultdict(deque)

    def admit(self, request: WireRequest) -> str:
        """Return the account that signed `request`.

        Raises:
            WireRefusal: not a request of any account, too old, or one too many.
        """
        body = body_of(request)
        method, key, nonce = (str(body.get(name) or "") for name in ("method", "api_key", "nonce"))
        if ROOT + method != request.path:
            raise refuse("40003", request)
        spec = self._engine.account_by_key(key)
        if spec is None:
            raise refuse("40101", request)
        if not nonce.isdigit() or abs(int(nonce) - request.now_ms) > self._window_ms:
            raise refuse("40102", request)
        signed = f"{method}{body.get('id', '')}{key}{params_text(body.get('params'))}{nonce}"
        expected = hmac.new(spec.secret.encode(), signed.encode(), sha256).hexdigest()
        if not hmac.compare_digest(str(body.get("sig") or "").encode(), expected.encode()):
            raise refuse("40101", request)
        self._check_permission(method, spec, request)
        self._count(method, spec.name, request)
        return spec.name

    @staticmethod
    def _check_permission(method: str, spec: AccountSpec, request: WireRequest) -> None:
        granted = spec.permissions
        allowed = granted.can_read if method.startswith(READING) else granted.can_trade
        if not allowed:
            raise refuse("40101", request)

    def once(self, handler: Handler) -> Handler:
        """Return `handler` for requests of which each is acted upon once: a repeated nonce is refused."""

        def act(request: WireRequest, account: str) -> WireAnswer:
            identity = (account, request.path, str(body_of(request).get("nonce")))
            horizon = request.now_ms - 2 * self._window_ms
            for old in [known for known, ms in self._seen.items() if ms < horizon]:
                del self._seen[old]
            if identity in self._seen:
                raise refuse("40006", request)
            self._seen[identity] = request.now_ms
            return handler(request, account)

        return act

    def _count(self, method: str, account: str, request: WireRequest) -> None:
        limit, window_ms = LIMITS.get(method, OTHERS)
        times = self._times[account, method]
        while times and times[0] <= request.now_ms - window_ms:
            times.popleft()
        if len(times) >= limit:
            raise refuse("42901", request)
        times.append(request.now_ms)


def params_text(value: Any, level: int = 0) -> str:  # noqa: ANN401 - raw JSON
    """Return the parameter string that is signed: keys in order, each with its value, nothing between.

    Lists are the texts of their members, objects nest to three levels; `null` is nothing and a boolean is
    what JSON calls it. Source: Exchange API v1, "Digital Signature".
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "".join(params_text(member, level) for member in value)
    if isinstance(value, dict):
        if level >= MOST_LEVELS:
            return ""
        return "".join(name + params_text(value[name], level + 1) for name in sorted(value))
    return str(value)
