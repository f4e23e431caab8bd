from datetime import UTC, datetime
from decimal import Decimal

import pytest

from brokers.answers import Reply
from brokers.errors import OutcomeUnknown, RequestRefused
from brokers.hooks import Ack, CancelBatch, RowResult
from brokers.models import ContractKind, MarginMode, OrderSide, Position, Side, Symbol
from brokers.orders import ClientOrderId, OpenOrder, OrderBook, OrderState, ReduceOrder, Verdict
from brokers.outcomes import BYBIT
from brokers.profile import Request
from brokers.reports import cancel_reports, order_report

POSITION = Position(
    symbol=Symbol("BTCUSDT"),
    unit="account",
    side=Side.LONG,
    quantity=Decimal(2),
    settle="USDT",
    kind=ContractKind.LINEAR,
    margin_mode=MarginMode.CROSS,
    hedged=False,
    entry_price=None,
    mark_price=None,
    notional=None,
    initial_margin=None,
    maintenance_margin=None,
    unrealized_pnl=None,
)
ORDER = ReduceOrder(
    position=POSITION,
    quantity=Decimal(1),
    client_order_id=ClientOrderId("a" * 32),
    deadline=datetime(2026, 1, 1, tzinfo=UTC),
)
OK = Reply(payload={}, status=200)
WHOLE = {
    "order_id": "7",
    "client_order_id": "a" * 32,
    "symbol": "BTCUSDT",
    "side": OrderSide.SELL,
    "quantity": Decimal("1.0"),
}


def test_a_full_echo_is_accepted_with_what_the_venue_says() -> None:
    ack = Ack(**WHOLE, state=OrderState.FILLED, filled=Decimal(1), average_price=Decimal(9))
    report = order_report(ORDER, Verdict.ACCEPTED, ack, OK)
    assert (report.verdict, report.order_id, report.state) == (Verdict.ACCEPTED, "7", OrderState.FILLED)
    assert (report.filled, report.average_price) == (Decimal(1), Decimal(9))


def test_an_echo_that_is_not_there_is_not_required() -> None:
    assert order_report(ORDER, Verdict.ACCEPTED, Ack(order_id="7"), OK).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("field", "echo"),
    [
        ("order_id", None),
        ("order_id", ""),
        ("client_order_id", "b" * 32),
        ("symbol", "ETHUSDT"),
        ("side", OrderSide.BUY),
        ("quantity", Decimal(2)),
    ],
)
def test_without_an_id_or_with_another_echo_it_is_unknown(field: str, echo: object) -> None:
    report = order_report(ORDER, Verdict.ACCEPTED, Ack(**(WHOLE | {field: echo})), OK)
    assert report.verdict is Verdict.UNKNOWN
    assert report.order_id is None
    assert report.message


def test_an_answer_that_cannot_be_read_is_unknown() -> None:
    assert order_report(ORDER, Verdict.ACCEPTED, None, OK).verdict is Verdict.UNKNOWN


def test_a_rejection_carries_code_and_message_and_no_state() -> None:
    reply = Reply(status=200, code="110007", message="no margin", failure=RequestRefused("", code="110007"))
    report = order_report(ORDER, Verdict.REJECTED, None, reply)
    assert (report.verdict, report.code, report.message) == (Verdict.REJECTED, "110007", "no margin")
    assert report.state is None


def resting(order_id: str) -> OpenOrder:
    return OpenOrder(
        order_id=order_id,
        client_order_id=None,
        symbol=Symbol("BTCUSDT"),
        side=OrderSide.BUY,
        quantity=Decimal(1),
        price=Decimal(1),
        reduce_only=False,
        book=OrderBook.ACTIVE,
        kind="Limit",
    )


BATCH = CancelBatch(request=Request(call="cancel"), orders=(resting("1"), resting("2"), resting("3")))


def verdicts(reply: Reply, rows: list[RowResult] | None) -> list[Verdict]:
    reports = cancel_reports(BYBIT, BATCH, reply, rows)
    assert [report.order_id for report in reports] == ["1", "2", "3"]
    return [report.verdict for report in reports]


def test_a_batch_is_judged_row_by_row_and_a_missing_row_is_unknown() -> None:
    rows = [RowResult(order_id="2", code="110001"), RowResult(order_id="1", code=None)]
    assert verdicts(OK, rows) == [Verdict.ACCEPTED, Verdict.REJECTED, Verdict.UNKNOWN]


def test_an_unreviewed_row_code_is_unknown() -> None:
    rows = [RowResult(order_id=str(n), code="999999") for n in (1, 2, 3)]
    assert verdicts(OK, rows) == [Verdict.UNKNOWN] * 3


def test_an_answer_that_says_nothing_per_order_is_unknown_even_when_it_worked() -> None:
    assert verdicts(OK, None) == [Verdict.UNKNOWN] * 3


def test_a_refused_batch_is_rejected_as_a_whole() -> None:
    reply = Reply(status=200, code="10003", failure=RequestRefused("", code="10003"))
    assert verdicts(reply, None) == [Verdict.REJECTED] * 3


def test_a_batch_without_an_answer_is_unknown_as_a_whole() -> None:
    assert verdicts(Reply(failure=OutcomeUnknown("")), None) == [Verdict.UNKNOWN] * 3
