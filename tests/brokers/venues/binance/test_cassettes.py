"""Whole conversations with the production hosts, replayed; and refusals that mean the same at any host."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import vcr
import yaml
from aiohttp import web
from vcr.request import Request

from brokers.answers import Reply
from brokers.errors import BrokerError, RateLimited
from brokers.models import AccountId, Symbol
from brokers.orders import ClientOrderId, OrderState, ReduceOrder, Verdict
from brokers.outcomes import BINANCE, Write, classify
from brokers.registry import BrokerSpec, Credentials
from brokers.transport import Transport
from brokers.venues.binance.profile import USDM
from brokers.venues.binance.usdm import UsdmBroker

FOLDER = Path(__file__).parent / "cassettes"
SIGNATURE = {"timestamp", "signature", "recvWindow"}
ANSWERS = yaml.safe_load((FOLDER / "usdm_refusals.yaml").read_text())["interactions"]
SPEC = BrokerSpec(
    account_id=AccountId("desk"),
    broker="binance",
    product="usdm",
    credentials=Credentials(api_key="key", secret="secret"),
)
BTC = Symbol("BTCUSDT")


def _same_question(sent: Request, kept: Request) -> None:
    asked, known = ({(k, v) for k, v in one.query if k not in SIGNATURE} for one in (sent, kept))
    assert known <= asked


def replay(name: str) -> AbstractContextManager[object]:
    recorder = vcr.VCR(record_mode="none")
    recorder.register_matcher("question", _same_question)
    match = ["method", "scheme", "host", "path", "question"]
    return recorder.use_cassette(str(FOLDER / f"{name}.yaml"), match_on=match, allow_playback_repeats=True)


@pytest.fixture
async def broker() -> AsyncIterator[UsdmBroker]:
    broker = UsdmBroker(SPEC)
    yield broker
    await broker.aclose()


async def test_a_single_asset_account_from_connecting_to_reducing(broker: UsdmBroker) -> None:
    with replay("usdm_single_asset"):
        await broker.connect()
        await broker.fetch_snapshot()
        snapshot = await broker.fetch_snapshot()
        assert snapshot.fetched_at - snapshot.as_of < timedelta(seconds=1)
        assert snapshot.findings == ()
        assert [unit.key for unit in snapshot.units] == ["USDT", "USDC", "BNB"]
        short = next(p for p in snapshot.positions if p.symbol == BTC)
        assert (short.quantity, short.maintenance_margin) == (Decimal(12), Decimal(3808))
        assert short.leverage_setting == Decimal(10)
        tier = snapshot.tiers[BTC][-1]
        assert short.notional is not None
        assert short.notional * tier.rate - tier.deduction == Decimal(3808)

        limit, stop = await broker.fetch_open_orders()
        assert (limit.order_id, limit.reduce_only, stop.is_protective) == ("1917641", False, True)
        gone, done = await broker.cancel_orders([limit, stop])
        assert (gone.verdict, gone.code, done.verdict) == (Verdict.REJECTED, "-2011", Verdict.ACCEPTED)

        order = ReduceOrder(
            position=short,
            quantity=Decimal("1.5"),
            client_order_id=ClientOrderId("0123456789abcdef" * 2),
            deadline=broker.venue_now() + timedelta(seconds=3),
        )
        report = await broker.submit(order)
        assert (report.verdict, report.state, report.order_id) == (
            Verdict.ACCEPTED,
            OrderState.FILLED,
            "22542179",
        )
        other = replace(order, client_order_id=ClientOrderId("f" * 32))
        assert (await broker.submit(other)).verdict is Verdict.UNKNOWN, "the answer echoes another id"
        assert await broker.find_order(order.client_order_id, BTC) is None
        await broker.set_leverage(BTC, Decimal(5))


async def test_permissions_and_transfers_go_to_the_spot_host(broker: UsdmBroker) -> None:
    with replay("usdm_single_asset"):
        await broker.connect()
        may = await broker.fetch_permissions()
        assert (may.can_trade, may.can_withdraw, may.ip_bound) == (True, False, True)
        assert await broker.fetch_funding_balance("USDT") == Decimal("12.5")
        since = broker.venue_now()
        report = await broker.transfer_in("USDT", Decimal("12.5"), "mine")
        assert (report.verdict, report.transfer_id) == (Verdict.ACCEPTED, "13526853623")
        found = await broker.find_transfer("mine", "USDT", Decimal("12.5"), since)
        assert found is not None
        assert found.transfer_id == "13526853623"


async def test_a_multi_assets_account(broker: UsdmBroker) -> None:
    with replay("usdm_multi_assets"):
        await broker.connect()
        (unit,) = (await broker.fetch_snapshot()).units
    assert (unit.initial_margin, unit.margin_equity) == (Decimal("7.59482199"), Decimal("26.26840422"))


# ---------------------------------------------------------------------- one meaning at every host


def _kept(request: web.Request) -> web.Response:
    """Answer as the production host did."""
    answer = ANSWERS[int(request.query["orderId"]) - 1]["response"]
    headers = {name: values[0] for name, values in answer["headers"].items()}
    body = answer["body"]["string"]
    return web.Response(status=answer["status"]["code"], body=body.encode(), headers=headers)


@pytest.fixture
async def proxy() -> AsyncIterator[str]:
    """A loopback host that gives the same answers."""

    async def answer(request: web.Request) -> web.Response:
        return _kept(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def _cancel(number: int, endpoint: str | None) -> Reply:
    """Cancel one order by an account of its own, so that a ban in one answer does not end the others."""
    profile = replace(USDM, venue=f"binance-{number}")
    transport = Transport(replace(SPEC, endpoint=endpoint), profile)
    try:
        return await transport.write("fapiPrivateDeleteOrder", {"symbol": BTC, "orderId": str(number)})
    finally:
        await transport.aclose()


def _meaning(reply: Reply) -> tuple[object, ...]:
    failure: BrokerError | None = reply.failure
    pause = failure.retry_after if isinstance(failure, RateLimited) else None
    verdicts = tuple(classify(BINANCE, write, reply) for write in Write)
    return type(failure), reply.code, reply.status, reply.message, pause, verdicts


async def test_every_refusal_means_the_same_with_and_without_an_endpoint(proxy: str) -> None:
    numbers = range(1, len(ANSWERS) + 1)
    with replay("usdm_refusals"):
        production = [_meaning(await _cancel(number, None)) for number in numbers]
    elsewhere = [_meaning(await _cancel(number, proxy)) for number in numbers]
    assert production == elsewhere
    assert len(production) == 37
    assert all(kind is not type(None) for kind, *_ in production)


def test_no_cassette_holds_a_key_or_a_signature() -> None:
    for path in FOLDER.glob("*.yaml"):
        interactions = yaml.safe_load(path.read_text())["interactions"]
        assert all(one["request"]["headers"] == {} for one in interactions)
        assert "signature=" not in path.read_text()
