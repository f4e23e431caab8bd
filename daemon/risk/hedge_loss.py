"""Whether a group stands as it did when it was last whole, and what it has lost since.

Theory of operation. A group is whole when its net delta is within the tolerance; how large each leg was then
is its baseline. A leg that has grown, turned or is new is its owner's doing: the group is being built or
changed, and nothing is trimmed until it is whole again. A leg that has only shrunk, while no other has grown,
is a loss of the hedge, whoever took it: an auto-deleveraging, the venue's liquidation, a human, or a cut of
ours before a restart. Then what it lost is too much on the other side, at most by how far the net delta has
moved; the price of an inverse contract moves deltas too, and what it moved is never traded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from brokers.numbers import ZERO
from daemon.risk.hedge_group import LegName


class Standing(StrEnum):
    """How a group stands."""

    WHOLE = "whole"  # the net delta is within the tolerance
    BUILDING = "building"  # it never was whole, or a leg has grown since
    DRIFTED = "drifted"  # no leg changed, prices did
    LOST = "lost"  # a leg shrank and no other followed


@dataclass(frozen=True, slots=True, kw_only=True)
class LegSize:
    """How large a leg is: `quantity` is signed, `per_quantity` > 0 the coins of one unit of it."""

    quantity: Decimal
    per_quantity: Decimal

    @property
    def delta(self) -> Decimal:
        """The coins, signed."""
        return self.quantity * self.per_quantity


Sizes = Mapping[LegName, LegSize]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a group stands. `surplus` > 0 is what is too much on the side of `net`, in coins."""

    standing: Standing
    net: Decimal
    surplus: Decimal = ZERO
    shrunk: tuple[LegName, ...] = ()
    grown: tuple[LegName, ...] = ()


def judge(sizes: Sizes, baseline: Sizes | None, tolerance: Decimal) -> Verdict:
    """Return how a group stands, given the size of every leg now and when it was last whole."""
    net = net_of(sizes)
    if abs(net) <= tolerance:
        return Verdict(standing=Standing.WHOLE, net=net)
    if baseline is None or baseline.keys() != sizes.keys():
        return Verdict(standing=Standing.BUILDING, net=net)
    grown = tuple(name for name in sizes if _has_grown(sizes[name].quantity, baseline[name].quantity))
    if grown:
        return Verdict(standing=Standing.BUILDING, net=net, grown=grown)
    shrunk = tuple(name for name in sizes if sizes[name].quantity != baseline[name].quantity)
    side = 1 if net > 0 else -1
    moved = side * (net - net_of(_at_present(baseline, sizes)))
    surplus = min(abs(net), moved)
    if not shrunk or surplus <= 0:
        return Verdict(standing=Standing.DRIFTED, net=net, shrunk=shrunk)
    return Verdict(standing=Standing.LOST, net=net, surplus=surplus, shrunk=shrunk)


def net_of(sizes: Sizes) -> Decimal:
    """Return the net delta of legs of these sizes, in coins."""
    return sum((size.delta for size in sizes.values()), ZERO)


def _has_grown(now: Decimal, before: Decimal) -> bool:
    """Whether a leg is larger than it was, or on the other side."""
    return now != 0 and (now * before <= 0 or abs(now) > abs(before))


def _at_present(baseline: Sizes, sizes: Sizes) -> dict[LegName, LegSize]:
    """Return the baseline at what a unit of quantity is worth now, as far as the leg still tells."""
    return {
        name: LegSize(
            quantity=size.quantity,
            per_quantity=sizes[name].per_quantity if sizes[name].quantity else size.per_quantity,
        )
        for name, size in baseline.items()
    }
