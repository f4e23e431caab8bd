from collections.abc import Callable
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest

from brokers.answers import Reply
from brokers.errors import MalformedAnswer, NotSupported
from brokers.hooks import CancelBatch
from brokers.models import AccountSnapshot, MarketRules, OrderSide, Symbol
from brokers.orders import ClientOrderId, OpenOrder, OrderBook, OrderState, ReduceOrder
from brokers.outcomes import KRAKEN_SPOT
from brokers.reports import cancel_reports
from brokers.venues.kraken.spot.cancelling import cancel_batches, read_count
from brokers.venues.kraken.spot.markets import find_rules
from brokers.venues.kraken.spot.orders import order_params, read_ack, read_open_order, read_report

Markets = MappingProxyType[Symbol, MarketRules]
Reduce = Callable[..., ReduceOrder]
D = Decimal
OWN_ID = ClientOrderId("0123456789abcdef0123456789abcdef")


def terms(**more: object) -> dict[str, object]:
    usual = {"pair": "XBTUSD", "type": "sell", "ordertype": "limit", "price": "70000.0", "price2": "0"}
    return usual | {"leverage": "5:1", **more}


def row(descr: dict[str, object] | None = None, **more: object) -> dict[str, Any]:
    """A row of `OpenOrders`, as Kraken documents it."""
    usual = {"cl_ord_id": None, "status": "open", "opentm": 1733815269.37, "vol": "0.5", "vol_exec": "0.1"}
    return {**usual, "descr": descr or terms(), "price": "0.00000", "fee": "0.00000", **more}


# ---------------------------------------------------------------- what is sent


def test_a_reduction_is_a_margin_order_that_can_only_reduce(reduce_btc: Reduce, markets: Markets) -> None:
    order = reduce_btc()
    assert order_params(order, find_rules("XXBTZUSD", markets)) == {
        "pair": "XXBTZUSD",
        "type": "sell",
        "ordertype": "market",
        "volume": "0.0004",
        "leverage": "5",
        "reduce_only": "true",
        "cl_ord_id": OWN_ID,
        "deadline": "2026-03-02T12:00:07.000Z",
    }
    limited = order_params(reduce_btc(price="29000.5"), find_rules("XXBTZUSD", markets))
    assert (limited["ordertype"], limited["price"], limited["timeinforce"]) == ("limit", "29000.5", "IOC")


@pytest.mark.parametrize(
    ("margin", "side", "leverage"),
    [
        ("17.5885", "buy", "2"),
        ("8.79425", "buy", "4"),
        ("10.05057", "buy", "3"),
        ("7.0355", "buy", "5"),
        ("3.5177", "buy", "5"),
        ("30", "buy", "2"),
        ("7.0354", "sell", "5"),
    ],
)
def test_the_leverage_is_the_positions_own_or_the_next_one_listed_below(
    reduce_btc: Reduce, markets: Markets, margin: str, side: str, leverage: str
) -> None:
    order = reduce_btc(margin=margin, type=side)
    assert order_params(order, find_rules("XXBTZUSD", markets))["leverage"] == leverage


def test_without_a_listed_leverage_nothing_is_sent(reduce_btc: Reduce, markets: Markets) -> None:
    for rules in (None, find_rules("ADAETH", markets)):
        with pytest.raises(NotSupported, match="spot order"):
            order_params(reduce_btc(), rules)


def test_the_acknowledgement_holds_one_id() -> None:
    assert read_ack({"error": [], "result": {"descr": {"order": "sell"}, "txid": ["OU1"]}}).order_id == "OU1"
    for result in ({"descr": {}}, {"txid": []}, {"txid": ["O1", "O2"]}, {"txid": "O1"}, {"txid": [None]}):
        with pytest.raises(MalformedAnswer):
            read_ack({"error": [], "result": result})


# ---------------------------------------------------------------- open orders


def open_order(raw: dict[str, Any], markets: Markets, held: AccountSnapshot | None = None) -> OpenOrder:
    return read_open_order("O1", raw, markets, held.positions if held else ())


def test_an_open_order_is_read_with_what_is_left_of_it(markets: Markets) -> None:
    order = open_order(row(reduce_only=True, cl_ord_id="mine"), markets)
    assert (order.symbol, order.side, order.quantity, order.price) == (
        "XXBTZUSD",
        OrderSide.SELL,
        D("0.4"),
        D(70000),
    )
    assert (order.book, order.reduce_only, order.client_order_id) == (OrderBook.ACTIVE, True, "mine")
    assert not order.is_protective


@pytest.mark.parametrize(
    "kind",
    [
        "stop-loss",
        "take-profit",
        "stop-loss-limit",
        "take-profit-limit",
        "trailing-stop",
        "trailing-stop-limit",
    ],
)
def test_reduce_only_stops_of_every_kind_are_protection(markets: Markets, kind: str) -> None:
    price = "+5.0000%" if kind.startswith("trailing") else "60000"
    order = open_order(row(terms(ordertype=kind, price=price), reduce_only="true"), markets)
    assert order.is_protective
    assert order.price == (None if kind.startswith("trailing") else D(60000))
    assert not open_order(row(terms(ordertype=kind), reduce_only=False), markets).is_protective


def test_a_stop_without_the_flag_is_protection_only_against_what_is_held(
    markets: Markets, see: Callable[..., AccountSnapshot]
) -> None:
    stop, entry = row(terms(ordertype="stop-loss")), row(terms(ordertype="stop-loss", type="buy"))
    assert open_order(stop, markets, see()).is_protective
    assert not open_order(stop, markets).is_protective
    assert not open_order(entry, markets, see()).is_protective
    assert not open_order(row(), markets, see()).reduce_only


def test_a_spot_order_can_only_sell_what_is_there(markets: Markets) -> None:
    assert open_order(row(terms(leverage="none", ordertype="stop-loss")), markets).is_protective
    assert not open_order(row(terms(leverage="none", type="buy", ordertype="stop-loss")), markets).reduce_only


@pytest.mark.parametrize("descr", [terms(pair=""), terms(type="short"), terms(ordertype=None), {}])
def test_an_order_without_name_or_side_is_no_order(markets: Markets, descr: dict[str, object]) -> None:
    with pytest.raises(MalformedAnswer):
        open_order(row(descr or {"pair": None}), markets)


# ---------------------------------------------------------------- looked up


@pytest.mark.parametrize(
    ("status", "filled", "state"),
    [
        ("pending", "0", OrderState.OPEN),
        ("open", "0.1", OrderState.OPEN),
        ("closed", "0.5", OrderState.FILLED),
        ("closed", "0.2", OrderState.CANCELLED),
        ("canceled", "0.2", OrderState.CANCELLED),
        ("expired", "0", OrderState.CANCELLED),
    ],
)
def test_a_looked_up_order_tells_what_became_of_it(status: str, filled: str, state: OrderState) -> None:
    ours = row(cl_ord_id=OWN_ID, status=status, vol_exec=filled, price="30000.5", fee="0.39")
    report = read_report({"O9": row(cl_ord_id="other"), "O1": ours}, OWN_ID, Symbol("XXBTZUSD"))
    assert report is not None
    assert (report.order_id, report.state, report.filled, report.fee) == ("O1", state, D(filled), D("0.39"))
    assert report.average_price == (D("30000.5") if D(filled) else None)


def test_a_row_without_our_id_is_known_by_krakens() -> None:
    silent = row(status="closed", vol_exec="0.5")
    del silent["cl_ord_id"]
    rows = {"O1": silent, "O2": row(cl_ord_id="other", status="closed", vol_exec="0.5")}
    report = read_report(rows, OWN_ID, Symbol("XXBTZUSD"), "O1")
    assert report is not None
    assert (report.order_id, report.state) == ("O1", OrderState.FILLED)
    assert read_report(rows, OWN_ID, Symbol("XXBTZUSD"), None) is None
    assert read_report(rows, OWN_ID, Symbol("XXBTZUSD"), "O2") is None, "the id of another speaks first"


def test_of_two_orders_with_one_id_the_newer_counts() -> None:
    rows = {"O1": row(cl_ord_id=OWN_ID, opentm=5.0), "O2": row(cl_ord_id=OWN_ID, opentm=9.0)}
    report = read_report(rows, OWN_ID, Symbol("XXBTZUSD"))
    assert report is not None
    assert report.order_id == "O2"


def test_an_order_that_is_not_in_the_list_is_not_known_and_a_strange_state_is_no_answer() -> None:
    assert read_report({"O1": row(cl_ord_id=None)}, OWN_ID, Symbol("XXBTZUSD")) is None
    with pytest.raises(MalformedAnswer, match="amended"):
        read_report({"O1": row(cl_ord_id=OWN_ID, status="amended")}, OWN_ID, Symbol("XXBTZUSD"))


# ---------------------------------------------------------------- cancelling


def orders(count: int) -> list[OpenOrder]:
    return [
        OpenOrder(
            order_id=f"O{n}",
            client_order_id=None,
            symbol=Symbol("XXBTZUSD"),
            side=OrderSide.BUY,
            quantity=D(1),
            price=D(1),
            reduce_only=False,
            book=OrderBook.ACTIVE,
            kind="limit",
        )
        for n in range(count)
    ]


def test_a_few_orders_are_cancelled_one_by_one_and_many_fifty_at_a_time() -> None:
    assert [len(batch.orders) for batch in cancel_batches(orders(5))] == [1] * 5
    assert [len(batch.orders) for batch in cancel_batches(orders(6))] == [6]
    assert [len(batch.orders) for batch in cancel_batches(orders(60), singly=True)] == [1] * 60
    batches = cancel_batches(orders(101))
    assert [len(batch.orders) for batch in batches] == [50, 50, 1]
    assert batches[0].request.call == "privatePostCancelOrderBatch"
    assert batches[0].request.params == {"orders": [f"O{n}" for n in range(50)]}
    assert (batches[2].request.call, batches[2].request.params) == (
        "privatePostCancelOrder",
        {"txid": "O100"},
    )


@pytest.mark.parametrize(
    ("count", "pending", "verdict", "benign"),
    [
        (7, False, "accepted", False),
        (2, False, "unknown", False),
        (0, False, "rejected", True),
        (7, True, "unknown", False),
    ],
)
def test_a_count_speaks_for_all_of_a_batch_or_for_none(
    count: int,
    pending: bool,  # noqa: FBT001 - pytest passes it by name
    verdict: str,
    benign: bool,  # noqa: FBT001
) -> None:
    batch: CancelBatch = cancel_batches(orders(7))[0]
    payload = {"error": [], "result": {"count": count, "pending": pending}}
    reply = Reply(payload=payload, status=200)
    reports = cancel_reports(KRAKEN_SPOT, batch, reply, read_count(batch, payload))
    assert {report.verdict for report in reports} == {verdict}
    assert {report.code == "EOrder:Unknown order" for report in reports} == {benign}
