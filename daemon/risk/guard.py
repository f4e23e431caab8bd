"""The last look before money moves: proves on numbers that a plan only reduces risk.

It shares no arithmetic with the planner. Rows are looked up, quantities, steps, prices and budgets are
held against the market rules and the policy, no hedge may be bared, and the risk after is computed anew in
the plainest way: a position frees margin in proportion to what is cut of it. A plan passes only if nothing
at all is wrong with it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from brokers.models import AccountSnapshot, MarketRules, Measure, OrderSide, Position
from brokers.numbers import ZERO, ceil_to_step, floor_to_step
from daemon.risk.assessment import Assessment
from daemon.risk.figures import percent
from daemon.risk.margin import Usage, compare_risk, direction, notional
from daemon.risk.picture import PositionKey, UnitPicture, picture, settle_rate
from daemon.risk.plan import PlannedOrder, ReductionPlan
from daemon.risk.policy import Action, MarginPolicy, ReductionLimits
from daemon.risk.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What was sent already: within a minute for the account, in this episode for the plan's unit.

    `single_step`: a breaker is tripped, and the plan may hold one order or one pair; of those
    twice as many fit into a minute.
    """

    orders_last_minute: int
    steps_in_episode: int
    single_step: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedPlan:
    """A plan that `approve` let pass: the only thing execution takes."""

    plan: ReductionPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """One thing wrong with a plan; `position` `None`: with the plan as a whole."""

    reason: Reason
    detail: str
    position: PositionKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedPlan:
    """A plan that must not be sent, and everything that is wrong with it."""

    plan: ReductionPlan
    objections: tuple[Objection, ...]

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The reasons alone, in order."""
        return tuple(objection.reason for objection in self.objections)


def approve(
    plan: ReductionPlan,
    *,
    snapshot: AccountSnapshot,
    assessment: Assessment,
    policy: MarginPolicy,
    history: History,
    now: datetime,
) -> ApprovedPlan | RefusedPlan:
    """Let `plan` pass only if its every order provably reduces; `now` is by the venue's clock.

    The risk after must not exceed the risk before, for each measure that is above its target then. A
    flatten and an account without equity are held to less: the requirement itself must fall, since with
    nothing left each fee makes the ratio worse.
    """
    objections = [
        *_picture_objections(plan, snapshot, assessment, policy, now),
        *_budget_objections(plan, policy.limits, history),
    ]
    for order in plan.orders:
        objections += _order_objections(order, plan, snapshot, policy.limits)
    objections += _net_objections(plan, snapshot)
    if not objections:
        objections += _risk_objections(plan, snapshot, policy)
    if objections:
        return RefusedPlan(plan=plan, objections=tuple(objections))
    return ApprovedPlan(plan=plan)


def _picture_objections(
    plan: ReductionPlan,
    snapshot: AccountSnapshot,
    assessment: Assessment,
    policy: MarginPolicy,
    now: datetime,
) -> Iterator[Objection]:
    """The plan, the judgement and the rows must be of one fresh picture that may be acted upon."""
    stamp = (snapshot.account_id, snapshot.as_of, snapshot.fetched_at)
    if stamp != (plan.account_id, plan.as_of, plan.fetched_at) or assessment.snapshot != snapshot:
        yield Objection(reason=Reason.OTHER_SNAPSHOT, detail="planned or judged on another snapshot")
    age = now - snapshot.as_of
    if age > policy.act_max_age:
        yield Objection(reason=Reason.STALE, detail=f"the snapshot is {age.total_seconds():.1f} s old")
    unit = assessment.unit(plan.unit)
    if unit is None or not unit.actionable:
        yield Objection(reason=Reason.NOT_ACTIONABLE, detail=f"unit {plan.unit} may not be acted upon")


def _budget_objections(plan: ReductionPlan, limits: ReductionLimits, history: History) -> Iterator[Objection]:
    """The plan must have orders, and stay within the order and step budgets."""
    if not plan.orders:
        yield Objection(reason=Reason.EMPTY_PLAN, detail="no orders")
    planned = history.orders_last_minute + len(plan.orders)
    first = plan.orders[0].group if plan.orders else None
    alone = len(plan.orders) == 1 or (first is not None and {order.group for order in plan.orders} == {first})
    if history.single_step and plan.orders and not alone:
        yield Objection(reason=Reason.SINGLE_STEP, detail=f"{len(plan.orders)} orders despite a breaker")
    if planned > limits.orders_per_minute * (2 if history.single_step else 1):
        detail = f"{planned} orders within a minute, at most {limits.orders_per_minute}"
        yield Objection(reason=Reason.ORDER_BUDGET, detail=detail)
    if plan.action is not Action.FLATTEN and history.steps_in_episode >= limits.steps_per_episode:
        detail = f"{history.steps_in_episode} steps taken, at most {limits.steps_per_episode}"
        yield Objection(reason=Reason.STEP_BUDGET, detail=detail)
    keys = [order.position.key for order in plan.orders]
    for key in {key for key in keys if keys.count(key) > 1}:
        detail = "two orders on one position"
        yield Objection(reason=Reason.DUPLICATE_POSITION, detail=detail, position=key)


def _order_objections(
    order: PlannedOrder,
    plan: ReductionPlan,
    snapshot: AccountSnapshot,
    limits: ReductionLimits,
) -> Iterator[Objection]:
    """One order must cut an existing row of the unit by a quantity and at a price that the venue takes."""
    row, key = order.position, order.position.key

    def objection(reason: Reason, detail: str) -> Objection:
        return Objection(reason=reason, detail=detail, position=key)

    if row not in snapshot.positions_under(plan.unit):
        yield objection(Reason.NOT_IN_SNAPSHOT, "no such row under the unit")
    if not 0 < order.quantity <= row.quantity:
        yield objection(Reason.MORE_THAN_POSITION, f"{order.quantity} of {row.quantity}")
    rules = snapshot.markets.get(row.symbol)
    if rules is None:
        if order.quantity != row.quantity or order.limit_price is not None:
            yield objection(Reason.MARKET_RULES_MISSING, "only the whole, at market, needs no rules")
        return
    for reason, detail in _rule_breaches(order, rules, limits):
        yield objection(reason, detail)


def _rule_breaches(
    order: PlannedOrder, rules: MarketRules, limits: ReductionLimits
) -> Iterator[tuple[Reason, str]]:
    """What in an order breaks the market's rules or the bound on its price."""
    quantity, whole = order.quantity, order.quantity == order.position.quantity
    if quantity % rules.lot_step != 0 and not whole:
        yield Reason.OFF_STEP, f"{quantity} is no multiple of {rules.lot_step}"
    cap = rules.max_market_quantity if order.limit_price is None else rules.max_limit_quantity
    if cap is not None and quantity > cap:
        yield Reason.ABOVE_MAXIMUM, f"{quantity}, at most {cap}"
    if quantity < rules.min_quantity and not whole and not rules.reduce_only_exempt_from_minimum:
        yield Reason.BELOW_MINIMUM, f"{quantity}, at least {rules.min_quantity}"
    price, mark = order.limit_price, order.position.mark_price
    if price is None:
        return
    if price <= 0 or price % rules.price_step != 0:
        yield Reason.OFF_STEP, f"price {price} is no multiple of {rules.price_step}"
    if mark is None or mark <= 0:
        yield Reason.PRICE_OUT_OF_BAND, "a limit without a mark to hold it against"
        return
    lowest = floor_to_step(mark * (1 - limits.max_slippage), rules.price_step)
    highest = ceil_to_step(mark * (1 + limits.max_slippage), rules.price_step)
    selling = order.position.closing_side is OrderSide.SELL
    if (selling and price < lowest) or (not selling and price > highest):
        yield (
            Reason.PRICE_OUT_OF_BAND,
            f"price {price} is more than {limits.max_slippage} off the mark {mark}",
        )


def _net_objections(plan: ReductionPlan, snapshot: AccountSnapshot) -> Iterator[Objection]:
    """The sides of a hedge stand against each other: less of one alone may be more risk, not less.

    The net quantity must not be larger after the plan. Where both sides are cut the larger goes first, and
    the other is tied to it.
    """
    rows = snapshot.positions_under(plan.unit)
    for hedge in dict.fromkeys(order.position.hedge for order in plan.orders):
        before = _net((row, row.quantity) for row in rows if row.hedge == hedge)
        orders = [order for order in plan.orders if order.position.hedge == hedge]
        after = before - _net((order.position, order.quantity) for order in orders)
        key = orders[0].position.key
        if abs(after) > abs(before):
            detail = f"net quantity of {hedge[0]} from {before} to {after}"
            yield Objection(reason=Reason.NET_GREW, detail=detail, position=key)
        if len({order.position.side for order in orders}) > 1 and not _are_tied(orders, plan):
            detail = f"the legs of {hedge[0]} are not tied together, the larger first"
            yield Objection(reason=Reason.NET_GREW, detail=detail, position=key)


def _net(amounts: Iterable[tuple[Position, Decimal]]) -> Decimal:
    """Return longs less shorts."""
    return sum((direction(row.side) * quantity for row, quantity in amounts), ZERO)


def _are_tied(orders: Sequence[PlannedOrder], plan: ReductionPlan) -> bool:
    """Whether `orders` are a pair of one group, next to one another, the second within the first."""
    first, second = orders[0], orders[-1]
    numbers = [number for number, order in enumerate(plan.orders) if order.group == first.group]
    return (
        first.group is not None
        and numbers == [plan.orders.index(first), plan.orders.index(second)]
        and numbers[1] == numbers[0] + 1
        and second.quantity <= first.quantity
    )


def _risk_objections(
    plan: ReductionPlan, snapshot: AccountSnapshot, policy: MarginPolicy
) -> Iterator[Objection]:
    """The unit must not be worse off after the plan, whatever is still above its target."""
    unit = next(seen for seen in picture(snapshot) if seen.unit.key == plan.unit)
    for measure in unit.unit.measures:
        scope = snapshot.positions_of if measure is Measure.MAINTENANCE else snapshot.positions_under
        rows = scope(plan.unit)
        freed = sum((_freed(order, unit, measure, rows, snapshot) for order in plan.orders), ZERO)
        cost = sum(
            (_cost(order, unit, snapshot, policy) for order in plan.orders if order.position in rows), ZERO
        )
        for before in unit.usages(measure):
            after = Usage(used=max(before.used - freed, ZERO), capacity=before.capacity - cost)
            if _is_worse(plan, before, after, policy.target(measure)):
                detail = f"{measure} from {percent(before.ratio)} to {percent(after.ratio)}"
                yield Objection(reason=Reason.RISK_NOT_REDUCED, detail=detail)


def _is_worse(plan: ReductionPlan, before: Usage, after: Usage, target: Decimal) -> bool:
    """Whether `after` is riskier than `before`, compared as products."""
    if after.used > before.used:
        return True
    if plan.action is Action.FLATTEN or before.capacity <= 0 or not after.exceeds(target):
        return False
    return compare_risk(after.capacity, after.used, before.capacity, before.used) > 0


def _freed(
    order: PlannedOrder,
    unit: UnitPicture,
    measure: Measure,
    rows: tuple[Position, ...],
    snapshot: AccountSnapshot,
) -> Decimal:
    """Return the margin that `order` frees of `measure`: the row's own, else its share by notional."""
    row = order.position
    if row not in rows:
        return ZERO
    part = order.quantity / row.quantity
    rate = settle_rate(row, unit.unit.currency, snapshot.collaterals)
    stated = row.initial_margin if measure is Measure.UTILIZATION else row.maintenance_margin
    if stated is not None and rate is not None:
        return stated * rate * part
    total = unit.margin(measure) or max((usage.used for usage in unit.usages(measure)), default=ZERO)
    currency, collaterals = unit.unit.currency, snapshot.collaterals
    worths = [(r.notional or ZERO) * (settle_rate(r, currency, collaterals) or ZERO) for r in rows]
    whole, own = sum(worths, ZERO), worths[rows.index(row)]
    return total * part * own / whole if whole > 0 else ZERO


def _cost(order: PlannedOrder, unit: UnitPicture, snapshot: AccountSnapshot, policy: MarginPolicy) -> Decimal:
    """Return the equity that `order` is reckoned to cost, in the unit's currency."""
    row, rules = order.position, snapshot.markets.get(order.position.symbol)
    rate = settle_rate(row, unit.unit.currency, snapshot.collaterals)
    worth = row.notional
    if worth is None and rules is not None and row.mark_price is not None and row.mark_price > 0:
        worth = notional(row.kind, row.quantity, rules.contract_size, row.mark_price)
    if worth is None or rate is None:
        return ZERO
    return worth * rate * order.quantity / row.quantity * policy.limits.cost_rate
