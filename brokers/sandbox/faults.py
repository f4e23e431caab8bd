"""The faults a sandbox venue can show, switchable by path, account, count and time."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class FaultKind(StrEnum):
    """What goes wrong. What each does to a request stands with the groups below."""

    HTTP_500 = "http_500"
    HTTP_502_HTML = "http_502_html"
    HTTP_503_HTML = "http_503_html"
    HTTP_429_FOREIGN_JSON = "http_429_foreign_json"
    HTTP_429_PLAIN = "http_429_plain"
    HTML_200 = "html_200"
    TRUNCATED = "truncated"
    NULL_BODY = "null_body"
    EMPTY_BODY = "empty_body"
    EMPTY_POSITIONS = "empty_positions"
    ZERO_EQUITY = "zero_equity"
    NAN = "nan"
    MISSING_FIELD = "missing_field"
    STALE_TIMESTAMP = "stale_timestamp"
    SLOW = "slow"
    HANG = "hang"
    ACCEPTED_NO_ANSWER = "accepted_no_answer"
    EXECUTED_LATE = "executed_late"
    DUPLICATE_CODE = "duplicate_code"
    REDUCE_ONLY_REJECTED = "reduce_only_rejected"
    PARTIAL_FILL = "partial_fill"
    CLOCK_SKEW = "clock_skew"
    BAN = "ban"
    REVOKED_KEY = "revoked_key"
    OUTSIDER_TRADES = "outsider_trades"
    TRAP = "trap"


GATEWAY = frozenset(
    {
        FaultKind.HTTP_500,
        FaultKind.HTTP_502_HTML,
        FaultKind.HTTP_503_HTML,
        FaultKind.HTTP_429_FOREIGN_JSON,
        FaultKind.HTTP_429_PLAIN,
        FaultKind.HTML_200,
        FaultKind.NULL_BODY,
        FaultKind.EMPTY_BODY,
    }
)
"""Something in front of the venue answers. The venue acts on the request only where the fault `executes`."""

DEFORMED = frozenset(
    {
        FaultKind.EMPTY_POSITIONS,
        FaultKind.ZERO_EQUITY,
        FaultKind.NAN,
        FaultKind.MISSING_FIELD,
        FaultKind.STALE_TIMESTAMP,
    }
)
"""The venue answers, with something wrong in it; see `Wire.deform`."""

REFUSED = frozenset(
    {
        FaultKind.BAN,
        FaultKind.REVOKED_KEY,
        FaultKind.DUPLICATE_CODE,
        FaultKind.REDUCE_ONLY_REJECTED,
    }
)
"""The venue refuses by its own code; see `Wire.refusal`. The last two only where it would have acted."""

_WRITES_ONLY = frozenset(
    {
        FaultKind.DUPLICATE_CODE,
        FaultKind.REDUCE_ONLY_REJECTED,
        FaultKind.PARTIAL_FILL,
        FaultKind.EXECUTED_LATE,
        FaultKind.ACCEPTED_NO_ANSWER,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault, and which requests it hits.

    Attributes:
        kind: What goes wrong.
        path: Requests whose path starts with it; where `method` is given, is it.
        method: Requests of this method alone; `None`: of any.
        account: Requests of this account; `None`: of anybody, and public ones.
        writes: Only writes, or only reads; `None`: both.
        count: So many requests; `None`: until it is taken back.
        duration_s: For so long after it was set; `None`: for ever.
        ms: The delay (slow, executed_late) or skew (clock_skew).
        fraction: What share is filled (partial_fill), or of each position is traded away (outsider_trades;
            above 1 it is turned around).
        trap: Which of the venue's own traps (trap); see `Wire.traps`.
        executes: Whether the venue acts on a write although its answer is spoilt (gateway and refused kinds).
    """

    kind: FaultKind
    path: str = "/"
    method: str | None = None
    account: str | None = None
    writes: bool | None = None
    count: int | None = None
    duration_s: float | None = None
    ms: int = 0
    fraction: Decimal = Decimal("0.3")
    trap: str = ""
    executes: bool = False

    def hits(self, path: str, account: str, *, writes: bool, method: str = "") -> bool:
        """Whether a request is one of those it is meant for."""
        wanted = True if self.kind in _WRITES_ONLY else self.writes
        if wanted not in {None, writes} or self.account not in {None, account}:
            return False
        return (
            path.startswith(self.path) if self.method is None else (method, path) == (self.method, self.path)
        )


@dataclass(slots=True)
class _Entry:
    fault: Fault
    left: int | None
    until: float | None


class FaultBoard:
    """The faults that are set; `clock` in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: dict[int, _Entry] = {}
        self._next = 1

    def set(self, fault: Fault) -> int:
        """Set a fault and return the number by which it is taken back."""
        until = None if fault.duration_s is None else self._clock() + fault.duration_s
        number, self._next = self._next, self._next + 1
        self._entries[number] = _Entry(fault, fault.count, until)
        return number

    def clear(self, number: int | None = None) -> None:
        """Take one fault back, or all of them."""
        if number is None:
            self._entries.clear()
        else:
            self._entries.pop(number, None)

    @property
    def active(self) -> dict[int, Fault]:
        """The faults that are set now, by number."""
        now = self._clock()
        spent = [
            number
            for number, entry in self._entries.items()
            if entry.left == 0 or (entry.until is not None and now >= entry.until)
        ]
        for number in spent:
            del self._entries[number]
        return {number: entry.fault for number, entry in self._entries.items()}

    def take(self, path: str, account: str, *, writes: bool, method: str = "") -> tuple[Fault, ...]:
        """Return the faults that hit a request, and count it."""
        hit = [
            n for n, fault in self.active.items() if fault.hits(path, account, writes=writes, method=method)
        ]
        for number in hit:
            entry = self._entries[number]
            entry.left = None if entry.left is None else entry.left - 1
        return tuple(self._entries[number].fault for number in hit)

    def skew_ms(self) -> int:
        """Return by how much the venue's clock is wrong now; it is wrong for everybody."""
        return sum(fault.ms for fault in self.active.values() if fault.kind is FaultKind.CLOCK_SKEW)
