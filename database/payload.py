"""History rows as JSON text and back: how they travel in the outbox."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import UnionType
from typing import Any, get_args, get_type_hints

from database.canonical import canonical_json
from database.records import (
    Alert,
    AuditEntry,
    Event,
    HistoryRow,
    Intent,
    MarginSample,
    PositionSample,
    RowKind,
)

CLASSES: Mapping[RowKind, type[HistoryRow]] = {
    RowKind.MARGIN: MarginSample,
    RowKind.POSITION: PositionSample,
    RowKind.ORDER: Intent,
    RowKind.EVENT: Event,
    RowKind.ALERT: Alert,
    RowKind.AUDIT: AuditEntry,
}

KINDS: Mapping[type[HistoryRow], RowKind] = {row_class: kind for kind, row_class in CLASSES.items()}


def encode(row: HistoryRow) -> str:
    """Return `row` as canonical JSON: Decimals and times as text, exact."""
    return canonical_json(row)


def decode(kind: RowKind, payload: str) -> HistoryRow:
    """Return the row that `encode` made into `payload`.

    Raises:
        ValueError: the text is no such row.
    """
    try:
        raw = json.loads(payload)
        values: dict[str, Any] = {
            name: _read(reader, raw[name]) for name, reader in READERS[kind].items() if name in raw
        }
        return CLASSES[kind](**values)  # a field that is missing has a default, or is a TypeError
    except (TypeError, KeyError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"not a row of kind {kind}: {error}") from error


@dataclass(frozen=True, slots=True)
class Reader:
    """What turns a JSON value into the value of a field."""

    convert: Callable[[Any], Any]
    is_optional: bool


def _read(reader: Reader, raw: object) -> Any:  # noqa: ANN401 - the field's type
    if raw is None:
        if not reader.is_optional:
            raise ValueError("a required field is null")
        return None
    return reader.convert(raw)


def _reader(annotation: object) -> Reader:
    is_optional = isinstance(annotation, UnionType)
    if is_optional:
        annotation = next(member for member in get_args(annotation) if member is not type(None))
    if annotation is Decimal:
        return Reader(Decimal, is_optional)
    if annotation is datetime:
        return Reader(datetime.fromisoformat, is_optional)
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return Reader(annotation, is_optional)
    return Reader(_unchanged, is_optional)


def _unchanged(value: object) -> object:
    return value


def _readers_of(row_class: type[HistoryRow]) -> dict[str, Reader]:
    hints = get_type_hints(row_class)
    return {item.name: _reader(hints[item.name]) for item in fields(row_class)}


READERS: Mapping[RowKind, Mapping[str, Reader]] = {
    kind: _readers_of(row_class) for kind, row_class in CLASSES.items()
}
