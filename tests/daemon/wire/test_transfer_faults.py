"""Every fault against the transfers of every venue: money moves once at most, and no cut waits for it."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.sandbox.faults import GATEWAY, FaultKind
from database.records import TransferState

pytestmark = pytest.mark.wire

Cell = Any  # the fixtures' types live in conftest
Watch = Any
D = Decimal

TRANSFERS = {
    "bybit": "/v5/asset/transfer/inter-transfer",
    "binance": "/sapi/v1/asset/transfer",
    "okx": "/api/v5/asset/transfer",
}
LOOKUPS = {
    "bybit": "/v5/asset/transfer/query-inter-transfer-list",
    "binance": "/sapi/v1/asset/transfer",
    "okx": "/api/v5/asset/transfer-state",
}
A_DAY = D(4_000)
FUNDING = D(30_000)


def hyphens(kind: FaultKind) -> str:
    """Return a fault's name as part of an account's."""
    return kind.value.replace("_", "-")


TAKEN: dict[str, dict[str, Any]] = {
    **{f"{hyphens(kind)}-taken": {"kind": kind, "executes": True} for kind in sorted(GATEWAY)},
    "duplicate-taken": {"kind": FaultKind.DUPLICATE_CODE, "executes": True},
    "truncated": {"kind": FaultKind.TRUNCATED},
    "accepted-no-answer": {"kind": FaultKind.ACCEPTED_NO_ANSWER},
    "slow": {"kind": FaultKind.SLOW, "ms": 1_000},
}
"""The venue moves the money, and its answer says so badly or not at all."""

LOST: dict[str, dict[str, Any]] = {
    **{f"{hyphens(kind)}-lost": {"kind": kind} for kind in sorted(GATEWAY)},
    "duplicate-lost": {"kind": FaultKind.DUPLICATE_CODE},
    "hang": {"kind": FaultKind.HANG},
}
"""The venue moves nothing, and its answer does not prove that."""

FAULTS = {**TAKEN, **LOST}

UNASKED = "lookup-hangs"
"""The money moves, the answer is lost, and no lookup of it is answered."""


def sent(cell: Cell) -> int:
    """How often a transfer left."""
    return cell.asked("POST", TRANSFERS[cell.broker])


def check(cell: Cell, watch: Watch) -> None:
    """The target is reached by one transfer of the day's amount at most, and by cutting the rest."""
    (transfer,) = watch.transfers(cell)
    assert transfer.amount == A_DAY, watch.tell(cell)
    assert sent(cell) == 1, watch.tell(cell)
    is_moved = cell.name in TAKEN or cell.name == UNASKED
    assert cell.moved() == ([A_DAY] if is_moved else []), watch.tell(cell)
    assert cell.engine.funding_balance(cell.name, "USDT") == FUNDING - sum(cell.moved())
    state = TransferState.COMPLETED if cell.name in TAKEN else TransferState.UNKNOWN
    assert transfer.state is state, (transfer, watch.tell(cell))
    assert D("0.595") < cell.utilization() <= D("0.60"), watch.tell(cell)
    cell.check_that_it_only_reduced()


@pytest.mark.parametrize("broker", ["bybit", "binance", "okx"])
async def test_money_moves_once_at_most_within_the_days_limit_and_the_rest_is_cut(
    cell_of: Callable[..., Cell], watching: Callable[..., Any], broker: str
) -> None:
    cells = {cell_of(name, broker, FUNDING): fault for name, fault in FAULTS.items()}
    unasked = cell_of(UNASKED, broker, FUNDING)
    cells[unasked] = {"kind": FaultKind.ACCEPTED_NO_ANSWER}
    async with watching(cells, top_up={"max_per_day": {"USDT": str(A_DAY)}}) as watch:
        for cell, fault in cells.items():
            cell.fault(**fault, path=TRANSFERS[broker], writes=True, count=1)
            cell.fall_to(86_680)
        unasked.fault(FaultKind.HANG, path=LOOKUPS[broker], writes=False)
        await watch.until(cells, watch.is_settled, within=40, why="cut to the target")
        await watch.until(
            [cell for cell in cells if cell.name in TAKEN],
            lambda cell: watch.transfers(cell)[0].state.is_final,
            within=20,
            why="the transfer found",
        )
        for cell in cells:
            check(cell, watch)

        for cell in cells:
            cell.fall_to(80_600)  # into danger again: the day's limit is spent, found or not
        await watch.until(cells, lambda cell: cell.utilization() > D("0.75"), within=1, why="a second fall")
        await watch.until(cells, lambda cell: cell.utilization() <= D("0.60"), within=40, why="a second cut")
        await asyncio.sleep(0.5)
        for cell in cells:
            check(cell, watch)
