"""Binance's margin REST interfaces, cross and isolated, and what margind needs of the spot host."""

from abc import abstractmethod
from collections.abc import Collection, Sequence
from typing import ClassVar

from brokers.sandbox.engine import Engine
from brokers.sandbox.wire.base import Route, WireAnswer, WireRequest
from brokers.sandbox.wire.binance.depth import DepthDesk
from brokers.sandbox.wire.binance.gate import SAPI, BinanceGate
from brokers.sandbox.wire.binance.listing import Listing
from brokers.sandbox.wire.binance.margin_account import CrossAccountDesk, IsolatedAccountDesk, LoanDesk
from brokers.sandbox.wire.binance.margin_market import SpotMarketDesk
from brokers.sandbox.wire.binance.margin_orders import MarginOrderDesk
from brokers.sandbox.wire.binance.margin_refusals import DUPLICATE, INSUFFICIENT, said
from brokers.sandbox.wire.binance.refusals import refuse
from brokers.sandbox.wire.binance.wallet import WalletDesk

API = "/api/v3/"
MARGIN = SAPI + "margin/"

SAID = {"duplicate_code": DUPLICATE, "reduce_only_rejected": INSUFFICIENT}


class MarginWire(BinanceGate):
    """Serve one of the two margin accounts. Weights are the venue's own."""

    budget_capacity: ClassVar[float] = 6000
    isolated: ClassVar[bool]

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._listing = Listing(engine)
        self._market = SpotMarketDesk(self, self._listing)
        self._depth = DepthDesk(self, self._listing, spot=True)
        self._orders = MarginOrderDesk(self, self._listing, isolated=self.isolated)
        self._loans = LoanDesk(self, self._listing, isolated=self.isolated)
        self._wallet = WalletDesk(self, product="MARGIN")

    def authenticate(self, request: WireRequest) -> str:
        """Return the account that signed a request and may make it; the wallet asks for itself."""
        name = super().authenticate(request)
        may = self.engine.accounts[name].permissions
        allowed = may.can_read if request.method == "GET" else may.can_trade
        if request.path.startswith(MARGIN) and not allowed:
            raise refuse(-2015)
        return name

    def refusal(self, kind: str) -> WireAnswer:
        """Return the venue's own answer of one kind."""
        return said(SAID[kind]) if kind in SAID else super().refusal(kind)

    def routes(self) -> Sequence[Route]:
        """List every endpoint."""
        desk = self._market
        public = (
            (API + "ping", desk.ping, 1),
            (API + "time", desk.time, 1),
            (API + "exchangeInfo", desk.exchange_info, 20),
            (API + "ticker/price", desk.price, 4),
            (MARGIN + "priceIndex", desk.price_index, 10),
        )
        return (
            self._depth.route(API + "depth"),
            *(
                Route(method="GET", path=path, handler=handler, signed=False, weight=weight)
                for path, handler, weight in public
            ),
            *self.account_routes(),
            *self._order_routes(),
            *self.sapi_routes(),
        )

    @abstractmethod
    def account_routes(self) -> tuple[Route, ...]:
        """List the endpoints that show the account."""

    def _order_routes(self) -> tuple[Route, ...]:
        desk, loans = self._orders, self._loans
        reads = (
            ("order", desk.find, 10),
            ("openOrders", desk.open, 10),
            ("openOrderList", desk.lists, 10),
            ("borrow-repay", loans.records, 10),
            ("next-hourly-interest-rate", loans.rates, 100),
        )
        writes = (
            ("POST", "order", desk.place, 1),
            ("DELETE", "order", desk.cancel, 10),
            ("DELETE", "openOrders", desk.cancel_all, 1),
            ("POST", "borrow-repay", loans.borrow_or_repay, 1),
        )
        return (
            *(Route(method="GET", path=MARGIN + path, handler=h, weight=w) for path, h, w in reads),
            *(
                Route(method=m, path=MARGIN + path, handler=h, weight=w, writes=True)
                for m, path, h, w in writes
            ),
        )


class CrossMarginWire(MarginWire):
    """Serve cross margin; `pro` are the accounts of that type."""

    isolated: ClassVar[bool] = False

    def __init__(self, engine: Engine, *, pro: Collection[str] = ()) -> None:
        super().__init__(engine)
        self._accounts = CrossAccountDesk(self, pro=pro)

    def account_routes(self) -> tuple[Route, ...]:
        """List the endpoints that show the account."""
        desk = self._accounts
        return (
            Route(method="GET", path=MARGIN + "account", handler=desk.account, weight=10),
            Route(method="GET", path=MARGIN + "tradeCoeff", handler=desk.levels, weight=10),
        )


class IsolatedMarginWire(MarginWire):
    """Serve isolated margin."""

    isolated: ClassVar[bool] = True

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._accounts = IsolatedAccountDesk(self, self._listing)

    def account_routes(self) -> tuple[Route, ...]:
        """List the endpoints that show the account."""
        desk = self._accounts
        return (
            Route(method="GET", path=MARGIN + "isolated/account", handler=desk.account, weight=10),
            Route(method="GET", path=MARGIN + "isolatedMarginTier", handler=desk.tiers, weight=1),
        )
