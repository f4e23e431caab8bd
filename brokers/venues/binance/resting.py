"""Reads of one product's orders: what rests in any of its books, and what became of one."""

import asyncio
import logging

from brokers.ccxt_broker import Read
from brokers.errors import BrokerError, RequestRefused
from brokers.models import Symbol
from brokers.orders import ClientOrderId, OpenOrder, OrderReport
from brokers.venues.binance.books import Book, WaitingBook
from brokers.venues.binance.orders import read_open_algo_orders, read_open_orders, read_report
from brokers.venues.binance.refusals import is_absent

UNKNOWN_ORDER = "-2013"

_log = logging.getLogger("margind.brokers")


async def resting(read: Read, book: Book) -> tuple[OpenOrder, ...]:
    """Read every book of every symbol; a host without a waiting book has none to read."""
    active, *waiting = await asyncio.gather(
        read(book.open, cost=40), *(_waiting(read, one) for one in book.waiting)
    )
    return tuple(order for rows in (read_open_orders(active), *waiting) for order in rows)


async def looked_up(
    read: Read, book: Book, client_order_id: ClientOrderId, symbol: Symbol
) -> OrderReport | None:
    """Read one order by client id; `None` when the venue does not know it."""
    params = {"symbol": symbol, "origClientOrderId": client_order_id}
    try:
        answer = await read(book.find, params)
    except RequestRefused as error:
        if error.code != UNKNOWN_ORDER:
            raise
        return None
    return read_report(answer, client_order_id, symbol)


async def _waiting(read: Read, book: WaitingBook) -> tuple[OpenOrder, ...]:
    try:
        return read_open_algo_orders(await read(book.open, cost=40), book)
    except BrokerError as error:
        if not is_absent(error):
            raise
        _log.info("no such book of orders at this host: %s", error)
        return ()
