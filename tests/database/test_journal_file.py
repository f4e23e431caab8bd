import os
import random
import shutil
import sqlite3
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from database.audit import verify_chain
from database.errors import JournalDamaged, JournalError, JournalInUse, JournalRewound, SchemaTooNew
from database.journal import Journal
from database.journal_file import APPLICATION_ID, RESERVE_BYTES, set_aside
from database.payload import decode
from database.records import Plan, PlanState, RowKind


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a crash leaves of a journal with forty plans, committed one by one."""
    folder = tmp_path_factory.mktemp("image")
    now = datetime(2026, 3, 1, tzinfo=UTC)
    with Journal.open(folder / "alive", now) as journal:
        for number in range(40):
            plan = Plan(
                plan_id=f"p{number}",
                account="bybit-main",
                decided_at=now,
                decision="delever",
                reason="above_liquidation",
                mode="enforce",
                config_hash="c",
                state=PlanState.APPROVED,
            )
            with journal.transaction():
                journal.plans.add(plan)
            if number == 20:
                journal.maintain()
        (folder / "dead").mkdir()
        for name in ("journal.db", "journal.db-wal", "journal.lock"):
            shutil.copy(folder / "alive" / name, folder / "dead" / name)
    return folder / "dead"


@pytest.fixture
def crashed(image: Path, tmp_path: Path) -> Path:
    """A copy of it to damage."""
    return Path(shutil.copytree(image, tmp_path / "crashed"))


def count_plans(journal: Journal) -> int:
    numbers = [number for number in range(40) if journal.plans.get(f"p{number}") is not None]
    assert numbers == list(range(len(numbers))), "a committed plan is missing between others"
    return len(numbers)


def test_the_install_is_made_once(state_dir: Path, now: datetime) -> None:
    with Journal.open(state_dir, now) as first:
        made = first.install
    with Journal.open(state_dir, now.replace(year=2030)) as second:
        assert second.install == made

    assert made.created_at == now
    assert len(made.install_id) == 32


def test_files_are_private(journal: Journal, state_dir: Path) -> None:
    assert stat.S_IMODE(state_dir.stat().st_mode) == 0o700
    for name in ("journal.db", "journal.lock", "journal.reserve", "journal.db-wal"):
        assert stat.S_IMODE((state_dir / name).stat().st_mode) == 0o600, name


def test_every_commit_is_synchronous(journal: Journal) -> None:
    raw = journal._store._raw

    assert raw.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert raw.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_a_second_owner_is_refused_until_the_first_leaves(state_dir: Path, now: datetime) -> None:
    with (
        Journal.open(state_dir, now),
        pytest.raises(JournalInUse, match="another margind"),
    ):
        Journal.open(state_dir, now)

    Journal.open(state_dir, now).close()


def test_a_refused_open_gives_the_directory_up(state_dir: Path, now: datetime) -> None:
    state_dir.mkdir()
    (state_dir / "journal.db").write_bytes(b"")
    with pytest.raises(JournalDamaged):
        Journal.open(state_dir, now)
    (state_dir / "journal.db").unlink()

    Journal.open(state_dir, now).close()


def test_a_crash_loses_nothing(crashed: Path, now: datetime) -> None:
    with Journal.open(crashed, now) as recovered:
        assert count_plans(recovered) == 40


def test_a_crash_during_recovery_loses_nothing(crashed: Path, now: datetime) -> None:
    """Recovery merges and removes the write-ahead file before it makes a new one."""
    Journal.open(crashed, now).close()
    assert not (crashed / "journal.db-wal").exists()

    with Journal.open(crashed, now) as recovered:
        assert count_plans(recovered) == 40


def test_a_process_that_ends_without_closing_is_no_damage(
    state_dir: Path, now: datetime, make_plan: Callable[..., Plan]
) -> None:
    """An interpreter that ends closes its files, and SQLite then merges and removes the write-ahead file."""
    journal = Journal.open(state_dir, now)
    with journal.transaction():
        journal.plans.add(make_plan("p0"))
    journal._store._connection.close()
    journal._store.file._lock.release()
    assert not (state_dir / "journal.db-wal").exists()

    with Journal.open(state_dir, now) as again:
        assert again.plans.get("p0") is not None


@pytest.mark.parametrize("seed", range(12))
def test_a_torn_write_ahead_file_is_noticed_and_keeps_a_beginning_of_history(
    crashed: Path, now: datetime, seed: int
) -> None:
    wal = crashed / "journal.db-wal"
    os.truncate(wal, random.Random(seed).randrange(wal.stat().st_size))

    try:
        with Journal.open(crashed, now) as whole:  # what was cut off was left from before a checkpoint
            assert count_plans(whole) == 40
            return
    except JournalRewound as refusal:
        lost_after = refusal.sequence
    assert lost_after == 80  # an event and an audit link for each of forty plans

    with Journal.open(crashed, now, accept_rewound=True) as recovered:
        kept = count_plans(recovered)
        rows = recovered.outbox.batch(1000)
        links = [decode(row.kind, row.payload) for row in rows if row.kind is RowKind.AUDIT]
        head = recovered.audit.head

    assert kept < 40
    assert [row.sequence for row in rows] == [*range(1, 2 * kept + 1), 81, 82]
    assert links[-1].action == "journal_rewound"
    assert verify_chain(head.chain, links, head).is_intact
    with Journal.open(crashed, now) as again:  # accepted once, accepted for good
        assert count_plans(again) == kept


def test_an_older_copy_put_back_is_noticed(
    journal: Journal,
    state_dir: Path,
    crashed_copy: Callable[[Path], Path],
    make_plan: Callable[..., Plan],
    now: datetime,
) -> None:
    backup = crashed_copy(state_dir)
    with journal.transaction():
        journal.plans.add(make_plan("p0"))
    shutil.copy(state_dir / "journal.lock", backup / "journal.lock")

    with pytest.raises(JournalRewound, match="older copy"):
        Journal.open(backup, now)


def test_the_memory_of_the_lock_file_is_never_ahead_of_the_journal(
    journal: Journal, state_dir: Path, make_plan: Callable[..., Plan], now: datetime
) -> None:
    def write_and_fail() -> None:
        with journal.transaction():
            journal.plans.add(make_plan("p0"))
            raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    assert (state_dir / "journal.lock").read_text().split() == [journal.install.install_id, "0" * 20]

    with journal.transaction():
        journal.plans.add(make_plan("p0"))
    assert (state_dir / "journal.lock").read_text().split()[1] == f"{2:020d}"


@pytest.mark.parametrize("seed", range(20))
def test_a_truncated_journal_is_damage_and_never_a_fresh_start(
    crashed: Path, now: datetime, seed: int
) -> None:
    Journal.open(crashed, now).close()  # everything is in the main file now
    path = crashed / "journal.db"
    os.truncate(path, random.Random(seed).randrange(path.stat().st_size))

    with pytest.raises(JournalDamaged):
        Journal.open(crashed, now)


@pytest.mark.parametrize("seed", range(12))
def test_a_truncated_journal_in_use_is_damage_or_whole(crashed: Path, now: datetime, seed: int) -> None:
    path = crashed / "journal.db"
    os.truncate(path, random.Random(seed).randrange(path.stat().st_size))

    try:
        recovered = Journal.open(crashed, now)
    except JournalDamaged:
        return
    with recovered:  # the write-ahead file held every page that was cut off
        assert count_plans(recovered) == 40


@pytest.mark.parametrize("seed", range(30))
def test_a_damaged_page_is_named_or_touches_nothing(crashed: Path, now: datetime, seed: int) -> None:
    Journal.open(crashed, now).close()
    path = crashed / "journal.db"
    content = bytearray(path.read_bytes())
    page = random.Random(seed).randrange(len(content) // 4096)
    content[page * 4096 : (page + 1) * 4096] = random.Random(seed).randbytes(4096)
    path.write_bytes(content)

    try:
        recovered = Journal.open(crashed, now)
    except JournalError:
        return
    with recovered:
        assert count_plans(recovered) == 40


def test_a_missing_write_ahead_file_after_a_crash_is_noticed(crashed: Path, now: datetime) -> None:
    (crashed / "journal.db-wal").unlink()

    with pytest.raises(JournalRewound, match="had come to 80"):
        Journal.open(crashed, now)


def test_after_a_clean_end_there_is_no_write_ahead_file_to_miss(
    state_dir: Path, now: datetime, make_plan: Callable[..., Plan]
) -> None:
    with Journal.open(state_dir, now) as journal, journal.transaction():
        journal.plans.add(make_plan("p0"))
    assert not (state_dir / "journal.db-wal").exists()

    with Journal.open(state_dir, now) as again:
        assert again.plans.get("p0") is not None


def test_a_missing_journal_is_damage_where_one_was_kept(crashed: Path, tmp_path: Path, now: datetime) -> None:
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(crashed / "journal.lock", other)

    with pytest.raises(JournalDamaged, match=r"journal\.db is gone"):
        Journal.open(other, now)


def test_a_write_ahead_file_without_its_journal_is_damage(
    crashed: Path, tmp_path: Path, now: datetime
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(crashed / "journal.db-wal", other)

    with pytest.raises(JournalDamaged, match="write-ahead file is still here"):
        Journal.open(other, now)


def test_an_empty_file_is_damage_and_not_a_new_journal(state_dir: Path, now: datetime) -> None:
    Journal.open(state_dir, now).close()
    (state_dir / "journal.db").write_bytes(b"")

    with pytest.raises(JournalDamaged, match="is empty"):
        Journal.open(state_dir, now)


def test_a_file_of_another_program_is_refused_and_left_alone(state_dir: Path, now: datetime) -> None:
    state_dir.mkdir()
    foreign = sqlite3.connect(state_dir / "journal.db")
    foreign.execute("CREATE TABLE t (a)")
    foreign.commit()
    foreign.close()
    before = (state_dir / "journal.db").read_bytes()

    with pytest.raises(JournalDamaged, match="not a margind journal"):
        Journal.open(state_dir, now)

    assert (state_dir / "journal.db").read_bytes() == before


def test_the_journal_of_another_install_is_refused(tmp_path: Path, now: datetime) -> None:
    for name in ("a", "b"):
        Journal.open(tmp_path / name, now).close()
    shutil.copy(tmp_path / "a" / "journal.db", tmp_path / "b" / "journal.db")

    with pytest.raises(JournalDamaged, match="belongs to install"):
        Journal.open(tmp_path / "b", now)


def test_a_newer_schema_is_refused_and_left_alone(state_dir: Path, now: datetime) -> None:
    Journal.open(state_dir, now).close()
    newer = sqlite3.connect(state_dir / "journal.db")
    newer.execute("PRAGMA user_version = 99")
    newer.close()

    with pytest.raises(SchemaTooNew, match="schema 99"):
        Journal.open(state_dir, now)


def test_a_half_made_journal_of_a_crashed_first_start_is_made_again(state_dir: Path, now: datetime) -> None:
    state_dir.mkdir()
    (state_dir / "journal.db.new").write_bytes(b"half of it")

    with Journal.open(state_dir, now) as journal:
        assert journal._store._raw.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


def test_set_aside_is_refused_while_the_journal_is_in_use(
    journal: Journal, state_dir: Path, now: datetime
) -> None:
    with pytest.raises(JournalInUse):
        set_aside(state_dir, now)


def test_set_aside_moves_a_damaged_journal_out_of_the_way(state_dir: Path, now: datetime) -> None:
    with Journal.open(state_dir, now) as journal:
        old = journal.install.install_id
    (state_dir / "journal.db").write_bytes(b"damage")

    folder = set_aside(state_dir, now)

    assert (folder / "journal.db").read_bytes() == b"damage"
    with Journal.open(state_dir, now) as fresh:
        assert fresh.install.install_id != old


def test_the_reserve_is_there_and_comes_back(journal: Journal, state_dir: Path) -> None:
    reserve = state_dir / "journal.reserve"
    assert reserve.stat().st_size == RESERVE_BYTES
    assert reserve.stat().st_blocks * 512 >= RESERVE_BYTES

    assert journal._store.file.release_reserve()
    assert not journal._store.file.release_reserve()
    journal.maintain()

    assert reserve.stat().st_size == RESERVE_BYTES


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path, now: datetime) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(JournalError, match="cannot be used"):
        Journal.open(tmp_path / "file" / "state", now)
