"""What `margind check` says of a key and a clock, beside its table."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from brokers.models import KeyPermissions
from brokers.sandbox.broker import SandboxBroker
from config.loader import parse
from daemon.check import _ask, _lines
from daemon.opening import Account, Preparation
from daemon.risk.policy import Mode

Desk = Any  # the fixture's type lives in conftest

FULL = KeyPermissions(can_read=True, can_trade=True, can_withdraw=False, can_transfer=True, ip_bound=True)


@pytest.fixture
def lines_of(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Check one account whose key may do what is given; return the lines below the table."""

    async def check(mode: str = "observe", **changes: object) -> list[str]:
        async def granted(_: SandboxBroker, *, emergency: bool = False) -> KeyPermissions:
            return replace(FULL, **changes)

        monkeypatch.setattr(SandboxBroker, "fetch_permissions", granted)
        text = f"""
            mode: {mode}
            accounts: [{{id: desk, broker: bybit, credentials: {{api_key: env:K, secret: env:S}}}}]
        """
        settings = parse(text.encode(), "margind.yaml")
        prepare = Preparation(settings.accounts[0], desk.line, Mode.OBSERVE)
        account = Account(settings=settings.accounts[0], broker=desk.line, prepare=prepare)
        return _lines(await _ask(settings, account))

    return check


async def test_of_a_good_key_nothing_is_said(lines_of: Callable[..., Any]) -> None:
    assert await lines_of() == []


async def test_a_key_that_ends_soon_cannot_trade_or_is_bound_nowhere_is_told_with_what_to_do(
    lines_of: Callable[..., Any], desk: Desk
) -> None:
    ends = desk.line.venue_now() + timedelta(days=10)
    trades, bound, end = await lines_of(expires_at=ends, can_trade=False, ip_bound=False)

    told = "its key cannot trade; margind can only watch it; let it trade before margind is to act"
    assert trades == f"account desk: {told}"
    assert bound == "account desk: its key is not bound to an address; bind it at the venue"
    assert end.startswith(f"account desk: its key ends at {ends:%Y-%m-%d %H:%M} UTC; make another")


async def test_a_key_that_can_withdraw_is_objected_to_first(lines_of: Callable[..., Any]) -> None:
    (line,) = await lines_of(can_withdraw=True)

    assert line.startswith("account desk: its API key can withdraw; make one that cannot")
