"""Candidates as offers: what a step may take of each, and what may go of it in all, in steps to come."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial

from brokers.numbers import ONE, ceil_to_step
from daemon.risk.candidate import Candidate, worth
from daemon.risk.cost import TradingCost
from daemon.risk.offer import Curve, Offer, Segment, Slice, merged
from daemon.risk.picture import ValuedPosition
from daemon.risk.shortfall import Shortfall

NEARLY = ONE - Decimal("1e-12")
"""Before it is rounded up to lots a quantity is made so much smaller: floats err by less."""

Costs = Callable[[ValuedPosition], TradingCost]


def needs_of(state: Sequence[Shortfall]) -> tuple[Shortfall, ...]:
    """Return the shortfalls that are open, without those that another one of the same relief implies."""
    found: list[Shortfall] = []
    for left in state:
        if not left.is_open:
            continue
        same = next((one for one in found if one.relief is left.relief and one.target == left.target), None)
        if same is None:
            found.append(left)
        elif same.missing < left.missing:
            found[found.index(same)] = left
    return tuple(found)


def offers_of(
    choices: Sequence[Candidate], needs: Sequence[Shortfall], costs: Costs, fraction: Decimal
) -> tuple[tuple[Offer, ...], tuple[Offer, ...]]:
    """Return what one step may take of each of `choices`, and what may go of it in all.

    In one step no more than `fraction` of a position; in all what the venue takes in several orders, and the
    pairs that a hedge leaves once its overhang is gone. Both read the same slices.
    """
    steps, wholes = [], []
    for choice in choices:
        curve = Curve(_slices(choice, needs, costs), len(needs))
        legs, lot, most = len(choice.legs), float(choice.lot_step), choice.in_all
        weight = float(choice.cost(ONE))
        bound = float(min(choice.most, _share(choice, fraction)))
        sized = partial(_in_one_step, choice, fraction)
        steps.append(Offer(curve=curve, bound=bound, sized=sized, step=lot, orders=legs, weight=weight))
        sized = partial(_in_all, choice, most)
        wholes.append(
            Offer(curve=curve, bound=float(most), sized=sized, step=lot, orders=legs, weight=weight)
        )
    return tuple(steps), tuple(wholes)


def _share(choice: Candidate, fraction: Decimal) -> Decimal:
    """Return about how much one order may take of the smallest leg: all of it where the rest were dust."""
    total = min(leg.position.quantity for leg in choice.legs)
    share = max(total * fraction, choice.least)
    return share if total - share >= choice.least else total


def _in_one_step(choice: Candidate, fraction: Decimal, quantity: float) -> Decimal:
    return choice.sized(Decimal(quantity) * NEARLY, fraction)


def _in_all(choice: Candidate, most: Decimal, quantity: float) -> Decimal:
    """Return `quantity` in whole lots, taken in as many steps as that needs."""
    least = choice.least
    lots = max(ceil_to_step(Decimal(quantity) * NEARLY, choice.lot_step), least)
    return lots if most - lots >= least else most


def _slices(choice: Candidate, needs: Sequence[Shortfall], costs: Costs) -> Iterator[Slice]:
    """Yield what cutting costs and frees, from the first unit on."""
    if len(choice.legs) == 1 and choice.twin is None:
        alike = _alike(choice, needs, costs(choice.legs[0]))
        if alike is not None:
            yield from alike
            return
    legs = [(leg, 0.0) for leg in choice.legs]
    if choice.twin is not None:
        legs.append((choice.twin, float(choice.most)))
    wide = 1 + len(needs)
    curves: list[Iterator[Segment]] = []
    targets = []
    for leg, after in legs:
        curves.append(_delayed(costs(leg).segments(), after))
        curves += [_delayed(_reliefs(leg, need), after) for need in needs]
        targets.append([float(need.target) if leg.position.key in need.relief else 0.0 for need in needs])
    for width, rates in merged(curves, float(choice.in_all)):
        cost, gains = 0.0, [0.0] * len(needs)
        for number, target in enumerate(targets):
            one = rates[number * wide : (number + 1) * wide]
            cost += one[0]
            for need, share in enumerate(target):
                gains[need] += one[1 + need] - share * one[0]
        yield Slice(width, cost, tuple(gains))


def _alike(choice: Candidate, needs: Sequence[Shortfall], cost: TradingCost) -> Iterator[Slice] | None:
    """Return the slices of a position that frees the same all over; `None`: it does not."""
    leg = choice.legs[0]
    per_unit, most = float(worth(leg)), float(choice.most)
    frees: list[tuple[float, float]] = []
    for need in needs:
        brackets = need.relief.get(leg.position.key)
        if brackets is None:
            frees.append((0.0, 0.0))
        elif len(brackets) == 1:
            frees.append((float(brackets[0].rate) * per_unit, float(need.target)))
        else:
            return None
    return _priced(cost, most, frees)


def _priced(cost: TradingCost, most: float, frees: Sequence[tuple[float, float]]) -> Iterator[Slice]:
    for wide, price in cost.segments():
        width = min(wide, most)
        yield Slice(width, price, tuple([relief - target * price for relief, target in frees]))
        most -= width
        if most <= 0:
            return


def _delayed(segments: Iterator[Segment], after: float) -> Iterator[Segment]:
    """Yield `segments` from the quantity `after` on."""
    if after > 0:
        yield after, 0.0
    yield from segments


def _reliefs(leg: ValuedPosition, need: Shortfall) -> Iterator[Segment]:
    per_unit = float(worth(leg))
    for bracket in need.relief.get(leg.position.key, ()):
        yield float(bracket.width) / per_unit, float(bracket.rate) * per_unit
