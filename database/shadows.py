"""Shadows: what an account's watching is following where margind may not act, so that a restart goes on."""

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.sqlite import insert

from database.journal_store import JournalStore
from database.journal_tables import shadows
from database.records import ShadowState

_insert = insert(shadows)
SAVE = _insert.on_conflict_do_update(
    index_elements=[shadows.c.account],
    set_={"state": _insert.excluded.state, "updated_at": _insert.excluded.updated_at},
)
ONE = select(shadows).where(shadows.c.account == bindparam("account"))


class Shadows:
    """The excursions that every account is on, as text that only the daemon reads."""

    def __init__(self, store: JournalStore) -> None:
        self._store = store

    def save(self, shadow: ShadowState) -> None:
        """Keep `shadow` in place of the account's last one, with the open transaction."""
        self._store.write(SAVE, shadow.values())

    def get(self, account: str) -> ShadowState | None:
        """Return what was kept last; `None` if nothing ever was."""
        rows = self._store.rows(ONE, {"account": account})
        return ShadowState(**rows[0]) if rows else None
