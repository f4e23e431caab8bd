import asyncio
from collections.abc import Mapping

import pytest

from brokers.errors import VenueUnavailable
from brokers.models import MarketRules, Symbol
from brokers.rulebook import Rulebook, shared_rulebook


class Lists:
    """Counts how often the venue's instrument lists are read."""

    def __init__(self) -> None:
        self.read = 0
        self.down = False

    async def load(self) -> Mapping[Symbol, MarketRules]:
        self.read += 1
        await asyncio.sleep(0)
        if self.down:
            raise VenueUnavailable("down")
        return {}


async def test_accounts_that_ask_at_once_lead_to_one_reading() -> None:
    book, lists = Rulebook(), Lists()
    await asyncio.gather(*(book.refresh(lists.load) for _ in range(5)))
    assert lists.read == 1
    assert not book.needs(60)


async def test_a_failed_reading_is_raised_and_may_be_repeated() -> None:
    book, lists = Rulebook(), Lists()
    lists.down = True
    with pytest.raises(VenueUnavailable):
        await book.refresh(lists.load)
    assert book.needs(float("inf"))
    lists.down = False
    await book.refresh(lists.load)
    assert not book.needs(float("inf"))


async def test_old_rules_are_read_again() -> None:
    book, lists = Rulebook(), Lists()
    await book.refresh(lists.load)
    await book.refresh(lists.load, max_age_s=0)
    assert lists.read == 2


def test_one_venue_has_one_rulebook() -> None:
    book = shared_rulebook("bybit", "unified", "", "")
    assert shared_rulebook("bybit", "unified", "", "") is book
    assert shared_rulebook("bybit", "unified", "", "testnet") is not book
