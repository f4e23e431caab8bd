"""Guards in advise mode over real adapters: what an operator approves is what the venue gets, at most."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import OrderSide
from database.records import Plan, PlanState

pytestmark = pytest.mark.wire

Cell = Any  # the fixtures' types live in conftest
D = Decimal
VENUES = ["bybit", "binance", "okx"]


def plans(watch: Any, cell: Cell) -> list[Plan]:  # noqa: ANN401 - the fixture's
    """Every plan of a cell as it stands now, in the order of deciding."""
    ids = dict.fromkeys(event.plan_id for event in watch.events(cell) if event.plan_id)
    return [plan for one in ids if (plan := watch.journal.plans.get(one)) is not None]


def waiting(watch: Any, cell: Cell, action: str = "reduce") -> list[Plan]:  # noqa: ANN401
    return [plan for plan in watch.journal.plans.waiting(cell.name) if plan.decision == action]


def approve(watch: Any, plan: Plan) -> None:  # noqa: ANN401
    with watch.journal.transaction():
        watch.journal.plans.settle(plan.plan_id, PlanState.APPROVED, watch.clock.now(), actor="kim")


async def test_an_approved_step_is_sized_anew_and_never_beyond_what_was_approved(
    cell_of: Callable[..., Cell], watching: Callable[..., Any]
) -> None:
    """Proposed at 86,680, approved when a little more is needed: the step is what was approved."""
    cells = [cell_of(f"{venue}-advised", venue) for venue in VENUES]
    async with watching(cells, mode="advise") as watch:
        for cell in cells:
            cell.fall_to(86_680)
        await watch.until(cells, lambda one: waiting(watch, one), within=20, why="a plan waits")
        proposed = {cell.name: waiting(watch, cell)[0] for cell in cells}
        for cell in cells:
            cell.fall_to(86_400)
            approve(watch, proposed[cell.name])
        await watch.until(cells, lambda one: one.received(), within=20, why="the step is sent")
        await watch.until(cells, lambda one: waiting(watch, one), within=20, why="the rest is proposed")
        await asyncio.sleep(5)
        for cell in cells:
            plan, (sent,) = proposed[cell.name], cell.received()
            (row,) = plan.plan["orders"]
            (intent,) = watch.intents(cell)
            assert (intent.quantity, intent.filled) == (D(row["quantity"]), D(row["quantity"]))
            assert sent.side is OrderSide.SELL
            assert watch.journal.plans.get(plan.plan_id).state is PlanState.EXECUTED
            assert [one.plan.get("approval") for one in plans(watch, cell)].count(plan.plan_id) == 1
            cell.check_that_it_only_reduced()


async def test_a_plan_that_waits_ends_with_the_danger_or_is_replaced_by_a_larger_one(
    cell_of: Callable[..., Cell], watching: Callable[..., Any]
) -> None:
    worse = [cell_of(f"{venue}-worse", venue) for venue in VENUES]
    better = [cell_of(f"{venue}-better", venue) for venue in VENUES]
    async with watching([*worse, *better], mode="advise") as watch:
        for cell in [*worse, *better]:
            cell.fall_to(86_680)
        await watch.until([*worse, *better], lambda one: waiting(watch, one), within=20, why="a plan waits")
        first = {cell.name: waiting(watch, cell)[0] for cell in [*worse, *better]}
        for cell in worse:
            cell.fall_to(85_400)
        for cell in better:
            cell.fall_to(100_000)
        await watch.until(
            worse,
            lambda one: waiting(watch, one) and waiting(watch, one)[0] != first[one.name],
            within=20,
            why="another plan waits",
        )
        await watch.until(better, lambda one: not waiting(watch, one), within=20, why="the plan ends")
        for cell, reason in [*((one, "picture_worsened") for one in worse)]:
            (ended,) = watch.events(cell, "plan_expired")
            assert (ended.plan_id, ended.reason) == (first[cell.name].plan_id, reason)
            (old,), (new,) = (plan.plan["orders"] for plan in (first[cell.name], waiting(watch, cell)[0]))
            assert D(new["quantity"]) > D(old["quantity"])
        for cell in better:
            assert [event.reason for event in watch.events(cell, "plan_expired")] == ["target_reached"]
        assert [cell.received() for cell in [*worse, *better]] == [[]] * 6
