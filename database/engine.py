"""Where the history lives: `database.url` turned into an engine that never waits for ever.

`sqlite` (the default) is `<state_dir>/history.db`: a file of its own beside the journal, so that no batch
written and no query run there ever holds the lock that a protective commit needs, and damage to one leaves
the other whole. `sqlite:////absolute/path` puts it elsewhere; `postgresql://` and `postgresql+psycopg://`
are a server, used through psycopg 3.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    SQLAlchemyError,
    StatementError,
)

from database.canonical import canonical_json
from database.errors import DatabaseUrlError, HistoryRefused, HistoryUnavailable

HISTORY_NAME = "history.db"
CONNECT_TIMEOUT_S = 3
STATEMENT_TIMEOUT_S = 5
BUSY_TIMEOUT_S = 5.0

POSTGRES_NAMES = frozenset({"postgresql", "postgresql+psycopg", "postgres"})
SQLITE_NAMES = frozenset({"sqlite", "sqlite+pysqlite"})


def history_url(configured: str, state_dir: Path) -> URL:
    """Return the URL that the text of `database.url` stands for.

    Raises:
        DatabaseUrlError: no URL, or of a database that margind does not support; never quotes it.
    """
    if configured == "sqlite":
        return URL.create("sqlite+pysqlite", database=str(state_dir / HISTORY_NAME))
    try:
        url = make_url(configured)
    except (ArgumentError, ValueError):
        raise DatabaseUrlError("database.url is neither `sqlite` nor a database URL") from None
    if url.drivername in SQLITE_NAMES:
        if not url.database or not Path(url.database).is_absolute():
            raise DatabaseUrlError(
                "database.url: an SQLite file needs an absolute path, sqlite:////path/file"
            )
        return url.set(drivername="sqlite+pysqlite")
    if url.drivername in POSTGRES_NAMES:
        return url.set(drivername="postgresql+psycopg")
    raise DatabaseUrlError(f"database.url: {url.drivername} is not supported, use sqlite or postgresql")


def shown(url: URL) -> str:
    """Return `url` for people, without its password."""
    return url.render_as_string(hide_password=True)


def history_engine(url: URL) -> Engine:
    """Return an engine over `url` that has not connected yet."""
    return _sqlite_engine(url) if url.get_backend_name() == "sqlite" else _postgres_engine(url)


@contextmanager
def naming_failures() -> Iterator[None]:
    """Say of each failure of the history database whether another attempt can help.

    Raises:
        HistoryRefused: a value or row that it will never take.
        HistoryUnavailable: all else.
    """
    try:
        yield
    except (DataError, IntegrityError) as error:
        raise HistoryRefused(_first_line(error.orig or error)) from error
    except DBAPIError as error:
        raise HistoryUnavailable(_first_line(error.orig or error)) from error
    except StatementError as error:  # a value that the column's type refused
        raise HistoryRefused(_first_line(error.orig or error)) from error
    except OverflowError as error:  # an integer beyond 64 bits, raised by the driver itself
        raise HistoryRefused(_first_line(error)) from error
    except (SQLAlchemyError, psycopg.Error, sqlite3.Error, OSError) as error:  # the pool, a new connection
        raise HistoryUnavailable(_first_line(error)) from error


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(url, json_serializer=canonical_json, connect_args={"timeout": BUSY_TIMEOUT_S})
    file = Path(str(url.database))

    @event.listens_for(engine, "do_connect")
    def make_private(*_arguments: object) -> None:
        if not file.exists():
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # or the driver would commit around DDL, and tear migrations
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _postgres_engine(url: URL) -> Engine:
    wanted: dict[str, Any] = {
        "application_name": "margind",
        "connect_timeout": CONNECT_TIMEOUT_S,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": STATEMENT_TIMEOUT_S * 1000,
    }
    connect_args = {name: value for name, value in wanted.items() if name not in url.query}
    connect_args["prepare_threshold"] = None  # transaction poolers lose prepared statements
    engine = create_engine(
        url,
        json_serializer=canonical_json,
        pool_pre_ping=True,
        pool_size=2,
        max_overflow=2,
        pool_timeout=CONNECT_TIMEOUT_S,
        pool_recycle=1800,
        connect_args=connect_args,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: psycopg.Connection[Any], _record: object) -> None:
        # SET and not a startup option: poolers refuse unknown startup options.
        connection.autocommit = True
        connection.execute(f"SET statement_timeout = '{STATEMENT_TIMEOUT_S}s'")
        connection.execute(f"SET idle_in_transaction_session_timeout = '{2 * STATEMENT_TIMEOUT_S}s'")
        connection.autocommit = False

    return engine
