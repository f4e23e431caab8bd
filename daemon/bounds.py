"""What one account's cycles need to know for keeping its bounds: what is latched, what was sent for them."""

from datetime import timedelta

from brokers.models import AccountId
from daemon.clock import Clock
from daemon.flatten import latched_bounds
from daemon.risk.assessment import Assessment
from daemon.risk.keeping import is_keeping
from daemon.risk.standing import Alarm
from database.journal import Journal


class Bounds:
    """One account's broken bounds, from picture to picture; `is_kept`: one of them asks for an action."""

    def __init__(self, account: AccountId, *, journal: Journal, clock: Clock) -> None:
        self._account = account
        self._journal = journal
        self._clock = clock
        self.is_kept = False

    def follow(self, alarm: Alarm, assessment: Assessment | None) -> None:
        """Take note of a picture."""
        self.is_kept = is_keeping(alarm, assessment) or bool(self.closing())

    def closing(self) -> frozenset[str]:
        """Return the keys of the loads whose positions are latched to be closed."""
        return latched_bounds(self._journal, self._account)

    def orders_last_minute(self) -> int:
        """Count the orders of the last minute that cut, for whatever reason."""
        now = self._clock.now()
        return self._journal.intents.count_orders_since(self._account, now - timedelta(minutes=1), until=now)

    def trims_last_hour(self) -> int:
        """Count the orders of the last hour that only kept a bound; zero while none is kept."""
        if not self.is_kept:
            return 0
        now = self._clock.now()
        return self._journal.intents.count_trims_since(self._account, now - timedelta(hours=1), until=now)
