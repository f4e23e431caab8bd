"""Orders: create, cancel, lists and lookups, leverage."""

import re
from collections.abc import Callable
from typing import Any

from brokers.models import OrderSide, Side
from brokers.sandbox.engine import Engine
from brokers.sandbox.orders import (
    Order,
    OrderSpec,
    OrderType,
    Rejection,
    TimeInForce,
    Trigger,
    TriggerDirection,
    TriggerKind,
)
from brokers.sandbox.wire.base import Wire
from brokers.sandbox.wire.bybit.listing import Listing, category_of, leg_of
from brokers.sandbox.wire.bybit.order_rows import OrderRows, ids_of, waits
from brokers.sandbox.wire.bybit.pages import page_of
from brokers.sandbox.wire.bybit.parameters import Parameters
from brokers.sandbox.wire.bybit.refusals import MESSAGES, BybitRefusal, rejected

SIDES = {"Buy": OrderSide.BUY, "Sell": OrderSide.SELL}
TYPES = {"Market": OrderType.MARKET, "Limit": OrderType.LIMIT}
LIVES = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "PostOnly": TimeInForce.POST_ONLY}
PRICES = {"MarkPrice": TriggerKind.MARK, "LastPrice": TriggerKind.LAST, "IndexPrice": TriggerKind.INDEX}
DIRECTIONS = {1: TriggerDirection.RISES, 2: TriggerDirection.FALLS}

CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
NEEDS_A_SCOPE = "Missing some parameters that must be filled in, symbol or settleCoin or baseCoin"
MOST_IN_A_BATCH = 10
RECENT = 500

Result = dict[str, Any]


class OrderDesk:
    """Take, list and cancel orders. Acknowledgements hold two ids and no fill."""

    def __init__(self, wire: Wire, listing: Listing) -> None:
        self._engine: Engine = wire.engine
        self._listing = listing
        self._rows = OrderRows(wire, listing)

    # --- taking

    def create(self, asked: Parameters, account: str) -> Result:
        """Answer `order/create`."""
        spec = self._spec(asked, account)
        try:
            return ids_of(self._engine.place(account, spec))
        except Rejection as rejection:
            direction = spec.trigger.direction if spec.trigger else None
            raise rejected(rejection, rises=direction is TriggerDirection.RISES) from None

    def set_leverage(self, asked: Parameters, account: str) -> Result:
        """Answer `position/set-leverage`; the setting that is there already is refused."""
        one = self._listing.instrument(asked.category(), asked.required("symbol"))
        buy, sell = asked.number("buyLeverage"), asked.number("sellLeverage")
        if buy is None or buy != sell:
            raise BybitRefusal(10001, "buy leverage and sell leverage must be equal")
        try:
            before = self._engine.set_leverage(account, one.name, buy)
        except Rejection as rejection:
            raise rejected(rejection) from None
        if before == buy:
            raise BybitRefusal(110043)
        return {}

    def _spec(self, asked: Parameters, account: str) -> OrderSpec:
        one = self._listing.instrument(asked.category(), asked.required("symbol"))
        client_id = asked.text("orderLinkId")
        if client_id is not None and CLIENT_ID.fullmatch(client_id) is None:
            raise BybitRefusal(10001, "orderLinkId invalid")
        reduce_only = asked.flag("reduceOnly")
        quantity = asked.number("qty")
        whole = quantity == 0 and reduce_only and asked.flag("closeOnTrigger")
        kind = asked.word("orderType", TYPES)
        life = asked.text("timeInForce") or "GTC"
        if life not in LIVES:
            raise BybitRefusal(10001, "timeInForce invalid")
        return OrderSpec(
            symbol=one.name,
            side=asked.word("side", SIDES),
            quantity=None if whole else quantity,
            type=kind,
            time_in_force=LIVES[life] if kind is OrderType.LIMIT else TimeInForce.IOC,
            price=asked.number("price") if kind is OrderType.LIMIT else None,
            client_id=client_id,
            reduce_only=reduce_only,
            position_side=self._leg(asked, account),
            trigger=_trigger(asked),
            close_position=whole,
        )

    def _leg(self, asked: Parameters, account: str) -> Side | None:
        return leg_of(asked.integer("positionIdx", 0), self._engine.accounts[account].position_mode)

    # --- listing

    def realtime(self, asked: Parameters, account: str) -> Result:
        """Answer `order/realtime`: open orders, or by an id also one of the recently closed."""
        category = asked.category()
        order_id, client_id = asked.text("orderId"), asked.text("orderLinkId")
        if order_id or client_id:
            orders = self._recent(account, category, lambda order: _is(order, order_id, client_id))
        elif asked.integer("openOnly", 0):
            orders = self._recent(account, category, lambda order: not order.is_open)
        else:
            self._check_scope(category, asked)
            found = self._engine.open_orders(account)
            orders = [order for order in found if self._in_scope(order, category, asked)]
        return self._page(category, orders, asked)

    def history(self, asked: Parameters, account: str) -> Result:
        """Answer `order/history`: closed orders, newest first."""
        category = asked.category()
        order_id, client_id = asked.text("orderId"), asked.text("orderLinkId")
        symbol = asked.text("symbol")
        closed = [
            order
            for order in self._engine.orders(account)
            if self._category(order) == category
            and not order.is_open
            and symbol in {None, self._listing.symbol(order.symbol)}
            and (not (order_id or client_id) or _is(order, order_id, client_id))
        ]
        return self._page(category, closed, asked)

    def _page(self, category: str, orders: list[Order], asked: Parameters) -> Result:
        rows = [self._rows.row(order) for order in reversed(orders)]
        page, cursor = page_of(rows, asked, default=20, most=50)
        return {"category": category, "list": page, "nextPageCursor": cursor}

    def _recent(self, account: str, category: str, wanted: Callable[[Order], bool]) -> list[Order]:
        orders = [order for order in self._engine.orders(account) if self._category(order) == category]
        return [order for order in orders[-RECENT:] if wanted(order)]

    # --- cancelling

    def cancel(self, asked: Parameters, account: str) -> Result:
        """Answer `order/cancel`."""
        return self._cancel(asked.category(), asked, account)

    def cancel_all(self, asked: Parameters, account: str) -> Result:
        """Answer `order/cancel-all`, for what matches symbol, else base coin, else settle coin."""
        category = asked.category()
        if category == "spot":
            return {"success": "1"}
        self._check_scope(category, asked, inverse=True)
        cancelled = [
            self._engine.cancel(account, order_id=order.order_id)
            for order in self._engine.open_orders(account)
            if self._in_scope(order, category, asked)
        ]
        return {"list": [ids_of(order) for order in cancelled], "success": "1"}

    def cancel_batch(self, asked: Parameters, account: str) -> tuple[Result, Result]:
        """Answer `order/cancel-batch`: success as a whole, and each order's fate in the extra info."""
        category, rows = asked.category(), asked.rows("request")
        if not 1 <= len(rows) <= MOST_IN_A_BATCH:
            raise BybitRefusal(10001, "the number of orders is out of range")
        fates, results = [], []
        for row in rows:
            fate = {"code": 0, "msg": MESSAGES.get(0, "OK")}
            ids: Result = {"orderId": "", "orderLinkId": ""}
            try:
                ids = self._cancel(category, row, account)
            except BybitRefusal as refusal:
                fate = {"code": refusal.code, "msg": refusal.message}
            fates.append(fate)
            results.append({"category": category, "symbol": row.text("symbol") or "", **ids})
        return {"list": results}, {"list": fates}

    def _cancel(self, category: str, asked: Parameters, account: str) -> Result:
        one = self._listing.instrument(category, asked.required("symbol"))
        order_id, client_id = asked.text("orderId"), asked.text("orderLinkId")
        if order_id is None and client_id is None:
            raise BybitRefusal(10001, "orderId or orderLinkId is required")
        try:
            order = self._engine.cancel(
                account,
                order_id=order_id,
                client_id=None if order_id else client_id,
                symbol=one.name,
            )
        except Rejection as rejection:
            raise rejected(rejection) from None
        return ids_of(order)

    # --- choosing

    def _category(self, order: Order) -> str:
        return category_of(self._engine.instrument(order.symbol))

    def _check_scope(self, category: str, asked: Parameters, *, inverse: bool = False) -> None:
        if category != "linear" and not (inverse and category == "inverse"):
            return
        if not any(asked.text(name) for name in ("symbol", "settleCoin", "baseCoin")):
            raise BybitRefusal(10001, NEEDS_A_SCOPE)

    def _in_scope(self, order: Order, category: str, asked: Parameters) -> bool:
        one = self._engine.instrument(order.symbol)
        if category_of(one) != category or not _passes_filter(order, asked.text("orderFilter")):
            return False
        if symbol := asked.text("symbol"):
            return self._listing.symbol(order.symbol) == symbol
        if base := asked.text("baseCoin"):
            return one.base == base
        settle = asked.text("settleCoin")
        return settle in {None, one.settle}


def _trigger(asked: Parameters) -> Trigger | None:
    price = asked.number("triggerPrice")
    if price is None:
        return None
    direction = DIRECTIONS.get(asked.integer("triggerDirection", 0))
    if direction is None:
        raise BybitRefusal(10001, "TriggerDirection invalid")
    word = asked.text("triggerBy") or "LastPrice"
    if word not in PRICES:
        raise BybitRefusal(10001, "triggerBy invalid")
    return Trigger(price=price, kind=PRICES[word], direction=direction)


def _is(order: Order, order_id: str | None, client_id: str | None) -> bool:
    """Whether an order has the id asked for; the venue's own id comes first."""
    return order.order_id == order_id if order_id else order.client_id == client_id


def _passes_filter(order: Order, order_filter: str | None) -> bool:
    if order_filter == "Order":
        return not waits(order)
    if order_filter in {"StopOrder", "tpslOrder"}:
        return waits(order)
    return True
