"""The flatten latch: a unit being closed stays latched, over any restart, until the venue shows it flat."""

from datetime import datetime

from brokers.models import AccountId
from daemon.risk.assessment import Assessment
from daemon.risk.reason import Reason
from database.journal import Journal

PREFIX = "flatten:"


def latched_units(journal: Journal, account: AccountId) -> frozenset[str]:
    """Return the units whose flatten is latched."""
    return frozenset(
        latch.name.removeprefix(PREFIX)
        for latch in journal.latches.of(account)
        if latch.name.startswith(PREFIX)
    )


def latch(journal: Journal, account: AccountId, unit: str, now: datetime, reason: Reason) -> None:
    """Latch the flatten of a unit, within a transaction; a latched one stays as it is."""
    journal.latches.set(account, PREFIX + unit, now, reason=reason.value)


def flat_units(journal: Journal, assessment: Assessment) -> tuple[str, ...]:
    """Return the latched units that a good picture shows flat."""
    latched = sorted(latched_units(journal, assessment.account_id))
    return tuple(unit for unit in latched if _is_flat(assessment, unit))


def release(journal: Journal, assessment: Assessment, now: datetime) -> None:
    """Clear the latch of every unit that a good picture shows flat, within a transaction."""
    for unit in flat_units(journal, assessment):
        journal.latches.clear(assessment.account_id, PREFIX + unit, now, reason="the venue shows it flat")


def _is_flat(assessment: Assessment, key: str) -> bool:
    """Whether a unit provably holds nothing itself; one that is gone is flat if the whole picture is good."""
    unit = assessment.unit(key)
    if unit is None:
        return assessment.actionable
    return unit.actionable and not unit.has_positions
