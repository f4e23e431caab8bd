"""The kinds of accounts that every adapter is held against, and where venues differ in what they can tell."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from brokers.models import ContractKind, MarginMode, PositionMode, Side
from brokers.sandbox.catalogue import ASSETS
from brokers.sandbox.figures import PoolFigures
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.spec import AccountSpec, MarginPool, OpeningPosition, OpeningWallet, Permissions
from brokers.sandbox.venues import OKX_PAIRS, VENUES, SandboxVenue
from brokers.sandbox.wire.okx.listing import PAIR_SUFFIX

KEY, PASSWORD = "conformance-key-0001", "conformance-pass"
SECRET = b64encode(b"conformance-secret-0001").decode()  # Kraken's secrets are base64, the others any text
EC_SECRET = """\
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEICREq8Qza4rjx0zJNgxFy1FXoCdcBleqA4/Gv4W0Ik6ooAoGCCqGSM49
AwEHoUQDQgAEQfQ7X2BS7hqHCdwPXdr3KQ/6KvLnRJFIH4JKF1yDVZMRnMFdoNWg
8+dv5kQQ7iZwqwAuDuZeIFWE/oDTIFZ3VQ==
-----END EC PRIVATE KEY-----
"""
"""Coinbase's are private keys; this one opens nothing."""

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
    """One kind of account at one venue; its positions are named by pair.

    `carries_ids`: the venue's orders carry our client ids; where they do not, that one was never sent
    cannot be told from an order of somebody else.
    `tells_time`: an answer's payload holds the venue's time, which its date can be held against; else the
    date is all there is.
    `states_margins`: the venue states or schedules what each position requires; else it states that of all
    positions and orders together, and a position's is its share by notional.
    """

    broker: str
    mode: str
    positions: tuple[OpeningPosition, ...] = ONE_WAY
    hedge: bool = False
    margin_mode: MarginMode = MarginMode.CROSS
    wallets: Mapping[str, str] = field(default_factory=dict)
    """Currency -> balance; by default 20,000 dollars' worth of all that its positions settle in."""
    borrowed: str = "0"
    """How much of the venue's currency it owes; what was lent lies in its wallet."""
    inverse: bool = False
    """Whether a pair stands for the contract that settles in its coin and is counted in dollars."""
    stable: str = "USDT"
    """What dollar contracts settle in."""
    in_pairs: bool = False
    """Whether a pair stands for itself, traded on margin, and not for a contract."""
    carries_ids: bool = True
    tells_time: bool = True
    states_margins: bool = True
    states_initial: bool = True  # what was needed to open is known at all
    row_margins: bool = True  # a position has margins of its own at all
    product: str = ""  # "": the venue's own, or its broker's first
    secret: str = SECRET
    tells_clock: bool = True  # a wrong clock shows: in an answer's time, or in a refusal
    early: Decimal = Decimal(1)
    """The venue's own ratio over that of its last moment: it may liquidate before it must."""
    clock_error_ms: float = 500
    withdraws: bool = False
    orders_reserve: bool = True  # what orders need is counted at all
    tells_entry: bool = True  # a position's entry price, and with it its profit, is known
    levels: tuple[Decimal, Decimal] | None = None
    """Of a borrowing account: the margin levels (assets / debts) of the last loan and of its liquidation."""
    debt_rates: tuple[str, str] = ("0.1", "0.04")
    """What a debt takes to be lent, and to be kept, by its value."""
    pledged: Mapping[str, str] = field(default_factory=dict)
    """Pair -> the isolated margin of its position."""
    orders_hold: bool = False  # what orders need is taken off the equity, not counted as used

    @property
    def venue(self) -> SandboxVenue:
        """Where it is."""
        return VENUES[self.broker]

    @property
    def pool(self) -> MarginPool:
        """What backs cross positions."""
        return self.venue.pools[self.mode]

    def listed(self, pair: str) -> str:
        """Return the engine's contract of a pair."""
        if self.in_pairs:
            return OKX_PAIRS[pair]
        return self.venue.listed_as(pair.replace("USDT", "USD" if self.inverse else self.stable))

    def pair_of(self, name: str) -> str:
        """Return the pair that the engine's contract stands for."""
        pair = self.venue.pair_of(name).removesuffix(PAIR_SUFFIX).replace("USDC", "USDT")
        return f"{pair}T" if self.inverse and pair.endswith("-USD") else pair

    def states_maintenance(self, name: str) -> bool:
        """Whether a position in the engine's contract states its maintenance margin, where rows state any."""
        contract = next(one for one in self.venue.instruments if one.name == name)
        return self.mode != "uta1" or contract.kind is ContractKind.LINEAR

    def sized(self, pair: str, coins: Decimal) -> Decimal:
        """Return so many coins in the engine's units: of an inverse contract, dollars at the opening."""
        contract = self.contract(pair)
        return coins if contract.kind is ContractKind.LINEAR else coins * PRICES[contract.base]

    def contract(self, pair: str) -> Instrument:
        """Return what a pair stands for."""
        name = self.listed(pair)
        return next(one for one in self.venue.instruments if one.name == name)

    def ratio_of(self, pool: PoolFigures) -> Decimal:
        """Return the venue's own ratio of a pool: of a borrowing account by its margin level."""
        assert pool.ratio is not None
        if self.levels is None:
            return pool.ratio * self.early
        debts = pool.maintenance_margin / (self.levels[1] - 1)
        return self.levels[1] * debts / (pool.equity + debts)

    def _opening(self, name: str, own: Decimal) -> OpeningWallet:
        owed = Decimal(self.borrowed if name == self.venue.currency else 0)
        return OpeningWallet(balance=own + owed, borrowed=owed)

    def account(self) -> AccountSpec:
        """Return the account as the engine has it."""
        currency = self.venue.currency
        settles = {self.contract(held.symbol).settle for held in self.positions}
        wallets = self.wallets or {name: Decimal(20_000) / PRICES.get(name, 1) for name in settles}
        positions = tuple(
            replace(
                held,
                symbol=self.listed(held.symbol),
                quantity=self.sized(held.symbol, held.quantity),
                isolated_margin=None
                if held.symbol not in self.pledged
                else Decimal(self.pledged[held.symbol]),
            )
            for held in self.positions
        )
        return AccountSpec(
            name="desk",
            api_key=KEY,
            secret=self.secret,
            password=PASSWORD,
            wallets={name: self._opening(name, Decimal(amount)) for name, amount in wallets.items()},
            funding={currency: Decimal(5_000)},
            margin_pool=self.pool,
            position_mode=PositionMode.HEDGE if self.hedge else PositionMode.ONE_WAY,
            margin_mode=self.margin_mode,
            margin_modes={
                held.symbol: held.margin_mode for held in positions if held.margin_mode is not None
            },
            positions=positions,
            permissions=Permissions(can_withdraw=self.withdraws),
        )


CRYPTOCOM = Case(
    broker="cryptocom", mode="smart_cross", carries_ids=False, tells_time=False, states_margins=False
)
"""close-position takes no id, there is no time call, and rows of get-positions state no margins."""

TWO_PURSES = {"USDT": "20000", "USDC": "10000"}
"""Both too little for a long of half the opening size, so that each is one on credit."""

BORROWING: dict[str, Any] = {"tells_entry": False, "tells_time": False, "tells_clock": True}
"""What every margin account of Binance's has in common."""

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
    "binance-cross-classic": Case(
        broker="binancemargin",
        mode="classic",
        levels=(Decimal("1.5"), Decimal("1.1")),
        debt_rates=("0.5", "0.1"),
        wallets=TWO_PURSES,
        **BORROWING,
    ),
    "binance-cross-pro": Case(
        broker="binancemargin",
        mode="pro",
        states_initial=False,
        wallets=TWO_PURSES,
        **BORROWING,
    ),
    "binance-isolated": Case(
        broker="binanceisolated",
        mode="isolated_pairs",
        margin_mode=MarginMode.ISOLATED,
        levels=(Decimal("1.5"), Decimal("1.18")),
        pledged={BTC: "15000", ETH: "15000"},
        **BORROWING,
    ),
    "bybit-portfolio": Case(broker="bybit", mode="portfolio"),
    "bybit-cross-usdc": Case(broker="bybit", mode="cross", stable="USDC"),
    "bybit-cross-inverse": Case(broker="bybit", mode="cross", inverse=True),
    "bybit-cross-all-kinds": Case(broker="bybit", mode="cross", positions=BOTH_KINDS),
    "bybit-isolated-inverse": Case(
        broker="bybit", mode="isolated", margin_mode=MarginMode.ISOLATED, inverse=True
    ),
    "bybit-uta1": Case(broker="bybit", mode="uta1", positions=BOTH_KINDS),
    "bybit-uta1-inverse": Case(broker="bybit", mode="uta1", inverse=True),
    "okx-futures": Case(broker="okx", mode="futures"),
    "okx-futures-isolated": Case(broker="okx", mode="futures", positions=MIXED),
    "okx-multi-currency-hedge": Case(broker="okx", mode="multi_currency", positions=HEDGED, hedge=True),
    "okx-portfolio": Case(broker="okx", mode="portfolio"),
    "okx-futures-inverse": Case(broker="okx", mode="futures", inverse=True),
    "okx-multi-currency-inverse": Case(broker="okx", mode="multi_currency", inverse=True),
    "okx-spot-margin": Case(broker="okx", mode="futures", in_pairs=True),
    "okx-spot-margin-isolated": Case(broker="okx", mode="futures", in_pairs=True, positions=MIXED),
    "kraken-spot": Case(
        broker="kraken",
        mode="spot_margin",
        early=Decimal(2),
        clock_error_ms=1000,
        orders_reserve=False,
        tells_clock=False,
    ),
    "kraken-futures": Case(broker="krakenfutures", mode="multi_collateral"),
    "kraken-futures-isolated": Case(broker="krakenfutures", mode="multi_collateral", positions=MIXED),
    "kraken-futures-inverse": Case(
        broker="krakenfutures",
        mode="single_collateral",
        wallets={"BTC": "0.3", "ETH": "6"},
        inverse=True,
    ),
    "cryptocom": CRYPTOCOM,
    "cryptocom-isolated": replace(CRYPTOCOM, positions=MIXED),
    "coinbase-futures": Case(
        broker="coinbase",
        product="futures",
        mode="futures",
        secret=EC_SECRET,
        row_margins=False,
        orders_hold=True,
        tells_clock=False,
    ),
}
