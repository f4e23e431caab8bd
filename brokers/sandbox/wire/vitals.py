"""What an answer cannot do without, and the same answer with it damaged or left out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NAN = "nan"
MISSING_FIELD = "missing_field"

FIRST = "*"
"""Stands for the first name of an object whose names are ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vital:
    """The vital parts of one row of an answer.

    Attributes:
        at: The names that lead to the row; of a list on the way, the first member is meant.
        damaged: What becomes "NaN" under the fault `nan`.
        missing: What is left out under the fault `missing_field`.
    """

    at: tuple[str, ...] = ()
    damaged: tuple[str, ...]
    missing: tuple[str, ...]

    def spoil(self, kind: str, payload: Any) -> None:  # noqa: ANN401 - raw JSON
        """Put the fault `kind` into `payload`; an answer without such a row stays as it is."""
        row = self._row(payload)
        if kind == NAN:
            row.update({name: "NaN" for name in self.damaged if name in row})
        elif kind == MISSING_FIELD:
            for name in self.missing:
                row.pop(name, None)

    def _row(self, payload: Any) -> dict[str, Any]:  # noqa: ANN401 - raw JSON
        part = _first(payload)
        for name in self.at:
            part = _first(_member(part, name) if isinstance(part, Mapping) else None)
        return part if isinstance(part, dict) else {}


def _member(part: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - raw JSON
    return next(iter(part.values()), None) if name == FIRST else part.get(name)


def _first(part: Any) -> Any:  # noqa: ANN401 - raw JSON
    if isinstance(part, list):
        return part[0] if part else None
    return part
