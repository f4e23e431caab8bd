"""Candidates as offers: the sizes that others published, and what a step leaves for the next."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import Measure, Side
from brokers.numbers import ONE
from daemon.risk.candidate import candidates
from daemon.risk.desk import Desk
from daemon.risk.margin import Usage
from daemon.risk.offer import Offer
from daemon.risk.offering import needs_of, offers_of
from daemon.risk.picture import picture
from daemon.risk.policy import MarginPolicy, ReductionLimits
from daemon.risk.selection import Selector
from daemon.risk.shortfall import Shortfall, shortfalls
from daemon.risk.tiers import Bracket

D = Decimal
BUILD = Any

LEAN = "QuantConnect/Lean Tests/Common/Securities/PatternDayTradingMarginBuyingPowerModelTests.cs"
DRIFT = "drift-labs/protocol-v2 programs/drift/src/math/liquidation/tests.rs"


def offers(
    build: BUILD,
    rows: list[Any],
    need: Shortfall | None = None,
    *,
    cost: str = "0",
    lot: str = "1e-9",
    fraction: str = "1",
) -> tuple[Offer, Offer]:
    """What one step may take of the only thing there is to cut, and what may go of it in all."""
    lot_step = D(lot)
    limits = ReductionLimits(fee_rate=D(cost), expected_slippage=D(0))
    snapshot = build.book(5_000, rows, markets=[build.rules(lot_step=lot_step, min_quantity=lot_step)])
    (unit,) = picture(snapshot)
    policy = MarginPolicy(limits=limits)
    desk = Desk(
        unit=unit, snapshot=snapshot, policy=policy, step=0, market=True, books={}, excluded=frozenset()
    )
    needs = needs_of(shortfalls(unit, snapshot, policy)) if need is None else (need,)
    choices = candidates(unit.positions, snapshot, market=True)
    (step,), (whole,) = offers_of(choices, needs, desk.cost, D(fraction))
    return step, whole


def short_of(build: BUILD, row: Any, amount: str, rate: str) -> Shortfall:  # noqa: ANN401 - a row
    """A requirement that exceeds the equity by `amount`, of which each notional frees `rate`."""
    usage = Usage(used=D(1000) + D(amount), capacity=D(1000))
    relief = {row.position().key: (Bracket(width=row.notional, rate=D(rate)),)}
    return Shortfall(measure=Measure.MAINTENANCE, usage=usage, target=ONE, relief=relief)


@pytest.mark.parametrize(
    ("source", "quantity", "shortage", "rate", "cost", "expected"),
    [
        (LEAN, "300", "2200", "0.25", "0", "88"),  # leverage 4: 7,500 used of 5,300
        (LEAN, "300", "9700", "0.5", "0", "194"),  # leverage 2: 15,000 used of 5,300
        (DRIFT, "50", "10", "0.1", "0", "1"),
        (DRIFT, "50", "10", "0.1", "0.01", "1.111111112"),
        (DRIFT, "50", "10", "0.1", "0.02", "1.25"),
    ],
)
@pytest.mark.parametrize("side", Side)
def test_published_sizes(
    *,
    build: BUILD,
    source: str,
    quantity: str,
    shortage: str,
    rate: str,
    cost: str,
    expected: str,
    side: Side,
) -> None:
    row = build.Row(quantity=quantity, mark="100", entry="100", side=side)
    need = short_of(build, row, shortage, rate)
    step, _ = offers(build, [row], need, cost=cost)
    found = Selector([step], [float(need.missing)]).cheapest()

    assert found is not None, source
    assert found.quantities == {0: D(expected)}, source


def test_of_a_tilted_hedge_the_step_takes_the_overhang_and_the_pair_is_for_later(build: BUILD) -> None:
    rows = [build.Row(hedged=True, quantity="2"), build.Row(hedged=True, quantity="1.5", side=Side.SHORT)]
    step, whole = offers(build, rows, cost="0.001", lot="0.001")

    assert (step.most, whole.most) == (0.5, 2)
    # alone 5,000 of initial margin less 60 % of what it costs; then both legs at once, for twice of each
    assert whole.curve.gains(0.5)[0] == pytest.approx(0.5 * (5_000 - 0.6 * 50))
    assert whole.curve.gains(2)[0] == pytest.approx(3.5 * (5_000 - 0.6 * 50))
    assert whole.curve.cost(2) == pytest.approx(3.5 * 50)


def test_a_step_takes_its_fraction_and_no_dust_stays(build: BUILD) -> None:
    rows = [build.Row(quantity="1")]
    step, whole = offers(build, rows, lot="0.1", fraction="0.35")
    assert (step.most, whole.most) == (0.3, 1)
    assert step.sized(0.01) == D("0.1")
    coarse, _ = offers(build, rows, lot="0.4", fraction="0.5")
    # half of it is one lot; what then stays is more than the smallest order
    assert coarse.most == 0.4


def test_of_two_needs_that_the_same_cut_relieves_alike_the_larger_implies_the_other(build: BUILD) -> None:
    row = build.Row()
    need = short_of(build, row, "10", "0.1")
    harder = replace(need, usage=Usage(used=D(1010), capacity=D(900)))

    assert needs_of([need, harder]) == (harder,)
    assert needs_of([harder, need]) == (harder,)
    assert needs_of([need, replace(harder, target=D("0.9"))]) == (need, replace(harder, target=D("0.9")))
    assert needs_of([replace(need, usage=Usage(used=D(1), capacity=D(1)))]) == ()
