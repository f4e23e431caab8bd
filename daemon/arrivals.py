"""The alarm for a transfer that does not arrive: raised once, over any restart, and resolved with its fate.

A transfer between wallets of one account takes seconds. One of which nothing is known for longer is money
that may be in neither: nothing else is moved in meanwhile, and a person must look where it is.
"""

from datetime import datetime, timedelta

from brokers.models import AccountId
from daemon.logs import logger
from daemon.risk.reason import Reason
from database.journal import Journal
from database.records import Event, Transfer, TransferState

LATE_AFTER = timedelta(seconds=60)
PREFIX = "transfer:"

UNKNOWN = f"sent more than {LATE_AFTER.total_seconds():.0f} s ago, and nobody knows what became of it"
ARRIVED = {
    TransferState.COMPLETED: "it has arrived",
    TransferState.REJECTED: "the venue has refused it",
    TransferState.ABSENT: "the venue never had it",
}


def watch_arrivals(journal: Journal, account: AccountId, now: datetime) -> None:
    """Alarm for each transfer that is late, and resolve the alarm of each whose fate is known."""
    told = {
        latch.name.removeprefix(PREFIX)
        for latch in journal.latches.of(account)
        if latch.name.startswith(PREFIX)
    }
    under_way = journal.transfers.in_flight(account)
    late = [
        transfer
        for transfer in under_way
        if transfer.client_id not in told and now - transfer.created_at > LATE_AFTER
    ]
    settled = [journal.transfers.get(one) for one in sorted(told - {one.client_id for one in under_way})]
    if not late and not settled:
        return
    with journal.transaction():
        for transfer in late:
            journal.latches.set(account, PREFIX + transfer.client_id, now, reason=Reason.TRANSFER_LATE.value)
            journal.outbox.append(_event(transfer, "transfer_late", Reason.TRANSFER_LATE, now, UNKNOWN))
        for known in settled:
            if known is not None:
                reason = Reason.TRANSFER_SETTLED
                journal.latches.clear(account, PREFIX + known.client_id, now, reason=reason.value)
                journal.outbox.append(
                    _event(known, "transfer_late_resolved", reason, now, ARRIVED[known.state])
                )
    for transfer in late:
        logger().critical(
            "transfer_late",
            account=account,
            amount=f"{transfer.amount} {transfer.currency}",
            why=UNKNOWN,
            next="look at the venue's transfers; nothing more is moved in until its fate is known",
        )
    for known in settled:
        if known is not None:
            logger().warning("transfer_late_resolved", account=account, why=ARRIVED[known.state])


def _event(transfer: Transfer, kind: str, reason: Reason, now: datetime, what: str) -> Event:
    return Event(
        time=now,
        kind=kind,
        message=f"{transfer.amount} {transfer.currency} from the funding wallet: {what}",
        account=transfer.account,
        reason=reason.value,
        episode=transfer.episode,
        step=transfer.step,
        detail=transfer.values(),
    )
