"""How much of an order a book can take, and at what price."""

from decimal import Decimal

from brokers.models import OrderSide
from brokers.numbers import ZERO
from brokers.order_book import OrderBook

LEAST_SHARE = Decimal("0.25")
"""Of what is wanted an order asks for as much at least, however thin the book: it always progresses, and a
book that the venue cut short does not hold it up. Immediate-or-cancel takes no more than there is."""


def depth_within(book: OrderBook, side: OrderSide, limit: Decimal) -> Decimal:
    """Return how much an order of `side` finds at `limit` or better, in the venue's order unit."""
    levels = book.against(side)
    within = (
        level.quantity
        for level in levels
        if (level.price <= limit if side is OrderSide.BUY else level.price >= limit)
    )
    return sum(within, ZERO)


def marketable_price(book: OrderBook, side: OrderSide, quantity: Decimal) -> Decimal | None:
    """Return the price of the level at which `quantity` is complete; `None`: the book holds less."""
    found = ZERO
    for level in book.against(side):
        found += level.quantity
        if found >= quantity:
            return level.price
    return None


def slice_of(wanted: Decimal, depth: Decimal) -> Decimal:
    """Return how much of `wanted` one order asks for where the book holds `depth`."""
    return min(wanted, max(depth, wanted * LEAST_SHARE))
