"""Which positions go first."""

from enum import StrEnum


class Strategy(StrEnum):
    """How it is chosen what to cut."""

    CHEAPEST_RELIEF = "cheapest_relief"  # the set of cuts that reaches the target at the least cost
    LARGEST_MARGIN = "largest_margin"  # one after the other, what frees the most margin first
    WORST_PNL = "worst_pnl"  # one after the other, the largest unrealized loss first
    PRO_RATA = "pro_rata"  # the same part of everything
