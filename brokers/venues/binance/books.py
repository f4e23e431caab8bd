"""Which calls lead to the orders of one product, and what its answers call things."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The calls of one product's orders: those of the matching engine, and those that wait for a price.

    `algo_id`, `algo_client_id` and `algo_quantity` are the fields of a waiting order.
    """

    place: str
    find: str
    cancel: str
    open: str
    algo_open: str
    algo_cancel: str
    leverage: str
    algo_id: str = "algoId"
    algo_client_id: str = "clientAlgoId"
    algo_quantity: str = "quantity"


USDM = Book(
    place="fapiPrivatePostOrder",
    find="fapiPrivateGetOrder",
    cancel="fapiPrivateDeleteOrder",
    open="fapiPrivateGetOpenOrders",
    algo_open="fapiPrivateGetOpenAlgoOrders",
    algo_cancel="fapiPrivateDeleteAlgoOrder",
    leverage="fapiPrivatePostLeverage",
)

COINM = Book(
    place="dapiPrivatePostOrder",
    find="dapiPrivateGetOrder",
    cancel="dapiPrivateDeleteOrder",
    open="dapiPrivateGetOpenOrders",
    algo_open="dapiPrivateGetOpenAlgoOrders",
    algo_cancel="dapiPrivateDeleteAlgoOrder",
    leverage="dapiPrivatePostLeverage",
)
