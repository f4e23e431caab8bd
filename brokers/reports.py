"""From a venue's answer to the reports of the port: what became of each order."""

from collections.abc import Sequence

from brokers.answers import Reply
from brokers.hooks import Ack, CancelBatch, Receipt, RowResult
from brokers.orders import CancelReport, OrderReport, ReduceOrder, Repayment, RepaymentReport, Verdict
from brokers.outcomes import OutcomeTable, Write, classify


def order_report(order: ReduceOrder, verdict: Verdict, ack: Ack | None, reply: Reply) -> OrderReport:
    """Say what became of `order`: ACCEPTED only with the venue's id and an echo of what was sent."""
    code, message = reply.code, reply.message
    if verdict is Verdict.ACCEPTED:
        fault = "answer of a foreign shape" if ack is None else _mismatch(order, ack)
        if fault is not None:
            verdict, message, ack = Verdict.UNKNOWN, fault, None
    if ack is None or verdict is not Verdict.ACCEPTED:
        return OrderReport(
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            verdict=verdict,
            code=code,
            message=message,
        )
    return OrderReport(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        verdict=verdict,
        state=ack.state,
        order_id=ack.order_id,
        filled=ack.filled,
        average_price=ack.average_price,
        fee=ack.fee,
    )


def _mismatch(order: ReduceOrder, ack: Ack) -> str | None:
    """Return what the venue echoed differently from what was sent, or that it gave no id."""
    if not ack.order_id:
        return "the venue gave no order id"
    echoes = {
        "client id": (ack.client_order_id, order.client_order_id),
        "symbol": (ack.symbol, order.symbol),
        "side": (ack.side, order.side),
        "quantity": (ack.quantity, order.quantity),
    }
    wrong = [name for name, (echo, sent) in echoes.items() if echo is not None and echo != sent]
    return f"the venue echoes another {' and '.join(wrong)}" if wrong else None


def cancel_reports(
    table: OutcomeTable, batch: CancelBatch, reply: Reply, rows: Sequence[RowResult] | None
) -> tuple[CancelReport, ...]:
    """Say what became of every order of `batch`, in its order.

    `rows` are what the answer says per order (`None`: it says nothing per order). They are matched by order
    id; an order that no row names is UNKNOWN.
    """
    by_id = {row.order_id: row for row in rows or ()}
    whole = classify(table, Write.CANCEL, reply)
    reports = []
    for order in batch.orders:
        row = by_id.get(order.order_id)
        verdict, code, message = whole, reply.code, reply.message
        if row is not None:
            code, message = row.code, row.message
            verdict = Verdict.ACCEPTED if code is None else table.verdict_of(Write.CANCEL, code)
        elif whole is Verdict.ACCEPTED:
            verdict, message = Verdict.UNKNOWN, "the answer does not name this order"
        reports.append(
            CancelReport(
                order_id=order.order_id, symbol=order.symbol, verdict=verdict, code=code, message=message
            )
        )
    return tuple(reports)


def repayment_report(
    repayment: Repayment, verdict: Verdict, receipt: Receipt | None, reply: Reply
) -> RepaymentReport:
    """Say what became of `repayment`: a success whose receipt cannot be read is UNKNOWN."""
    if verdict is not Verdict.ACCEPTED:
        return RepaymentReport(repayment=repayment, verdict=verdict, code=reply.code, message=reply.message)
    if receipt is None:
        message = "answer of a foreign shape"
        return RepaymentReport(repayment=repayment, verdict=Verdict.UNKNOWN, message=message)
    return RepaymentReport(
        repayment=repayment, verdict=receipt.verdict, repaid=receipt.repaid, message=receipt.message
    )
