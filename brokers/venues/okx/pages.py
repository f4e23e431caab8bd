"""Lists that OKX gives in pages, and lists it may not have."""

import logging
from collections.abc import Mapping
from typing import Any

from brokers.answers import ForeignAnswer
from brokers.errors import ClockRefused, MalformedAnswer, RequestRefused, Unauthorized
from brokers.hooks import Read
from brokers.profile import NO_PARAMS, Json
from brokers.venues.okx.envelope import rows_of

PAGE = 100
"""The most rows of a page, and OKX's default."""

MOST_PAGES = 50

Rows = list[Mapping[str, Any]]

_log = logging.getLogger("margind.brokers")


async def read_pages(
    read: Read, call: str, id_field: str, params: Mapping[str, object] = NO_PARAMS, *, cost: float = 1
) -> Rows:
    """Read a list to its last page, each page from where the one before ended.

    Raises:
        BrokerError: a page did not answer; a part of the list would pass for the whole.
        MalformedAnswer: the pages do not come to an end.
    """
    found: Rows = []
    after: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        rows = rows_of(await read(call, {**params, "limit": str(PAGE), **after}, cost=cost), call)
        found += rows
        if len(rows) < PAGE:
            return found
        last = str(rows[-1].get(id_field) or "")
        if not last or last == after.get("after"):
            break
        after = {"after": last}
    raise MalformedAnswer(f"{call}: the pages do not end")


async def read_algo_rows(read: Read, kind: str) -> Rows:
    """Read one algo book; a venue that has no such book holds no such orders."""
    try:
        return await read_pages(read, "privateGetTradeOrdersAlgoPending", "algoId", {"ordType": kind})
    except (Unauthorized, ClockRefused):
        raise
    except (RequestRefused, ForeignAnswer) as error:
        _log.info("okx: no %s book: %s", kind, error)
        return []


async def read_or_none(read: Read, call: str, params: Mapping[str, str], *, cost: float = 1) -> Json:
    """Read what a host may not have; `None` when it says so, or something answers in its place.

    Raises:
        BrokerError: nobody answered, or not to this key.
    """
    try:
        return await read(call, params, cost=cost)
    except (Unauthorized, ClockRefused):
        raise
    except (RequestRefused, ForeignAnswer) as error:
        _log.info("okx: %s is not to be had: %s", call, error)
        return None
