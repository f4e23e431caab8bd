from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.venues.coinbase.pages import MOST_PAGES, read_pages

Page = dict[str, Any]


def page(number: int, *, more: object, cursor: str) -> Page:
    return {"orders": [{"order_id": str(number)}], "has_next": more, "cursor": cursor}


async def read_all(pages: Sequence[Page]) -> tuple[list[str], list[str]]:
    """Read to the last of `pages`; return the ids that came and the cursors that were asked by."""
    left, asked = iter(pages), []

    async def read(call: str, params: Mapping[str, object], *, cost: float = 1) -> Page:
        del call, cost
        asked.append(str(params.get("cursor")))
        return next(left)

    rows = await read_pages(read, "orders/historical/batch", "orders", {"limit": "250"})
    return [str(row["order_id"]) for row in rows], asked


@pytest.mark.parametrize("more", [True, "true", "TRUE"])
async def test_pages_are_read_to_the_last_one(more: object) -> None:
    pages = [page(1, more=more, cursor="a"), page(2, more=more, cursor="b"), page(3, more=False, cursor="c")]
    assert await read_all(pages) == (["1", "2", "3"], ["None", "a", "b"])


@pytest.mark.parametrize("more", [False, "false", None, "", 0])
async def test_the_last_page_is_the_one_that_says_so(more: object) -> None:
    assert await read_all([page(1, more=more, cursor="a")]) == (["1"], ["None"])


@pytest.mark.parametrize("cursor", ["", "a"])
async def test_pages_that_lead_nowhere_are_no_list(cursor: str) -> None:
    pages = [page(1, more=True, cursor="a"), page(2, more=True, cursor=cursor)]
    with pytest.raises(MalformedAnswer, match="do not end"):
        await read_all(pages)


async def test_pages_without_end_are_no_list() -> None:
    pages = [page(number, more=True, cursor=str(number)) for number in range(MOST_PAGES + 1)]
    with pytest.raises(MalformedAnswer, match="do not end"):
        await read_all(pages)


async def test_a_page_without_its_list_is_no_end() -> None:
    with pytest.raises(MalformedAnswer):
        await read_all([page(1, more=True, cursor="a"), {"has_next": False, "cursor": ""}])
