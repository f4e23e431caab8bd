"""Doors to a venue: cheap clones of one shielded ccxt instance, each with its own session and credentials."""

import asyncio
import copy
import functools
import hashlib
import ipaddress
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast
from urllib.parse import urljoin, urlsplit, urlunsplit
from weakref import WeakValueDictionary

import aiohttp
import ccxt.async_support
import certifi
from ccxt.base.errors import AuthenticationError
from yarl import URL

from brokers.answers import Answer
from brokers.budget import shared_budget
from brokers.errors import BrokerError, MalformedAnswer, NotSupported, Unauthorized, VenueUnavailable
from brokers.nonces import shared_nonces
from brokers.profile import BudgetScope, Request, VenueProfile
from brokers.registry import BrokerSpec, Credentials
from brokers.shield import SENDING, GivenNonces, Sending, Shield

_CONNECTIONS = 16
_KEEP_ALIVE_S = 10.0
"""Shorter than any venue's, so that a write never leaves by a connection the venue has just closed."""

_REPEATED_BY_AIOHTTP = frozenset({"DELETE", "GET", "PUT"})
"""aiohttp repeats these once by itself when a kept connection turns out dead."""

_SILENT = logging.Logger("brokers.ccxt", level=logging.CRITICAL + 1)  # noqa: LOG001 - getLogger would register it
"""Registered nowhere, so no configuration can open it: at DEBUG ccxt logs keys and passphrases."""

_SILENT.disabled = True


class NotSent(VenueUnavailable):
    """No connection came about: it is certain that the venue got nothing of the request."""


@functools.cache
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    return context


def check_endpoint(endpoint: str) -> str:
    """Return `endpoint` as scheme and host with port, without a trailing slash.

    Raises:
        ValueError: it is no such thing, or it is plain http to another machine.
    """
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"}:
        raise ValueError("endpoint must be scheme://host[:port]")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("endpoint must be scheme://host[:port] and nothing more")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("endpoint may be plain http only on loopback")
    return f"{parts.scheme}://{parts.netloc}"


def address_of(spec: BrokerSpec, profile: VenueProfile) -> tuple[str, ...]:
    """Return what tells one host of a venue and product from another.

    Raises:
        ValueError: the account's endpoint is none.
    """
    endpoint = check_endpoint(spec.endpoint) if spec.endpoint else ""
    return (profile.venue, profile.ccxt_class, endpoint, "testnet" if spec.testnet else "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def redirect(urls: Any, endpoint: str) -> Any:  # noqa: ANN401 - ccxt nests texts and dicts freely
    """Return `urls` (a URL or nested dicts of them) with every host replaced and every path kept."""
    if isinstance(urls, Mapping):
        return {name: redirect(url, endpoint) for name, url in urls.items()}
    if not isinstance(urls, str):
        return urls
    return urlunsplit((*urlsplit(endpoint)[:2], *urlsplit(urls)[2:]))


@functools.cache
def _template(ccxt_class: str, testnet: str | None) -> Any:  # noqa: ANN401 - ccxt
    base = getattr(ccxt.async_support, ccxt_class)
    exchange = type("Shielded", (Shield, base), {})(
        {
            "enableRateLimit": False,
            "verbose": False,
        },
    )
    exchange.logger = _SILENT
    if testnet is not None:
        getattr(exchange, testnet)(True)
    return exchange


_NONCES: WeakValueDictionary[str, GivenNonces] = WeakValueDictionary()


def _nonces(api_key: str) -> GivenNonces:
    """Return the nonces of one key: both doors of all its accounts draw from the same."""
    key = hashlib.sha256(api_key.encode()).hexdigest()
    found = _NONCES.get(key)
    if found is None:
        found = _NONCES[key] = GivenNonces()
    return found


class _Session:
    """An aiohttp session that is opened on first use and never follows a redirect.

    A redirect would carry key and signature headers to whatever host an answer names.
    """

    headers: Mapping[str, str] = {}
    """None of its own: ccxt adds those of the session to every request."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    def request(self, method: str, url: URL, **kwargs: Any) -> Any:  # noqa: ANN401 - aiohttp's context manager
        """Send one request."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                ssl=_tls(), limit=_CONNECTIONS, keepalive_timeout=_KEEP_ALIVE_S, ttl_dns_cache=60
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(),  # none: every request has a deadline of ours
            )
        return self._session.request(method, url, allow_redirects=False, **kwargs)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class Door:
    """One connection pool to one venue with one key; it carries one request and brings back what came.

    `nonces`, `budget` and `call_budgets` are those of its key: doors of one key share them. A budget that the
    venue counts by address is shared by every key.
    """

    def __init__(
        self,
        spec: BrokerSpec,
        profile: VenueProfile,
        venue_ms: Callable[[], int],
        *,
        credentials: Credentials,
        window_ms: int,
    ) -> None:
        address = address_of(spec, profile)
        key = (*address, hashlib.sha256(credentials.api_key.encode()).hexdigest())
        self.nonces = nonces = shared_nonces(*key) if profile.rising_nonces else None
        by_key = profile.budget.scope is BudgetScope.KEY
        self.budget = shared_budget(profile.budget, *(key if by_key else address))
        self.call_budgets = {
            call: shared_budget(limit.rules, *key, call) for call, limit in profile.call_limits.items()
        }
        endpoint = check_endpoint(spec.endpoint) if spec.endpoint else None
        exchange = copy.copy(_template(profile.ccxt_class, profile.testnet if spec.testnet else None))
        if endpoint is not None:
            exchange.urls = {**exchange.urls, "api": redirect(exchange.urls["api"], endpoint)}
        exchange.options = {**exchange.options, **profile.options, "maxRetriesOnFailure": 0}
        if profile.sections:
            urls = exchange.urls["api"]
            own = {name: urljoin(urls["private"], path) for name, path in profile.sections.items()}
            exchange.urls = {**exchange.urls, "api": {**urls, **own}}
        exchange.headers = dict(exchange.headers)  # OKX's test environment is a header
        exchange.apiKey = credentials.api_key
        exchange.secret = credentials.secret
        exchange.password = credentials.password
        exchange.session = self._session = _Session()
        exchange.own_session = False
        exchange.venue_ms = venue_ms
        exchange.next_nonce = None if nonces is None else lambda: nonces.take(venue_ms())
        exchange.window_option = profile.window_option
        exchange.nonces = None if profile.nonce_window_ms is None else _nonces(credentials.api_key)
        self._endpoints = profile.endpoints
        if exchange.verbose or exchange.enableRateLimit:  # pragma: no cover - guards against a ccxt change
            raise RuntimeError("ccxt must neither print requests nor queue them")
        self._exchange = exchange
        self._endpoints = profile.endpoints
        self.window_ms = window_ms

    async def ask(
        self, request: Request, *, window_ms: int, headers: Mapping[str, str], nonce_age_ms: int = 0
    ) -> Answer:
        """Send one request and return the answer as it came, whatever it is.

        Raises:
            NotSent: no connection came about.
            BrokerError: the request could not be built, or no whole answer came.
        """
        method = self._method(request.call)
        if self._exchange.session is None:
            raise NotSent("closed")
        sending = Sending(window_ms=window_ms, nonce_age_ms=nonce_age_ms, headers=headers)
        token = SENDING.set(sending)
        failure: BrokerError
        try:
            return await method(_fresh(request.params))
        except Exception as error:  # noqa: BLE001 - whatever breaks in ccxt or aiohttp is "no answer"
            failure = _failure(error, sending.method)
        finally:
            SENDING.reset(token)
        raise failure  # outside the handler: the original text may hold the signed URL

    def _method(self, call: str) -> Callable[[Any], Awaitable[Answer]]:
        """Return what sends a call: ccxt's implicit method, or an endpoint of the profile's own."""
        endpoint = self._endpoints.get(call)
        if endpoint is not None:
            ask = self._exchange.request
            return functools.partial(ask, endpoint.path, list(endpoint.section), endpoint.method)
        method = getattr(self._exchange, call, None)
        if method is None:
            raise NotSupported("ccxt has no such call")
        return cast("Callable[[Any], Awaitable[Answer]]", method)

    async def aclose(self) -> None:
        """Close the connections."""
        self._exchange.session = None
        await self._session.close()


def _fresh(params: Mapping[str, object] | list[Any]) -> dict[str, object] | list[Any]:
    """Copy parameters: ccxt writes into them."""
    if isinstance(params, list):
        return [dict(row) if isinstance(row, Mapping) else row for row in params]
    return dict(params)


def _failure(error: Exception, method: str) -> BrokerError:
    """Rebuild what ccxt or aiohttp raised as our own error, with nothing of its text."""
    name = type(error).__name__
    if isinstance(error, aiohttp.ClientConnectorError):
        reason = f"no connection ({name})"
        return VenueUnavailable(reason) if method in _REPEATED_BY_AIOHTTP else NotSent(reason)
    if isinstance(error, (aiohttp.ClientError, asyncio.TimeoutError, OSError)):
        return VenueUnavailable(f"connection failed ({name})")
    if isinstance(error, AuthenticationError):
        return Unauthorized("the account's credentials are incomplete", code="credentials")
    return MalformedAnswer(f"ccxt failed ({name})")
