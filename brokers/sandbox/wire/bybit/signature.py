"""Who asks, and whether it is they: key, HMAC over the raw bytes, timestamp window.

Source: Bybit docs, V5 "Integration Guidance" (authentication) and its rule
`server_time - recv_window <= timestamp < server_time + 1000`.
"""

import hashlib
import hmac

from brokers.sandbox.engine import Engine
from brokers.sandbox.spec import AccountSpec
from brokers.sandbox.wire.base import WireRequest
from brokers.sandbox.wire.bybit.parameters import POST
from brokers.sandbox.wire.bybit.refusals import BybitRefusal

DEFAULT_WINDOW_MS, AHEAD_MS = 5_000, 1_000


def authenticate(engine: Engine, request: WireRequest) -> AccountSpec:
    """Return the account that signed a request: over timestamp, key, window, and the query or body as sent.

    Raises:
        BybitRefusal: 10003, 10004, 10002.
    """
    headers = request.headers
    key = headers.get("x-bapi-api-key", "")
    account = engine.account_by_key(key)
    if account is None:
        raise BybitRefusal(10003)
    timestamp = headers.get("x-bapi-timestamp", "")
    window = headers.get("x-bapi-recv-window", "")
    payload = request.body if request.method == POST else request.raw_query.encode()
    signed = f"{timestamp}{key}{window}".encode() + payload
    expected = hmac.new(account.secret.encode(), signed, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), headers.get("x-bapi-sign", "").lower().encode()):
        raise BybitRefusal(10004)
    _check_time(timestamp, window, request.now_ms)
    return account


def _check_time(timestamp: str, window: str, now_ms: int) -> None:
    try:
        sent, width = int(timestamp), int(window or DEFAULT_WINDOW_MS)
    except ValueError:
        raise BybitRefusal(10001, "params error: timestamp or recv_window invalid") from None
    if not now_ms - width <= sent < now_ms + AHEAD_MS:
        raise BybitRefusal(
            10002,
            "invalid request, please check your server timestamp or recv_window param. "
            f"req_timestamp[{sent}],server_timestamp[{now_ms}],recv_window[{width}]",
        )
