"""What accounts tell the book of a hedge group, and what it answers."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from daemon.risk.hedge_group import LegName
from daemon.risk.hedge_view import LegViews
from daemon.risk.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an account last saw of its legs, in a picture that may be acted upon.

    `out` is why it cannot follow, `None`: it can. Up to `good_for_s` it may be acted upon by others, beyond
    `dark_after_s` the account counts as out.
    """

    uptime: float
    fetched_at: datetime
    legs: LegViews
    out: str | None
    good_for_s: float
    dark_after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trim:
    """What an account must cut of a leg now; `coins` is what it is worth. `urgent`: at market."""

    group: str
    leg: LegName
    quantity: Decimal
    coins: Decimal
    reason: Reason
    urgent: bool
    why: str

    def __str__(self) -> str:
        """As people read it."""
        return f"hedge {self.group}: {self.quantity:f} of {self.leg} ({self.why})"


class Answer(StrEnum):
    """Whether a leg may be cut."""

    FREE = "free"  # whole, and the partners can follow
    SLICE = "slice"  # a part
    WAIT = "wait"  # not until the partners have followed
    HELD = "held"  # not while the partners are out
    BARED = "bared"  # whole, and nobody follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How much of a leg may be cut now, and why."""

    answer: Answer
    quantity: Decimal
    why: str
