"""Orders as Kraken prints them, and Kraken's order parameters as the engine takes them."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from brokers.models import OrderSide
from brokers.numbers import plain
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.orders import (
    Order,
    OrderSpec,
    OrderStatus,
    OrderType,
    TimeInForce,
    Trigger,
    TriggerDirection,
    TriggerKind,
)
from brokers.sandbox.wire.base import Wire
from brokers.sandbox.wire.kraken.envelope import figure, number, refuse, wrong
from brokers.sandbox.wire.kraken.pairs import altname, leverages, named

CLIENT_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[ -~]{1,18}")
SIDES = {"buy": OrderSide.BUY, "sell": OrderSide.SELL}
PLAIN_TYPES = {"market": OrderType.MARKET, "limit": OrderType.LIMIT}
STOPS, TAKES = ("stop-loss", "stop-loss-limit"), ("take-profit", "take-profit-limit")
TIMES = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC}

DEADLINE_MS = (2_000, 60_000)
"""How far ahead a deadline must and may be. Source: Kraken docs, "Add Order"."""

Form = Mapping[str, object]


class OrderDesk:
    """Translates between Kraken's forms and rows and the engine's orders."""

    def __init__(self, wire: Wire) -> None:
        self._engine = wire.engine
        self._wire = wire

    # ------------------------------------------------------------------ parameters -> engine

    def order_spec(self, form: Form, now_ms: int) -> OrderSpec:
        """Build an order.

        Raises:
            WireRefusal: a parameter is wrong, or it is a spot order, which the sandbox does not play.
            Rejection: the pair is not listed.
        """
        pair = named(str(form.get("pair") or ""), self._engine.instruments)
        side = SIDES.get(str(form.get("type") or ""))
        if side is None:
            raise wrong("type")
        self._check_leverage(form, pair)
        word = str(form.get("ordertype") or "")
        trigger = _trigger(form, word, side)
        limit = word in {"limit", "stop-loss-limit", "take-profit-limit"}
        if word not in PLAIN_TYPES and trigger is None:
            raise wrong("ordertype")
        time = TIMES.get(str(form.get("timeinforce") or "GTC"))
        if time is None:
            raise wrong("timeinforce")
        client_id = str(form.get("cl_ord_id") or "") or None
        if client_id is not None and not CLIENT_ID.fullmatch(client_id):
            raise wrong("cl_ord_id")
        return OrderSpec(
            symbol=pair.name,
            side=side,
            quantity=number(form.get("volume")),
            type=OrderType.LIMIT if limit else OrderType.MARKET,
            time_in_force=time if limit else TimeInForce.IOC,
            price=number(form.get("price2" if trigger else "price")) if limit else None,
            client_id=client_id,
            reduce_only=_flag(form),
            trigger=trigger,
            deadline_ms=self._deadline_ms(form, now_ms),
        )

    def _check_leverage(self, form: Form, pair: Instrument) -> None:
        text = str(form.get("leverage") or "").partition(":")[0]
        if text in {"", "none"}:
            raise refuse("EOrder:Insufficient funds")
        if number(text) not in leverages(pair):
            raise wrong("leverage")

    def _deadline_ms(self, form: Form, now_ms: int) -> int | None:
        """Return the deadline on the engine's clock, for the moment when the order would enter."""
        text = str(form.get("deadline") or "")
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise wrong("deadline") from None
        if moment.tzinfo is None:
            raise wrong("deadline")
        deadline = round(moment.timestamp() * 1000)
        nearest, farthest = DEADLINE_MS
        if deadline <= now_ms:
            raise refuse("EService:Deadline elapsed")
        if not nearest <= deadline - now_ms <= farthest:
            raise wrong("deadline")
        return self._wire.engine_ms(deadline)

    # ------------------------------------------------------------------ engine -> rows

    def row(self, order: Order) -> dict[str, Any]:
        """Return an order as the lists of open and closed ones print it."""
        pair = self._engine.instrument(order.symbol)
        leverage = self._engine.leverage(order.account, order.symbol)
        kind, price, price2 = _kind(order), order.spec.price, None
        if order.spec.trigger is not None:
            price, price2 = order.spec.trigger.price, order.spec.price
        opened, ended = self._wire.stamp(order.created_ms), self._wire.stamp(order.updated_ms)
        prices = [plain(level) for level in (price, price2) if level is not None]
        words = f"{order.side.value} {figure(order.quantity, 8)} {altname(pair)} @ {_in_words(kind, prices)}"
        row = {
            "refid": None,
            "userref": None,
            "cl_ord_id": order.client_id,
            "status": _status(order),
            "opentm": opened / 1000,
            "starttm": 0,
            "expiretm": 0,
            "descr": {
                "pair": altname(pair),
                "type": order.side.value,
                "ordertype": kind,
                "price": "0" if price is None else plain(price),
                "price2": "0" if price2 is None else plain(price2),
                "leverage": f"{plain(leverage)}:1",
                "order": f"{words} with {plain(leverage)}:1 leverage",
                "close": "",
            },
            "vol": figure(order.quantity, 8),
            "vol_exec": figure(order.filled, 8),
            "cost": figure(order.filled * (order.average_price or 0), 5),
            "fee": figure(order.fee, 5),
            "price": "0.00000" if order.average_price is None else figure(order.average_price, 5),
            "stopprice": "0.00000",
            "limitprice": "0.00000",
            "misc": "",
            "oflags": "fciq",
            "margin": True,
            "reduce_only": order.reduce_only,
        }
        if not order.is_open:
            row |= {"closetm": ended / 1000, "reason": None if order.filled else "User requested"}
        return row


def _flag(form: Form) -> bool:
    word = str(form.get("reduce_only") or "false").lower()
    if word not in {"true", "false"}:
        raise wrong("reduce_only")
    return word == "true"


def _trigger(form: Form, word: str, side: OrderSide) -> Trigger | None:
    if word not in (*STOPS, *TAKES):
        return None
    price = number(form.get("price"))
    if price is None:
        raise wrong("price")
    rises = (word in STOPS) is (side is OrderSide.BUY)
    direction = TriggerDirection.RISES if rises else TriggerDirection.FALLS
    return Trigger(price=price, kind=TriggerKind.LAST, direction=direction)


def _kind(order: Order) -> str:
    plain_kind = "market" if order.spec.type is OrderType.MARKET else "limit"
    if order.spec.trigger is None or order.triggered:
        return plain_kind
    return "stop-loss" if plain_kind == "market" else "stop-loss-limit"


def _in_words(kind: str, prices: Sequence[str]) -> str:
    """Describe an order's type with its prices: `limit 70000`, `stop loss 50000 -> limit 49900`."""
    name = kind.removesuffix("-limit").replace("-", " ")
    return " ".join((name, " -> limit ".join(prices))).strip()


def _status(order: Order) -> str:
    if order.status is OrderStatus.FILLED:
        return "closed"
    return "canceled" if order.status is OrderStatus.CANCELLED else "open"
