"""Every order an account ever placed, found by id, by client id, or because it is open."""

from collections.abc import Iterable

from brokers.sandbox.orders import Order


class OrderStore:
    """Orders by id; several may share a client id, and then the latest is meant."""

    __slots__ = ("_all", "_by_client_id", "_open")

    def __init__(self) -> None:
        self._all: dict[str, Order] = {}
        self._open: dict[str, Order] = {}
        self._by_client_id: dict[str, list[str]] = {}

    def put(self, order: Order) -> Order:
        """Keep `order` in place of what was known of it."""
        if order.order_id not in self._all and order.client_id is not None:
            self._by_client_id.setdefault(order.client_id, []).append(order.order_id)
        self._all[order.order_id] = order
        if order.is_open:
            self._open[order.order_id] = order
        else:
            self._open.pop(order.order_id, None)
        return order

    def by_id(self, order_id: str) -> Order | None:
        """Return the order with that id."""
        return self._all.get(order_id)

    def by_client_id(self, client_id: str, symbol: str | None = None) -> Order | None:
        """Return the latest order with that client id."""
        for order_id in reversed(self._by_client_id.get(client_id, [])):
            order = self._all[order_id]
            if symbol is None or order.symbol == symbol:
                return order
        return None

    def open_with_client_id(self, client_id: str) -> bool:
        """Whether an open order has that client id."""
        return any(order_id in self._open for order_id in self._by_client_id.get(client_id, ()))

    def open(self) -> tuple[Order, ...]:
        """Return open orders, oldest first."""
        return tuple(self._open.values())

    @property
    def open_count(self) -> int:
        """How many orders are open."""
        return len(self._open)

    def all(self) -> Iterable[Order]:
        """Return every order, oldest first."""
        return self._all.values()
