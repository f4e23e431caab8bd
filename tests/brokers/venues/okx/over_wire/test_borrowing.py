"""The adapter in debt over the wire: what the debt costs, and what asking for it may never do."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from brokers import ccxt_broker
from brokers.budget import boot_seconds
from brokers.ccxt_broker import CcxtBroker
from brokers.models import AccountSnapshot, Collateral
from brokers.sandbox.engine import Engine
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import AccountSpec, MarginPool, OpeningWallet, SandboxSpec
from brokers.sandbox.wire.base import Route, WireAnswer
from brokers.sandbox.wire.okx.wire import OkxWire

pytestmark = pytest.mark.wire

Open = Callable[..., Awaitable[CcxtBroker[Any]]]
PATH = "/api/v5/account/interest-rate"
APR = {"USDT": Decimal("0.0876"), "BTC": Decimal("0.0072708")}  # 0.00001 and 0.00000083 an hour

DEBTOR = AccountSpec(
    name="debtor",
    api_key="debtor",
    secret="secret-debtor",
    password="pass debtor",
    margin_pool=MarginPool.ACCOUNT,
    wallets={
        "USDT": OpeningWallet(balance=Decimal(500), borrowed=Decimal(2_000), interest=Decimal(3)),
        "BTC": OpeningWallet(balance=Decimal("0.1")),
    },
)


@pytest.fixture
def spec(spec: SandboxSpec) -> SandboxSpec:
    """The same venue with a debtor, at rates that are round per hour."""
    lent = (replace(asset, borrow_apr=APR.get(asset.name, Decimal(0))) for asset in spec.assets)
    return replace(spec, accounts=(*spec.accounts, DEBTOR), assets=tuple(lent))


async def the_second_picture(broker: CcxtBroker[Any]) -> AccountSnapshot:
    """Read a picture, let everything it began beside come to its end, and read the next."""
    await broker.fetch_snapshot()
    await asyncio.gather(*broker._aside)
    return await broker.fetch_snapshot()


def usdt(snapshot: AccountSnapshot) -> Collateral:
    return next(one for one in snapshot.collaterals if one.currency == "USDT")


def asked(server: SandboxServer) -> list[str]:
    return [account for _, path, account in server.received if path == PATH]


async def test_a_debt_has_the_apr_of_the_hourly_rate(server: SandboxServer, open_at: Open) -> None:
    broker = await open_at(server, "debtor")
    assert usdt(await broker.fetch_snapshot()).interest_rate is None
    await asyncio.gather(*broker._aside)
    later = await broker.fetch_snapshot()
    owed = usdt(later)
    assert (owed.debt, owed.interest, owed.interest_rate) == (Decimal(2000), Decimal(3), Decimal("0.0876"))
    (btc,) = (one for one in later.collaterals if one.currency == "BTC")
    assert btc.interest_rate is None, "nothing is owed in it"
    assert asked(server) == ["debtor"]


async def test_the_wire_lists_every_currency_and_wants_a_signature(
    server: SandboxServer, open_at: Open
) -> None:
    broker = await open_at(server, "debtor")
    answer = await broker.transport.read("privateGetAccountInterestRate")
    assert (answer["code"], answer["msg"]) == ("0", "")
    rates = {row["ccy"]: row["interestRate"] for row in answer["data"]}
    assert rates.pop("USD", "0") == "0"
    assert rates == {"BTC": "0.00000083", "ETH": "0", "SOL": "0", "USDC": "0", "USDT": "0.00001"}
    one = await broker.transport.read("privateGetAccountInterestRate", {"ccy": "USDT"})
    assert one["data"] == [{"ccy": "USDT", "interestRate": "0.00001"}]
    async with aiohttp.ClientSession() as stranger, stranger.get(server.url + PATH) as refused:
        assert (await refused.json())["code"] == "50103"


async def test_it_is_asked_once_an_hour_however_many_pictures(
    server: SandboxServer, open_at: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = await open_at(server, "debtor")
    for _ in range(4):
        assert usdt(await the_second_picture(broker)).interest_rate == Decimal("0.0876")
    assert len(asked(server)) == 1
    monkeypatch.setattr(ccxt_broker, "boot_seconds", lambda: boot_seconds() + 3000)
    await the_second_picture(broker)
    assert len(asked(server)) == 1
    monkeypatch.setattr(ccxt_broker, "boot_seconds", lambda: boot_seconds() + 3600)
    assert usdt(await the_second_picture(broker)).interest_rate == Decimal("0.0876")
    assert len(asked(server)) == 2


async def test_without_room_in_the_budget_it_is_asked_with_a_later_picture(
    server: SandboxServer, open_at: Open
) -> None:
    broker = await open_at(server, "debtor")
    ledger, now = broker.transport._polling.budget.ledger, boot_seconds()
    share = ledger.rules.capacity * (1 - ledger.rules.reserve)
    ledger.spend(share - ledger._polls.used(now) - 5, now)  # a picture costs 4, the rates 4 more
    assert usdt(await broker.fetch_snapshot()).debt == Decimal(2000)
    await asyncio.gather(*broker._aside)
    assert asked(server) == []
    assert usdt(await the_second_picture(broker)).interest_rate == Decimal("0.0876")
    assert asked(server) == ["debtor"]


async def test_who_owes_nothing_is_not_asked_for(server: SandboxServer, open_at: Open) -> None:
    for name in ("multi", "futures"):
        later = await the_second_picture(await open_at(server, name))
        assert {one.interest_rate for one in later.collaterals} == {None}
    assert asked(server) == []


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.HTTP_500,
        FaultKind.HTTP_503_HTML,
        FaultKind.HTTP_429_PLAIN,
        FaultKind.HTML_200,
        FaultKind.EMPTY_BODY,
        FaultKind.TRUNCATED,
        FaultKind.BAN,
        FaultKind.REVOKED_KEY,
    ],
)
async def test_a_failed_answer_leaves_the_rate_out_and_the_picture_whole(
    server: SandboxServer, open_at: Open, kind: FaultKind, caplog: pytest.LogCaptureFixture
) -> None:
    server.faults.set(Fault(kind=kind, path=PATH))
    broker = await open_at(server, "debtor")
    with caplog.at_level(logging.INFO, "margind"):
        for _ in range(3):
            later = await the_second_picture(broker)
            assert (usdt(later).debt, usdt(later).interest_rate) == (Decimal(2000), None)
            assert later.findings == ()
    assert len(asked(server)) == 1
    assert caplog.records == []


async def test_an_endpoint_that_hangs_delays_no_picture(server: SandboxServer, open_at: Open) -> None:
    server.faults.set(Fault(kind=FaultKind.HANG, path=PATH))
    broker = await open_at(server, "debtor")
    async with asyncio.timeout(1.5):
        for _ in range(4):
            later = await broker.fetch_snapshot()
    assert (usdt(later).interest_rate, later.findings) == (None, ())
    assert len(asked(server)) == 1


class OddWire(OkxWire):
    """A host whose `interest-rate` answers something else, or is not there (`None`)."""

    answer: Mapping[str, Any] | None = None

    def routes(self) -> Sequence[Route]:
        kept = [route for route in super().routes() if route.path != PATH]
        if self.answer is None:
            return kept
        answered = WireAnswer(payload=self.answer)
        return [*kept, Route(method="GET", path=PATH, handler=lambda *_: answered)]


@pytest.fixture(
    params=[
        None,
        {"code": "0", "msg": "", "data": []},
        {"code": "0", "msg": "", "data": {}},
        {"code": "0", "msg": "", "data": ["USDT"]},
        {"code": "0", "msg": "", "data": [{"ccy": "USDT", "interestRate": ""}]},
        {"code": "0", "msg": "", "data": [{"ccy": "USDT", "interestRate": "NaN"}]},
        {"code": "0", "msg": "", "data": [{"ccy": "BTC", "interestRate": "0.0001"}]},
        {"code": "51010", "msg": "Request unsupported under current account mode", "data": []},
        {"error": "no"},
    ]
)
async def odd(request: pytest.FixtureRequest, engine: Engine) -> AsyncIterator[SandboxServer]:
    """A host that answers oddly."""
    wire = type("_", (OddWire,), {"answer": request.param})(engine)
    async with SandboxServer(wire) as running:
        yield running


async def test_an_odd_answer_leaves_the_rate_out_and_the_picture_whole(
    odd: SandboxServer, open_at: Open
) -> None:
    broker = await open_at(odd, "debtor")
    for _ in range(2):
        later = await the_second_picture(broker)
        assert (usdt(later).debt, usdt(later).interest_rate, later.findings) == (Decimal(2000), None, ())
    assert len([path for _, path, _ in odd.received if path == PATH]) == 1
