"""Tiered maintenance margin: the requirement grows faster than the position."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from brokers.models import MarginTier
from brokers.numbers import ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """Notional of which each unit frees `rate` of margin when it is cut."""

    width: Decimal
    rate: Decimal


def build_tiers(steps: Sequence[tuple[Decimal, Decimal]]) -> tuple[MarginTier, ...]:
    """Return tiers from (floor, rate) steps, with the deductions that make them continuous.

    deduction(n) = deduction(n-1) + floor(n) x (rate(n) - rate(n-1)), starting from zero: at a floor both
    rates then ask for the same margin.

    Raises:
        ValueError: no steps, a first floor other than zero, floors that do not rise, rates outside [0, 1] or
            falling.

    Source: the identity behind `cum` in Binance's leverage brackets.
    """
    if not steps or steps[0][0] != 0:
        raise ValueError("tiers begin at a floor of zero")
    for (low_floor, low_rate), (floor, rate) in pairwise(steps):
        if floor <= low_floor or rate < low_rate:
            raise ValueError(f"tier from {floor} at {rate} does not rise above {low_floor} at {low_rate}")
    if steps[0][1] < 0 or steps[-1][1] > 1:
        raise ValueError("tier rates must lie in [0, 1]")
    tiers = [MarginTier(floor=steps[0][0], rate=steps[0][1], deduction=ZERO)]
    for floor, rate in steps[1:]:
        last = tiers[-1]
        deduction = last.deduction + floor * (rate - last.rate)
        tiers.append(MarginTier(floor=floor, rate=rate, deduction=deduction))
    return tuple(tiers)


def is_continuous(tiers: Sequence[MarginTier]) -> bool:
    """Whether both tiers ask for the same margin at each floor, as venues' own tables must."""
    return all(
        high.floor * high.rate - high.deduction == high.floor * low.rate - low.deduction
        for low, high in pairwise(tiers)
    )


def tier_at(notional: Decimal, tiers: Sequence[MarginTier]) -> MarginTier:
    """Return the tier that a notional falls into; a floor belongs to the tier above it.

    Raises:
        ValueError: no tier covers it.
    """
    covering = [tier for tier in tiers if tier.floor <= notional]
    if not covering:
        raise ValueError(f"no margin tier covers a notional of {notional}")
    return max(covering, key=lambda tier: tier.floor)


def tiered_maintenance(notional: Decimal, tiers: Sequence[MarginTier]) -> Decimal:
    """Return the maintenance margin of a notional: notional x rate - deduction of its tier, >= 0.

    Raises:
        ValueError: no tier covers it.
    """
    tier = tier_at(notional, tiers)
    return max(notional * tier.rate - tier.deduction, ZERO)


def relief_brackets(notional: Decimal, tiers: Sequence[MarginTier]) -> tuple[Bracket, ...]:
    """Return what cutting a position of `notional` frees, bracket by bracket from the top down.

    The top of a position lies in its highest tier, so the first cut frees the most. The widths add up to
    `notional`. Where a table is not continuous the drop at a floor is left out: that errs towards cutting
    more.
    """
    brackets = []
    remaining = notional
    for tier in sorted(tiers, key=lambda tier: tier.floor, reverse=True):
        if remaining > tier.floor:
            brackets.append(Bracket(width=remaining - tier.floor, rate=tier.rate))
            remaining = tier.floor
    return tuple(brackets)
