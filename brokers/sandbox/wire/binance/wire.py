"""Binance's futures REST interfaces, and what margind needs of the spot host, over the engine."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeAlias

from brokers.models import ContractKind
from brokers.sandbox.engine import Engine
from brokers.sandbox.wire.base import Route, WireAnswer, WireRequest
from brokers.sandbox.wire.binance.account import AccountDesk
from brokers.sandbox.wire.binance.algo_orders import AlgoDesk
from brokers.sandbox.wire.binance.coin_account import CoinAccountDesk
from brokers.sandbox.wire.binance.depth import DepthDesk
from brokers.sandbox.wire.binance.gate import BinanceGate
from brokers.sandbox.wire.binance.listing import Listing
from brokers.sandbox.wire.binance.market import MarketDesk
from brokers.sandbox.wire.binance.order_rows import OrderRows
from brokers.sandbox.wire.binance.orders import OrderDesk
from brokers.sandbox.wire.binance.pace import Pace
from brokers.sandbox.wire.binance.settings import SettingsDesk
from brokers.sandbox.wire.binance.wallet import WalletDesk

FAPI, FAPI_V3 = "/fapi/v1/", "/fapi/v3/"
DAPI, DAPI_V2 = "/dapi/v1/", "/dapi/v2/"

Read: TypeAlias = tuple[str, Callable[[WireRequest, str], WireAnswer], float]


class FuturesWire(BinanceGate):
    """Serve one futures product below `prefix`.

    Weights are the venue's own; `openOrders` counts as without a symbol.
    """

    budget_capacity: ClassVar[float] = 2400
    kind: ClassVar[ContractKind]
    prefix: ClassVar[str]
    transfers_to: ClassVar[str]
    mark_weight: ClassVar[float]

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        listing, pace = Listing(engine, self.kind), Pace()
        rows = OrderRows(self, listing)
        coin = self.kind is ContractKind.INVERSE
        self._market = MarketDesk(self, listing, coin=coin)
        self._depth = DepthDesk(self, listing)
        self._accounts = (CoinAccountDesk if coin else AccountDesk)(self, listing)
        self._orders = OrderDesk(self, listing, rows, pace)
        self._algo = AlgoDesk(self, listing, rows, pace)
        self._settings = SettingsDesk(self, listing)
        self._wallet = WalletDesk(self, product=self.transfers_to)

    def routes(self) -> Sequence[Route]:
        """List every endpoint."""
        return (*self._public_routes(), *self._account_routes(), *self._order_routes(), *self.sapi_routes())

    def _public_routes(self) -> tuple[Route, ...]:
        desk = self._market
        handlers = (
            ("ping", desk.ping, 1),
            ("time", desk.time, 1),
            ("exchangeInfo", desk.exchange_info, 1),
            ("premiumIndex", desk.premium_index, self.mark_weight),
            ("ticker/bookTicker", desk.book_ticker, 2),
            ("ticker/price", desk.price_ticker, 1),
        )
        return (
            self._depth.route(self.prefix + "depth"),
            *(
                Route(method="GET", path=self.prefix + path, handler=handler, signed=False, weight=weight)
                for path, handler, weight in handlers
            ),
        )

    @abstractmethod
    def account_reads(self) -> Sequence[Read]:
        """List the endpoints that show the account: path, handler, weight."""

    def _account_routes(self) -> tuple[Route, ...]:
        reads, settings = self.account_reads(), self._settings
        writes = (("leverage", settings.leverage), ("marginType", settings.margin_type))
        return (
            *(Route(method="GET", path=path, handler=handler, weight=w) for path, handler, w in reads),
            *(
                Route(method="POST", path=self.prefix + path, handler=handler, writes=True)
                for path, handler in writes
            ),
        )

    def _order_routes(self) -> tuple[Route, ...]:
        desk, algo = self._orders, self._algo
        reads = (
            ("order", desk.find, 1),
            ("openOrder", desk.find_open, 1),
            ("openOrders", desk.open, 40),
            ("allOrders", desk.all, 5),
            ("algoOrder", algo.find, 1),
            ("openAlgoOrders", algo.open, 40),
        )
        writes = (
            ("POST", "order", desk.place),
            ("DELETE", "order", desk.cancel),
            ("DELETE", "allOpenOrders", desk.cancel_all),
            ("DELETE", "batchOrders", desk.cancel_batch),
            ("POST", "algoOrder", algo.place),
            ("DELETE", "algoOrder", algo.cancel),
            ("DELETE", "algoOpenOrders", algo.cancel_all),
        )
        return (
            *(
                Route(method="GET", path=self.prefix + path, handler=handler, weight=w)
                for path, handler, w in reads
            ),
            *(
                Route(method=m, path=self.prefix + path, handler=handler, writes=True)
                for m, path, handler in writes
            ),
        )


class BinanceWire(FuturesWire):
    """Serve USD-M futures."""

    kind: ClassVar[ContractKind] = ContractKind.LINEAR
    prefix: ClassVar[str] = FAPI
    transfers_to: ClassVar[str] = "UMFUTURE"
    mark_weight: ClassVar[float] = 1

    def account_reads(self) -> Sequence[Read]:
        """List the endpoints that show the account."""
        desk = self._accounts
        return (
            (FAPI_V3 + "account", desk.account, 5),
            (FAPI_V3 + "balance", desk.balance, 5),
            (FAPI_V3 + "positionRisk", desk.position_risk, 5),
            (FAPI + "accountConfig", desk.account_config, 5),
            (FAPI + "symbolConfig", desk.symbol_config, 5),
            (FAPI + "leverageBracket", desk.leverage_bracket, 1),
            (FAPI + "positionSide/dual", desk.position_mode, 30),
            (FAPI + "multiAssetsMargin", desk.asset_mode, 30),
        )


class BinanceCoinWire(FuturesWire):
    """Serve COIN-M futures."""

    kind: ClassVar[ContractKind] = ContractKind.INVERSE
    prefix: ClassVar[str] = DAPI
    transfers_to: ClassVar[str] = "CMFUTURE"
    mark_weight: ClassVar[float] = 10

    def account_reads(self) -> Sequence[Read]:
        """List the endpoints that show the account."""
        desk = self._accounts
        return (
            (DAPI + "account", desk.account, 5),
            (DAPI + "balance", desk.balance, 1),
            (DAPI + "positionRisk", desk.position_risk, 1),
            (DAPI_V2 + "leverageBracket", desk.leverage_bracket, 1),
            (DAPI + "positionSide/dual", desk.position_mode, 30),
        )
