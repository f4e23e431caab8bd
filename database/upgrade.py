"""The schema of the history: brought up to date by Alembic, never guessed."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, text

from database.engine import history_engine, naming_failures, shown
from database.errors import HistoryUnavailable, SchemaTooNew

MIGRATIONS = Path(__file__).parent / "migrations"

UPGRADE_LOCK = 0x6D676869
"""The PostgreSQL advisory lock that keeps two upgrades apart."""


def head() -> str:
    """Return the revision that this version of margind writes."""
    revision = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    assert revision is not None  # noqa: S101 - shipped with the package
    return revision


def current(url: URL) -> str | None:
    """Return the revision of the database at `url`; `None` if it holds no history yet.

    Raises:
        HistoryUnavailable: it does not answer.
    """
    engine = history_engine(url)
    try:
        with naming_failures(), engine.connect() as connection:
            return _revision(connection)
    finally:
        engine.dispose()


def upgrade(url: URL, revision: str = "head") -> str:
    """Bring the database at `url` up to `revision`, all of it or nothing, and return where it is now.

    Raises:
        SchemaTooNew: a newer margind has been there.
        HistoryUnavailable: it does not answer, or refuses.
    """
    engine = history_engine(url)
    try:
        with naming_failures(), engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
            found = _revision(connection)
            if found is not None:
                refuse_newer(found)
            command.upgrade(_config(connection), revision)
            return _revision(connection) or ""
    except CommandError as error:
        raise HistoryUnavailable(f"history schema at {shown(url)}: {error}") from error
    finally:
        engine.dispose()


def downgrade(url: URL, revision: str) -> None:
    """Take the database back to `revision` (`base`: no history at all); for development."""
    engine = history_engine(url)
    try:
        with engine.begin() as connection:
            command.downgrade(_config(connection), revision)
    finally:
        engine.dispose()


def require_head(connection: Connection) -> None:
    """Refuse a database whose schema is not the one this version writes.

    Raises:
        SchemaTooNew: a newer margind has been there.
        HistoryUnavailable: it has none yet, or an older one.
    """
    found = _revision(connection)
    if found == head():
        return
    if found is not None:
        refuse_newer(found)
    raise HistoryUnavailable(
        f"history schema is {found or 'missing'}, not {head()}: run `margind db upgrade`"
    )


def refuse_newer(revision: str) -> None:
    """Refuse a revision that is none of ours.

    Raises:
        SchemaTooNew: it is unknown here.
    """
    known = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    if revision not in known:
        raise SchemaTooNew(f"history schema {revision} was made by a newer margind; this one knows {head()}")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
