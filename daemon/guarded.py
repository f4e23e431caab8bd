"""One account as its guard needs it, built from its settings."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from brokers.models import AccountId
from brokers.port import Broker
from daemon.risk.policy import MarginPolicy, Mode
from daemon.topup import TopUpCaps


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """One account as its cycle needs it."""

    broker: Broker
    policy: MarginPolicy
    mode: Mode
    caps: TopUpCaps
    config_hash: str
    connect: Callable[[], Awaitable[None]]
    """Connects the account and vets its key; raises a `BrokerError`."""
    cancel_all_after: timedelta | None = None

    @property
    def account(self) -> AccountId:
        """The operator's name for it."""
        return self.broker.account_id
