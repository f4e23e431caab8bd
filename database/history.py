"""The history's writer: batches from the outbox, each exactly once however often it is delivered."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from database.engine import naming_failures
from database.errors import HistoryRefused
from database.payload import decode
from database.records import OutboxRow, RowKind
from database.tables import alerts, audit, deliveries, events, margin_history, orders, positions
from database.upgrade import require_head

TABLES: dict[RowKind, Table] = {
    RowKind.MARGIN: margin_history,
    RowKind.POSITION: positions,
    RowKind.ORDER: orders,
    RowKind.EVENT: events,
    RowKind.ALERT: alerts,
    RowKind.AUDIT: audit,
}


class History:
    """Writes what the outbox holds into the history database."""

    def __init__(self, engine: Engine, install_id: str) -> None:
        self.engine = engine
        self._install_id = install_id
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._insert = dialect.insert
        self._statements = {kind: self._statement(kind) for kind in RowKind}

    def delivered(self) -> int:
        """Return the highest sequence number of this install that the history has; 0 if none.

        Raises:
            HistoryUnavailable: no answer, or the schema is not up to date.
            SchemaTooNew: a newer margind has been there.
        """
        found = select(deliveries.c.sequence).where(deliveries.c.install_id == self._install_id)
        with naming_failures(), self.engine.connect() as connection:
            require_head(connection)
            return connection.execute(found).scalar() or 0

    def write(self, rows: Sequence[OutboxRow], now: datetime) -> None:
        """Write `rows`, in order of sequence, all or none; rows that are there already stay as they are.

        Raises:
            HistoryUnavailable: no answer or no room; the same rows may be written later.
            HistoryRefused: one of them will never be taken.
        """
        batches: defaultdict[RowKind, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            try:
                values = decode(row.kind, row.payload).values()
            except ValueError as error:
                raise HistoryRefused(f"row {row.sequence}: {error}") from error
            batches[row.kind].append({"event_id": row.event_id, "sequence": row.sequence, **values})
        with naming_failures(), self.engine.begin() as connection:
            for kind, batch in batches.items():
                connection.execute(self._statements[kind], batch)
            if rows:
                self._note_delivery(connection, rows[-1].sequence, now)

    def _statement(self, kind: RowKind) -> Any:  # noqa: ANN401 - two dialects' inserts with no common type
        table = TABLES[kind]
        insert = self._insert(table)
        if kind is not RowKind.ORDER:
            return insert.on_conflict_do_nothing()
        changed = {
            column.name: insert.excluded[column.name] for column in table.columns if not column.primary_key
        }
        return insert.on_conflict_do_update(
            index_elements=[orders.c.intent_id],
            set_=changed,
            where=orders.c.sequence < insert.excluded.sequence,
        )

    def _note_delivery(self, connection: Connection, sequence: int, now: datetime) -> None:
        insert = self._insert(deliveries)
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=[deliveries.c.install_id],
                set_={"sequence": insert.excluded.sequence, "delivered_at": insert.excluded.delivered_at},
                where=deliveries.c.sequence < insert.excluded.sequence,
            ),
            {"install_id": self._install_id, "sequence": sequence, "delivered_at": now},
        )
