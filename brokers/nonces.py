"""The nonces of one key, in the order in which its requests leave: for venues that refuse one that came late.

Two connections keep no order between them. A request may therefore be overtaken by a later nonce and refused,
and what may overtake what is decided here: a write anything but a write, a protective read any poll, a poll
nothing. So no write is ever refused because of a read of ours. Reads of one rank follow one another at a
distance that no way to a venue makes up for; should it, the first is refused and asked again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import IntEnum
from math import inf
from weakref import WeakValueDictionary

FIRST_LEAP_MS, LARGEST_LEAP_MS, LEAP_GROWTH = 1_000, 86_400_000, 4
"""How far nonces leap when the venue has seen a higher one than ours: a clock was ahead, before us."""

READ_GAP_S = 0.5
"""So long after a read the next of its rank leaves, though the first is not answered."""


class Rank(IntEnum):
    """Who may overtake whom: a higher rank the lower ones, none its own."""

    POLL = 0
    PROTECTIVE = 1
    WRITE = 2


@dataclass(slots=True)
class Turn:
    """One request on its way; `overtaken`: a later nonce has left since."""

    number: int
    overtaken: bool = False


class Nonces:
    """Nonces of one key, shared by every connection and account that signs with it."""

    def __init__(self) -> None:
        self._last = 0
        self._leap = FIRST_LEAP_MS
        self._turns = 0
        self._under_way = [0] * len(Rank)
        self._left_at = [-inf] * len(Rank)
        self._freed = asyncio.Event()

    def take(self, now_ms: int) -> int:
        """Return the next nonce: `now_ms`, or one above the last if that is not later."""
        self._last = max(now_ms, self._last + 1)
        return self._last

    @asynccontextmanager
    async def turn(self, rank: Rank, *, patience_s: float | None = None) -> AsyncIterator[Turn]:
        """Hold a turn while one request is made and answered.

        It begins when nothing of a higher rank is under way, and nothing of its own or, for a read, that left
        less than `READ_GAP_S` ago; at the latest after `patience_s`.
        """
        if self._left_s(rank) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    while (left_s := self._left_s(rank)) > 0:
                        await self._until_freed(left_s)
        self._turns += 1
        self._left_at[rank] = asyncio.get_running_loop().time()
        turn = Turn(self._turns)
        self._under_way[rank] += 1
        try:
            yield turn
        finally:
            turn.overtaken = self._turns > turn.number
            self._under_way[rank] -= 1
            self._freed.set()
            self._freed = asyncio.Event()

    def _left_s(self, rank: Rank) -> float:
        """Return for how long a request of `rank` must wait if nothing that is under way ends."""
        if any(self._under_way[rank + 1 :]):
            return inf
        if not self._under_way[rank]:
            return 0.0
        if rank is Rank.WRITE:
            return inf
        return self._left_at[rank] + READ_GAP_S - asyncio.get_running_loop().time()

    async def _until_freed(self, left_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(None if left_s == inf else left_s):
                await self._freed.wait()

    def told(self, turn: Turn, *, refused: bool) -> None:
        """Note what the venue said of a nonce.

        After a refused one the next leaps ahead, further each time, unless it was only overtaken by our own.
        """
        if not refused:
            self._leap = FIRST_LEAP_MS
        elif not turn.overtaken:
            self._last += self._leap
            self._leap = min(self._leap * LEAP_GROWTH, LARGEST_LEAP_MS)


_SHARED: WeakValueDictionary[tuple[str, ...], Nonces] = WeakValueDictionary()


def shared_nonces(*key: str) -> Nonces:
    """Return the one source of nonces of a key at a venue."""
    nonces = _SHARED.get(key)
    if nonces is None:
        nonces = _SHARED[key] = Nonces()
    return nonces
