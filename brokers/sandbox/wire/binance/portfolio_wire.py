"""Binance's portfolio margin REST interface, the futures hosts' public side, and the spot host's wallet."""

from collections.abc import Sequence
from typing import ClassVar

from brokers.sandbox.engine import Engine
from brokers.sandbox.wire.base import Route
from brokers.sandbox.wire.binance.depth import DepthDesk
from brokers.sandbox.wire.binance.gate import BinanceGate
from brokers.sandbox.wire.binance.market import MarketDesk
from brokers.sandbox.wire.binance.order_rows import OrderRows
from brokers.sandbox.wire.binance.orders import OrderDesk
from brokers.sandbox.wire.binance.pace import Pace
from brokers.sandbox.wire.binance.portfolio_account import CmDesk, PortfolioDesk, UmDesk, listings
from brokers.sandbox.wire.binance.settings import SettingsDesk
from brokers.sandbox.wire.binance.strategies import StrategyDesk
from brokers.sandbox.wire.binance.wallet import WalletDesk
from brokers.sandbox.wire.binance.wire import DAPI, FAPI

PAPI = "/papi/v1/"


class PortfolioWire(BinanceGate):
    """Serve portfolio margin. Weights are the venue's own; `openOrders` counts as without a symbol."""

    budget_capacity: ClassVar[float] = 6000

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        um, cm = listings(self)
        pace = Pace()
        self._portfolio = PortfolioDesk(self)
        self._markets = ((FAPI, MarketDesk(self, um), 1), (DAPI, MarketDesk(self, cm, coin=True), 10))
        self._depths = ((FAPI, DepthDesk(self, um)), (DAPI, DepthDesk(self, cm)))
        self._accounts = (("um/", UmDesk(self, um), 5), ("cm/", CmDesk(self, cm), 1))
        self._books = tuple(
            (
                name,
                OrderDesk(self, listing, OrderRows(self, listing), pace, may_open=self._portfolio.may_open),
                StrategyDesk(self, listing, OrderRows(self, listing), pace),
                SettingsDesk(self, listing),
            )
            for name, listing in (("um/", um), ("cm/", cm))
        )
        self._wallet = WalletDesk(self, product="PORTFOLIO_MARGIN", source="MAIN")

    def routes(self) -> Sequence[Route]:
        """List every endpoint."""
        return (*self._public_routes(), *self._account_routes(), *self._order_routes(), *self.sapi_routes())

    def _public_routes(self) -> tuple[Route, ...]:
        depths = tuple(depth.route(at + "depth") for at, depth in self._depths)
        return depths + tuple(
            Route(method="GET", path=at + path, handler=handler, signed=False, weight=weight)
            for at, desk, mark in self._markets
            for path, handler, weight in (
                ("ping", desk.ping, 1),
                ("time", desk.time, 1),
                ("exchangeInfo", desk.exchange_info, 1),
                ("premiumIndex", desk.premium_index, mark),
                ("ticker/bookTicker", desk.book_ticker, 2),
            )
        )

    def _account_routes(self) -> tuple[Route, ...]:
        desk = self._portfolio
        reads = [("account", desk.account, 20), ("balance", desk.balance, 20)]
        for name, side, risk in self._accounts:
            reads += [
                (f"{name}account", side.account, 5),
                (f"{name}positionRisk", side.position_risk, risk),
                (f"{name}leverageBracket", side.leverage_bracket, 1),
                (f"{name}positionSide/dual", side.position_mode, 30),
            ]
        repay = Route(method="POST", path=PAPI + "repayLoan", handler=desk.repay, weight=100, writes=True)
        return (
            repay,
            *(Route(method="GET", path=PAPI + path, handler=one, weight=w) for path, one, w in reads),
        )

    def _order_routes(self) -> tuple[Route, ...]:
        routes: list[Route] = []
        for name, desk, waiting, settings in self._books:
            at = PAPI + name
            reads = (
                ("order", desk.find, 1),
                ("openOrder", desk.find_open, 1),
                ("openOrders", desk.open, 40),
                ("allOrders", desk.all, 5),
                ("conditional/openOrders", waiting.open, 40),
            )
            writes = (
                ("POST", "order", desk.place),
                ("DELETE", "order", desk.cancel),
                ("DELETE", "allOpenOrders", desk.cancel_all),
                ("DELETE", "conditional/order", waiting.cancel),
                ("DELETE", "conditional/allOpenOrders", waiting.cancel_all),
                ("POST", "leverage", settings.leverage),
            )
            routes += [Route(method="GET", path=at + path, handler=one, weight=w) for path, one, w in reads]
            routes += [Route(method=m, path=at + path, handler=one, writes=True) for m, path, one in writes]
        return tuple(routes)

    def sapi_routes(self) -> tuple[Route, ...]:
        """List what the spot host answers: there, the spot wallet is where collateral comes from."""
        spot = Route(
            method="POST", path="/sapi/v3/asset/getUserAsset", handler=self._wallet.funding, weight=5
        )
        return (*super().sapi_routes(), spot)
