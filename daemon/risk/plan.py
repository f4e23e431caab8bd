"""What a reducing step is: its orders, or why there are none. `reduction.py` makes one."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from brokers.models import AccountId, Position
from daemon.risk.picture import PositionKey
from daemon.risk.policy import Action
from daemon.risk.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedOrder:
    """One reducing order of a step. `limit_price` `None`: market.

    `cost` is the equity it is reckoned to cost, in the unit's currency; the expected ratios are the unit's
    after this order and those before it, `None` where the measure is unknown or senseless.

    The two orders of a hedged pair stand next to one another and share a `group`, the larger leg first: the
    second may be sent only after the fill of the first is known, and for no more than that. `None`: the order
    stands for itself.
    """

    position: Position
    quantity: Decimal
    limit_price: Decimal | None
    cost: Decimal
    expected_utilization: Decimal | None
    expected_maintenance: Decimal | None
    group: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """Another way to the target, in as many steps as it takes: by a strategy, or with one position alone.

    `orders` is how many positions it cuts (two for a pair), `cost` what that is reckoned to cost, in the
    unit's currency. `reaches`: it is enough.
    """

    name: str
    orders: int
    cost: Decimal
    reaches: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReductionPlan:
    """One step: what a cycle may send before it measures again.

    `action` is REDUCE or FLATTEN. `reaches_target` says whether the step alone is reckoned to be enough.
    `dust` names positions too small to order. `notes` say for people what the plan does not see: positions of
    the same coin on the other side elsewhere in the account, which an order may leave bare. `alternatives`
    are the ways to the target that were weighed, the chosen one first; none where there was no choice.
    """

    account_id: AccountId
    unit: str
    action: Action
    step: int
    as_of: datetime
    fetched_at: datetime
    orders: tuple[PlannedOrder, ...]
    cost: Decimal
    reaches_target: bool
    dust: tuple[PositionKey, ...] = ()
    notes: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Infeasible:
    """No order could help; `detail` holds the numbers for people."""

    unit: str
    reason: Reason
    detail: str
    dust: tuple[PositionKey, ...] = ()


def first_step(plan: ReductionPlan) -> ReductionPlan:
    """Return `plan` with its first order alone, or its first pair."""
    first = plan.orders[0]
    orders = tuple(
        order
        for order in plan.orders
        if order is first or (first.group is not None and order.group == first.group)
    )
    if len(orders) == len(plan.orders):
        return plan
    cost = sum((order.cost for order in orders), Decimal(0))
    return replace(plan, orders=orders, cost=cost, reaches_target=False)
