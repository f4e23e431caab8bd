"""What may be cut of one thing, as the search for the cheapest cuts sees it: slices, the best first.

Costs rise and reliefs fall from slice to slice: a position leaves its highest margin tier first, and an order
eats into the book. Slices come one by one as the search asks for them, so that of a deep book only the part
that matters is ever read.

Floats search, because only the order of things depends on them. What they find is a number of whole lots, and
whoever asked judges those anew, exactly.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from math import inf
from typing import NamedTuple

Segment = tuple[float, float]
"""So much quantity at one rate per unit of it."""


class Slice(NamedTuple):
    """So much quantity at one cost per unit; `gains` are, per unit and need, what it frees net of cost."""

    width: float
    cost: float
    gains: tuple[float, ...]


class Curve:
    """The slices of one thing, read as far as somebody asked, with what they come to."""

    def __init__(self, slices: Iterable[Slice], needs: int) -> None:
        self._coming = iter(slices)
        self._slices: list[Slice] = []
        self._ends = [0.0]
        self._costs = [0.0]
        self._gains: list[tuple[float, ...]] = [(0.0,) * needs]

    def slice(self, place: int) -> Slice | None:
        """Return the slice at `place`, from 0; `None`: there are not so many."""
        slices = self._slices
        while place >= len(slices):
            piece = next(self._coming, None)
            if piece is None:
                return None
            slices.append(piece)
        return slices[place]

    def cost(self, quantity: float) -> float:
        """Return what cutting `quantity` costs."""
        place, into = self._find(quantity)
        return self._costs[place] + into * self._slices[place].cost if into else self._costs[place]

    def gains(self, quantity: float) -> tuple[float, ...]:
        """Return what cutting `quantity` does for each need."""
        place, into = self._find(quantity)
        before = self._gains[place]
        if not into:
            return before
        return tuple([was + into * gain for was, gain in zip(before, self._slices[place].gains, strict=True)])

    def around(self, quantity: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return what cutting `quantity` does for each need, and what one unit more would."""
        gains = self.gains(quantity)
        place = bisect_right(self._ends, quantity) - 1
        piece = self.slice(place)
        return gains, piece.gains if piece is not None else (0.0,) * len(gains)

    def needed(self, need: int, amount: float) -> float:
        """Return the smallest quantity that gains `amount` for a need; where none does, all that gains."""
        place = 0
        while amount > self._gains[place][need]:
            piece = self.slice(place)
            if piece is None or piece.gains[need] <= 0:
                break
            if place + 1 >= len(self._ends):
                self._add_up()
            lacking = amount - self._gains[place][need]
            if lacking <= piece.width * piece.gains[need]:
                return self._ends[place] + lacking / piece.gains[need]
            place += 1
        return self._ends[place]

    def _add_up(self) -> bool:
        """Add up one slice more; `False`: there is none."""
        piece = self.slice(len(self._ends) - 1)
        if piece is None:
            return False
        width, before = piece.width, self._gains[-1]
        self._ends.append(self._ends[-1] + width)
        self._costs.append(self._costs[-1] + width * piece.cost)
        self._gains.append(tuple([was + width * one for was, one in zip(before, piece.gains, strict=True)]))
        return True

    def _find(self, quantity: float) -> tuple[int, float]:
        """Return the number of slices that `quantity` takes whole, and what it takes of the next one."""
        while self._ends[-1] < quantity and self._add_up():
            pass
        if quantity >= self._ends[-1]:
            return len(self._ends) - 1, 0.0
        place = max(bisect_left(self._ends, quantity) - 1, 0)
        return place, quantity - self._ends[place]


@dataclass(frozen=True)
class Offer:
    """A thing that may be cut, `bound` of it at the very most.

    `sized` returns the smallest order that takes at least a quantity, as far as there is one; zero: none.
    `step` is the lot. `orders` is how many orders it takes. `weight` is the notional of one unit of quantity.
    """

    curve: Curve
    bound: float
    sized: Callable[[float], Decimal]
    step: float
    orders: int = 1
    weight: float = 1.0

    @cached_property
    def most(self) -> float:
        """The largest order there is; zero: none."""
        return float(self.sized(self.bound))

    @property
    def notional(self) -> float:
        """The notional of all that may be cut."""
        return self.bound * self.weight


def merged(curves: list[Iterator[Segment]], most: float) -> Iterator[tuple[float, tuple[float, ...]]]:
    """Yield the widths over which no rate of any curve changes, with the rates, up to `most`.

    A curve that has ended goes on at a rate of zero.
    """
    heads = [next(curve, (inf, 0.0)) for curve in curves]
    left = most
    while left > 0:
        width = min(left, *[head[0] for head in heads])
        left -= width
        if width > most * SLIVER:
            yield width, tuple([rate for _, rate in heads])
        for number, (wide, rate) in enumerate(heads):
            if wide - width > most * SLIVER:
                heads[number] = (wide - width, rate)
            else:
                heads[number] = next(curves[number], (inf, 0.0))


SLIVER = 1e-12
"""Of the whole: what is thinner comes of rounding."""
