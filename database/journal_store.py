"""Transactions over the journal's file: one writer, all or nothing, durable when they return."""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from sqlalchemy import Connection, Executable, FromClause, RowMapping, UpdateBase
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from database.errors import JournalDamaged, JournalFailed, JournalFull, JournalMisuse
from database.journal_file import JournalFile, journal_failure

Values = Mapping[str, Any] | Sequence[Mapping[str, Any]]
Question = tuple[Executable, tuple[tuple[str, Any], ...]]
"""A SELECT and the values it was asked with."""


class Participant(Protocol):
    """Something that gathers rows during a transaction and writes them at its end."""

    def before_commit(self) -> None:
        """Write what was gathered."""

    def after(self, *, committed: bool) -> None:
        """Keep or forget what was gathered."""


class JournalStore:
    """The one door to the journal's tables.

    Any thread may call; a transaction holds the store until it ends, so keep it short. A read inside a
    transaction sees what that transaction wrote.
    """

    def __init__(self, file: JournalFile) -> None:
        self.file = file
        self._connection = file.connection
        self._raw = file.raw
        self._lock = threading.RLock()
        self._beside_lock = threading.Lock()
        self._is_open = False
        self._is_closed = False
        self._failure: str | None = None
        self._written: list[tuple[Executable, Values]] = []
        self._known: dict[FromClause, dict[Question, Sequence[RowMapping]]] = {}
        self._participants: list[Participant] = []

    def join(self, participant: Participant) -> None:
        """Call `participant` at the end of every transaction, in the order of joining."""
        self._participants.append(participant)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything written inside, durably, or nothing of it.

        A full disk costs the reserve, not the transaction: the space is freed and the same rows written
        once more.

        Raises:
            JournalError: nothing was committed; after `JournalFailed` every further transaction fails too.
        """
        with self._lock:
            self._refuse_closed()
            if self._is_open:
                raise JournalMisuse("a transaction is open already")
            if self._failure is not None:
                raise JournalFailed(f"the journal failed before and is not written any more: {self._failure}")
            self._begin()
            committed = False
            try:
                yield
                for participant in self._participants:
                    participant.before_commit()
                self._commit()
                committed = True
            finally:
                self._end(committed=committed)

    def require_transaction(self) -> None:
        """Refuse what may only happen inside a transaction.

        Raises:
            JournalMisuse: none is open.
        """
        if not self._is_open:
            raise JournalMisuse("a write needs a transaction")

    def rows(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Sequence[RowMapping]:
        """Return every row of a SELECT.

        Raises:
            JournalDamaged: a row holds what no column of its kind can.
            JournalError: anything else.
        """
        with self._lock:
            self._refuse_closed()
            try:
                return self._connection.execute(statement, values).mappings().all()
            except DBAPIError as error:
                raise self._failed(error) from error
            except (ValueError, ArithmeticError, TypeError) as error:  # a column's type could not read it
                raise JournalDamaged(f"journal: a row is not what was written: {error}") from error

    def known(
        self, table: FromClause, statement: Executable, values: Mapping[str, Any]
    ) -> Sequence[RowMapping]:
        """Return every row of a SELECT from `table`, from memory if it was not written since the last asking.

        Nobody but this store writes the file, so what was read still holds, also in an open transaction that
        has not touched `table`. For questions that come again, as every cycle asks them; what a moment is
        part of never comes again and belongs to `rows`.

        Raises:
            JournalError: as `rows`.
        """
        with self._lock:
            question = (statement, tuple(values.items()))
            answers = self._known.get(table, {})
            if question in answers:
                return answers[question]
            rows = self.rows(statement, values)
            if not self._is_open:  # what is not committed may still be undone
                self._known.setdefault(table, {})[question] = rows
            return rows

    def write(self, statement: Executable, values: Values) -> int:
        """Execute an INSERT, UPDATE or DELETE inside the open transaction; return the number of rows.

        Raises:
            IntegrityError: a constraint refused it; for the caller to name.
            ValueError: a value that no column takes (NaN, a naive time).
            JournalError: anything else.
        """
        with self._lock:
            self.require_transaction()
            if isinstance(statement, UpdateBase):
                self._known.pop(statement.table, None)
            try:
                result = self._connection.execute(statement, values)
            except IntegrityError:
                raise
            except DBAPIError as error:
                raise self._failed(error) from error
            except StatementError as error:
                raise ValueError(str(error.orig)) from error
            except OverflowError as error:
                raise ValueError(str(error)) from error
            self._written.append((statement, values))
            return result.rowcount

    def last_sequence(self) -> int:
        """Return the highest outbox number ever given out."""
        with self._lock:
            self._refuse_closed()
            return self.file.last_sequence()

    def rows_beside(
        self, statement: Executable, values: Mapping[str, Any] | None = None
    ) -> Sequence[RowMapping]:
        """Return what is committed, on a connection of its own: a long read that no writer waits for."""
        with self._beside() as connection:
            return connection.execute(statement, values).mappings().all()

    def checkpoint(self) -> None:
        """Move committed pages from the write-ahead file into the main one, as far as no reader needs them.

        Works beside the writer and never makes it wait.
        """
        with self._beside() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        with self._beside_lock, self._lock:
            if self._is_open:
                raise JournalMisuse("a transaction is open")
            if not self._is_closed:
                self._is_closed = True
                self.file.close()

    @contextmanager
    def _beside(self) -> Iterator[Connection]:
        with self._beside_lock:
            self._refuse_closed()
            try:
                with self.file.engine.connect() as connection:
                    yield connection
            except DBAPIError as error:
                raise self._failed(error) from error
            except (ValueError, ArithmeticError, TypeError) as error:
                raise JournalDamaged(f"journal: a row is not what was written: {error}") from error

    def _refuse_closed(self) -> None:
        if self._is_closed:
            raise JournalMisuse("the journal is closed")

    def _begin(self) -> None:
        try:
            self._raw.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise self._failed(error) from error
        self._is_open = True
        self._written.clear()

    def _commit(self) -> None:
        try:
            self._raw.execute("COMMIT")
        except sqlite3.Error as error:
            failure = self._failed(error)
            if not isinstance(failure, JournalFull) or not self.file.release_reserve():
                raise failure from error
            self._repeat()

    def _repeat(self) -> None:
        """Write the transaction again: SQLite has rolled it back, and nobody else can have written since."""
        try:
            if not self._raw.in_transaction:
                self._raw.execute("BEGIN IMMEDIATE")
                for statement, values in self._written:
                    self._connection.execute(statement, values)
            self._raw.execute("COMMIT")
        except (sqlite3.Error, DBAPIError) as error:
            raise self._failed(error) from error

    def _end(self, *, committed: bool) -> None:
        self._is_open = False
        self._written.clear()
        if committed:
            self.file.note_progress()
        elif self._raw.in_transaction:
            self._raw.execute("ROLLBACK")
        for participant in self._participants:
            participant.after(committed=committed)

    def _failed(self, error: sqlite3.Error | DBAPIError) -> Exception:
        origin = error.orig if isinstance(error, DBAPIError) else error
        if not isinstance(origin, sqlite3.Error):
            return error
        failure = journal_failure(origin)
        if isinstance(failure, JournalFailed):
            # After a failed fsync the kernel may have dropped the pages: a later success proves nothing.
            self._failure = str(failure)
        return failure
