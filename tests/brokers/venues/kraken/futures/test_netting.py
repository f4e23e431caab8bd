"""Margin netting from the venue's answers to the step that is planned of them.

Source: Kraken support 4844463246100, "Margin Netting": the larger of long and short of one underlying counts.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountSnapshot, Side
from daemon.risk.assessment import assess
from daemon.risk.policy import MarginPolicy, ReductionLimits
from daemon.risk.reduction import ReductionPlan, plan_reduction

Row = dict[str, Any]
Make = Callable[..., Row]
See = Callable[..., AccountSnapshot]
D = Decimal
FREE = ReductionLimits(fee_rate=D(0), expected_slippage=D(0), step_fraction=D(1))

DATED, ENTRY = "FF_XBTUSD_260327", 100_000


def row(symbol: str, side: str, size: str) -> Row:
    return {"side": side, "symbol": symbol, "price": float(ENTRY), "size": float(size)}


def planned(see: See, flex: Make, long: str, short: str) -> list[tuple[str, Side, Decimal]]:
    """Plan a step for a wallet that uses all it has, by the rule of the larger side."""
    need = max(D(long), D(short)) * ENTRY * D("0.02")
    wallet = flex(
        initialMargin=float(need),
        initialMarginWithOrders=float(need),
        maintenanceMargin=float(need / 2),
        marginEquity=float(need),
        availableMargin=0.0,
        balanceValue=float(need),
        totalUnrealized=0.0,
    )
    marks = tuple({"symbol": name, "markPrice": ENTRY, "suspended": False} for name in ("PF_XBTUSD", DATED))
    rows = (row("PF_XBTUSD", "long", long), row(DATED, "short", short))
    snapshot = see(*rows, wallets={"flex": wallet}, tickers=marks)
    assert snapshot.findings == ()
    policy = MarginPolicy(limits=FREE)
    judged = assess(snapshot, policy, snapshot.fetched_at, None)
    found = plan_reduction(judged, snapshot, "flex", policy, step=0)
    assert isinstance(found, ReductionPlan)
    return [(order.position.symbol, order.position.side, order.quantity) for order in found.orders]


@pytest.mark.parametrize(
    ("long", "short", "orders"),
    [
        ("1", "0.2", [("PF_XBTUSD", Side.LONG, D("0.4"))]),  # from 100 % to 60 %, and still the larger
        ("1", "0.8", [("PF_XBTUSD", Side.LONG, D("0.2"))]),  # more would free nothing
        ("0.8", "1", [(DATED, Side.SHORT, D("0.2"))]),
        ("1", "1", [("PF_XBTUSD", Side.LONG, D("0.4")), (DATED, Side.SHORT, D("0.4"))]),
    ],
)
def test_a_step_goes_as_far_as_the_larger_side_frees_margin(
    *, see: See, flex: Make, long: str, short: str, orders: list[tuple[str, Side, Decimal]]
) -> None:
    assert planned(see, flex, long, short) == orders
