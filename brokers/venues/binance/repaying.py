"""Margin loans given back out of the same asset: the call, its answer, and how much there is for it.

`POST /papi/v1/repayLoan` takes the loan's own asset from the cross margin side of a portfolio margin account.
`/papi/v1/margin/repay-debt` is not used: it may take other assets, too.

Source: Binance docs, Portfolio Margin "Margin Account Repay", "Margin Account Repay Debt".
"""

from decimal import Decimal

from brokers.errors import MalformedAnswer
from brokers.fields import mapping_from
from brokers.hooks import Receipt
from brokers.numbers import ZERO, plain
from brokers.orders import Repayment
from brokers.profile import Json, Request


def portfolio_request(repayment: Repayment) -> Request:
    """Build the call of a portfolio margin account."""
    params = {"asset": repayment.currency, "amount": plain(repayment.amount)}
    return Request(call="papiPostRepayLoan", params=params, cost=100)


def read_receipt(payload: Json) -> Receipt:
    """Read the answer: a transaction id and nothing else.

    Raises:
        MalformedAnswer: there is none.
    """
    number = mapping_from(payload, "the repayment").get("tranId")
    if number in {None, ""}:
        raise MalformedAnswer("the repayment: no tranId")
    return Receipt(message=f"tranId {number}")


def repayable(borrowed: Decimal | None, interest: Decimal | None, free: Decimal | None) -> Decimal | None:
    """Return min(loan and interest, what is free on the cross margin side), >= 0; `None`: not stated."""
    if borrowed is None or free is None:
        return None
    return max(min(borrowed + (interest or ZERO), free), ZERO)
