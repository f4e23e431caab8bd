"""What stands between a picture and acting on it."""

from dataclasses import dataclass
from enum import StrEnum

from brokers.models import Symbol
from daemon.risk.reason import Reason


class Weight(StrEnum):
    """What a gate takes away."""

    NOTE = "note"  # nothing; it is shown
    POSITION = "position"  # one position cannot be reduced; the rest of its unit can
    DOUBT = "doubt"  # the right to act, until a second read shows the same
    FAULT = "fault"  # the right to act on this picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One reason not to act on a snapshot, or only to say something about it.

    `unit` `None`: it concerns the whole account.
    """

    reason: Reason
    weight: Weight
    detail: str
    unit: str | None = None
    symbol: Symbol | None = None

    @property
    def blocks(self) -> bool:
        """Whether it takes away the right to act."""
        return self.weight in {Weight.DOUBT, Weight.FAULT}

    def concerns(self, unit: str) -> bool:
        """Whether it is about `unit` or about the whole account."""
        return self.unit is None or self.unit == unit
