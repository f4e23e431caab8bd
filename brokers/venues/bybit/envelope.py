"""The envelope of every Bybit V5 answer: `retCode`, `result`, `time`, and the cursor of a page."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from brokers.errors import MalformedAnswer
from brokers.fields import Fields, mapping_from, rows_from
from brokers.models import FindingCode
from brokers.numbers import NumberError, decimal_or_none, time_from_ms

Row = Mapping[str, Any]


def result_of(payload: object, what: str) -> Row:
    """Return the `result` object of an answer.

    Raises:
        MalformedAnswer: there is none.
    """
    return mapping_from(mapping_from(payload, what).get("result"), f"{what}: result")


def rows_of(payload: object, what: str, key: str = "list") -> tuple[Row, ...]:
    """Return the rows under `result[key]`.

    Raises:
        MalformedAnswer: they are absent, no list, or hold something else than objects.
    """
    return rows_from(result_of(payload, what).get(key), f"{what}: {key}")


def next_cursor(payload: object, what: str) -> str | None:
    """Return the cursor of the next page, `None` on the last one.

    Raises:
        MalformedAnswer: the cursor is no text.
    """
    cursor = result_of(payload, what).get("nextPageCursor")
    if cursor is None or cursor == "":
        return None
    if not isinstance(cursor, str):
        raise MalformedAnswer(f"{what}: nextPageCursor is no text")
    return cursor


def time_of(payload: object) -> datetime | None:
    """Return the venue's time of an answer, `None` when it carries none that can be one."""
    raw = payload.get("time") if isinstance(payload, Mapping) else None
    try:
        return time_from_ms(raw)
    except NumberError:
        return None


def margin_in(fields: Fields, row: Row, name: str, *, due: bool = False) -> Decimal | None:
    """Return a figure that is never negative; a negative one is damage. Its absence is a finding if `due`."""
    value = fields.required(name) if due else fields.optional(name)
    if value is not None and value < 0:
        fields.find(FindingCode.FIELD_DAMAGED, f"{name} is {row.get(name)}, below zero")
        return None
    return value


def number_or_none(row: Row, name: str) -> Decimal | None:
    """Return a number that only informs; `None` also when it is damaged."""
    try:
        return decimal_or_none(row.get(name))
    except NumberError:
        return None


def positive_or_none(row: Row, name: str) -> Decimal | None:
    """Return a number that only informs, where Bybit says "none" both as `""` and as `"0"`."""
    value = number_or_none(row, name)
    return value if value is not None and value > 0 else None


def text_or_none(row: Row, name: str) -> str | None:
    """Return a word that only informs; `None` when absent, empty or no text."""
    value = row.get(name)
    return value if isinstance(value, str) and value else None
