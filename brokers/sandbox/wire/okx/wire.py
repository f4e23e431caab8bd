"""OKX's REST v5 over the engine."""

from collections.abc import Collection, Sequence
from typing import Any, ClassVar

from brokers.sandbox.engine import Engine
from brokers.sandbox.wire.base import Route, Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.okx.deform import deform
from brokers.sandbox.wire.okx.envelope import RowRefusal, failure, rows_answer
from brokers.sandbox.wire.okx.funding import Funding
from brokers.sandbox.wire.okx.gate import Gate
from brokers.sandbox.wire.okx.listing import Listing
from brokers.sandbox.wire.okx.loans import Loans
from brokers.sandbox.wire.okx.market import Market
from brokers.sandbox.wire.okx.order_rows import OrderDesk
from brokers.sandbox.wire.okx.statement import Statement
from brokers.sandbox.wire.okx.trade import Trade


class OkxWire(Wire):
    """OKX's documented endpoints as ccxt calls them, with OKX's signature, codes and limits.

    An account whose margin pool is the account is in multi-currency mode, or in portfolio mode if `portfolio`
    names it; any other is in futures mode. Those that `spot` names are in spot mode and may borrow. The
    header of simulated trading is taken and changes nothing.
    """

    venue: ClassVar = "okx"
    # OKX limits each endpoint by itself; see `gate.LIMITS`.
    budget_capacity: ClassVar = 1e9
    budget_period_s: ClassVar = 2.0

    def __init__(
        self, engine: Engine, *, portfolio: Collection[str] = (), spot: Collection[str] = ()
    ) -> None:
        super().__init__(engine)
        names, listing = frozenset(portfolio), Listing(engine)
        self._gate = Gate(engine)
        self._market = Market(engine, listing)
        self._statement = Statement(self, listing, names, frozenset(spot))
        self._trade = Trade(self, listing, OrderDesk(self, listing, names))
        self._funding = Funding(engine)
        self._loans = Loans(engine, self._statement)

    def routes(self) -> Sequence[Route]:
        """List every endpoint."""
        public = {
            "public/time": self._market.time,
            "public/instruments": self._market.instruments,
            "public/mark-price": self._market.mark_price,
            "public/position-tiers": self._market.position_tiers,
            "market/tickers": self._market.tickers,
            "market/ticker": self._market.ticker,
            "market/books": self._market.books,
        }
        reads = {
            "account/balance": self._statement.balance,
            "account/positions": self._statement.positions,
            "account/config": self._statement.config,
            "account/interest-rate": self._statement.interest_rate,
            "trade/order": self._trade.order,
            "trade/orders-pending": self._trade.pending,
            "trade/orders-history": self._trade.history,
            "trade/orders-algo-pending": self._trade.algos_pending,
            "asset/balances": self._funding.balances,
            "asset/transfer-state": self._funding.transfer_state,
        }
        writes = {
            "account/set-leverage": self._statement.set_leverage,
            "trade/order": self._trade.place,
            "trade/batch-orders": self._trade.place_batch,
            "trade/order-algo": self._trade.place_algo,
            "trade/cancel-order": self._trade.cancel,
            "trade/cancel-batch-orders": self._trade.cancel_batch,
            "trade/cancel-algos": self._trade.cancel_algos,
            "trade/close-position": self._trade.close_position,
            "asset/transfer": self._funding.transfer,
            "account/spot-manual-borrow-repay": self._loans.repay,
        }
        return [
            *(Route(method="GET", path=_path(name), handler=h, signed=False) for name, h in public.items()),
            *(Route(method="GET", path=_path(name), handler=h) for name, h in reads.items()),
            *(Route(method="POST", path=_path(name), handler=h, writes=True) for name, h in writes.items()),
        ]

    def authenticate(self, request: WireRequest) -> str:
        """Return the account that signed `request`, within its limits."""
        return self._gate.admit(request)

    def refusal(self, kind: str) -> WireAnswer:
        """Return OKX's own answer of one kind; a banned address gets OKX's refusal of the address."""
        if kind == "not_found":
            return WireAnswer(payload={"code": 404, "data": {}, "msg": "Not Found"}, status=404)
        rows = {"duplicate_code": "51016", "reduce_only_rejected": "51169"}
        if kind in rows:
            problem = RowRefusal(rows[kind])
            row = {"clOrdId": "", "ordId": "", "tag": "", "sCode": problem.code, "sMsg": problem.message}
            return rows_answer([row], self.now_ms)
        codes = {"rate_limited": "50011", "ban": "50121", "revoked_key": "50119", "server_error": "50026"}
        return failure(codes[kind])

    def deform(self, kind: str, path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
        """Return a successful payload with one fault in it."""
        return deform(kind, path, payload)


def _path(name: str) -> str:
    return f"/api/v5/{name}"
