"""The single values an operator writes: ratios, durations, amounts, endpoints, names."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from ipaddress import ip_address
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
)

from config.section import complain

LARGEST_AMOUNT = Decimal("1e24")
LARGEST_LEVERAGE = Decimal(125)

_AS_RATIO = 'write 0.80 or "80%"'
_IN_BOUNDS = "write a number within these bounds"
_SCALE = 'ten percent is 0.10 or "10%"'
_DECIMAL = re.compile(r"[0-9]{1,25}(\.[0-9]{1,25})?", re.ASCII)
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s?(ms|s|m|h|d)", re.ASCII)
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.ASCII)


def decimal_value(raw: object, what: str, hint: str) -> Decimal:
    """Return a plain decimal number; exponents, separators, NaN and infinities are refused."""
    if isinstance(raw, Decimal) and raw.is_finite():
        return raw
    if isinstance(raw, int) and not isinstance(raw, bool):
        return Decimal(raw)
    if isinstance(raw, str) and _DECIMAL.fullmatch(raw):
        return Decimal(raw)
    raise complain(what, hint)


def _ratio(raw: object) -> Decimal:
    if isinstance(raw, str) and raw.endswith("%"):
        return decimal_value(raw[:-1].strip(), "is not a ratio", _AS_RATIO) / 100
    return decimal_value(raw, "is not a ratio", _AS_RATIO)


def _within(
    low: Decimal, high: Decimal, *, open_low: bool, open_high: bool, hint: str = _SCALE
) -> Callable[[Decimal], Decimal]:
    low_sign, high_sign = "<" if open_low else "<=", "<" if open_high else "<="

    def check(value: Decimal) -> Decimal:
        above = value > low if open_low else value >= low
        below = value < high if open_high else value <= high
        if not (above and below):
            raise complain(f"is out of range: {low} {low_sign} value {high_sign} {high}", hint)
        return value

    return check


def _amount(raw: object) -> Decimal:
    return decimal_value(raw, "is not an amount", "write a plain number such as 2500 or 0.05")


def _duration(raw: object) -> timedelta:
    if isinstance(raw, timedelta):
        return raw
    match = _DURATION.fullmatch(raw) if isinstance(raw, str) else None
    if match is None:
        raise complain("is not a duration", "write a number and its unit: 400ms, 2s, 1m, 1h or 1d")
    microseconds = Decimal(match[1]) * (_UNITS[match[2]] // timedelta(microseconds=1))
    if microseconds > timedelta(days=366) // timedelta(microseconds=1):
        raise complain("is longer than a year", "write 366d or less")
    return timedelta(microseconds=int(microseconds))


def duration_text(value: timedelta) -> str:
    """Return a duration in the largest unit that needs no fraction."""
    for unit in ("d", "h", "m", "s", "ms"):
        if value and value % _UNITS[unit] == timedelta(0):
            return f"{value // _UNITS[unit]}{unit}"
    return f"{value / _UNITS['ms']}ms" if value else "0s"


def lasting(shortest: timedelta, longest: timedelta) -> AfterValidator:
    """Limit a duration to `shortest`..`longest`, both allowed."""

    def check(value: timedelta) -> timedelta:
        if not shortest <= value <= longest:
            bounds = f"{duration_text(shortest)} to {duration_text(longest)}"
            raise complain("is out of range", f"write a duration of {bounds}")
        return value

    return AfterValidator(check)


ZERO, ONE = Decimal(0), Decimal(1)

Ratio = Annotated[Decimal, BeforeValidator(_ratio)]
"""A fraction, written `0.80` or `80%`."""

Threshold = Annotated[Ratio, AfterValidator(_within(ZERO, ONE, open_low=True, open_high=True))]
"""A ratio strictly between 0 and 1."""

Share = Annotated[Ratio, AfterValidator(_within(ZERO, ONE, open_low=True, open_high=False))]
"""A ratio above 0, up to 1."""

Allowance = Annotated[Ratio, AfterValidator(_within(ZERO, Decimal("0.5"), open_low=False, open_high=False))]
"""A ratio from 0 to one half."""

Distance = Annotated[Ratio, AfterValidator(_within(ZERO, Decimal("0.5"), open_low=True, open_high=False))]
"""A ratio above 0, up to one half."""

Amount = Annotated[
    Decimal,
    BeforeValidator(_amount),
    AfterValidator(_within(ZERO, LARGEST_AMOUNT, open_low=True, open_high=False, hint=_IN_BOUNDS)),
]
"""A positive number of units of something."""

Leverage = Annotated[
    Decimal,
    BeforeValidator(_amount),
    AfterValidator(_within(ZERO, LARGEST_LEVERAGE, open_low=True, open_high=False, hint=_IN_BOUNDS)),
]
"""Gross notional over margin equity."""

Multiple = Annotated[
    Ratio, AfterValidator(_within(ZERO, LARGEST_LEVERAGE, open_low=True, open_high=False, hint=_IN_BOUNDS))
]
"""A ratio above 0 that may be more than 1: `150%` or `1.5`."""

Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(duration_text, return_type=str, when_used="json"),
]
"""A stretch of time, written with its unit: `400ms`, `2s`, `1m`."""


def is_loopback(host: str) -> bool:
    """Tell whether `host` can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _endpoint(raw: str) -> str:
    shape = "write scheme://host or scheme://host:port and nothing more"
    try:
        parts = urlsplit(raw)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise complain("is not an endpoint", shape) from None
    if parts.username is not None or parts.password is not None:
        raise complain("must not carry a user or password", shape)
    if parts.scheme not in {"http", "https"} or not _is_host(host) or port == 0:
        raise complain("is not an endpoint", shape)
    shown = f"[{host}]" if ":" in host else host
    canonical = f"{parts.scheme}://{shown}" + ("" if port is None else f":{port}")
    if raw.lower() != canonical:
        raise complain("must not carry a path, query or anything after the port", shape)
    if parts.scheme == "http" and not is_loopback(host):
        raise complain("is plain http to another machine", "use https; http is for 127.0.0.1, ::1, localhost")
    return canonical


def _is_host(host: str) -> bool:
    if ":" in host:
        try:
            return bool(ip_address(host)) and "%" not in host
        except ValueError:
            return False
    return len(host) <= 253 and bool(_HOST.fullmatch(host))  # noqa: PLR2004 - the longest name DNS allows


Endpoint = Annotated[str, AfterValidator(_endpoint)]
"""`scheme://host[:port]`, plain http only to this machine."""

IDENTIFIER_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,31}$"
CURRENCY_PATTERN = r"^[A-Z0-9]{1,15}$"
SYMBOL_PATTERN = r"^[A-Z0-9]{1,15}-[A-Z0-9]{1,15}$"
INSTRUMENT_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_./:-]{0,63}$"
PRINTABLE_PATTERN = r"^[!-~]{1,512}$"
PEM_PATTERN = (
    r"^([!-~]{1,512}|-----BEGIN [A-Z ]{1,40}-----[A-Za-z0-9+/=\s]{1,4096}-----END [A-Z ]{1,40}-----\s*)$"
)
PATH_PATTERN = r"^/[!-~]{0,200}$"

Identifier = Annotated[str, Field(pattern=IDENTIFIER_PATTERN)]
"""A name that fits a metric label, a file name and a command line."""

Currency = Annotated[str, Field(pattern=CURRENCY_PATTERN)]
"""A currency's code, in capitals."""

Instrument = Annotated[str, Field(pattern=INSTRUMENT_PATTERN)]
"""The venue's own name of what is traded."""

Choice = TypeVar("Choice", bound=StrEnum)

Word = Annotated[Choice, Field(strict=False)]
"""A member of a closed list, by its word: `Word[Mode]`."""
