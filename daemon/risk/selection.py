"""The cheapest set of cuts that reaches every target.

Costs rise and reliefs fall from slice to slice of an offer, so that for one need taking slices by relief per
cost is the best there is. Several needs are weighted into one, by some weights in turn. The best answers are
rounded to orders, trimmed to what is needed, and held against the cheapest offer that does alone; of few
offers every combination is tried, and what lies a few lots around. So the answer is never dearer than any
single offer, and for few exact to a lot of each.

Source: Dantzig, "Discrete-Variable Extremum Problems" (1957), for one need; surrogate constraints after
Glover (1965) for several.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from heapq import heapify, heappop, heappush, nsmallest
from itertools import combinations, product
from math import inf, log

from brokers.numbers import ZERO
from daemon.risk.ways import GRAIN, HAIR, Quantities, Selection, Ways, cheapest_of

FEW = 3
"""Of so many offers every combination is tried: the smallest order of a venue makes leaving one out pay."""

NEAR = 3
"""... and of every combination the answers within so many lots of each."""

ROUNDS = 2
"""How often weights are tried anew where several needs stand against one another."""

FITTED = 2
"""So many of the answers in fractions are made into orders, the cheapest ones."""

PATIENCE = 3
"""After so many offers that cannot be trimmed the rest is left as it is."""

Wanted = dict[int, float]
"""A quantity by the offer's place; what is not named is not cut."""


class Selector(Ways):
    """The search for the cheapest way, and for the cheapest with one offer alone."""

    def cheapest(self) -> Selection | None:
        """Return the cheapest answer; `None`: none was found that reaches."""
        everywhere = range(len(self.offers))
        if not self._may_reach():
            return None
        tries = [*self._greedily(everywhere, ROUNDS), *self.alone]
        if len(self.offers) <= FEW:
            tries += self._combined()
        found = cheapest_of(tries)
        return None if found is None else self._sorted(found)

    @cached_property
    def alone(self) -> list[Selection]:
        """The answer that cuts one offer only, the cheapest of those that can do; empty: none can."""
        bounds = ((self._cost_bound(number), number) for number in range(len(self.offers)))
        best: list[Selection] = []
        for bound, number in sorted(pair for pair in bounds if pair[0] < inf):
            if best and bound >= best[0].cost:
                break
            answer = self.single(number)
            found = cheapest_of([answer, *best])
            best = [] if found is None else [found]
        return best

    def single(self, number: int) -> Selection:
        """Return the answer that cuts one offer only, as far as it goes."""
        offer = self.offers[number]
        wanted = max(offer.curve.needed(need, amount) for need, amount in enumerate(self.needs))
        return self.judged({number: offer.sized(min(wanted, offer.most))})

    def everything(self) -> Selection:
        """Return all that helps any need, the best first."""
        weights = [(need, 1 / amount) for need, amount in enumerate(self.needs)]
        ranked = [rank for number in range(len(self.offers)) if (rank := self._rank(number, 0, weights))]
        return self.in_order([number for _, _, number, _ in sorted(ranked)])

    def _may_reach(self) -> bool:
        """Whether as many of the largest offers as there is room for could meet every need."""
        if self.room >= len(self.offers):
            return True
        for need, amount in enumerate(self.needs):
            firsts = (offer.curve.slice(0) for offer in self.offers)
            most = [
                -offer.bound * first.gains[need]
                for offer, first in zip(self.offers, firsts, strict=True)
                if first
            ]
            if -sum(nsmallest(int(self.room), most)) < amount * (1 - HAIR):
                return False
        return True

    def _cost_bound(self, number: int) -> float:
        """Return what an offer costs at least if it is to meet every need alone; infinite: it cannot."""
        offer, least = self.offers[number], 0.0
        first = offer.curve.slice(0)
        if first is None or offer.orders > self.room:
            return inf
        for need, amount in enumerate(self.needs):
            gain = first.gains[need]
            if gain * offer.bound < amount * (1 - HAIR):
                return inf
            least = max(least, amount / gain * first.cost)
        return least

    def _greedily(self, members: Sequence[int], rounds: int) -> list[Selection]:
        """Return the best answers of those that weighting the needs in different ways leads to."""
        answers = list(self._weighted(members, rounds))
        answers.sort(key=self._price)
        found = []
        for taken in answers[:FITTED]:
            number_of_orders = sum(self.offers[number].orders for number in taken)
            if number_of_orders <= self.room:
                found.append(self._fitted(taken))
            else:
                found += [self._fitted(fewer) for fewer in self._fewer(taken)]
        return found

    def _price(self, taken: Wanted) -> float:
        offers = self.offers
        return sum(
            offers[number].curve.cost(some) + GRAIN * offers[number].weight * some
            for number, some in taken.items()
        )

    def _weighted(self, members: Sequence[int], rounds: int) -> Iterator[Wanted]:
        """Yield answers in fractions; of many offers one only, where that is the best there is.

        What is cheapest for one need, and meets the others on the way, is cheapest for all; of few offers
        what whole orders make of it may still be worse than of another.
        """
        weights = [1 / amount for amount in self.needs]
        for need in self._hardest_first():
            alone = [0.0] * len(weights)
            alone[need] = weights[need]
            taken, _, met = self._greedy(members, alone)
            if met:
                yield taken
                if len(self.offers) > FEW:
                    return
        taken, last, _ = self._greedy(members, weights)
        yield taken
        for _ in range(rounds):
            weights[last] *= 2  # what was met last deserves more
            taken, last, _ = self._greedy(members, weights)
            yield taken

    def _hardest_first(self) -> list[int]:
        """Return the needs, the one that takes the largest part of all offers first."""
        if len(self.needs) == 1:
            return [0]
        most = [0.0] * len(self.needs)
        for offer in self.offers:
            first = offer.curve.slice(0)
            for need, gain in enumerate(first.gains if first else ()):
                most[need] += offer.bound * gain
        return sorted(range(len(most)), key=lambda need: most[need] / self.needs[need])

    def _fewer(self, taken: Wanted) -> Iterator[Wanted]:
        """Yield answers that make do with as many orders as there is room for."""
        weights = [1 / amount for amount in self.needs]

        def given(number: int) -> float:
            gains = self.offers[number].curve.gains(taken[number])
            return sum(weight * gain for weight, gain in zip(weights, gains, strict=True))

        def possible(number: int) -> float:
            offer = self.offers[number]
            first = offer.curve.slice(0)
            gains = first.gains if first else ()
            return offer.bound * sum(weight * gain for weight, gain in zip(weights, gains, strict=False))

        for numbers, value in ((taken, given), (range(len(self.offers)), possible)):
            members, room = [], self.room
            for number in sorted(numbers, key=lambda one: -value(one)):
                if self.offers[number].orders <= room:
                    members.append(number)
                    room -= self.offers[number].orders
                if room <= 0:
                    break
            yield self._greedy(members, weights)[0]

    def _rank(
        self, number: int, place: int, weights: Sequence[tuple[int, float]]
    ) -> tuple[int, float, int, int] | None:
        """Return what a slice is sorted by, the most gain per cost first; `None`: it gains nothing."""
        offer = self.offers[number]
        piece = offer.curve.slice(place)
        if piece is None:
            return None
        gain = 0.0
        for need, weight in weights:
            gain += weight * piece.gains[need]
        if gain <= 0:
            return None
        worth = offer.weight
        return -int(gain / (piece.cost + GRAIN * worth) * self._scale), -offer.bound * worth, number, place

    @cached_property
    def _scale(self) -> float:
        """What makes whole numbers of gains per cost, so that those which hardly differ are the same."""
        for offer in self.offers:
            first = offer.curve.slice(0)
            gain = (
                sum(one / need for one, need in zip(first.gains, self.needs, strict=True)) if first else 0.0
            )
            if first is not None and gain > 0:
                return (first.cost + GRAIN * offer.weight) / gain / HAIR
        return 1 / HAIR

    def _greedy(self, members: Sequence[int], weights: Sequence[float]) -> tuple[Wanted, int, bool]:
        """Take slices by weighted gain per cost until every need that weighs is met.

        Return what is taken, which need was met last, and whether all are, those that weigh nothing included.
        """
        missing = list(self.needs)
        enough = [HAIR * amount for amount in self.needs]
        watched = [need for need, weight in enumerate(weights) if weight > 0]
        weighing = [(need, weights[need]) for need in watched]
        waiting = [rank for number in members if (rank := self._rank(number, 0, weighing)) is not None]
        heapify(waiting)
        taken: Wanted = {}
        last = 0
        while waiting:
            _, _, number, place = heappop(waiting)
            offer = self.offers[number]
            piece, had = offer.curve.slice(place), taken.get(number, 0.0)
            width = min(piece.width, offer.most - had) if piece is not None else 0.0
            if piece is None or width <= 0:
                continue
            part = 0.0
            for need in watched:
                gain, still = piece.gains[need], missing[need]
                if still > enough[need] and gain > 0 and (wanted := min(still / gain, width)) > part:
                    part, last = wanted, need
            if part <= 0:
                continue
            taken[number] = had + part
            for need, gain in enumerate(piece.gains):
                missing[need] -= part * gain
            if all(missing[need] <= enough[need] for need in watched):
                break
            if part >= width and (rank := self._rank(number, place + 1, weighing)) is not None:
                heappush(waiting, rank)
        return taken, last, all(still <= hair for still, hair in zip(missing, enough, strict=True))

    def _fitted(self, taken: Wanted) -> Selection:
        """Return `taken` in orders, without what is not needed."""
        quantities = {number: self.offers[number].sized(some) for number, some in taken.items()}
        quantities = {number: some for number, some in quantities.items() if some > 0}
        gains = {number: self.offers[number].curve.gains(float(some)) for number, some in quantities.items()}
        slack = [
            sum(gain[need] for gain in gains.values()) - amount for need, amount in enumerate(self.needs)
        ]
        if min(slack) >= 0:
            self._trim(quantities, gains, slack)
        return self.judged(quantities)

    def _trim(
        self, quantities: Quantities, gains: Mapping[int, tuple[float, ...]], slack: list[float]
    ) -> None:
        """Take off `quantities` what `slack` allows, the dearest first."""

        def dearness(number: int) -> float:
            gain = sum(one / amount for one, amount in zip(gains[number], self.needs, strict=True))
            return self.offers[number].curve.cost(float(quantities[number])) / gain if gain > 0 else inf

        idle = 0
        for number in sorted(quantities, key=dearness, reverse=True):
            offer, had = self.offers[number], gains[number]
            keep = max(
                offer.curve.needed(need, one - left)
                for need, (one, left) in enumerate(zip(had, slack, strict=True))
            )
            smaller = offer.sized(keep) if keep > 0 else ZERO
            kept = offer.curve.gains(float(smaller))
            fits = all(one - less <= left for one, less, left in zip(had, kept, slack, strict=True))
            if not fits or smaller >= quantities[number]:
                idle += 1
                if idle > PATIENCE:
                    break
                continue
            quantities[number], idle = smaller, 0
            for need, (one, less) in enumerate(zip(had, kept, strict=True)):
                slack[need] -= one - less

    def _sorted(self, answer: Selection) -> Selection:
        """Return the same cuts, those that gain most per cost first."""
        ranks = {}
        for number, some in answer.quantities.items():
            curve = self.offers[number].curve
            gain = sum(one / amount for one, amount in zip(curve.gains(float(some)), self.needs, strict=True))
            cost = curve.cost(float(some)) + GRAIN * self.offers[number].weight * float(some)
            ranks[number] = (-round(log(gain / cost), 9) if gain > 0 else inf, number)
        ordered = sorted(answer.quantities.items(), key=lambda item: ranks[item[0]])
        return replace(answer, quantities=dict(ordered))

    def _combined(self) -> Iterator[Selection]:
        """Yield the answers of every combination of offers, and what lies a few lots around each."""
        for size in range(2, len(self.offers) + 1):
            for members in combinations(range(len(self.offers)), size):
                near = self._greedily(members, 0)
                yield from near
                for answer in near[:1]:
                    yield from self._around(members, answer)

    def _around(self, members: Sequence[int], answer: Selection) -> Iterator[Selection]:
        """Yield what is a few lots from `answer`: all of `members` but one are moved, the one fills up.

        Of a convex problem the best in lots is no further from the best in fractions than there are members.
        """
        for filler in members:
            others = [number for number in members if number != filler]
            last = self.offers[filler]
            for moves in product(range(-NEAR, NEAR + 1), repeat=len(others)):
                quantities: Quantities = {}
                missing = list(self.needs)
                for number, move in zip(others, moves, strict=True):
                    offer = self.offers[number]
                    wanted = float(answer.quantities.get(number, ZERO)) + move * offer.step
                    quantities[number] = offer.sized(min(wanted, offer.most)) if wanted > 0 else ZERO
                    for need, gain in enumerate(offer.curve.gains(float(quantities[number]))):
                        missing[need] -= gain
                wanted = max(last.curve.needed(need, still) for need, still in enumerate(missing))
                quantities[filler] = last.sized(min(wanted, last.most)) if wanted > 0 else ZERO
                yield self.judged(quantities)
