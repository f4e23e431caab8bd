"""The lock of a state directory, which also remembers how far its journal had come."""

import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from database.errors import JournalFailed, JournalInUse

LOCK_NAME = "journal.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """What the lock file says of the journal: whose it is, and the last outbox number it had committed.

    It makes losses visible that SQLite itself takes for a fresh start or an older state: a journal that is
    gone, a write-ahead file that is gone or torn, an old copy put back. It is written after each commit and
    not forced to the disk, so it may lag behind the journal and can never be ahead of it.
    """

    install_id: str
    sequence: int


class StateLock:
    """An exclusive `flock` on `<state_dir>/journal.lock`, held until `release` or the end of the process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._noted: Witness | None = None

    @classmethod
    def acquire(cls, state_dir: Path) -> Self:
        """Take the lock, making the directory (0700) if it is not there.

        Raises:
            JournalInUse: another process has it.
            JournalFailed: the directory cannot be made or written.
        """
        try:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(state_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalFailed(f"state directory {state_dir} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise JournalInUse(f"another margind already uses the state directory {state_dir}") from error
        return cls(descriptor)

    def witness(self) -> Witness | None:
        """Return what was noted last; `None` if nothing readable was."""
        match os.pread(self._descriptor, 128, 0).decode("ascii", "replace").split():
            case [install_id, digits] if digits.isdecimal():
                return Witness(install_id=install_id, sequence=int(digits))
            case _:
                return None

    def note(self, witness: Witness) -> None:
        """Write `witness` down in place; a failure is no failure of the journal and is passed over."""
        if witness != self._noted:
            with suppress(OSError):
                os.pwrite(self._descriptor, f"{witness.install_id} {witness.sequence:020d}\n".encode(), 0)
                self._noted = witness

    def forget(self) -> None:
        """Empty the file: no journal belongs here any more."""
        os.ftruncate(self._descriptor, 0)
        os.fsync(self._descriptor)

    def release(self) -> None:
        """Give the lock up."""
        os.close(self._descriptor)
