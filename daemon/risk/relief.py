"""How much must be cut, or added, for a measure to come down to its target."""

from decimal import Decimal

from brokers.numbers import ZERO
from daemon.risk.margin import Usage


def notional_to_cut(
    usage: Usage, target: Decimal, relief_rate: Decimal, cost_rate: Decimal
) -> Decimal | None:
    """Return the notional to cut so that `usage` falls to `target`.

    Cutting x frees r*x of margin and costs c*x of equity: (M - r*x) / (E - c*x) <= u, hence x = (M - u*E)
    / (r - u*c). For the utilization, M is the initial margin, r its rate, and E either capacity: freed
    initial margin becomes available, so that initial + available changes by the cost alone.

    Zero at or below target. `None` when r <= u*c: each cut then costs more than it helps, and only being
    rid of the whole requirement would.

    Source: derived here; with u = 1 it is the size Drift's `math/liquidation.rs` covers a shortage with.
    """
    excess = usage.used - target * usage.capacity
    if usage.used <= 0 or excess <= 0:
        return ZERO
    gain = relief_rate - target * cost_rate
    return excess / gain if gain > 0 else None


def after_cut(usage: Usage, freed: Decimal, cost: Decimal) -> Usage:
    """Return `usage` with `freed` margin less used and `cost` less capacity."""
    return Usage(used=max(usage.used - freed, ZERO), capacity=usage.capacity - cost)


def collateral_to_add(usage: Usage, target: Decimal) -> Decimal:
    """Return the collateral that brings `usage` to `target` without touching a position.

    used / target - capacity; zero at or below target.
    """
    if not usage.exceeds(target):
        return ZERO
    return usage.used / target - usage.capacity
