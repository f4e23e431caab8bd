"""Bybit as the transport sees it: budget, clock, and which answers are refusals of what kind."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from brokers.errors import (
    Banned,
    BrokerError,
    ClockRefused,
    MalformedAnswer,
    RateLimited,
    RequestRefused,
    Unauthorized,
    VenueUnavailable,
)
from brokers.no_return import opening_refused, venue_acts
from brokers.numbers import NumberError, decimal_from, decimal_or_none
from brokers.profile import BudgetRules, BudgetScope, CallLimit, Headers, VenueProfile

BAN_S = 600.0
"""How long an address is banned for too many requests. Source: Bybit docs, Rate Limit Rules."""

FORBIDDEN_S = 120.0
"""Pause after a 403 that does not say why: a ban, a firewall, or a country that Bybit does not serve."""

LIMIT_PERIOD_S = 1.0
"""Limits per key and endpoint are counted by the second."""

LONGEST_RESET_S = 5.0

CLOCK = "10002"
TOO_MANY = frozenset({"10006", "10018"})
ADDRESS_BANNED = "10009"

UNAUTHORIZED = frozenset(
    {
        "10003",
        "10004",
        "10005",
        "10007",
        "10008",
        "10010",
        "10020",
        "10024",
        "10027",
        "10028",
        "33004",
        "-2015",
    }
)
"""Key unknown, signature wrong, permission missing, account banned, address not bound, account not unified,
compliance, trading banned, unified only, key expired (three codes)."""

UNAVAILABLE = frozenset(
    {"429", "10000", "10016", "10019", "10429", "3400214", "5004", "340099", "131200", "131201"}
)
"""Server timeouts, restarts, internal errors and system-wide protection: the state is unknown."""

FORBIDDEN_STATUS = 403
UNAUTHORIZED_STATUS = 401


def read_time(payload: Any) -> int:  # noqa: ANN401 - raw JSON
    """Return the venue's milliseconds: the envelope's own, else `timeNano` in full."""
    try:
        return int(decimal_from(payload.get("time")))
    except NumberError:
        return int(payload["result"]["timeNano"]) // 1_000_000


def read_refusal(status: int, headers: Headers, payload: Any) -> BrokerError | None:  # noqa: ANN401 - raw JSON
    """Return what an answer refuses, `None` for success (`retCode` 0) and for what only its status tells."""
    if status == FORBIDDEN_STATUS and not _is_verdict(payload):
        return _forbidden(payload)
    if payload is None:
        return None
    if not isinstance(payload, Mapping) or payload.get("retCode") is None:
        return MalformedAnswer("no retCode")
    code, message = str(payload["retCode"]), str(payload.get("retMsg") or "")
    if code == "0":
        return None
    return _by_code(code, message, status, _until_reset(headers, payload))


def _by_code(code: str, text: str, status: int, until_reset: float) -> BrokerError:
    if code == CLOCK:
        return ClockRefused(text, code=code)
    if code == ADDRESS_BANNED:
        return Banned(f"{text} (code {code})", retry_after=BAN_S)
    if code in TOO_MANY:
        return RateLimited(f"{text} (code {code})", retry_after=until_reset)
    if code in UNAUTHORIZED or status == UNAUTHORIZED_STATUS:
        return Unauthorized(text, code=code)
    if code in UNAVAILABLE:
        return VenueUnavailable(f"{text} (code {code})")
    return RequestRefused(text, code=code)


def _is_verdict(payload: Any) -> bool:  # noqa: ANN401 - raw JSON
    """Tell whether a 403 is the venue's word on this request, and not its firewall's on our address."""
    code = payload.get("retCode") if isinstance(payload, Mapping) else None
    message = str(payload.get("retMsg") or "") if isinstance(payload, Mapping) else ""
    return code not in (None, 0, "0") and "frequent" not in message.casefold()


def _forbidden(payload: Any) -> Banned:  # noqa: ANN401 - raw JSON
    message = str(payload.get("retMsg") or "") if isinstance(payload, Mapping) else ""
    if "frequent" in message.casefold():
        return Banned(f"HTTP 403 {message}", retry_after=BAN_S)
    return Banned(f"HTTP 403 {message}".strip(), retry_after=FORBIDDEN_S)


def _until_reset(headers: Headers, payload: Mapping[str, Any]) -> float:
    """Return the seconds until the endpoint's own limit is reset; limits are per second where not said."""
    try:
        reset = decimal_or_none(headers.get("x-bapi-limit-reset-timestamp"))
        now = decimal_or_none(payload.get("time"))
    except NumberError:
        return LIMIT_PERIOD_S
    if reset is None or now is None:
        return LIMIT_PERIOD_S
    return min(max(float(reset - now) / 1000, 0.05), LONGEST_RESET_S)


CALL_LIMITS: Mapping[str, CallLimit] = MappingProxyType(
    {
        "privatePostV5OrderCreate": CallLimit(10),
        "privatePostV5OrderCancel": CallLimit(10),
        "privatePostV5PositionSetLeverage": CallLimit(10),
        "privateGetV5OrderRealtime": CallLimit(50),
        "privateGetV5PositionList": CallLimit(50),
        "privateGetV5AccountWalletBalance": CallLimit(50),
        "privateGetV5UserQueryApi": CallLimit(10),
        "privatePostV5AccountNoConvertRepay": CallLimit(1),
    }
)
"""Limits per key and endpoint, by the second. Source: Bybit docs, Rate Limit Rules."""

POINTS = (opening_refused("IM rate 100 %"), venue_acts("MM rate 100 %"))
"""At the second Bybit cancels orders, repays and liquidates in parts; an isolated position at its own.

Source: Bybit help centre, "Trading Rules: Liquidation Process (Unified Trading Account)".
"""

PROFILE = VenueProfile(
    venue="bybit",
    ccxt_class="bybit",
    budget=BudgetRules(capacity=600, period_s=5, scope=BudgetScope.ADDRESS),
    call_limits=CALL_LIMITS,
    time_call="publicGetV5MarketTime",
    read_time=read_time,
    read_refusal=read_refusal,
    options=MappingProxyType({"defaultType": "swap"}),
    window_option="recvWindow",
    read_window_ms=5000,
    write_window_ms=3000,
)
