from datetime import UTC, datetime

import pytest

from brokers.errors import Unauthorized
from brokers.venues.kraken.spot.keys import check_secret, read_permissions

GOOD = ["query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "close-trades"]


def info(*permissions: str, **more: object) -> dict[str, object]:
    return {"error": [], "result": {"api_key_name": "margind", "permissions": list(permissions), **more}}


def test_a_key_for_margind_reads_and_trades_and_no_more() -> None:
    found = read_permissions(info(*GOOD, "create-ws-token", ip_allowlist=["10.0.0.1"], valid_until="0"))
    assert (found.can_read, found.can_trade, found.can_withdraw) == (True, True, False)
    assert (found.can_transfer, found.ip_bound, found.expires_at) == (None, True, None)


@pytest.mark.parametrize(
    "word", ["withdraw-funds", "add-withdraw-address", "update-withdraw-address", "WITHDRAW_FUNDS"]
)
def test_whatever_touches_withdrawals_counts_as_one(word: str) -> None:
    assert read_permissions(info(*GOOD, word)).can_withdraw is True


@pytest.mark.parametrize("missing", GOOD[1:])
def test_each_of_these_is_needed(missing: str) -> None:
    found = read_permissions(info(*(word for word in GOOD if word != missing)))
    assert (found.can_read and found.can_trade) is False


def test_a_key_without_query_funds_is_left_to_the_venue() -> None:
    assert read_permissions(info(*GOOD[1:])).can_read is True


def test_what_is_not_stated_is_not_known() -> None:
    found = read_permissions({"error": [], "result": {"api_key_name": "margind"}})
    assert (found.can_read, found.can_trade, found.can_withdraw, found.ip_bound) == (None,) * 4
    assert read_permissions(info(*GOOD, ipAllowlist=[], validUntil="1772452800")).expires_at == datetime(
        2026, 3, 2, 12, tzinfo=UTC
    )


@pytest.mark.parametrize("secret", ["not base64!", "abc"])
def test_a_secret_that_cannot_sign_is_refused_in_words(secret: str) -> None:
    with pytest.raises(Unauthorized, match="base64"):
        check_secret(secret)
    check_secret("c2VjcmV0")
