"""One look at an account: a judged picture, or the reason why there is none."""

from dataclasses import dataclass

from brokers.errors import (
    Banned,
    BrokerError,
    ClockRefused,
    MalformedAnswer,
    RateLimited,
    RequestRefused,
    Unauthorized,
)
from brokers.models import AccountSnapshot
from brokers.orders import OpenOrder
from brokers.port import Broker
from daemon.risk.assessment import Assessment, assess
from daemon.risk.policy import MarginPolicy
from daemon.risk.reason import Reason
from daemon.risk.standing import Blind, Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What one read showed. `snapshot` `None`: nothing that could be judged, and `observation` says why."""

    observation: Observation
    snapshot: AccountSnapshot | None = None

    @property
    def assessment(self) -> Assessment | None:
        """The judged picture, if there is one."""
        return self.observation if isinstance(self.observation, Assessment) else None


REASONS: tuple[tuple[type[BrokerError], Reason], ...] = (
    (Banned, Reason.BANNED),
    (RateLimited, Reason.RATE_LIMITED),
    (Unauthorized, Reason.UNAUTHORIZED),
    (ClockRefused, Reason.CLOCK_REFUSED),
    (RequestRefused, Reason.REQUEST_REFUSED),
    (MalformedAnswer, Reason.MALFORMED_ANSWER),
    (BrokerError, Reason.VENUE_UNAVAILABLE),
)


def blind(error: BrokerError) -> Blind:
    """Return a failed read as an observation."""
    reason = next(reason for kind, reason in REASONS if isinstance(error, kind))
    return Blind(reason=reason, detail=str(error))


async def look(
    broker: Broker, policy: MarginPolicy, previous: Assessment | None, *, protective: bool
) -> Sight:
    """Read the account once and judge what is there, by the venue's clock; never raises a `BrokerError`."""
    try:
        snapshot = await broker.fetch_snapshot(protective=protective)
    except BrokerError as error:
        return Sight(observation=blind(error))
    return Sight(observation=assess(snapshot, policy, broker.venue_now(), previous), snapshot=snapshot)


async def look_at_orders(broker: Broker) -> tuple[OpenOrder, ...] | None:
    """Return the resting orders, protective ones left out; `None`: not known."""
    try:
        orders = await broker.fetch_open_orders()
    except BrokerError:
        return None
    return tuple(order for order in orders if not order.is_protective)
