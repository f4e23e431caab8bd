"""How old a nonce a venue takes, where that is its only window: found out by reads if not as documented."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from brokers.budget import boot_seconds
from brokers.errors import BrokerError
from brokers.profile import VenueProfile

STEP_MS = 1_000
"""How exactly a window is found out."""

_log = logging.getLogger("margind.brokers")


class NonceWindow:
    """The window of one account: as documented, until a write is refused that it should have let through.

    `measure` measures the venue's clock. `takes` asks a read whose nonce is so many milliseconds old and says
    whether the venue took it; both raise `BrokerError` or `TimeoutError` when nobody can say. Only what reads
    have shown narrows a window: a guess that is too narrow would leave writes more time than was decided.
    """

    def __init__(
        self,
        profile: VenueProfile,
        measure: Callable[[], Awaitable[object]],
        takes: Callable[[int], Awaitable[bool]],
    ) -> None:
        self._venue = profile.venue
        self._ms = profile.nonce_window_ms
        self._measure = measure
        self._takes = takes
        self._task: asyncio.Task[None] | None = None

    def age_ms(self, life_ms: int) -> int:
        """Return how old a request's nonce must be for it to live no longer than `life_ms`; 0: no window."""
        return 0 if self._ms is None else max(self._ms - life_ms, 0)

    async def doubt(self, refused_ms: int, patience_s: float) -> None:
        """Find out why a write whose nonce was so old was refused; return after `patience_s` at the latest.

        The search goes on by itself, and there is one at a time.
        """
        if refused_ms <= 0:
            return
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._find_out(refused_ms))
        await asyncio.wait({self._task}, timeout=max(patience_s, 0.0))

    async def aclose(self) -> None:
        """Give up what is under way."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _find_out(self, refused_ms: int) -> None:
        try:
            await self._measure()
            if await self._takes(refused_ms):
                return  # the clock was wrong, or the write late
            found_ms = await self._search(refused_ms)
        except (BrokerError, TimeoutError) as error:
            _log.info("%s: not known how old a nonce may be: %s", self._venue, error)
            return
        if self._ms is None or found_ms is None or found_ms >= self._ms:
            return
        _log.warning(
            "%s: nonces older than %.0f s are refused, not %.0f s: writes are dated by that from now on",
            self._venue,
            found_ms / 1000,
            self._ms / 1000,
        )
        self._ms = found_ms

    async def _search(self, refused_ms: int) -> int | None:
        """Return the least age that is certainly refused; `None`: every age is, so age is not the reason.

        A refused nonce had aged on its way: by the whole round trip at the most.
        """
        taken_ms, way_ms = 0, 0
        while refused_ms - taken_ms > STEP_MS:
            age_ms = (taken_ms + refused_ms) // 2
            asked_at = boot_seconds()
            if await self._takes(age_ms):
                taken_ms = age_ms
            else:
                refused_ms, way_ms = age_ms, round((boot_seconds() - asked_at) * 1000)
        return refused_ms + way_ms if taken_ms else None
