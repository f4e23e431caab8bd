"""`POST /api/v5/account/spot-manual-borrow-repay`: debt of spot mode given back out of the same currency.

OKX takes it in spot mode only. In multi-currency and portfolio margin a liability is a balance below zero:
what comes in covers it by itself, and there is nothing to call.

Source: OKX docs, "Manual borrow / repay".
"""

from decimal import Decimal

from brokers.errors import MalformedAnswer
from brokers.fields import Fields
from brokers.hooks import Receipt
from brokers.numbers import ZERO, decimal_or_none, plain
from brokers.orders import Repayment
from brokers.profile import Json, Request
from brokers.venues.okx.account import AccountLevel
from brokers.venues.okx.envelope import row_of

REPAY = "repay"


def repay_request(repayment: Repayment) -> Request:
    """Build the call."""
    return Request(
        call="privatePostAccountSpotManualBorrowRepay",
        params={"ccy": repayment.currency, "side": REPAY, "amt": plain(repayment.amount)},
    )


def read_receipt(repayment: Repayment, payload: Json) -> Receipt:
    """Read the answer, which echoes what was asked for.

    Raises:
        MalformedAnswer: it is about something else.
        NumberError: the amount is damaged.
    """
    row = row_of(payload, "account/spot-manual-borrow-repay")
    if row.get("ccy") not in {None, repayment.currency} or row.get("side") not in {None, REPAY}:
        raise MalformedAnswer("account/spot-manual-borrow-repay: the row of another request")
    return Receipt(repaid=decimal_or_none(row.get("amt")))


def repayable(fields: Fields, owed: Decimal | None, level: AccountLevel | None) -> Decimal | None:
    """Return min(liability, available balance), >= 0; `None` outside spot mode and where not stated."""
    if level is not AccountLevel.SPOT or owed is None:
        return None
    available = fields.optional("availBal")
    return None if available is None else max(min(abs(owed), available), ZERO)
