"""Collateral from the funding wallet."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from brokers.errors import MalformedAnswer
from brokers.numbers import NumberError
from brokers.orders import Verdict
from brokers.venues.bybit.transfers import (
    find_transfer,
    read_funding_balance,
    read_transfer_id,
    transfer_params,
    transfer_uuid,
)

Payload = dict[str, Any]

CLIENT = "0123456789abcdef0123456789abcdef"
ID = "01234567-89ab-cdef-0123-456789abcdef"


def record(**fields: str) -> dict[str, str]:
    row = {
        "transferId": ID,
        "coin": "USDT",
        "amount": "250.5",
        "fromAccountType": "FUND",
        "toAccountType": "UNIFIED",
        "timestamp": "1667283263000",
        "status": "SUCCESS",
    }
    return {**row, **fields}


def test_the_transfer_id_is_a_uuid_made_of_the_client_id() -> None:
    assert transfer_uuid(CLIENT) == ID
    assert transfer_uuid("top-up-7") == transfer_uuid("top-up-7")
    assert UUID(transfer_uuid("top-up-7"))


def test_a_transfer_goes_from_funding_to_unified_with_the_exact_amount() -> None:
    assert dict(transfer_params("USDT", Decimal("12.345678"), CLIENT)) == {
        "transferId": ID,
        "coin": "USDT",
        "amount": "12.345678",
        "fromAccountType": "FUND",
        "toAccountType": "UNIFIED",
    }


@pytest.mark.parametrize(
    ("result", "found"),
    [
        ({"transferId": ID}, ID),
        ({"transferId": ID, "status": "SUCCESS"}, ID),
        ({"transferId": ID, "status": "PENDING"}, None),
        ({"transferId": ID, "status": "STATUS_UNKNOWN"}, None),
        ({"transferId": ""}, None),
    ],
)
def test_only_a_successful_transfer_has_an_id(result: Payload, found: str | None) -> None:
    assert read_transfer_id({"retCode": 0, "result": result}) == found


def test_funding_balance_is_what_can_be_transferred() -> None:
    """Source: Bybit docs, Get All Coins Balance sample."""
    rows = [
        {"coin": "USDC", "transferBalance": "0", "walletBalance": "0", "bonus": ""},
        {"coin": "USDT", "transferBalance": "1010", "walletBalance": "1020", "bonus": ""},
    ]
    payload = {"result": {"memberId": "533285", "accountType": "FUND", "balance": rows}}
    assert read_funding_balance(payload, "USDT") == 1010
    assert read_funding_balance(payload, "USDC") == 0
    with pytest.raises(MalformedAnswer):
        read_funding_balance(payload, "BTC")


def test_a_missing_balance_is_not_zero() -> None:
    payload = {"result": {"balance": [{"coin": "USDT", "transferBalance": ""}]}}
    with pytest.raises(NumberError):
        read_funding_balance(payload, "USDT")


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("SUCCESS", Verdict.ACCEPTED),
        ("FAILED", Verdict.REJECTED),
        ("PENDING", Verdict.UNKNOWN),
        ("STATUS_UNKNOWN", Verdict.UNKNOWN),
        ("", Verdict.UNKNOWN),
    ],
)
def test_a_transfer_is_found_by_its_id(status: str, verdict: Verdict) -> None:
    rows = [record(transferId="other"), record(status=status)]
    report = find_transfer(rows, CLIENT, "USDT", Decimal("250.50"))
    assert (report.verdict, report.transfer_id, report.amount) == (verdict, ID, Decimal("250.50"))


def test_a_transfer_that_is_not_listed_is_not_known() -> None:
    assert find_transfer([record(transferId="other")], CLIENT, "USDT", Decimal("250.5")) is None


@pytest.mark.parametrize("foreign", [{"coin": "USDC"}, {"amount": "1"}])
def test_our_id_on_another_transfer_is_malformed(foreign: Payload) -> None:
    with pytest.raises(MalformedAnswer):
        find_transfer([record(**foreign)], CLIENT, "USDT", Decimal("250.5"))


def test_a_row_without_an_id_could_be_ours() -> None:
    with pytest.raises(MalformedAnswer):
        find_transfer([record(transferId="")], CLIENT, "USDT", Decimal("250.5"))
