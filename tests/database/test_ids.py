from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from database.ids import (
    OWN_ORDER_TAG,
    client_order_id,
    event_id,
    install_mark,
    install_of,
    is_own_order,
    plain_id,
    random_id,
)

ARGUMENTS = {
    "account": "bybit-main",
    "symbol": "BTCUSDT",
    "side": "long",
    "margin_mode": "cross",
    "episode": 3,
    "step": 2,
    "attempt": 1,
}


def test_client_order_id_is_32_lowercase_hex_with_our_tag() -> None:
    identity = client_order_id("a" * 32, **ARGUMENTS)

    assert len(identity) == 32
    assert set(identity) <= set("0123456789abcdef")
    assert identity.startswith(OWN_ORDER_TAG)


def test_client_order_id_never_changes_between_releases() -> None:
    """An open order of the last release must be found by the next one."""
    assert client_order_id("0" * 32, **ARGUMENTS) == "6d679ae0eaad3fba9f0e62b5a632f58f"


@pytest.mark.parametrize(
    "change",
    [
        {"account": "bybit-main2"},
        {"symbol": "BTCUSD"},
        {"side": "short"},
        {"margin_mode": "isolated"},
        {"episode": 4},
        {"step": 3},
        {"attempt": 2},
        {"episode": 32, "step": 1, "attempt": 1},
    ],
)
def test_every_argument_changes_the_id(change: dict[str, object]) -> None:
    assert client_order_id("a" * 32, **{**ARGUMENTS, **change}) != client_order_id("a" * 32, **ARGUMENTS)


def test_an_order_tells_that_it_is_ours_and_of_which_install() -> None:
    ours = client_order_id("a" * 32, **ARGUMENTS)
    as_uuid = f"{ours[:8]}-{ours[8:12]}-{ours[12:16]}-{ours[16:20]}-{ours[20:]}".upper()

    assert install_of(ours) == install_of(as_uuid) == install_mark("a" * 32) != install_mark("b" * 32)
    assert is_own_order(ours)
    assert is_own_order(as_uuid)
    assert plain_id(as_uuid) == ours
    foreign = (None, "", "web_123", "6d67", "7" + ours[1:], ours[:-1], ours + "0", ours[:-1] + "g")
    assert not any(map(is_own_order, foreign))


def test_another_install_gives_other_ids() -> None:
    assert client_order_id("a" * 32, **ARGUMENTS) != client_order_id("b" * 32, **ARGUMENTS)


@settings(deadline=None)
@given(st.text(max_size=8), st.text(max_size=8))
def test_characters_moved_between_arguments_give_another_id(account: str, symbol: str) -> None:
    whole = account + symbol
    moved = {**ARGUMENTS, "account": whole, "symbol": ""}

    same = client_order_id("a", **{**ARGUMENTS, "account": account, "symbol": symbol})

    assert (client_order_id("a", **moved) == same) == (symbol == "")


def test_event_ids_sort_by_time_and_are_unique() -> None:
    early = event_id(datetime(2026, 3, 1, 0, 0, 0, 1000, tzinfo=UTC))
    late = event_id(datetime(2026, 3, 1, 0, 0, 0, 2000, tzinfo=UTC))

    assert early < late
    assert len(early) == len(late) == 32
    assert len({random_id() for _ in range(1000)}) == 1000
