"""Kraken's spot REST over the engine, as far as spot margin goes."""

from collections.abc import Sequence
from typing import Any, ClassVar

from brokers.sandbox.engine import Engine
from brokers.sandbox.wire.base import Route, Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.kraken.account import Statement
from brokers.sandbox.wire.kraken.deform import deform
from brokers.sandbox.wire.kraken.envelope import (
    DUPLICATE_ID,
    INVALID_KEY,
    NO_POSITION,
    RATE_LIMIT,
    failure,
)
from brokers.sandbox.wire.kraken.gate import Gate
from brokers.sandbox.wire.kraken.market import Market
from brokers.sandbox.wire.kraken.order_rows import OrderDesk
from brokers.sandbox.wire.kraken.trade import Trade
from brokers.sandbox.wire.kraken.traps import TRAPS

PUBLIC, PRIVATE = "/0/public/", "/0/private/"


class KrakenWire(Wire):
    """Kraken's documented endpoints, with its signature, nonces, errors and call counter.

    Every account is a spot margin account. A position of the engine is printed as the trades that opened it.
    """

    venue: ClassVar = "kraken"
    # Kraken counts by key; see `gate`.
    budget_capacity: ClassVar = 1e9
    budget_period_s: ClassVar = 1.0
    traps: ClassVar = TRAPS

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.gate = Gate(engine)
        self._market = Market(engine)
        self._statement = Statement(self, self.gate)
        self._trade = Trade(self, OrderDesk(self))

    def routes(self) -> Sequence[Route]:
        """List every endpoint."""
        public = {
            "Time": self._market.time,
            "SystemStatus": self._market.status,
            "Assets": self._market.assets,
            "AssetPairs": self._market.pairs,
            "Ticker": self._market.ticker,
            "Depth": self._market.depth,
        }
        reads = {
            "TradeBalance": self._statement.trade_balance,
            "OpenPositions": self._statement.open_positions,
            "BalanceEx": self._statement.balances,
            "GetApiKeyInfo": self._statement.key,
            "OpenOrders": self._trade.open_orders,
            "ClosedOrders": self._trade.closed_orders,
            "QueryOrders": self._trade.query,
        }
        writes = {
            "AddOrder": self._trade.place,
            "CancelOrder": self._trade.cancel,
            "CancelOrderBatch": self._trade.cancel_batch,
            "CancelAllOrdersAfter": self._trade.cancel_all_after,
        }
        return [
            *(Route(method="GET", path=PUBLIC + name, handler=h, signed=False) for name, h in public.items()),
            *(Route(method="POST", path=PRIVATE + name, handler=h) for name, h in reads.items()),
            *(
                Route(method="POST", path=PRIVATE + name, handler=h, writes=True)
                for name, h in writes.items()
            ),
        ]

    def authenticate(self, request: WireRequest) -> str:
        """Return the account that signed `request`, within its counter."""
        return self.gate.admit(request)

    def readmit(self, request: WireRequest) -> str:
        """Return whose request it is: its nonce was judged when it came, and signatures do not age."""
        return self.gate.signer(request).name

    def refusal(self, kind: str) -> WireAnswer:
        """Return Kraken's own answer of one kind."""
        errors = {
            "not_found": "EGeneral:Unknown method",
            "rate_limited": RATE_LIMIT,
            "ban": "EGeneral:Temporary lockout",
            "revoked_key": INVALID_KEY,
            "duplicate_code": DUPLICATE_ID,
            "reduce_only_rejected": NO_POSITION,
            "server_error": "EGeneral:Internal error",
        }
        return failure(errors[kind])

    def deform(self, kind: str, path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
        """Return a successful payload with one fault in it."""
        return deform(kind, path, payload)
