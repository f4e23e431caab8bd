"""Accounts in danger for what they owe: given back where the venue has a call for it, else only alarmed.

Each holds 0.01 BTC and 10,000 USDT of its own beside 95,000 borrowed, of which the venue requires a tenth as
initial margin: 96 % are used, a single point of it by the position.
"""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.sandbox.faults import FaultKind
from brokers.sandbox.history import Repaid
from brokers.sandbox.spec import OpeningWallet
from daemon.risk.policy import Level
from daemon.risk.reason import Reason
from database.repayment_records import RepaymentState

pytestmark = pytest.mark.wire

Cell = Any  # the fixtures' types live in conftest
D = Decimal

OWED = D(95_000)
INDEBTED = {"wallet": OpeningWallet(balance=D(105_000), borrowed=OWED), "held": D("0.01")}
CALLS = {"bybit": "/v5/account/no-convert-repay", "binancepm": "/papi/v1/repayLoan"}
WITHOUT = {"policy": {"actions": {"liquidation": ["cancel_orders", "top_up", "reduce", "flatten"]}}}


def given(cell: Cell) -> list[Decimal]:
    """What the venue was given back, in order."""
    return [event.amount for event in cell.engine.history if isinstance(event, Repaid)]


def check_untouched(cell: Cell) -> None:
    assert cell.received() == []
    assert cell.held() == D("0.01")


@pytest.mark.parametrize("venue", list(CALLS))
async def test_debt_is_given_back_down_to_the_target_whatever_its_answer_is(
    cell_of: Callable[..., Cell], watching: Callable[..., Any], venue: str
) -> None:
    faults: dict[str, FaultKind | None] = {
        "plain": None,
        "slow": FaultKind.SLOW,
        "no-answer": FaultKind.ACCEPTED_NO_ANSWER,
        "truncated": FaultKind.TRUNCATED,
    }
    cells = {cell_of(f"{venue}-{name}", venue, **INDEBTED): kind for name, kind in faults.items()}
    for cell, kind in cells.items():
        assert cell.utilization() > D("0.95")
        if kind is not None:
            cell.fault(kind, path=CALLS[venue], writes=True, count=1)
    async with watching(cells) as watch:
        await watch.until(cells, watch.is_settled, within=40, why="given back to the target")
        for cell in cells:
            (amount,) = given(cell)
            (row,) = watch.repayments(cell)
            assert (row.state, row.amount, row.owed_before) == (RepaymentState.COMPLETED, amount, OWED)
            assert cell.asked("POST", CALLS[venue]) == 1, watch.tell(cell)
            assert D("0.595") < cell.utilization() <= D("0.60"), watch.tell(cell)
            assert [event.reason for event in watch.events(cell, "debt_drives_risk")] == ["debt_drives_risk"]
            check_untouched(cell)


@pytest.mark.parametrize(
    ("venue", "mode", "settings", "reason"),
    [
        ("bybit", None, WITHOUT, Reason.DEBT_DRIVES_RISK),
        ("binancepm", None, WITHOUT, Reason.DEBT_DRIVES_RISK),
        ("okx", "multi_currency", {}, Reason.REPAY_NOT_OFFERED),
    ],
)
async def test_where_it_may_not_be_given_back_it_alarms_with_the_reason_and_does_nothing_else(
    cell_of: Callable[..., Cell],
    watching: Callable[..., Any],
    *,
    venue: str,
    mode: str | None,
    settings: dict[str, Any],
    reason: Reason,
) -> None:
    cell = cell_of(f"{venue}-in-debt", venue, mode=mode, **INDEBTED)
    async with watching([cell], **settings) as watch:
        await watch.until([cell], lambda one: watch.outcome(one).reason is reason, within=20, why=reason)
        await asyncio.sleep(3)
        outcome = watch.outcome(cell)
        assert (outcome.reason, outcome.level) == (reason, Level.LIQUIDATION)
        assert "owes 95000 USDT" in outcome.sentence
        assert len(watch.events(cell, "debt_drives_risk")) == 1
        assert given(cell) == []
        assert watch.repayments(cell) == []
        check_untouched(cell)


async def test_a_venue_that_takes_nothing_back_is_asked_again_only_after_a_while(
    cell_of: Callable[..., Cell], watching: Callable[..., Any]
) -> None:
    cell = cell_of("bybit-closed", "bybit", **INDEBTED)
    cell.engine.controls.repayments_blocked = True
    async with watching([cell]) as watch:
        await watch.until(
            [cell],
            lambda one: watch.outcome(one).reason is Reason.REPAY_REFUSED,
            within=20,
            why="refused",
        )
        await asyncio.sleep(3)
        assert cell.asked("POST", CALLS["bybit"]) == 1
        (row,) = watch.repayments(cell)
        assert (row.state, row.code) == (RepaymentState.REJECTED, "10001")
        check_untouched(cell)
