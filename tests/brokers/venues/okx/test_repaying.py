"""What of a debt in spot mode could be given back, and what OKX says of it."""

from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.fields import Fields
from brokers.models import Finding
from brokers.orders import Repayment
from brokers.venues.okx.account import AccountLevel
from brokers.venues.okx.repaying import read_receipt, repay_request, repayable

D = Decimal
OWED = Repayment(unit="account", currency="USDT", amount=D("12.50"), client_id="a")


def answer(**row: object) -> dict[str, Any]:
    return {"code": "0", "data": [row], "msg": ""}


@pytest.mark.parametrize(
    ("level", "owed", "available", "free"),
    [
        (AccountLevel.SPOT, D(40), "100", D(40)),
        (AccountLevel.SPOT, D(-40), "15.5", D("15.5")),  # OKX also sends liabilities negative
        (AccountLevel.SPOT, D(40), "-1", D(0)),
        (AccountLevel.SPOT, D(40), "", None),
        (AccountLevel.SPOT, None, "100", None),
        (AccountLevel.MULTI_CURRENCY, D(40), "100", None),
        (AccountLevel.PORTFOLIO, D(40), "100", None),
        (AccountLevel.FUTURES, D(40), "100", None),
        (None, D(40), "100", None),
    ],
)
def test_what_could_be_given_back(
    level: AccountLevel | None, owed: Decimal | None, available: str, free: Decimal | None
) -> None:
    findings: list[Finding] = []
    fields = Fields({"ccy": "USDT", "availBal": available}, findings)
    assert repayable(fields, owed, level) == free
    assert findings == []


def test_the_call_names_side_and_amount() -> None:
    request = repay_request(OWED)
    assert request.call == "privatePostAccountSpotManualBorrowRepay"
    assert request.params == {"ccy": "USDT", "side": "repay", "amt": "12.5"}


def test_the_answer_tells_what_was_taken() -> None:
    assert read_receipt(OWED, answer(ccy="USDT", side="repay", amt="12.5")).repaid == D("12.5")
    assert read_receipt(OWED, answer(ccy="USDT", side="repay")).repaid is None


@pytest.mark.parametrize(
    "payload", [answer(ccy="BTC", side="repay"), answer(ccy="USDT", side="borrow"), {"code": "0", "data": []}]
)
def test_an_answer_about_something_else_proves_nothing(payload: dict[str, Any]) -> None:
    with pytest.raises(MalformedAnswer):
        read_receipt(OWED, payload)
