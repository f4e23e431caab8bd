"""The venue's front: clock, budget, signatures and routes, without HTTP and without waiting."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from brokers.budget import Ledger
from brokers.models import OrderSide, Side
from brokers.numbers import floor_to_step
from brokers.profile import BudgetRules, BudgetScope
from brokers.sandbox.faults import DEFORMED, REFUSED, Fault, FaultKind
from brokers.sandbox.wire.base import Route, Wire, WireAnswer, WireRefusal, WireRequest
from brokers.sandbox.wire.traps import Trap

_BAN_MS = 60_000
_BANNED_ABOVE = 2.0
"""Who asks for this many times the budget is banned."""


class Gateway:
    """Answer requests to `wire`.

    `clock` is our steady clock in seconds. The engine runs `speed` times as fast; at 0 it stands still until
    somebody advances it. At any other speed than 0 and 1 the venue's clock is not the engine's: it keeps the
    pace of ours, for the client has to live by it.
    """

    def __init__(self, wire: Wire, *, speed: float, clock: Callable[[], float]) -> None:
        self.wire = wire
        self.speed = speed
        self._clock = clock
        self._seen = clock()
        self._owed_ms = 0.0
        self._routes: Mapping[tuple[str, str], Route] = {
            (route.method, route.path): route for route in wire.routes()
        }
        rules = BudgetRules(
            capacity=wire.budget_capacity, period_s=wire.budget_period_s, scope=BudgetScope.ADDRESS
        )
        self._ledger = Ledger(rules)
        self._banned_until_ms = 0
        wire.speed = speed or 1.0

    def advance(self) -> None:
        """Bring the engine and the venue's clock up to now."""
        engine, now = self.wire.engine, self._clock()
        self._owed_ms += (now - self._seen) * 1000
        self._seen = now
        whole = int(self._owed_ms)
        self._owed_ms -= whole
        if self.speed > 0:
            engine.advance(engine.now_ms + round(whole * self.speed))
        in_step = self.speed in {0, 1}
        self.wire.now_ms = engine.now_ms if in_step else self.wire.now_ms + whole

    def route_of(self, request: WireRequest) -> Route | None:
        """Return the endpoint that a request is for."""
        return self._routes.get((request.method, request.path))

    def admit(self, request: WireRequest, route: Route | None) -> str:
        """Count the request, and return whose it is ("" for public ones).

        Raises:
            WireRefusal: banned, too many, unknown path, or not properly signed.
        """
        if request.now_ms < self._banned_until_ms:
            raise WireRefusal(self.wire.refusal("ban"))
        now = self._clock()
        self._ledger.spend(route.weight_of(request) if route else 1, now)
        used, capacity = self._ledger.used(now), self.wire.budget_capacity
        if used > capacity * _BANNED_ABOVE:
            self._banned_until_ms = request.now_ms + _BAN_MS
            raise WireRefusal(self.wire.refusal("ban"))
        if used > capacity:
            raise WireRefusal(self.wire.refusal("rate_limited"))
        if route is None:
            raise WireRefusal(self.wire.refusal("not_found"))
        return self.wire.authenticate(request) if route.signed else ""

    def act(
        self, request: WireRequest, route: Route, account: str, faults: tuple[Fault, ...] = ()
    ) -> WireAnswer:
        """Do what the request asks for, as far as `faults` let the venue, and answer."""
        for fault in faults:
            if fault.kind in REFUSED:
                if fault.executes and route.writes:
                    self._handle(request, route, account)
                return self.wire.refusal(fault.kind)
            if fault.kind is FaultKind.OUTSIDER_TRADES:
                self._trade_as_outsider(account, fault.fraction)
            if (trap := self._trap(fault, request)) is not None and not trap.acts:
                return WireAnswer(payload=trap.laid({}))
        partial = next((fault for fault in faults if fault.kind is FaultKind.PARTIAL_FILL), None)
        controls = self.wire.engine.controls
        whole = controls.fill_fraction
        controls.fill_fraction = whole if partial is None else partial.fraction
        try:
            answer = self._handle(request, route, account)
        finally:
            controls.fill_fraction = whole
        for fault in faults:
            if fault.kind in DEFORMED:
                answer = replace(answer, payload=self.wire.deform(fault.kind, request.path, answer.payload))
            if (trap := self._trap(fault, request)) is not None:
                answer = replace(answer, payload=trap.laid(answer.payload))
        return answer

    def _trap(self, fault: Fault, request: WireRequest) -> Trap | None:
        """Return the trap that a fault asks for, if the venue has it for this call."""
        trap = self.wire.traps.get(fault.trap) if fault.kind is FaultKind.TRAP else None
        return trap if trap is not None and trap.concerns(request.path) else None

    def usage_headers(self) -> Mapping[str, str]:
        """Return the headers that tell how much of the budget is used."""
        return self.wire.usage_headers(self._ledger.used(self._clock()))

    def _handle(self, request: WireRequest, route: Route, account: str) -> WireAnswer:
        try:
            return route.handler(request, account)
        except WireRefusal as refusal:
            return refusal.answer

    def _trade_as_outsider(self, account: str, fraction: Decimal) -> None:
        """Trade `fraction` of every position of `account` away, as somebody else with access to it."""
        engine = self.wire.engine
        if account not in engine.accounts:
            return
        for position in engine.figures(account).positions:
            step = engine.instrument(position.symbol).lot_step
            quantity = floor_to_step(position.quantity * fraction, step)
            if quantity > 0:
                engine.external_trade(
                    account,
                    position.symbol,
                    OrderSide.SELL if position.side is Side.LONG else OrderSide.BUY,
                    quantity,
                    position_side=position.position_side,
                    margin_mode=position.margin_mode,
                )
