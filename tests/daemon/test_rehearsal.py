"""The sandbox file as venues: what it promises is what they show."""

import asyncio
import json
import socket
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest
from aiohttp import ClientSession

from config.loader import parse_sandbox
from config.sandbox import SandboxBroker, SandboxSettings
from daemon.errors import ConfigurationFault, FatalError
from daemon.rehearsal import _scenarios, _server, serve

D = Decimal

ONE = """
scenario: calm
{listen}
accounts:
  - id: one
    broker: bybit
    api_key: key-of-one-account
    secret: secret-of-one-account
    mode: cross
    wallets: {{USDT: 45000}}
    positions: [{{symbol: BTC-USDT, side: long, quantity: 2, leverage: 10}}]
    {more}
"""


def written(more: str = "", listen: str = "") -> SandboxSettings:
    """A sandbox of one account."""
    return parse_sandbox(ONE.format(more=more, listen=listen).encode(), "sandbox.yaml")


@pytest.fixture(scope="module")
def shipped() -> SandboxSettings:
    """The file that comes with margind."""
    return parse_sandbox(files("config").joinpath("sandbox.yaml").read_bytes(), "sandbox.yaml")


async def addresses(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What a sandbox prints once all of it listens."""
    for _ in range(500):
        await asyncio.sleep(0.01)
        if text := capsys.readouterr().out:
            return json.loads(text)
    raise AssertionError("nothing listens")


ELSEWHERE = {SandboxBroker.KRAKEN, SandboxBroker.BINANCEMARGIN, SandboxBroker.BINANCEISOLATED}
"""Venues that the shipped market has no account at."""


async def test_every_venue_of_the_file_listens_and_is_named_in_one_line(
    shipped: SandboxSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    serving = asyncio.create_task(serve(shipped, seconds=0.3))
    urls = await addresses(capsys)
    for url in urls.values():
        host, port = url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
    await serving

    assert urls.keys() == {venue.value for venue in SandboxBroker if venue not in ELSEWHERE}


async def test_a_fault_of_the_file_strikes_at_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    settings = written(listen="faults: [{kind: http_502_html, path: /v5/market, after: 100ms, count: 1}]")
    serving = asyncio.create_task(serve(settings, seconds=0.6))
    url = (await addresses(capsys))["bybit"] + "/v5/market/time"
    statuses = []
    async with ClientSession() as client:
        for wait in (0, 0.2, 0):
            await asyncio.sleep(wait)
            async with client.get(url) as answer:
                statuses.append(answer.status)
    await serving

    assert statuses == [200, 502, 200]


def engines(settings: SandboxSettings) -> dict[str, Any]:
    """The engine of every venue, by the account."""
    scenarios = _scenarios("calm", None)
    names = {account.id: account.broker.value for account in settings.accounts}
    built = {name: _server(settings, name, scenarios).wire.engine for name in set(names.values())}
    return {account: built[name] for account, name in names.items()}


def utilization(engine: Any, account: str) -> Decimal:  # noqa: ANN401 - an Engine
    """The highest utilization of a cross pool."""
    pools = [pool for pool in engine.figures(account).pools if pool.kind != "isolated_position"]
    return max(pool.initial_margin / pool.margin_balance for pool in pools if pool.margin_balance > 0)


@pytest.mark.parametrize(
    ("fall", "low", "high"),
    [("1", "0.445", "0.485"), ("0.91", "0.66", "0.74"), ("0.89", "0.76", "0.84"), ("0.87", "0.85", "1.0")],
)
def test_the_cross_accounts_of_the_file_stand_where_its_first_lines_say(
    shipped: SandboxSettings, fall: str, low: str, high: str
) -> None:
    alone = {"isolated", "cash", "coin_margined", "portfolio_margin", "short"}
    isolated = {a.id for a in shipped.accounts if alone & {a.mode, a.id.rsplit("-", 1)[-1]}}
    venues = engines(shipped)
    for engine in {id(engine): engine for engine in venues.values()}.values():
        for asset in ("BTC", "ETH", "SOL"):
            engine.move_price(asset, D(fall))
    for account, engine in venues.items():
        if account not in isolated:
            assert D(low) <= utilization(engine, account) <= D(high), account


async def test_a_scenario_that_does_not_exist_is_a_fault_of_the_file_and_lists_those_that_do(
    shipped: SandboxSettings,
) -> None:
    wrong = shipped.model_copy(update={"scenario": "doomsday"})
    with pytest.raises(ConfigurationFault, match="slide"):
        await serve(wrong, seconds=0)


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(FatalError, match=rf"listen.bybit: port {port} cannot be used: Address already"):
            await serve(written(listen=f"listen: {{bybit: {port}}}"), seconds=0)


async def test_an_opening_order_that_the_venue_refuses_is_named() -> None:
    wrong = written("orders: [{symbol: BTC-USDT, side: buy, quantity: 1, price: 50000, reduce_only: true}]")
    with pytest.raises(FatalError, match="account one: opening order in BTC-USDT"):
        await serve(wrong, seconds=0)


def test_an_account_starts_with_what_it_owes() -> None:
    settings = written("debts: {USDT: 5000, BTC: 0.02}")
    (account,) = settings.accounts
    engine = _server(settings, "bybit", _scenarios("calm", None)).wire.engine
    owed = {coin.currency: (coin.wallet_balance, coin.borrowed) for coin in engine.figures(account.id).coins}
    assert owed["USDT"] == (45_000, 5_000)
    assert owed["BTC"] == (0, D("0.02"))
