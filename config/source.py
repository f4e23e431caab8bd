"""Where in which file a value was written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from config.errors import Problem

KeyPath = tuple[str | int, ...]
"""The way to a value: mapping keys and list positions (from 0)."""


_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,39}", re.ASCII)
_CREDENTIALS = frozenset({"credentials", "emergency_credentials"})
_CREDENTIAL_KEYS = frozenset({"api_key", "secret", "password"})


def dotted(path: KeyPath) -> str:
    """Return a path as people write it: `accounts[1].credentials.secret`.

    A key that no setting could have, and any foreign key among credentials, shows as `<?>`: it may be a
    secret that slipped into the wrong place.
    """
    text = ""
    for place, part in enumerate(path):
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        among_credentials = place > 0 and path[place - 1] in _CREDENTIALS
        fit = part in _CREDENTIAL_KEYS if among_credentials else _KEY.fullmatch(part)
        text += ("." if text else "") + (part if fit else "<?>")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The file behind a configuration: its name, its digest, and the line of every key.

    No field takes part in equality: where a value was written does not change it. `account_ids` are by list
    position, `None` where an entry has no readable id.
    """

    file: str = field(default="<memory>", compare=False)
    sha256: str = field(default="", compare=False)
    lines: Mapping[KeyPath, int] = field(default_factory=lambda: MappingProxyType({}), compare=False)
    account_ids: tuple[str | None, ...] = field(default=(), compare=False)

    def line(self, path: KeyPath) -> int | None:
        """Return the line of the key at `path`, or of the nearest key around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def problem(self, path: KeyPath, what: str, hint: str = "", *, line: int | None = None) -> Problem:
        """Return a problem with the value at `path`, on its key's line unless `line` says another."""
        return Problem(
            file=self.file,
            line=self.line(path) if line is None else line,
            key=dotted(path),
            what=what,
            hint=hint,
            account=self._account(path),
        )

    def _account(self, path: KeyPath) -> str | None:
        match path:
            case ("accounts", int(position), *_) if position < len(self.account_ids):
                return self.account_ids[position]
        return None
