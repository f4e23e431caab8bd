"""Orders at Kraken: raw rows -> our models, and what is sent to reduce a position.

Source: Kraken docs, "Add Order", "Get Open Orders", "Get Closed Orders".
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from brokers.errors import MalformedAnswer, NotSupported
from brokers.fields import mapping_from
from brokers.hooks import Ack
from brokers.models import MarketRules, OrderSide, Position, Symbol
from brokers.numbers import ZERO, NumberError, decimal_from, decimal_or_none, plain
from brokers.order_rows import side_of, text_of
from brokers.orders import ClientOrderId, OpenOrder, OrderBook, OrderReport, OrderState, ReduceOrder, Verdict
from brokers.venues.kraken.spot.envelope import object_of
from brokers.venues.kraken.spot.markets import SpotRules, find_rules

SIDES = {"buy": OrderSide.BUY, "sell": OrderSide.SELL}

TRIGGERED = frozenset(
    {
        "stop-loss",
        "stop-loss-limit",
        "take-profit",
        "take-profit-limit",
        "trailing-stop",
        "trailing-stop-limit",
    }
)
"""Order types that wait for a price."""

SETTLING = "settle-position"
"""Settles a position with what the account holds: it can do nothing else."""

NO_LEVERAGE = frozenset({"", "none", "0"})

OPEN, CLOSED = frozenset({"pending", "open"}), "closed"

ENDED: Mapping[str, OrderState] = MappingProxyType(
    {"canceled": OrderState.CANCELLED, "expired": OrderState.CANCELLED}
)


def read_open_order(
    txid: str, row: Mapping[str, Any], markets: Mapping[Symbol, MarketRules], held: Sequence[Position]
) -> OpenOrder:
    """Read a row of `OpenOrders`; without an executed volume all of it counts as left.

    Raises:
        MalformedAnswer: it names no pair or side.
        NumberError: its volume is damaged.
    """
    terms = mapping_from(row.get("descr"), "descr of an order")
    name, kind = text_of(terms, "pair"), text_of(terms, "ordertype")
    side = side_of(terms, SIDES, "type")
    rules = find_rules(name, markets)
    symbol = rules.symbol if rules is not None else Symbol(name)
    volume, executed = decimal_or_none(row.get("vol")), decimal_or_none(row.get("vol_exec"))
    return OpenOrder(
        order_id=txid,
        client_order_id=str(row.get("cl_ord_id") or "") or None,
        symbol=symbol,
        side=side,
        quantity=volume if volume is None or executed is None else volume - executed,
        price=_price(terms.get("price")),
        reduce_only=_can_only_reduce(
            row, kind, against=any(p.symbol == symbol and p.closing_side is side for p in held)
        ),
        book=OrderBook.TRIGGER if kind in TRIGGERED else OrderBook.ACTIVE,
        kind=kind,
    )


def _can_only_reduce(row: Mapping[str, Any], kind: str, *, against: bool) -> bool:
    """Tell whether an order can only reduce; `against`: it stands against a position that is held.

    Kraken's documentation of open orders does not promise the flag. Where it is missing, a stop against a
    held position counts as its owner's protection, because taking that away would be worse than leaving an
    entry. An order without leverage trades what the account holds: a sell never opens anything.
    """
    if kind == SETTLING:
        return True
    terms = row["descr"]
    if str(terms.get("leverage") or "").lower() in NO_LEVERAGE:
        return bool(terms.get("type") == OrderSide.SELL)
    flag = row.get("reduce_only", terms.get("reduce_only"))
    if flag is not None:
        return str(flag).lower() == "true"
    return kind in TRIGGERED and against


def read_report(
    rows: Mapping[str, Mapping[str, Any]],
    client_order_id: ClientOrderId,
    symbol: Symbol,
    known: str | None = None,
) -> OrderReport | None:
    """Read the order with our id among `rows`, the newest if there are several; `None`: it is not there.

    `known` is Kraken's id of it, where it was told: a row may leave ours out. `closed` means that nothing is
    left of it: executed whole, or executed in part and cut off.

    Raises:
        MalformedAnswer: a state Kraken does not document.
        NumberError: a figure is missing or damaged.
    """
    ours = [
        (txid, row)
        for txid, row in rows.items()
        if (row.get("cl_ord_id") or (client_order_id if txid == known else None)) == client_order_id
    ]
    if not ours:
        return None
    txid, row = max(ours, key=lambda item: decimal_or_none(item[1].get("opentm")) or ZERO)
    word, filled = str(row.get("status") or ""), decimal_from(row.get("vol_exec"))
    if word in OPEN:
        state = OrderState.OPEN
    elif word == CLOSED:
        whole = filled >= decimal_from(row.get("vol"))
        state = OrderState.FILLED if whole else OrderState.CANCELLED
    elif word in ENDED:
        state = ENDED[word]
    else:
        raise MalformedAnswer(f"an order with status {word!r}")
    return OrderReport(
        client_order_id=client_order_id,
        symbol=symbol,
        verdict=Verdict.ACCEPTED,
        state=state,
        order_id=txid,
        filled=filled,
        average_price=decimal_or_none(row.get("price")) if filled > 0 else None,
        fee=decimal_or_none(row.get("fee")),
    )


def order_params(order: ReduceOrder, rules: SpotRules | None) -> dict[str, object]:
    """Return the form of `AddOrder`.

    Without `leverage` Kraken would take it for a spot order, which sells what the account holds and leaves
    the position open. The flag is a word: a boolean would be sent as `True`.

    Raises:
        NotSupported: the pair is not known, or lists no leverage on that side.
    """
    leverage = None if rules is None else rules.leverage_for(order.side, order.position.leverage_setting)
    if leverage is None:
        raise NotSupported(f"{order.symbol}: no leverage is listed, and without one it would be a spot order")
    form: dict[str, object] = {
        "pair": str(order.symbol),
        "type": order.side.value,
        "ordertype": "market",
        "volume": plain(order.quantity),
        "leverage": plain(leverage),
        "reduce_only": "true",
        "cl_ord_id": str(order.client_order_id),
        "deadline": rfc3339(order.deadline),
    }
    if order.limit_price is not None:
        form |= {"ordertype": "limit", "price": plain(order.limit_price), "timeinforce": "IOC"}
    return form


def read_ack(payload: object) -> Ack:
    """Read the acknowledgement: Kraken's id, and its own words for the order.

    Raises:
        MalformedAnswer: it names no order, or more than one.
    """
    result = object_of(payload, "AddOrder")
    txids = result.get("txid")
    if not isinstance(txids, list) or len(txids) != 1 or not isinstance(txids[0], str) or not txids[0]:
        raise MalformedAnswer("AddOrder: not the id of one order")
    return Ack(order_id=txids[0], client_order_id=str(result.get("cl_ord_id") or "") or None)


def rfc3339(moment: datetime) -> str:
    """Return an aware time as Kraken takes deadlines, in milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _price(raw: object) -> Decimal | None:
    """Return a price; a trailing stop states a distance instead, and 0 stands for none."""
    try:
        price = decimal_or_none(raw)
    except NumberError:
        return None
    return price if price is not None and price > 0 else None
