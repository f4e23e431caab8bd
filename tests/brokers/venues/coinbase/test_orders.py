from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.answers import Reply
from brokers.errors import MalformedAnswer, NotSupported
from brokers.models import AccountSnapshot, OrderSide
from brokers.orders import OpenOrder, OrderBook, OrderState, ReduceOrder, Verdict
from brokers.outcomes import COINBASE
from brokers.reports import cancel_reports, order_report
from brokers.venues.coinbase.account import own_row
from brokers.venues.coinbase.cancelling import cancel_batches, read_cancel_rows
from brokers.venues.coinbase.orders import close_request, read_ack, read_open_order, read_report

Seen = Callable[..., AccountSnapshot]
Row = dict[str, Any]
D = Decimal
OWN = "0123456789abcdef0123456789abcdef"
BIT = "BIT-26APR24-CDE"


def row(**changes: object) -> Row:
    """Coinbase's sample of an open order, on a future."""
    return {
        "order_id": "9bc1eb3b-5b46-4b71-9628-ae2ed0cca75b",
        "product_id": BIT,
        "order_configuration": {
            "limit_limit_gtc": {"base_size": "3", "limit_price": "60000", "post_only": False}
        },
        "side": "BUY",
        "client_order_id": OWN,
        "status": "OPEN",
        "filled_size": "1",
        "average_filled_price": "60000",
        "total_fees": "0.4",
        "trigger_status": "INVALID_ORDER_TYPE",
        "order_type": "LIMIT",
        "reject_reason": "REJECT_REASON_UNSPECIFIED",
        "reject_message": "",
        **changes,
    }


def stop(size: str = "2", kind: str = "stop_limit_stop_limit_gtc", **more: object) -> Row:
    figures = {"base_size": size, "limit_price": "64000", "stop_price": "65000", **more}
    return row(
        side="SELL", order_configuration={kind: figures}, trigger_status="STOP_PENDING", filled_size="0"
    )


def test_a_resting_order_is_read_with_what_is_left_of_it() -> None:
    found = read_open_order(row(), ())
    assert (found.side, found.quantity, found.price) == (OrderSide.BUY, D(2), D(60000))
    assert (found.book, found.kind, found.reduce_only) == (OrderBook.ACTIVE, "limit_limit_gtc", False)


def test_of_several_configurations_the_one_that_is_filled_in_counts() -> None:
    configuration = {"market_market_ioc": None, "limit_limit_gtd": {"base_size": "3", "limit_price": "5"}}
    assert read_open_order(row(order_configuration=configuration), ()).kind == "limit_limit_gtd"


def test_a_stop_no_larger_than_the_position_it_faces_is_protection(seen: Seen) -> None:
    held = seen().positions  # long 2
    assert read_open_order(stop("2"), held).is_protective
    assert read_open_order(stop("2"), held).price == D(65000)
    assert not read_open_order(stop("3"), held).is_protective, "it would turn the position around"
    assert not read_open_order({**stop("2"), "side": "BUY"}, held).is_protective
    assert not read_open_order({**stop("2"), "product_id": "OTHER"}, held).is_protective
    assert not read_open_order(stop("2"), ()).is_protective, "nothing is held that it could protect"


def test_what_the_venue_itself_binds_to_the_position_is_protection() -> None:
    assert read_open_order(stop("9", reduce_only=True), ()).is_protective
    assert read_open_order(stop("9", "trigger_bracket_gtc"), ()).is_protective


def test_a_triggered_stop_is_a_resting_order(seen: Seen) -> None:
    found = read_open_order({**stop(), "trigger_status": "STOP_TRIGGERED"}, seen().positions)
    assert (found.book, found.price) == (OrderBook.ACTIVE, D(64000))


@pytest.mark.parametrize("name", ["order_id", "product_id", "side"])
def test_an_order_without_its_names_is_no_order(name: str) -> None:
    with pytest.raises(MalformedAnswer):
        read_open_order(row(**{name: ""}), ())


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("OPEN", OrderState.OPEN),
        ("PENDING", OrderState.OPEN),
        ("CANCEL_QUEUED", OrderState.OPEN),
        ("FILLED", OrderState.FILLED),
        ("CANCELLED", OrderState.CANCELLED),
        ("EXPIRED", OrderState.CANCELLED),
        ("FAILED", OrderState.REJECTED),
    ],
)
def test_an_orders_state_is_the_venues(status: str, state: OrderState) -> None:
    report = read_report(row(status=status), OWN, BIT)
    assert (report.verdict, report.state, report.filled) == (Verdict.ACCEPTED, state, D(1))
    assert (report.average_price, report.fee) == (D(60000), D("0.4"))


def test_nothing_filled_has_no_average_price() -> None:
    report = read_report(row(filled_size="0", average_filled_price="0"), OWN, BIT)
    assert (report.filled, report.average_price) == (D(0), None)


@pytest.mark.parametrize(
    "changes", [{"status": "UNKNOWN_ORDER_STATUS"}, {"client_order_id": "x"}, {"product_id": "OTHER"}]
)
def test_a_foreign_row_proves_nothing(changes: Row) -> None:
    with pytest.raises(MalformedAnswer):
        read_report(row(**changes), OWN, BIT)


@pytest.fixture
def order(seen: Seen) -> Callable[..., ReduceOrder]:
    """Build an order that closes one of the two contracts."""

    def build(**changes: Any) -> ReduceOrder:  # noqa: ANN401
        [position] = seen().positions
        deadline = datetime(2024, 4, 1, 12, tzinfo=UTC) + timedelta(seconds=4)
        usual = {"quantity": D(1), "client_order_id": OWN, "deadline": deadline}
        return ReduceOrder(position=position, **{**usual, **changes})

    return build


def test_a_position_is_cut_by_its_own_call_and_always_with_a_size(order: Callable[..., ReduceOrder]) -> None:
    request = close_request(order())
    assert request.call == "v3PrivatePostBrokerageOrdersClosePosition"
    assert request.params == {"client_order_id": OWN, "product_id": BIT, "size": "1"}


def test_a_price_is_refused_before_anything_is_sent(order: Callable[..., ReduceOrder]) -> None:
    with pytest.raises(NotSupported):
        close_request(order(limit_price=D(70000)))


def ack(**changes: object) -> Row:
    success = {"order_id": "52cfe5e2", "product_id": BIT, "side": "SELL", "client_order_id": OWN, **changes}
    return {
        "success": True,
        "success_response": success,
        "order_configuration": {"market_market_ioc": {"base_size": "1"}},
    }


def verdict(order: ReduceOrder, payload: Row) -> Verdict:
    return order_report(
        order, Verdict.ACCEPTED, read_ack(payload), Reply(payload=payload, status=200)
    ).verdict


def test_an_acknowledgement_that_echoes_the_order_is_acceptance(order: Callable[..., ReduceOrder]) -> None:
    assert verdict(order(), ack()) is Verdict.ACCEPTED
    assert verdict(order(), ack(side="")) is Verdict.ACCEPTED, "Coinbase's sample leaves it empty"
    assert verdict(order(), {**ack(), "order_configuration": None}) is Verdict.ACCEPTED


@pytest.mark.parametrize(
    "changes", [{"product_id": "OTHER"}, {"client_order_id": "x"}, {"side": "BUY"}, {"order_id": ""}]
)
def test_another_orders_echo_is_no_acceptance(order: Callable[..., ReduceOrder], changes: Row) -> None:
    assert verdict(order(), ack(**changes)) is Verdict.UNKNOWN


def test_an_earlier_order_of_another_size_is_no_acceptance(order: Callable[..., ReduceOrder]) -> None:
    earlier = {**ack(), "order_configuration": {"market_market_ioc": {"base_size": "2"}}}
    assert verdict(order(), earlier) is Verdict.UNKNOWN


@pytest.mark.parametrize("payload", [{}, {"success": None}, {"success": True}, [], {"orders": []}])
def test_a_success_that_does_not_say_so_is_foreign(payload: object) -> None:
    with pytest.raises(MalformedAnswer):
        read_ack(payload)


def resting(count: int) -> list[OpenOrder]:
    return [read_open_order(row(order_id=f"order-{n}"), ()) for n in range(count)]


def test_a_hundred_orders_are_cancelled_by_one_call() -> None:
    batches = cancel_batches(resting(250))
    assert [len(batch.orders) for batch in batches] == [100, 100, 50]
    assert batches[2].request.params == {"order_ids": [f"order-{n}" for n in range(200, 250)]}
    assert cancel_batches([]) == ()


def test_a_batch_that_failed_in_part_is_told_apart_row_by_row() -> None:
    [batch] = cancel_batches(resting(4))
    results = [
        {"success": True, "failure_reason": "UNKNOWN_CANCEL_FAILURE_REASON", "order_id": "order-0"},
        {"success": False, "failure_reason": "UNKNOWN_CANCEL_ORDER", "order_id": "order-1"},
        {"success": False, "failure_reason": "UNKNOWN_CANCEL_FAILURE_REASON", "order_id": "order-2"},
    ]
    reply = Reply(payload={"results": results}, status=200)
    reports = cancel_reports(COINBASE, batch, reply, read_cancel_rows(reply.payload))
    assert [report.verdict for report in reports] == [
        Verdict.ACCEPTED,
        Verdict.REJECTED,
        Verdict.UNKNOWN,
        Verdict.UNKNOWN,  # not named at all
    ]


def test_a_row_that_does_not_say_success_is_none() -> None:
    assert read_cancel_rows({"results": [{"order_id": "a", "success": "true"}]})[0].code is not None
    assert read_cancel_rows({}) is None


@pytest.mark.parametrize("said", [None, "true", 1, False])
def test_an_order_that_is_not_said_to_be_created_is_not_acknowledged(said: object) -> None:
    answer = {"success": said, "success_response": {"order_id": "1", "client_order_id": OWN}}
    assert read_ack({**answer, "success": True}).order_id == "1"
    with pytest.raises(MalformedAnswer, match="without success"):
        read_ack(answer)
    del answer["success"]
    with pytest.raises(MalformedAnswer, match="without success"):
        read_ack(answer)


def test_of_two_orders_with_one_client_id_neither_is_taken() -> None:
    same, other = row(order_id="1"), row(order_id="2")
    assert own_row([same, row(order_id="3", client_order_id="else"), same], OWN) == same
    assert own_row([row(client_order_id="else")], OWN) is None
    with pytest.raises(MalformedAnswer, match="two orders"):
        own_row([same, other], OWN)
    nameless = row(order_id="4")
    del nameless["client_order_id"]
    with pytest.raises(MalformedAnswer, match="without its client id"):
        own_row([nameless], OWN)
