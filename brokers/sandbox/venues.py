"""The venues a sandbox can play: each with its wire, its rules, its listing and its account modes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType

from brokers.numbers import ONE
from brokers.sandbox.catalogue import INSTRUMENTS
from brokers.sandbox.engine import Engine
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.spec import MarginPool, VenueRules
from brokers.sandbox.wire.base import Wire
from brokers.sandbox.wire.binance.rules import RULES as BINANCE_RULES
from brokers.sandbox.wire.binance.wire import BinanceWire
from brokers.sandbox.wire.bybit.rules import RULES as BYBIT_RULES
from brokers.sandbox.wire.bybit.wire import BybitWire
from brokers.sandbox.wire.kraken.pairs import NAMES as KRAKEN_NAMES
from brokers.sandbox.wire.kraken.pairs import PAIRS as KRAKEN_PAIRS
from brokers.sandbox.wire.kraken.rules import RULES as KRAKEN_RULES
from brokers.sandbox.wire.kraken.wire import KrakenWire
from brokers.sandbox.wire.krakenfutures.contracts import CONTRACTS as KRAKEN_FUTURES_CONTRACTS
from brokers.sandbox.wire.krakenfutures.contracts import NAMES as KRAKEN_FUTURES_NAMES
from brokers.sandbox.wire.krakenfutures.rules import RULES as KRAKEN_FUTURES_RULES
from brokers.sandbox.wire.krakenfutures.wire import KrakenFuturesWire
from brokers.sandbox.wire.okx.rules import RULES as OKX_RULES
from brokers.sandbox.wire.okx.wire import OkxWire

Modes = Mapping[str, str]
"""Account name -> the venue's account mode, as the sandbox file names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxVenue:
    """One venue: `build` lays its wire over an engine, given the mode of each account.

    `pools` are its account modes. A pair of the catalogue (`BTC-USDT`) is listed there as `names` say, else
    as the pair plus `suffix`. `broker` and `product` are the daemon's words for it, where they are not the
    venue's name and its broker's first product; `currency` is what its dollar contracts settle in.
    """

    build: Callable[[Engine, Modes], Wire]
    rules: VenueRules
    pools: Mapping[str, MarginPool]
    instruments: tuple[Instrument, ...] = INSTRUMENTS
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


def _build_okx(engine: Engine, modes: Modes) -> Wire:
    return OkxWire(engine, portfolio=[name for name, mode in modes.items() if mode == "portfolio"])


VENUES: Mapping[str, SandboxVenue] = MappingProxyType(
    {
        "bybit": SandboxVenue(
            build=lambda engine, _: BybitWire(engine),
            rules=BYBIT_RULES,
            pools={"cross": MarginPool.ACCOUNT, "isolated": MarginPool.ISOLATED_ONLY},
        ),
        "binance": SandboxVenue(
            build=lambda engine, _: BinanceWire(engine),
            rules=BINANCE_RULES,
            pools={"single_asset": MarginPool.CURRENCY, "multi_assets": MarginPool.ACCOUNT},
        ),
        "okx": SandboxVenue(
            build=_build_okx,
            rules=OKX_RULES,
            pools={
                "futures": MarginPool.CURRENCY,
                "multi_currency": MarginPool.ACCOUNT,
                "portfolio": MarginPool.ACCOUNT,
            },
            instruments=tuple(map(_as_okx_swap, INSTRUMENTS)),
            suffix=_OKX_SUFFIX,
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
    }
)
