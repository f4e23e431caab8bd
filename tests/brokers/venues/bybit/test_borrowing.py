"""`account/collateral-info`: Bybit's own sample, and what is no rate."""

from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.venues.bybit.borrowing import read_borrow_rates

SAMPLE = {
    "availableToBorrow": "3",
    "freeBorrowingAmount": "",
    "freeBorrowAmount": "0",
    "maxBorrowingAmount": "3",
    "hourlyBorrowRate": "0.00000147",
    "borrowUsageRate": "0",
    "collateralSwitch": True,
    "borrowAmount": "0",
    "borrowable": True,
    "currency": "BTC",
    "otherBorrowAmount": "0",
    "marginCollateral": True,
    "freeBorrowingLimit": "0",
    "collateralRatio": "0.95",
}


def answer(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"retCode": 0, "retMsg": "OK", "result": {"list": list(rows)}, "time": 1691565901952}


def test_the_documented_sample_is_per_hour() -> None:
    assert read_borrow_rates(answer(SAMPLE)) == {"BTC": Decimal("0.0128772")}


def test_a_coin_without_a_usable_rate_has_none() -> None:
    payload = answer(
        SAMPLE | {"currency": "A", "hourlyBorrowRate": ""},
        {"currency": "B"},
        SAMPLE | {"currency": "C", "hourlyBorrowRate": "-1"},
        SAMPLE | {"currency": "D", "hourlyBorrowRate": "0", "borrowable": False},
        SAMPLE | {"currency": "E", "hourlyBorrowRate": "0.00000147", "borrowable": False},
        SAMPLE | {"currency": "F", "hourlyBorrowRate": "0"},
    )
    assert read_borrow_rates(payload) == {"E": Decimal("0.0128772"), "F": Decimal(0)}


@pytest.mark.parametrize("payload", [None, [], {"retCode": 0}, {"retCode": 0, "result": {"list": {}}}])
def test_another_shape_is_malformed(payload: object) -> None:
    with pytest.raises(MalformedAnswer):
        read_borrow_rates(payload)
