"""Whether get-positions lists all that the balance counts: the two are asked for at once, and may differ.

The balance states what all positions are worth and what they need; the list, what each of them is worth. What
one unit of listed worth stands for in the balance hardly changes: orders and the account's leverage move the
requirement alone, and what `total_position_cost` counts is not said in so many words. When both rise together
by a fifth against the last pictures, a position is missing from the list, or the balance is of before the
last trades.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from brokers.models import Finding, FindingCode, Position
from brokers.numbers import ZERO
from brokers.venues.cryptocom.positions import ACCOUNT_UNIT

MEMORY = 5
"""So many pictures are compared with: one in which the list was late must not be the measure of the next."""

JUMP = Decimal("1.2")


@dataclass(frozen=True, slots=True)
class Share:
    """What one unit of listed worth stands for: worth by the balance, and initial margin."""

    worth: Decimal
    margin: Decimal


class Listing:
    """Remember how the last pictures of one account added up, and hold the present one against them."""

    def __init__(self) -> None:
        self._shares: deque[Share] = deque(maxlen=MEMORY)

    def check(
        self, worth: Decimal | None, margin: Decimal | None, positions: Iterable[Position]
    ) -> tuple[Finding, ...]:
        """Return a finding when the balance counts more than is listed, else remember the picture."""
        own = [position.notional for position in positions if position.unit == ACCOUNT_UNIT]
        listed = sum((notional or ZERO for notional in own), ZERO)
        if not worth or not margin or listed <= 0 or None in own:
            return ()
        share = Share(worth / listed, margin / listed)
        if self._shares and self._jumps(share):
            detail = f"the totals speak of positions worth {worth}, and {listed:.8f} is listed"
            return (Finding(code=FindingCode.INCOMPLETE, detail=detail, unit=ACCOUNT_UNIT),)
        self._shares.append(share)
        return ()

    def _jumps(self, share: Share) -> bool:
        most_worth = max(seen.worth for seen in self._shares)
        most_margin = max(seen.margin for seen in self._shares)
        return share.worth > most_worth * JUMP and share.margin > most_margin * JUMP
