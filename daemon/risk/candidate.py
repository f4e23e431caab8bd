"""What a reducing step can choose from: a position, the overhang of a hedge, or both legs of one.

Long and short of one symbol are a hedge for each other, whether or not both can be traded at the moment: the
leg whose twin is halted does not stand alone. So |net quantity| of a symbol never grows by what is offered
here.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

from brokers.models import AccountSnapshot, MarginMode, MarketRules, Symbol
from brokers.numbers import ONE, ZERO
from daemon.risk.picture import PositionKey, ValuedPosition
from daemon.risk.relief import notional_to_cut_in_brackets
from daemon.risk.shortfall import Shortfall
from daemon.risk.sizing import Lots
from daemon.risk.tiers import Bracket


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Legs that are cut by one and the same quantity, `most` of it at most.

    One leg, as a rule. Of a hedged pair first the larger leg alone, down to the size of the smaller: cutting
    the smaller first would bare the hedge and, where a venue charges only the larger, free nothing. Then both
    at once, the larger first.
    """

    legs: tuple[ValuedPosition, ...]
    rules: MarketRules
    most: Decimal
    market: bool

    @property
    def notional(self) -> Decimal:
        """The notional of all legs, in the unit's currency."""
        return sum((leg.notional or ZERO for leg in self.legs), ZERO)

    def lots(self, leg: ValuedPosition) -> Lots:
        """Return the bounds of the order that cuts `leg`."""
        return Lots(position=leg.position, rules=self.rules, most=self.most, market=self.market)

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

    def gain(self, shortfall: Shortfall, cost_rate: Decimal) -> Decimal:
        """Return the margin that the first cut frees per notional; zero where it does not help `shortfall`.

        Cost goes by notional alone, so the order by relief per notional is the order by relief per cost.
        """
        relief = self.relief(shortfall)
        if relief <= shortfall.target * self.cost(cost_rate):
            return ZERO
        return relief / self.cost(ONE)

    def relief(self, shortfall: Shortfall) -> Decimal:
        """Return the margin that the first unit of quantity frees over all legs."""
        brackets = self.brackets(shortfall)
        return brackets[0].rate if brackets else ZERO

    def needed(self, state: Sequence[Shortfall], cost_rate: Decimal) -> Decimal:
        """Return the quantity that closes every open shortfall it helps with; `most` where it cannot."""
        needs = [ZERO]
        for shortfall in state:
            if shortfall.is_open and self.gain(shortfall, cost_rate) > 0:
                quantity = notional_to_cut_in_brackets(
                    shortfall.usage, shortfall.target, self.brackets(shortfall), self.cost(cost_rate)
                )
                needs.append(self.most if quantity is None else min(quantity, self.most))
        return max(needs)


def worth(valued: ValuedPosition) -> Decimal:
    """Return the notional of one unit of quantity, in the unit's currency; zero: not known."""
    return (valued.notional or ZERO) / valued.position.quantity


def is_orderable(
    valued: ValuedPosition, snapshot: AccountSnapshot, excluded: Collection[PositionKey]
) -> bool:
    """Whether a reducing order of a certain size can be built for it."""
    known = worth(valued) > 0 and valued.position.symbol in snapshot.markets
    return known and valued.position.key not in excluded


def hedges(positions: Sequence[ValuedPosition]) -> tuple[tuple[ValuedPosition, ...], ...]:
    """Return `positions` grouped: each alone, or with its opposite of the same symbol and margin mode.

    The larger leg of a pair stands first.
    """
    groups: dict[tuple[Symbol, MarginMode], list[ValuedPosition]] = {}
    for valued in sorted(positions, key=lambda valued: valued.position.quantity, reverse=True):
        groups.setdefault((valued.position.symbol, valued.position.margin_mode), []).append(valued)
    found: list[tuple[ValuedPosition, ...]] = []
    for group in groups.values():
        if len({valued.position.side for valued in group}) == 1:
            found += [(valued,) for valued in group]
        else:
            other = next(valued for valued in group if valued.position.side is not group[0].position.side)
            found.append((group[0], other))
    return tuple(found)


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
    found = []
    for group in hedges(positions):
        candidate = _candidate(group, snapshot.markets.get(group[0].position.symbol), market=market)
        if candidate is not None and all(
            is_orderable(leg, snapshot, excluded) and not candidate.lots(leg).is_dust
            for leg in candidate.legs
        ):
            found.append(candidate)
    return tuple(found)


def _candidate(
    group: tuple[ValuedPosition, ...], rules: MarketRules | None, *, market: bool
) -> Candidate | None:
    """Return the position, the overhang of a hedge while the venue takes so little, else both legs."""
    if rules is None:
        return None
    larger = group[0]
    if len(group) == 1:
        return Candidate(legs=group, rules=rules, most=larger.position.quantity, market=market)
    smaller = group[1].position.quantity
    overhang = larger.position.quantity - smaller
    alone = Candidate(legs=(larger,), rules=rules, most=overhang, market=market)
    if overhang >= alone.lots(larger).least:
        return alone
    return Candidate(legs=group, rules=rules, most=smaller, market=market)
