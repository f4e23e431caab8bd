"""What a plan takes in time, and what it costs to reach the same target by other strategies.

Time is the CPU of `plan_reduction` alone, every coin with its book, under the default limits. Cost is that of
a plan that may do all in one step (an urgent one: no order waits for its book to fill up); fees are 5.5 bp.
Loser-first is what QuantConnect's LEAN does in a margin call (`Common/Securities/DefaultMarginCallModel.cs`):
the largest unrealized loss first, each order sized for the whole shortage, until there is none left.
"""

import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from statistics import median

from brokers.numbers import ONE
from daemon.risk.assessment import Assessment, assess
from daemon.risk.candidate import candidates
from daemon.risk.desk import Desk
from daemon.risk.offering import needs_of, offers_of
from daemon.risk.picture import picture
from daemon.risk.policy import Confirmation, MarginPolicy, ReductionLimits
from daemon.risk.reduction import ReductionPlan, plan_reduction
from daemon.risk.shortfall import shortfalls
from daemon.risk.strategy import Strategy
from tests.bench.drawing import UNIT, Drawn, draw
from tests.bench.spread import percentile

FEE = Decimal("0.00055")
LOSER_FIRST = "loser_first"
ONE_STEP = MarginPolicy(
    confirmation=Confirmation(urgent_utilization=Decimal("0.01"), urgent_maintenance=Decimal("0.01")),
    limits=ReductionLimits(
        step_fraction=Decimal(1), positions_per_step=60, orders_per_minute=60, fee_rate=FEE
    ),
)
EVERYDAY = MarginPolicy(limits=ReductionLimits(fee_rate=FEE))
SIZES = (5, 50, 200)
FEWEST, MOST = 3, 40
"""Positions of an account whose plans are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningTime:
    """CPU of one plan."""

    positions: int
    p50_ms: float
    p99_ms: float
    plans: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyCost:
    """What reaching the target costs by a strategy, in basis points of margin equity.

    `saved` is the median part of it that the cheapest plan saves on the same account; `dearer` on how many
    accounts the cheapest plan was the dearer one; `missed` on how many the strategy did not reach the target.
    """

    strategy: str
    p50_bp: float
    p90_bp: float
    saved: float
    dearer: int
    missed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Planning:
    """Both, and over how many accounts costs were compared."""

    times: tuple[PlanningTime, ...]
    costs: tuple[StrategyCost, ...]
    accounts: int


def measure_planning(*, plans: int, accounts: int, sizes: Sequence[int] = SIZES) -> Planning:
    """Return the time of `plans` plans of each size, and the costs on `accounts` accounts."""
    times = tuple(_time(size, plans) for size in sizes)
    return Planning(times=times, costs=_costs(accounts), accounts=accounts)


def _time(positions: int, plans: int) -> PlanningTime:
    samples = []
    for seed in range(plans):
        drawn = draw(seed, positions)
        judged = _judged(drawn, EVERYDAY)
        gc.collect()
        began = time.process_time()
        plan_reduction(judged, drawn.snapshot, UNIT, EVERYDAY, step=0, books=drawn.books)
        samples.append((time.process_time() - began) * 1000)
    return PlanningTime(
        positions=positions, p50_ms=median(samples), p99_ms=percentile(samples, 99), plans=plans
    )


def _costs(accounts: int) -> tuple[StrategyCost, ...]:
    """Return the cost of each strategy on the same accounts."""
    found: dict[str, list[float | None]] = {name: [] for name in (*Strategy, LOSER_FIRST)}
    for seed in range(accounts):
        drawn = draw(seed, Random(seed).randint(FEWEST, MOST))
        for strategy in Strategy:
            found[strategy].append(_cost(drawn, strategy))
        found[LOSER_FIRST].append(loser_first(drawn))
    cheapest = found[Strategy.CHEAPEST_RELIEF]
    return tuple(_summed_up(name, costs, cheapest) for name, costs in found.items())


def _summed_up(name: str, costs: Sequence[float | None], cheapest: Sequence[float | None]) -> StrategyCost:
    both = [
        (own, best) for own, best in zip(costs, cheapest, strict=True) if own is not None and best is not None
    ]
    reached = [own for own in costs if own is not None]
    lost = sum(own is not None and best is None for own, best in zip(costs, cheapest, strict=True))
    return StrategyCost(
        strategy=str(name),
        p50_bp=median(reached),
        p90_bp=percentile(reached, 90),
        saved=median(1 - best / own for own, best in both),
        dearer=lost + sum(best > own * (1 + 1e-9) for own, best in both),
        missed=sum(own is None for own in costs),
    )


def _judged(drawn: Drawn, policy: MarginPolicy) -> Assessment:
    return assess(drawn.snapshot, policy, drawn.snapshot.fetched_at, None)


def _equity(drawn: Drawn) -> Decimal:
    return drawn.snapshot.units[0].margin_equity or Decimal(0)


def _cost(drawn: Drawn, strategy: Strategy) -> float | None:
    """Return what a strategy's plan costs, in basis points of equity; `None`: it misses the target."""
    policy = replace(ONE_STEP, limits=replace(ONE_STEP.limits, strategy=strategy))
    judged = _judged(drawn, policy)
    plan = plan_reduction(judged, drawn.snapshot, UNIT, policy, step=0, books=drawn.books)
    if not isinstance(plan, ReductionPlan) or not plan.reaches_target:
        return None
    return float(plan.cost / _equity(drawn)) * 10_000


def loser_first(drawn: Drawn) -> float | None:
    """Return what LEAN's way costs on the same account; `None`: it does not reach the target."""
    (unit,) = picture(drawn.snapshot)
    desk = Desk(
        unit=unit,
        snapshot=drawn.snapshot,
        policy=ONE_STEP,
        step=0,
        market=True,
        books=drawn.books,
        urgency=ONE,
        excluded=frozenset(),
    )
    state = shortfalls(unit, drawn.snapshot, ONE_STEP)
    needs = needs_of(state)
    choices = candidates(unit.positions, drawn.snapshot, market=True)
    offers, _ = offers_of(choices, needs, desk.cost, Decimal(1))
    ranked = sorted(zip(choices, offers, strict=True), key=lambda pair: pair[0].legs[0].unrealized_pnl or 0)
    cost = Decimal(0)
    for choice, offer in ranked:
        whole = max(offer.curve.needed(number, float(need.missing)) for number, need in enumerate(needs))
        order, state = desk.order(choice.legs[0], offer.sized(min(whole, offer.most)), state)
        cost += order.cost
        if not any(left.is_open for left in state):
            return float(cost / _equity(drawn)) * 10_000
    return None
