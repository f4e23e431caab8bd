"""Points of no return: from where on a venue takes an account out of its owner's hands, in part or whole."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from brokers.models import Measure
from brokers.numbers import ONE, ZERO


class Regime(StrEnum):
    """What holds from a point of no return on; each is worse than the one before."""

    REFUSES_OPENING = "refuses_opening"  # reducing orders still pass; what adds risk does not
    REFUSES_EVERYTHING = "refuses_everything"  # no order passes, not even one that reduces
    VENUE_ACTS = "venue_acts"  # the venue cancels orders or liquidates by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class PointOfNoReturn:
    """The ratio of one measure from which a regime holds, at one venue and product, in every account mode.

    What differs by account (a liquidation level set for it, a margin level that depends on its mode) is the
    adapter's to fold into the ratio, so that 1 is always where the venue liquidates. `words` are the venue's
    own for the point.
    """

    measure: Measure
    ratio: Decimal
    regime: Regime
    words: str

    def __post_init__(self) -> None:
        """Refuse a ratio that no threshold could stay below."""
        if not ZERO < self.ratio <= ONE:
            raise ValueError(f"a point of no return lies in (0, 1], not at {self.ratio}")


def opening_refused(words: str, ratio: Decimal = ONE) -> PointOfNoReturn:
    """Return the utilization from which what adds risk is refused: all of the initial margin is used."""
    return PointOfNoReturn(
        measure=Measure.UTILIZATION, ratio=ratio, regime=Regime.REFUSES_OPENING, words=words
    )


def venue_acts(words: str) -> PointOfNoReturn:
    """Return the point of every maintenance ratio: at 1 the venue acts."""
    return PointOfNoReturn(measure=Measure.MAINTENANCE, ratio=ONE, regime=Regime.VENUE_ACTS, words=words)
