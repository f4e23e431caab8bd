"""How much an account may lose in a day (UTC), and what follows when it has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from brokers.numbers import ONE, ZERO

DOLLAR_UNITS = ("USD", "USDT", "USDC")
"""Amounts in one of these hold for a unit in another, where its own is not listed."""


class Breach(StrEnum):
    """What follows a loss beyond the limit, until the next UTC day or an operator's reset."""

    ALARM = "alarm"
    CANCEL = "cancel"  # orders that would increase risk, as often as any are found
    FLATTEN = "flatten"  # ... and every position of the unit


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyLoss:
    """The limit: a `share` of what the day began with, `amounts` by currency, or both: the tighter counts."""

    share: Decimal | None = None
    amounts: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    breach: Breach = Breach.ALARM

    def __post_init__(self) -> None:
        """Refuse a limit that limits nothing, or everything."""
        if self.share is None and not self.amounts:
            raise ValueError("a daily loss limit needs a share or an amount")
        if self.share is not None and not ZERO < self.share < ONE:
            raise ValueError(f"the share of a day's equity must lie between 0 and 1, not {self.share}")
        if any(amount <= 0 for amount in self.amounts.values()):
            raise ValueError("an amount that may be lost must be positive")

    def allows(self, began_with: Decimal, currency: str) -> Decimal | None:
        """Return what a unit in `currency` may lose; `None`: nothing limits it."""
        limits = [] if self.share is None or began_with <= 0 else [self.share * began_with]
        alike = DOLLAR_UNITS if currency in DOLLAR_UNITS else ()
        named = next((name for name in (currency, *alike) if name in self.amounts), None)
        if named is not None:
            limits.append(self.amounts[named])
        return min(limits, default=None)
