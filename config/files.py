"""Reading a small file without being held up, flooded or fooled by what stands in its place."""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent:
    """The bytes of a file and its permission bits."""

    raw: bytes = field(repr=False)
    mode: int

    @property
    def is_private(self) -> bool:
        """Whether nobody but its owner may read, write or run it."""
        return not self.mode & (stat.S_IRWXG | stat.S_IRWXO)


def read_file(path: Path, limit: int) -> FileContent:
    """Return up to `limit` + 1 bytes of a regular file, or of one that a link leads to.

    Raises:
        OSError: it cannot be read, or is no regular file (a pipe or a device could block or never end).
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except ValueError:
        raise OSError(0, "no such path") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(0, "not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return FileContent(raw=file.read(limit + 1), mode=stat.S_IMODE(mode))
    finally:
        os.close(descriptor)
