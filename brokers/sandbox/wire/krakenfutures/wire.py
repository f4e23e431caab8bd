"""Kraken Futures' REST over the engine."""

from collections.abc import Sequence
from typing import Any, ClassVar

from brokers.sandbox.engine import Engine
from brokers.sandbox.wire.base import Route, Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.krakenfutures.account import Statement
from brokers.sandbox.wire.krakenfutures.deform import deform
from brokers.sandbox.wire.krakenfutures.envelope import failure, success
from brokers.sandbox.wire.krakenfutures.gate import Gate
from brokers.sandbox.wire.krakenfutures.market import Market
from brokers.sandbox.wire.krakenfutures.order_rows import OrderDesk
from brokers.sandbox.wire.krakenfutures.trade import Trade
from brokers.sandbox.wire.krakenfutures.traps import TRAPS

TRADING, HISTORY = "/derivatives/api/v3/", "/api/history/v2/"
KEY_CHECK = "/api/auth/v1/api-keys/v3/check"

WEIGHTS = {
    "accounts": 2,
    "openpositions": 2,
    "openorders": 2,
    "fills": 2,
    "sendorder": 10,
    "cancelorder": 10,
    "batchorder": 10,
    "cancelallorders": 25,
    "cancelallordersafter": 25,
}
"""Source: Kraken docs, "Derivatives Rate Limits"; a batch counts its first order only here."""


class KrakenFuturesWire(Wire):
    """Kraken Futures' documented endpoints, with its signature, statuses and budget.

    An account whose margin pool is the account has its dollars and coins in the multi-collateral wallet and
    holds linear contracts; any other has a wallet for each coin and holds inverse ones.
    """

    venue: ClassVar = "krakenfutures"
    budget_capacity: ClassVar = 500.0
    budget_period_s: ClassVar = 10.0
    traps: ClassVar = TRAPS

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._gate = Gate(engine)
        self._market = Market(self)
        self._statement = Statement(self)
        self._trade = Trade(self, OrderDesk(self))

    def routes(self) -> Sequence[Route]:
        """List every endpoint; public calls take nothing out of the budget."""
        public = {
            "instruments": self._market.instruments,
            "tickers": self._market.tickers,
            "orderbook": self._market.orderbook,
        }
        reads = {
            "accounts": self._statement.accounts,
            "openpositions": self._statement.positions,
            "leveragepreferences": self._statement.preferences,
            "openorders": self._trade.open_orders,
            "fills": self._trade.fills,
        }
        writes = {
            "sendorder": self._trade.send,
            "batchorder": self._trade.batch,
            "cancelorder": self._trade.cancel,
            "cancelallorders": self._trade.cancel_all,
            "cancelallordersafter": self._trade.cancel_all_after,
            "transfer": self._statement.transfer,
        }
        return [
            *(
                Route(method="GET", path=TRADING + name, handler=handler, signed=False, weight=0)
                for name, handler in public.items()
            ),
            *(
                Route(method="GET", path=TRADING + name, handler=handler, weight=WEIGHTS.get(name, 1))
                for name, handler in reads.items()
            ),
            *(
                Route(
                    method="POST",
                    path=TRADING + name,
                    handler=handler,
                    weight=WEIGHTS.get(name, 1),
                    writes=True,
                )
                for name, handler in writes.items()
            ),
            Route(
                method="PUT",
                path=f"{TRADING}leveragepreferences",
                handler=self._statement.set_preference,
                writes=True,
            ),
            Route(method="POST", path=f"{TRADING}orders/status", handler=self._trade.status),
            Route(method="GET", path=f"{HISTORY}orders", handler=self._trade.history, weight=0),
            Route(method="GET", path=KEY_CHECK, handler=self._statement.key, weight=0),
        ]

    def authenticate(self, request: WireRequest) -> str:
        """Return the account that signed `request`."""
        return self._gate.admit(request)

    def refusal(self, kind: str) -> WireAnswer:
        """Return Kraken's own answer of one kind; Kraken knows no ban but its limit."""
        statuses = {
            "duplicate_code": "clientOrderIdAlreadyExist",
            "reduce_only_rejected": "wouldNotReducePosition",
        }
        if kind in statuses:
            return success(self.now_ms, sendStatus={"status": statuses[kind]})
        errors = {
            "not_found": "notFound",
            "rate_limited": "apiLimitExceeded",
            "ban": "apiLimitExceeded",
            "revoked_key": "authenticationError",
            "server_error": "Server Error",
        }
        return failure(errors[kind], self.now_ms)

    def deform(self, kind: str, path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
        """Return a successful payload with one fault in it."""
        return deform(kind, path, payload)
