"""Positions that grow while they are cut: somebody else trades the account."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from brokers.models import MarginMode, Side, Symbol
from brokers.numbers import ZERO

Key = tuple[Symbol, Side, MarginMode]
"""`Position.key`."""

FEE_SHARE = Decimal("0.01")
"""What a fill of ours may lack of itself: a venue can take its fee out of what was bought."""

GROWTH_SHARE = Decimal("0.005")
"""Below that share of the position growth is no trade: interest on what is borrowed, rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened:
    """A position is larger than our own orders have left it: `most` was due, `held` is there."""

    key: Key
    most: Decimal
    held: Decimal

    @property
    def sentence(self) -> str:
        """Who, what and how much, for people."""
        symbol, side, _ = self.key
        verb = "grew" if self.most > 0 else "came back"
        more = self.held - self.most
        return (
            f"{side} {symbol} {verb} from {self.most} to {self.held}, {more} more than our own orders left: "
            "somebody else with access to the account, or an order that was resting"
        )


def reopened(
    before: Mapping[Key, Decimal], filled: Mapping[Key, Decimal], held: Mapping[Key, Decimal]
) -> tuple[Reopened, ...]:
    """Return the positions that grew between two settled pictures, our own fills between them taken off.

    Quantities in the venue's order unit. A position that is not in `before` was not there.
    """
    found = []
    for key, quantity in held.items():
        was, taken = before.get(key, ZERO), filled.get(key, ZERO)
        most = max(was - taken, ZERO)
        slack = max(taken * FEE_SHARE, was * GROWTH_SHARE)
        if quantity > most + slack:
            found.append(Reopened(key=key, most=most, held=quantity))
    return tuple(found)
