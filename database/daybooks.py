"""Daybooks: what each risk unit's day began with, and what was moved since; a restart goes on with it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.sqlite import insert

from database.journal_store import JournalStore
from database.journal_tables import daybooks
from database.records import Record

_insert = insert(daybooks)
SAVE = _insert.on_conflict_do_update(
    index_elements=[daybooks.c.account, daybooks.c.unit],
    set_={"state": _insert.excluded.state, "updated_at": _insert.excluded.updated_at},
)
ALL = select(daybooks).where(daybooks.c.account == bindparam("account")).order_by(daybooks.c.unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class DaybookState(Record):
    """The day of one risk unit as text; only the daemon reads what is in it."""

    account: str
    unit: str
    state: str
    updated_at: datetime


class Daybooks:
    """The day of every risk unit, as text that only the daemon reads."""

    def __init__(self, store: JournalStore) -> None:
        self._store = store

    def save(self, day: DaybookState) -> None:
        """Keep `day` in place of the unit's last one, with the open transaction."""
        self._store.write(SAVE, day.values())

    def of(self, account: str) -> tuple[DaybookState, ...]:
        """Return the days of an account's units."""
        return tuple(DaybookState(**row) for row in self._store.rows(ALL, {"account": account}))
