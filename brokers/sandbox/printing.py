"""The engine's values as plain JSON, for the control routes."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from brokers.numbers import plain

_HIDDEN = frozenset({"api_key", "secret", "password"})


def to_json(value: object) -> Any:  # noqa: ANN401 - JSON
    """Return `value` in JSON's own types: decimals as text, dataclasses as objects, without credentials."""
    if is_dataclass(value) and not isinstance(value, type):
        shown = [field.name for field in fields(value) if field.name not in _HIDDEN]
        return {name: to_json(getattr(value, name)) for name in shown}
    match value:
        case Decimal():
            return plain(value)
        case Enum():
            return value.value
        case Mapping():
            return {_key(key): to_json(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [to_json(item) for item in value]
        case _:
            return value


def _key(key: object) -> str:
    return "/".join(str(part) for part in key) if isinstance(key, tuple) else str(key)
