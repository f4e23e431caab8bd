"""Who asks, and whether it is they: API key, HMAC over the raw bytes, timestamp window.

Source: Binance Open Platform, derivatives general info, "SIGNED endpoint security" and "Timing security".
"""

import hashlib
import hmac
from urllib.parse import parse_qs

from brokers.sandbox.engine import Engine
from brokers.sandbox.spec import AccountSpec
from brokers.sandbox.wire.base import WireRequest
from brokers.sandbox.wire.binance.refusals import refuse

DEFAULT_WINDOW_MS, LARGEST_WINDOW_MS, AHEAD_MS = 5_000, 60_000, 1_000


def authenticate(engine: Engine, request: WireRequest) -> AccountSpec:
    """Return the account that signed a request.

    Raises:
        WireRefusal: -2014, -2015, -1102, -1022, -1131, -1021.
    """
    key = request.headers.get("x-mbx-apikey", "")
    if not key:
        raise refuse(-2014)
    account = engine.account_by_key(key)
    if account is None:
        raise refuse(-2015)
    stated, signed = _split(request)
    if stated is None:
        raise refuse(-1102, "Mandatory parameter 'signature' was not sent, was empty/null, or malformed.")
    expected = hmac.new(account.secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, stated.lower()):
        raise refuse(-1022)
    _check_time(signed, request.now_ms)
    return account


def window(request: WireRequest) -> tuple[int, int]:
    """Return timestamp and recvWindow of a signed request, in milliseconds."""
    return _window(_split(request)[1])


def _split(request: WireRequest) -> tuple[str | None, str]:
    """Take the signature out of query and body; what is left of both, in that order, is what was signed."""
    stated, rest = None, []
    for text in (request.raw_query, request.body.decode("latin-1")):
        parts = text.split("&") if text else []
        found = [part for part in parts if part.startswith("signature=")]
        stated = found[-1].removeprefix("signature=") if found else stated
        rest.append("&".join(part for part in parts if not part.startswith("signature=")))
    return stated, "".join(rest)


def _window(signed: str) -> tuple[int, int]:
    fields = parse_qs(signed)
    try:
        timestamp = int(fields["timestamp"][0])
    except (KeyError, ValueError):
        message = "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed."
        raise refuse(-1102, message) from None
    try:
        return timestamp, int(fields.get("recvWindow", [str(DEFAULT_WINDOW_MS)])[0])
    except ValueError:
        raise refuse(-1102, "Parameter 'recvWindow' was malformed.") from None


def _check_time(signed: str, now_ms: int) -> None:
    timestamp, recv_window = _window(signed)
    if not 0 < recv_window <= LARGEST_WINDOW_MS:
        raise refuse(-1131)
    if timestamp >= now_ms + AHEAD_MS:
        raise refuse(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - timestamp > recv_window:
        raise refuse(-1021)
