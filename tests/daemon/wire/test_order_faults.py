"""Every fault against the orders of every venue: what was sent is found out, never sent or cut twice."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.sandbox.faults import GATEWAY, FaultKind
from database.records import IntentState

pytestmark = pytest.mark.wire

Cell = Any  # the fixtures' types live in conftest
D = Decimal

ORDERS = {"bybit": "/v5/order/create", "binance": "/fapi/v1/order", "okx": "/api/v5/trade/order"}
REFUSED = (FaultKind.BAN, FaultKind.REVOKED_KEY, FaultKind.DUPLICATE_CODE, FaultKind.REDUCE_ONLY_REJECTED)
FAULTS: dict[str, dict[str, Any]] = {
    **{
        f"{kind.value}{'-executes' if executes else ''}": {"kind": kind, "executes": executes}
        for kind in (*sorted(GATEWAY), *REFUSED)
        for executes in (False, True)
    },
    "truncated": {"kind": FaultKind.TRUNCATED},
    "accepted-no-answer": {"kind": FaultKind.ACCEPTED_NO_ANSWER},
    "hang": {"kind": FaultKind.HANG},
    "slow": {"kind": FaultKind.SLOW, "ms": 1_000},
    "executed-late": {"kind": FaultKind.EXECUTED_LATE, "ms": 700},
    "executed-too-late": {"kind": FaultKind.EXECUTED_LATE, "ms": 4_000},
    "partial-fill": {"kind": FaultKind.PARTIAL_FILL, "fraction": D("0.3")},
}


LOOKUPS = {
    "bybit": ("/v5/order/realtime", "/v5/order/history"),
    "binance": ("/fapi/v1/order",),
    "okx": ("/api/v5/trade/order",),
}
SPOILT_LOOKUPS = (
    FaultKind.HTTP_500,
    FaultKind.HTML_200,
    FaultKind.NULL_BODY,
    FaultKind.TRUNCATED,
    FaultKind.HANG,
    FaultKind.REVOKED_KEY,
)
SPOILT_S = 5.0

AGAIN_S = 1.5
BELIED = {"revoked-key-executes", "reduce-only-rejected-executes", "ban-executes"}
"""Where a venue executes what it calls refused by a code that rules that out, the journal believes the code,
and only the next picture tells of the fill."""


def check(cell: Cell, watch: Any, broker: str) -> None:  # noqa: ANN401 - a fixture's type
    """The target is reached once, by orders each sent once, and the journal has what the venue executed."""
    cell.check_that_it_only_reduced()
    assert D("0.595") < cell.utilization() <= D("0.60"), watch.tell(cell)
    intents = {intent.intent_id: intent for intent in watch.intents(cell)}
    assert all(intent.state.is_final for intent in intents.values()), watch.tell(cell)
    assert cell.asked("POST", ORDERS[broker]) <= len(intents), watch.tell(cell)
    executed = {order.client_id: order.filled for order in cell.engine.orders(cell.name)}
    assert executed.keys() <= intents.keys(), watch.tell(cell)
    if cell.name not in BELIED:
        told = {
            name: (intent.filled or D(0)) * cell.contract_size
            for name, intent in intents.items()
            if name in executed
        }
        assert told == executed, watch.tell(cell)


@pytest.mark.parametrize("broker", ["bybit", "binance", "okx"])
async def test_every_order_is_settled_and_the_target_reached_without_cutting_twice(
    cell_of: Callable[..., Cell],
    watching: Callable[..., Any],
    broker: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("brokers.budget._PROBE_INTERVAL_S", AGAIN_S)  # half a minute, else
    faults = {cell_of(name.replace("_", "-"), broker): fault for name, fault in FAULTS.items()}
    async with watching(faults) as watch:
        for cell, fault in faults.items():
            cell.fault(**fault, path=ORDERS[broker], writes=True, count=1)
            cell.fall_to(86_680)
        await watch.until(faults, watch.is_settled, within=80, why="cut to the target")
        for cell in faults:
            check(cell, watch, broker)


@pytest.mark.parametrize("broker", ["bybit", "binance", "okx"])
async def test_no_spoilt_lookup_proves_that_an_order_is_not_there(
    cell_of: Callable[..., Cell], watching: Callable[..., Any], broker: str
) -> None:
    taken = {cell_of(f"taken-{kind.value.replace('_', '-')}", broker): kind for kind in SPOILT_LOOKUPS}
    lost = {cell_of(f"lost-{kind.value.replace('_', '-')}", broker): kind for kind in SPOILT_LOOKUPS}
    cells = {**taken, **lost}
    async with watching(cells) as watch:
        for cell, kind in cells.items():
            cell.fault(
                FaultKind.HTTP_502_HTML, path=ORDERS[broker], writes=True, count=1, executes=cell in taken
            )
            for path in LOOKUPS[broker]:
                cell.fault(kind, path=path, writes=False)
            cell.fall_to(86_680)
        await watch.until(cells, lambda cell: cell.asked("POST", ORDERS[broker]), within=20, why="an order")
        await asyncio.sleep(SPOILT_S)  # by now its deadline has passed
        for cell in cells:
            (intent,) = watch.intents(cell)
            assert intent.state is IntentState.UNKNOWN, watch.tell(cell)
            assert cell.asked("POST", ORDERS[broker]) == 1, watch.tell(cell)
            cell.heal()
        await watch.until(cells, watch.is_settled, within=60, why="cut to the target")
        for cell in cells:
            first, *others = watch.intents(cell)
            expected = (IntentState.FILLED, 0) if cell in taken else (IntentState.ABSENT, 1)
            assert (first.state, len(others)) == expected, watch.tell(cell)
            check(cell, watch, broker)
