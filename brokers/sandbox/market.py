"""The market: prices of assets and contracts at any moment of the scenario that is being played."""

from collections.abc import Mapping
from decimal import Decimal

from brokers.models import OrderSide
from brokers.numbers import ONE
from brokers.sandbox.book import Book, Level
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.orders import TriggerKind
from brokers.sandbox.scenarios import Scenario, Stress
from brokers.sandbox.spec import Asset, SandboxSpec

GRAIN = Decimal("1e-10")
"""Prices of assets keep ten decimals, so that they are the same on every machine."""


class Market:
    """Prices as a pure function of the clock, the scenario, the seed and what was moved by hand."""

    __slots__ = (
        "_assets",
        "_indexes",
        "_marks",
        "_origin_ms",
        "_origin_prices",
        "_seed",
        "_usd",
        "books",
        "instruments",
        "now_ms",
        "revision",
        "scenario",
    )

    def __init__(self, spec: SandboxSpec, seed: int) -> None:
        self.instruments: Mapping[str, Instrument] = {i.name: i for i in spec.instruments}
        self.books = {i.name: Book(i, spec.books.get(i.name, spec.book)) for i in spec.instruments}
        self.scenario = spec.scenario
        self.now_ms = spec.start_ms
        self.revision = 0
        self._seed = seed
        self._assets: Mapping[str, Asset] = {asset.name: asset for asset in spec.assets}
        self._origin_ms = spec.start_ms
        self._origin_prices = {asset.name: asset.usd_price for asset in spec.assets}
        self._usd: dict[str, Decimal] = {}
        self._indexes: dict[str, Decimal] = {}
        self._marks: dict[str, Decimal] = {}

    def set_clock(self, now_ms: int) -> None:
        """Put the clock at `now_ms`; prices follow."""
        self.now_ms = now_ms
        self._forget()

    def play(self, scenario: Scenario) -> None:
        """Start `scenario` at the present prices."""
        self._origin_prices = {name: self.usd(name) for name in self._assets}
        self._origin_ms = self.now_ms
        self.scenario = scenario
        self._forget()

    def move(self, asset: str, factor: Decimal) -> None:
        """Multiply the price of `asset` from now on."""
        self._origin_prices[asset] *= factor
        self._forget()

    def asset(self, name: str) -> Asset:
        """Return the description of a currency."""
        return self._assets[name]

    def has_asset(self, name: str) -> bool:
        """Whether the venue knows the currency."""
        return name in self._assets

    def usd(self, name: str) -> Decimal:
        """Return the index price of a currency in USD."""
        price = self._usd.get(name)
        if price is None:
            price = max(GRAIN, (self._origin_prices[name] * self._factor(name)).quantize(GRAIN))
            self._usd[name] = price
        return price

    def index(self, symbol: str) -> Decimal:
        """Return the price of the underlying in the contract's quote currency."""
        price = self._indexes.get(symbol)
        if price is None:
            instrument = self.instruments[symbol]
            quote = self.usd(instrument.quote) if instrument.quote in self._assets else ONE
            price = instrument.round_price(self.usd(instrument.base) / quote)
            self._indexes[symbol] = price
        return price

    def mark(self, symbol: str) -> Decimal:
        """Return the mark price: the index, with the discount under which contracts trade in stress."""
        price = self._marks.get(symbol)
        if price is None:
            price = self.index(symbol)
            if self.stress.perp_discount:
                share = self.stress.perp_discount * self.intensity
                price = self.instruments[symbol].round_price(price * (1 + share))
            self._marks[symbol] = price
        return price

    def watched(self, symbol: str, kind: TriggerKind) -> Decimal:
        """Return the price that a trigger of that kind watches; contracts last traded at mark here."""
        return self.index(symbol) if kind is TriggerKind.INDEX else self.mark(symbol)

    def levels(self, symbol: str, taker: OrderSide, depth_factor: Decimal) -> list[Level]:
        """Return what a taker would meet in the book now; `depth_factor` comes on top of the stress."""
        factor = depth_factor * (ONE + (self.stress.depth_factor - ONE) * self.intensity)
        return self.books[symbol].levels(taker, self.mark(symbol), self.now_ms, factor)

    @property
    def stress(self) -> Stress:
        """The stress of the scenario."""
        return self.scenario.stress

    @property
    def intensity(self) -> Decimal:
        """How much of the stress is there now, 0 to 1."""
        return self.scenario.intensity(self.now_ms - self._origin_ms)

    @property
    def worst_ms(self) -> int:
        """The moment at which the scenario is at its worst."""
        return self._origin_ms + round(self.scenario.duration_ms * self.scenario.worst_at)

    @property
    def is_out(self) -> bool:
        """Whether the venue answers nobody now: from the worst moment for as long as the stress says."""
        return 0 <= self.now_ms - self.worst_ms < self.stress.outage_ms

    @property
    def latency_factor(self) -> Decimal:
        """How many times slower than on a calm day the venue answers now."""
        return ONE + (self.stress.latency_multiplier - ONE) * self.intensity

    def _factor(self, name: str) -> Decimal:
        if self._assets[name].stable:
            floor = self.stress.depegs.get(name, ONE)
            return ONE + (floor - ONE) * self.intensity
        path = self.scenario.paths.get(name, self.scenario.others)
        elapsed = self.now_ms - self._origin_ms
        return Decimal(path.factor(elapsed, self.scenario.duration_ms, f"{self._seed}:{name}"))

    def _forget(self) -> None:
        self.revision += 1
        self._usd.clear()
        self._indexes.clear()
        self._marks.clear()
