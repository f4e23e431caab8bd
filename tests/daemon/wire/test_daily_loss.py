"""A day's loss over real adapters: what is moved does not count, what is lost does, until midnight (UTC)."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import OrderSide
from brokers.sandbox.history import OrderCancelled, Wallet
from daemon.daybook import BROKEN

pytestmark = pytest.mark.wire

Cell = Any  # the fixtures' types live in conftest
D = Decimal
VENUES = ["bybit", "binance", "okx"]
LIMIT = {"limits": {"daily_loss": {"amount": {"USDT": 3_000}, "action": "cancel"}}}
SLOWLY = {"poll": {"interval": "5m", "alarm_max_age": "20m"}}


def move(cell: Cell, amount: object) -> None:
    """Move money in (out, if negative) as the account's owner."""
    inward = D(str(amount)) > 0
    source, target = (Wallet.FUNDING, Wallet.TRADING) if inward else (Wallet.TRADING, Wallet.FUNDING)
    cell.engine.transfer(cell.name, "USDT", abs(D(str(amount))), source=source, target=target)


def is_broken(watch: Any, cell: Cell) -> bool:  # noqa: ANN401 - the fixture's
    return any(latch.name.startswith(BROKEN) for latch in watch.journal.latches.of(cell.name))


def cancelled(cell: Cell) -> list[str]:
    return [event.order.order_id for event in cell.engine.history if isinstance(event, OrderCancelled)]


async def test_money_that_moves_is_no_loss_and_a_loss_holds_until_midnight(
    cell_of: Callable[..., Cell], watching: Callable[..., Any]
) -> None:
    cells = [cell_of(f"{venue}-limited", venue, funding=50_000) for venue in VENUES]
    orders: dict[str, str] = {}
    async with watching(cells, **LIMIT) as watch:
        await asyncio.sleep(5)
        for cell in cells:
            move(cell, 20_000)
        await asyncio.sleep(5)
        for cell in cells:
            cell.fall_to(98_800)  # 2,400 of 3,000
        await asyncio.sleep(5)
        for cell in cells:
            move(cell, -15_000)
        await asyncio.sleep(5)
        for cell in cells:
            told = [D(event.detail["amount"]) for event in watch.events(cell, "money_moved")]
            assert [round(amount) for amount in told] == [20_000, -15_000], watch.tell(cell)
            assert not is_broken(watch, cell)
            orders[cell.name] = cell.rest(OrderSide.BUY, "0.01", price=50_000).order_id
            cell.fall_to(98_400)  # 3,200
        await watch.until(cells, lambda one: is_broken(watch, one), within=10, why="the limit is broken")
        await watch.until(
            cells, lambda one: orders[one.name] in cancelled(one), within=30, why="the order is cancelled"
        )
        for cell in cells:
            (event,) = watch.events(cell, "daily_loss")
            assert round(D(event.detail["loss"])) == 3_200, event
            assert cell.held() == cell.opened
    cells = cells[:1]  # another process, slower, into the next day
    async with watching(cells, **LIMIT, **SLOWLY) as watch:
        for cell in cells:
            assert is_broken(watch, cell)
            orders[cell.name] = cell.rest(OrderSide.BUY, "0.01", price=50_000).order_id
        await asyncio.sleep(400)
        began = watch.clock.now()
        midnight = datetime.combine(began.date() + timedelta(days=1), time(), tzinfo=UTC)
        for cell in cells:
            assert orders[cell.name] in cancelled(cell)
        await asyncio.sleep((midnight - began).total_seconds() - 10)
        assert all(is_broken(watch, cell) for cell in cells)
        await asyncio.sleep(400)
        for cell in cells:
            assert not is_broken(watch, cell)
            assert watch.events(cell, "day_began")[-1].reason == "day_began"
            assert len(watch.events(cell, "daily_loss")) == 1
            assert cell.received() == []
