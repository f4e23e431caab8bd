"""The engine's instruments as OKX lists them: `BTC-USDT-SWAP` in contracts, the pair `BTC-USDT` in coin."""

from dataclasses import dataclass
from decimal import Decimal

from brokers.models import ContractKind
from brokers.numbers import ONE
from brokers.sandbox.engine import Engine
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.orders import Refusal, Rejection

SUFFIX = "-SWAP"
PAIR_SUFFIX = "-MARGIN"
"""How the engine's names of spot margin pairs end; at OKX they are only `BTC-USDT`."""

TYPES = {SUFFIX: "SWAP", PAIR_SUFFIX: "MARGIN"}

LOTS_IN_A_CONTRACT = 10
"""How many lots make a contract of an instrument that has none of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """One listed perpetual or pair. `size` is what a contract is worth in engine units: OKX's `ctVal`."""

    symbol: str
    instrument: Instrument
    size: Decimal

    @property
    def in_pairs(self) -> bool:
        """Whether it is traded in coin, with what is borrowed."""
        return self.instrument.name.endswith(PAIR_SUFFIX)

    @property
    def type(self) -> str:
        """OKX's instrument type."""
        return TYPES[PAIR_SUFFIX if self.in_pairs else SUFFIX]

    @property
    def family(self) -> str:
        """OKX's instrument family, which is also its underlying."""
        return f"{self.instrument.base}-{self.instrument.quote}"

    def contracts(self, quantity: Decimal) -> Decimal:
        """Return a quantity of engine units in contracts."""
        return quantity / self.size

    def quantity(self, contracts: Decimal) -> Decimal:
        """Return contracts in engine units."""
        return contracts * self.size


class Listing:
    """Every contract, by OKX's name and by the engine's."""

    def __init__(self, engine: Engine) -> None:
        contracts = [_contract(instrument) for instrument in engine.instruments]
        self._by_symbol = {contract.symbol: contract for contract in contracts}
        self._by_name = {contract.instrument.name: contract for contract in contracts}

    @property
    def contracts(self) -> tuple[Contract, ...]:
        """Everything that is listed."""
        return tuple(self._by_symbol.values())

    def named(self, symbol: str) -> Contract:
        """Return a contract by OKX's name; `Rejection(UNKNOWN_SYMBOL)` if it is not listed."""
        found = self._by_symbol.get(symbol)
        if found is None:
            raise Rejection(Refusal.UNKNOWN_SYMBOL, symbol)
        return found

    def of(self, name: str) -> Contract:
        """Return the contract of an engine instrument."""
        return self._by_name[name]


def _contract(instrument: Instrument) -> Contract:
    """List an instrument under OKX's name.

    One that carries such a name already is listed by its own contract size; so is any with a size. A linear
    one of the venue-neutral catalogue, in base coin, gets a contract of ten lots.
    """
    size = instrument.contract_size
    pair = f"{instrument.base}-{instrument.quote}"
    if instrument.name.endswith(PAIR_SUFFIX):
        return Contract(symbol=pair, instrument=instrument, size=size)
    neutral = not instrument.name.endswith(SUFFIX)
    if neutral and size == ONE and instrument.kind is ContractKind.LINEAR:
        size = instrument.lot_step * LOTS_IN_A_CONTRACT
    return Contract(symbol=pair + SUFFIX, instrument=instrument, size=size)
