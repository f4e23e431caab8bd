"""The real adapter in debt at the sandbox's Bybit: what the debt costs, and what asking may never do."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers import ccxt_broker
from brokers.budget import boot_seconds
from brokers.models import AccountSnapshot
from brokers.sandbox.engine import Engine
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.wire.base import Route, WireAnswer
from brokers.sandbox.wire.bybit.wire import BybitWire
from brokers.venues.bybit.broker import BybitBroker

pytestmark = pytest.mark.wire

Open = Callable[[str], Awaitable[BybitBroker]]
SignIn = Callable[[str], Any]  # the clients of conftest
PATH = "/v5/account/collateral-info"
APR = {"USDT": Decimal("0.0876"), "BTC": Decimal("0.0128772")}  # 0.00001 and 0.00000147 an hour


@pytest.fixture
def engine(engine: Engine) -> Engine:
    """The same venue, at rates that are round per hour."""
    assets = engine.spec.assets
    lent = (replace(asset, borrow_apr=APR.get(asset.name, Decimal(0))) for asset in assets)
    return Engine(replace(engine.spec, assets=tuple(lent)))


async def the_second_picture(broker: BybitBroker) -> AccountSnapshot:
    """Read a picture, let everything it began beside come to its end, and read the next."""
    await broker.fetch_snapshot()
    await asyncio.gather(*broker._aside)
    return await broker.fetch_snapshot()


def asked(server: SandboxServer) -> list[str]:
    return [account for _, path, account in server.received if path == PATH]


# ---------------------------------------------------------------- the wire


def test_the_wire_answers_in_the_venues_words(client: SignIn) -> None:
    payload = client("debtor").get("account/collateral-info", currency="USDT")
    assert (payload["retCode"], payload["retMsg"]) == (0, "OK")
    (row,) = payload["result"]["list"]
    assert (row["currency"], row["hourlyBorrowRate"], row["borrowAmount"]) == ("USDT", "0.00001", "4000")
    assert row["borrowable"] is True
    assert [type(row[name]) for name in ("freeBorrowAmount", "collateralRatio", "borrowUsageRate")] == [
        str
    ] * 3
    everything = client("flat").get("account/collateral-info")["result"]["list"]
    rates = {row["currency"]: row["hourlyBorrowRate"] for row in everything}
    assert rates == {"BTC": "0.00000147", "ETH": "0", "SOL": "0", "USDC": "0", "USDT": "0.00001"}


def test_the_wire_wants_a_signature(client: SignIn) -> None:
    assert client("debtor").public("account/collateral-info")["retCode"] != 0


# ---------------------------------------------------------------- the adapter


async def test_a_debt_has_the_apr_of_the_hourly_rate(adapter: Open, server: SandboxServer) -> None:
    broker = await adapter("debtor")
    first = await broker.fetch_snapshot()
    assert first.collaterals[0].interest_rate is None
    await asyncio.gather(*broker._aside)
    later = await broker.fetch_snapshot()
    (usdt,) = later.collaterals
    assert (usdt.debt, usdt.interest_rate) == (Decimal(4000), Decimal("0.0876"))
    assert replace(usdt, interest_rate=None) == first.collaterals[0]
    assert asked(server) == ["debtor"]


async def test_it_is_asked_once_an_hour_however_many_pictures(
    adapter: Open, server: SandboxServer, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = await adapter("debtor")
    for _ in range(5):
        assert (await the_second_picture(broker)).collaterals[0].interest_rate == Decimal("0.0876")
    assert len(asked(server)) == 1
    monkeypatch.setattr(ccxt_broker, "boot_seconds", lambda: boot_seconds() + 3000)
    await the_second_picture(broker)
    assert len(asked(server)) == 1
    monkeypatch.setattr(ccxt_broker, "boot_seconds", lambda: boot_seconds() + 3600)
    assert (await the_second_picture(broker)).collaterals[0].interest_rate == Decimal("0.0876")
    assert len(asked(server)) == 2


async def test_who_owes_nothing_is_not_asked_for(adapter: Open, server: SandboxServer) -> None:
    later = await the_second_picture(await adapter("cross"))
    assert later.collaterals[0].interest_rate is None
    assert asked(server) == []


async def test_a_protective_picture_does_not_ask(adapter: Open, server: SandboxServer) -> None:
    broker = await adapter("debtor")
    await broker.fetch_snapshot(protective=True)
    await asyncio.gather(*broker._aside)
    assert asked(server) == []


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.HTTP_500,
        FaultKind.HTTP_502_HTML,
        FaultKind.HTTP_429_PLAIN,
        FaultKind.HTTP_429_FOREIGN_JSON,
        FaultKind.HTML_200,
        FaultKind.NULL_BODY,
        FaultKind.EMPTY_BODY,
        FaultKind.TRUNCATED,
        FaultKind.BAN,
        FaultKind.REVOKED_KEY,
    ],
)
async def test_a_failed_answer_leaves_the_rate_out_and_the_picture_whole(
    adapter: Open, server: SandboxServer, kind: FaultKind, caplog: pytest.LogCaptureFixture
) -> None:
    server.faults.set(Fault(kind=kind, path=PATH))
    broker = await adapter("debtor")
    with caplog.at_level(logging.INFO, "margind"):
        for _ in range(3):
            later = await the_second_picture(broker)
            assert later.collaterals[0].interest_rate is None
            assert later.collaterals[0].debt == Decimal(4000)
            assert later.findings == ()
    assert len(asked(server)) == 1
    assert caplog.records == []


async def test_an_endpoint_that_hangs_delays_no_picture(adapter: Open, server: SandboxServer) -> None:
    server.faults.set(Fault(kind=FaultKind.HANG, path=PATH))
    broker = await adapter("debtor")
    async with asyncio.timeout(1.5):
        for _ in range(5):
            later = await broker.fetch_snapshot()
    assert (later.collaterals[0].interest_rate, later.findings) == (None, ())
    assert len(asked(server)) == 1


class OddWire(BybitWire):
    """A host whose `collateral-info` answers something else, or is not there (`None`)."""

    answer: Mapping[str, Any] | None = None

    def routes(self) -> Sequence[Route]:
        kept = [route for route in super().routes() if route.path != PATH]
        if self.answer is None:
            return kept
        answered = WireAnswer(payload=self.answer)
        return [*kept, Route(method="GET", path=PATH, handler=lambda *_: answered)]


class TestOddHosts:
    @pytest.fixture(
        params=[
            None,
            {"retCode": 0, "retMsg": "OK", "result": {}},
            {"retCode": 0, "retMsg": "OK", "result": {"list": "none"}},
            {
                "retCode": 0,
                "retMsg": "OK",
                "result": {"list": [{"currency": "USDT", "hourlyBorrowRate": ""}]},
            },
            {
                "retCode": 0,
                "retMsg": "OK",
                "result": {"list": [{"currency": "USDT", "hourlyBorrowRate": {}}]},
            },
            {
                "retCode": 0,
                "retMsg": "OK",
                "result": {"list": [{"currency": "BTC", "hourlyBorrowRate": "0"}]},
            },
            {"retCode": 10001, "retMsg": "params error", "result": {}},
            {"list": []},
        ]
    )
    async def server(self, request: pytest.FixtureRequest, engine: Engine) -> Any:  # noqa: ANN401
        wire = type("_", (OddWire,), {"answer": request.param})(engine)
        async with SandboxServer(wire) as running:
            yield running

    async def test_an_odd_answer_leaves_the_rate_out_and_the_picture_whole(
        self, adapter: Open, server: SandboxServer
    ) -> None:
        broker = await adapter("debtor")
        for _ in range(2):
            later = await the_second_picture(broker)
            (usdt,) = later.collaterals
            assert (usdt.debt, usdt.interest_rate, later.findings) == (Decimal(4000), None, ())
        assert len([path for _, path, _ in server.received if path == PATH]) == 1
