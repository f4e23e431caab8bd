"""Key permissions, funding wallet, transfers."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.numbers import NumberError, ms_from_time
from brokers.orders import Verdict
from brokers.venues.binance.wallet import (
    find_transfer,
    read_funding,
    read_permissions,
    read_transfer_id,
    transfer_request,
    transfer_rows,
)

SENT = datetime(2026, 1, 5, 12, tzinfo=UTC)

RESTRICTIONS: dict[str, Any] = {
    "ipRestrict": False,
    "createTime": 1698645219000,
    "enableReading": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "enableMargin": False,
    "enableFutures": True,
    "permitsUniversalTransfer": True,
    "enableVanillaOptions": False,
    "enableSpotAndMarginTrading": False,
    "enablePortfolioMarginTrading": False,
}
"""The shape of the documented answer."""


def row(seconds: float, **more: object) -> dict[str, object]:
    stamp = ms_from_time(SENT + timedelta(seconds=seconds))
    usual = {"asset": "USDT", "amount": "25", "type": "FUNDING_UMFUTURE", "status": "CONFIRMED"}
    return {**usual, "tranId": 43000126248, "timestamp": stamp, **more}


def test_permissions_are_what_the_venue_states() -> None:
    may = read_permissions(RESTRICTIONS, trades="enableFutures")
    assert (may.can_read, may.can_trade, may.can_withdraw) == (True, True, False)
    assert (may.can_transfer, may.ip_bound, may.expires_at) == (True, False, None)


def test_only_the_withdrawal_flag_is_withdrawing() -> None:
    internal = RESTRICTIONS | {"enableInternalTransfer": True}
    assert read_permissions(internal, trades="enableFutures").can_withdraw is False
    assert read_permissions(RESTRICTIONS | {"enableWithdrawals": True}, trades="enableFutures").can_withdraw


def test_a_flag_that_is_not_there_is_unknown() -> None:
    may = read_permissions({"enableReading": True, "enableFutures": "true"}, trades="enableFutures")
    assert (may.can_trade, may.can_withdraw, may.ip_bound) == (None, None, None)


def test_a_trading_right_may_run_out() -> None:
    may = read_permissions(
        RESTRICTIONS | {"tradingAuthorityExpirationTime": 1798761600000}, trades="enableFutures"
    )
    assert may.expires_at == datetime(2027, 1, 1, tzinfo=UTC)


def test_what_is_free_in_the_funding_wallet() -> None:
    held = [{"asset": "USDT", "free": "1.5", "locked": "4", "freeze": "0", "withdrawing": "0"}]
    assert read_funding(held, "USDT") == Decimal("1.5")
    assert read_funding([], "USDT") == 0
    assert read_funding(held, "USDC") == 0
    with pytest.raises(NumberError):
        read_funding([{"asset": "USDT"}], "USDT")
    with pytest.raises(MalformedAnswer):
        read_funding({}, "USDT")


def test_a_transfer_is_written_without_an_exponent() -> None:
    request = transfer_request("FUNDING_UMFUTURE", "USDT", Decimal("1E+3"))
    assert request.params == {"type": "FUNDING_UMFUTURE", "asset": "USDT", "amount": "1000"}


def test_a_transfer_answer_carries_its_id() -> None:
    assert read_transfer_id({"tranId": 13526853623}) == "13526853623"
    assert read_transfer_id({}) is None


def test_a_transfer_is_found_by_asset_amount_and_time() -> None:
    rows = [
        row(9, tranId=3),
        row(2, tranId=2),
        row(-30, tranId=1),
        row(1, asset="USDC"),
        row(1, amount="25.1"),
    ]
    found = find_transfer(rows, "mine", "USDT", Decimal("25.00"), SENT)
    assert found is not None
    assert (found.transfer_id, found.verdict, found.client_id) == ("2", Verdict.ACCEPTED, "mine")
    assert find_transfer(rows[3:], "mine", "USDT", Decimal(25), SENT) is None


def test_a_row_that_could_be_ours_is_no_proof_of_absence() -> None:
    for spoilt in (
        row(-30),
        row(1, asset=None),
        row(1, asset=""),
        row(1, amount="NaN"),
        row(1, timestamp=""),
    ):
        with pytest.raises((MalformedAnswer, NumberError)):
            find_transfer([spoilt], "mine", "USDT", Decimal(25), SENT)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [("CONFIRMED", Verdict.ACCEPTED), ("FAILED", Verdict.REJECTED), ("PENDING", Verdict.UNKNOWN)],
)
def test_a_transfer_is_as_sure_as_its_status(status: str, verdict: Verdict) -> None:
    found = find_transfer([row(0, status=status)], "mine", "USDT", Decimal(25), SENT)
    assert found is not None
    assert found.verdict is verdict


def test_an_empty_history_has_no_rows() -> None:
    assert transfer_rows({"total": 0}) == ((), 0)
    assert transfer_rows({"total": 1, "rows": [row(0)]})[1] == 1
    with pytest.raises(MalformedAnswer):
        transfer_rows([])
