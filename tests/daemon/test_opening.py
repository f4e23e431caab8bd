"""Accounts from settings: adapters found, keys vetted, and no secret where it does not belong."""

import asyncio
import io
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from importlib.util import find_spec
from typing import Any

import pytest

from brokers.errors import NotSupported, VenueUnavailable
from brokers.models import KeyPermissions
from brokers.registry import PRODUCTS
from brokers.sandbox.broker import SandboxBroker
from brokers.sandbox.spec import Permissions
from brokers.venues.binance.profile import PORTFOLIO_POINTS
from config.accounts import WITHDRAWAL_WORDS
from config.loader import parse
from config.resolution import resolve
from config.schema import Settings
from daemon.app import _connect
from daemon.errors import EXIT_CONFIG, ConfigurationFault
from daemon.opening import (
    PATIENCE_S,
    Account,
    KeyRefused,
    Preparation,
    guarded_of,
    open_accounts,
    secrets_of,
    spec_of,
)
from daemon.risk.policy import Mode
from daemon.vetting import ASK_AGAIN_S, ASK_DAILY_S, objection_to

Desk = Any  # the fixture's type lives in conftest
D = Decimal

REFERENCES = {"api_key": "env:KEY", "secret": "env:SECRET"}
FULL = KeyPermissions(can_read=True, can_trade=True, can_withdraw=False, can_transfer=True, ip_bound=True)


def account(name: str = "main", **changes: object) -> dict[str, object]:
    """One account as written."""
    return {"id": name, "broker": "bybit", "credentials": REFERENCES} | changes


def settings(*accounts: dict[str, object], **changes: object) -> Settings:
    """Settings with one account, or those given."""
    document = {"accounts": list(accounts) or [account()]} | changes
    return parse(json.dumps(document).encode(), "margind.yaml")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KEY", "SECRET", "PASSPHRASE", "KEY_2", "SECRET_2"):
        monkeypatch.setenv(name, f"the-{name.lower()}-itself")


def opened(desk: Desk, **changes: object) -> Account:
    """An account over the sandbox, as `open_accounts` builds one over a venue."""
    written = settings(account(desk.account, **changes)).accounts[0]
    prepare = Preparation(written, desk.line, Mode.ENFORCE)
    return Account(settings=written, broker=desk.line, prepare=prepare)


@pytest.fixture
def desk_with(
    open_desk: Callable[..., Desk], venue_of: Callable[..., Any], spec: Callable[..., Any]
) -> Callable[..., Desk]:
    """Open a desk whose key may do what is given."""

    def open_(name: str = "desk", **permissions: bool) -> Desk:
        return open_desk(engine=venue_of(spec(name, permissions=Permissions(**permissions))), account=name)

    return open_


# ---------------------------------------------------------------- keys


@pytest.mark.parametrize(
    ("changes", "words", "objects"),
    [
        ({}, False, None),
        ({"can_withdraw": True}, False, "can withdraw"),
        ({"can_withdraw": True}, WITHDRAWAL_WORDS, None),
        ({"can_withdraw": None}, False, None),
        ({"can_read": False}, False, "cannot read"),
        ({"can_read": False}, WITHDRAWAL_WORDS, "cannot read"),
        ({"can_read": None}, False, None),
        ({"can_trade": False, "ip_bound": False}, False, None),
    ],
)
def test_a_key_is_refused_for_what_it_can_do_or_cannot(
    changes: dict[str, object], words: object, objects: str | None
) -> None:
    written = settings(account(allow_withdrawal_key=words)).accounts[0]
    objection = objection_to(written, replace(FULL, **changes))

    assert (objection is None) is (objects is None)
    assert objects is None or objects in objection
    assert objects is None or "main" in objection


async def test_a_key_that_can_withdraw_is_refused_before_anything_is_read_with_it(
    desk_with: Callable[..., Desk],
) -> None:
    desk = desk_with(can_withdraw=True)
    with pytest.raises(KeyRefused, match="can withdraw"):
        await opened(desk).prepare()

    assert desk.line.log == ["connect", "fetch_permissions"]


async def test_a_key_that_can_withdraw_is_taken_where_the_words_are_written(
    desk_with: Callable[..., Desk],
) -> None:
    await opened(desk_with(can_withdraw=True), allow_withdrawal_key=WITHDRAWAL_WORDS).prepare()


async def test_a_venue_that_cannot_say_what_a_key_may_do_is_trusted(desk: Desk) -> None:
    desk.venue.mishaps.fail_read(NotSupported("demo"), call="fetch_permissions")
    await opened(desk).prepare()


def test_a_venue_that_does_not_say_what_a_key_may_do_is_asked_again_while_the_account_is_guarded(
    virtual: asyncio.Runner, open_desk: Callable[..., Desk], log: io.StringIO
) -> None:
    desk = open_desk(loop=virtual.get_loop())
    desk.venue.mishaps.fail_read(VenueUnavailable("no such path"), call="fetch_permissions", times=2)
    prepare = opened(desk).prepare

    async def scenario() -> None:
        await prepare()
        for asked, pause in [(1, 0), (2, ASK_AGAIN_S), (3, ASK_AGAIN_S), (3, ASK_AGAIN_S), (4, ASK_DAILY_S)]:
            await asyncio.sleep(pause + 0.5)
            assert desk.line.log.count("fetch_permissions") == asked
        prepare.cancel()
        await asyncio.sleep(2 * ASK_DAILY_S)
        assert desk.line.log.count("fetch_permissions") == 4

    virtual.run(scenario())
    assert log.getvalue().count("key_unknown") == 2
    assert "key_objectionable" not in log.getvalue()


def test_a_key_that_learns_to_withdraw_under_way_is_an_alarm(
    virtual: asyncio.Runner,
    open_desk: Callable[..., Desk],
    venue_of: Callable[..., Any],
    spec: Callable[..., Any],
    log: io.StringIO,
) -> None:
    engine = venue_of(spec("desk", permissions=Permissions(can_withdraw=True)))
    desk = open_desk(engine=engine, account="desk", loop=virtual.get_loop())
    desk.venue.mishaps.fail_read(VenueUnavailable("not now"), call="fetch_permissions")
    prepare = opened(desk).prepare

    async def scenario() -> None:
        await prepare()
        assert "key_objectionable" not in log.getvalue()
        await asyncio.sleep(ASK_AGAIN_S + 1)
        prepare.cancel()

    virtual.run(scenario())
    assert "key_objectionable" in log.getvalue()
    assert "can withdraw" in log.getvalue()


class Unpriced(SandboxBroker):
    """A venue whose reducing orders take no price."""

    @property
    def capabilities(self) -> Any:  # noqa: ANN401 - the port's
        return replace(super().capabilities, limit_orders=False)


class Unable(SandboxBroker):
    """A venue without a call for permissions."""

    @property
    def capabilities(self) -> Any:  # noqa: ANN401 - the port's
        return replace(super().capabilities, key_permissions=False)


async def test_a_broker_without_such_a_call_is_not_asked(desk: Desk) -> None:
    broker = Unable(desk.engine, desk.account)
    broker.mishaps.fail_read(VenueUnavailable("never called"), call="fetch_permissions")
    taken = opened(desk, allow_withdrawal_key=WITHDRAWAL_WORDS).settings
    await Preparation(taken, broker, Mode.ENFORCE)()


@pytest.mark.parametrize("words", [False, WITHDRAWAL_WORDS])
async def test_a_key_that_nobody_can_vet_is_taken_with_a_warning_until_it_is_accepted_in_words(
    desk: Desk, log: io.StringIO, words: object
) -> None:
    written = settings(account(desk.account, allow_withdrawal_key=words)).accounts[0]
    await Preparation(written, Unable(desk.engine, desk.account), Mode.ENFORCE)()
    assert ("tells nobody what a key may do" in log.getvalue()) is not bool(words)


# ---------------------------------------------------------------- patience


def test_a_slow_venue_is_waited_for_only_so_long_and_found_connected_later(
    virtual: asyncio.Runner, open_desk: Callable[..., Desk]
) -> None:
    desk = open_desk(loop=virtual.get_loop())
    desk.line.latency_ms["connect"] = 5_000
    prepare = opened(desk).prepare

    async def scenario() -> None:
        for _ in range(2):
            with pytest.raises(VenueUnavailable, match="still connecting"):
                await prepare()
        assert desk.clock.uptime() == pytest.approx(2 * PATIENCE_S)
        await prepare()

    virtual.run(scenario())
    assert desk.line.log.count("connect") == 1


def test_a_failed_connection_is_begun_anew(virtual: asyncio.Runner, open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(loop=virtual.get_loop())
    desk.venue.mishaps.fail_read(VenueUnavailable("no route"), call="connect")
    prepare = opened(desk).prepare

    async def scenario() -> None:
        with pytest.raises(VenueUnavailable, match="no route"):
            await prepare()
        await prepare()

    virtual.run(scenario())
    assert desk.line.log.count("connect") == 2


def test_connecting_can_be_given_up(virtual: asyncio.Runner, open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(loop=virtual.get_loop())
    desk.line.latency_ms["connect"] = 3_600_000
    prepare = opened(desk).prepare

    async def scenario() -> None:
        prepare.cancel()  # nothing under way yet
        with pytest.raises(VenueUnavailable):
            await prepare()
        prepare.cancel()
        with pytest.raises(asyncio.CancelledError):
            await prepare()

    virtual.run(scenario())


# ---------------------------------------------------------------- all together


async def test_when_every_key_is_refused_there_is_nothing_to_guard(desk_with: Callable[..., Desk]) -> None:
    accounts = tuple(opened(desk_with(name, can_withdraw=True)) for name in ("left", "right"))
    with pytest.raises(ConfigurationFault, match=r"account left.*account right") as caught:
        await _connect(accounts)

    assert caught.value.exit_code == EXIT_CONFIG


async def test_when_one_key_of_two_is_refused_the_other_account_is_guarded(
    desk_with: Callable[..., Desk],
    log: io.StringIO,
) -> None:
    bad, good = opened(desk_with("bad", can_withdraw=True)), opened(desk_with("good"))

    assert await _connect((bad, good)) == ((good, True),)
    assert "account_refused" in log.getvalue()


async def test_a_venue_that_is_down_at_the_start_does_not_keep_its_account_unguarded(
    desk_with: Callable[..., Desk],
) -> None:
    down, up = desk_with("down"), desk_with("up")
    down.venue.mishaps.fail_read(VenueUnavailable("no route"), call="connect")
    accounts = (opened(down), opened(up))

    assert await _connect(accounts) == ((accounts[0], False), (accounts[1], True))


async def test_a_bug_in_one_adapter_leaves_the_other_accounts_guarded(
    desk_with: Callable[..., Desk], log: io.StringIO
) -> None:
    broken, fine = desk_with("broken"), desk_with("fine")

    def fail(_call: str, _moment: str, _arguments: object) -> None:
        raise KeyError("timezone")

    broken.line.at = fail
    accounts = (opened(broken), opened(fine))

    assert await _connect(accounts) == ((accounts[0], False), (accounts[1], True))
    assert "connect_bug" in log.getvalue()


PAIRS = [(broker, product) for broker, products in PRODUCTS.items() for product in products]


@pytest.mark.parametrize(("broker", "product"), PAIRS)
async def test_an_account_is_opened_or_refused_in_words_whatever_its_product(
    broker: str, product: str
) -> None:
    password = {"password": "env:PASSPHRASE"} if broker == "okx" else {}
    written = settings(account(broker=broker, product=product, credentials={**REFERENCES, **password}))
    if find_spec(f"brokers.venues.{broker}") is not None and product == PRODUCTS[broker][0]:
        (built,) = open_accounts(written, resolve(written))
        assert built.broker.account_id == "main"
        await built.broker.aclose()
        return
    with suppress(ConfigurationFault):
        open_accounts(written, resolve(written))
        return
    with pytest.raises(ConfigurationFault) as caught:
        open_accounts(written, resolve(written))
    assert str(caught.value).startswith(f"account main: margind has no adapter for {broker} {product}")
    assert "\n" not in str(caught.value)


def test_secrets_reach_the_broker_alone() -> None:
    written = settings(account(broker="okx", credentials={**REFERENCES, "password": "env:PASSPHRASE"}))
    secrets = resolve(written)
    built = spec_of(written.accounts[0], secrets.accounts["main"])

    assert built.credentials.api_key == "the-key-itself"
    assert built.credentials.secret == "the-secret-itself"
    assert built.credentials.password == "the-passphrase-itself"
    assert (built.account_id, built.broker, built.product) == ("main", "okx", "unified")
    assert "itself" not in repr(built) + repr(written) + repr(secrets)
    assert set(secrets_of(secrets)) == {"the-key-itself", "the-secret-itself", "the-passphrase-itself"}


def test_endpoint_and_testnet_reach_the_broker() -> None:
    proxied = settings(account(endpoint="http://127.0.0.1:8080"))
    testing = settings(account(testnet=True))

    def built(written: Settings) -> Any:  # noqa: ANN401 - a spec
        return spec_of(written.accounts[0], resolve(written).accounts["main"])

    assert (built(proxied).endpoint, built(proxied).testnet) == ("http://127.0.0.1:8080", False)
    assert (built(testing).endpoint, built(testing).testnet) == (None, True)


def test_a_guarded_account_carries_its_mode_its_caps_and_the_hash_of_its_configuration(desk: Desk) -> None:
    caps = {"max_per_day": {"USDT": "500"}, "max_per_transfer": {"USDT": "100"}}
    written = settings(account(desk.account, mode="enforce"), mode="enforce", top_up=caps)
    built = replace(opened(desk), settings=written.accounts[0])
    guarded = guarded_of(written, built)

    assert (guarded.account, guarded.mode, guarded.broker) == ("desk", Mode.ENFORCE, desk.line)
    assert (guarded.caps.per_day, guarded.caps.per_transfer) == ({"USDT": D(500)}, {"USDT": D(100)})
    assert guarded.config_hash == written.source.sha256


class Locked(SandboxBroker):
    """A venue that takes nothing but reducing orders from a maintenance ratio of 87.5 % on."""

    @property
    def capabilities(self) -> Any:  # noqa: ANN401 - the port's
        return replace(super().capabilities, points=PORTFOLIO_POINTS)


def test_a_threshold_above_the_venues_point_of_no_return_is_lowered_and_told_at_the_start(
    desk: Desk, log: io.StringIO
) -> None:
    late = settings(account(desk.account, policy={"maintenance": {"liquidation": "90%"}}))
    built = replace(opened(desk), settings=late.accounts[0], broker=Locked(desk.engine, desk.account))

    assert guarded_of(late, built).policy.maintenance.liquidation == D("0.83125")
    (told,) = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (told["event"], told["account"], told["measure"]) == ("threshold_clamped", "desk", "maintenance")
    assert (told["configured"], told["effective"]) == ("90 %", "83.1 %")
    assert "from 87.5 % on (uniMMR 1.20) the venue takes only orders that reduce" in told["why"]


def test_thresholds_that_keep_their_distance_are_as_configured_and_nothing_is_said(
    desk: Desk, log: io.StringIO
) -> None:
    built = replace(opened(desk), broker=Locked(desk.engine, desk.account))

    assert guarded_of(settings(), built).policy.maintenance.liquidation == D("0.80")
    assert log.getvalue() == ""


async def test_where_orders_take_no_price_every_step_goes_to_market(desk: Desk) -> None:
    priced = opened(desk)
    unpriced = replace(priced, broker=Unpriced(desk.engine, desk.account))
    limits = guarded_of(settings(), unpriced).policy.limits
    assert all(limits.is_market_step(step) for step in range(8))
    assert not guarded_of(settings(), priced).policy.limits.is_market_step(0)
