import stat
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, text

from database.engine import STATEMENT_TIMEOUT_S, history_engine, history_url, naming_failures, shown
from database.errors import DatabaseUrlError, HistoryUnavailable


def test_the_default_is_a_file_beside_the_journal(tmp_path: Path) -> None:
    url = history_url("sqlite", tmp_path)

    assert url.database == str(tmp_path / "history.db")
    assert url.get_backend_name() == "sqlite"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_postgresql_url_is_spoken_by_psycopg(tmp_path: Path, scheme: str) -> None:
    assert history_url(f"{scheme}://margind@db/history", tmp_path).drivername == "postgresql+psycopg"


def test_an_sqlite_file_may_lie_elsewhere(tmp_path: Path) -> None:
    assert history_url("sqlite:////srv/margind/history.db", tmp_path).database == "/srv/margind/history.db"


@pytest.mark.parametrize(
    "configured",
    [
        "",
        "sqlite://",
        "sqlite:///relative.db",
        "sqlite:///:memory:",
        "mysql://root:hunter2@db/x",
        "postgresql+asyncpg://u:hunter2@db/x",
        "postgresql://u:hunter2@db:port/x",
        "hunter2",
    ],
)
def test_other_urls_are_refused_without_being_quoted(tmp_path: Path, configured: str) -> None:
    with pytest.raises(DatabaseUrlError) as refusal:
        history_url(configured, tmp_path)

    assert "hunter2" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    url = history_url("postgresql://margind:hunter2@db/history", tmp_path)

    assert shown(url) == "postgresql+psycopg://margind:***@db/history"
    assert "hunter2" not in repr(history_engine(url))


def test_no_connection_is_made_before_it_is_needed(tmp_path: Path) -> None:
    history_engine(history_url("postgresql://margind@db.invalid/history", tmp_path))


def test_a_server_that_is_not_there_is_unavailable_and_its_password_stays_out(tmp_path: Path) -> None:
    url = history_url("postgresql://margind:hunter2@127.0.0.1:1/history", tmp_path)

    with pytest.raises(HistoryUnavailable) as failure, naming_failures(), history_engine(url).connect():
        pass

    assert "hunter2" not in str(failure.value)


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    url = URL.create("sqlite+pysqlite", database=str(tmp_path / "file" / "history.db"))

    with pytest.raises(HistoryUnavailable), naming_failures(), history_engine(url).connect():
        pass


def test_the_history_file_is_private(tmp_path: Path) -> None:
    url = history_url("sqlite", tmp_path / "state")
    engine = history_engine(url)
    with engine.connect():
        pass
    engine.dispose()

    assert stat.S_IMODE((tmp_path / "state" / "history.db").stat().st_mode) == 0o600


@pytest.mark.postgres
def test_a_statement_that_hangs_is_ended_by_the_server(postgres: object) -> None:
    engine = history_engine(postgres.new_schema())  # type: ignore[attr-defined]  # a fixture of conftest
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == f"{STATEMENT_TIMEOUT_S}s"
        connection.execute(text("SET statement_timeout = '50ms'"))
        with pytest.raises(HistoryUnavailable, match="statement timeout"), naming_failures():
            connection.execute(text("SELECT pg_sleep(10)"))
    engine.dispose()


def test_both_kinds_answer(any_engine: Engine) -> None:
    with any_engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
