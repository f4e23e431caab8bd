"""`brokerage/market/product_book` and `brokerage/product_book`, which are the same."""

from decimal import Decimal

from brokers.sandbox.engine import Engine
from brokers.sandbox.orders import Rejection
from brokers.sandbox.wire.base import WireAnswer, WireRefusal, WireRequest
from brokers.sandbox.wire.coinbase.answers import error, figure, moment
from brokers.sandbox.wire.coinbase.listing import Listing

USUAL = 100


class Books:
    """The order books of the listed contracts; sizes in contracts. Spot products have none here."""

    def __init__(self, engine: Engine, listing: Listing) -> None:
        self._engine = engine
        self._listing = listing

    def book(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer a product's book."""
        del account
        product_id, asked = request.query.get("product_id", ""), request.query.get("limit", "")
        try:
            contract = self._listing.named(product_id)
        except Rejection:
            raise WireRefusal(error(404, "NOT_FOUND", "product not found")) from None
        levels = int(asked) if asked.isascii() and asked.isdigit() else USUAL
        depth = self._engine.depth(contract.instrument.name, levels)
        sides = {
            side: [{"price": figure(price), "size": figure(contract.contracts(size))} for price, size in rows]
            for side, rows in (("bids", depth.bids), ("asks", depth.asks))
        }
        book = {"product_id": product_id, **sides, "time": moment(request.now_ms)}
        if not (depth.bids and depth.asks):
            return WireAnswer(payload={"pricebook": book})
        spread, middle = _spread(depth.bids[0][0], depth.asks[0][0])
        prices = {"last": figure(middle), "mid_market": figure(middle), "spread_absolute": figure(spread)}
        return WireAnswer(payload={"pricebook": book, **prices})


def _spread(bid: Decimal, ask: Decimal) -> tuple[Decimal, Decimal]:
    return ask - bid, (ask + bid) / 2
