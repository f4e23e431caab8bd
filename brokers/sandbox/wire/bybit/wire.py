"""Bybit's V5 REST interface, as a unified account (UTA 2.0 or 1.0) sees it, over the engine."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar

from brokers.budget import boot_seconds
from brokers.sandbox.engine import Engine
from brokers.sandbox.wire.base import Route, Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.bybit.account import AccountDesk
from brokers.sandbox.wire.bybit.deform import deform
from brokers.sandbox.wire.bybit.funding import FundingDesk
from brokers.sandbox.wire.bybit.limits import EndpointLimits
from brokers.sandbox.wire.bybit.listing import Listing
from brokers.sandbox.wire.bybit.loans import LoanDesk
from brokers.sandbox.wire.bybit.market import MarketDesk
from brokers.sandbox.wire.bybit.orders import OrderDesk
from brokers.sandbox.wire.bybit.parameters import Parameters
from brokers.sandbox.wire.bybit.refusals import MESSAGES, BybitRefusal, banned, envelope, refused
from brokers.sandbox.wire.bybit.signature import authenticate

V5 = "/v5/"

REFUSALS: Mapping[str, tuple[int, int]] = {
    "not_found": (10017, 404),
    "rate_limited": (10006, 200),
    "revoked_key": (10003, 200),
    "duplicate_code": (110072, 200),
    "reduce_only_rejected": (110017, 200),
}
"""Kind -> code and HTTP status; everything else is a server error."""

Answer = Callable[[Parameters], Any]
SignedAnswer = Callable[[Parameters, str], Any]


class BybitWire(Wire):
    """Serve the unified account; `portfolio` names those in portfolio margin.

    Addresses share 600 requests in 5 s; every key and endpoint has a limit per second besides, told in the
    `X-Bapi-Limit` headers.
    """

    venue: ClassVar[str] = "bybit"
    budget_capacity: ClassVar[float] = 600
    budget_period_s: ClassVar[float] = 5

    def __init__(
        self, engine: Engine, *, limits: EndpointLimits | None = None, portfolio: Collection[str] = ()
    ) -> None:
        super().__init__(engine)
        listing = Listing(engine)
        self._market = MarketDesk(self, listing)
        self._account = AccountDesk(self, listing, frozenset(portfolio))
        self._orders = OrderDesk(self, listing)
        self._funding = FundingDesk(self)
        self._loans = LoanDesk(self)
        self._limits = limits or EndpointLimits(boot_seconds)

    def routes(self) -> Sequence[Route]:
        """List every endpoint."""
        market, account, orders, funding = self._market, self._account, self._orders, self._funding
        return (
            Route(method="GET", path=V5 + "market/time", handler=_time, signed=False),
            self._public("market/instruments-info", market.instruments),
            self._public("market/tickers", market.tickers),
            self._public("market/orderbook", market.orderbook),
            self._public("market/risk-limit", market.risk_limits),
            self._public("system/status", market.status),
            self._read("user/query-api", account.api_key),
            self._read("account/info", account.info),
            self._read("account/wallet-balance", account.wallet),
            self._read("account/collateral-info", account.collateral),
            self._read("spot-margin-trade/repayment-available-amount", self._loans.available),
            self._read("position/list", account.positions),
            self._read("order/realtime", orders.realtime),
            self._read("order/history", orders.history),
            self._read("asset/coin/query-info", funding.coins),
            self._read("asset/transfer/query-account-coins-balance", funding.balances),
            self._read("asset/transfer/query-inter-transfer-list", funding.transfers),
            self._write("order/create", orders.create),
            self._write("order/cancel", orders.cancel),
            self._write("order/cancel-all", orders.cancel_all),
            self._write("order/cancel-batch", orders.cancel_batch),
            self._write("position/set-leverage", orders.set_leverage),
            self._write("asset/transfer/inter-transfer", funding.transfer),
            self._write("account/no-convert-repay", self._loans.repay),
        )

    def authenticate(self, request: WireRequest) -> str:
        """Return the account that signed a request, if its key may make it."""
        try:
            account = authenticate(self.engine, request)
        except BybitRefusal as refusal:
            raise refused(refusal, request.now_ms) from None
        may = account.permissions
        transfers = request.path.startswith(V5 + "asset/")
        if may.can_read if request.method == "GET" else may.can_trade or transfers:
            return account.name
        raise refused(BybitRefusal(10005), request.now_ms)

    def refusal(self, kind: str) -> WireAnswer:
        """Return the venue's own answer of one kind."""
        if kind == "ban":
            return banned()
        code, status = REFUSALS.get(kind, (10016, 200))
        payload = envelope({}, self.now_ms, code=code, message=MESSAGES[code])
        return WireAnswer(payload=payload, status=status)

    def deform(self, kind: str, path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
        """Return `payload` with one fault in it."""
        return deform(kind, path, payload)

    def _public(self, path: str, answer: Answer) -> Route:
        def handle(request: WireRequest, account: str) -> WireAnswer:
            del account
            return self._answer(request, lambda: answer(Parameters.of(request)), {})

        return Route(method="GET", path=V5 + path, handler=handle, signed=False)

    def _read(self, path: str, answer: SignedAnswer) -> Route:
        return Route(method="GET", path=V5 + path, handler=self._limited(answer))

    def _write(self, path: str, answer: SignedAnswer) -> Route:
        return Route(method="POST", path=V5 + path, handler=self._limited(answer), writes=True)

    def _limited(self, answer: SignedAnswer) -> Callable[[WireRequest, str], WireAnswer]:
        def handle(request: WireRequest, account: str) -> WireAnswer:
            allowed, headers = self._limits.spend(account, request.path, request.now_ms)
            if not allowed:
                payload = envelope({}, request.now_ms, code=10006, message=MESSAGES[10006])
                return WireAnswer(payload=payload, headers=headers)
            return self._answer(request, lambda: answer(Parameters.of(request), account), headers)

        return handle

    def _answer(self, request: WireRequest, act: Callable[[], Any], headers: Mapping[str, str]) -> WireAnswer:
        """Put what `act` returns, or refuses, into the venue's envelope."""
        try:
            result = act()
        except BybitRefusal as refusal:
            answer = refused(refusal, request.now_ms).answer
            return WireAnswer(payload=answer.payload, headers=headers)
        result, extra = result if isinstance(result, tuple) else (result, None)
        return WireAnswer(payload=envelope(result, request.now_ms, extra=extra), headers=headers)


def _time(request: WireRequest, account: str) -> WireAnswer:
    """Answer `market/time`, by the clock that judges timestamps."""
    del account
    now = request.now_ms
    result = {"timeSecond": str(now // 1000), "timeNano": str(now * 1_000_000)}
    return WireAnswer(payload=envelope(result, now))
