"""Traps: answers that look sound and are not what they seem, each peculiar to one venue."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """One such answer.

    Attributes:
        path: How the paths of the calls end that may be answered so.
        lay: Turns a copy of the venue's own answer into the trap.
        acts: Whether the venue acts on the request; where not, `lay` is given an empty object.
    """

    path: str
    lay: Callable[[Any], Any]
    acts: bool = True

    def concerns(self, path: str) -> bool:
        """Whether a call of `path` may be answered so."""
        return path.endswith(self.path)

    def laid(self, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
        """Return the trap in place of `payload`."""
        return self.lay(deepcopy(payload))
