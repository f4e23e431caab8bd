"""A second key for what protects: nonces and a call counter of its own, and vetted like the first."""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from brokers.budget import boot_seconds
from brokers.errors import RequestRefused, Unauthorized
from brokers.models import AccountSnapshot
from brokers.orders import ReduceOrder, Verdict
from brokers.registry import Credentials
from brokers.sandbox.spec import Permissions
from brokers.sandbox.wire.base import WireRequest
from brokers.sandbox.wire.kraken.gate import Tier, arguments
from brokers.sandbox.wire.kraken.wire import KrakenWire
from brokers.venues.kraken.spot.broker import KrakenSpotBroker
from config.accounts import AccountSettings
from config.loader import parse
from daemon.check import _ask, _key_words, _lines
from daemon.opening import Account, KeyRefused, Preparation
from daemon.risk.policy import Mode

pytestmark = pytest.mark.wire

Open = Callable[..., Awaitable[KrakenSpotBroker]]
Reduce = Callable[..., ReduceOrder]

SECOND = Credentials(api_key="second-key", secret=base64.b64encode(b"second-secret").decode())
NAMES = ("desk", "second-key")
POLLS = {"TradeBalance", "OpenPositions", "GetApiKeyInfo"}


@pytest.fixture(autouse=True)
def second_key(wire: KrakenWire) -> Callable[..., None]:
    """Make the second key at the venue, with full permissions; again with others when called."""

    def make(**permissions: bool) -> None:
        main = wire.engine.accounts["desk"]
        granted = Permissions(**permissions)
        wire.gate.add_key(replace(main, api_key=SECOND.api_key, secret=SECOND.secret, permissions=granted))

    make()
    return make


@pytest.fixture
def seen(wire: KrakenWire) -> list[tuple[str, str, int]]:
    """Every admitted call from now on: the key it came with, its name and its nonce."""
    calls: list[tuple[str, str, int]] = []
    admit = wire.gate.admit

    def admitting(request: WireRequest) -> str:
        account = admit(request)
        nonce = int(str(arguments(request)["nonce"]))
        calls.append((request.headers["api-key"], request.path.removeprefix("/0/private/"), nonce))
        return account

    wire.gate.admit = admitting  # type: ignore[method-assign]
    return calls


WRITTEN = """\
accounts:
  - id: desk
    broker: kraken
    credentials: {api_key: env:K, secret: env:S}
    emergency_credentials: {api_key: env:E, secret: env:F}
"""


def written() -> AccountSettings:
    """The account as configured; its references are never read."""
    return parse(WRITTEN.encode(), "margind.yaml").accounts[0]


async def test_polls_carry_one_key_and_what_protects_the_other_each_with_rising_nonces(
    connect: Open, wire: KrakenWire, seen: list[tuple[str, str, int]], reduce: Reduce
) -> None:
    broker = await connect(emergency=SECOND)
    wire.gate.tier = Tier(1e9, 1e9)
    position = (await broker.fetch_snapshot()).positions[0]
    order = reduce(broker, position)
    _, report, _, *_ = await asyncio.gather(
        broker.fetch_snapshot(protective=True),
        broker.submit(order),
        broker.fetch_open_orders(),
        *(broker.transport.read("privatePostTradeBalance", cost=0) for _ in range(5)),
    )
    assert report.verdict is Verdict.ACCEPTED
    assert await broker.find_order(order.client_order_id, order.symbol) is not None

    assert {call for key, call, _ in seen if key == "desk"} == {"TradeBalance", "OpenPositions"}
    protecting = {call for key, call, _ in seen if key == SECOND.api_key}
    assert protecting >= {"AddOrder", "OpenOrders", "TradeBalance", "OpenPositions"}
    for name in NAMES:
        nonces = [nonce for key, _, nonce in seen if key == name]
        assert len(nonces) > 2
        assert nonces == sorted(set(nonces))
    first, second = broker.transport._polling, broker.transport._emergency
    assert first.nonces is not second.nonces
    assert first.budget is not second.budget


async def test_without_a_second_key_both_doors_draw_on_the_same(
    connect: Open, seen: list[tuple[str, str, int]]
) -> None:
    broker = await connect()
    await broker.fetch_open_orders()
    await broker.fetch_snapshot(protective=True)
    assert {key for key, *_ in seen} == {"desk"}
    assert broker.transport._polling.budget is broker.transport._emergency.budget
    assert broker.transport._polling.nonces is broker.transport._emergency.nonces


async def test_a_full_counter_of_the_polls_delays_nothing_that_protects(
    connect: Open, wire: KrakenWire
) -> None:
    broker = await connect(emergency=SECOND)
    broker.transport._polling.budget.ledger.spend(15, boot_seconds())
    began = time.monotonic()
    for _ in range(5):
        assert (await broker.fetch_snapshot(protective=True)).findings == ()
    assert time.monotonic() - began < 3
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await broker.fetch_snapshot()


async def test_a_limit_told_to_polls_is_not_held_against_what_protects_nor_the_other_way_round(
    connect: Open, wire: KrakenWire
) -> None:
    broker = await connect(emergency=SECOND)
    broker.transport._polling.budget.ledger.ban(60, boot_seconds())
    assert len((await broker.fetch_snapshot(protective=True)).positions) == 1
    broker.transport._polling.budget.ledger.served(boot_seconds())
    broker.transport._emergency.budget.ledger.ban(60, boot_seconds())
    assert len((await broker.fetch_snapshot()).positions) == 1


async def test_another_program_s_nonces_on_the_polling_key_refuse_no_order(
    connect: Open, wire: KrakenWire, reduce: Reduce
) -> None:
    broker = await connect(emergency=SECOND)
    position = (await broker.fetch_snapshot()).positions[0]
    wire.gate.use_nonce("desk", int(time.time() * 1000) + 200_000)
    with pytest.raises(RequestRefused):
        await broker.transport.read("privatePostTradeBalance", cost=0)
    assert (await broker.submit(reduce(broker, position))).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    "wrong",
    [
        Credentials(api_key="nobody's", secret=SECOND.secret),
        Credentials(api_key=SECOND.api_key, secret=base64.b64encode(b"another").decode()),
        Credentials(api_key=SECOND.api_key, secret="no base64!"),
    ],
    ids=["unknown key", "wrong secret", "no base64"],
)
async def test_a_wrong_emergency_key_is_found_when_connecting(connect: Open, wrong: Credentials) -> None:
    with pytest.raises(Unauthorized) as caught:
        await connect(emergency=wrong)
    assert ("emergency key: " in str(caught.value)) is (wrong.secret != "no base64!")
    assert wrong.secret not in str(caught.value)


async def test_an_emergency_key_that_can_withdraw_is_refused(
    connect: Open, second_key: Callable[..., None]
) -> None:
    second_key(can_withdraw=True)
    broker = await connect(emergency=SECOND)
    prepare = Preparation(written(), broker, Mode.ENFORCE)
    with pytest.raises(KeyRefused, match="its emergency key can withdraw"):
        await prepare()
    prepare.cancel()
    assert (await broker.fetch_permissions()).can_withdraw is False
    assert (await broker.fetch_permissions(emergency=True)).can_withdraw is True


async def test_an_emergency_key_that_cannot_trade_is_told_loudly(
    connect: Open, second_key: Callable[..., None]
) -> None:
    second_key(can_trade=False)
    prepare = Preparation(written(), await connect(emergency=SECOND), Mode.ENFORCE)
    with capture_logs() as log:
        await prepare()
    prepare.cancel()
    (told,) = [line for line in log if "key" in line["event"]]
    assert (told["event"], told["log_level"]) == ("key_cannot_trade", "critical")
    assert told["why"].startswith("its emergency key cannot trade")


async def test_a_polling_key_that_only_reads_is_enough_beside_an_emergency_key(
    connect: Open, wire: KrakenWire, reduce: Reduce
) -> None:
    main = wire.engine.accounts["desk"]
    wire.gate.add_key(replace(main, permissions=Permissions(can_trade=False)))
    broker = await connect(emergency=SECOND)
    prepare = Preparation(written(), broker, Mode.ENFORCE)
    with capture_logs() as log:
        await prepare()
    prepare.cancel()
    assert [line["event"] for line in log if "key" in line["event"]] == []
    position = (await broker.fetch_snapshot()).positions[0]
    assert (await broker.submit(reduce(broker, position))).verdict is Verdict.ACCEPTED


async def test_a_check_says_what_each_key_may_do_and_nothing_of_two_good_ones(
    connect: Open, second_key: Callable[..., None]
) -> None:
    settings = parse(WRITTEN.encode(), "margind.yaml")
    broker = await connect(emergency=SECOND)
    prepare = Preparation(settings.accounts[0], broker, Mode.OBSERVE)
    account = Account(settings=settings.accounts[0], broker=broker, prepare=prepare)
    good = await _ask(settings, account)
    assert (_lines(good), _key_words(good)) == ([], "read trade / read trade")
    second_key(can_withdraw=True, can_trade=False)
    bad = await _ask(settings, account)
    assert [line.partition(";")[0] for line in _lines(bad)] == [
        "account desk: its emergency key can withdraw",
        "account desk: its emergency key cannot trade",
    ]
    assert _key_words(bad) == "read trade / read WITHDRAW"


async def test_a_check_says_when_the_emergency_key_shows_another_account(
    connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = parse(WRITTEN.encode(), "margind.yaml")
    broker = await connect(emergency=SECOND)
    fetch = broker.fetch_snapshot

    async def another(*, protective: bool = False) -> AccountSnapshot:
        snapshot = await fetch(protective=protective)
        return replace(snapshot, positions=()) if protective else snapshot

    monkeypatch.setattr(broker, "fetch_snapshot", another)
    prepare = Preparation(settings.accounts[0], broker, Mode.OBSERVE)
    account = Account(settings=settings.accounts[0], broker=broker, prepare=prepare)
    (line,) = _lines(await _ask(settings, account))
    assert line.startswith("account desk: its two keys show different positions")
