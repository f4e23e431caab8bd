"""Market rules, read once per venue and endpoint and shared by its accounts."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from weakref import WeakValueDictionary

from brokers.budget import boot_seconds
from brokers.models import MarketRules, Symbol

REFRESH_S = 6 * 3600.0
NEWCOMER_S = 600.0
"""How often an unknown symbol may lead to a new reading."""

Load = Callable[[], Awaitable[Mapping[Symbol, MarketRules]]]


class Rulebook:
    """The market rules of one venue; `rules` is empty until the first reading."""

    def __init__(self) -> None:
        self.rules: Mapping[Symbol, MarketRules] = MappingProxyType({})
        self._read_at: float | None = None
        self._reading = asyncio.Lock()

    def needs(self, max_age_s: float) -> bool:
        """Whether nothing was read in the last `max_age_s` seconds."""
        return self._read_at is None or boot_seconds() - self._read_at > max_age_s

    async def refresh(self, load: Load, *, max_age_s: float = REFRESH_S) -> None:
        """Read the rules by `load` unless that was done in the last `max_age_s`; the old ones hold meanwhile.

        Whatever `load` raises is raised, and changes nothing.
        """
        async with self._reading:
            if self.needs(max_age_s):
                self.rules = MappingProxyType(dict(await load()))
                self._read_at = boot_seconds()


_SHARED: WeakValueDictionary[tuple[str, ...], Rulebook] = WeakValueDictionary()


def shared_rulebook(*venue: str) -> Rulebook:
    """Return the one rulebook of a venue (broker, product, endpoint, environment)."""
    book = _SHARED.get(venue)
    if book is None:
        book = _SHARED[venue] = Rulebook()
    return book
