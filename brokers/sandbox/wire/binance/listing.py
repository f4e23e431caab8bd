"""The engine's linear contracts under Binance's names, and numbers as Binance writes them."""

from decimal import Decimal

from brokers.models import ContractKind, Side
from brokers.numbers import plain
from brokers.sandbox.engine import Engine
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.wire.binance.refusals import refuse

EIGHT_PLACES = Decimal("0.00000001")


class Listing:
    """Which contracts the USD-M wire lists: the linear ones, as base and quote written together."""

    def __init__(self, engine: Engine) -> None:
        linear = [one for one in engine.instruments if one.kind is ContractKind.LINEAR]
        self._by_symbol = {one.base + one.quote: one for one in linear}
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


def bare(value: Decimal) -> str:
    """Write a number without trailing zeros; zero is "0"."""
    return plain(value)


def position_side(leg: Side | None) -> str:
    """Write a leg; without one the account is in one-way mode."""
    return "BOTH" if leg is None else leg.upper()
