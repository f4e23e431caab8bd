"""A perpetual contract of the sandbox: its units, steps, fees and margin arithmetic."""

from bisect import bisect_right
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from brokers.models import ContractKind, MarginTier
from brokers.numbers import ONE, ZERO

HOUR_MS = 3_600_000
FLAT_TIER = MarginTier(floor=ZERO, rate=Decimal("0.005"), deduction=ZERO)


def maintenance_tiers(*edges: tuple[str, str]) -> tuple[MarginTier, ...]:
    """Return tiers from (floor, rate) pairs, with deductions that make maintenance continuous.

    `deduction_n = deduction_(n-1) + floor_n x (rate_n - rate_(n-1))`: Binance's `cum` and Bybit's
    `mmDeduction`.
    """
    tiers: list[MarginTier] = []
    deduction = ZERO
    for floor, rate in edges:
        before = tiers[-1].rate if tiers else Decimal(rate)
        deduction += Decimal(floor) * (Decimal(rate) - before)
        tiers.append(MarginTier(floor=Decimal(floor), rate=Decimal(rate), deduction=deduction))
    return tuple(tiers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One perpetual contract, as one venue lists it.

    Every quantity of the engine is in *engine units*: base coin for linear contracts, quote currency for
    inverse ones; `to_contracts` and `from_contracts` translate to the venue's order unit where one contract
    is `contract_size` of them. Prices are in quote. `notional`, margins, fees and PnL are in `settle`.

    `lot_step`, `min_quantity` and the maxima are in engine units. `min_notional` is in quote. `tiers` are
    ordered by floor, the first at 0. Rates are fractions; `funding_rate` is per `funding_interval_ms`, paid
    by longs when positive. `price_band` is how far from mark a limit price may be, as a fraction; `None` is
    no band.
    """

    name: str
    base: str
    settle: str
    quote: str = ""
    kind: ContractKind = ContractKind.LINEAR
    contract_size: Decimal = ONE
    lot_step: Decimal = Decimal("0.001")
    min_quantity: Decimal = Decimal("0.001")
    price_step: Decimal = Decimal("0.1")
    max_market_quantity: Decimal | None = None
    max_limit_quantity: Decimal | None = None
    min_notional: Decimal | None = None
    max_leverage: Decimal = Decimal(100)
    tiers: tuple[MarginTier, ...] = (FLAT_TIER,)
    taker_fee: Decimal = Decimal("0.00055")
    maker_fee: Decimal = Decimal("0.0002")
    liquidation_fee: Decimal = Decimal("0.005")
    funding_rate: Decimal = Decimal("0.0001")
    funding_interval_ms: int = 8 * HOUR_MS
    price_band: Decimal | None = None

    def __post_init__(self) -> None:
        """Fill in the quote currency and refuse steps and tiers that make no sense."""
        if not self.quote:
            object.__setattr__(self, "quote", "USD" if self.kind is ContractKind.INVERSE else self.settle)
        if min(self.lot_step, self.price_step, self.contract_size, self.max_leverage) <= 0:
            raise ValueError(f"{self.name}: steps, contract size and leverage must be positive")
        floors = [tier.floor for tier in self.tiers]
        if not floors or floors[0] != 0 or floors != sorted(floors):
            raise ValueError(f"{self.name}: maintenance tiers must start at 0 and rise")

    def to_contracts(self, quantity: Decimal) -> Decimal:
        """Return a quantity of engine units in the venue's contracts."""
        return quantity / self.contract_size

    def from_contracts(self, contracts: Decimal) -> Decimal:
        """Return the venue's contracts in engine units."""
        return contracts * self.contract_size

    def notional(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Return the value of `quantity` (either sign) at `price`, in settle currency."""
        return quantity * price if self.kind is ContractKind.LINEAR else quantity / price

    def pnl(self, quantity: Decimal, entry: Decimal, exit_: Decimal) -> Decimal:
        """Return what a signed `quantity` (long > 0) gained from `entry` to `exit_`, in settle currency."""
        if self.kind is ContractKind.LINEAR:
            return quantity * (exit_ - entry)
        return quantity / entry - quantity / exit_

    def average_entry(self, held: Decimal, entry: Decimal, added: Decimal, price: Decimal) -> Decimal:
        """Return the entry price after adding to a position on its own side.

        The arithmetic mean by quantity for linear contracts, the harmonic mean for inverse ones, so that the
        unrealized PnL is that of the parts.
        """
        total = held + added
        if self.kind is ContractKind.LINEAR:
            return (held * entry + added * price) / total
        return total / (held / entry + added / price)

    def tier(self, notional: Decimal) -> MarginTier:
        """Return the maintenance tier of a position worth `notional` (>= 0)."""
        if len(self.tiers) == 1:
            return self.tiers[0]
        return self.tiers[max(0, bisect_right(self.tiers, notional, key=lambda tier: tier.floor) - 1)]

    def maintenance(self, notional: Decimal) -> Decimal:
        """Return `notional x rate - deduction` of the tier `notional` is in, >= 0."""
        tier = self.tier(notional)
        return max(ZERO, notional * tier.rate - tier.deduction)

    def max_leverage_at(self, notional: Decimal) -> Decimal:
        """Return the highest leverage setting at that size: `1 / (2 x rate)`, at most `max_leverage`.

        The relation holds in Binance's published BTCUSDT brackets (0.4 % -> 125, 0.5 % -> 100, 1 % -> 50).
        """
        rate = self.tier(notional).rate
        if rate <= 0:
            return self.max_leverage
        return min(self.max_leverage, max(ONE, (ONE / (2 * rate)).to_integral_value(ROUND_FLOOR)))

    def round_price(self, price: Decimal) -> Decimal:
        """Return `price` on the price grid, never below one step."""
        steps = (price / self.price_step).to_integral_value(ROUND_HALF_EVEN)
        return max(ONE, steps) * self.price_step

    def on_lot(self, quantity: Decimal) -> bool:
        """Whether `quantity` is a multiple of the lot step."""
        return quantity % self.lot_step == 0

    def on_tick(self, price: Decimal) -> bool:
        """Whether `price` is a multiple of the price step."""
        return price % self.price_step == 0
