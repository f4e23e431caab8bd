"""`margind sandbox`: the sandbox file becomes venues on loopback, each with its own wire and accounts."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from decimal import Decimal

from brokers.models import MarginMode, OrderSide, PositionMode, Side
from brokers.numbers import ZERO
from brokers.sandbox.engine import Engine
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.orders import OrderSpec, OrderType, Rejection, Trigger
from brokers.sandbox.presets import UnknownScenario, scenario, scenario_names
from brokers.sandbox.scenarios import Scenario
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import AccountSpec, Asset, OpeningPosition, OpeningWallet, SandboxSpec
from brokers.sandbox.venues import VENUES, SandboxVenue
from config.sandbox import OpeningOrder, SandboxAccount, SandboxFault, SandboxSettings
from daemon.errors import ConfigurationFault, FatalError


async def serve(settings: SandboxSettings, *, seconds: float | None, duration_s: float | None = None) -> None:
    """Serve every venue that has accounts until SIGTERM, a stop request, or for `seconds`.

    Prints one JSON line with the address of each venue once all of them listen. `duration_s` compresses the
    scenarios to so many sandbox seconds.

    Raises:
        FatalError: a port is taken, or an opening order is refused.
        ConfigurationFault: the file names a scenario that does not exist.
    """
    scenarios = _scenarios(settings.scenario, duration_s)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with AsyncExitStack() as stack:
        servers = {}
        for name in sorted({account.broker.value for account in settings.accounts}):
            server = _server(settings, name, scenarios)
            try:
                servers[name] = await stack.enter_async_context(server)
            except OSError as error:
                port = getattr(settings.listen, name)
                why = os.strerror(error.errno) if error.errno else str(error)
                raise FatalError(f"listen.{name}: port {port} cannot be used: {why}") from error
            _schedule(settings, name, server)
        print(json.dumps({name: server.url for name, server in servers.items()}), flush=True)  # noqa: T201
        waits = [stopped.wait(), *(server.stopped.wait() for server in servers.values())]
        tasks = [asyncio.create_task(wait) for wait in waits]
        with suppress(asyncio.CancelledError):
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()


def _scenarios(wanted: str, duration_s: float | None) -> Mapping[str, Scenario]:
    duration_ms = None if duration_s is None else round(duration_s * 1000)
    try:
        scenario(wanted)
    except UnknownScenario as error:
        raise ConfigurationFault(str(error)) from error
    return {name: scenario(name, duration_ms) for name in scenario_names()}


def _server(settings: SandboxSettings, venue_name: str, scenarios: Mapping[str, Scenario]) -> SandboxServer:
    venue = VENUES[venue_name]
    accounts = [account for account in settings.accounts if account.broker.value == venue_name]
    spec = SandboxSpec(
        instruments=venue.instruments,
        assets=_assets(venue, settings.prices),
        accounts=tuple(_account(account, venue) for account in accounts),
        rules=venue.rules,
        scenario=scenarios[settings.scenario],
        start_ms=round(time.time() * 1000),
    )
    engine = Engine(spec, seed=settings.seed)
    for account in accounts:
        for order in account.orders:
            _place(engine, venue, account, order)
    wire = venue.build(engine, {account.id: account.mode for account in accounts})
    return SandboxServer(
        wire,
        port=getattr(settings.listen, venue_name),
        speed=float(settings.speed),
        scenarios=scenarios,
    )


def _assets(venue: SandboxVenue, prices: Mapping[str, Decimal]) -> tuple[Asset, ...]:
    return tuple(replace(asset, usd_price=prices.get(asset.name, asset.usd_price)) for asset in venue.assets)


def _account(account: SandboxAccount, venue: SandboxVenue) -> AccountSpec:
    return AccountSpec(
        name=account.id,
        api_key=account.api_key,
        secret=account.secret,
        password=account.password or "",
        wallets={
            name: OpeningWallet(
                balance=account.wallets.get(name, ZERO), borrowed=account.debts.get(name, ZERO)
            )
            for name in dict.fromkeys((*account.wallets, *account.debts))
        },
        funding=dict(account.funding),
        margin_pool=venue.pools[account.mode],
        position_mode=PositionMode(account.position_mode.value),
        leverages={venue.listed_as(position.symbol): position.leverage for position in account.positions},
        margin_modes={
            venue.listed_as(position.symbol): MarginMode(position.margin.value)
            for position in account.positions
            if position.margin is not None
        },
        positions=tuple(
            OpeningPosition(
                symbol=venue.listed_as(position.symbol),
                side=Side(position.side.value),
                quantity=position.quantity,
                entry_price=position.entry,
                margin_mode=None if position.margin is None else MarginMode(position.margin.value),
                isolated_margin=position.margin_amount,
            )
            for position in account.positions
        ),
    )


def _place(engine: Engine, venue: SandboxVenue, account: SandboxAccount, order: OpeningOrder) -> None:
    spec = OrderSpec(
        symbol=venue.listed_as(order.symbol),
        side=OrderSide(order.side.value),
        quantity=order.quantity,
        type=OrderType.MARKET if order.price is None else OrderType.LIMIT,
        price=order.price,
        reduce_only=order.reduce_only,
        position_side=None if order.position_side is None else Side(order.position_side.value),
        trigger=None if order.trigger is None else Trigger(price=order.trigger),
    )
    try:
        engine.place(account.id, spec)
    except Rejection as error:
        raise FatalError(f"sandbox account {account.id}: opening order in {order.symbol}: {error}") from error


def _schedule(settings: SandboxSettings, venue_name: str, server: SandboxServer) -> None:
    """Set each fault of the file when its time comes."""
    here = {account.id for account in settings.accounts if account.broker.value == venue_name}
    for fault in settings.faults:
        elsewhere = fault.venue is not None and fault.venue.value != venue_name
        if elsewhere or (fault.account is not None and fault.account not in here):
            continue
        asyncio.get_running_loop().call_later(fault.after.total_seconds(), server.faults.set, _fault(fault))


def _fault(fault: SandboxFault) -> Fault:
    return Fault(
        kind=FaultKind(fault.kind.value),
        path=fault.path,
        account=fault.account,
        count=fault.count,
        duration_s=None if fault.duration is None else fault.duration.total_seconds(),
        ms=round(fault.delay.total_seconds() * 1000),
        trap=fault.trap,
    )
