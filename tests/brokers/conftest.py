"""A venue on loopback that answers what a test tells it to, and transports to it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest
from aiohttp import web

from brokers.errors import (
    BrokerError,
    ClockRefused,
    KeyOrClockRefused,
    RateLimited,
    RequestRefused,
    Unauthorized,
)
from brokers.models import AccountId
from brokers.profile import BudgetRules, BudgetScope, Headers, Json, VenueProfile
from brokers.registry import BrokerSpec, Credentials
from brokers.transport import Transport

KEY = "CanaryKey4711CanaryKey"
SECRET = "CanarySecret0815CanarySecret"
PASSWORD = "CanaryPassphrase"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

KINDS: dict[str, type[RequestRefused]] = {
    "10002": ClockRefused,
    "10003": Unauthorized,
    "10004": KeyOrClockRefused,
}


def read_refusal(status: int, headers: Headers, payload: Json) -> BrokerError | None:
    """Read the envelope of the loopback venue, which is Bybit's."""
    if payload is None:
        return None
    code = str(payload["retCode"])
    if code == "0":
        return None
    if code == "10006":
        return RateLimited("too many visits", retry_after=0.2)
    return KINDS.get(code, RequestRefused)(payload.get("retMsg", ""), code=code)


PROFILE = VenueProfile(
    venue="loopback",
    ccxt_class="bybit",
    budget=BudgetRules(capacity=10_000, period_s=5, scope=BudgetScope.ADDRESS),
    time_call="publicGetV5MarketTime",
    read_time=lambda payload: int(payload["result"]["timeNano"]) // 1_000_000,
    read_refusal=read_refusal,
)


def json_answer(payload: object, status: int = 200, **headers: str) -> web.Response:
    """Answer JSON."""
    return web.json_response(payload, status=status, headers=headers)


def refusal(code: int, message: str = "refused") -> web.Response:
    """Answer the venue's own error."""
    return json_answer({"retCode": code, "retMsg": message, "result": {}})


@dataclass
class LoopbackVenue:
    """Answers by path; anything without a handler is an empty success."""

    url: str = ""
    skew_ms: int = 0
    handlers: dict[str, Handler] = field(default_factory=dict)
    received: list[web.Request] = field(default_factory=list)

    def on(self, path: str, handler: Handler) -> None:
        """Answer `path` by `handler`."""
        self.handlers[path] = handler

    def always(self, path: str, make: Callable[[], web.StreamResponse]) -> None:
        """Answer `path` with a fresh response every time."""

        async def handler(_: web.Request) -> web.StreamResponse:
            return make()

        self.handlers[path] = handler

    def paths(self) -> list[str]:
        """Return the paths asked for, time calls left out."""
        return [request.path for request in self.received if request.path != "/v5/market/time"]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        await request.read()
        self.received.append(request)
        if request.path in self.handlers:
            return await self.handlers[request.path](request)
        if request.path == "/v5/market/time":
            nanos = time.time_ns() + self.skew_ms * 1_000_000
            return json_answer({"retCode": 0, "result": {"timeNano": str(nanos)}})
        return json_answer({"retCode": 0, "result": {"list": []}})


@pytest.fixture
async def venue() -> AsyncIterator[LoopbackVenue]:
    """A venue of the test's own making."""
    loopback = LoopbackVenue()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", loopback.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    loopback.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield loopback
    await runner.cleanup()


@pytest.fixture
def spec(venue: LoopbackVenue) -> BrokerSpec:
    """An account at the loopback venue."""
    return BrokerSpec(
        account_id=AccountId("canary"),
        broker="loopback",
        product="unified",
        credentials=Credentials(api_key=KEY, secret=SECRET, password=PASSWORD),
        endpoint=venue.url,
    )


@pytest.fixture
def profile() -> VenueProfile:
    """The loopback venue as the transport sees it."""
    return PROFILE


@pytest.fixture
async def transport(spec: BrokerSpec) -> AsyncIterator[Transport]:
    """A transport to the loopback venue."""
    opened = Transport(spec, PROFILE)
    yield opened
    await opened.aclose()


@pytest.fixture
async def open_transport(spec: BrokerSpec) -> AsyncIterator[Callable[..., Transport]]:
    """Build transports whose profile differs in some fields; closed at the end."""
    opened: list[Transport] = []

    def build(**changes: object) -> Transport:
        transport = Transport(spec, replace(PROFILE, **changes))
        opened.append(transport)
        return transport

    yield build
    await asyncio.gather(*(transport.aclose() for transport in opened))
