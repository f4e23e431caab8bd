"""Crypto.com Exchange's REST v1 over the engine."""

from collections.abc import Sequence
from typing import Any, ClassVar

from brokers.sandbox.engine import Engine
from brokers.sandbox.wire.base import Route, Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.cryptocom.deform import deform
from brokers.sandbox.wire.cryptocom.envelope import ROOT, failure
from brokers.sandbox.wire.cryptocom.gate import NONCE_WINDOW_MS, Gate
from brokers.sandbox.wire.cryptocom.market import Market
from brokers.sandbox.wire.cryptocom.statement import Statement
from brokers.sandbox.wire.cryptocom.trade import Trade
from brokers.sandbox.wire.cryptocom.traps import TRAPS

REFUSALS = {
    "not_found": "40002",
    "rate_limited": "42901",
    "ban": "40103",
    "revoked_key": "40101",
    "duplicate_code": "204",
    "reduce_only_rejected": "201",
    "server_error": "50001",
}


class CryptocomWire(Wire):
    """Crypto.com's documented endpoints as ccxt calls them, with its signature, reason codes and limits.

    `lag_ms` is how long after an acknowledgement the order lists know nothing of the order or cancellation;
    `nonce_window_ms` how far off a nonce may be.
    """

    venue: ClassVar = "cryptocom"
    # Crypto.com limits each method by itself; see `gate.LIMITS`.
    budget_capacity: ClassVar = 1e9
    budget_period_s: ClassVar = 1.0
    traps: ClassVar = TRAPS

    def __init__(self, engine: Engine, *, lag_ms: int = 0, nonce_window_ms: int = NONCE_WINDOW_MS) -> None:
        super().__init__(engine)
        self._gate = Gate(engine, nonce_window_ms=nonce_window_ms)
        self._market = Market(engine)
        self._statement = Statement(self)
        self._trade = Trade(self, lag_ms=lag_ms)

    def routes(self) -> Sequence[Route]:
        """List every endpoint."""
        public = {
            "public/get-instruments": self._market.instruments,
            "public/get-tickers": self._market.tickers,
            "public/get-valuations": self._market.valuations,
            "public/get-book": self._market.book,
        }
        reads = {
            "private/user-balance": self._statement.balance,
            "private/get-positions": self._statement.positions,
            "private/get-accounts": self._statement.accounts,
            "private/get-open-orders": self._trade.open_orders,
            "private/get-order-detail": self._trade.detail,
            "private/get-order-history": self._trade.history,
            "private/advanced/get-open-orders": self._trade.open_advanced,
        }
        writes = {
            "private/close-position": self._trade.close_position,
            "private/create-order": self._trade.create,
            "private/cancel-order": self._trade.cancel,
            "private/cancel-all-orders": self._trade.cancel_all,
            "private/advanced/cancel-order": self._trade.cancel_advanced,
            "private/change-account-leverage": self._statement.set_leverage,
        }
        once = self._gate.once
        return [
            *(Route(method="GET", path=ROOT + name, handler=h, signed=False) for name, h in public.items()),
            *(Route(method="POST", path=ROOT + name, handler=once(h)) for name, h in reads.items()),
            *(
                Route(method="POST", path=ROOT + name, handler=once(h), writes=True)
                for name, h in writes.items()
            ),
        ]

    def authenticate(self, request: WireRequest) -> str:
        """Return the account that signed `request`, within its limits."""
        return self._gate.admit(request)

    def refusal(self, kind: str) -> WireAnswer:
        """Return Crypto.com's own answer of one kind; a banned address gets its refusal of the address."""
        return failure(REFUSALS[kind])

    def deform(self, kind: str, path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
        """Return a successful payload with one fault in it."""
        return deform(kind, path, payload)
