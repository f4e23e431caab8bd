"""What was sent to close positions, and which of the venue's orders it became.

close-position takes no id of ours. What was sent is therefore remembered here, with the venue's id once it is
known, and an order without a verdict is recognised by what it must be: of that instrument, side, type, price
and isolated position, no larger than asked for, and created in the moments in which the venue could take it.
While one is unresolved nothing more is sent for its instrument, so that no two can be mistaken.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from brokers.errors import MalformedAnswer
from brokers.models import MarginMode, Symbol
from brokers.numbers import decimal_from, decimal_or_none, time_from_ms
from brokers.orders import ClientOrderId, ReduceOrder, SentOrder
from brokers.venues.cryptocom.orders import SIDES
from brokers.venues.cryptocom.positions import isolation_id_of, isolation_of

CLOCKS_DIFFER = timedelta(seconds=2)
"""How far the venue's time of an order's creation may lie outside the moments in which we had it sent."""

QUARANTINE = timedelta(seconds=1)
"""How long past its deadline, after which the venue takes it no more, an order holds up the next one."""

FORGOTTEN = timedelta(seconds=15)
"""How long past its deadline an acknowledged order that the venue does not show is still waited for."""

MOST = 1_000


@dataclass(slots=True, kw_only=True)
class Dispatch:
    """One order as it was sent.

    `isolation` is the id of the isolated position it is for, "" for a cross one, `None` where that is not
    known any more. `order_id` is the venue's, once known; `open` until its fate is.
    """

    sent: SentOrder
    isolation: str | None
    order_id: str | None = None
    open: bool = True

    def holds_up(self, now: datetime) -> bool:
        """Whether nothing else may be sent for its instrument yet."""
        return self.open and now < self.sent.deadline + QUARANTINE

    def is_forgotten(self, now: datetime) -> bool:
        """Whether the venue should long have shown it."""
        return now > self.sent.deadline + FORGOTTEN

    def could_be(self, row: Mapping[str, Any]) -> bool:
        """Whether an order row can be what was sent; a row that does not say when it was created can.

        Raises:
            NumberError: a figure of the row is missing or damaged.
        """
        sent, limit = self.sent, self.sent.limit_price is not None
        same = (
            row.get("instrument_name") == sent.symbol
            and SIDES.get(str(row.get("side"))) is sent.side
            and row.get("order_type") == ("LIMIT" if limit else "MARKET")
            and (not limit or decimal_or_none(row.get("limit_price")) == sent.limit_price)
            and self._is_for(isolation_of(row))
            and decimal_from(row.get("quantity")) <= sent.quantity
        )
        if not same or row.get("create_time") in (None, ""):
            return same
        created = time_from_ms(row["create_time"])
        return sent.sent_at - CLOCKS_DIFFER <= created <= sent.deadline + CLOCKS_DIFFER

    def _is_for(self, isolation: str) -> bool:
        if self.isolation is not None:
            return isolation == self.isolation
        return (isolation != "") is (self.sent.margin_mode is MarginMode.ISOLATED)


class Dispatches:
    """The orders that were sent to one account, the oldest forgotten first."""

    def __init__(self) -> None:
        self._sent: dict[ClientOrderId, Dispatch] = {}

    def of(self, client_order_id: ClientOrderId) -> Dispatch | None:
        """Return what was sent under an id; `None`: nothing that was noted or recalled."""
        return self._sent.get(client_order_id)

    def knows(self, order_id: str) -> bool:
        """Whether an order of the venue is known to be one of these."""
        return any(dispatch.order_id == order_id for dispatch in self._sent.values())

    def note(self, order: ReduceOrder, now: datetime) -> Dispatch:
        """Remember an order that is about to be sent."""
        sent = SentOrder(
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            limit_price=order.limit_price,
            margin_mode=order.position.margin_mode,
            sent_at=now,
            deadline=order.deadline,
        )
        return self._keep(Dispatch(sent=sent, isolation=isolation_id_of(order.position) or ""))

    def recall(self, sent: SentOrder) -> None:
        """Remember an order that an earlier process may have sent, unless it is known."""
        if sent.client_order_id not in self._sent:
            self._keep(
                Dispatch(sent=sent, isolation=None, order_id=sent.order_id, open=sent.order_id is None)
            )

    def _keep(self, dispatch: Dispatch) -> Dispatch:
        while len(self._sent) >= MOST:
            del self._sent[next(iter(self._sent))]
        self._sent[dispatch.sent.client_order_id] = dispatch
        return dispatch

    def unresolved(self, symbol: Symbol, now: datetime) -> Dispatch | None:
        """Return what still holds up the next order in an instrument."""
        waiting = (d for d in self._sent.values() if d.sent.symbol == symbol and d.holds_up(now))
        return next(waiting, None)

    def recognise(self, dispatch: Dispatch, rows: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """Return the row that `dispatch` became; `None`: none of them is it.

        Raises:
            MalformedAnswer: more than one could be.
            NumberError: a figure is damaged.
        """
        spoken_for = {d.order_id for d in self._sent.values() if d.order_id is not None}
        found = {
            str(row.get("order_id")): row
            for row in rows
            if str(row.get("order_id")) not in spoken_for and dispatch.could_be(row)
        }
        exact = {
            key: row
            for key, row in found.items()
            if decimal_from(row.get("quantity")) == dispatch.sent.quantity
        }
        left = list((exact or found).values())
        if len(left) > 1:
            raise MalformedAnswer(f"{len(left)} orders could be the one that was sent")
        return left[0] if left else None
