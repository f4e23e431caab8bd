"""What lies ahead of one account: its recent motion, followed from picture to picture."""

from daemon.risk.assessment import Assessment
from daemon.risk.forecast import NO_OUTLOOKS, Outlook, Outlooks, Trails, outlooks
from daemon.risk.policy import Level, MarginPolicy
from daemon.risk.standing import Observation


class Foresight:
    """Follows an account's measures; a restart begins anew and knows nothing for the first minute."""

    def __init__(self, policy: MarginPolicy) -> None:
        self._policy = policy
        self._trails = Trails()
        self._outlooks = NO_OUTLOOKS

    def follow(self, observation: Observation) -> Outlooks:
        """Return when which level may be reached, after what a cycle saw; without a picture nothing new."""
        if isinstance(observation, Assessment):
            self._trails = self._trails.follow(observation, self._policy.forecast_window)
            self._outlooks = outlooks(self._trails, observation, self._policy)
        return self._outlooks

    def nearest(self) -> Outlook | None:
        """Return what may come first of all units, from CRITICAL up; `None`: nothing is to be expected."""
        ahead = (one for unit in self._outlooks.values() for one in unit if one.level >= Level.CRITICAL)
        return min(ahead, key=lambda outlook: outlook.early, default=None)
