"""Alarms: the state of each account's alarm, so that a restart neither forgets nor repeats one.

A hedge group's memory is one too, under `hedge:` and its name.
"""

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.sqlite import insert

from database.journal_store import JournalStore
from database.journal_tables import alarms
from database.records import AlarmState

_insert = insert(alarms)
SAVE = _insert.on_conflict_do_update(
    index_elements=[alarms.c.account],
    set_={"state": _insert.excluded.state, "updated_at": _insert.excluded.updated_at},
)
ONE = select(alarms).where(alarms.c.account == bindparam("account"))


class Alarms:
    """The last alarm state of every account, as text that only the daemon reads."""

    def __init__(self, store: JournalStore) -> None:
        self._store = store

    def save(self, alarm: AlarmState) -> None:
        """Keep `alarm` in place of the account's last one, with the open transaction."""
        self._store.write(SAVE, alarm.values())

    def get(self, account: str) -> AlarmState | None:
        """Return the account's last alarm state; `None` if it never had one."""
        rows = self._store.rows(ONE, {"account": account})
        return AlarmState(**rows[0]) if rows else None
