"""The cuts of one step, by the strategy of the policy.

The cheapest set of cuts that reaches the target in this step, where one does. Where the limits of a step
allow for none, the step is the beginning of the cheapest set there is without them; an urgent unit takes all
that a step can give instead. Every strategy is reckoned through, on the same costs: the cheapest set is never
dearer than what another one finds, and the plan shows what they would have cost; of very many candidates only
the cheapest set and the cheapest single position.

Floats search; the orders that come of it are judged anew, exactly. Where they fall short of the target by
what floats left out, a lot goes on top. A step that does not reach the target, and would leave a unit that is
above it riskier than before by what it costs, is not taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from brokers.numbers import ONE, ZERO
from daemon.risk.candidate import Candidate
from daemon.risk.desk import Desk
from daemon.risk.margin import compare_risk
from daemon.risk.offering import needs_of, offers_of
from daemon.risk.plan import Alternative, PlannedOrder
from daemon.risk.selection import Selector
from daemon.risk.shortfall import Shortfall
from daemon.risk.strategy import Strategy
from daemon.risk.ways import Selection, cheapest_of

MANY = 60
"""Among more candidates the other strategies are not reckoned through: it takes longer than the search."""

TIGHTENINGS = 3
"""How often a lot is put on top of what floats found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """The orders of a step, what is left open after them, and what else was weighed.

    `helpful`: something would gain more than it costs, whether or not it can be ordered.
    """

    orders: tuple[PlannedOrder, ...]
    after: tuple[Shortfall, ...]
    alternatives: tuple[Alternative, ...]
    helpful: bool


def cut(desk: Desk, state: tuple[Shortfall, ...], choices: Sequence[Candidate]) -> Cuts:
    """Return the cuts of one step among `choices`; of `state` one shortfall at least is open."""
    task = _Task(desk, state, choices)
    chosen, alternatives = task.chosen()
    orders, after = task.tightened(chosen)
    harmful = task.harmful(chosen, after)
    rest = [choice for number, choice in enumerate(choices) if number not in harmful]
    if harmful and rest:
        return replace(cut(desk, state, rest), helpful=task.helpful)
    if harmful:
        orders, after = (), state
    return Cuts(orders=orders, after=after, alternatives=alternatives, helpful=task.helpful)


class _Task:
    """The candidates as offers of one step, and of all steps together."""

    def __init__(self, desk: Desk, state: tuple[Shortfall, ...], choices: Sequence[Candidate]) -> None:
        self.desk = desk
        self.state = state
        self.choices = choices
        self.needs = needs_of(state)
        steps, wholes = offers_of(choices, self.needs, desk.cost, desk.limits.step_fraction)
        missing = [float(need.missing) for need in self.needs]
        self.step = Selector(steps, missing, max(desk.limits.positions_per_step, 2))
        self.whole = Selector(wholes, missing)

    @property
    def helpful(self) -> bool:
        """Whether something would gain more than it costs, whether or not it can be ordered."""
        firsts = (offer.curve.slice(0) for offer in self.step.offers)
        return any(first is not None and max(first.gains) > 0 for first in firsts)

    def chosen(self) -> tuple[Selection, tuple[Alternative, ...]]:
        """Return the cuts of this step, and the ways to the target that were weighed."""
        strategy = self.desk.limits.strategy
        shown = Strategy if len(self.choices) <= MANY else (Strategy.CHEAPEST_RELIEF, strategy)
        ways = {one: way for one in dict.fromkeys(shown) if (way := self._way(one)) is not None}
        ways[Strategy.CHEAPEST_RELIEF] = cheapest_of(ways.values()) or self.whole.everything()
        if strategy is Strategy.CHEAPEST_RELIEF:
            step = self._cheapest_step(ways[strategy])
        elif strategy is Strategy.PRO_RATA:
            step = self.step.limited(ways[strategy].quantities)
        else:
            step = self.step.in_order(self._ranking(strategy))
        return step, self._alternatives(strategy, ways)

    def _way(self, strategy: Strategy) -> Selection | None:
        """Return the whole way to the target by one strategy; `None`: it finds none."""
        if strategy is Strategy.CHEAPEST_RELIEF:
            return self.whole.cheapest()
        if strategy is Strategy.PRO_RATA:
            return self.whole.pro_rata() or self.whole.everything()
        return self.whole.in_order(self._ranking(strategy))

    def _cheapest_step(self, whole: Selection) -> Selection:
        """Return the cheapest step that reaches the target, else the beginning of `whole`."""
        begun = self.step.limited(whole.quantities)
        if begun.reaches:
            return begun
        reaching = self.step.cheapest()
        if reaching is not None:
            return reaching
        return self.step.everything() if self.desk.urgency >= ONE or not begun.quantities else begun

    def _ranking(self, strategy: Strategy) -> list[int]:
        """Return the places of the choices as a strategy that goes from one to the next takes them."""
        worst = max(self.needs, key=lambda need: need.usage.ratio / need.target)

        def loss(choice: Candidate) -> tuple[bool, Decimal]:
            known = [leg.unrealized_pnl for leg in choice.legs if leg.unrealized_pnl is not None]
            return len(known) < len(choice.legs), sum(known, ZERO)

        def margin(choice: Candidate) -> Decimal:
            return -sum((worst.freed(leg.position.key, leg.notional or ZERO) for leg in choice.legs), ZERO)

        value = loss if strategy is Strategy.WORST_PNL else margin
        return sorted(range(len(self.choices)), key=lambda number: value(self.choices[number]))

    def _alternatives(
        self, strategy: Strategy, ways: Mapping[Strategy, Selection]
    ) -> tuple[Alternative, ...]:
        """Return what the ways would cost, that of `strategy` first, and the cheapest single position's."""
        named = [(strategy.value, ways[strategy])]
        named += [(other.value, way) for other, way in ways.items() if other is not strategy]
        for alone in self.whole.alone:
            legs = self.choices[next(iter(alone.quantities))].legs
            named.append((" and ".join(f"{leg.position.symbol} {leg.position.side}" for leg in legs), alone))
        return tuple(
            Alternative(
                name=name,
                orders=sum(self.whole.offers[number].orders for number in way.quantities),
                cost=Decimal(f"{way.cost:.8g}"),
                reaches=way.reaches,
            )
            for name, way in named
        )

    def tightened(self, chosen: Selection) -> tuple[tuple[PlannedOrder, ...], tuple[Shortfall, ...]]:
        """Return the orders of `chosen` and what is left after them; a lot more where floats fell short."""
        quantities = dict(chosen.quantities)
        orders, after = self._orders(quantities)
        for _ in range(TIGHTENINGS if chosen.reaches else 0):
            if not any(left.missing > 0 for left in needs_of(after)) or not self._raised(quantities):
                break
            orders, after = self._orders(quantities)
        return orders, after

    def _raised(self, quantities: dict[int, Decimal]) -> bool:
        """Put a lot on top of the last order that takes one."""
        for number in reversed(quantities):
            choice = self.choices[number]
            more = choice.sized(quantities[number] + choice.lot_step, self.desk.limits.step_fraction)
            if more > quantities[number]:
                quantities[number] = more
                return True
        return False

    def _orders(
        self, quantities: Mapping[int, Decimal]
    ) -> tuple[tuple[PlannedOrder, ...], tuple[Shortfall, ...]]:
        orders: list[PlannedOrder] = []
        state = self.state
        for number, quantity in quantities.items():
            legs = self.choices[number].legs
            group = len(orders) if len(legs) > 1 else None
            for leg in legs:
                order, state = self.desk.order(leg, quantity, state, group)
                orders.append(order)
        return tuple(orders), state

    def harmful(self, chosen: Selection, after: Sequence[Shortfall]) -> set[int]:
        """Return the places in `chosen` of what costs more risk than it takes away, where the whole does."""
        found: set[int] = set()
        for number, left in enumerate(after):
            was, becomes = self.state[number].usage, left.usage
            if was.capacity <= 0 or not left.is_open:
                continue
            if compare_risk(becomes.capacity, becomes.used, was.capacity, was.used) > 0:
                found |= {one for one in chosen.quantities if self._is_worse(one, chosen, number)}
        return found

    def _is_worse(self, one: int, chosen: Selection, number: int) -> bool:
        """Whether what is cut of one choice alone makes a shortfall worse."""
        _, after = self._orders({one: chosen.quantities[one]})
        was, becomes = self.state[number].usage, after[number].usage
        return compare_risk(becomes.capacity, becomes.used, was.capacity, was.used) > 0
