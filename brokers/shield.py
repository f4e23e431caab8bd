"""The shield, between a ccxt class and the wire: ccxt builds and signs a request, and that is all it does."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, cast

from yarl import URL

from brokers.answers import Answer


@dataclass(slots=True, kw_only=True)
class Sending:
    """What the shield must add to one request, and what it learns: the HTTP method that was signed.

    `nonce_age_ms`: how far back its nonce is dated, where a nonce is a timestamp.
    """

    window_ms: int
    nonce_age_ms: int = 0
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    method: str = ""


_KEPT_NONCES = 20_000

SENDING: ContextVar[Sending] = ContextVar("sending")
"""The request that the running task is sending; set by the door."""


class GivenNonces:
    """Remember which nonces were given out, as far back as a venue can still take one for a repetition."""

    def __init__(self) -> None:
        self._given: set[int] = set()

    def take(self, wanted: int) -> int:
        """Return `wanted`, or the next number that was not given out yet."""
        while wanted in self._given:
            wanted += 1
        if len(self._given) >= _KEPT_NONCES:
            self._given = set(sorted(self._given)[_KEPT_NONCES // 2 :])
        self._given.add(wanted)
        return wanted


class Shield:
    """Laid over a ccxt class: answers come back as `Answer`, untouched, whatever they are.

    ccxt turns damaged answers into empty ones, and its error classes depend on the URL and on earlier calls;
    here none of that runs: every implicit call of ccxt ends in `request`, which carries it by `session` and
    asks ccxt nothing about what came. `venue_ms` is the clock that signs; `window_option` names the ccxt
    option with the signature's lifetime; `nonces` keeps nonces apart where their age is the venue's only
    window; `next_nonce` gives them where they must rise.
    """

    venue_ms: Callable[[], int]
    next_nonce: Callable[[], int] | None
    window_option: str | None
    nonces: GivenNonces | None
    options: dict[str, Any]
    session: Any
    sign: Callable[..., dict[str, Any]]
    prepare_request_headers: Callable[..., dict[str, str]]

    def milliseconds(self) -> int:
        """Return the venue's time: signatures are made by it."""
        return self.venue_ms()

    def seconds(self) -> int:
        """Return the venue's time in whole seconds: tokens are dated by it."""
        return self.venue_ms() // 1000

    def nonce(self) -> int:
        """Return the venue's time, without ccxt's own correction for clock differences.

        Where only the nonce's age limits a request, it is dated back as far as the request says.
        """
        if self.next_nonce is not None:
            return self.next_nonce()
        if self.nonces is None:
            return self.venue_ms()
        return self.nonces.take(self.venue_ms() - SENDING.get().nonce_age_ms)

    def jwt(self, claims: Mapping[str, Any], *args: Any, **kwargs: Any) -> str:  # noqa: ANN401 - ccxt's own
        """Sign a token that dies with the request's own lifetime, in the whole seconds that tokens know.

        It is valid from a second ago, so that the error of our measurement never makes it one of the future.
        """
        until = (self.venue_ms() + SENDING.get().window_ms) // 1000
        dated = {**claims, "nbf": claims["nbf"] - 1, "iat": claims["iat"] - 1}
        dated["exp"] = min(claims["exp"], until)
        return str(cast("Any", super()).jwt(dated, *args, **kwargs))

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
