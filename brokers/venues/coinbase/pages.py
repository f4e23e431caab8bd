"""Lists that Coinbase gives in pages: `has_next` and a `cursor` to go on from."""

import logging
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from brokers.answers import ForeignAnswer
from brokers.errors import ClockRefused, MalformedAnswer, RequestRefused, Unauthorized
from brokers.fields import mapping_from, rows_from
from brokers.hooks import Read

MOST_PAGES = 50

Rows = list[Mapping[str, Any]]

_log = logging.getLogger("margind.brokers")


async def read_pages(read: Read, call: str, name: str, params: Mapping[str, object]) -> Rows:
    """Read the list `name` to its last page.

    Raises:
        BrokerError: a page did not answer; a part of the list would pass for the whole.
        MalformedAnswer: a page holds no such list, or the pages do not come to an end.
    """
    found: Rows = []
    cursor = ""
    for _ in range(MOST_PAGES):
        page = mapping_from(await read(call, {**params, **({"cursor": cursor} if cursor else {})}), call)
        found += rows_from(page.get(name), f"{name} of {call}")
        after = str(page.get("cursor") or "")
        if str(page.get("has_next")).lower() != "true":
            return found
        if not after or after == cursor:
            break
        cursor = after
    raise MalformedAnswer(f"{call}: the pages do not end")


T = TypeVar("T")


async def if_any(reading: Awaitable[T]) -> T | None:
    """Read what a host may not have; `None` when it says so, or something answers in its place.

    Raises:
        BrokerError: nobody answered, or not to this key.
    """
    try:
        return await reading
    except (Unauthorized, ClockRefused):
        raise
    except (RequestRefused, ForeignAnswer) as error:
        _log.info("coinbase: not to be had: %s", error)
        return None


async def read_products(read: Read, params: Mapping[str, object]) -> Rows:
    """Read products: from the public list, or where a host has none from the private one."""
    rows = await if_any(read_pages(read, "v3PublicGetBrokerageMarketProducts", "products", params))
    if rows is None:
        return await read_pages(read, "v3PrivateGetBrokerageProducts", "products", params)
    return rows
