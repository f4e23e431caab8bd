import pytest

from brokers.errors import MalformedAnswer, Unauthorized
from brokers.venues.kraken.futures.keys import check_secret, read_permissions


@pytest.mark.parametrize(
    ("general", "transfer", "reads", "trades", "withdraws"),
    [
        ("FULL_ACCESS", "NO_ACCESS", True, True, False),
        ("READ_ONLY", "NO_ACCESS", True, False, False),
        ("NO_ACCESS", "READ_ONLY", False, False, False),
        ("FULL_ACCESS", "FULL_ACCESS", True, True, True),
        ("NEW_WORD", "NEW_WORD", None, None, None),
        (None, None, None, None, None),
    ],
)
def test_a_key_that_may_transfer_may_withdraw(
    *, general: str, transfer: str, reads: bool, trades: bool, withdraws: bool
) -> None:
    found = read_permissions({"permissions": {"general": general, "transfer": transfer}})
    assert (found.can_read, found.can_trade, found.can_withdraw) == (reads, trades, withdraws)
    assert found.can_transfer is found.can_trade
    assert found.ip_bound is None


@pytest.mark.parametrize(
    ("answer", "bound"),
    [
        ({"allowedCidrBlock": None, "allowedCidrBlocks": []}, False),
        ({"allowedCidrBlock": "192.168.0.0/16"}, True),
        ({"allowedCidrBlock": None, "allowedCidrBlocks": ["192.168.0.0/16"]}, True),
    ],
)
def test_a_key_is_bound_to_its_blocks(*, answer: dict[str, object], bound: bool) -> None:
    assert read_permissions({"permissions": {}, **answer}).ip_bound is bound


def test_an_answer_without_permissions_is_foreign() -> None:
    with pytest.raises(MalformedAnswer):
        read_permissions({"result": "success"})


@pytest.mark.parametrize("secret", ["not base64!", "abc", "abc=def"])
def test_a_secret_that_signs_nothing_is_refused_without_showing_it(secret: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        check_secret(secret)
    assert secret not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_secret_in_base64_is_taken() -> None:
    check_secret("c2VjcmV0")
