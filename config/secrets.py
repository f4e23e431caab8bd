"""Secrets: named in the configuration, kept elsewhere, never printed.

A configuration holds references only. `config.resolution.resolve` reads what they name into `Secret`s.
"""

import hmac
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, NoReturn, SupportsIndex

from pydantic import PlainSerializer, PlainValidator

from config.section import complain

REDACTED = "<secret>"


class SecretScheme(StrEnum):
    """Where a secret is kept."""

    ENV = "env"  # an environment variable
    FILE = "file"  # an absolute path, readable by its owner alone
    CREDENTIAL = "credential"  # a file that systemd put into $CREDENTIALS_DIRECTORY


_NAMES = {
    SecretScheme.ENV: re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII),
    SecretScheme.FILE: re.compile(r"/[^\x00-\x1f]{1,1023}"),
    SecretScheme.CREDENTIAL: re.compile(r"(?!\.)[A-Za-z0-9_.-]{1,255}", re.ASCII),
}


class Secret:
    """A value that no print, format, log, pickle or copied state shows; `reveal()` is the only way in."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """Return the value itself: for signing and connecting only."""
        return self.__value

    def __repr__(self) -> str:
        return REDACTED

    def __str__(self) -> str:
        return REDACTED

    def __format__(self, spec: str) -> str:
        return format(REDACTED, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__value.encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Secret":
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """Refuse to be pickled."""
        raise TypeError("a secret cannot be pickled")


@dataclass(frozen=True, slots=True)
class SecretReference:
    """The place of a secret, as written: `env:NAME`, `file:/path` or `credential:NAME`. Itself no secret."""

    scheme: SecretScheme
    name: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.name}"


def _reference(raw: object) -> SecretReference:
    if isinstance(raw, SecretReference):
        return raw
    scheme, _, name = raw.partition(":") if isinstance(raw, str) else ("", "", "")
    if scheme not in set(SecretScheme):
        raise complain(
            "must name the place of the secret, not hold it",
            "write env:NAME, file:/absolute/path or credential:NAME, and replace the secret if it was real",
        )
    found = SecretScheme(scheme)
    if not _NAMES[found].fullmatch(name):
        shape = {"env": "env:NAME", "file": "file:/absolute/path", "credential": "credential:NAME"}[scheme]
        raise complain("is not a reference to a secret", f"write {shape}")
    return SecretReference(found, name)


Reference = Annotated[
    SecretReference,
    PlainValidator(_reference),
    PlainSerializer(str, return_type=str, when_used="json"),
]
"""A reference to a secret, parsed from its written form."""
