"""What every venue's wire shares: requests and answers as values, routes, refusals, and the Wire itself."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from brokers.sandbox.engine import Engine
from brokers.sandbox.wire.traps import Trap


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """One HTTP request as it came: `target` is the raw path with its query, `body` the raw bytes.

    `headers` by lower-case name. `now_ms` is the venue's clock when it arrived: the clock that judges
    timestamps and deadlines, that the time call tells, and that dates an answer as a whole.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    now_ms: int

    @property
    def path(self) -> str:
        """The path without its query."""
        return self.target.partition("?")[0]

    @property
    def raw_query(self) -> str:
        """The query exactly as sent, without the question mark."""
        return self.target.partition("?")[2]

    @property
    def query(self) -> dict[str, str]:
        """The decoded query parameters."""
        return dict(parse_qsl(self.raw_query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """The decoded form body."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class WireAnswer:
    """One HTTP answer; `payload` is sent as JSON."""

    payload: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


class WireRefusal(Exception):
    """Raised by a wire to answer with the venue's own error: `answer` is sent as it is."""

    def __init__(self, answer: WireAnswer) -> None:
        super().__init__(f"{answer.status}")
        self.answer = answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One endpoint: `handler(request, account)`; `account` is the engine's account id, "" when not `signed`.

    `weight` counts against the wire's budget; `weigh` in its place, where it goes by the request. `writes`
    marks orders, cancels, leverage and transfers.
    """

    method: str
    path: str
    handler: Callable[[WireRequest, str], WireAnswer]
    signed: bool = True
    weight: float = 1
    writes: bool = False
    weigh: Callable[[WireRequest], float] | None = None

    def weight_of(self, request: WireRequest) -> float:
        """Return what `request` counts."""
        return self.weight if self.weigh is None else self.weigh(request)


class Wire(ABC):
    """One venue's REST interface over the engine. Handlers are plain functions: the engine does not wait.

    The server calls, in this order: budget, `authenticate` (for signed routes; it verifies the signature
    over the raw bytes and the timestamp against `request.now_ms`), faults, the route's handler, `deform` if
    a fault asks for it. Any `WireRefusal` raised on the way is the answer.

    A sandbox may run faster than the wall clock its clients live by. The engine's times are then turned into
    the venue's by `stamp`, and deadlines into the engine's by `engine_ms`.
    """

    venue: ClassVar[str]
    budget_capacity: ClassVar[float]
    budget_period_s: ClassVar[float]
    traps: ClassVar[Mapping[str, Trap]] = MappingProxyType({})
    """What the venue is known to answer that is not what it seems, by name."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.speed = 1.0
        self.now_ms = engine.now_ms
        self.skew_ms = 0

    def stamp(self, engine_ms: int) -> int:
        """Return an engine time as the venue tells it, for fields such as an order's creation time."""
        return self.now_ms - self._scaled(self.engine.now_ms - engine_ms, 1 / (self.speed or 1.0))

    def engine_ms(self, venue_ms: int) -> int:
        """Return a venue time, such as an order's deadline, on the engine's clock.

        The venue's clock may be told wrong, by `skew_ms`: deadlines are then stated by the wrong one.
        """
        return self.engine.now_ms + self._scaled(venue_ms - self.now_ms - self.skew_ms, self.speed or 1.0)

    @staticmethod
    def _scaled(span_ms: int, factor: float) -> int:
        return span_ms if factor == 1.0 else round(span_ms * factor)

    @abstractmethod
    def routes(self) -> Sequence[Route]:
        """List every endpoint."""

    @abstractmethod
    def authenticate(self, request: WireRequest) -> str:
        """Return the account a signed request belongs to.

        Raises:
            WireRefusal: unknown key, wrong signature or passphrase, timestamp outside the window.
        """

    def readmit(self, request: WireRequest) -> str:
        """Return whose request it is, for one that was authenticated before and comes to be executed late.

        Raises:
            WireRefusal: the timestamp's window is over by now.
        """
        return self.authenticate(request)

    @abstractmethod
    def refusal(self, kind: str) -> WireAnswer:
        """Return the venue's own answer of one kind.

        Kinds: `not_found` (no such path), `rate_limited`, `ban`, `revoked_key`, `duplicate_code`,
        `reduce_only_rejected`, `server_error`.
        """

    @abstractmethod
    def deform(self, kind: str, path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
        """Return a successful `payload` of `path` with one fault in it.

        Kinds: `empty_positions` (no position rows), `zero_equity` (equity and margin balance zero), `nan`
        (a figure that the answer is read for becomes "NaN"), `missing_field` (something that the answer
        cannot do without is left out), `stale_timestamp` (every venue timestamp ten minutes back). A payload
        the kind does not concern is returned as it is.
        """

    def usage_headers(self, used: float) -> Mapping[str, str]:
        """Return the headers by which the venue tells how much of its budget is used; none by default."""
        del used
        return {}
