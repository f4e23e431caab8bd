"""What of a margin loan could be given back, and what Binance says of it."""

from decimal import Decimal

import pytest

from brokers.errors import MalformedAnswer
from brokers.orders import Repayment, Verdict
from brokers.venues.binance.repaying import portfolio_request, read_receipt, repayable

D = Decimal


@pytest.mark.parametrize(
    ("borrowed", "interest", "free", "back"),
    [
        ("40", "0.5", "100", "40.5"),
        ("40", None, "100", "40"),
        ("40", "0.5", "15", "15"),
        ("0", "0", "100", "0"),
        ("40", "0.5", "-3", "0"),
        (None, "0.5", "100", None),
        ("40", "0.5", None, None),
    ],
)
def test_what_could_be_given_back(
    borrowed: str | None, interest: str | None, free: str | None, back: str | None
) -> None:
    loan, accrued, there, expected = (
        None if text is None else D(text) for text in (borrowed, interest, free, back)
    )
    assert repayable(loan, accrued, there) == expected


def test_the_call_of_a_portfolio_account_names_asset_and_amount() -> None:
    repayment = Repayment(unit="account", currency="USDT", amount=D("12.50"), client_id="a")
    request = portfolio_request(repayment)
    assert (request.call, request.params) == ("papiPostRepayLoan", {"asset": "USDT", "amount": "12.5"})
    assert request.cost == 100


def test_a_transaction_id_is_the_venues_word_and_nothing_else_is() -> None:
    assert read_receipt({"tranId": 100000001}).verdict is Verdict.ACCEPTED
    for payload in ({}, {"tranId": None}, {"tranId": ""}, [], {"success": True}):
        with pytest.raises(MalformedAnswer):
            read_receipt(payload)
