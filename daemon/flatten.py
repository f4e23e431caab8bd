"""The flatten latch: a unit being closed stays latched, over any restart, until the venue shows it flat.

An operator may reset it by hand: then what is left of the unit is judged as any other. A reset is no halt: a
unit that still calls for a flatten is latched again by the next picture.
"""

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


def reset(
    journal: Journal, account: AccountId, now: datetime, *, actor: str, reason: str, unit: str | None = None
) -> tuple[str, ...]:
    """Release the latch of one unit, or of all (`None`), by hand; return the units that were latched.

    Within a transaction.
    """
    latched = [key for key in sorted(latched_units(journal, account)) if unit in {None, key}]
    for key in latched:
        journal.latches.clear(account, PREFIX + key, now, reason=reason, actor=actor)
    return tuple(latched)


def _is_flat(assessment: Assessment, key: str) -> bool:
    """Whether a unit provably holds nothing itself; one that is gone is flat if the whole picture is good."""
    unit = assessment.unit(key)
    if unit is None:
        return assessment.actionable
    return unit.actionable and not unit.has_positions
