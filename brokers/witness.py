"""The times in a venue's answers as witnesses of our clock, for venues that may not refuse a wrong one."""

import logging
from datetime import datetime, timedelta

from brokers.budget import boot_seconds
from brokers.errors import BrokerError
from brokers.transport import Transport

AHEAD = timedelta(seconds=2)
"""No answer comes from the future: a time this far ahead of ours means that our clock is behind."""

BEHIND = timedelta(seconds=10)
"""A time this old is that of an old answer, or our clock is ahead."""

AGAIN_S = 30.0
"""So long a difference that a measurement did not explain is left alone."""

_log = logging.getLogger("margind.brokers")


class ClockWitness:
    """Has the clock measured again when the times in answers do not fit it.

    What was kept somewhere on the way is old and never from the future: only a time ahead of ours speaks
    against our clock by itself. After an old one the measurement has to find its own reasons.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._again_at = 0.0

    async def hear(self, newest: datetime | None) -> None:
        """Compare the latest time of a picture's answers, `None` if none tells one, with the clock in use."""
        off = self._off(newest)
        if not off or boot_seconds() < self._again_at:
            return
        try:
            await self._transport.measure_clock(disproved=off > timedelta(0))
        except BrokerError as error:
            _log.warning("answers %.1f s off our clock: %s", off.total_seconds(), error)
        if self._off(newest):
            self._again_at = boot_seconds() + AGAIN_S

    def _off(self, newest: datetime | None) -> timedelta:
        """Return how far a time is off our clock; zero where that says nothing."""
        off = timedelta(0) if newest is None else newest - self._transport.venue_now()
        return timedelta(0) if -BEHIND <= off <= AHEAD else off
