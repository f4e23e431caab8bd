"""Whether a picture holds our own fills yet.

Venues answer an order before every one of their reads knows of it. A picture that still shows what we have
just sold must not be cut a second time: until it has caught up, or a while has passed, the account holds.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.models import AccountSnapshot, MarginMode, Side, Symbol
from daemon.risk.reduction import PositionKey
from database.records import Intent

PATIENCE_S = 5.0
"""Longer than any read lags behind; what still differs then is somebody else's trade."""


class CatchUp:
    """What the positions of one account can at most be, after what we have filled lately."""

    def __init__(self) -> None:
        self._at_most: dict[PositionKey, tuple[Decimal, float]] = {}

    def note(self, intents: Iterable[Intent], uptime: float) -> None:
        """Remember what the fills of orders must have left, whether told at once or found out later."""
        for intent in intents:
            if intent.filled and intent.quantity_before is not None:
                key = (Symbol(intent.symbol), Side(intent.side), MarginMode(intent.margin_mode))
                self._at_most[key] = (intent.quantity_before - intent.filled, uptime + PATIENCE_S)

    def recall(self, intents: Iterable[Intent], *, now: datetime, uptime: float) -> None:
        """Remember, after a restart, what was filled so lately that a picture may not hold it yet."""
        lately = now - timedelta(seconds=PATIENCE_S)
        self.note((one for one in intents if one.settled_at is not None and one.settled_at > lately), uptime)

    def is_behind(self, snapshot: AccountSnapshot, uptime: float) -> bool:
        """Return whether `snapshot` still shows more than our fills can have left."""
        quantities = {position.key: position.quantity for position in snapshot.positions}
        for key, (most, until) in list(self._at_most.items()):
            if uptime > until or quantities.get(key, Decimal(0)) <= most:
                del self._at_most[key]
        return bool(self._at_most)
