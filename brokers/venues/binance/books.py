"""Which calls lead to the orders of one product, and what its answers call things."""

from dataclasses import dataclass

ALGO = "CONDITIONAL"
"""The algo book that holds stops, take-profits and trailing stops; other orders have no such mark."""

STRATEGY = "STRATEGY"
"""The older conditional book of portfolio margin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingBook:
    """A book of orders that wait for a price; the last fields name those of its rows."""

    open: str
    cancel: str
    kind: str = ALGO
    needs_symbol: bool = False  # to cancel
    order_id: str = "algoId"
    client_id: str = "clientAlgoId"
    quantity: str = "quantity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The calls of one product's orders: the matching engine's, and the books that wait for a price."""

    place: str
    find: str
    cancel: str
    open: str
    leverage: str
    waiting: tuple[WaitingBook, ...]

    def waits(self, kind: str) -> WaitingBook | None:
        """Return the book that an order's kind names; `None` for orders of the matching engine."""
        return next((book for book in self.waiting if book.kind == kind), None)


def _strategies(product: str) -> WaitingBook:
    return WaitingBook(
        open=f"papiGet{product}ConditionalOpenOrders",
        cancel=f"papiDelete{product}ConditionalOrder",
        kind=STRATEGY,
        order_id="strategyId",
        client_id="newClientStrategyId",
        quantity="origQty",
        needs_symbol=True,
    )


USDM = Book(
    place="fapiPrivatePostOrder",
    find="fapiPrivateGetOrder",
    cancel="fapiPrivateDeleteOrder",
    open="fapiPrivateGetOpenOrders",
    leverage="fapiPrivatePostLeverage",
    waiting=(WaitingBook(open="fapiPrivateGetOpenAlgoOrders", cancel="fapiPrivateDeleteAlgoOrder"),),
)

COINM = Book(
    place="dapiPrivatePostOrder",
    find="dapiPrivateGetOrder",
    cancel="dapiPrivateDeleteOrder",
    open="dapiPrivateGetOpenOrders",
    leverage="dapiPrivatePostLeverage",
    waiting=(WaitingBook(open="dapiPrivateGetOpenAlgoOrders", cancel="dapiPrivateDeleteAlgoOrder"),),
)

PORTFOLIO_UM = Book(
    place="papiPostUmOrder",
    find="papiGetUmOrder",
    cancel="papiDeleteUmOrder",
    open="papiGetUmOpenOrders",
    leverage="papiPostUmLeverage",
    waiting=(
        _strategies("Um"),
        WaitingBook(open="papiGetUmAlgoOpenAlgoOrders", cancel="papiDeleteUmAlgoOrder"),
    ),
)

PORTFOLIO_CM = Book(
    place="papiPostCmOrder",
    find="papiGetCmOrder",
    cancel="papiDeleteCmOrder",
    open="papiGetCmOpenOrders",
    leverage="papiPostCmLeverage",
    waiting=(_strategies("Cm"),),
)
