"""The control routes of a sandbox server: what is true, what happened, and hands on the venue."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from ipaddress import ip_address
from typing import Any

from aiohttp import web

from brokers.numbers import NumberError, decimal_from
from brokers.sandbox.engine import Engine
from brokers.sandbox.faults import Fault, FaultBoard, FaultKind
from brokers.sandbox.orders import Rejection
from brokers.sandbox.printing import to_json
from brokers.sandbox.scenarios import Scenario

PREFIX = "/_sandbox"

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Controls:
    """Handlers of the control routes; they answer JSON, and 400 with an error to what makes no sense."""

    def __init__(
        self,
        engine: Engine,
        faults: FaultBoard,
        stopped: asyncio.Event,
        scenarios: Mapping[str, Scenario],
    ) -> None:
        self._scenarios = scenarios
        self._engine = engine
        self._faults = faults
        self._stopped = stopped

    async def truth(self, _: web.Request) -> web.Response:
        """Tell the engine's own figures of every account."""
        engine = self._engine
        accounts = {name: to_json(engine.figures(name)) for name in engine.accounts}
        return web.json_response({"ms": engine.now_ms, "accounts": accounts})

    async def history(self, request: web.Request) -> web.Response:
        """Tell every event after number `since`."""
        since = int(request.query.get("since", "0"))
        events = [event for event in self._engine.history if event.sequence > since]
        return web.json_response([{"event": type(event).__name__, **to_json(event)} for event in events])

    async def list_faults(self, _: web.Request) -> web.Response:
        """Tell which faults are set."""
        return web.json_response({str(n): to_json(fault) for n, fault in self._faults.active.items()})

    async def set_fault(self, request: web.Request) -> web.Response:
        """Set a fault and tell its number."""
        return web.json_response({"number": self._faults.set(fault_from(await request.json()))})

    async def clear_faults(self, request: web.Request) -> web.Response:
        """Take back the fault `number`, or all."""
        number = request.query.get("number")
        self._faults.clear(None if number is None else int(number))
        return web.json_response({})

    async def scenario(self, request: web.Request) -> web.Response:
        """Start a scenario by `name`, or multiply the price of `asset` by `factor`."""
        wanted = await request.json()
        if "asset" in wanted:
            self._engine.move_price(str(wanted["asset"]), decimal_from(wanted["factor"]))
        else:
            self._engine.play(self._scenarios[wanted["name"]])
        return web.json_response({"ms": self._engine.now_ms})

    async def stop(self, _: web.Request) -> web.Response:
        """Ask whoever runs the server to end it."""
        self._stopped.set()
        return web.json_response({})


def fault_from(raw: Any) -> Fault:  # noqa: ANN401 - JSON
    """Build a fault from a JSON object.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    known = {
        "kind",
        "path",
        "method",
        "account",
        "writes",
        "count",
        "duration_s",
        "ms",
        "fraction",
        "trap",
        "executes",
    }
    if unknown := set(raw) - known:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    fields = dict(raw)
    fields["kind"] = FaultKind(raw["kind"])
    if "fraction" in raw:
        fields["fraction"] = Decimal(str(raw["fraction"]))
    return Fault(**fields)


def control_routes(
    engine: Engine, faults: FaultBoard, stopped: asyncio.Event, scenarios: Mapping[str, Scenario]
) -> list[web.RouteDef]:
    """Return the control routes, open to this machine only."""
    controls = Controls(engine, faults, stopped, scenarios)
    table: list[tuple[str, str, Handler]] = [
        ("GET", "truth", controls.truth),
        ("GET", "history", controls.history),
        ("GET", "faults", controls.list_faults),
        ("POST", "faults", controls.set_fault),
        ("DELETE", "faults", controls.clear_faults),
        ("POST", "scenario", controls.scenario),
        ("POST", "stop", controls.stop),
    ]
    return [web.route(method, f"{PREFIX}/{name}", _guarded(handler)) for method, name, handler in table]


def _guarded(handler: Handler) -> Handler:
    async def guarded(request: web.Request) -> web.Response:
        if request.remote is None or not ip_address(request.remote).is_loopback:
            return web.json_response({"error": "this machine only"}, status=403)
        try:
            return await handler(request)
        except (KeyError, TypeError, ValueError, NumberError, Rejection) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)

    return guarded
