"""The engine's contracts under Binance's names, and numbers as Binance writes them."""

from decimal import Decimal

from brokers.models import ContractKind, Side
from brokers.numbers import plain
from brokers.sandbox.engine import Engine
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.wire.binance.refusals import refuse

EIGHT_PLACES = Decimal("0.00000001")


class Listing:
    """Which contracts a wire lists: those of one kind, as base and quote written together.

    Inverse ones are counted in contracts, and their symbols say that they are perpetual.
    """

    def __init__(self, engine: Engine, kind: ContractKind = ContractKind.LINEAR) -> None:
        suffix = "_PERP" if kind is ContractKind.INVERSE else ""
        listed = [one for one in engine.instruments if one.kind is kind]
        self._by_symbol = {one.base + one.quote + suffix: one for one in listed}
        self._symbols = {one.name: symbol for symbol, one in self._by_symbol.items()}

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every listed symbol."""
        return tuple(self._by_symbol)

    def instrument(self, symbol: str) -> Instrument:
        """Return the contract of a symbol; `WireRefusal` -1121 if it is not listed."""
        found = self._by_symbol.get(symbol)
        if found is None:
            raise refuse(-1121)
        return found

    def symbol(self, name: str) -> str | None:
        """Return Binance's symbol of an engine contract; `None` if the wire does not list it."""
        return self._symbols.get(name)


def money(amount: Decimal) -> str:
    """Write an amount of money or a mark price: eight places."""
    return format(amount.quantize(EIGHT_PLACES), "f")


def on_grid(value: Decimal, step: Decimal) -> str:
    """Write a price or a quantity with the places of its step."""
    return format(value.quantize(step.normalize()), "f")


def size(quantity: Decimal, one: Instrument) -> str:
    """Write a quantity of engine units in the venue's: base coin, or contracts."""
    return on_grid(one.to_contracts(quantity), one.to_contracts(one.lot_step))


def quantity_of(stated: Decimal | None, one: Instrument) -> Decimal | None:
    """Return a quantity of the venue's in engine units."""
    return None if stated is None else one.from_contracts(stated)


def bare(value: Decimal) -> str:
    """Write a number without trailing zeros; zero is "0"."""
    return plain(value)


def position_side(leg: Side | None) -> str:
    """Write a leg; without one the account is in one-way mode."""
    return "BOTH" if leg is None else leg.upper()
