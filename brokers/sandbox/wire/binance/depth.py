"""`depth`: the order book, whose weight goes by how much of it is asked for.

Source: Binance docs, "Order Book" of USD-M and COIN-M futures, and of spot.
"""

from typing import Any

from brokers.sandbox.wire.base import Route, Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.binance.listing import Listing, on_grid, size
from brokers.sandbox.wire.binance.parameters import Parameters

Weights = tuple[tuple[int, int], ...]
"""How many levels may be asked for, rising, and what that weighs."""

FUTURES: Weights = ((5, 2), (10, 2), (20, 2), (50, 2), (100, 5), (500, 10), (1000, 20))
SPOT: Weights = ((100, 5), (500, 25), (1000, 50), (5000, 250))
FUTURES_DEFAULT, SPOT_DEFAULT = 500, 100


class DepthDesk:
    """Answer for the order books of one listing; those of `spot` tell no time."""

    def __init__(self, wire: Wire, listing: Listing, *, spot: bool = False) -> None:
        self._wire = wire
        self._listing = listing
        self._spot = spot

    def route(self, path: str) -> Route:
        """Return the endpoint at `path`."""
        return Route(method="GET", path=path, handler=self._answer, signed=False, weigh=self._weigh)

    def _answer(self, request: WireRequest, account: str) -> WireAnswer:
        del account
        one = self._listing.instrument(Parameters(request).required("symbol"))
        book = self._wire.engine.depth(one.name, self._entry(request)[0])
        now = self._wire.stamp(book.ms)
        sides: dict[str, Any] = {
            name: [[on_grid(price, one.price_step), size(quantity, one)] for price, quantity in side]
            for name, side in (("bids", book.bids), ("asks", book.asks))
        }
        times = {} if self._spot else {"E": now, "T": now}
        return WireAnswer(payload={"lastUpdateId": now, **times, **sides})

    def _weigh(self, request: WireRequest) -> float:
        return self._entry(request)[1]

    def _entry(self, request: WireRequest) -> tuple[int, int]:
        """Return how many levels a request gets, and its weight."""
        weights, usual = (SPOT, SPOT_DEFAULT) if self._spot else (FUTURES, FUTURES_DEFAULT)
        asked = request.query.get("limit", "")
        limit = int(asked) if asked.isascii() and asked.isdigit() else usual
        levels, weight = next((one for one in weights if one[0] >= limit), weights[-1])
        return (min(limit, levels) if self._spot else levels), weight
