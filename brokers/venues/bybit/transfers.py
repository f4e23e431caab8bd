"""Collateral from the funding wallet: transfer ids, requests and records; pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from uuid import NAMESPACE_OID, UUID, uuid5

from brokers.errors import MalformedAnswer
from brokers.numbers import decimal_from, plain
from brokers.orders import TransferReport, Verdict
from brokers.venues.bybit.envelope import Row, result_of, rows_of, text_or_none

FUNDING = "FUND"
UNIFIED = "UNIFIED"

VERDICTS = {"SUCCESS": Verdict.ACCEPTED, "FAILED": Verdict.REJECTED}
"""`status` of a transfer; `PENDING` and `STATUS_UNKNOWN` prove nothing yet."""


def transfer_uuid(client_id: str) -> str:
    """Return the UUID that Bybit wants as transfer id: `client_id` if it is one, else derived from it."""
    try:
        return str(UUID(hex=client_id))
    except ValueError:
        return str(uuid5(NAMESPACE_OID, client_id))


def transfer_params(
    currency: str, amount: Decimal, client_id: str, to: str = UNIFIED
) -> Mapping[str, object]:
    """Return the body of `POST /v5/asset/transfer/inter-transfer` from funding to the account's wallet `to`.

    A transfer id that was used before is refused, so a repeated transfer moves nothing twice.
    """
    return {
        "transferId": transfer_uuid(client_id),
        "coin": currency,
        "amount": plain(amount),
        "fromAccountType": FUNDING,
        "toAccountType": to,
    }


def read_transfer_id(payload: object) -> str | None:
    """Return the transfer id of an answer whose status, where stated, is success; else `None`."""
    result = result_of(payload, "transfer")
    status = result.get("status")
    if status is not None and VERDICTS.get(status) is not Verdict.ACCEPTED:
        return None
    return text_or_none(result, "transferId")


def read_funding_balance(payload: object, currency: str) -> Decimal:
    """Return what could be transferred out of the funding wallet.

    Raises:
        MalformedAnswer: the venue does not name the coin; that is not the same as having none of it.
        NumberError: the balance is absent or damaged.
    """
    for row in rows_of(payload, "funding balance", "balance"):
        if row.get("coin") == currency:
            return decimal_from(row.get("transferBalance"))
    raise MalformedAnswer(f"funding balance: no row for {currency}")


def find_transfer(
    rows: Sequence[Row], client_id: str, currency: str, amount: Decimal
) -> TransferReport | None:
    """Return the report of the transfer with our id among `rows`, `None` when it is not there.

    Raises:
        MalformedAnswer: the transfer with our id is of another coin or amount, or a row has no id at all: it
            could be ours.
        NumberError: its amount is absent or damaged.
    """
    transfer_id = transfer_uuid(client_id)
    if any(text_or_none(row, "transferId") is None for row in rows):
        raise MalformedAnswer("transfer lookup: a row without its id")
    row = next((row for row in rows if row.get("transferId") == transfer_id), None)
    if row is None:
        return None
    if row.get("coin") != currency or decimal_from(row.get("amount")) != amount:
        raise MalformedAnswer("transfer lookup: the transfer with our id is another one")
    status = text_or_none(row, "status")
    return TransferReport(
        client_id=client_id,
        currency=currency,
        amount=amount,
        verdict=VERDICTS.get(status or "", Verdict.UNKNOWN),
        transfer_id=transfer_id,
        message=status,
    )
