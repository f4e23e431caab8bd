"""Accounts of the rarer modes of Bybit and OKX at LIQUIDATION: each is cut to its target and no further."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import OrderSide, Side
from brokers.sandbox.catalogue import ASSETS
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import Actor, Filled
from brokers.sandbox.scenarios import calm
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import AccountSpec, OpeningPosition, OpeningWallet, SandboxSpec
from daemon.risk.policy import Level

pytestmark = pytest.mark.wire

Cell = Any  # the fixtures' types live in conftest
D = Decimal
OPENING = D(100_000)
STEP = D("0.005")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of account: its mode, its position in engine units, and what its wallets hold."""

    broker: str
    mode: str
    symbol: str
    quantity: str
    wallets: Mapping[str, str]
    side: Side = Side.LONG


TETHERS, COINS = {"USDT": "45000"}, {"BTC": "0.5"}
KINDS = {
    "okx-pair-long": Kind(
        broker="okx", mode="futures", symbol="BTC-USDT-MARGIN", quantity="2", wallets=TETHERS
    ),
    "okx-pair-short": Kind(
        broker="okx",
        mode="futures",
        symbol="BTC-USDT-MARGIN",
        quantity="2",
        wallets=TETHERS,
        side=Side.SHORT,
    ),
    "okx-inverse": Kind(
        broker="okx", mode="futures", symbol="BTC-USD-SWAP", quantity="200000", wallets=COINS
    ),
    "okx-inverse-pooled": Kind(
        broker="okx", mode="multi_currency", symbol="BTC-USD-SWAP", quantity="200000", wallets=COINS
    ),
    "bybit-usdc": Kind(
        broker="bybit", mode="cross", symbol="BTC-USDC", quantity="2", wallets={"USDC": "45000"}
    ),
    "bybit-inverse": Kind(broker="bybit", mode="cross", symbol="BTC-USD", quantity="200000", wallets=COINS),
    "bybit-portfolio": Kind(
        broker="bybit", mode="portfolio", symbol="BTC-USDT", quantity="2", wallets=TETHERS
    ),
    "bybit-uta1": Kind(
        broker="bybit",
        mode="uta1",
        symbol="BTC-USD",
        quantity="200000",
        wallets={**COINS, "USDT": "1000"},
    ),
}


def play(cell: Cell, kind: Kind | None, **account: Any) -> Cell:  # noqa: ANN401 - fields of the account
    """Put another account at a cell's venue."""
    mode = account.pop("mode", None) or kind.mode
    if kind is not None:
        held = OpeningPosition(symbol=kind.symbol, side=kind.side, quantity=D(kind.quantity))
        wallets = {name: OpeningWallet(balance=D(amount)) for name, amount in kind.wallets.items()}
        account |= {"wallets": wallets, "positions": (held,)}
        cell.symbol = kind.symbol
    cell.engine = Engine(
        SandboxSpec(
            instruments=cell.venue.instruments,
            assets=tuple(
                replace(one, usd_price=OPENING if one.name == "BTC" else one.usd_price) for one in ASSETS
            ),
            accounts=(
                AccountSpec(
                    name=cell.name,
                    api_key=f"key-of-{cell.name}",
                    secret=f"secret-of-{cell.name}",
                    password="phrase",
                    margin_pool=cell.venue.pools[mode],
                    **account,
                ),
            ),
            rules=cell.venue.rules,
            scenario=calm(noise=0.0),
            start_ms=round(time.time() * 1000),
        )
    )
    cell.server = SandboxServer(cell.venue.build(cell.engine, {cell.name: mode}))
    return cell


def worsen(cell: Cell, side: Side, utilization: str) -> None:
    """Move the price against a side until so much margin is used."""
    while cell.utilization() < D(utilization):
        cell.engine.move_price("BTC", 1 - STEP if side is Side.LONG else 1 + STEP)


def check_that_it_only_reduced(cell: Cell, kind: Kind) -> None:
    """Every fill was ours, on the closing side, and all of them together less than the position."""
    closing = OrderSide.SELL if kind.side is Side.LONG else OrderSide.BUY
    fills = [event for event in cell.engine.history if isinstance(event, Filled)]
    assert fills, cell.name
    assert {(event.actor, event.fill.side) for event in fills} == {(Actor.API, closing)}, cell.name
    cut = sum(event.fill.quantity for event in fills)
    assert abs(cell.held()) == D(kind.quantity) - cut, cell.name
    assert 0 < cut < D(kind.quantity), cell.name
    assert all(spec.reduce_only for spec in cell.received()), cell.name


async def test_every_kind_of_position_is_cut_to_its_target_and_no_further(
    cell_of: Callable[..., Cell], watching: Callable[..., Any]
) -> None:
    cells = {play(cell_of(name, kind.broker), kind): kind for name, kind in KINDS.items()}
    async with watching(cells) as watch:
        for cell, kind in cells.items():
            worsen(cell, kind.side, "0.83")
        await watch.until(
            cells, lambda cell: watch.outcome(cell).level is Level.CRITICAL, within=25, why="critical"
        )
        for cell, kind in cells.items():
            worsen(cell, kind.side, "0.92")
        await watch.until(cells, watch.is_settled, within=40, why="cut to the target")
    for cell, kind in cells.items():
        assert D("0.58") < cell.utilization() <= D("0.60"), (cell.name, cell.utilization())
        check_that_it_only_reduced(cell, kind)


async def test_a_debt_alone_alarms_and_sells_nothing(
    cell_of: Callable[..., Cell], watching: Callable[..., Any]
) -> None:
    wallets = {
        "BTC": OpeningWallet(balance=D(1)),
        "USDT": OpeningWallet(balance=D(0), borrowed=D(60_000), interest=D(5)),
    }
    debtor = play(cell_of("okx-debtor", "okx"), None, mode="spot", wallets=wallets)
    owner = play(cell_of("okx-owner", "okx"), None, mode="spot", wallets={"BTC": OpeningWallet(balance=D(1))})
    async with watching([debtor, owner]) as watch:
        assert {watch.outcome(cell).level for cell in (debtor, owner)} == {Level.SAFE}
        worsen(debtor, Side.LONG, "0.92")
        owner.fall_to(50_000)
        await watch.until(
            [debtor],
            lambda cell: watch.outcome(cell).level is Level.LIQUIDATION,
            within=20,
            why="liquidation",
        )
        assert watch.outcome(owner).level is Level.SAFE, "cash falls, and nobody liquidates it"
    assert debtor.received() == owner.received() == []
    assert debtor.engine.figures(debtor.name).coin("BTC").wallet_balance == 1
