"""Orders as OKX prints them, and OKX's order parameters as the engine takes them."""

import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from brokers.models import MarginMode, OrderSide, PositionMode, Side
from brokers.numbers import floor_to_step
from brokers.sandbox.orders import (
    Order,
    OrderSpec,
    OrderStatus,
    OrderType,
    TimeInForce,
    Trigger,
    TriggerKind,
)
from brokers.sandbox.spec import AccountSpec
from brokers.sandbox.wire.base import Wire
from brokers.sandbox.wire.okx.envelope import RowRefusal, figure, number
from brokers.sandbox.wire.okx.listing import Contract, Listing

CLIENT_ID = re.compile(r"[A-Za-z0-9]{1,32}")

SIDES = {"buy": OrderSide.BUY, "sell": OrderSide.SELL}
LEGS = {"long": Side.LONG, "short": Side.SHORT}
TRADE_MODES = {"cross": MarginMode.CROSS, "isolated": MarginMode.ISOLATED}

ORDER_TYPES: Mapping[str, tuple[OrderType, TimeInForce]] = {
    "market": (OrderType.MARKET, TimeInForce.IOC),
    "optimal_limit_ioc": (OrderType.MARKET, TimeInForce.IOC),
    "limit": (OrderType.LIMIT, TimeInForce.GTC),
    "ioc": (OrderType.LIMIT, TimeInForce.IOC),
    "post_only": (OrderType.LIMIT, TimeInForce.POST_ONLY),
}
"""OKX's order types that the engine has; fill-or-kill is not among them."""

PRICE_KINDS = {"last": TriggerKind.LAST, "mark": TriggerKind.MARK, "index": TriggerKind.INDEX}

AT_MARKET = Decimal(-1)
"""The order price of an algo order that goes out at market."""


class OrderDesk:
    """Translates between OKX's rows and the engine's orders; `portfolio` names portfolio-margin accounts.

    OKX documents `reduceOnly` for futures and multi-currency mode in net mode only. In a portfolio account
    the flag is taken and has no effect here, the less friendly of the two readings.
    """

    def __init__(self, wire: Wire, listing: Listing, portfolio: Collection[str]) -> None:
        self._engine = wire.engine
        self._wire = wire
        self._listing = listing
        self._portfolio = portfolio

    # ------------------------------------------------------------------ parameters -> engine

    def order_spec(self, account: str, row: Mapping[str, Any]) -> OrderSpec:
        """Build a general order.

        Raises:
            RowRefusal: a parameter is wrong.
            Rejection: the instrument is not listed.
        """
        word = str(row.get("ordType") or "")
        if word not in ORDER_TYPES:
            raise RowRefusal("51000", "ordType")
        kind, time_in_force = ORDER_TYPES[word]
        price = number(row.get("px")) if kind is OrderType.LIMIT else None
        return self._spec(
            account, row, id_field="clOrdId", kind=kind, time_in_force=time_in_force, price=price
        )

    def algo_spec(self, account: str, row: Mapping[str, Any]) -> OrderSpec:
        """Build a trigger order or a one-way stop.

        Raises:
            RowRefusal: a parameter is wrong, or the order is of a kind the engine does not have.
            Rejection: the instrument is not listed.
        """
        fields = {"trigger": ("trigger", "orderPx"), "conditional": ("slTrigger", "slOrdPx")}
        word = str(row.get("ordType") or "")
        if word not in fields:
            raise RowRefusal("51000", "ordType")
        name, price_field = fields[word]
        if word == "conditional" and not row.get("slTriggerPx"):
            name, price_field = "tpTrigger", "tpOrdPx"
        at = number(row.get(f"{name}Px"))
        if at is None:
            raise RowRefusal("51000", f"{name}Px")
        price = number(row.get(price_field))
        if price is None:
            raise RowRefusal("51000", price_field)
        watched = PRICE_KINDS.get(str(row.get(f"{name}PxType") or "last"))
        if watched is None:
            raise RowRefusal("51000", f"{name}PxType")
        market = price == AT_MARKET
        return self._spec(
            account,
            row,
            id_field="algoClOrdId",
            kind=OrderType.MARKET if market else OrderType.LIMIT,
            time_in_force=TimeInForce.IOC if market else TimeInForce.GTC,
            price=None if market else price,
            trigger=Trigger(price=at, kind=watched),
        )

    def _spec(
        self,
        account: str,
        row: Mapping[str, Any],
        *,
        id_field: str,
        kind: OrderType,
        time_in_force: TimeInForce,
        price: Decimal | None,
        trigger: Trigger | None = None,
    ) -> OrderSpec:
        contract = self._listing.named(str(row.get("instId") or ""))
        mode = TRADE_MODES.get(str(row.get("tdMode") or ""))
        if mode is None:
            raise RowRefusal("51000", "tdMode")
        side = SIDES.get(str(row.get("side") or ""))
        if side is None:
            raise RowRefusal("51000", "side")
        client_id = str(row.get(id_field) or "") or None
        if client_id is not None and not CLIENT_ID.fullmatch(client_id):
            raise RowRefusal("51000", id_field)
        spec = self._engine.accounts[account]
        leg = _leg(spec, row)
        whole = str(row.get("closeFraction") or "") == "1"
        size = number(row.get("sz"))
        if size is None and not whole:
            raise RowRefusal("51000", "sz")
        if contract.in_pairs:
            if row.get("ccy") != contract.instrument.settle:  # the only one that margins pairs here
                raise RowRefusal("51000", "ccy")
            if size is not None and side is OrderSide.BUY and kind is OrderType.MARKET:
                size = self._bought_for(contract, size)
        return OrderSpec(
            symbol=contract.instrument.name,
            side=side,
            quantity=None if whole or size is None else contract.quantity(size),
            type=kind,
            time_in_force=time_in_force,
            price=price,
            client_id=client_id,
            reduce_only=self._reduces(spec, row),
            position_side=leg,
            margin_mode=mode,
            trigger=trigger,
            close_position=whole,
        )

    def _bought_for(self, contract: Contract, money: Decimal) -> Decimal:
        """Return what a market order to buy, which counts in quote currency, would get at the best ask."""
        ask = self._engine.ticker(contract.instrument.name).ask
        return floor_to_step(money / ask, contract.instrument.lot_step)

    def _reduces(self, spec: AccountSpec, row: Mapping[str, Any]) -> bool:
        asked = str(row.get("reduceOnly") or "").lower() == "true"
        return asked and spec.position_mode is PositionMode.ONE_WAY and spec.name not in self._portfolio

    # ------------------------------------------------------------------ engine -> rows

    def general(self, order: Order) -> dict[str, Any]:
        """Return an order that is, or was, in the book."""
        contract = self._listing.of(order.symbol)
        fills = self._engine.fills(order.account, order_id=order.order_id)
        last = fills[-1] if fills else None
        return self._shared(order, contract) | {
            "accFillSz": figure(contract.contracts(order.filled)),
            "algoClOrdId": "",
            "algoId": "",
            "attachAlgoOrds": [],
            "avgPx": figure(order.average_price),
            "cancelSource": "",
            "category": "normal",
            "clOrdId": order.client_id or "",
            "fee": figure(-order.fee),
            "feeCcy": contract.instrument.settle,
            "fillPx": "" if last is None else figure(last.price),
            "fillSz": "0" if last is None else figure(contract.contracts(last.quantity)),
            "fillTime": "" if last is None else str(self._wire.stamp(last.ms)),
            "ordId": order.order_id,
            "ordType": _order_type(order),
            "pnl": figure(order.realized_pnl),
            "px": figure(order.spec.price),
            "rebate": "0",
            "rebateCcy": contract.instrument.settle,
            "state": _state(order),
            "tradeId": "" if last is None else last.fill_id,
            "uTime": str(self._wire.stamp(order.updated_ms)),
        }

    def algo(self, order: Order) -> dict[str, Any]:
        """Return an order that waits for its trigger."""
        contract = self._listing.of(order.symbol)
        trigger = order.spec.trigger
        at = figure(None if trigger is None else trigger.price)
        kind = "last" if trigger is None else trigger.kind.value
        conditional = algo_type(order) == "conditional"
        out = "-1" if order.spec.price is None else figure(order.spec.price)
        return self._shared(order, contract) | {
            "actualPx": "",
            "actualSide": "",
            "actualSz": "0",
            "algoClOrdId": order.client_id or "",
            "algoId": order.order_id,
            "callbackRatio": "",
            "callbackSpread": "",
            "clOrdId": "",
            "closeFraction": "1" if order.spec.close_position else "",
            "ordId": "",
            "ordPx": "" if conditional else out,
            "ordType": algo_type(order),
            "slOrdPx": out if conditional else "",
            "slTriggerPx": at if conditional else "",
            "slTriggerPxType": kind if conditional else "",
            "state": "live",
            "sz": "" if order.spec.close_position else figure(contract.contracts(order.quantity)),
            "tpOrdPx": "",
            "tpTriggerPx": "",
            "tpTriggerPxType": "",
            "triggerPx": "" if conditional else at,
            "triggerPxType": "" if conditional else kind,
            "triggerTime": "",
        }

    def _shared(self, order: Order, contract: Contract) -> dict[str, Any]:
        leg = order.spec.position_side
        flagged = order.reduce_only and leg is None
        return {
            "cTime": str(self._wire.stamp(order.created_ms)),
            "ccy": contract.instrument.settle if contract.in_pairs else "",
            "instId": contract.symbol,
            "instType": contract.type,
            "lever": figure(self._engine.leverage(order.account, order.symbol, leg)),
            "posSide": "net" if leg is None else leg.value,
            "reduceOnly": "true" if flagged else "false",
            "side": order.side.value,
            "sz": figure(contract.contracts(order.quantity)),
            "tag": "",
            "tdMode": "isolated" if order.margin_mode is MarginMode.ISOLATED else "cross",
            "tgtCcy": "",
            "uly": contract.family,
        }


def algo_type(order: Order) -> str:
    """Return the algo book an untriggered order is listed in: what can only reduce is a one-way stop."""
    return "conditional" if order.reduce_only else "trigger"


def _leg(spec: AccountSpec, row: Mapping[str, Any]) -> Side | None:
    """Return the leg that an order names; long/short mode wants one, net mode takes none."""
    word = str(row.get("posSide") or "")
    if spec.position_mode is PositionMode.HEDGE:
        if word not in LEGS:
            raise RowRefusal("51000", "posSide")
        return LEGS[word]
    if word not in {"", "net"}:
        raise RowRefusal("51000", "posSide")
    return None


def _order_type(order: Order) -> str:
    if order.spec.type is OrderType.MARKET:
        return "market"
    return {TimeInForce.GTC: "limit", TimeInForce.IOC: "ioc", TimeInForce.POST_ONLY: "post_only"}[
        order.spec.time_in_force
    ]


def _state(order: Order) -> str:
    if order.status is OrderStatus.FILLED:
        return "filled"
    if order.status is OrderStatus.CANCELLED:
        return "canceled"
    return "partially_filled" if order.filled else "live"
