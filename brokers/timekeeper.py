"""Measuring a venue's clock: one measurement at a time, whoever asks for it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from brokers.clock import Sample, VenueClock
from brokers.errors import BrokerError, MalformedAnswer, RateLimited, VenueUnavailable
from brokers.models import ClockOffset

EXCUSE_MS = 500.0
"""A clock that was off by less than this is no reason for a venue to refuse a signature."""

_log = logging.getLogger("margind.brokers")


class Timekeeper:
    """Keeps `clock` right: a measurement calls `sample`, which asks the venue once, `samples` times.

    `labelled` says of an error where it was.
    """

    def __init__(
        self,
        clock: VenueClock,
        sample: Callable[[], Awaitable[Sample]],
        labelled: Callable[[BrokerError], BrokerError],
        *,
        samples: int,
    ) -> None:
        self._clock = clock
        self._sample = sample
        self._labelled = labelled
        self._samples = samples
        self._task: asyncio.Task[ClockOffset] | None = None

    def start(self) -> asyncio.Task[ClockOffset]:
        """Begin to measure, unless somebody has; failures are logged."""
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._measure())
            self._task.add_done_callback(_note_failure)
        return self._task

    async def measure(self) -> ClockOffset:
        """Measure the clock: median of the samples. A cancelled caller stops nobody else's measurement.

        Raises:
            BrokerError: the time call did not answer, or with a time nothing else speaks for.
        """
        return await asyncio.shield(self.start())

    async def was_wrong(self) -> bool:
        """Measure the clock, and say whether that explains a refused signature."""
        before = self._clock.now_ms() - self._clock.steady() * 1000
        try:
            await self.measure()
        except BrokerError:
            return False
        after = self._clock.now_ms() - self._clock.steady() * 1000
        return abs(after - before) >= EXCUSE_MS

    async def aclose(self) -> None:
        """Give up what is under way."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _measure(self) -> ClockOffset:
        samples: list[Sample] = []
        failure: BrokerError | None = None
        for _ in range(self._samples):
            try:
                samples.append(await self._sample())
            except BrokerError as error:
                failure = error
                if isinstance(error, RateLimited) or len(samples) == 0:
                    break
        if samples:
            try:
                return self._clock.adopt(samples)
            except MalformedAnswer as error:
                failure = self._labelled(error)
        self._clock.failed()
        raise failure or VenueUnavailable("no time sample")


def _note_failure(task: asyncio.Task[ClockOffset]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.warning("venue clock not measured: %s", error)
