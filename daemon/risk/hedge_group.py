"""A hedge group: legs at several accounts that stand against each other, and what is allowed to them."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from brokers.models import AccountId


class PartnerRule(StrEnum):
    """What becomes of a leg in danger whose partners cannot follow."""

    HOLD = "hold"  # it is not cut
    URGENT_ONLY = "urgent_only"  # it is cut once its account is past the urgent line
    REDUCE_ANYWAY = "reduce_anyway"  # it is cut


@dataclass(frozen=True, slots=True, kw_only=True)
class LegName:
    """Where a leg is: a symbol's net position of an account, or with `is_balance` what it holds of a coin."""

    account: AccountId
    symbol: str
    is_balance: bool = False

    def __str__(self) -> str:
        """As people write it."""
        return f"{self.account}/{self.symbol}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeGroup:
    """Legs of one coin. `tolerance` is the net delta that is nothing, in coins.

    `repair_budget` is how much may be trimmed in 24 hours, in coins, because a leg was lost otherwise than by
    us; `None`: such a loss is told and never repaired.
    """

    name: str
    legs: tuple[LegName, ...]
    tolerance: Decimal
    partner_out: PartnerRule
    repair_budget: Decimal | None

    def leg(self, account: AccountId, symbol: str) -> LegName | None:
        """Return the leg that a symbol's position of an account is; `None`: none."""
        wanted = LegName(account=account, symbol=symbol)
        return next((leg for leg in self.legs if leg == wanted), None)

    def legs_of(self, account: AccountId) -> tuple[LegName, ...]:
        """Return the legs at one account."""
        return tuple(leg for leg in self.legs if leg.account == account)
