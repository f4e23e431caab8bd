"""The engine's contracts as Coinbase lists them: perpetual-style futures, traded in whole contracts."""

from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from brokers.sandbox.engine import Engine
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.orders import Refusal, Rejection

ROOTS = MappingProxyType({"BTC": "BIP", "ETH": "ETP", "SOL": "SLP"})
EXPIRY = "20DEC30"
EXPIRY_TIME = "2030-12-20T16:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """One listed future, by Coinbase's product id."""

    product_id: str
    instrument: Instrument

    def contracts(self, quantity: Decimal) -> Decimal:
        """Return a quantity of engine units in contracts."""
        return self.instrument.to_contracts(quantity)

    def quantity(self, contracts: Decimal) -> Decimal:
        """Return contracts in engine units."""
        return self.instrument.from_contracts(contracts)


class Listing:
    """Every contract, by Coinbase's id and by the engine's name."""

    def __init__(self, engine: Engine) -> None:
        contracts = [
            Contract(
                product_id=f"{ROOTS.get(instrument.base, instrument.base)}-{EXPIRY}-CDE",
                instrument=instrument,
            )
            for instrument in engine.instruments
        ]
        self._by_id = {contract.product_id: contract for contract in contracts}
        self._by_name = {contract.instrument.name: contract for contract in contracts}

    @property
    def contracts(self) -> tuple[Contract, ...]:
        """Everything that is listed."""
        return tuple(self._by_id.values())

    def named(self, product_id: str) -> Contract:
        """Return a contract by Coinbase's id; `Rejection(UNKNOWN_SYMBOL)` if it is not listed."""
        found = self._by_id.get(product_id)
        if found is None:
            raise Rejection(Refusal.UNKNOWN_SYMBOL, product_id)
        return found

    def of(self, name: str) -> Contract:
        """Return the contract of an engine instrument."""
        return self._by_name[name]
