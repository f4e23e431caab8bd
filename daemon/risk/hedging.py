"""How far one leg of a hedge may be cut, and how far the others must follow.

Theory of operation. The net delta of a group may never be further from zero than it was before, or than the
tolerance, whichever is more, after any order of any leg, filled in whole, in part or not at all. So the leg
that must shrink is cut by a slice that stays within that band; the legs on the other side then follow, by
what is too much on theirs; then comes the next slice. Nobody goes by a list of steps: each slice is sized
from the legs as they are, with what is under way counted against it, so a slice that failed or fell short
stops or shrinks the next. `interleave` is that rule repeated until nothing is left to do.

Lots may be coarser than the tolerance. The band is then the smallest within which both sides can move: one
order of the leg itself, or half an order of the finest partner and one of its own, from where on the
partner's order makes the hedge better and not worse.

A leg is only ever made smaller; a slice is never more than what may be cut of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from brokers.numbers import ZERO, floor_to_step
from daemon.risk.hedge_group import LegName

ROUNDING = Decimal("1e-12")
"""What a lot of an inverse contract may lack of itself: its coins are a quotient, cut off after 28 digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One leg as it stands. `delta` is signed, in coins, `per_quantity` > 0 coins per unit of quantity.

    `lot` and `least` are the steps and the smallest size of an order, `cuttable` the most that may be cut now
    (0: nothing), all in quantity. `under_way` are the coins that orders without an end may yet take off.
    """

    name: LegName
    delta: Decimal
    per_quantity: Decimal
    lot: Decimal
    least: Decimal
    cuttable: Decimal
    under_way: Decimal = ZERO

    @property
    def sign(self) -> int:
        """1 for a long leg, -1 for a short one, 0 for one that is not there."""
        return (self.delta > 0) - (self.delta < 0)

    @property
    def finest(self) -> Decimal:
        """The coins of its smallest order."""
        return max(self.least, self.lot) * self.per_quantity

    @property
    def can_be_cut(self) -> bool:
        """Whether an order could make it smaller."""
        return self.sign != 0 and self.cuttable >= max(self.least, self.lot)

    def lots_within(self, coins: Decimal) -> Decimal:
        """Return the quantity, in whole lots, that `coins` are enough for."""
        return floor_to_step(coins / self.per_quantity + self.lot * ROUNDING, self.lot)

    def cut(self, quantity: Decimal) -> "Leg":
        """Return the leg with `quantity` less."""
        left = self.delta - self.sign * quantity * self.per_quantity
        return replace(self, delta=left, cuttable=self.cuttable - quantity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One order of an interleaved plan, and the net delta once it is filled."""

    leg: LegName
    quantity: Decimal
    net: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """The legs of one group at one moment. `before` is the net delta when the present cut began, signed."""

    legs: tuple[Leg, ...]
    tolerance: Decimal
    before: Decimal

    @property
    def net(self) -> Decimal:
        """The net delta, in coins."""
        return sum((leg.delta for leg in self.legs), ZERO)

    def leg(self, name: LegName) -> Leg:
        """Return the leg called `name`."""
        return next(leg for leg in self.legs if leg.name == name)

    def band(self, name: LegName) -> Decimal:
        """Return how far from zero the net delta may come while `name` is cut."""
        own = self.leg(name)
        partners = [one.finest / 2 for one in self.legs if one.sign == -own.sign and one.can_be_cut]
        return max([self.tolerance, own.finest, *([min(partners) + own.finest] if partners else [])])

    def room(self, name: LegName) -> Decimal:
        """Return the coins that may be cut of `name` now, even if everything else under way fills."""
        sign = self.leg(name).sign
        standing = sign * self.net - self._under_way(sign)
        band = self.band(name)
        edge = band if standing >= 0 else max(band, -sign * self.before)
        return max(standing + edge, ZERO)

    def slice_of(self, name: LegName, wanted: Decimal) -> Decimal:
        """Return how much of `wanted` may be cut of `name` now, in quantity; zero: it must wait."""
        leg = self.leg(name)
        within = leg.lots_within(self.room(name))
        quantity = min(wanted, within, leg.cuttable)
        return quantity if quantity >= min(leg.least, wanted) and quantity > 0 else ZERO

    def follow(self, name: LegName, wanted: Decimal = ZERO) -> Decimal:
        """Return by how much `name` must follow, in quantity.

        What is too much on its side is cut, down to what it was before; and while the other side wants to cut
        `wanted` coins more, as far as makes room for them. Rounded down to whole lots; up where that leaves
        the hedge better than rounding down would.
        """
        leg = self.leg(name)
        heavy = leg.sign * self.net - self._under_way(leg.sign)
        if heavy <= 0 or not leg.can_be_cut:
            return ZERO
        keep = max(leg.sign * self.before, ZERO)
        lacking = wanted - (max(self.tolerance, keep) - heavy) if wanted > 0 else ZERO
        amount = min(heavy, max(lacking, heavy - keep), leg.cuttable * leg.per_quantity)
        if amount <= 0:
            return ZERO
        quantity = min(leg.lots_within(amount), leg.cuttable)
        if quantity < leg.least:
            quantity = ZERO
        left = heavy - quantity * leg.per_quantity
        more = max(quantity + leg.lot, leg.least)
        is_short = left > max(self.tolerance, keep) or (wanted > 0 and quantity == 0)
        if is_short and more <= leg.cuttable and abs(heavy - more * leg.per_quantity) < left:
            return more
        return quantity

    def after(self, name: LegName, quantity: Decimal) -> "Balance":
        """Return the balance once `quantity` of a leg has gone."""
        legs = tuple(leg.cut(quantity) if leg.name == name else leg for leg in self.legs)
        return replace(self, legs=legs)

    def partners(self, name: LegName) -> tuple[Leg, ...]:
        """Return the legs on the other side, the largest first."""
        sign = self.leg(name).sign
        others = [leg for leg in self.legs if leg.sign == -sign and sign != 0]
        return tuple(sorted(others, key=lambda leg: abs(leg.delta), reverse=True))

    def _under_way(self, sign: int) -> Decimal:
        return sum((leg.under_way for leg in self.legs if leg.sign == sign), ZERO)


def interleave(balance: Balance, name: LegName, wanted: Decimal, *, first: bool = False) -> Iterator[Slice]:
    """Yield the slices by which `wanted` of a leg is cut and the others follow, were each filled whole.

    `first`: the account is past its urgent line, so the whole goes at once and the others after it. It ends
    early where neither the leg nor a partner can be cut any further within the band.
    """
    while wanted > 0:
        leg = balance.leg(name)
        quantity = min(wanted, leg.cuttable) if first else balance.slice_of(name, wanted)
        if quantity > 0:
            wanted -= quantity
            balance = balance.after(name, quantity)
            yield Slice(leg=name, quantity=quantity, net=balance.net)
            continue
        followed = _follow_once(balance, name, wanted * leg.per_quantity)
        if followed is None:
            return
        balance = balance.after(followed.leg, followed.quantity)
        yield followed
    while (followed := _follow_once(balance, name, ZERO)) is not None:
        balance = balance.after(followed.leg, followed.quantity)
        yield followed


def _follow_once(balance: Balance, name: LegName, wanted: Decimal) -> Slice | None:
    """Return the next order of a partner of `name`; `None`: none is due."""
    for partner in balance.partners(name):
        quantity = balance.follow(partner.name, wanted)
        if quantity > 0:
            net = balance.after(partner.name, quantity).net
            return Slice(leg=partner.name, quantity=quantity, net=net)
    return None
