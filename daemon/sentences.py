"""What climbing a rung came to, for people and for the journal."""

from collections import Counter
from collections.abc import Sequence

from brokers.orders import CancelReport, OpenOrder, Verdict
from daemon.execution import Ticket
from daemon.risk.decision import Act
from database.records import Intent, Transfer


def order_row(order: OpenOrder) -> dict[str, object]:
    """Return an open order as plain values for the journal."""
    return {
        "order_id": order.order_id,
        "symbol": order.symbol,
        "side": order.side.value,
        "quantity": None if order.quantity is None else str(order.quantity),
        "price": None if order.price is None else str(order.price),
        "reduce_only": order.reduce_only,
        "book": order.book.value,
    }


def cancel_sentence(orders: int, reports: Sequence[CancelReport]) -> str:
    """Return what became of a round of cancellations as one line."""
    verdicts = Counter(report.verdict for report in reports)
    sentence = f"cancelled {verdicts[Verdict.ACCEPTED]} of {orders} open orders"
    if refused := verdicts[Verdict.REJECTED]:
        sentence += f", {refused} refused"
    if unknown := orders - verdicts[Verdict.ACCEPTED] - refused:
        sentence += f", {unknown} without an answer"
    return sentence


def transfer_sentence(transfer: Transfer) -> str:
    """Return what became of a transfer as one line."""
    return f"moved in {transfer.amount} {transfer.currency}: {transfer.state.value}"


def cut_sentence(act: Act, tickets: Sequence[Ticket], intents: Sequence[Intent]) -> str:
    """Return what became of a reducing step as one line."""
    parts = []
    for ticket, intent in zip(tickets, intents, strict=True):
        price = "market" if intent.limit_price is None else f"limit {intent.limit_price}"
        filled = "" if intent.filled is None else f", filled {intent.filled}"
        what = f"{ticket.order.side.value} {intent.quantity} {intent.symbol} {price}"
        parts.append(f"{what}: {intent.state.value}{filled}")
    return f"{act.action.value}: " + "; ".join(parts)
