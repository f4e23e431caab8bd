"""Margin orders: none that could borrow, and which resting ones are their owner's protection."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.answers import Reply
from brokers.errors import MalformedAnswer, NotSupported, RequestRefused
from brokers.models import AccountId, ContractKind, MarginMode, OrderSide, Position, Side, Symbol
from brokers.orders import ClientOrderId, OrderBook, OrderState, ReduceOrder, Repayment, Verdict
from brokers.outcomes import Write, classify
from brokers.registry import BrokerSpec, Credentials, open_broker
from brokers.venues.binance import margin_orders
from brokers.venues.binance.margin_outcomes import BINANCE_MARGIN, DUPLICATE, INSUFFICIENT
from brokers.venues.binance.margin_refusals import read_margin_refusal

D = Decimal
BTCUSDT = Symbol("BTCUSDT")
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def position(side: Side, quantity: str, mode: MarginMode = MarginMode.CROSS) -> Position:
    return Position(
        symbol=BTCUSDT,
        unit="account",
        side=side,
        quantity=D(quantity),
        settle="USDT",
        kind=ContractKind.LINEAR,
        margin_mode=mode,
        hedged=False,
        entry_price=None,
        mark_price=D(60_000),
        notional=None,
        initial_margin=None,
        maintenance_margin=None,
        unrealized_pnl=None,
    )


def reduce(side: Side, quantity: str, price: str | None = None) -> ReduceOrder:
    return ReduceOrder(
        position=position(side, quantity),
        quantity=D(quantity),
        client_order_id=ClientOrderId("a" * 32),
        deadline=NOW,
        limit_price=None if price is None else D(price),
    )


def spec(product: str, **more: Any) -> BrokerSpec:  # noqa: ANN401
    return BrokerSpec(
        account_id=AccountId("desk"),
        broker="binance",
        product=product,
        credentials=Credentials(api_key="k", secret="s"),
        endpoint="http://127.0.0.1:1",
        **more,
    )


# ---------------------------------------------------------------- what is sent


@given(
    side=st.sampled_from(Side),
    lots=st.integers(1, 10**8),
    price=st.none() | st.integers(1, 10**7),
    isolated=st.booleans(),
)
def test_no_order_may_borrow(side: Side, lots: int, price: int | None, isolated: bool) -> None:  # noqa: FBT001
    order = reduce(side, str(D(lots) / 100_000), None if price is None else str(price))
    request = margin_orders.order_request(order, isolated=isolated)
    assert request.call == "sapiPostMarginOrder"
    assert isinstance(request.params, dict)
    assert request.params["sideEffectType"] == "AUTO_REPAY"
    assert request.params["isIsolated"] == ("TRUE" if isolated else "FALSE")
    assert request.params["side"] == ("SELL" if side is Side.LONG else "BUY")
    assert D(str(request.params["quantity"])) == order.quantity
    assert "quoteOrderQty" not in request.params
    if price is None:
        assert request.params["type"] == "MARKET"
    else:
        assert (request.params["type"], request.params["timeInForce"]) == ("LIMIT", "IOC")


@pytest.mark.parametrize(
    ("product", "unit", "more"),
    [("cross", "account", {"isIsolated": "FALSE"}),
     ("isolated", "isolated:BTCUSDT", {"isIsolated": "TRUE", "symbol": "BTCUSDT"})],
)  # fmt: skip
async def test_a_repayment_never_borrows_and_names_who_owes(
    product: str, unit: str, more: dict[str, str]
) -> None:
    broker: Any = open_broker(spec(product))
    owed = Repayment(unit=unit, currency="USDT", amount=D("12.50"), client_id="x")
    request = broker.repay_request(owed)
    assert request.call == "sapiPostMarginBorrowRepay"
    assert request.params == {"asset": "USDT", "amount": "12.5", "type": "REPAY", **more}
    await broker.aclose()


async def test_an_isolated_repayment_without_a_pair_is_not_sent() -> None:
    broker: Any = open_broker(spec("isolated"))
    with pytest.raises(NotSupported):
        broker.repay_request(Repayment(unit="account", currency="USDT", amount=D(1), client_id="x"))
    await broker.aclose()


@pytest.mark.parametrize("product", ["cross", "isolated"])
def test_there_is_no_test_environment(product: str) -> None:
    with pytest.raises(NotSupported, match="no test environment"):
        open_broker(BrokerSpec(
            account_id=AccountId("desk"), broker="binance", product=product, testnet=True,
            credentials=Credentials(api_key="k", secret="s"),
        ))  # fmt: skip


# ---------------------------------------------------------------- what answers say


def test_a_documented_answer_is_read_with_its_average_price() -> None:
    """Source: Binance docs, margin trading, "Margin Account New Order", Response RESULT."""
    ack = margin_orders.read_ack(
        {
            "symbol": "BTCUSDT", "orderId": 26769564559, "clientOrderId": "E156O3KP4gOif65bjuUK5V",
            "transactTime": 1713873075893, "price": "0", "origQty": "0.001", "executedQty": "0.001",
            "cummulativeQuoteQty": "65.98253", "status": "FILLED", "timeInForce": "GTC", "type": "MARKET",
            "side": "SELL", "isIsolated": False, "selfTradePreventionMode": "EXPIRE_MAKER",
        }
    )  # fmt: skip
    assert (ack.order_id, ack.side, ack.state) == ("26769564559", OrderSide.SELL, OrderState.FILLED)
    assert (ack.quantity, ack.filled, ack.average_price) == (D("0.001"), D("0.001"), D("65982.53"))


def test_an_unknown_history_has_no_average_price() -> None:
    """Of some old orders the paid amount is stated as below zero: it is not known."""
    row = {"orderId": 1, "executedQty": "1", "cummulativeQuoteQty": "-1", "status": "FILLED"}
    assert margin_orders.read_ack(row).average_price is None
    assert (
        margin_orders.read_ack({**row, "executedQty": "0", "cummulativeQuoteQty": "0"}).average_price is None
    )


@pytest.mark.parametrize(
    ("write", "status", "code", "message", "verdict"),
    [
        (Write.ORDER, 400, -2010, "Account has insufficient balance for requested action.", Verdict.REJECTED),
        (Write.ORDER, 400, -2010, "Duplicate order sent.", Verdict.EXISTS),
        (Write.ORDER, 400, -2010, "Something that was never reviewed.", Verdict.UNKNOWN),
        (Write.ORDER, 400, -2010, "", Verdict.UNKNOWN),
        (Write.ORDER, 400, -1013, "Filter failure: NOTIONAL", Verdict.REJECTED),
        (Write.ORDER, 400, -1021, "Timestamp for this request is outside of it.", Verdict.REJECTED),
        (Write.ORDER, 400, -3041, "Balance is not enough", Verdict.REJECTED),
        (Write.ORDER, 400, -3023, "You can't place order under current margin level.", Verdict.REJECTED),
        (Write.ORDER, 400, -3067, "This asset is currently not a supported margin asset.", Verdict.REJECTED),
        (Write.ORDER, 400, -3044, "System busy.", Verdict.UNKNOWN),
        (Write.ORDER, 400, -1007, "Timeout waiting for response from backend server.", Verdict.UNKNOWN),
        (Write.ORDER, 503, -2010, "Account has insufficient balance for requested action.", Verdict.UNKNOWN),
        (Write.CANCEL, 400, -2011, "Unknown order sent.", Verdict.REJECTED),
        (Write.REPAYMENT, 400, -3015, "Repay amount exceeds borrow amount.", Verdict.REJECTED),
        (Write.REPAYMENT, 400, -3007, "You have pending transaction.", Verdict.REJECTED),
        (Write.REPAYMENT, 400, -3000, "Inner error, please try again later.", Verdict.UNKNOWN),
    ],
)  # fmt: skip
def test_what_a_refusal_proves_goes_by_its_words_where_the_code_is_one_for_all(
    write: Write, status: int, code: int, message: str, verdict: Verdict
) -> None:
    payload = {"code": code, "msg": message}
    failure = read_margin_refusal(status, {}, payload)
    assert failure is not None
    told = getattr(failure, "code", None)
    reply = Reply(payload=payload, status=status, code=told, failure=failure)
    assert classify(BINANCE_MARGIN, write, reply) is verdict


def test_the_words_are_the_venues_own() -> None:
    refused = read_margin_refusal(
        400, {}, {"code": -2010, "msg": "Account has insufficient balance for requested action."}
    )
    assert isinstance(refused, RequestRefused)
    assert refused.code == INSUFFICIENT
    assert DUPLICATE in BINANCE_MARGIN.exists


# ---------------------------------------------------------------- what rests


def row(order_id: int, side: str, kind: str, quantity: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """A row of `GET /sapi/v1/margin/openOrders`, as documented."""
    return {
        "clientOrderId": f"own-{order_id}", "cummulativeQuoteQty": "0", "executedQty": "0", "icebergQty": "0",
        "isWorking": True, "orderId": order_id, "origQty": quantity, "price": "60000", "side": side,
        "status": "NEW", "stopPrice": "50000", "symbol": "BTCUSDT", "isIsolated": False,
        "time": 1562040170089, "timeInForce": "GTC", "type": kind, "updateTime": 1562040170089,
    } | more  # fmt: skip


@pytest.mark.parametrize(
    ("side", "kind", "quantity", "held", "kept"),
    [
        ("SELL", "STOP_LOSS_LIMIT", "1", "1", True),
        ("SELL", "TAKE_PROFIT", "0.5", "1", True),
        ("SELL", "STOP_LOSS", "1.00001", "1", False),  # the rest would be a short
        ("SELL", "STOP_LOSS", "1", "-1", False),
        ("SELL", "STOP_LOSS", "1", "0", False),
        ("BUY", "STOP_LOSS", "1", "-1", True),
        ("BUY", "STOP_LOSS", "1.1", "-1", False),
        ("BUY", "STOP_LOSS", "1", "1", False),
        ("SELL", "LIMIT", "1", "1", False),
        ("SELL", "LIMIT_MAKER", "1", "1", False),
    ],
)
def test_a_stop_is_protection_where_it_only_closes(
    side: str,
    kind: str,
    quantity: str,
    held: str,
    kept: bool,  # noqa: FBT001
) -> None:
    [order] = margin_orders.read_open_orders(
        [row(1, side, kind, quantity)], {}, {BTCUSDT: D(held)}, isolated=False
    )
    assert order.is_protective is kept
    assert order.quantity == D(quantity)


def test_what_is_left_of_a_stop_counts() -> None:
    rows = [row(1, "SELL", "STOP_LOSS_LIMIT", "2", executedQty="1.5")]
    [order] = margin_orders.read_open_orders(rows, {}, {BTCUSDT: D("0.5")}, isolated=False)
    assert (order.quantity, order.is_protective) == (D("0.5"), True)


def test_orders_listed_together_with_a_stop_that_protects_stay_with_it() -> None:
    """Cancelling one order of a list ends all of it."""
    rows = [
        row(1, "SELL", "LIMIT_MAKER", "1"), row(2, "SELL", "STOP_LOSS_LIMIT", "1"),
        row(3, "BUY", "LIMIT_MAKER", "1"), row(4, "BUY", "STOP_LOSS_LIMIT", "1"),
        row(5, "SELL", "LIMIT", "1"),
    ]  # fmt: skip
    lists = margin_orders.read_lists(
        [
            {"orderListId": 9, "contingencyType": "OCO",
             "orders": [{"symbol": "BTCUSDT", "orderId": 1}, {"symbol": "BTCUSDT", "orderId": 2}]},
            {"orderListId": 8, "contingencyType": "OCO",
             "orders": [{"symbol": "BTCUSDT", "orderId": 3}, {"symbol": "BTCUSDT", "orderId": 4}]},
        ]
    )  # fmt: skip
    orders = margin_orders.read_open_orders(rows, lists, {BTCUSDT: D(1)}, isolated=False)
    assert [order.order_id for order in orders if order.is_protective] == ["1", "2"]
    assert [order.book for order in orders] == [
        OrderBook.TRIGGER, OrderBook.TRIGGER, OrderBook.ACTIVE, OrderBook.TRIGGER, OrderBook.ACTIVE,
    ]  # fmt: skip


def test_a_stop_is_not_judged_where_it_is_not_known_what_is_held_or_how_large_it_is() -> None:
    stop = row(1, "SELL", "STOP_LOSS", "1")
    for rows, held in (([stop], None), ([{**stop, "origQty": ""}], {BTCUSDT: D(1)})):
        with pytest.raises(MalformedAnswer):
            margin_orders.read_open_orders(rows, {}, held, isolated=False)
    [limit] = margin_orders.read_open_orders([row(2, "BUY", "LIMIT", "1")], {}, None, isolated=False)
    assert not limit.is_protective


@pytest.mark.parametrize(("isolated", "flag"), [(True, "TRUE"), (False, "FALSE")])
def test_a_cancellation_says_whose_order_it_is(isolated: bool, flag: str) -> None:  # noqa: FBT001
    orders = margin_orders.read_open_orders([row(7, "BUY", "LIMIT", "1")], {}, {}, isolated=isolated)
    [batch] = margin_orders.cancel_batches(orders)
    assert batch.request.call == "sapiDeleteMarginOrder"
    assert batch.request.params == {"symbol": "BTCUSDT", "isIsolated": flag, "orderId": "7"}


def test_the_end_of_a_list_names_every_order_of_it() -> None:
    payload = {"orderListId": 9, "orderReports": [{"orderId": 1}, {"orderId": "2"}]}
    rows = margin_orders.read_cancel(Reply(payload=payload, status=200, code=None, failure=None))
    assert rows is not None
    assert [one.order_id for one in rows] == ["1", "2"]
