"""A venue's leverage setting above the cap, over real adapters: lowered where there is room, else left."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.sandbox.faults import FaultKind
from brokers.sandbox.history import LeverageSet
from brokers.sandbox.spec import OpeningWallet
from database.records import PlanState

pytestmark = pytest.mark.wire

Cell = Any  # the fixtures' types live in conftest
D = Decimal
CALLS = {
    "bybit": "/v5/position/set-leverage",
    "binance": "/fapi/v1/leverage",
    "okx": "/api/v5/account/set-leverage",
}
ROOMY = {"wallet": OpeningWallet(balance=D(90_000))}  # 22 % used at a setting of 10, 44 % at 5
LOWER = {"limits": {"lower_leverage": True}}


def settings(cell: Cell) -> list[Decimal]:
    """What the venue was told to set, in order."""
    return [event.leverage for event in cell.engine.history if isinstance(event, LeverageSet)]


def kinds(watch: Any, cell: Cell) -> list[str]:  # noqa: ANN401 - the fixture's
    return [event.kind for event in watch.events(cell) if event.kind.startswith("setting_")]


async def test_it_is_lowered_once_where_there_is_room_and_only_when_armed_and_asked(
    cell_of: Callable[..., Cell], watching: Callable[..., Any]
) -> None:
    roomy = [cell_of(f"{venue}-roomy", venue, **ROOMY) for venue in CALLS]
    tight = [cell_of(f"{venue}-tight", venue) for venue in CALLS]  # 44 % used, 89 % at 5
    async with watching([*roomy, *tight], **LOWER) as watch:
        await watch.until(roomy, settings, within=20, why="the setting is lowered")
        await watch.until(tight, lambda one: kinds(watch, one), within=20, why="it is said why not")
        await asyncio.sleep(200)
        for cell in roomy:
            assert settings(cell) == [D(5)], watch.tell(cell)
            assert cell.asked("POST", CALLS[cell.broker]) == 1
            assert kinds(watch, cell) == ["setting_lowered"]
            (event,) = watch.events(cell, "setting_lowered")
            plan = next(e for e in watch.events(cell, "plan_approved"))
            done = watch.journal.plans.get(plan.plan_id)
            assert (done.decision, done.reason, done.state) == (
                "lower_leverage",
                "setting_over_cap",
                PlanState.EXECUTED,
            )
            assert D(event.detail["projected"]) == pytest.approx(cell.utilization(), rel=D("0.01"))
        for cell in tight:
            assert (settings(cell), kinds(watch, cell)) == ([], ["setting_kept"])
        for cell in tight:
            cell.fall_to(150_000)  # 100,000 won: 41 % at 5
        await watch.until(tight, settings, within=20, why="lowered once there is room")
        assert {cell.held() for cell in [*roomy, *tight]} == {D(2)}


@pytest.mark.parametrize("settings_", [{}, {**LOWER, "mode": "advise"}])
async def test_it_is_left_alone_unless_asked_for_and_in_enforce(
    cell_of: Callable[..., Cell], watching: Callable[..., Any], settings_: dict[str, Any]
) -> None:
    cells = [cell_of(f"{venue}-alone", venue, **ROOMY) for venue in CALLS]
    async with watching(cells, **settings_) as watch:
        await asyncio.sleep(10)
        for cell in cells:
            assert (settings(cell), kinds(watch, cell)) == ([], [])


async def test_a_venue_that_refuses_or_does_not_answer_is_asked_again_only_after_a_rest(
    cell_of: Callable[..., Cell], watching: Callable[..., Any]
) -> None:
    refused, silent = cell_of("bybit-refusing", "bybit", **ROOMY), cell_of("okx-silent", "okx", **ROOMY)
    refused.fault(FaultKind.REVOKED_KEY, path=CALLS["bybit"], writes=True)
    silent.fault(FaultKind.HANG, path=CALLS["okx"], writes=True, count=1)
    async with watching([refused, silent], **LOWER) as watch:
        await watch.until([refused, silent], lambda one: kinds(watch, one), within=30, why="tried once")
        await asyncio.sleep(30)
        assert refused.asked("POST", CALLS["bybit"]) == 1
        assert kinds(watch, refused) == ["setting_refused"]
        assert kinds(watch, silent) == ["setting_unanswered"]
        await asyncio.sleep(60)
        assert refused.asked("POST", CALLS["bybit"]) == 2
        assert settings(silent) == [D(5)]
        await asyncio.sleep(60)
        assert refused.asked("POST", CALLS["bybit"]) == 2  # a longer rest
        refused.heal()
        await watch.until([refused], settings, within=90, why="lowered in the end")
