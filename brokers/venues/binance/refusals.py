"""What Binance means by a refusal: one reading for every host, path and product.

Source: Binance Open Platform, derivatives general info (HTTP return codes) and error code pages.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from brokers.answers import ABSENT, ForeignAnswer
from brokers.errors import (
    Banned,
    BrokerError,
    ClockRefused,
    NotSupported,
    RateLimited,
    RequestRefused,
    Unauthorized,
    VenueUnavailable,
)
from brokers.numbers import NumberError, decimal_from, time_from_ms
from brokers.profile import Headers

FORBIDDEN, BANNED, TOO_MANY = 403, 418, 429
CLIENT_ERROR = 400

SUCCESS = frozenset({0, 200})
"""Codes that answers to some writes carry when they worked."""

CLOCK = frozenset({-1021})
CREDENTIALS = frozenset({-1002, -1011, -1022, -1099, -2008, -2014, -2015})
UNAVAILABLE = frozenset({-1000, -1001, -1004, -1006, -1007, -1008, -1016})
"""The venue failed inside, or did not hear from its matching engine in time: a write may have worked."""

TOO_FAST = frozenset({-1003, -1015})

NO_SUCH_PATH = frozenset({"-1020", "-5000"})

_BANNED_UNTIL = re.compile(r"banned until (\d{13})")


def read_refusal(status: int, headers: Headers, payload: object) -> BrokerError | None:
    """Return what an answer refuses and why; `None` for success and for what only its status can tell.

    418 and 429 outrank the body: the request was not judged. A status of "no such path" outranks codes that
    say nothing of the key, since hosts word it differently. A positive code other than success is a refusal
    with that code, and proves nothing more.
    """
    code, message = _envelope(payload)
    text = f"HTTP {status}" if code is None else f"{code}: {message}"
    if status == BANNED:
        return Banned(text, retry_after=_ban_seconds(headers, message))
    if status == TOO_MANY or code in TOO_FAST:
        return RateLimited(text, retry_after=_seconds(headers))
    if code is None:
        return RateLimited(f"{text}: the venue's firewall") if status == FORBIDDEN else None
    if code in SUCCESS and status < CLIENT_ERROR:
        return None
    if code in UNAVAILABLE:
        return VenueUnavailable(text)
    if code in CLOCK:
        return ClockRefused(text, code=str(code))
    if code in CREDENTIALS:
        return Unauthorized(text, code=str(code))
    if status in ABSENT:
        return ForeignAnswer(text)
    return RequestRefused(text, code=str(code))


def is_absent(error: BrokerError) -> bool:
    """Tell whether `error` says that there is no such call at that host, rather than that it failed."""
    if isinstance(error, RequestRefused):
        return error.code in NO_SUCH_PATH
    return isinstance(error, (NotSupported, ForeignAnswer))


def used_weight(headers: Headers) -> float | None:
    """Return the request weight used in the running minute, as the futures hosts count it per address."""
    try:
        return float(decimal_from(headers.get("x-mbx-used-weight-1m")))
    except NumberError:
        return None


def words_of(payload: object) -> str:
    """Return the venue's message, without a full stop; empty where there is none."""
    return _envelope(payload)[1].strip().rstrip(".")


def _envelope(payload: object) -> tuple[int | None, str]:
    """Return the venue's code and message; `None` where the answer has no code."""
    if not isinstance(payload, Mapping) or "code" not in payload:
        return None, ""
    try:
        return int(decimal_from(payload["code"])), str(payload.get("msg", ""))
    except NumberError:
        return None, ""


def _seconds(headers: Headers) -> float | None:
    try:
        return float(decimal_from(headers.get("retry-after")))
    except NumberError:
        return None


def _ban_seconds(headers: Headers, message: str) -> float | None:
    """Return how long a ban lasts: as the header says, else until the moment that the message names."""
    stated = _seconds(headers)
    found = _BANNED_UNTIL.search(message)
    if stated is not None or found is None:
        return stated
    try:
        now = parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError):
        now = datetime.now(UTC)
    try:
        return max(0.0, (time_from_ms(found[1]) - now).total_seconds())
    except NumberError:
        return None
