"""What a reducing step can choose from: a position, the overhang of a hedge, or both legs of one.

Long and short of one symbol, or of several that the venue nets, are a hedge for each other, whether or not
both can be traded at the moment: the leg whose twin is halted does not stand alone. So |net quantity| of a
hedge never grows by what is offered here.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import product

from brokers.models import AccountSnapshot, MarginMode, MarketRules, Measure, Side, Symbol
from brokers.numbers import ZERO
from daemon.risk.picture import PositionKey, ValuedPosition
from daemon.risk.shortfall import Shortfall
from daemon.risk.sizing import Lots
from daemon.risk.tiers import Bracket

PAIR = 2
"""More legs of one hedge than these do not go at once: one that failed in between would bare it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Legs that are cut by one and the same quantity, `most` of it at most.

    One leg, as a rule. Of a hedge first the heavier side alone, down to the size of the other: cutting the
    lighter first would bare the hedge and, where a venue charges only the heavier, free nothing. Then both
    at once, the heavier first. `twin` is then the lighter side, which goes with what is left of the heavier
    in the steps that follow. `lot_step` is the coarsest lot of all legs, `least` the smallest order there is.
    """

    legs: tuple[ValuedPosition, ...]
    markets: Mapping[Symbol, MarketRules]
    most: Decimal
    market: bool
    twin: ValuedPosition | None = None
    lot_step: Decimal = field(init=False)
    least: Decimal = field(init=False)

    def __post_init__(self) -> None:
        """Find the coarsest lot of all legs, and the smallest quantity that the venue takes of each."""
        lots = [self.lots(leg) for leg in self.legs]
        object.__setattr__(self, "lot_step", lots[0].rules.lot_step)
        object.__setattr__(self, "least", max(one.least for one in lots))

    @property
    def notional(self) -> Decimal:
        """The notional of all legs, in the unit's currency."""
        return sum((leg.notional or ZERO for leg in self.legs), ZERO)

    @property
    def in_all(self) -> Decimal:
        """The quantity of the first leg that can go in several steps, of a hedge together with its twin."""
        return self.most if self.twin is None else self.legs[0].position.quantity

    def lots(self, leg: ValuedPosition) -> Lots:
        """Return the bounds of the order that cuts `leg`: both legs take the coarser steps of the two."""
        rules = self.markets[leg.position.symbol]
        if len(self.legs) > 1:
            each = [self.markets[leg.position.symbol] for leg in self.legs]
            rules = replace(
                rules,
                lot_step=max(one.lot_step for one in each),
                min_quantity=max(one.min_quantity for one in each),
            )
        return Lots(position=leg.position, rules=rules, most=self.most, market=self.market)

    def sized(self, wanted: Decimal, fraction: Decimal) -> Decimal:
        """Return the smallest order on every leg that takes `wanted`, as `Lots` bounds it; zero: none."""
        quantities = [self.lots(leg).quantity(wanted, fraction) for leg in self.legs]
        known = [quantity for quantity in quantities if quantity is not None]
        return min(known) if len(known) == len(quantities) else ZERO

    def brackets(self, shortfall: Shortfall) -> tuple[Bracket, ...]:
        """Return what cutting frees, by quantity: widths are quantities, rates margin per quantity."""
        if len(self.legs) == 1:
            leg = self.legs[0]
            per_unit = worth(leg)
            return tuple(
                Bracket(width=bracket.width / per_unit, rate=bracket.rate * per_unit)
                for bracket in shortfall.relief.get(leg.position.key, ())
            )
        rates = (
            shortfall.freed(leg.position.key, leg.notional or ZERO) / leg.position.quantity
            for leg in self.legs
        )
        return (Bracket(width=self.most, rate=sum(rates, ZERO)),)

    def cost(self, cost_rate: Decimal) -> Decimal:
        """Return the equity that one unit of quantity costs over all legs."""
        return sum((worth(leg) * cost_rate for leg in self.legs), ZERO)

    def relief(self, shortfall: Shortfall) -> Decimal:
        """Return the margin that the first unit of quantity frees over all legs."""
        brackets = self.brackets(shortfall)
        return brackets[0].rate if brackets else ZERO


def worth(valued: ValuedPosition) -> Decimal:
    """Return the notional of one unit of quantity, in the unit's currency; zero: not known."""
    return (valued.notional or ZERO) / valued.position.quantity


def is_orderable(
    valued: ValuedPosition, snapshot: AccountSnapshot, excluded: Collection[PositionKey]
) -> bool:
    """Whether a reducing order of a certain size can be built for it."""
    known = worth(valued) > 0 and valued.position.symbol in snapshot.markets
    return known and valued.position.key not in excluded


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge:
    """Positions that hedge each other, or one that nothing hedges (`lighter` is empty), the largest first.

    `overhang` is by how much the heavier side is heavier: the net quantity.
    """

    heavier: tuple[ValuedPosition, ...]
    lighter: tuple[ValuedPosition, ...]
    overhang: Decimal

    @property
    def legs(self) -> tuple[ValuedPosition, ...]:
        """All of them, the heavier side first."""
        return self.heavier + self.lighter

    @property
    def pairs(self) -> Iterable[tuple[ValuedPosition, ValuedPosition]]:
        """A leg of each side, the largest pair first."""
        return product(self.heavier, self.lighter)


def hedges(positions: Sequence[ValuedPosition]) -> tuple[Hedge, ...]:
    """Return `positions` by what hedges them; what stands on one side only stands alone."""
    groups: dict[tuple[str, MarginMode], list[ValuedPosition]] = {}
    for valued in sorted(positions, key=_size, reverse=True):
        groups.setdefault(valued.position.hedge, []).append(valued)
    found: list[Hedge] = []
    for group in groups.values():
        sides = [tuple(leg for leg in group if leg.position.side is side) for side in Side]
        if not all(sides):
            found += [Hedge(heavier=(leg,), lighter=(), overhang=leg.position.quantity) for leg in group]
            continue
        lighter, heavier = sorted(sides, key=lambda legs: (_quantity(legs), legs[0] is group[0]))
        overhang = _quantity(heavier) - _quantity(lighter)
        found.append(Hedge(heavier=heavier, lighter=lighter, overhang=overhang))
    return tuple(found)


def _size(valued: ValuedPosition) -> tuple[Decimal, Decimal]:
    """Order by quantity; of two alike the one that the venue charges more is the larger."""
    return valued.position.quantity, valued.margin(Measure.UTILIZATION) or ZERO


def _quantity(legs: Sequence[ValuedPosition]) -> Decimal:
    return sum((leg.position.quantity for leg in legs), ZERO)


def candidates(
    positions: Sequence[ValuedPosition],
    snapshot: AccountSnapshot,
    *,
    market: bool,
    excluded: Collection[PositionKey] = (),
) -> tuple[Candidate, ...]:
    """Return what can be cut of `positions`: all of those that margin returns from, tradable now or not.

    Left out is what a leg that cannot be ordered (dust, `excluded`, no price or rules) has a part in.
    """

    def possible(legs: tuple[ValuedPosition, ...], most: Decimal) -> Candidate | None:
        if not all(is_orderable(leg, snapshot, excluded) for leg in legs):
            return None
        candidate = Candidate(legs=legs, markets=snapshot.markets, most=most, market=market)
        return None if any(candidate.lots(leg).is_dust for leg in legs) else candidate

    found = (_candidate(hedge, possible) for hedge in hedges(positions))
    return tuple(candidate for candidate in found if candidate is not None)


def _candidate(hedge: Hedge, possible: Callable[..., Candidate | None]) -> Candidate | None:
    """Return the position, the overhang of a hedge while the venue takes so little, else a leg of each side.

    An overhang on the side for which the venue charges nothing stays: to cut it would free nothing.
    """
    for leg in hedge.heavier if not _is_free(hedge) else ():
        alone = possible((leg,), min(hedge.overhang, leg.position.quantity))
        if alone is not None and (not hedge.lighter or alone.most >= alone.least):
            twin = possible(hedge.lighter, alone.most) if len(hedge.legs) == PAIR else None
            return alone if twin is None else replace(alone, twin=twin.legs[0])
    both = (possible(legs, min(leg.position.quantity for leg in legs)) for legs in hedge.pairs)
    return next((candidate for candidate in both if candidate is not None), None)


def _is_free(hedge: Hedge) -> bool:
    """Whether the venue says that it charges the lighter side alone."""
    charged = any(leg.margin(measure) for leg in hedge.lighter for measure in Measure)
    return charged and all(leg.margin(measure) == ZERO for leg in hedge.heavier for measure in Measure)
