"""`account/interest-rate`: OKX's own sample, and what is no rate."""

from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.venues.okx.borrowing import read_borrow_rates


def answer(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"code": "0", "msg": "", "data": list(rows)}


def test_the_documented_sample_is_per_hour() -> None:
    payload = answer({"ccy": "BTC", "interestRate": "0.0001"}, {"ccy": "LTC", "interestRate": "0.0003"})
    assert read_borrow_rates(payload) == {"BTC": Decimal("0.876"), "LTC": Decimal("2.628")}


def test_a_currency_without_a_usable_rate_has_none() -> None:
    payload = answer(
        {"ccy": "BTC", "interestRate": ""},
        {"ccy": "ETH"},
        {"ccy": "SOL", "interestRate": "much"},
        {"ccy": "USDT", "interestRate": "0"},
    )
    assert read_borrow_rates(payload) == {"USDT": Decimal(0)}


@pytest.mark.parametrize(
    "payload", [None, [], {"code": "0"}, {"code": "0", "data": {}}, answer() | {"data": [1]}]
)
def test_another_shape_is_malformed(payload: object) -> None:
    with pytest.raises(MalformedAnswer):
        read_borrow_rates(payload)
