"""The row of one repayment: debt given back out of its own currency's balance."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from database.records import Record


class RepaymentState(StrEnum):
    """Where a repayment stands."""

    PLANNED = "planned"
    SENT = "sent"
    UNKNOWN = "unknown"  # no verdict: a picture will tell
    ACCEPTED = "accepted"  # the venue has taken it; a picture will show it
    COMPLETED = "completed"  # final: a picture shows it
    REJECTED = "rejected"  # final
    ABSENT = "absent"  # final: no picture has shown it in time

    @property
    def is_final(self) -> bool:
        """Nothing more is expected of it."""
        return self in {RepaymentState.COMPLETED, RepaymentState.REJECTED, RepaymentState.ABSENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class RepaymentRow(Record):
    """One repayment of `amount` of `currency` by a risk unit that owed `owed_before` of it.

    `repaid` is what the venue says it took; `None` where it does not say.
    """

    client_id: str
    account: str
    unit: str
    currency: str
    amount: Decimal
    owed_before: Decimal
    created_at: datetime
    state: RepaymentState = RepaymentState.PLANNED
    episode: int | None = None
    step: int | None = None
    repaid: Decimal | None = None
    code: str | None = None
    message: str | None = None
    settled_at: datetime | None = None
