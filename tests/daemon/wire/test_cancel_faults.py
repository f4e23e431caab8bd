"""Faults against the cancellations of every venue: what protects stays, and no cut is kept waiting."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.budget import boot_seconds
from brokers.models import OrderSide
from brokers.sandbox.faults import FaultKind

pytestmark = pytest.mark.wire

Cell = Any  # the fixtures' types live in conftest
Watch = Any
D = Decimal

CANCELS = {"bybit": "/v5/order/cancel", "binance": "/fapi/v1/algoOrder", "okx": "/api/v5/trade/cancel"}
RISKY: dict[str, dict[str, Any]] = {
    "bybit": {"price": 75_000},
    "binance": {"trigger": 110_000},  # a stop entry: its cancellation has a path that no order has
    "okx": {"price": 75_000},
}
REFUSED, LOST = "cancelled 0 of 1 open orders, 1 refused", "cancelled 0 of 1 open orders, 1 without an answer"
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "http-500": ({"kind": FaultKind.HTTP_500}, LOST),
    "http-500-executes": ({"kind": FaultKind.HTTP_500, "executes": True}, LOST),
    "html-200": ({"kind": FaultKind.HTML_200}, LOST),
    "null-body": ({"kind": FaultKind.NULL_BODY}, LOST),
    "truncated": ({"kind": FaultKind.TRUNCATED}, LOST),
    "accepted-no-answer": ({"kind": FaultKind.ACCEPTED_NO_ANSWER}, LOST),
    "hang": ({"kind": FaultKind.HANG}, LOST),
    "revoked-key": ({"kind": FaultKind.REVOKED_KEY}, REFUSED),
}
WORKED = {"http-500-executes", "truncated", "accepted-no-answer"}

SPOILT_S = 1.5


def seed(cell: Cell, broker: str) -> tuple[str, str]:
    """Rest an order that would add risk and a stop that protects; return their ids."""
    risky = cell.rest(OrderSide.BUY, "0.05", **RISKY[broker])
    stop = cell.rest(OrderSide.SELL, 2, trigger=70_000, reduce_only=True)
    return risky.order_id, stop.order_id


def told(watch: Watch, cell: Cell) -> list[str]:
    """What the journal says of the rounds of cancellation."""
    return [event.message for event in watch.events(cell, "orders_cancelled")]


@pytest.mark.parametrize("broker", ["bybit", "binance", "okx"])
async def test_what_adds_risk_is_cancelled_in_the_end_and_what_protects_stays(
    cell_of: Callable[..., Cell], watching: Callable[..., Any], broker: str
) -> None:
    critical = {cell_of(name, broker): name for name in FAULTS}
    falling = {cell_of(f"{name}-falling", broker): name for name in FAULTS}
    cells = {**critical, **falling}
    orders = {cell: seed(cell, broker) for cell in cells}
    async with watching(cells) as watch:
        for cell, name in cells.items():
            cell.fault(**FAULTS[name][0], path=CANCELS[broker], writes=True)
            cell.fall_to(88_000 if cell in critical else 86_680)
        began = boot_seconds()
        await watch.until(falling, lambda cell: cell.received(), within=30, why="a cut")
        await watch.until(cells, lambda cell: told(watch, cell), within=20, why="a round of cancellations")
        await asyncio.sleep(SPOILT_S)
        for cell, name in cells.items():
            risky, stop = orders[cell]
            assert cell.resting() == ({stop} if name in WORKED else {risky, stop}), watch.tell(cell)
            assert set(told(watch, cell)) == {FAULTS[name][1]}, watch.tell(cell)
            spent = boot_seconds() - began
            assert len(told(watch, cell)) <= 3 + spent / 2, "it rests between rounds in vain"
        for cell in critical:
            assert cell.received() == [], watch.tell(cell)
        for cell, name in falling.items():
            cut_at = watch.intents(cell)[0].created_at
            before = [event for event in watch.events(cell, "orders_cancelled") if event.time < cut_at]
            assert len(before) <= (1 if name == "hang" else 3), "a slow round gives way at once"

        for cell in cells:
            cell.heal()
        await watch.until(falling, watch.is_settled, within=40, why="cut to the target")
        for cell in falling:
            assert D("0.57") < cell.utilization() <= D("0.60"), watch.tell(cell)
            cell.fall_to(81_500)  # to CRITICAL again, now that cancelling works
        await watch.until(
            cells, lambda cell: cell.resting() == {orders[cell][1]}, within=50, why="the order cancelled"
        )
        for cell in cells:
            assert len(cell.received()) == (cell in falling), watch.tell(cell)
            cell.check_that_it_only_reduced()
