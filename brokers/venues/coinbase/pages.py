"""Lists that Coinbase gives in pages: `has_next` and a `cursor` to go on from."""

import logging
from collections.abc import Mapping
from typing import Any

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
        if page.get("has_next") is not True:
            return found
        if not after or after == cursor:
            break
        cursor = after
    raise MalformedAnswer(f"{call}: the pages do not end")


async def read_pages_if_any(read: Read, call: str, name: str, params: Mapping[str, object]) -> Rows:
    """Read a list that a host may not have; empty when it says so.

    Raises:
        BrokerError: nobody answered, or not to this key.
    """
    try:
        return await read_pages(read, call, name, params)
    except (Unauthorized, ClockRefused):
        raise
    except (RequestRefused, ForeignAnswer) as error:
        _log.info("coinbase: no such list: %s", error)
        return []
