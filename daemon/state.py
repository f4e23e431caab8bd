"""What the last cycle of every account saw and did: the board that logs, status and watchdog read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Self

from brokers.models import AccountId
from daemon.risk.assessment import Protection
from daemon.risk.forecast import Outlook
from daemon.risk.policy import Level, Mode
from daemon.risk.reason import Reason
from daemon.risk.shock import Shock
from daemon.risk.standing import Alarm, Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleOutcome:
    """One cycle of one account, from what it saw to what it did.

    Each ratio is the highest of any unit; `None` is unknown or senseless. `unit` is the worst one.
    `positions` `None`: nothing was seen; `level` `None`: nothing ever was. `doing` is the decision in one
    word, `sentence` in words and numbers. `next_s` is how long to wait before the next cycle. `cash`: the
    account owes nothing and can have no ratio. `outlook` is what may come first, from CRITICAL up; `shock`
    the smallest price move to LIQUIDATION; `None`: nothing known.
    """

    account: AccountId
    at: datetime
    level: Level | None
    protection: Protection
    mode: Mode
    doing: str
    reason: Reason
    sentence: str
    unit: str | None
    utilization: Decimal | None
    maintenance_ratio: Decimal | None
    leverage: Decimal | None
    positions: int | None
    orders_sent: int
    episode: int | None
    transitions: tuple[Transition, ...]
    duration_s: float
    next_s: float
    cash: bool = False
    outlook: Outlook | None = None
    shock: Shock | None = None

    @classmethod
    def failed(
        cls, alarm: Alarm, mode: Mode, transitions: tuple[Transition, ...], *, at: datetime, error: Exception
    ) -> Self:
        """Return the outcome of a cycle that `error` ended: unprotected, and at least as bad as known."""
        return cls(
            account=alarm.account_id,
            at=at,
            level=alarm.seen_level,
            protection=Protection.UNPROTECTED,
            mode=mode,
            doing="failed",
            reason=Reason.OWN_FAILURE,
            sentence=f"the cycle failed: {error}",
            unit=None,
            utilization=None,
            maintenance_ratio=None,
            leverage=None,
            positions=None,
            orders_sent=0,
            episode=alarm.episode.number if alarm.episode else None,
            transitions=transitions,
            duration_s=0.0,
            next_s=0.0,
        )


class Board:
    """The last outcome of every account and when it came, by uptime."""

    def __init__(self) -> None:
        self._outcomes: dict[AccountId, CycleOutcome] = {}
        self._beats: dict[AccountId, float] = {}

    def publish(self, outcome: CycleOutcome, uptime: float) -> None:
        """Put up an outcome; the account has made progress."""
        self._outcomes[outcome.account] = outcome
        self._beats[outcome.account] = uptime

    @property
    def outcomes(self) -> Mapping[AccountId, CycleOutcome]:
        """The last outcome of every account that has had one."""
        return self._outcomes

    def last_beat(self, account: AccountId) -> float | None:
        """When the account last made progress, in uptime seconds; `None`: never."""
        return self._beats.get(account)
