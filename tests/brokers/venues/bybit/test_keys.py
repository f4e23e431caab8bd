"""What an API key may do."""

from datetime import UTC, datetime

import pytest

from brokers.errors import MalformedAnswer
from brokers.venues.bybit.keys import read_permissions


def key(**fields: object) -> dict[str, object]:
    """Bybit docs, API key information sample, shortened."""
    result: dict[str, object] = {
        "readOnly": 0,
        "permissions": {
            "ContractTrade": ["Order", "Position"],
            "Spot": ["SpotTrade"],
            "Wallet": ["AccountTransfer"],
            "Options": ["OptionsTrade"],
            "Derivatives": ["DerivativesTrade"],
        },
        "ips": ["192.0.2.7"],
        "expiredAt": "2026-05-15T03:21:05Z",
        "uta": 1,
    }
    return {"retCode": 0, "result": {**result, **fields}}


def test_a_trading_key_bound_to_an_address() -> None:
    may = read_permissions(key())
    assert (may.can_read, may.can_trade, may.can_withdraw, may.can_transfer, may.ip_bound) == (
        True,
        True,
        False,
        True,
        True,
    )
    assert may.expires_at == datetime(2026, 5, 15, 3, 21, 5, tzinfo=UTC)


def test_a_key_without_an_end_is_not_one_that_has_ended() -> None:
    assert read_permissions(key(expiredAt="1970-01-01T00:00:00Z")).expires_at is None


def test_a_key_that_can_withdraw_is_recognised() -> None:
    wallet = {"Wallet": ["AccountTransfer", "SubMemberTransfer", "Withdraw"], "ContractTrade": ["Order"]}
    assert read_permissions(key(permissions=wallet)).can_withdraw is True


def test_a_read_only_key_can_do_nothing_else() -> None:
    may = read_permissions(key(readOnly=1, permissions={"Wallet": ["Withdraw"], "ContractTrade": ["Order"]}))
    assert (may.can_trade, may.can_withdraw, may.can_transfer) == (False, False, False)


@pytest.mark.parametrize("ips", [["*"], []])
def test_a_key_for_every_address_is_not_bound(ips: list[str]) -> None:
    assert read_permissions(key(ips=ips)).ip_bound is False


@pytest.mark.parametrize("permissions", [None, {}, {"Wallet": "Withdraw"}])
def test_what_the_venue_leaves_out_is_not_known(permissions: object) -> None:
    may = read_permissions(key(permissions=permissions, ips=None, expiredAt=""))
    assert (may.can_trade, may.can_withdraw, may.can_transfer, may.ip_bound, may.expires_at) == (
        None,
        None,
        None,
        None,
        None,
    )


def test_no_result_is_malformed() -> None:
    with pytest.raises(MalformedAnswer):
        read_permissions({"retCode": 0, "result": None})
