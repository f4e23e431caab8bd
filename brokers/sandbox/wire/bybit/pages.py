"""Lists in pages, with a cursor that is percent-encoded already, as the venue's are."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from brokers.sandbox.wire.bybit.parameters import Parameters
from brokers.sandbox.wire.bybit.refusals import BybitRefusal

PREFIX = "page_args="


def page_of(
    rows: Sequence[dict[str, Any]], asked: Parameters, *, default: int, most: int
) -> tuple[list[dict[str, Any]], str]:
    """Return the page that was asked for and the cursor of the next one, `""` on the last."""
    limit = asked.integer("limit", default)
    if not 1 <= limit <= most:
        raise BybitRefusal(10001, "params error: limit invalid")
    start = _start(asked.text("cursor"))
    end = start + limit
    cursor = quote(f"{PREFIX}{end}&", safe="") if end < len(rows) else ""
    return list(rows[start:end]), cursor


def _start(cursor: str | None) -> int:
    if cursor is None:
        return 0
    number = cursor.removeprefix(PREFIX).removesuffix("&")
    if not cursor.startswith(PREFIX) or not number.isdecimal():
        raise BybitRefusal(10001, "params error: cursor invalid")
    return int(number)
