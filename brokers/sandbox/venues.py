"""The venues a sandbox can play: each with its wire, its rules, its listing and its account modes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType

from brokers.models import ContractKind
from brokers.numbers import ONE
from brokers.sandbox.catalogue import ASSETS, INSTRUMENTS
from brokers.sandbox.engine import Engine
from brokers.sandbox.instrument import Instrument, maintenance_tiers
from brokers.sandbox.spec import Asset, MarginPool, VenueRules
from brokers.sandbox.wire.base import Wire
from brokers.sandbox.wire.binance.margin_wire import CrossMarginWire, IsolatedMarginWire
from brokers.sandbox.wire.binance.pairs import LENT_ASSETS, PAIR_NAMES, PAIRS
from brokers.sandbox.wire.binance.portfolio_wire import PortfolioWire
from brokers.sandbox.wire.binance.rules import ISOLATED_RULES, MARGIN_RULES, PORTFOLIO_RULES
from brokers.sandbox.wire.binance.rules import RULES as BINANCE_RULES
from brokers.sandbox.wire.binance.wire import BinanceCoinWire, BinanceWire
from brokers.sandbox.wire.bybit.rules import RULES as BYBIT_RULES
from brokers.sandbox.wire.bybit.wire import BybitWire
from brokers.sandbox.wire.coinbase.rules import RULES as COINBASE_RULES
from brokers.sandbox.wire.coinbase.wire import CoinbaseWire
from brokers.sandbox.wire.cryptocom.rules import RULES as CRYPTOCOM_RULES
from brokers.sandbox.wire.cryptocom.wire import CryptocomWire
from brokers.sandbox.wire.kraken.pairs import NAMES as KRAKEN_NAMES
from brokers.sandbox.wire.kraken.pairs import PAIRS as KRAKEN_PAIRS
from brokers.sandbox.wire.kraken.rules import RULES as KRAKEN_RULES
from brokers.sandbox.wire.kraken.wire import KrakenWire
from brokers.sandbox.wire.krakenfutures.contracts import CONTRACTS as KRAKEN_FUTURES_CONTRACTS
from brokers.sandbox.wire.krakenfutures.contracts import NAMES as KRAKEN_FUTURES_NAMES
from brokers.sandbox.wire.krakenfutures.rules import RULES as KRAKEN_FUTURES_RULES
from brokers.sandbox.wire.krakenfutures.wire import KrakenFuturesWire
from brokers.sandbox.wire.okx.listing import PAIR_SUFFIX
from brokers.sandbox.wire.okx.rules import RULES as OKX_RULES
from brokers.sandbox.wire.okx.wire import OkxWire

Modes = Mapping[str, str]
"""Account name -> the venue's account mode, as the sandbox file names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxVenue:
    """One venue: `build` lays its wire over an engine, given the mode of each account.

    `pools` are its account modes. A pair of the catalogue (`BTC-USDT`) is listed there as `names` say, else
    as the pair plus `suffix`. `broker` and `product` are the daemon's words for it, where they are not the
    venue's name and its broker's first product; `currency` is what its dollar contracts
    settle in, and of inverse ones the first.
    """

    build: Callable[[Engine, Modes], Wire]
    rules: VenueRules
    pools: Mapping[str, MarginPool]
    instruments: tuple[Instrument, ...] = INSTRUMENTS
    assets: tuple[Asset, ...] = ASSETS
    suffix: str = ""
    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    broker: str = ""
    product: str = ""
    currency: str = "USDT"

    def listed_as(self, pair: str) -> str:
        """Return the engine's name of a pair at this venue."""
        return self.names.get(pair, pair + self.suffix)

    def pair_of(self, name: str) -> str:
        """Return the pair of the catalogue that the engine's contract `name` stands for."""
        pairs = (pair for pair, listed in self.names.items() if listed == name)
        return next(pairs, name.removesuffix(self.suffix))


_OKX_SUFFIX = "-SWAP"
_OKX_CONTRACTS = {"BTC-USDT": Decimal("0.01"), "ETH-USDT": Decimal("0.1"), "SOL-USDT": ONE}


def _as_okx_swap(instrument: Instrument) -> Instrument:
    """List a contract as OKX does: by contracts of a fixed size, in hundredths of one."""
    size = _OKX_CONTRACTS[instrument.name]
    return replace(
        instrument,
        name=instrument.name + _OKX_SUFFIX,
        contract_size=size,
        lot_step=size / 100,
        min_quantity=size / 100,
        min_notional=None,
    )


COIN_MARGINED = {
    "BTC": (Decimal(100), maintenance_tiers(("0", "0.004"), ("5", "0.005"), ("10", "0.01"), ("20", "0.025"))),
    "ETH": (Decimal(10), maintenance_tiers(("0", "0.005"), ("100", "0.0065"), ("500", "0.01"))),
    "SOL": (Decimal(10), maintenance_tiers(("0", "0.01"), ("1000", "0.02"))),
}
"""Coin -> dollars in a contract, as Binance has them, and brackets in coin, in the shape of Binance's."""


def _as_inverse(instrument: Instrument) -> Instrument:
    """List a coin's contract as COIN-M does: in contracts of some dollars, settled in the coin."""
    size, tiers = COIN_MARGINED[instrument.base]
    return replace(
        instrument,
        name=f"{instrument.base}-USD",
        settle=instrument.base,
        quote="USD",
        kind=ContractKind.INVERSE,
        contract_size=size,
        lot_step=size,
        min_quantity=size,
        max_market_quantity=size * 60_000,
        max_limit_quantity=size * 1_000_000,
        min_notional=None,
        tiers=tiers,
    )


def _as_usdc(instrument: Instrument) -> Instrument:
    """List a contract as settled in USDC."""
    return replace(instrument, name=f"{instrument.base}-USDC", settle="USDC", quote="USDC")


def _as_bybit_inverse(instrument: Instrument) -> Instrument:
    """List a coin's contract as Bybit does: counted in dollars one by one."""
    one = Decimal(1)
    return replace(_as_inverse(instrument), contract_size=one, lot_step=one, min_quantity=one)


def _build_bybit(engine: Engine, modes: Modes) -> Wire:
    return BybitWire(engine, portfolio=[name for name, mode in modes.items() if mode == "portfolio"])


_CRYPTOCOM_NAMES = {instrument.name: f"{instrument.base}USD-PERP" for instrument in INSTRUMENTS}
_UNIT_MARGIN_RATES = {"BTC": Decimal("0.005"), "ETH": Decimal("0.0003"), "SOL": Decimal("0.00001")}


def _as_cryptocom_perpetual(instrument: Instrument) -> Instrument:
    """List a contract as Crypto.com does: in base coin, settled in USD, dearer per unit the more is held."""
    return replace(
        instrument,
        name=_CRYPTOCOM_NAMES[instrument.name],
        settle="USD",
        quote="USD",
        lot_step=Decimal("0.0001"),
        min_quantity=Decimal("0.0001"),
        min_notional=None,
        unit_margin_rate=_UNIT_MARGIN_RATES[instrument.base],
    )


def _as_okx_inverse(instrument: Instrument) -> Instrument:
    """List a coin's contract as OKX does: in contracts of some dollars, settled in the coin."""
    inverse = _as_inverse(instrument)
    return replace(inverse, name=inverse.name + _OKX_SUFFIX)


OKX_PAIRS = {instrument.name: instrument.name + PAIR_SUFFIX for instrument in INSTRUMENTS}
"""Pair -> the engine's name of what is traded in it on margin, beside the contract."""


def _as_okx_pair(instrument: Instrument) -> Instrument:
    """List a pair as OKX does for spot margin: in base coin, margined in the quote currency."""
    return replace(
        instrument,
        name=OKX_PAIRS[instrument.name],
        lot_step=Decimal("0.00001"),
        min_quantity=Decimal("0.00001"),
        max_leverage=Decimal(10),
        min_notional=None,
    )


def _build_okx(engine: Engine, modes: Modes) -> Wire:
    named = {mode: [name for name, own in modes.items() if own == mode] for mode in ("portfolio", "spot")}
    return OkxWire(engine, **named)


def _build_cross_margin(engine: Engine, modes: Modes) -> Wire:
    return CrossMarginWire(engine, pro=[name for name, mode in modes.items() if mode == "pro"])


_CDE_NAMES = {instrument.name: f"{instrument.base}-USD-CDE" for instrument in INSTRUMENTS}
_CDE_CONTRACTS = {
    "BTC": (Decimal("0.01"), Decimal(5)),
    "ETH": (Decimal("0.1"), Decimal("0.5")),
    "SOL": (Decimal(5), Decimal("0.01")),
}
"""Contract size and price step by coin."""


def _as_us_future(instrument: Instrument) -> Instrument:
    """List a contract as Coinbase's derivatives exchange does: whole contracts, settled in dollars."""
    size, step = _CDE_CONTRACTS[instrument.base]
    return replace(
        instrument,
        name=_CDE_NAMES[instrument.name],
        quote="USD",
        settle="USD",
        contract_size=size,
        lot_step=size,
        min_quantity=size,
        price_step=step,
        max_market_quantity=None,
        max_limit_quantity=None,
        min_notional=None,
    )


VENUES: Mapping[str, SandboxVenue] = MappingProxyType(
    {
        "bybit": SandboxVenue(
            build=_build_bybit,
            rules=BYBIT_RULES,
            pools={
                "cross": MarginPool.ACCOUNT,
                "isolated": MarginPool.ISOLATED_ONLY,
                "portfolio": MarginPool.ACCOUNT,
                "uta1": MarginPool.SPLIT,
            },
            instruments=(
                *INSTRUMENTS,
                *map(_as_usdc, INSTRUMENTS),
                *map(_as_bybit_inverse, INSTRUMENTS),
            ),
        ),
        "binance": SandboxVenue(
            build=lambda engine, _: BinanceWire(engine),
            rules=BINANCE_RULES,
            pools={"single_asset": MarginPool.CURRENCY, "multi_assets": MarginPool.ACCOUNT},
        ),
        "binancecoinm": SandboxVenue(
            build=lambda engine, _: BinanceCoinWire(engine),
            rules=BINANCE_RULES,
            pools={"coin_margined": MarginPool.CURRENCY},
            instruments=tuple(map(_as_inverse, INSTRUMENTS)),
            names={instrument.name: _as_inverse(instrument).name for instrument in INSTRUMENTS},
            broker="binance",
            product="coinm",
            currency="BTC",
        ),
        "binancepm": SandboxVenue(
            build=lambda engine, _: PortfolioWire(engine),
            rules=PORTFOLIO_RULES,
            pools={"portfolio_margin": MarginPool.ACCOUNT},
            instruments=(*INSTRUMENTS, *map(_as_inverse, INSTRUMENTS)),
            broker="binance",
            product="portfolio",
        ),
        "binancemargin": SandboxVenue(
            build=_build_cross_margin,
            rules=MARGIN_RULES,
            pools={"classic": MarginPool.ACCOUNT, "pro": MarginPool.ACCOUNT},
            instruments=PAIRS,
            assets=LENT_ASSETS,
            names=PAIR_NAMES,
            broker="binance",
            product="cross",
        ),
        "binanceisolated": SandboxVenue(
            build=lambda engine, _: IsolatedMarginWire(engine),
            rules=ISOLATED_RULES,
            pools={"isolated_pairs": MarginPool.ISOLATED_ONLY},
            instruments=PAIRS,
            assets=LENT_ASSETS,
            names=PAIR_NAMES,
            broker="binance",
            product="isolated",
        ),
        "okx": SandboxVenue(
            build=_build_okx,
            rules=OKX_RULES,
            pools={
                "futures": MarginPool.CURRENCY,
                "multi_currency": MarginPool.ACCOUNT,
                "portfolio": MarginPool.ACCOUNT,
                "spot": MarginPool.ACCOUNT,
            },
            instruments=tuple(
                listed(one) for listed in (_as_okx_swap, _as_okx_inverse, _as_okx_pair) for one in INSTRUMENTS
            ),
            names={name: name for name in OKX_PAIRS.values()},
            suffix=_OKX_SUFFIX,
        ),
        "coinbase": SandboxVenue(
            build=lambda engine, _: CoinbaseWire(engine),
            rules=COINBASE_RULES,
            pools={"futures": MarginPool.CURRENCY, "cash": MarginPool.CURRENCY},
            instruments=tuple(map(_as_us_future, INSTRUMENTS)),
            names=MappingProxyType(_CDE_NAMES),
            currency="USD",
        ),
        "kraken": SandboxVenue(
            build=lambda engine, _: KrakenWire(engine),
            rules=KRAKEN_RULES,
            pools={"spot_margin": MarginPool.ACCOUNT},
            instruments=KRAKEN_PAIRS,
            names=KRAKEN_NAMES,
            currency="USD",
        ),
        "krakenfutures": SandboxVenue(
            build=lambda engine, _: KrakenFuturesWire(engine),
            rules=KRAKEN_FUTURES_RULES,
            pools={"multi_collateral": MarginPool.ACCOUNT, "single_collateral": MarginPool.CURRENCY},
            instruments=KRAKEN_FUTURES_CONTRACTS,
            names=KRAKEN_FUTURES_NAMES,
            broker="kraken",
            product="futures",
            currency="USD",
        ),
        "cryptocom": SandboxVenue(
            build=lambda engine, _: CryptocomWire(engine),
            rules=CRYPTOCOM_RULES,
            pools={"smart_cross": MarginPool.ACCOUNT},
            instruments=tuple(map(_as_cryptocom_perpetual, INSTRUMENTS)),
            names=MappingProxyType(_CRYPTOCOM_NAMES),
            currency="USD",
        ),
    }
)
