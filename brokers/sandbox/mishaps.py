"""What can go wrong between a caller and the sandbox venue when no HTTP lies between them."""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from brokers.errors import BrokerError


class Fate(StrEnum):
    """What becomes of a write."""

    ANSWER_LOST = "answer_lost"  # executed, but nobody tells
    NEVER_ARRIVED = "never_arrived"  # the venue never sees it, and nobody tells
    LATE = "late"  # nobody tells, and the venue sees it later, if its deadline still holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Doom:
    """The fate of one write; `delay_ms` is how late it arrives when it is LATE."""

    fate: Fate
    delay_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _ReadFailure:
    error: BrokerError
    call: str | None


class Mishaps:
    """A queue of failures; each strikes once, in the order in which they were set."""

    __slots__ = ("_reads", "_writes")

    def __init__(self) -> None:
        self._reads: deque[_ReadFailure] = deque()
        self._writes: deque[Doom] = deque()

    def fail_read(self, error: BrokerError, *, call: str | None = None, times: int = 1) -> None:
        """Let the next `times` reads raise `error`: of the port's method `call`, or of any."""
        self._reads.extend(_ReadFailure(error=error, call=call) for _ in range(times))

    def doom_write(self, fate: Fate, *, delay_ms: int = 0, times: int = 1) -> None:
        """Let the next `times` orders or transfers meet that fate."""
        self._writes.extend(Doom(fate=fate, delay_ms=delay_ms) for _ in range(times))

    def on_read(self, call: str) -> None:
        """Raise what awaits this read, if anything does."""
        for number, failure in enumerate(self._reads):
            if failure.call in {None, call}:
                del self._reads[number]
                raise failure.error

    def on_write(self) -> Doom | None:
        """Return what awaits this write, if anything does."""
        return self._writes.popleft() if self._writes else None
