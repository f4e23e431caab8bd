"""Breakers on ourselves over each venue's wire: a rival, a twin, venues that fall together."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import OrderSide
from daemon.risk.reason import Reason
from database.ids import client_order_id

pytestmark = pytest.mark.wire

Cell = Any  # the fixtures' types live in conftest
D = Decimal
VENUES = ("bybit", "binance", "okx")
BEATS_S = 0.3


@asynccontextmanager
async def rival_of(cell: Cell) -> AsyncIterator[None]:
    """Somebody with access to the account who buys back at once what is sold."""

    async def buy_back() -> None:
        while True:
            missing = cell.opened - cell.held()
            if missing > 0:
                cell.engine.external_trade(cell.name, cell.symbol, OrderSide.BUY, missing)
            await asyncio.sleep(BEATS_S)

    rival = asyncio.create_task(buy_back())
    try:
        yield
    finally:
        rival.cancel()


@pytest.mark.parametrize("venue", VENUES)
async def test_a_rival_bot_is_told_of_and_never_raced(
    cell_of: Callable[..., Cell], watching: Callable[..., Any], venue: str
) -> None:
    cell = cell_of("contested", venue)

    def stuck(one: Cell) -> bool:
        return any(event.reason == Reason.NO_PROGRESS for event in watch.events(one, "breaker_tripped"))

    async with watching([cell]) as watch:
        async with rival_of(cell):
            cell.fall_to(86_680)
            await watch.until([cell], stuck, within=120, why="no progress")
            sent = len(watch.intents(cell))
            await asyncio.sleep(30)
            later = watch.intents(cell)[sent:]
            assert 0 < len(later) <= 30 / 2, watch.tell(cell)
            assert len(watch.events(cell, "step_despite_breaker")) >= len(later) - 1
        (told, *_) = watch.events(cell, "reopened")
        assert "somebody else" in told.message
        assert all(spec.reduce_only for spec in cell.received())
        await watch.until([cell], watch.is_settled, within=120, why="cut to the target once it is left alone")
        assert any(event.reason == Reason.NO_PROGRESS for event in watch.events(cell, "breaker_reset"))
        assert cell.utilization() <= D("0.60")


@pytest.mark.parametrize("venue", VENUES)
async def test_an_order_of_another_margind_holds_the_account(
    cell_of: Callable[..., Cell], watching: Callable[..., Any], venue: str
) -> None:
    cell = cell_of("shared", venue)
    async with watching([cell]) as watch:
        twin = client_order_id(
            "e" * 32,
            account=cell.name,
            symbol=cell.symbol,
            side="long",
            margin_mode="cross",
            episode=1,
            step=1,
            attempt=1,
        )
        order = cell.rest(OrderSide.SELL, "0.1", price=140_000, client_id=twin)
        cell.fall_to(86_680)
        await watch.until([cell], lambda one: watch.events(one, "twin_suspected"), within=30, why="a twin")
        await asyncio.sleep(20)

        (told,) = watch.events(cell, "twin_suspected")
        assert "another install" in told.message
        assert order.order_id in cell.resting()
        assert watch.intents(cell) == []
        assert watch.outcome(cell).reason is Reason.UNKNOWN_OWN_ORDER

        cell.engine.cancel(cell.name, order_id=order.order_id)
        await watch.until([cell], watch.is_settled, within=120, why="cut to the target")


async def test_three_venues_that_fall_together_are_cut_with_an_alarm_each(
    cell_of: Callable[..., Cell], watching: Callable[..., Any]
) -> None:
    cells = [cell_of(f"desk-{venue}", venue) for venue in VENUES]
    async with watching(cells) as watch:
        for cell in cells:
            cell.fall_to(86_680)
        await watch.until(cells, watch.is_settled, within=120, why="cut to the target")

        trips = [event for cell in cells for event in watch.events(cell, "breaker_tripped")]
        assert trips
        assert {event.reason for event in trips} == {Reason.COMMON_MODE}
        assert all("binance, bybit, okx breached" in event.message for event in trips)
        for cell in cells:
            assert D("0.55") < cell.utilization() <= D("0.60")
            cell.check_that_it_only_reduced()
