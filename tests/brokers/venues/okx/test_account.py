"""`account/config`: level, position mode and key permissions."""

from collections.abc import Callable
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import PositionMode
from brokers.venues.okx.account import AccountLevel, account_mode, key_permissions, level_of, read_config

Row = dict[str, Any]


@pytest.mark.parametrize("level", list(AccountLevel))
def test_level_survives_the_way_through_the_mode(
    config_row: Row, envelope: Callable[..., Row], level: AccountLevel
) -> None:
    config = read_config(envelope({**config_row, "acctLv": level.value}))
    assert config.level is level
    assert level_of(account_mode(config)) is level


def test_unknown_level_names_itself(config_row: Row, envelope: Callable[..., Row]) -> None:
    mode = account_mode(read_config(envelope({**config_row, "acctLv": "7"})))
    assert mode.label == "acctLv 7"
    assert level_of(mode) is None


def test_an_answer_without_a_level_is_no_mode(config_row: Row, envelope: Callable[..., Row]) -> None:
    with pytest.raises(MalformedAnswer):
        account_mode(read_config(envelope({**config_row, "acctLv": ""})))


@pytest.mark.parametrize(
    ("word", "mode"),
    [("net_mode", PositionMode.ONE_WAY), ("long_short_mode", PositionMode.HEDGE), ("", None), ("new", None)],
)
def test_position_mode(
    config_row: Row, envelope: Callable[..., Row], word: str, mode: PositionMode | None
) -> None:
    assert account_mode(read_config(envelope({**config_row, "posMode": word}))).position_mode is mode


@pytest.mark.parametrize(
    ("perm", "read", "trade", "withdraw"),
    [
        ("read_only,trade", True, True, False),
        ("read_only", True, False, False),
        ("read_only,withdraw,trade", True, True, True),
        ("read_only, withdraw", True, False, True),
    ],
)
def test_permissions_are_a_list_of_words(
    config_row: Row, envelope: Callable[..., Row], *, perm: str, read: bool, trade: bool, withdraw: bool
) -> None:
    granted = key_permissions(read_config(envelope({**config_row, "perm": perm})))
    assert (granted.can_read, granted.can_trade, granted.can_withdraw) == (read, trade, withdraw)
    assert granted.can_transfer is trade


@pytest.mark.parametrize("perm", ["", None, 3, "NaN", "nothing,new"])
def test_permissions_left_out_are_unknown(
    config_row: Row, envelope: Callable[..., Row], perm: object
) -> None:
    granted = key_permissions(read_config(envelope({**config_row, "perm": perm})))
    assert (granted.can_read, granted.can_trade, granted.can_withdraw) == (None, None, None)


@pytest.mark.parametrize(("ip", "bound"), [("", False), ("203.0.113.7", True), (None, None)])
def test_key_without_an_address_is_not_bound(
    config_row: Row, envelope: Callable[..., Row], *, ip: str | None, bound: bool | None
) -> None:
    assert key_permissions(read_config(envelope({**config_row, "ip": ip}))).ip_bound is bound


def test_config_must_be_one_object(config_row: Row, envelope: Callable[..., Row]) -> None:
    for foreign in (envelope(), envelope(config_row, config_row), {"code": "0"}, None):
        with pytest.raises(MalformedAnswer):
            read_config(foreign)
