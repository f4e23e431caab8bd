"""Measuring the venue's clock anew where pictures look wrong in time."""

from brokers.errors import BrokerError
from brokers.port import Broker
from daemon.clock import Clock
from daemon.logs import logger
from daemon.risk.assessment import Assessment
from daemon.risk.reason import Reason

SYMPTOMS = frozenset({Reason.FUTURE_DATED, Reason.STALE})
MEASURE_EVERY_S = 5.0


class ClockWatch:
    """What looks old or of the future may be our own clock's step.

    Some venues' signatures live so long that they never complain of it.
    """

    def __init__(self, *, broker: Broker, clock: Clock) -> None:
        self._broker = broker
        self._clock = clock
        self._measured_at = float("-inf")

    async def look(self, assessment: Assessment | None) -> None:
        """Measure the clock if `assessment` shows a symptom, at most every few seconds."""
        if assessment is None or not SYMPTOMS & {gate.reason for gate in assessment.gates}:
            return
        now = self._clock.uptime()
        if now - self._measured_at < MEASURE_EVERY_S:
            return
        self._measured_at = now
        try:
            await self._broker.measure_clock()
        except BrokerError as error:
            logger().warning("clock_not_measured", account=self._broker.account_id, why=str(error))
