"""Ways to meet needs out of offers that leave nothing to choose: in an order that is given, or pro rata.

What they come to is a selection, in whole orders.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import inf

from daemon.risk.offer import Offer

STEPS = 30
"""In so many steps the part that all offers are cut by is found."""

HAIR = 1e-9
"""Relative: what floats cannot tell apart is enough."""

GRAIN = 1e-9
"""A cost per notional on top of every other: where nothing costs anything, the smaller notional goes."""

Quantities = dict[int, Decimal]
"""Whole orders by the place of the offer; what is not named is not cut."""


@dataclass(frozen=True, slots=True)
class Selection:
    """How much of each offer is cut, in the order in which to cut. `reaches`: every need is met."""

    quantities: Mapping[int, Decimal]
    cost: float
    notional: float
    reaches: bool

    @property
    def price(self) -> tuple[float, int]:
        """What the cheaper of two answers has the smaller of."""
        return self.cost + GRAIN * self.notional, len(self.quantities)


def cheapest_of(ways: Iterable[Selection]) -> Selection | None:
    """Return the cheapest of those that meet every need; `None`: none does."""
    return min((way for way in ways if way.reaches), key=lambda way: way.price, default=None)


class Ways:
    """The offers, the needs, and ways from the ones to the others.

    `needs`, one at least, are what must be gained, each more than nothing. No selection takes more than
    `orders` orders (`None`: any number). The offers' order settles ties.
    """

    def __init__(self, offers: Sequence[Offer], needs: Sequence[float], orders: int | None = None) -> None:
        self.offers = offers
        self.needs = needs
        self.room = inf if orders is None else orders

    def in_order(self, numbers: Sequence[int]) -> Selection:
        """Return the answer that cuts one offer after the other, each as far as it is needed."""
        taken: Quantities = {}
        missing, room = list(self.needs), self.room
        for number in numbers:
            offer = self.offers[number]
            if offer.orders > room:
                continue
            wanted = max([offer.curve.needed(need, amount) for need, amount in enumerate(missing)])
            if wanted <= 0:
                continue
            if (some := offer.sized(min(wanted, offer.most))) <= 0:
                continue
            taken[number] = some
            room -= offer.orders
            for need, gain in enumerate(offer.curve.gains(float(some))):
                missing[need] -= gain
            if all(still <= HAIR * amount for still, amount in zip(missing, self.needs, strict=True)):
                break
        return self.judged(taken)

    def pro_rata(self) -> Selection | None:
        """Return the answer that cuts the same part of all, the largest first; `None`: no part does."""
        part = self.part()
        if part is None:
            return None
        by_size = sorted(range(len(self.offers)), key=lambda number: -self.offers[number].notional)
        return self.limited({number: part * self.offers[number].bound for number in by_size})

    def limited(self, wanted: Mapping[int, float | Decimal]) -> Selection:
        """Return as much of `wanted` as the offers and the number of orders allow, in its order."""
        taken: Quantities = {}
        room = self.room
        for number, some in wanted.items():
            if room <= 0:
                break
            offer = self.offers[number]
            if offer.orders <= room and (size := offer.sized(min(float(some), offer.most))) > 0:
                taken[number] = size
                room -= offer.orders
        return self.judged(taken)

    def part(self) -> float | None:
        """Return the part of all offers that meets every need; `None`: no part does.

        Newton's method from below: what a part gains rises ever more slowly.
        """
        part = 0.0
        for _ in range(STEPS):
            missing, slopes = list(self.needs), [0.0] * len(self.needs)
            for offer in self.offers:
                gains, slope = offer.curve.around(part * offer.bound)
                for need, gain in enumerate(gains):
                    missing[need] -= gain
                    slopes[need] += slope[need] * offer.bound
            ahead = [
                still / slope if slope > 0 else inf
                for still, slope, amount in zip(missing, slopes, self.needs, strict=True)
                if still > HAIR * amount
            ]
            if not ahead:
                return part
            part += max(ahead)
            if part > 1 + HAIR:
                return None
        return part

    def judged(self, quantities: Quantities) -> Selection:
        """Return what orders come to."""
        quantities = {number: some for number, some in quantities.items() if some > 0}
        cost, notional, gained = 0.0, 0.0, [0.0] * len(self.needs)
        for number, some in quantities.items():
            curve = self.offers[number].curve
            cost += curve.cost(float(some))
            notional += self.offers[number].weight * float(some)
            for need, gain in enumerate(curve.gains(float(some))):
                gained[need] += gain
        reaches = (
            all(gain >= amount * (1 - HAIR) for gain, amount in zip(gained, self.needs, strict=True))
            and sum(self.offers[number].orders for number in quantities) <= self.room
        )
        return Selection(quantities, cost, notional, reaches)
