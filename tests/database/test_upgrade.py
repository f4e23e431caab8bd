import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import URL, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from database.engine import history_engine
from database.errors import HistoryUnavailable, SchemaTooNew
from database.tables import metadata
from database.upgrade import current, downgrade, head, require_head, upgrade


def tables_of(url: URL) -> set[str]:
    engine = history_engine(url)
    names = set(inspect(engine).get_table_names())
    engine.dispose()
    return names


def test_an_empty_database_is_brought_up_to_date_and_stays_so(any_url: URL) -> None:
    assert current(any_url) is None

    assert upgrade(any_url) == head()
    assert upgrade(any_url) == head()

    assert current(any_url) == head()
    assert tables_of(any_url) == set(metadata.tables) | {"alembic_version"}


def test_the_migrations_make_the_tables_that_the_code_expects(any_engine: Engine) -> None:
    with any_engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_down_takes_everything_away_and_up_brings_it_back(any_url: URL) -> None:
    upgrade(any_url)
    downgrade(any_url, "base")
    assert tables_of(any_url) <= {"alembic_version"}

    assert upgrade(any_url) == head()


def test_a_newer_schema_is_refused(any_url: URL) -> None:
    upgrade(any_url)
    engine = history_engine(any_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(SchemaTooNew, match="9999"):
        upgrade(any_url)
    with pytest.raises(SchemaTooNew), engine.connect() as connection:
        require_head(connection)
    engine.dispose()


def test_a_missing_schema_says_what_to_do(any_url: URL) -> None:
    engine = history_engine(any_url)
    with pytest.raises(HistoryUnavailable, match="margind db upgrade"), engine.connect() as connection:
        require_head(connection)
    engine.dispose()


def test_a_migration_that_fails_leaves_nothing_of_itself(any_url: URL) -> None:
    """`positions` is made last but one; that it exists already must undo all tables before it."""
    engine = history_engine(any_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE positions (a INTEGER)"))
    engine.dispose()

    with pytest.raises(HistoryUnavailable, match="already exists"):
        upgrade(any_url)

    assert current(any_url) is None
    assert tables_of(any_url) == {"positions"}


def test_a_database_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    url = URL.create("postgresql+psycopg", host="127.0.0.1", port=1, username="m", password="hunter2")

    for ask in (current, upgrade):
        with pytest.raises(HistoryUnavailable) as failure:
            ask(url)
        assert "hunter2" not in str(failure.value)


def test_audit_rows_cannot_be_changed_by_a_slip_of_the_hand(any_engine: Engine) -> None:
    row = (
        "INSERT INTO audit VALUES ('e', 1, 'c', 1, '2026-03-01 00:00:00.000000', "
        "'a', 'b', 's', NULL, '{}', 'p', 'h')"
    )
    with any_engine.begin() as connection:
        connection.execute(text(row))
    for change in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):
        with pytest.raises(DBAPIError, match="append-only"), any_engine.begin() as connection:
            connection.execute(text(change))


@pytest.mark.postgres
def test_two_upgrades_at_once_do_not_collide(postgres: object) -> None:
    url = postgres.new_schema()  # type: ignore[attr-defined]  # a fixture of conftest
    results: list[object] = []

    def run() -> None:
        try:
            results.append(upgrade(url))
        except Exception as error:  # noqa: BLE001 - carried to the test's own thread
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [head()] * 3


@pytest.mark.postgres
def test_where_timescaledb_is_installed_margin_history_is_partitioned_by_time(postgres: object) -> None:
    """The extension is no part of the test server, so its catalogue entry and function stand in for it."""
    url = postgres.new_database()  # type: ignore[attr-defined]  # a fixture of conftest
    engine = history_engine(url)
    with engine.begin() as connection:
        connection.execute(text("SET allow_system_table_mods = on"))
        connection.execute(
            text(
                "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) "
                "SELECT 99999, 'timescaledb', 10, oid, false, '2' FROM pg_namespace WHERE nspname = 'public'"
            )
        )
        connection.execute(text("CREATE TABLE partitioned (relation text, by_column text)"))
        connection.execute(
            text(
                "CREATE FUNCTION create_hypertable(relation regclass, time_column_name name, "
                "if_not_exists boolean, create_default_indexes boolean) RETURNS void LANGUAGE sql AS "
                "'INSERT INTO partitioned VALUES (relation::text, time_column_name)'"
            )
        )

    upgrade(url)

    with engine.connect() as connection:
        assert connection.execute(text("SELECT * FROM partitioned")).all() == [("margin_history", "time")]
    engine.dispose()
