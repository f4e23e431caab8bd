"""Coinbase's Advanced Trade REST interface over the engine."""

from collections.abc import Sequence
from typing import Any, ClassVar

from brokers.sandbox.engine import Engine
from brokers.sandbox.wire.base import Route, Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.coinbase.answers import error, refused_order, unauthorized
from brokers.sandbox.wire.coinbase.books import Books
from brokers.sandbox.wire.coinbase.deform import deform
from brokers.sandbox.wire.coinbase.gate import Gate
from brokers.sandbox.wire.coinbase.listing import Listing
from brokers.sandbox.wire.coinbase.market import Market
from brokers.sandbox.wire.coinbase.order_rows import OrderDesk
from brokers.sandbox.wire.coinbase.statement import Statement
from brokers.sandbox.wire.coinbase.trade import Trade
from brokers.sandbox.wire.coinbase.traps import TRAPS

V3 = "/api/v3/brokerage/"


class CoinbaseWire(Wire):
    """Coinbase's documented endpoints as ccxt calls them, with its tokens, refusals and pages.

    A futures account's margin is the engine's USD pool. `intraday` says which margin window is the current.
    """

    venue: ClassVar = "coinbase"
    budget_capacity: ClassVar = 30
    budget_period_s: ClassVar = 1.0
    traps: ClassVar = TRAPS

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        listing = Listing(engine)
        self._gate = Gate(engine)
        self._market = Market(engine, listing)
        self._books = Books(engine, listing)
        self._statement = Statement(self, listing)
        self._trade = Trade(self, listing, OrderDesk(self, listing))

    @property
    def intraday(self) -> bool:
        """Whether the day's margins hold; the night's otherwise."""
        return self._statement.intraday

    @intraday.setter
    def intraday(self, value: bool) -> None:
        self._statement.intraday = value

    def routes(self) -> Sequence[Route]:
        """List every endpoint."""
        public = {
            f"{V3}time": self._market.time,
            f"{V3}market/products": self._market.products,
            f"{V3}market/product_book": self._books.book,
            "/v2/currencies": self._market.currencies,
            "/v2/currencies/crypto": self._market.crypto,
            "/v2/exchange-rates": self._market.exchange_rates,
        }
        reads = {
            "key_permissions": self._statement.key_permissions,
            "accounts": self._statement.accounts,
            "products": self._market.products,
            "product_book": self._books.book,
            "transaction_summary": self._market.transaction_summary,
            "cfm/balance_summary": self._statement.balance_summary,
            "cfm/positions": self._statement.positions,
            "cfm/intraday/current_margin_window": self._statement.margin_window,
            "orders/historical/batch": self._trade.orders,
        }
        writes = {
            "orders": self._trade.place,
            "orders/close_position": self._trade.close_position,
            "orders/batch_cancel": self._trade.batch_cancel,
        }
        # public calls are counted by address, apart from the user's budget
        return [
            *(Route(method="GET", path=p, handler=h, signed=False, weight=0) for p, h in public.items()),
            *(Route(method="GET", path=f"{V3}{name}", handler=h) for name, h in reads.items()),
            *(Route(method="POST", path=f"{V3}{name}", handler=h, writes=True) for name, h in writes.items()),
        ]

    def authenticate(self, request: WireRequest) -> str:
        """Return the account that signed `request`."""
        return self._gate.admit(request)

    def refusal(self, kind: str) -> WireAnswer:
        """Return Coinbase's own answer of one kind; it has no ban but its rate limit."""
        match kind:
            case "duplicate_code":
                return refused_order("DUPLICATE_CLIENT_ORDER_ID")
            case "reduce_only_rejected":
                return refused_order("CANNOT_CLOSE_ZERO_POSITION")
            case "not_found":
                return error(404, "NOT_FOUND", "not found")
            case "rate_limited" | "ban":
                return WireAnswer(payload={"error": "rate limit exceeded"}, status=429)
            case "revoked_key":
                return unauthorized()
            case _:
                return error(500, "INTERNAL", "internal error")

    def deform(self, kind: str, path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
        """Return a successful payload with one fault in it."""
        return deform(kind, path, payload)
