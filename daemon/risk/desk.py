"""What the orders of one step have in common, and how they become a plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from brokers.models import AccountSnapshot, Measure, Position, Symbol
from brokers.numbers import ONE, ZERO
from brokers.order_book import OrderBook
from daemon.risk.cost import TradingCost
from daemon.risk.depth import depth_within, slice_of
from daemon.risk.picture import PositionKey, UnitPicture, ValuedPosition
from daemon.risk.plan import Alternative, Infeasible, PlannedOrder, ReductionPlan
from daemon.risk.policy import Action, MarginPolicy, ReductionLimits
from daemon.risk.pricing import break_even, limit_price
from daemon.risk.reason import Reason
from daemon.risk.shortfall import Shortfall, expected_ratio
from daemon.risk.sizing import Lots


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One step on one unit. `excluded` are positions that cannot be traded now; `books` are fresh.

    `urgency` is from 0, where de-levering begins, to 1.
    """

    unit: UnitPicture
    snapshot: AccountSnapshot
    policy: MarginPolicy
    step: int
    market: bool
    excluded: frozenset[PositionKey]
    books: Mapping[Symbol, OrderBook]
    urgency: Decimal = ZERO

    @property
    def limits(self) -> ReductionLimits:
        """The limits of the account's policy."""
        return self.policy.limits

    def price(self, valued: ValuedPosition, quantity: Decimal) -> Decimal | None:
        """Return the limit of an order of `quantity` on a position; `None`: market."""
        book = self.books.get(valued.position.symbol)
        return None if self.market else self._limit(valued, self.urgency, book, quantity)

    def within_depth(self, valued: ValuedPosition, wanted: Decimal) -> Decimal:
        """Return how much of `wanted` a fresh book holds at an allowed price; all of it if urgent."""
        book = self.books.get(valued.position.symbol)
        if book is None or self.urgency >= ONE:
            return wanted
        limit = self._limit(valued, ONE if self.market else self.urgency)
        if limit is None:
            return wanted
        return slice_of(wanted, depth_within(book, valued.position.closing_side, limit))

    def _limit(
        self,
        valued: ValuedPosition,
        given: Decimal,
        book: OrderBook | None = None,
        quantity: Decimal | None = None,
    ) -> Decimal | None:
        """Return the worst price that an order accepts; `None`: there are no market rules, or no mark."""
        rules = self.snapshot.markets.get(valued.position.symbol)
        if rules is None:
            return None
        return limit_price(
            valued.position,
            rules,
            self.limits,
            tries=self.step,
            given=given,
            bound=break_even(valued, self.unit, self.policy),
            book=book,
            quantity=quantity,
        )

    def cost(self, valued: ValuedPosition) -> TradingCost:
        """Return what cutting a position costs: by its order book, where one was read."""
        symbol = valued.position.symbol
        rules, book = self.snapshot.markets.get(symbol), self.books.get(symbol)
        return TradingCost(valued=valued, limits=self.limits, rules=rules, book=book)

    def lots(self, valued: ValuedPosition, most: Decimal) -> Lots | None:
        """Return the bounds of an order that takes `most` at most; `None`: there are no market rules."""
        position = valued.position
        rules = self.snapshot.markets.get(position.symbol)
        if rules is None:
            return None
        return Lots(position=position, rules=rules, most=most, market=self.market)

    def dust(self, positions: Sequence[ValuedPosition]) -> tuple[PositionKey, ...]:
        """Return the positions that are too small to order."""
        return tuple(
            valued.position.key
            for valued in positions
            if (lots := self.lots(valued, valued.position.quantity)) is not None and lots.is_dust
        )

    def order(
        self,
        valued: ValuedPosition,
        quantity: Decimal,
        state: tuple[Shortfall, ...],
        group: int | None = None,
    ) -> tuple[PlannedOrder, tuple[Shortfall, ...]]:
        """Return one order and what is left after it."""
        notional = (valued.notional or ZERO) * quantity / valued.position.quantity
        cost = self.cost(valued).of(quantity)
        state = tuple(shortfall.after(valued.position.key, notional, cost) for shortfall in state)
        order = PlannedOrder(
            position=valued.position,
            quantity=quantity,
            limit_price=self.price(valued, quantity),
            cost=cost,
            expected_utilization=expected_ratio(state, Measure.UTILIZATION),
            expected_maintenance=expected_ratio(state, Measure.MAINTENANCE),
            group=group,
        )
        return order, state

    def plan(
        self,
        action: Action,
        orders: Sequence[PlannedOrder],
        after: Sequence[Shortfall],
        dust: tuple[PositionKey, ...],
        alternatives: tuple[Alternative, ...] = (),
    ) -> ReductionPlan:
        """Return the step that `orders` make; `after` is what is left open after them."""
        target = self.policy.target
        return ReductionPlan(
            account_id=self.snapshot.account_id,
            unit=self.unit.unit.key,
            action=action,
            step=self.step,
            as_of=self.snapshot.as_of,
            fetched_at=self.snapshot.fetched_at,
            orders=tuple(orders),
            cost=sum((order.cost for order in orders), ZERO),
            reaches_target=not any(left.usage.exceeds(target(left.measure)) for left in after),
            dust=dust,
            notes=_notes(orders, self.snapshot),
            alternatives=alternatives,
        )

    def unable(self, positions: Sequence[ValuedPosition], dust: tuple[PositionKey, ...]) -> Infeasible:
        """Say why none of `positions` can be ordered."""
        unit = self.unit.unit.key
        if not positions:
            return Infeasible(unit=unit, reason=Reason.NO_POSITIONS, detail="the unit has no position")
        names = ", ".join(f"{valued.position.symbol} {valued.position.side}" for valued in positions)
        if len(dust) == len(positions):
            detail = f"below the venue's minimum: {names}"
            return Infeasible(unit=unit, reason=Reason.DUST, detail=detail, dust=dust)
        detail = f"halted, resting, too small, without a price or rules, or hedged by one that is: {names}"
        return Infeasible(unit=unit, reason=Reason.NOTHING_ORDERABLE, detail=detail, dust=dust)


def _notes(orders: Sequence[PlannedOrder], snapshot: AccountSnapshot) -> tuple[str, ...]:
    """Name what stands against the ordered positions under another symbol or in another unit."""
    closed = {order.position.key for order in orders if order.quantity == order.position.quantity}
    told: set[frozenset[PositionKey]] = set()
    notes = []
    for order in orders:
        own = order.position
        base = _base(own, snapshot)
        for other in snapshot.positions:
            pair = frozenset({own.key, other.key})
            if other.side is own.side or _is_twin(own, other) or pair <= closed or pair in told:
                continue
            if base is not None and base == _base(other, snapshot):
                told.add(pair)
                notes.append(
                    f"{own.side} {own.symbol} stands against {other.side} {other.quantity} {other.symbol} "
                    f"of unit {other.unit}, also {base}: what hedges across them is not kept"
                )
    return tuple(notes)


def _is_twin(one: Position, other: Position) -> bool:
    """Whether two positions are legs of one hedge, which the planner sees."""
    return (one.hedge, one.unit) == (other.hedge, other.unit)


def _base(position: Position, snapshot: AccountSnapshot) -> str | None:
    """Return the coin that a position is in; `None`: no market rules say."""
    rules = snapshot.markets.get(position.symbol)
    return rules.base if rules is not None else None
