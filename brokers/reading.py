"""Reads that belong together: one deadline over all of them, and how far apart they arrived."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import DecimalException

from brokers.budget import boot_seconds
from brokers.errors import MalformedAnswer, VenueUnavailable
from brokers.profile import NO_PARAMS, Json
from brokers.transport import Transport


class Reader:
    """Read by `transport` until `deadline_s` from now is over (default: its own); calls get what is left."""

    def __init__(
        self, transport: Transport, *, protective: bool = False, deadline_s: float | None = None
    ) -> None:
        self._transport = transport
        self._protective = protective
        self._until = boot_seconds() + (transport.read_deadline_s if deadline_s is None else deadline_s)
        self._first: float | None = None
        self._last: float | None = None
        self.cost = 0.0

    async def __call__(self, call: str, params: Mapping[str, object] = NO_PARAMS, *, cost: float = 1) -> Json:
        """Return the payload of one read.

        Raises:
            BrokerError: see `Transport.read`; `VenueUnavailable` also when no time is left.
        """
        self.cost += cost
        left = self._until - boot_seconds()
        if left <= 0:
            raise VenueUnavailable(f"{call}: no time left")
        payload = await self._transport.read(
            call, params, cost=cost, protective=self._protective, deadline_s=left
        )
        self._last = boot_seconds()
        self._first = self._last if self._first is None else self._first
        return payload

    def again(self) -> "Reader":
        """Return a reader with the same deadline that has read nothing yet."""
        reader = Reader(self._transport, protective=self._protective)
        reader._until = self._until
        return reader

    @property
    def spread_s(self) -> float:
        """Seconds between the first and the last answer."""
        return 0.0 if self._first is None or self._last is None else self._last - self._first


@contextmanager
def parsing(what: str) -> Iterator[None]:
    """Turn what a parser trips over in a foreign payload into `MalformedAnswer`."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, DecimalException) as error:
        failure = MalformedAnswer(f"{what} of a foreign shape: {type(error).__name__}: {error}")
    else:
        return
    raise failure
