"""One JSON text per value, so that a hash over it means something, and nothing a database would refuse."""

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from functools import partial
from math import isfinite
from typing import Any


def clean_text(text: str) -> str:
    """Replace what no database stores as text: NUL and lone surrogates become U+FFFD or `?`."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def plain_decimal(value: Decimal) -> str:
    """Return every digit of a finite `value` without an exponent; negative zero is zero."""
    return format(value, "f") if value else format(abs(value), "f")


def utc_text(moment: datetime) -> str:
    """Return an aware time in ISO 8601, in UTC, always with microseconds.

    Raises:
        ValueError: the time is naive.
    """
    if moment.tzinfo is None:
        raise ValueError(f"naive time: {moment}")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def jsonable(value: object) -> Any:  # noqa: ANN401 - JSON has no static type
    """Return `value` as JSON has it: Decimals, times and non-finite floats as text, mappings as objects."""
    match value:
        case None | bool():
            return value
        case Mapping():
            return {clean_text(str(jsonable(key))): jsonable(item) for key, item in value.items()}
        case list() | tuple():
            return [jsonable(item) for item in value]
        case AbstractSet():
            return sorted((jsonable(item) for item in value), key=str)
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {item.name: jsonable(getattr(value, item.name)) for item in fields(value)}
        case _:
            return _leaf(value)


def _leaf(value: object) -> str | int | float:
    match value:
        case Enum():
            return _leaf(value.value)
        case str():
            return clean_text(value)
        case int():
            return value
        case float():
            return value if isfinite(value) else str(value)
        case Decimal():
            return plain_decimal(value) if value.is_finite() else str(value)
        case datetime():
            return utc_text(value)
        case _:
            return clean_text(str(value))


def canonical_json(value: object) -> str:
    """Return the one JSON text of `value`: sorted keys, no spaces, no escapes beyond the necessary."""
    try:
        text = _dumps(value, default=_unknown)
    except (TypeError, ValueError):  # a key that does not sort, a NaN
        return _dumps(jsonable(value))
    if text.isascii() and "\\u0000" not in text:
        return text
    return _dumps(jsonable(value))


def _unknown(value: object) -> object:
    """Turn what the encoder does not know into what it does, one level deep."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: getattr(value, item.name) for item in fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    return jsonable(value)


_dumps = partial(json.dumps, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
