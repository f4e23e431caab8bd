"""What is told of a key that is good enough to be used: at the start, and every day."""

import asyncio
import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from brokers.models import KeyPermissions
from brokers.sandbox.broker import SandboxBroker
from config.loader import parse
from daemon.risk.policy import Mode
from daemon.vetting import EXPIRES_NOW, EXPIRES_SOON, KeyVetting, concerns_about

Desk = Any  # the fixture's type lives in conftest

FULL = KeyPermissions(can_read=True, can_trade=True, can_withdraw=False, can_transfer=True, ip_bound=True)
ACCOUNT = "accounts: [{id: desk, broker: bybit, credentials: {api_key: env:K, secret: env:S}}]"

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "mode", "told"),
    [
        ({}, Mode.ENFORCE, []),
        ({"expires_at": None, "can_trade": None, "ip_bound": None}, Mode.ENFORCE, []),
        ({"expires_at": NOW + EXPIRES_SOON + timedelta(seconds=1)}, Mode.ENFORCE, []),
        ({"expires_at": NOW + EXPIRES_SOON}, Mode.ENFORCE, [("key_expires", False)]),
        ({"expires_at": NOW + EXPIRES_NOW + timedelta(seconds=1)}, Mode.ENFORCE, [("key_expires", False)]),
        ({"expires_at": NOW + EXPIRES_NOW}, Mode.OBSERVE, [("key_expires", True)]),
        ({"expires_at": NOW + timedelta(seconds=1)}, Mode.OBSERVE, [("key_expires", True)]),
        ({"expires_at": NOW}, Mode.ENFORCE, [("key_expires", False)]),
        ({"can_trade": False}, Mode.ENFORCE, [("key_cannot_trade", True)]),
        ({"can_trade": False}, Mode.ADVISE, [("key_cannot_trade", False)]),
        ({"ip_bound": False}, Mode.ENFORCE, [("key_unbound", False)]),
    ],
)
def test_what_is_no_reason_to_refuse_a_key_and_must_be_told(
    changes: dict[str, Any], mode: Mode, told: list[tuple[str, bool]]
) -> None:
    concerns = list(concerns_about(replace(FULL, **changes), mode, NOW))

    assert [(one.event, one.urgent) for one in concerns] == told


@pytest.mark.parametrize(
    ("left", "words"),
    [(timedelta(days=2), "ends at 2026-11-23"), (timedelta(-1), "ended at 2026-11-20")],
)
def test_the_end_of_a_key_is_told_by_its_date(left: timedelta, words: str) -> None:
    (one,) = concerns_about(replace(FULL, expires_at=NOW + left), Mode.ENFORCE, NOW)

    assert words in one.why


def test_a_key_that_runs_out_is_told_at_the_start_and_every_day_louder_at_the_end(
    virtual: asyncio.Runner,
    open_desk: Callable[..., Desk],
    log: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = open_desk(loop=virtual.get_loop())
    monkeypatch.setattr("daemon.vetting.ASK_DAILY_S", 60.0)
    ends = desk.line.venue_now() + EXPIRES_NOW + timedelta(seconds=90)

    async def ending(_: SandboxBroker, *, emergency: bool = False) -> KeyPermissions:
        return replace(FULL, expires_at=ends)

    monkeypatch.setattr(SandboxBroker, "fetch_permissions", ending)
    written = parse(ACCOUNT.encode(), "margind.yaml").accounts[0]
    vetting = KeyVetting(written, desk.line, Mode.ENFORCE)

    async def scenario() -> None:
        assert await vetting.objection() is None
        await asyncio.sleep(121)
        vetting.cancel()

    virtual.run(scenario())
    told = [json.loads(line) for line in log.getvalue().splitlines() if "key_expires" in line]
    assert [line["severity"] for line in told] == ["warning", "warning", "critical"]
    assert {line["account"] for line in told} == {"desk"}


class Cash(SandboxBroker):
    """A venue for whose accounts nothing is ever sent, with a key that only reads."""

    @property
    def capabilities(self) -> Any:  # noqa: ANN401 - the port's
        return replace(super().capabilities, measures=frozenset())

    async def fetch_permissions(self, *, emergency: bool = False) -> KeyPermissions:
        del emergency
        return replace(FULL, can_trade=False)


async def test_a_key_that_only_reads_is_enough_for_a_cash_account(desk: Desk, log: io.StringIO) -> None:
    written = parse(ACCOUNT.encode(), "margind.yaml").accounts[0]
    vetting = KeyVetting(written, Cash(desk.engine, desk.account), Mode.ENFORCE)
    assert await vetting.objection() is None
    vetting.cancel()
    (told,) = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (told["event"], told["severity"]) == ("key_cannot_trade", "warning")
