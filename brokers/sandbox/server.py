"""One venue's wire on a loopback port, with faults and control routes."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType, TracebackType
from typing import Self

import orjson
from aiohttp import web

from brokers.budget import boot_seconds
from brokers.sandbox.controls import control_routes
from brokers.sandbox.faults import GATEWAY, Fault, FaultBoard, FaultKind
from brokers.sandbox.gateway import Gateway
from brokers.sandbox.scenarios import Scenario
from brokers.sandbox.wire.base import Route, Wire, WireAnswer, WireRefusal, WireRequest

_TICK_S = 0.1
_LARGEST_BODY = 1 << 20
_LATENCY_S = 0.02
"""What a scenario's latency multiplier multiplies; a calm venue answers at once."""

_HTML = "<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"

_GATEWAY_ANSWERS: dict[FaultKind, tuple[int, str, str]] = {
    FaultKind.HTTP_500: (500, "text/plain", "internal error"),
    FaultKind.HTTP_502_HTML: (502, "text/html", _HTML.format(title="502 Bad Gateway")),
    FaultKind.HTTP_503_HTML: (503, "text/html", _HTML.format(title="Under maintenance")),
    FaultKind.HTTP_429_FOREIGN_JSON: (429, "application/json", '{"error": "rate limited", "ray": "8f2c"}'),
    FaultKind.HTTP_429_PLAIN: (429, "text/plain", "slow down"),
    FaultKind.HTML_200: (200, "text/html", _HTML.format(title="Under maintenance")),
    FaultKind.NULL_BODY: (200, "application/json", "null"),
    FaultKind.EMPTY_BODY: (200, "application/json", ""),
}

Act = Callable[[], WireAnswer]

_log = logging.getLogger("margind.sandbox")


class SandboxServer:
    """Serve `wire` on 127.0.0.1 while the context is open.

    `port` 0 picks a free one; `url` is `http://127.0.0.1:<port>`. The engine advances by wall time x `speed`;
    0 leaves time to the caller. `scenarios` can be started by name; `faults` may be set at any time.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        port: int = 0,
        speed: float = 1.0,
        scenarios: Mapping[str, Scenario] = MappingProxyType({}),
    ) -> None:
        self.wire = wire
        self._scenarios = scenarios
        self.faults = FaultBoard(boot_seconds)
        self.stopped = asyncio.Event()
        self._gateway = Gateway(wire, speed=speed, clock=boot_seconds)
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None
        self.received: list[tuple[str, str, str]] = []
        """What came, in order: method, path, account ("" when public or refused)."""

    @property
    def url(self) -> str:
        """Where the venue answers: scheme, host and port."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        """Listen."""
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.add_routes(control_routes(self.wire.engine, self.faults, self.stopped, self._scenarios))
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self._spawn(self._tick())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and advancing."""
        self.stopped.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()

    async def _tick(self) -> None:
        while True:
            self._gateway.advance()
            await asyncio.sleep(_TICK_S)

    async def _serve(self, http: web.Request) -> web.StreamResponse:
        body = await http.read()
        self._gateway.advance()
        engine = self.wire.engine
        if engine.is_out:
            return web.Response(status=503, text=_HTML.format(title="Outage"), content_type="text/html")
        if engine.latency_factor > 1:
            await asyncio.sleep(_LATENCY_S * float(engine.latency_factor - 1))
        request = self._stamped(
            WireRequest(
                method=http.method,
                target=http.raw_path,
                headers={name.lower(): value for name, value in http.headers.items()},
                body=body,
                now_ms=0,
            )
        )
        route = self._gateway.route_of(request)
        account, refusal = "", None
        try:
            account = self._gateway.admit(request, route)
        except WireRefusal as error:
            refusal = error.answer
        self.received.append((request.method, request.path, account))
        writes = route is not None and route.writes
        faults = self.faults.take(request.path, account, writes=writes, method=request.method)
        if refusal is not None or route is None:
            return await self._spoilt(http, faults, lambda: refusal or self.wire.refusal("not_found"))
        if late := _find(faults, FaultKind.EXECUTED_LATE):
            self._spawn(self._act_late(request, route, late.ms / 1000))
            return await self._silence()
        return await self._spoilt(
            http, faults, lambda: self._gateway.act(request, route, account, faults), writes=writes
        )

    async def _spoilt(
        self, http: web.Request, faults: tuple[Fault, ...], act: Act, *, writes: bool = False
    ) -> web.StreamResponse:
        """Send what `act` answers, as far as the faults between venue and client let it through."""
        if _find(faults, FaultKind.HANG):
            return await self._silence()
        spoiling = next((fault for fault in faults if fault.kind in GATEWAY), None)
        if spoiling is not None:
            if spoiling.executes and writes:
                act()
            status, content_type, text = _GATEWAY_ANSWERS[spoiling.kind]
            return web.Response(status=status, text=text, content_type=content_type)
        answer = act()
        if slow := _find(faults, FaultKind.SLOW):
            await asyncio.sleep(slow.ms / 1000)
        if _find(faults, FaultKind.ACCEPTED_NO_ANSWER):
            if http.transport is not None:
                http.transport.abort()
            return web.Response()
        raw = orjson.dumps(answer.payload)
        if _find(faults, FaultKind.TRUNCATED):
            raw = raw[: len(raw) // 2]
        headers = {**self._gateway.usage_headers(), **answer.headers}
        return web.Response(status=answer.status, body=raw, content_type="application/json", headers=headers)

    async def _act_late(self, request: WireRequest, route: Route, delay_s: float) -> None:
        """Let a request reach the venue after `delay_s`: its signature's window may be over by then."""
        await asyncio.sleep(delay_s)
        request = self._stamped(request)
        with suppress(WireRefusal):
            account = self.wire.readmit(request)
            self._gateway.act(request, route, account)

    async def _silence(self) -> web.StreamResponse:
        """Answer nothing until the client hangs up or the server stops."""
        await self.stopped.wait()
        return web.Response()

    def _stamped(self, request: WireRequest) -> WireRequest:
        self._gateway.advance()
        self.wire.skew_ms = self.faults.skew_ms()
        return replace(request, now_ms=self.wire.now_ms + self.wire.skew_ms)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("sandbox %s: %r", self.wire.venue, error)


def _find(faults: tuple[Fault, ...], kind: FaultKind) -> Fault | None:
    return next((fault for fault in faults if fault.kind is kind), None)
