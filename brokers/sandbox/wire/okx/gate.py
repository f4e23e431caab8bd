"""Who may enter: OKX's signature, passphrase, timestamp window, key permissions and request limits."""

import base64
import hmac
from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256

from brokers.sandbox.engine import Engine
from brokers.sandbox.spec import AccountSpec
from brokers.sandbox.wire.base import WireRequest
from brokers.sandbox.wire.okx.envelope import refuse

TIMESTAMP_WINDOW_MS = 30_000
LIMIT_WINDOW_MS = 2_000

LIMITS: Mapping[str, int] = {
    "/api/v5/account/balance": 10,
    "/api/v5/account/positions": 10,
    "/api/v5/account/config": 5,
    "/api/v5/account/interest-rate": 5,
    "/api/v5/account/set-leverage": 40,
    "/api/v5/trade/order": 60,
    "/api/v5/trade/batch-orders": 300,
    "/api/v5/trade/cancel-order": 60,
    "/api/v5/trade/cancel-batch-orders": 300,
    "/api/v5/trade/close-position": 20,
    "/api/v5/trade/orders-pending": 60,
    "/api/v5/trade/orders-history": 40,
    "/api/v5/trade/order-algo": 20,
    "/api/v5/trade/cancel-algos": 20,
    "/api/v5/trade/orders-algo-pending": 20,
    "/api/v5/asset/balances": 12,
    "/api/v5/asset/transfer": 4,
    "/api/v5/asset/transfer-state": 20,
}
"""Requests of one user in two seconds, per endpoint and method. Source: OKX docs, at each endpoint."""


class Gate:
    """Admits signed requests of the engine's accounts, and counts them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._times: defaultdict[tuple[str, str, str], deque[int]] = defaultdict(deque)

    def admit(self, request: WireRequest) -> str:
        """Return the account that signed `request`.

        The signature covers the timestamp, the method, the path with its query exactly as sent, and the raw
        body.

        Raises:
            WireRefusal: not a request of any account, or one too many.
        """
        headers = {name: request.headers.get(f"ok-access-{name}", "") for name in HEADERS}
        for name, code in HEADERS.items():
            if not headers[name]:
                raise refuse(code)
        spec = self._engine.account_by_key(headers["key"])
        if spec is None:
            raise refuse("50119")
        _check_time(headers["timestamp"], request.now_ms)
        if not hmac.compare_digest(headers["passphrase"].encode(), spec.password.encode()):
            raise refuse("50105")
        signed = f"{headers['timestamp']}{request.method}{request.target}".encode() + request.body
        expected = base64.b64encode(hmac.new(spec.secret.encode(), signed, sha256).digest())
        if not hmac.compare_digest(headers["sign"].encode(), expected):
            raise refuse("50113")
        _check_permission(request, spec)
        self._count(request, spec.name)
        return spec.name

    def _count(self, request: WireRequest, account: str) -> None:
        limit = LIMITS.get(request.path)
        if limit is None:
            return
        times = self._times[account, request.method, request.path]
        while times and times[0] <= request.now_ms - LIMIT_WINDOW_MS:
            times.popleft()
        if len(times) >= limit:
            raise refuse("50011")
        times.append(request.now_ms)


HEADERS: Mapping[str, str] = {
    "key": "50103",
    "passphrase": "50104",
    "sign": "50106",
    "timestamp": "50107",
}
"""What a signed request carries, and the code that its absence has."""


def _check_time(text: str, now_ms: int) -> None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise refuse("50112") from None
    if moment.tzinfo is None:
        raise refuse("50112")
    if abs(moment.astimezone(UTC).timestamp() * 1000 - now_ms) > TIMESTAMP_WINDOW_MS:
        raise refuse("50102")


def _check_permission(request: WireRequest, spec: AccountSpec) -> None:
    granted = spec.permissions
    allowed = granted.can_read
    if request.method == "POST":
        allowed = granted.can_transfer if request.path == "/api/v5/asset/transfer" else granted.can_trade
    if not allowed:
        raise refuse("50120")
