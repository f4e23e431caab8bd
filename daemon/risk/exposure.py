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
    POSITION_NOTIONAL = "position_notional"  # of one symbol, long and short, in its unit's currency
    UNDERLYING_SHARE = "underlying_share"  # gross notional of one coin / margin equity of its unit
    POSITIONS = "positions"  # how many the account has


OVER_BOUND: Mapping[Bound, Reason] = MappingProxyType(
    {
        Bound.LEVERAGE: Reason.LEVERAGE_OVER_CAP,
        Bound.SYMBOL_LEVERAGE: Reason.LEVERAGE_OVER_CAP,
        Bound.POSITION_NOTIONAL: Reason.POSITION_OVER_LIMIT,
        Bound.UNDERLYING_SHARE: Reason.UNDERLYING_OVER_LIMIT,
        Bound.POSITIONS: Reason.POSITIONS_OVER_LIMIT,
    }
)
"""Why a bound that is broken is acted upon."""

CAPS = frozenset({Bound.LEVERAGE, Bound.SYMBOL_LEVERAGE})
"""The bounds of leverage; the others are limits of size."""


class Remedy(StrEnum):
    """What is done about a breach, mildest first; it is alarmed in any case."""

    ALARM = "alarm"
    CANCEL = "cancel"  # orders that would add to it are cancelled for as long as it lasts
    TRIM = "trim"  # positions are cut to just below the bound; of a limit after cancelling
    FLATTEN = "flatten"  # what is bounded is closed, latched until the venue shows it gone


NO_AMOUNTS: Mapping[Symbol, Decimal] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit: the `most` that is allowed (`None`: any), for some symbols another, and the remedy."""

    most: Decimal | None = None
    remedy: Remedy = Remedy.ALARM
    by_symbol: Mapping[Symbol, Decimal] = field(default_factory=lambda: NO_AMOUNTS)

    def __post_init__(self) -> None:
        """Refuse a limit that only an empty account could keep."""
        amounts = [*self.by_symbol.values(), *([] if self.most is None else [self.most])]
        if any(amount <= ZERO for amount in amounts):
            raise ValueError(f"a limit must be positive: {amounts}")

    def of(self, symbol: Symbol) -> Decimal | None:
        """Return the most that is allowed of `symbol`; `None`: any."""
        return self.by_symbol.get(symbol, self.most)


NO_LIMIT = Limit()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureLimits:
    """The bounds of one account beside its leverage cap.

    `over_cap` is the remedy for every leverage cap, `symbol_leverage` caps single symbols, against the margin
    equity of the whole unit. The others are limits of size; see `Bound`.
    """

    over_cap: Remedy = Remedy.ALARM
    symbol_leverage: Mapping[Symbol, Decimal] = field(default_factory=lambda: NO_AMOUNTS)
    position_notional: Limit = NO_LIMIT
    underlying_share: Limit = NO_LIMIT
    positions: Limit = NO_LIMIT

    def __post_init__(self) -> None:
        """Refuse a cap that only an empty account could keep."""
        for symbol, cap in self.symbol_leverage.items():
            if cap <= ZERO:
                raise ValueError(f"{symbol}: max leverage must be positive, not {cap}")


NO_LIMITS = ExposureLimits()
"""No bound but the leverage cap, which is kept."""
