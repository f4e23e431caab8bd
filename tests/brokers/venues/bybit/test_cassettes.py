"""Whole conversations with the production host, replayed; and refusals that mean the same at any host."""

import asyncio
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

from brokers.answers import Reply
from brokers.errors import BrokerError, RateLimited
from brokers.models import AccountId, FindingCode, MarginMode, Symbol
from brokers.orders import ClientOrderId, OrderBook, OrderState, ReduceOrder, Verdict
from brokers.outcomes import BYBIT, Write, classify
from brokers.registry import BrokerSpec, Credentials
from brokers.transport import Transport
from brokers.venues.bybit.broker import BybitBroker
from brokers.venues.bybit.profile import PROFILE

FOLDER = Path(__file__).parent / "cassettes"
REFUSALS = yaml.safe_load((FOLDER / "refusals.yaml").read_text())["interactions"]
ID = ClientOrderId("0123456789abcdef" * 2)
LTC = Symbol("LTCUSDT")
SPEC = BrokerSpec(
    account_id=AccountId("desk"),
    broker="bybit",
    product="unified",
    credentials=Credentials(api_key="key", secret="secret"),
)


def replay(name: str, *, by_body: bool = False) -> AbstractContextManager[object]:
    match = ["method", "scheme", "host", "path", "query"] + (["body"] if by_body else [])
    recorder = vcr.VCR(record_mode="none")
    return recorder.use_cassette(str(FOLDER / f"{name}.yaml"), match_on=match, allow_playback_repeats=True)


@pytest.fixture
async def broker() -> AsyncIterator[BybitBroker]:
    broker = BybitBroker(SPEC)
    yield broker
    await broker.aclose()


async def test_a_cross_account_from_connecting_to_reducing(broker: BybitBroker) -> None:
    with replay("unified_cross"):
        await broker.connect()
        shot = await broker.fetch_snapshot()
        assert shot.findings == ()
        assert shot.fetched_at - shot.as_of < timedelta(seconds=2)
        unit = shot.unit("account")
        assert unit.venue_ratio == Decimal("0.003")
        assert unit.initial_margin == Decimal("205.72562486")
        bitcoin, ltc = sorted(shot.positions, key=lambda position: position.symbol)
        assert (ltc.symbol, ltc.notional, bitcoin.settle) == (LTC, Decimal("85.32"), "BTC")
        assert shot.markets[LTC].max_market_quantity == 8520
        debt = next(row for row in shot.collaterals if row.currency == "BTC")
        assert (debt.debt, debt.interest) == (Decimal("0.02"), Decimal("0.00000014"))

        order = ReduceOrder(
            position=ltc,
            quantity=Decimal("0.4"),
            client_order_id=ID,
            deadline=broker.venue_now() + timedelta(seconds=3),
        )
        report = await broker.submit(order)
        assert (report.verdict, report.order_id, report.state) == (
            Verdict.ACCEPTED,
            "1321003749386327552",
            None,
        )
        found = await broker.find_order(ID, LTC)
        assert found is not None
        assert (found.state, found.filled, found.fee) == (
            OrderState.FILLED,
            Decimal("0.4"),
            Decimal("0.01563"),
        )
        other = replace(order, client_order_id=ClientOrderId("f" * 32))
        assert (await broker.submit(other)).verdict is Verdict.UNKNOWN, "the answer echoes another id"
        assert await broker.find_order(other.client_order_id, LTC) is None


async def test_the_brackets_of_held_symbols_come_with_a_later_snapshot(broker: BybitBroker) -> None:
    with replay("unified_cross"):
        await broker.connect()
        await broker.fetch_snapshot()
        await asyncio.gather(*broker._aside)
        tiers = (await broker.fetch_snapshot()).tiers
    assert [tier.rate for tier in tiers[LTC]] == [Decimal("0.01"), Decimal("0.02")]
    assert [tier.rate for tier in tiers[Symbol("BTCUSD")]] == [Decimal("0.005"), Decimal("0.01")]


async def test_open_orders_without_a_permission_for_spot(broker: BybitBroker) -> None:
    with replay("unified_cross"):
        await broker.connect()
        entry, stop = await broker.fetch_open_orders()
        (report,) = await broker.cancel_orders([entry])
        await broker.set_leverage(LTC, Decimal(6))
    assert (entry.book, entry.is_protective) == (OrderBook.ACTIVE, False)
    assert (stop.book, stop.is_protective) == (OrderBook.TRIGGER, True)
    assert (report.verdict, report.code) == (Verdict.REJECTED, "110001")


async def test_a_key_that_may_withdraw_and_the_funding_wallet(broker: BybitBroker) -> None:
    with replay("unified_cross"):
        await broker.connect()
        may = await broker.fetch_permissions()
        assert (may.can_withdraw, may.can_trade, may.ip_bound) == (True, True, False)
        assert await broker.fetch_funding_balance("USDT") == 1010
        report = await broker.transfer_in("USDT", Decimal("12.5"), ID)
        found = await broker.find_transfer(ID, "USDT", Decimal("12.5"), broker.venue_now())
    assert report.verdict is Verdict.ACCEPTED
    assert found is not None
    assert found.transfer_id == report.transfer_id


async def test_an_isolated_account(broker: BybitBroker) -> None:
    with replay("unified_isolated"):
        await broker.connect()
        shot = await broker.fetch_snapshot()
    assert shot.findings == ()
    coin, position = shot.units
    assert coin.initial_margin is not None
    assert coin.margin_equity is not None
    assert (coin.initial_margin / coin.margin_equity * 100).quantize(Decimal("0.001")) == Decimal("57.745")
    assert (position.key, position.margin_equity) == ("LTCUSDT:long", Decimal("2162.61540399"))


async def test_a_portfolio_account(broker: BybitBroker) -> None:
    with replay("unified_portfolio"):
        await broker.connect()
        shot = await broker.fetch_snapshot()
    assert shot.mode.margin_mode is MarginMode.PORTFOLIO
    assert FindingCode.FIELD_MISSING not in {finding.code for finding in shot.findings}
    assert shot.unit("account").maintenance_margin == Decimal("22.1")
    assert shot.positions[0].maintenance_margin is None


# ---------------------------------------------------------------------- one meaning at every host


@pytest.fixture
async def proxy() -> AsyncIterator[str]:
    """A loopback host that gives the production host's answers."""

    async def answer(request: web.Request) -> web.Response:
        number = int((await request.json())["orderId"])
        kept = REFUSALS[number - 1]["response"]
        headers = {name: values[0] for name, values in kept["headers"].items()}
        return web.Response(
            status=kept["status"]["code"], body=kept["body"]["string"].encode(), headers=headers
        )

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def _cancel(number: int, endpoint: str | None) -> Reply:
    """Cancel one order by an account of its own, so that a ban in one answer does not end the others."""
    transport = Transport(
        replace(SPEC, endpoint=endpoint), replace(PROFILE, venue=f"bybit-{number}-{endpoint}")
    )
    try:
        return await transport.write("privatePostV5OrderCancel", {"orderId": str(number)})
    finally:
        await transport.aclose()


def _meaning(reply: Reply) -> tuple[object, ...]:
    failure: BrokerError | None = reply.failure
    pause = failure.retry_after if isinstance(failure, RateLimited) else None
    return type(failure), reply.code, reply.status, pause, tuple(classify(BYBIT, w, reply) for w in Write)


async def test_every_refusal_means_the_same_with_and_without_an_endpoint(proxy: str) -> None:
    numbers = range(1, len(REFUSALS) + 1)
    with replay("refusals", by_body=True):
        production = [_meaning(await _cancel(number, None)) for number in numbers]
    elsewhere = [_meaning(await _cancel(number, proxy)) for number in numbers]
    assert production == elsewhere
    assert len(production) == 38
    assert all(kind is not type(None) for kind, *_ in production)


def test_no_cassette_holds_a_key_or_a_signature() -> None:
    for path in FOLDER.glob("*.yaml"):
        interactions = yaml.safe_load(path.read_text())["interactions"]
        assert all(one["request"]["headers"] == {} for one in interactions)
        assert "X-BAPI" not in path.read_text()
