"""The one door by which a venue's text becomes a number or a time.

Venues send `""`, `null`, `"NaN"`, `"122,559.9"` and `"0"` in the same field. Here an absent value becomes
`None` and a damaged one raises `NumberError`; nothing is ever turned into zero.
"""

import re
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation

ZERO = Decimal(0)
ONE = Decimal(1)

PLAIN_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
"""`Decimal` alone would also take other scripts' digits, underscores and spaces."""

DIGITS = frozenset("0123456789.-")
"""What nearly every figure is made of; of these alone `Decimal` takes nothing that is not plain."""

LARGEST = Decimal("1e24")
"""No balance, price or quantity of any venue comes near it; beyond it a number is damage."""


YEAR_2000_MS = Decimal(946_684_800_000)
YEAR_2100_MS = Decimal(4_102_444_800_000)


class NumberError(ValueError):
    """A venue sent text where a finite number in range was due."""


def decimal_or_none(raw: object) -> Decimal | None:
    """Return `raw` as a finite Decimal, or `None` if the venue left it out (`None`, `""`).

    Floats go through `str`, their shortest exact form; booleans, thousands separators, NaN, infinities and
    magnitudes beyond `LARGEST` are damage.

    Raises:
        NumberError: `raw` is present and not such a number.
    """
    if raw is None or raw == "":
        return None
    if isinstance(raw, str):
        if not DIGITS.issuperset(raw) and not PLAIN_NUMBER.fullmatch(raw):
            raise NumberError(f"not a number: {raw!r}")
    elif isinstance(raw, bool) or not isinstance(raw, (int, float, Decimal)):
        raise NumberError(f"not a number: {raw!r}")
    try:
        value = Decimal(str(raw))
    except InvalidOperation:
        raise NumberError(f"not a number: {raw!r}") from None
    except ValueError:  # an integer too long to print
        raise NumberError("number out of range") from None
    if not value.is_finite() or abs(value) > LARGEST:
        raise NumberError(f"number out of range: {raw!r}")
    return value


def decimal_from(raw: object) -> Decimal:
    """Return `raw` as a finite Decimal; an absent value is an error.

    Raises:
        NumberError: `raw` is absent or damaged.
    """
    value = decimal_or_none(raw)
    if value is None:
        raise NumberError("a required number is missing")
    return value


def floor_to_step(value: Decimal, step: Decimal) -> Decimal:
    """Round `value` down to a multiple of `step` (> 0)."""
    return (value / step).to_integral_value(ROUND_FLOOR) * step


def ceil_to_step(value: Decimal, step: Decimal) -> Decimal:
    """Round `value` up to a multiple of `step` (> 0)."""
    return (value / step).to_integral_value(ROUND_CEILING) * step


def plain(value: Decimal) -> str:
    """Return `value` as venues take numbers: no exponent, no trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") or "0" if "." in text else text


def time_from_ms(raw: object) -> datetime:
    """Return a venue's milliseconds since the epoch as an aware UTC time.

    Raises:
        NumberError: absent, damaged, or outside 2000-2100.
    """
    milliseconds = decimal_from(raw)
    if not YEAR_2000_MS <= milliseconds <= YEAR_2100_MS:
        raise NumberError(f"not a time in milliseconds: {raw!r}")
    return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)


def time_or_none(raw: object) -> datetime | None:
    """Return a venue's milliseconds as a time, `None` for anything else: where nothing depends on it."""
    try:
        return time_from_ms(raw)
    except NumberError:
        return None


def ms_from_time(moment: datetime) -> int:
    """Return an aware time as milliseconds since the epoch."""
    return round(moment.timestamp() * 1000)
