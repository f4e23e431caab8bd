"""What an operator does to the journal of a stopped daemon."""

from datetime import UTC, datetime
from pathlib import Path

from brokers.models import AccountId
from config.schema import Settings
from daemon.errors import FatalError
from daemon.flatten import reset
from database.errors import DatabaseError, JournalDamaged
from database.journal import Journal
from database.journal_file import set_aside
from database.records import EVERY_ACCOUNT, OperatorOrderKind

OPERATOR = "operator"


def journal_fault(state_dir: Path, error: DatabaseError) -> FatalError:
    """Return why a journal cannot be used: its directory named once, and what helps if it is damaged."""
    where = "state_dir" if str(state_dir) in str(error) else f"state_dir {state_dir}"
    remedy = "; look at it, then `margind journal set-aside`" if isinstance(error, JournalDamaged) else ""
    return FatalError(f"{where}: {error}{remedy}")


def resume(settings: Settings) -> str:
    """Lift the order that keeps margind from acting on every account; return what was done, in words.

    Raises:
        FatalError: the journal cannot be opened; a running daemon holds it.
    """
    now = datetime.now(UTC)
    try:
        with Journal.open(settings.state_dir, now) as journal, journal.transaction():
            lifted = journal.operator_orders.lift(
                EVERY_ACCOUNT,
                OperatorOrderKind.MODE,
                now,
                actor=OPERATOR,
                reason="orders and positions compared",
            )
    except DatabaseError as error:
        raise journal_fault(settings.state_dir, error) from error
    if lifted is None:
        return "nothing keeps margind from acting on every account"
    return f"lifted: {lifted.mode} ({lifted.reason}); the next start acts as configured"


def reset_flatten(settings: Settings, account: str, unit: str | None, reason: str) -> str:
    """Release an account's flatten latches by hand; return what was done, in words.

    Raises:
        FatalError: there is no such account, or the journal cannot be opened; a running daemon holds it.
    """
    known = [one.id for one in settings.accounts]
    if account not in known:
        raise FatalError(f"no account {account!r}; there are: {', '.join(known)}")
    now = datetime.now(UTC)
    try:
        with Journal.open(settings.state_dir, now) as journal, journal.transaction():
            units = reset(journal, AccountId(account), now, actor=OPERATOR, reason=reason, unit=unit)
    except DatabaseError as error:
        raise journal_fault(settings.state_dir, error) from error
    if not units:
        return f"no flatten of {account} is latched" + (f" for {unit}" if unit is not None else "")
    return f"released: {', '.join(units)} of {account}; the next start judges what is left of it anew"


def set_journal_aside(settings: Settings) -> str:
    """Move the journal into a folder of its own; return what was done, in words.

    Raises:
        FatalError: it cannot be moved; a running daemon holds it.
    """
    try:
        folder = set_aside(settings.state_dir, datetime.now(UTC))
    except DatabaseError as error:
        raise journal_fault(settings.state_dir, error) from error
    return (
        f"moved to {folder}; the next start begins anew and knows nothing of earlier orders: "
        "compare the venues' orders and positions first"
    )
