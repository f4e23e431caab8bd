"""The margin arithmetic: ratios, requirements and amounts.

Amounts of one call are in one currency; ratios are fractions of 1. Predicates compare by
cross-multiplication: nothing is divided, nothing is rounded, and an equity at or below zero needs no special
case. A quotient is made only to be shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from brokers.models import ContractKind, Side
from brokers.numbers import ONE, ZERO

RATIO_SHOWN_AT_MOST = Decimal(1000)
"""100,000 %: what a ratio over nothing left is shown as. Predicates never use it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """So much used of so much capacity; the fraction is never formed to compare it.

    `used` >= 0. `capacity` may be zero or negative: then anything used at all exceeds every threshold.
    Nothing used is no risk, whatever the capacity.
    """

    used: Decimal
    capacity: Decimal

    def reaches(self, threshold: Decimal) -> bool:
        """Whether used / capacity >= `threshold`; a tie counts as reached."""
        return self.used > 0 and self.used >= threshold * self.capacity

    def exceeds(self, threshold: Decimal) -> bool:
        """Whether used / capacity > `threshold`."""
        return self.used > 0 and self.used > threshold * self.capacity

    @property
    def ratio(self) -> Decimal:
        """The quotient, for people: never clamped at 1, only at `RATIO_SHOWN_AT_MOST`."""
        if self.used <= 0:
            return ZERO
        if self.used >= RATIO_SHOWN_AT_MOST * self.capacity:
            return RATIO_SHOWN_AT_MOST
        return self.used / self.capacity


def utilization(
    initial_margin: Decimal | None, available_margin: Decimal | None, margin_equity: Decimal | None
) -> tuple[Usage, ...]:
    """Return the usages whose largest is the margin utilization.

    initial / (initial + available), and initial / margin equity: each where both its figures are stated. The
    first misses an account beyond its equity, because venues floor the available margin at zero; the second
    misses margin that is locked elsewhere.

    Empty: unknown.
    """
    if initial_margin is None:
        return ()
    capacities = []
    if available_margin is not None:
        capacities.append(initial_margin + available_margin)
    if margin_equity is not None:
        capacities.append(margin_equity)
    return tuple(Usage(used=max(initial_margin, ZERO), capacity=capacity) for capacity in capacities)


def maintenance_usage(
    maintenance_margin: Decimal | None, margin_equity: Decimal | None, venue_ratio: Decimal | None
) -> tuple[Usage, ...]:
    """Return the usages whose largest is the maintenance ratio: 1 = the venue liquidates.

    maintenance margin / margin equity, and the venue's own ratio, already turned so that 1 is its limit. The
    venue's may hold what ours cannot see (liquidation fees, haircuts), ours what a rounded one hides. Over a
    positive equity the venue's is put in money: ratio x equity of equity.

    Empty: unknown.
    """
    usages = []
    if maintenance_margin is not None and margin_equity is not None:
        usages.append(Usage(used=max(maintenance_margin, ZERO), capacity=margin_equity))
    if venue_ratio is not None:
        capacity = margin_equity if margin_equity is not None and margin_equity > 0 else ONE
        usages.append(Usage(used=max(venue_ratio, ZERO) * capacity, capacity=capacity))
    return tuple(usages)


def worst_ratio(usages: Sequence[Usage]) -> Decimal | None:
    """Return the largest quotient, for people; `None` when there is none."""
    return max((usage.ratio for usage in usages), default=None)


def margin_headroom(margin_equity: Decimal, maintenance_margin: Decimal) -> Decimal:
    """Return what may still be lost before the venue liquidates: equity - maintenance.

    Negative exactly when the maintenance ratio is above 1 (for positive equity).
    """
    return margin_equity - maintenance_margin


def is_liquidatable(margin_equity: Decimal, maintenance_margin: Decimal) -> bool:
    """Whether a venue would liquidate: a requirement above zero that equity no longer covers.

    Strict, as venues state it; without any requirement there is nothing to liquidate, however large the debt.

    Source: dYdX v4 `protocol/lib/margin/risk.go` states the same rule.
    """
    return maintenance_margin > 0 and maintenance_margin > margin_equity


def compare_risk(
    first_equity: Decimal, first_requirement: Decimal, second_equity: Decimal, second_requirement: Decimal
) -> int:
    """Return 1 when the first is riskier than the second, -1 when it is less risky, 0 for a tie.

    The smaller equity per requirement is riskier, compared as products; at equal quality the larger
    requirement is. Requirements >= 0.

    Source: the order dYdX v4 gives accounts in `protocol/lib/margin/risk.go`.
    """
    first, second = first_equity * second_requirement, second_equity * first_requirement
    if first != second:
        return 1 if first < second else -1
    if first_requirement != second_requirement:
        return 1 if first_requirement > second_requirement else -1
    return 0


def notional(kind: ContractKind, quantity: Decimal, contract_size: Decimal, price: Decimal) -> Decimal:
    """Return the value of a quantity, in settle currency.

    Linear: quantity x contract size x price. Inverse: quantity x contract size / price.

    Raises:
        ValueError: the price is not positive.
    """
    if price <= 0:
        raise ValueError(f"a notional needs a positive price, not {price}")
    units = abs(quantity) * contract_size
    return units * price if kind is ContractKind.LINEAR else units / price


def direction(side: Side) -> int:
    """Return +1 for a long, -1 for a short."""
    return 1 if side is Side.LONG else -1


def unrealized_pnl(
    kind: ContractKind,
    side: Side,
    *,
    quantity: Decimal,
    contract_size: Decimal,
    entry_price: Decimal,
    mark_price: Decimal,
) -> Decimal:
    """Return the open profit at mark, in settle currency.

    Linear: side x quantity x contract size x (mark - entry). Inverse: side x quantity x contract size x
    (1/entry - 1/mark).

    Raises:
        ValueError: a price of an inverse contract is not positive.
    """
    units = quantity * contract_size * direction(side)
    if kind is ContractKind.LINEAR:
        return units * (mark_price - entry_price)
    if min(entry_price, mark_price) <= 0:
        raise ValueError(f"inverse prices must be positive: entry {entry_price}, mark {mark_price}")
    return units / entry_price - units / mark_price


def leveraged_equity(
    cash: Decimal, collateral: Decimal, quantity: Decimal, entry_price: Decimal, mark_price: Decimal
) -> Decimal:
    """Return the equity behind a leveraged position: cash + collateral + quantity x (mark - entry).

    `quantity` is negative for a short, `collateral` what was put up for the position. The rest of the
    position's value is borrowed and belongs to the lender: it is never equity. With 3,500 of cash, 6,500 of
    collateral and 325 units from 100, equity at 90 is 6,750, not 26,250.
    """
    return cash + collateral + quantity * (mark_price - entry_price)


def initial_margin(position_notional: Decimal, leverage: Decimal, rate: Decimal = ONE) -> Decimal:
    """Return the margin to open: notional x rate / leverage.

    Raises:
        ValueError: the leverage is not positive.
    """
    if leverage <= 0:
        raise ValueError(f"leverage must be positive, not {leverage}")
    return position_notional * rate / leverage


def effective_leverage(gross_notional: Decimal, margin_equity: Decimal) -> Decimal | None:
    """Return gross notional / margin equity, for people.

    Zero without notional. `None`: positions over an equity at or below zero have no leverage that could be
    named; `exceeds_leverage` still judges them.
    """
    if gross_notional == 0:
        return ZERO
    return gross_notional / margin_equity if margin_equity > 0 else None


def exceeds_leverage(gross_notional: Decimal, margin_equity: Decimal, cap: Decimal) -> bool:
    """Whether gross notional > cap x margin equity; true for any notional over an equity <= 0."""
    return Usage(used=gross_notional, capacity=margin_equity).exceeds(cap)
