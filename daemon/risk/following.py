"""The order by which a leg follows its hedge: one, of the size that the hedge asks for."""

from dataclasses import replace
from decimal import Decimal

from brokers.models import AccountSnapshot, Symbol
from brokers.order_book import NO_BOOKS
from daemon.risk.desk import Desk
from daemon.risk.hedge_view import row_to_cut
from daemon.risk.picture import picture, value
from daemon.risk.plan import Infeasible, ReductionPlan
from daemon.risk.policy import Action, MarginPolicy
from daemon.risk.reason import Reason
from daemon.risk.shortfall import shortfalls


def plan_following(
    snapshot: AccountSnapshot,
    symbol: str,
    quantity: Decimal,
    policy: MarginPolicy,
    *,
    step: int,
    urgent: bool,
) -> ReductionPlan | Infeasible:
    """Plan to cut `quantity` of a symbol's net position; `urgent`: at market.

    The guard holds it against the picture and the policy like any other plan.
    """
    row = row_to_cut(snapshot.positions, symbol)
    if row is None:
        detail = f"{symbol}: nothing is held"
        return Infeasible(unit="", reason=Reason.NO_POSITIONS, detail=detail)
    found = next(seen for seen in picture(snapshot) if seen.unit.key == row.unit)
    if not row.reducible or Symbol(symbol) not in snapshot.markets:
        detail = f"{symbol}: no order can only reduce it, or its market rules are missing"
        return Infeasible(unit=row.unit, reason=Reason.NOTHING_ORDERABLE, detail=detail)
    desk = Desk(
        unit=found,
        snapshot=snapshot,
        policy=policy,
        step=step,
        market=urgent or policy.limits.is_market_step(step),
        books=NO_BOOKS,
        excluded=frozenset(),
    )
    (valued,) = value((row,), found.unit, snapshot)
    order, after = desk.order(valued, quantity, shortfalls(found, snapshot, policy))
    return desk.plan(Action.REDUCE, [order], after, ())


def slice_plan(plan: ReductionPlan, quantities: tuple[Decimal, ...], note: str) -> ReductionPlan:
    """Return `plan` with its orders cut down to `quantities`, those of zero left out.

    What the unit comes to is then not known in advance: it is measured.
    """
    orders = [
        replace(
            order,
            quantity=quantity,
            cost=order.cost * quantity / order.quantity,
            expected_utilization=None,
            expected_maintenance=None,
        )
        for order, quantity in zip(plan.orders, quantities, strict=True)
        if quantity > 0
    ]
    return replace(
        plan,
        orders=tuple(orders),
        cost=sum((order.cost for order in orders), Decimal(0)),
        reaches_target=False,
        notes=(*plan.notes, note),
    )
