"""Whether a picture holds our own fills yet.

Venues answer an order before every one of their reads knows of it. A picture that still shows what we have
just sold must not be cut a second time: until it has caught up, or a while has passed, the account holds.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.models import AccountSnapshot, MarginMode, Side, Symbol
from brokers.numbers import ZERO
from daemon.risk.reduction import PositionKey
from database.journal import Journal
from database.records import Intent

PATIENCE_S = 5.0
"""Longer than reads lag behind; what still differs then is somebody else's trade."""

UNMOVED_PATIENCE_S = 15.0
"""The same for a position that shows exactly what it did before our fill: nobody trades just that back."""


FEE_SHARE = Decimal("0.01")
"""What a fill may lack of itself: a venue can take its fee out of what was bought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fill:
    """What a position was before a fill of ours and can at most be after it; `at`: when we learned of it."""

    before: Decimal
    after: Decimal
    at: float

    def is_missing(self, quantity: Decimal, age_s: float) -> bool:
        """Whether a picture with `quantity`, so long after it, does not hold the fill yet."""
        patience = UNMOVED_PATIENCE_S if quantity == self.before else PATIENCE_S
        slack = (self.before - self.after) * FEE_SHARE
        return quantity > self.after + slack and age_s <= patience


class CatchUp:
    """What the positions of one account can at most be, after what we have filled lately."""

    def __init__(self) -> None:
        self._fills: dict[PositionKey, _Fill] = {}

    def note(self, intents: Iterable[Intent], uptime: float) -> None:
        """Remember what the fills of orders must have left, whether told at once or found out later."""
        for intent in intents:
            if intent.filled and intent.quantity_before is not None:
                key = (Symbol(intent.symbol), Side(intent.side), MarginMode(intent.margin_mode))
                self._fills[key] = _Fill(
                    before=intent.quantity_before, after=intent.quantity_before - intent.filled, at=uptime
                )

    def recall(self, journal: Journal, account: str, *, now: datetime, uptime: float) -> None:
        """Remember, after a restart, what was filled so lately that a picture may not hold it yet."""
        lately = now - timedelta(seconds=UNMOVED_PATIENCE_S)
        self.note(journal.intents.settled_since(account, lately), uptime)

    def is_behind(self, snapshot: AccountSnapshot, uptime: float) -> bool:
        """Return whether `snapshot` still shows more than our fills can have left."""
        quantities = {position.key: position.quantity for position in snapshot.positions}
        for key, fill in list(self._fills.items()):
            if not fill.is_missing(quantities.get(key, ZERO), uptime - fill.at):
                del self._fills[key]
        return bool(self._fills)
