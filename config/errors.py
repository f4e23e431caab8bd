"""What is wrong with a configuration, one line a problem."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing to mend: where it stands, what is wrong, what to do.

    `line` counts from 1; `None` when the file itself is the problem. No field ever holds a value out of the
    file that could be a secret.
    """

    file: str
    line: int | None
    key: str
    what: str
    hint: str = ""
    account: str | None = None

    def __str__(self) -> str:
        """`file:line: accounts[1].endpoint (account okx-a): what is wrong; what to do`."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        account = f" (account {self.account})" if self.account else ""
        subject = f"{self.key}{account}: " if self.key else ""
        return f"{place}: {subject}{self.what}{f'; {self.hint}' if self.hint else ''}"


class ConfigError(Exception):
    """A configuration that must not be used; `problems` holds every reason found, in the file's order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
