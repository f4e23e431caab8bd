"""How much an account may hold, in the operator's words: caps of leverage, limits of size."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from brokers.models import Symbol
from brokers.numbers import ZERO
from daemon.risk.reason import Reason


class Bound(StrEnum):
    """What is bounded."""

    LEVERAGE = "leverage"  # gross notional / margin equity of a unit
    SYMBOL_LEVERAGE = "symbol_leverage"  # notional of one symbol / margin equity of its unit


OVER_BOUND: Mapping[Bound, Reason] = MappingProxyType(
    {
        Bound.LEVERAGE: Reason.LEVERAGE_OVER_CAP,
        Bound.SYMBOL_LEVERAGE: Reason.LEVERAGE_OVER_CAP,
    }
)
"""Why a bound that is broken is acted upon."""

WITHIN_BOUND: Mapping[Bound, Reason] = MappingProxyType(
    {
        Bound.LEVERAGE: Reason.LEVERAGE_WITHIN_CAP,
        Bound.SYMBOL_LEVERAGE: Reason.LEVERAGE_WITHIN_CAP,
    }
)
"""Why it no longer is."""


class Remedy(StrEnum):
    """What is done about a breach, mildest first; it is alarmed in any case."""

    ALARM = "alarm"
    TRIM = "trim"  # positions are cut to just below the bound


NO_CAPS: Mapping[Symbol, Decimal] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureLimits:
    """The bounds of one account beside its leverage cap.

    `over_cap` is the remedy for every leverage cap, `symbol_leverage` caps single symbols, against the margin
    equity of the whole unit.
    """

    over_cap: Remedy = Remedy.TRIM
    symbol_leverage: Mapping[Symbol, Decimal] = field(default_factory=lambda: NO_CAPS)

    def __post_init__(self) -> None:
        """Refuse a cap that only an empty account could keep."""
        for symbol, cap in self.symbol_leverage.items():
            if cap <= ZERO:
                raise ValueError(f"{symbol}: max leverage must be positive, not {cap}")


NO_LIMITS = ExposureLimits()
"""No bound but the leverage cap, which is kept."""
