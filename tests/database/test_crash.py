"""Real ends of real processes: killed at any moment, a disk that refuses, a disk that is full."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from database.journal import Journal

pytestmark = pytest.mark.process

WRITER = """
import resource, sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from database.errors import JournalFailed, JournalFull
from database.journal import Journal
from database.records import Plan, PlanState

now = datetime(2026, 3, 1, tzinfo=UTC)

def commit(journal, number):
    with journal.transaction():
        journal.plans.add(Plan(plan_id=str(number), account="a", decided_at=now, decision="delever",
            reason="r", mode="enforce", config_hash="c", state=PlanState.APPROVED, plan={"text": "x" * 2000}))
    print(number, flush=True)

journal = Journal.open(Path(sys.argv[1]), now)
"""

ENDLESS = """
number = 0
while True:
    commit(journal, number)
    number += 1
"""

UNTIL_THE_DISK_REFUSES = """
wal = Path(sys.argv[1]) / "journal.db-wal"
for number in range(5):
    commit(journal, number)
resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size + 5000, resource.RLIM_INFINITY))
try:
    for number in range(5, 1000):
        commit(journal, number)
except JournalFailed:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    try:
        commit(journal, 1000)
    except JournalFailed as failure:
        assert "not written any more" in str(failure), failure
        sys.exit(7)
"""

UNTIL_THE_DISK_IS_FULL = """
reserve = Path(sys.argv[1]) / "journal.reserve"
number = 0
try:
    while True:
        commit(journal, number)
        number += 1
        if number % 20 == 0:  # as the carrier does, without its renewal of the reserve
            with suppress(JournalFull):
                journal._store.checkpoint()
        if not reserve.exists():
            print("reserve", flush=True)
except JournalFull:
    Path(sys.argv[1], "ballast").unlink()
    commit(journal, number)
    sys.exit(7)
"""


def run(program: str, state_dir: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", WRITER + program, state_dir], stdout=subprocess.PIPE, text=True
    )


def committed(printed: str) -> list[int]:
    """The numbers of whole lines; one cut off by the kill does not count."""
    return [int(line) for line in printed.splitlines(keepends=True) if line.endswith("\n") and line[0] != "r"]


@pytest.mark.parametrize("delay", [0.0, 0.013, 0.05])
def test_a_killed_process_loses_nothing_that_was_committed(
    state_dir: Path, now: datetime, delay: float
) -> None:
    process = run(ENDLESS, state_dir)
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    printed = first + process.stdout.read()
    process.wait()
    process.stdout.close()
    numbers = committed(printed)

    with Journal.open(state_dir, now) as journal:
        assert all(journal.plans.get(str(number)) is not None for number in numbers)
        assert journal.plans.get(str(len(numbers) + 1)) is None
        assert journal.audit.head.count in {len(numbers), len(numbers) + 1}


def test_after_an_input_output_error_nothing_more_is_written_and_nothing_is_lost(
    state_dir: Path, now: datetime
) -> None:
    process = run(UNTIL_THE_DISK_REFUSES, state_dir)
    printed, _ = process.communicate(timeout=30)
    assert process.returncode == 7

    with Journal.open(state_dir, now) as journal:
        assert all(journal.plans.get(str(number)) is not None for number in committed(printed))
        assert journal.plans.get("1000") is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    if mount is None or unmount is None:
        pytest.skip("no mount here")
    done = subprocess.run(  # noqa: S603 - the system's own mount
        [mount, "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run([unmount, folder], check=True)  # noqa: S603 - the system's own umount


def test_a_full_disk_costs_the_reserve_first_and_then_no_committed_row(
    small_disk: Path, now: datetime
) -> None:
    (small_disk / "state").mkdir()
    (small_disk / "state" / "ballast").write_bytes(b"x" * (1 << 20))
    process = run(UNTIL_THE_DISK_IS_FULL, small_disk / "state")
    printed, _ = process.communicate(timeout=30)
    assert process.returncode == 7
    lines = printed.splitlines()
    after_reserve = len(lines) - lines.index("reserve")

    assert after_reserve > 20  # the reserve carried on for a while
    with Journal.open(small_disk / "state", now) as journal:
        assert all(journal.plans.get(str(number)) is not None for number in committed(printed))
