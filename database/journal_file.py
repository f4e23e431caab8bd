"""The journal's file: made whole or not at all, checked before it is believed, and its bad days named.

SQLite takes an empty file for a new database and a missing write-ahead file for nothing to recover. Here
both are damage: the file is created under another name and renamed when complete, it carries an application
id, and the lock file of the directory remembers whose journal belongs there and how far it had come.
"""

import os
import shutil
import sqlite3
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, insert, select, update
from sqlalchemy.exc import DBAPIError

from database.canonical import canonical_json
from database.errors import (
    JournalBusy,
    JournalDamaged,
    JournalError,
    JournalFailed,
    JournalFull,
    JournalMisuse,
    JournalRewound,
    SchemaTooNew,
)
from database.ids import random_id
from database.journal_tables import JOURNAL_SCHEMA, install, metadata
from database.records import Install
from database.state_lock import StateLock, Witness

FILE_NAME = "journal.db"
RESERVE_NAME = "journal.reserve"
RESERVE_BYTES = 1 << 20
APPLICATION_ID = 0x6D676A6C
"""`mgjl`, in the file's header: this SQLite file is a margind journal."""

GENESIS_HASH = "0" * 64
"""What the first link of an audit chain follows."""

CHECKPOINT_PAGES = 4000
"""16 MiB: the carrier checkpoints between batches; this is the bound when it does not run."""

FAILURES: dict[int, type[JournalError]] = {
    sqlite3.SQLITE_BUSY: JournalBusy,
    sqlite3.SQLITE_LOCKED: JournalBusy,
    sqlite3.SQLITE_FULL: JournalFull,
    sqlite3.SQLITE_CORRUPT: JournalDamaged,
    sqlite3.SQLITE_NOTADB: JournalDamaged,
    sqlite3.SQLITE_MISUSE: JournalMisuse,
}


def journal_failure(error: sqlite3.Error) -> JournalError:
    """Return what an SQLite error means to the caller; an unlisted one is `JournalFailed`."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # raised by the Python module itself: a closed connection
        return JournalMisuse(f"the journal is closed: {error}")
    name = getattr(error, "sqlite_errorname", "")
    return FAILURES.get(code & 0xFF, JournalFailed)(f"journal: {error} ({name})")


class JournalFile:
    """One checked and opened journal; `connection` is the only one that writes."""

    def __init__(self, state_dir: Path, lock: StateLock, engine: Engine, connection: Connection) -> None:
        self.state_dir = state_dir
        self.engine = engine
        self.connection = connection
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)  # noqa: S101 - the URL is ours
        self.raw = raw
        self.lost_after: int | None = None  # how far it had come, if it is older than that
        self._lock = lock
        row = connection.execute(select(install)).mappings().one()
        self.install = Install(
            install_id=row["install_id"], created_at=row["created_at"], schema_version=JOURNAL_SCHEMA
        )
        self.audit_count: int = row["audit_count"]
        self.audit_hash: str = row["audit_hash"]
        self.samples_dropped: int = row["samples_dropped"]

    @classmethod
    def open(
        cls, state_dir: Path, now: datetime, *, busy_timeout_s: float, accept_rewound: bool = False
    ) -> Self:
        """Lock the directory, then open its journal, or make one where there was never any.

        Raises:
            JournalInUse: another process has the directory.
            JournalDamaged: the journal is missing, damaged or another install's.
            JournalRewound: it is older than it was, and that is not accepted.
            SchemaTooNew: a newer margind wrote it.
        """
        lock = StateLock.acquire(state_dir)
        try:
            path = state_dir / FILE_NAME
            witness = lock.witness()
            _refuse_missing_files(path, witness)
            if not path.exists():
                _create(path, now)
            opened = cls._open_existing(state_dir, lock, busy_timeout_s)
            try:
                opened._begin(witness, accept_rewound=accept_rewound)  # noqa: SLF001 - our own
            except BaseException:
                opened._disconnect()  # noqa: SLF001 - our own
                raise
        except sqlite3.Error as error:
            lock.release()
            raise journal_failure(error) from error
        except DBAPIError as error:
            lock.release()
            if isinstance(error.orig, sqlite3.Error):
                raise journal_failure(error.orig) from error
            raise
        except OSError as error:
            lock.release()
            raise JournalFailed(f"journal in {state_dir}: {error.strerror}") from error
        except BaseException:
            lock.release()
            raise
        return opened

    @classmethod
    def _open_existing(cls, state_dir: Path, lock: StateLock, busy_timeout_s: float) -> Self:
        _check(state_dir / FILE_NAME)
        engine = journal_engine(state_dir / FILE_NAME, busy_timeout_s)
        connection = engine.connect()
        try:
            return cls(state_dir, lock, engine, connection)
        except BaseException:
            connection.close()
            engine.dispose()
            raise

    def _begin(self, witness: Witness | None, *, accept_rewound: bool) -> None:
        """Compare the file with what the directory remembers, then write to it for the first time."""
        if witness is not None:
            self._compare(witness)
        if self.lost_after is not None and not accept_rewound:
            raise JournalRewound(
                f"{self.state_dir / FILE_NAME} ends at row {self.last_sequence()}, but had come to "
                f"{self.lost_after}: its write-ahead file is gone or torn, or an older copy was put back",
                sequence=self.lost_after,
            )
        self._upgrade()
        with suppress(DBAPIError):  # a nearly full disk may have no room to merge, and still for commits
            self.connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        self._count_opening()
        if self.lost_after is None:
            self.note_progress()
        self.restore_reserve()

    def _upgrade(self) -> None:
        """Add the tables that an older margind did not have; what it wrote stays as it is.

        The number comes last: whoever is cut short here begins anew.
        """
        version = self.raw.execute("PRAGMA user_version").fetchone()[0]
        if version < JOURNAL_SCHEMA:
            metadata.create_all(self.connection)
            self.connection.exec_driver_sql(f"PRAGMA user_version = {JOURNAL_SCHEMA}")

    def _compare(self, witness: Witness) -> None:
        if witness.install_id != self.install.install_id:
            raise JournalDamaged(
                f"{self.state_dir / FILE_NAME} belongs to install {self.install.install_id}, this directory "
                f"to {witness.install_id}; put the right file back, or run `margind journal set-aside`"
            )
        if witness.sequence > self.last_sequence():
            self.lost_after = witness.sequence

    def last_sequence(self) -> int:
        """Return the highest outbox number ever given out."""
        row = self.raw.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
        return 0 if row is None else int(row[0])

    def note_progress(self) -> None:
        """Let the lock file remember how far the journal has come."""
        self._lock.note(Witness(install_id=self.install.install_id, sequence=self.last_sequence()))

    def _count_opening(self) -> None:
        statement = update(install).values(opened=install.c.opened + 1)
        try:
            self.connection.execute(statement)
        except DBAPIError:
            if not self.release_reserve():
                raise
            self.connection.execute(statement)

    def restore_reserve(self) -> bool:
        """Set space aside for the day the disk is full; return whether it is there now."""
        path = self.state_dir / RESERVE_NAME
        if path.exists():
            return True
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
            finally:
                os.close(descriptor)
        except OSError:
            path.unlink(missing_ok=True)
            return False
        return True

    def release_reserve(self) -> bool:
        """Give the reserve back to the file system; return whether there was any."""
        path = self.state_dir / RESERVE_NAME
        if not path.exists():
            return False
        path.unlink()
        return True

    def close(self) -> None:
        """Close the file and give the directory up; the write-ahead file is merged and removed by SQLite."""
        self._disconnect()
        self._lock.release()

    def _disconnect(self) -> None:
        self.connection.close()
        self.engine.dispose()


def journal_engine(path: Path, busy_timeout_s: float) -> Engine:
    """Return an engine over the journal whose connections leave transactions to the caller."""
    engine = create_engine(
        f"sqlite+pysqlite:///{path}",
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        json_serializer=canonical_json,
        connect_args={"check_same_thread": False, "timeout": busy_timeout_s},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "trusted_schema = OFF",
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    return engine


def set_aside(state_dir: Path, now: datetime) -> Path:
    """Move a journal that cannot be used into a folder of its own, so that the next open makes a new one.

    The new journal is a new install: it knows no open intent, no latch and no episode of the old one, and
    computes other client order ids. Whoever calls this must compare orders and positions by hand.

    Raises:
        JournalInUse: a process still uses it.
    """
    lock = StateLock.acquire(state_dir)
    try:
        folder = state_dir / f"journal-set-aside-{now:%Y%m%dT%H%M%S%f}"
        folder.mkdir(mode=0o700)
        for suffix in ("", "-wal", "-shm", "-journal"):
            source = state_dir / f"{FILE_NAME}{suffix}"
            if source.exists():
                shutil.move(source, folder / source.name)
        lock.forget()
    finally:
        lock.release()
    return folder


def _refuse_missing_files(path: Path, witness: Witness | None) -> None:
    wal = path.with_name(f"{path.name}-wal")
    if not path.exists():
        if witness is not None:
            raise JournalDamaged(
                f"{path} is gone, but install {witness.install_id} kept its journal here; "
                "put it back, or run `margind journal set-aside` to begin anew"
            )
        if wal.exists() and wal.stat().st_size > 0:
            raise JournalDamaged(f"{path} is gone, but its write-ahead file is still here")


def _create(path: Path, now: datetime) -> None:
    """Make a complete journal under another name, make it durable, then give it its own."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    engine = create_engine(f"sqlite+pysqlite:///{draft}", poolclass=NullPool, json_serializer=canonical_json)
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA synchronous = OFF")  # all of it is made durable at once, below
        metadata.create_all(connection)
        connection.execute(
            insert(install),
            {
                "only": 1,
                "install_id": random_id(),
                "created_at": now,
                "opened": 0,
                "audit_count": 0,
                "audit_hash": GENESIS_HASH,
                "samples_dropped": 0,
            },
        )
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.exec_driver_sql(f"PRAGMA user_version = {JOURNAL_SCHEMA}")
    engine.dispose()
    _sync(draft)
    draft.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check(path: Path) -> None:
    """Refuse a file that is empty, foreign, damaged or newer, before anything is written to it."""
    if path.stat().st_size == 0:
        raise JournalDamaged(f"{path} is empty")
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        if application != APPLICATION_ID:
            raise JournalDamaged(f"{path} is not a margind journal")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > JOURNAL_SCHEMA:
            raise SchemaTooNew(f"{path} has schema {version}, this margind knows up to {JOURNAL_SCHEMA}")
        if version < 1:
            raise JournalDamaged(f"{path} has schema {version}, which never was")
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise JournalDamaged(f"{path} is damaged: {verdict}")
        if connection.execute("SELECT count(*) FROM install").fetchone()[0] != 1:
            raise JournalDamaged(f"{path} does not say whose it is")
    finally:
        connection.close()
