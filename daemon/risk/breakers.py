"""Circuit breakers on ourselves: what margind has done lately, and whether that looks like sense.

    breaker                trips when                                                     resets
    ORDER_BUDGET           the orders of the last minute leave no room for a step         as they age
    HOUR_ORDER_BUDGET      the orders of the last hour leave no room for a step           as they age
    EPISODE_ORDER_BUDGET   the orders of this episode leave no room for a step            with the episode
    REDUCED_BEYOND         of a position more was closed in this episode than it held     with the episode
                           at its first cut and one step more
    NO_PROGRESS            a position has not become smaller in three steps whose         when it does
                           orders filled, or whose fill nobody knows
    SLIPPAGE_OVER_CAP      a fill of the last minute was worse than `max_slippage`        as it ages
    COMMON_MODE            three venues have come to be de-levered within ten seconds     as that ages

An order that the venue says filled nothing is no sign of a loop: the next one asks a wider price, and the
failing relief is told elsewhere.

What is tripped stops all cutting below LIQUIDATION. At LIQUIDATION, and for a flatten that is latched, it
goes on step by step, each alarmed. What says that our orders are too many or in vain slows it down as well:
such a step is one order, or one pair of a hedge, and then nothing for `SINGLE_STEP_EVERY`. A fall of all
venues or a dear fill does not: then the market is fast, and a slow hand is what the venues liquidate.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from brokers.models import ContractKind, MarginMode, Side, Symbol
from brokers.numbers import ONE, ZERO
from daemon.risk.policy import ReductionLimits
from daemon.risk.reason import Reason

Key = tuple[Symbol, Side, MarginMode]
"""`Position.key`."""

STUCK_STEPS = 3
SLIPPAGE_MEMORY = timedelta(minutes=1)
COMMON_VENUES = 3
COMMON_WINDOW = timedelta(seconds=10)
SINGLE_STEP_EVERY = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One order of ours in the running episode.

    `before` is what the position held when it was planned, `filled` what is known to have filled, both in the
    venue's order unit; `took_hold`: the venue has taken it, and does not say that it filled nothing.
    `slippage` is how much worse than mark it filled, as a fraction; `None`: not known.
    """

    key: Key
    at: datetime
    before: Decimal | None
    filled: Decimal | None
    took_hold: bool
    slippage: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """What margind has done: orders of the account, `cuts` of its episode in order.

    `breaching` are the venues, of any account, that have come to be de-levered within the common window.
    """

    orders_last_minute: int = 0
    orders_last_hour: int = 0
    cuts: tuple[Cut, ...] = ()
    breaching: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """One breaker that is tripped, with its numbers for people; `slows`: also what goes on goes slowly."""

    reason: Reason
    detail: str
    slows: bool = True


def tripped(
    conduct: Conduct, held: Mapping[Key, Decimal] | None, limits: ReductionLimits, now: datetime
) -> tuple[Trip, ...]:
    """Return the breakers that are tripped; `held` is what a picture shows that holds all of `conduct`.

    `None`: there is no such picture.
    """
    return (
        *_spent(conduct, limits),
        *_beyond(conduct.cuts, limits),
        *_stuck(conduct.cuts, held),
        *_slipped(conduct.cuts, limits, now),
        *_common(conduct.breaching),
    )


def may_step(conduct: Conduct, now: datetime) -> bool:
    """Whether a single step may follow: the last order is a while ago, or of a clock that was set back."""
    since = [now - cut.at for cut in conduct.cuts]
    return not any(timedelta(0) <= age < SINGLE_STEP_EVERY for age in since)


def slippage_rate(
    kind: ContractKind,
    side: Side,
    *,
    cost: Decimal,
    filled: Decimal,
    contract_size: Decimal,
    average_price: Decimal,
) -> Decimal:
    """Return how much worse than mark a fill was, as a fraction of the mark, from what it cost in settle."""
    per_unit = cost / (filled * contract_size)
    if kind is ContractKind.INVERSE:
        return per_unit * average_price
    mark = average_price + (per_unit if side is Side.LONG else -per_unit)
    return per_unit / mark


def _spent(conduct: Conduct, limits: ReductionLimits) -> Iterator[Trip]:
    room = limits.positions_per_step
    budgets = (
        (Reason.ORDER_BUDGET, conduct.orders_last_minute, limits.orders_per_minute, "within a minute"),
        (Reason.HOUR_ORDER_BUDGET, conduct.orders_last_hour, limits.orders_per_hour, "within an hour"),
        (Reason.EPISODE_ORDER_BUDGET, len(conduct.cuts), limits.orders_per_episode, "in this episode"),
    )
    for reason, sent, most, within in budgets:
        if sent + room > most:
            yield Trip(reason=reason, detail=f"{sent} orders {within}, at most {most}, a step takes {room}")


def _beyond(cuts: Sequence[Cut], limits: ReductionLimits) -> Iterator[Trip]:
    for key, own in _by_position(cuts).items():
        start = next((cut.before for cut in own if cut.before is not None), None)
        total = sum((cut.filled or ZERO for cut in own), ZERO)
        if start is not None and total > start * (ONE + limits.step_fraction):
            detail = f"{key[1]} {key[0]} held {start} at the first cut, {total} of it were closed since"
            yield Trip(reason=Reason.REDUCED_BEYOND, detail=detail)


def _stuck(cuts: Sequence[Cut], held: Mapping[Key, Decimal] | None) -> Iterator[Trip]:
    for key, own in _by_position(cuts).items():
        seen = [cut.before for cut in own if cut.took_hold and cut.before is not None]
        if held is not None:
            seen.append(held.get(key, ZERO))
        run = 0
        for earlier, later in pairwise(seen):
            run = run + 1 if later >= earlier else 0
        if run >= STUCK_STEPS:
            detail = f"{key[1]} {key[0]} is no smaller after {run} steps: {seen[-1]} held"
            yield Trip(reason=Reason.NO_PROGRESS, detail=detail)


def _slipped(cuts: Sequence[Cut], limits: ReductionLimits, now: datetime) -> Iterator[Trip]:
    late = [cut for cut in cuts if cut.slippage is not None and now - cut.at <= SLIPPAGE_MEMORY]
    worst = max(late, key=lambda cut: cut.slippage or ZERO, default=None)
    if worst is not None and (worst.slippage or ZERO) > limits.max_slippage:
        rate = f"{(worst.slippage or ZERO) * 100:.2f} %"
        detail = f"{worst.key[1]} {worst.key[0]} filled {rate} worse than mark, at most {limits.max_slippage}"
        yield Trip(reason=Reason.SLIPPAGE_OVER_CAP, detail=detail, slows=False)


def _common(breaching: Sequence[str]) -> Iterator[Trip]:
    if len(breaching) >= COMMON_VENUES:
        within = f"{COMMON_WINDOW.total_seconds():g} s"
        detail = f"{', '.join(sorted(breaching))} breached within {within}: one cause, or one fault of ours"
        yield Trip(reason=Reason.COMMON_MODE, detail=detail, slows=False)


def _by_position(cuts: Sequence[Cut]) -> dict[Key, list[Cut]]:
    found: dict[Key, list[Cut]] = {}
    for cut in cuts:
        found.setdefault(cut.key, []).append(cut)
    return found
