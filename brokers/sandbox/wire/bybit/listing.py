"""The engine's contracts under Bybit's names, and numbers as Bybit writes them."""

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal

from brokers.models import ContractKind, PositionMode, Side
from brokers.numbers import plain
from brokers.sandbox.engine import Engine
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.wire.bybit.refusals import BybitRefusal

EIGHT_PLACES = Decimal("0.00000001")
FOUR_PLACES = Decimal("0.0001")

CATEGORIES = frozenset({"linear", "inverse", "option", "spot"})
LEGS: Mapping[int, Side] = {1: Side.LONG, 2: Side.SHORT}


def symbol_of(instrument: Instrument) -> str:
    """Return Bybit's name of a perpetual: `BTCUSDT`, `BTCPERP` for USDC, `BTCUSD` for an inverse one."""
    if instrument.kind is ContractKind.INVERSE:
        return f"{instrument.base}USD"
    return f"{instrument.base}PERP" if instrument.settle == "USDC" else instrument.base + instrument.settle


def category_of(instrument: Instrument) -> str:
    """Return the category under which a perpetual is listed."""
    return "inverse" if instrument.kind is ContractKind.INVERSE else "linear"


class Listing:
    """Which contracts the wire lists, by category; options and spot pairs are listed empty."""

    def __init__(self, engine: Engine) -> None:
        self._by_symbol = {symbol_of(one): one for one in engine.instruments}
        self._symbols = {one.name: symbol for symbol, one in self._by_symbol.items()}

    def of_category(self, category: str) -> dict[str, Instrument]:
        """Return a category's contracts by symbol."""
        return {
            symbol: one for symbol, one in sorted(self._by_symbol.items()) if category_of(one) == category
        }

    def instrument(self, category: str, symbol: str) -> Instrument:
        """Return one contract; refused when the category does not list it."""
        found = self.of_category(category).get(symbol)
        if found is None:
            raise BybitRefusal(10001, "params error: symbol invalid")
        return found

    def symbol(self, name: str) -> str:
        """Return Bybit's symbol of an engine contract."""
        return self._symbols[name]


def amount(value: Decimal) -> str:
    """Write an amount of money: up to eight places, cut, without trailing zeros."""
    return plain(value.quantize(EIGHT_PLACES, ROUND_DOWN)) if value else "0"


def rate(part: Decimal, whole: Decimal) -> str:
    """Write an account rate: four places, `""` where there is no whole to take a part of."""
    return plain((part / whole).quantize(FOUR_PLACES)) if whole > 0 else ""


def on_grid(value: Decimal, step: Decimal) -> str:
    """Write a price or a quantity with the places of its step."""
    return format(value.quantize(step.normalize()), "f")


def index_of(leg: Side | None) -> int:
    """Write a leg as `positionIdx`."""
    return 0 if leg is None else 1 if leg is Side.LONG else 2


def leg_of(index: int, mode: PositionMode) -> Side | None:
    """Read `positionIdx`; refused when it does not belong to the account's position mode."""
    leg = LEGS.get(index)
    if (leg is None) is (mode is PositionMode.HEDGE) or index not in {0, 1, 2}:
        raise BybitRefusal(10001, "position idx not match position mode")
    return leg
