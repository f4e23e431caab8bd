"""The funding wallet: what lies there, and transfers out of it."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from brokers.errors import MalformedAnswer
from brokers.numbers import ZERO, decimal_from, decimal_or_none, floor_to_step, plain
from brokers.orders import TransferReport, Verdict
from brokers.profile import Json, Request
from brokers.venues.okx.envelope import rows_of

FUNDING, TRADING = "6", "18"
"""OKX's numbers of the funding and the trading account."""

FINEST = Decimal("1e-8")
"""No currency is transferred in finer parts."""

TRANSFER_STATES: Mapping[str, Verdict] = MappingProxyType(
    {"success": Verdict.ACCEPTED, "pending": Verdict.ACCEPTED, "failed": Verdict.REJECTED}
)


def read_funding(payload: Json, currency: str) -> Decimal:
    """Return what can leave the funding wallet, in `currency`.

    OKX lists only currencies with a balance: a complete answer without the currency says that there is none.

    Raises:
        MalformedAnswer: the answer is no list in OKX's envelope.
        NumberError: the available balance is missing or damaged.
    """
    for row in rows_of(payload, "asset/balances"):
        if row.get("ccy") == currency:
            return decimal_from(row.get("availBal"))
    return ZERO


def transfer_request(currency: str, amount: Decimal, client_id: str) -> Request:
    """Return the call that moves `amount` from the funding into the trading account.

    Rounded down to what OKX can represent: rounding up would ask for more than is there.
    """
    return Request(
        call="privatePostAssetTransfer",
        params={
            "ccy": currency,
            "amt": plain(floor_to_step(amount, FINEST)),
            "from": FUNDING,
            "to": TRADING,
            "type": "0",
            "clientId": client_id,
        },
        cost=5,
    )


def read_transfer_state(
    payload: Json, client_id: str, currency: str, amount: Decimal
) -> TransferReport | None:
    """Read `asset/transfer-state`; `None` for a complete answer without a transfer.

    Raises:
        MalformedAnswer: another transfer's row, or a state OKX does not document.
        NumberError: the amount is damaged.
    """
    rows = rows_of(payload, "asset/transfer-state")
    if not rows:
        return None
    row = rows[0]
    if row.get("clientId") not in (None, "", client_id) or row.get("ccy") not in (None, currency):
        raise MalformedAnswer("asset/transfer-state: the row of another transfer")
    stated = decimal_or_none(row.get("amt"))
    if stated not in (None, floor_to_step(amount, FINEST)):
        raise MalformedAnswer("asset/transfer-state: a transfer of another amount")
    verdict = TRANSFER_STATES.get(str(row.get("state") or ""))
    if verdict is None:
        raise MalformedAnswer(f"asset/transfer-state: unknown state {row.get('state')!r}")
    return TransferReport(
        client_id=client_id,
        currency=currency,
        amount=amount,
        verdict=verdict,
        transfer_id=str(row.get("transId") or "") or None,
    )
