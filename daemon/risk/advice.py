"""How long advice holds: a plan that waits for an operator, and the operator's approval of it."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from brokers.numbers import ONE, ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """When a plan that waits for approval is over.

    A plan waits `plan_lasts` at the longest, an approval is good for `approval_lasts`. A measure that has
    risen by `worse_by` (a fraction of 1: 0.05 is five points) since the plan was made asks for another one.
    """

    plan_lasts: timedelta = timedelta(minutes=30)
    approval_lasts: timedelta = timedelta(minutes=5)
    worse_by: Decimal = Decimal("0.05")

    def __post_init__(self) -> None:
        """Refuse advice that is over before anybody can read it."""
        if min(self.plan_lasts, self.approval_lasts) <= timedelta(0):
            raise ValueError("a plan and its approval must each last a while")
        if not ZERO < self.worse_by < ONE:
            raise ValueError(f"worse_by must lie between 0 and 1, not {self.worse_by}")
