"""Which order books a plan may need, and which of those that came it may believe."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.models import AccountSnapshot, ContractKind, Position, Symbol
from brokers.numbers import ZERO
from brokers.order_book import OrderBook

MOST_AGE = timedelta(seconds=2)
"""An older book says little of what an order meets now."""

FURTHEST = Decimal("0.03")
"""As a fraction of the mark: a book whose middle is further away is a wrong picture of one of the two."""


def positions_to_cut(snapshot: AccountSnapshot, unit: str) -> tuple[Position, ...]:
    """Return the positions by which `unit` could be relieved, the largest first."""
    found = (position for position in snapshot.positions_under(unit) if position.reducible)
    return tuple(sorted(found, key=lambda position: _worth(position, snapshot), reverse=True))


def _worth(position: Position, snapshot: AccountSnapshot) -> Decimal:
    """Return roughly what a position is worth, in its quote currency, whatever it settles in."""
    rules, mark = snapshot.markets.get(position.symbol), position.mark_price
    if rules is None or mark is None:
        return ZERO
    amount = position.quantity * rules.contract_size
    return amount if position.kind is ContractKind.INVERSE else amount * mark


def believable(
    books: Mapping[Symbol, OrderBook], snapshot: AccountSnapshot, now: datetime
) -> dict[Symbol, OrderBook]:
    """Return the books that are fresh at `now` (the venue's clock), two-sided, and near the mark price."""
    marks = {position.symbol: position.mark_price for position in snapshot.positions}
    return {
        symbol: book
        for symbol, book in books.items()
        if now - min(book.as_of or book.fetched_at, book.fetched_at) <= MOST_AGE
        and _is_near(book, marks.get(symbol))
    }


def _is_near(book: OrderBook, mark: Decimal | None) -> bool:
    if mark is None or not (book.bids and book.asks):
        return False
    middle = (book.bids[0].price + book.asks[0].price) / 2
    return abs(middle - mark) <= FURTHEST * mark
