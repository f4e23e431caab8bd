"""What the transport must know of one venue and product: one frozen value, written by the venue's adapter."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeAlias

from brokers.errors import BrokerError

Json: TypeAlias = Any
"""Parsed JSON as the venue sent it; its figures pass through `brokers.numbers` only."""

Headers = Mapping[str, str]
"""Answer headers by lower-case name."""


_UNEVEN = 1.1


class BudgetScope(StrEnum):
    """Whom the venue counts requests against."""

    ADDRESS = "address"  # our IP address: every account at that host draws on one budget
    KEY = "key"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRules:
    """How much a venue lets us ask: `capacity` units of cost in any `period_s` seconds.

    `reserve` is the fraction that polls may never use; it is there for protective calls. `leaks`: the venue
    counts up to `capacity` and lets the count fall all the time, by `capacity` in `period_s` seconds.
    """

    capacity: float
    period_s: float
    scope: BudgetScope
    reserve: float = 0.35
    leaks: bool = False

    def __post_init__(self) -> None:
        """Refuse a budget without a real reserve for what protects."""
        if self.capacity <= 0 or self.period_s <= 0:
            raise ValueError("a budget needs a positive capacity and period")
        if not 0.3 <= self.reserve < 1:  # noqa: PLR2004 - the house rule itself
            raise ValueError("at least 30 % of a budget is reserved for protective calls")


@dataclass(frozen=True, slots=True)
class CallLimit:
    """At most `count` requests of one call and key in any `period_s` seconds."""

    count: int
    period_s: float = 1.0

    @property
    def rules(self) -> BudgetRules:
        """The limit as a budget, its period a little longer: requests arrive less evenly than they leave."""
        return BudgetRules(capacity=self.count, period_s=self.period_s * _UNEVEN, scope=BudgetScope.KEY)


NO_PARAMS: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A documented call that ccxt does not list: `path` below a `section` of its `api`, signed alike."""

    path: str
    section: tuple[str, ...]
    method: str = "GET"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call to a venue: ccxt's implicit raw method name, its parameters and its cost in budget units.

    `params` are a list where the venue's body is a JSON array.
    """

    call: str
    params: Mapping[str, object] | list[Any] = field(default_factory=lambda: NO_PARAMS)
    cost: float = 1


def no_extra_headers(call: str, expires_at: datetime | None) -> Mapping[str, str]:
    """Add no header: for venues whose deadline travels in the signature window."""
    del call, expires_at
    return {}


def no_used_weight(headers: Headers) -> float | None:
    """Report nothing: for venues that do not say how much of the budget is used."""
    del headers
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueProfile:
    """One venue and product, as the transport sees it.

    Attributes:
        venue: Our broker id; names the venue in error texts.
        ccxt_class: The class in `ccxt.async_support`, e.g. `binanceusdm`.
        options: ccxt `options` laid over the class's own.
        endpoints: Calls that ccxt does not list, by the raw name under which they are asked.
        sections: URL sections that ccxt does not know -> their path, on the host of its `private` section.
        budget: The venue's request limit.
        call_limits: What the venue counts per key and call, beside the budget, by implicit raw name.
        time_call: Implicit raw name of the venue's public time call; of any light public call where the venue
            has none.
        time_params: Its parameters.
        read_time: Venue milliseconds since the epoch out of that call's payload; raises `NumberError`,
            `KeyError` or `TypeError` on a foreign one. `None`: the venue has no time call.
        read_dated_time: In place of `read_time`, where the venue tells its time only by the answer's `Date`
            header: venue milliseconds out of the header's milliseconds and the payload.
        time_resolution_ms: How coarse that time is; half of it adds to the error of a measurement.
        time_cost: What the time call takes out of the budget.
        time_samples: How often a measurement asks for the time.
        rising_nonces: Signed calls carry a nonce that must be higher than every one before it of that key.
        shortest_order_life: An order with less time than this to its deadline is not sent.
        read_refusal: Judge a parsed JSON answer `(status, headers, payload)`. Return `None` for what the
            venue documents as success, else the error it means: `RequestRefused` with the venue's raw code as
            text, `Unauthorized`, `ClockRefused`, `RateLimited`/`Banned` with `retry_after` in seconds,
            `VenueUnavailable`, or `MalformedAnswer` when the venue's own envelope is not there. `payload` is
            `None` when the body was no JSON at all (then only the status speaks): return `None` for the
            common reading. Its text may be the venue's own message; the transport scrubs it.
        used_weight: Budget units used in the running period, out of the answer's headers; `None`: not said.
        extra_headers: Unsigned headers for `(call, expires_at)`, such as OKX's `expTime`. `expires_at` is the
            venue time after which an order must not be accepted, `None` for reads.
        window_option: Name of the ccxt option holding the signature's lifetime in ms; `None`: there is none.
        nonce_window_ms: For a venue whose nonce is a timestamp and whose only window is how old it may be: a
            write's nonce is dated back so far that just its own lifetime is left of the window, and no two
            requests of one key carry the same; a host that keeps a narrower one is found out. `None`: nonces
            are the time of signing.
        nonce_probe: Raw name of a light signed read by which that is found out.
        read_window_ms: Lifetime of a signed read.
        write_window_ms: Lifetime of a signed write, the most a request may be late at the venue. Shorter when
            the write carries an earlier `expires_at`.
        testnet: ccxt method that points a class at the venue's test environment: `set_sandbox_mode` or
            `enable_demo_trading`.
    """

    venue: str
    ccxt_class: str
    budget: BudgetRules
    time_call: str
    read_refusal: Callable[[int, Headers, Json], BrokerError | None]
    read_time: Callable[[Json], int] | None = None
    read_dated_time: Callable[[int, Json], int] | None = None
    time_params: Mapping[str, object] = field(default_factory=lambda: NO_PARAMS)
    time_resolution_ms: float = 0.0
    time_cost: float = 1
    time_samples: int = 5
    rising_nonces: bool = False
    shortest_order_life: timedelta = timedelta(milliseconds=20)
    call_limits: Mapping[str, CallLimit] = field(default_factory=lambda: MappingProxyType({}))
    options: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    endpoints: Mapping[str, Endpoint] = field(default_factory=lambda: MappingProxyType({}))
    sections: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    used_weight: Callable[[Headers], float | None] = no_used_weight
    extra_headers: Callable[[str, datetime | None], Mapping[str, str]] = no_extra_headers
    window_option: str | None = "recvWindow"
    nonce_window_ms: int | None = None
    nonce_probe: str = ""
    read_window_ms: int = 5000
    write_window_ms: int = 3000
    testnet: str = "set_sandbox_mode"

    def __post_init__(self) -> None:
        """Refuse a profile without exactly one way to tell the venue's time."""
        if (self.read_time is None) is (self.read_dated_time is None):
            raise ValueError(f"{self.venue}: the time is read from the payload or from the header, not both")
