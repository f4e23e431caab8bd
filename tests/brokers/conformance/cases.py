"""The kinds of accounts that the suite runs on: one table over all venues."""

from base64 import b64encode
from dataclasses import dataclass, replace
from decimal import Decimal

from brokers.models import ContractKind, MarginMode, PositionMode, Side
from brokers.sandbox.catalogue import ASSETS
from brokers.sandbox.spec import AccountSpec, MarginPool, OpeningPosition, OpeningWallet, Permissions
from brokers.sandbox.venues import VENUES, SandboxVenue

KEY, PASSWORD = "conformance-key-0001", "conformance-pass"
SECRET = b64encode(b"conformance-secret-0001").decode()  # Kraken's secrets are base64, the others any text
BTC, ETH = "BTC-USDT", "ETH-USDT"
PRICES = {asset.name: asset.usd_price for asset in ASSETS}


def _held(symbol: str, side: Side, quantity: str, mode: MarginMode | None = None) -> OpeningPosition:
    return OpeningPosition(symbol=symbol, side=side, quantity=Decimal(quantity), margin_mode=mode)


ONE_WAY = (_held(BTC, Side.LONG, "0.5"), _held(ETH, Side.SHORT, "10"))
HEDGED = (_held(BTC, Side.LONG, "0.5"), _held(BTC, Side.SHORT, "0.2"), _held(ETH, Side.SHORT, "10"))
BOTH_KINDS = (*ONE_WAY, _held("SOL-USD", Side.LONG, "100"))
MIXED = (_held(BTC, Side.LONG, "0.5"), _held(ETH, Side.SHORT, "10", MarginMode.ISOLATED))


@dataclass(frozen=True, kw_only=True)
class Case:
    """One kind of account at one sandbox venue; its positions are named by pair."""

    broker: str
    mode: str
    positions: tuple[OpeningPosition, ...] = ONE_WAY
    hedge: bool = False
    margin_mode: MarginMode = MarginMode.CROSS
    balance: Decimal = Decimal(20_000)

    @property
    def venue(self) -> SandboxVenue:
        """Where it is."""
        return VENUES[self.broker]

    @property
    def pool(self) -> MarginPool:
        """What backs cross positions."""
        return self.venue.pools[self.mode]

    def sized(self, pair: str, coins: Decimal) -> Decimal:
        """Return so many coins in the engine's units: of an inverse contract, dollars at the opening."""
        contracts = {one.name: one for one in self.venue.instruments}
        contract = contracts[self.venue.listed_as(pair)]
        return coins if contract.kind is ContractKind.LINEAR else coins * PRICES[contract.base]

    def account(self) -> AccountSpec:
        """Return the account as the engine has it."""
        contracts = {one.name: one for one in self.venue.instruments}
        positions = tuple(
            replace(
                held,
                symbol=self.venue.listed_as(held.symbol),
                quantity=self.sized(held.symbol, held.quantity),
            )
            for held in self.positions
        )
        settles = {contracts[held.symbol].settle for held in positions}
        return AccountSpec(
            name="desk",
            api_key=KEY,
            secret=SECRET,
            password=PASSWORD,
            wallets={name: OpeningWallet(balance=self.balance / PRICES[name]) for name in settles},
            funding={self.venue.currency: Decimal(5_000)},
            margin_pool=self.pool,
            position_mode=PositionMode.HEDGE if self.hedge else PositionMode.ONE_WAY,
            margin_mode=self.margin_mode,
            margin_modes={
                held.symbol: held.margin_mode for held in positions if held.margin_mode is not None
            },
            positions=positions,
            permissions=Permissions(can_withdraw=False),
        )


CASES = {
    "binance-single-asset": Case(broker="binance", mode="single_asset"),
    "binance-single-asset-isolated": Case(broker="binance", mode="single_asset", positions=MIXED),
    "binance-multi-assets-hedge": Case(broker="binance", mode="multi_assets", positions=HEDGED, hedge=True),
    "binance-coinm": Case(broker="binancecoinm", mode="coin_margined"),
    "binance-coinm-isolated": Case(broker="binancecoinm", mode="coin_margined", positions=MIXED),
    "binance-coinm-hedge": Case(broker="binancecoinm", mode="coin_margined", positions=HEDGED, hedge=True),
    "binance-portfolio": Case(broker="binancepm", mode="portfolio_margin", positions=BOTH_KINDS),
    "binance-portfolio-hedge": Case(
        broker="binancepm", mode="portfolio_margin", positions=HEDGED, hedge=True
    ),
    "bybit-cross": Case(broker="bybit", mode="cross"),
    "bybit-cross-hedge": Case(broker="bybit", mode="cross", positions=HEDGED, hedge=True),
    "bybit-isolated": Case(broker="bybit", mode="isolated", margin_mode=MarginMode.ISOLATED),
    "okx-futures": Case(broker="okx", mode="futures"),
    "okx-futures-isolated": Case(broker="okx", mode="futures", positions=MIXED),
    "okx-multi-currency-hedge": Case(broker="okx", mode="multi_currency", positions=HEDGED, hedge=True),
    "okx-portfolio": Case(broker="okx", mode="portfolio"),
}
