"""The shield, between a ccxt class and the wire: ccxt builds and signs a request, and that is all it does."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from yarl import URL

from brokers.answers import Answer


@dataclass(slots=True, kw_only=True)
class Sending:
    """What the shield must add to one request, and what it learns: the HTTP method that was signed."""

    window_ms: int
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    method: str = ""


SENDING: ContextVar[Sending] = ContextVar("sending")
"""The request that the running task is sending; set by the door."""


class Shield:
    """Laid over a ccxt class: answers come back as `Answer`, untouched, whatever they are.

    ccxt turns damaged answers into empty ones, and its error classes depend on the URL and on earlier calls;
    here none of that runs: every implicit call of ccxt ends in `request`, which carries it by `session` and
    asks ccxt nothing about what came. `venue_ms` is the clock that signs, `next_nonce` gives the nonces, and
    `window_option` names the ccxt option with the signature's lifetime.
    """

    venue_ms: Callable[[], int]
    next_nonce: Callable[[], int]
    window_option: str | None
    options: dict[str, Any]
    session: Any
    sign: Callable[..., dict[str, Any]]
    prepare_request_headers: Callable[..., dict[str, str]]

    def milliseconds(self) -> int:
        """Return the venue's time: signatures are made by it."""
        return self.venue_ms()

    def nonce(self) -> int:
        """Return the next nonce: by the venue's time, without ccxt's own correction for clock differences."""
        return self.next_nonce()

    async def request(
        self, path: str, api: object, method: str, params: object, config: object = None
    ) -> Answer:
        """Sign with the request's own lifetime, add its unsigned headers, send it, and bring back what came.

        Raises:
            Exception: ccxt could not sign it, or aiohttp got no whole answer.
        """
        del config  # ccxt's own weights: it queues nothing here
        sending = SENDING.get()
        sending.method = method
        if self.window_option is not None:
            self.options[self.window_option] = sending.window_ms
        signed = self.sign(path, api, method, params)
        headers = {**self.prepare_request_headers(signed["headers"]), **sending.headers}
        body = signed["body"].encode() if signed["body"] else None
        url = URL(signed["url"], encoded=True)
        async with self.session.request(signed["method"], url, data=body, headers=headers) as came:
            raw = await came.read()
        names = {name.lower(): value for name, value in came.headers.items()}
        return Answer(came.status, names, raw.decode(errors="replace"))  # JSON is UTF-8 (RFC 8259)
