"""What margind's watching was worth where it was not allowed to act: false acts, missed acts, lead time.

Every excursion that has ended (`shadow`) counts once, as one of

    RIGHT_ACT   it would have acted, and the venue liquidated, or the unit came back only after it had
                neared liquidation or after the horizon
    FALSE_ACT   it would have acted, and the unit came back by itself within the horizon, without having
                neared liquidation
    MISSED_ACT  the venue liquidated, or the unit neared that, or it stayed at LIQUIDATION for longer than
                patience allows: without an act before, or with one later than that
    QUIET       it would not have acted, or only cancelled orders, and nothing came of it
    UNTOLD      somebody else, or margind, did something: nobody knows what would have become of it

The *lead time* of an act is the time from it to the venue's liquidation; where the venue did not liquidate,
to the deepest point.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from daemon.risk.shadow import PATIENCE, Ended, Ending

UNTOLD_ENDINGS = frozenset({Ending.HELPED, Ending.OVERTAKEN})
FATAL_ENDINGS = frozenset({Ending.LIQUIDATED, Ending.NEARED})


class Score(StrEnum):
    """What one excursion counts as."""

    RIGHT_ACT = "right_act"
    FALSE_ACT = "false_act"
    MISSED_ACT = "missed_act"
    QUIET = "quiet"
    UNTOLD = "untold"


def score(ended: Ended) -> Score:
    """Return what an excursion counts as."""
    shadow = ended.shadow
    if ended.ending in UNTOLD_ENDINGS:
        return Score.UNTOLD
    until = shadow.act.at if shadow.act is not None else shadow.back_at or ended.at
    is_late = shadow.crossed_at is not None and until - shadow.crossed_at > PATIENCE
    if is_late or (shadow.act is None and ended.ending in FATAL_ENDINGS):
        return Score.MISSED_ACT
    if shadow.act is None:
        return Score.QUIET
    return Score.FALSE_ACT if ended.ending is Ending.CAME_BACK else Score.RIGHT_ACT


def lead_time(ended: Ended) -> timedelta | None:
    """Return the lead time of the act; zero where the deepest point came before it, `None` without an act."""
    act, worst_at = ended.shadow.act, ended.shadow.worst_at
    if act is None:
        return None
    until = ended.at if ended.ending is Ending.LIQUIDATED else worst_at or act.at
    return max(until - act.at, timedelta(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One excursion as it counts. `lead` `None`: there was no act."""

    account: str
    unit: str
    score: Score
    ending: Ending
    lead: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """The counts of many excursions. `running` are those that have not ended yet.

    Lead times ascend; `before_liquidation` are those of acts on units that the venue liquidated afterwards,
    `before_worst` of all other right acts.
    """

    right_acts: int
    false_acts: int
    missed_acts: int
    quiet: int
    untold: int
    running: int
    before_liquidation: tuple[timedelta, ...]
    before_worst: tuple[timedelta, ...]


def tally(scored: Iterable[Scored], *, running: int = 0) -> Scorecard:
    """Count excursions."""
    rows = tuple(scored)

    def count(wanted: Score) -> int:
        return sum(row.score is wanted for row in rows)

    def leads(*, liquidated: bool) -> tuple[timedelta, ...]:
        right = [row for row in rows if row.score is Score.RIGHT_ACT and row.lead is not None]
        chosen = [row for row in right if (row.ending is Ending.LIQUIDATED) is liquidated]
        return tuple(sorted(row.lead for row in chosen if row.lead is not None))

    return Scorecard(
        right_acts=count(Score.RIGHT_ACT),
        false_acts=count(Score.FALSE_ACT),
        missed_acts=count(Score.MISSED_ACT),
        quiet=count(Score.QUIET),
        untold=count(Score.UNTOLD),
        running=running,
        before_liquidation=leads(liquidated=True),
        before_worst=leads(liquidated=False),
    )


def lines(card: Scorecard) -> tuple[str, ...]:
    """Return a scorecard in words, for people."""
    told = [
        f"would have acted rightly {card.right_acts}, falsely {card.false_acts}; missed {card.missed_acts}"
    ]
    beside = [
        f"{count} {what}"
        for count, what in (
            (card.quiet, "came to nothing without an act"),
            (card.untold, "changed by somebody else"),
            (card.running, "not over yet"),
        )
        if count
    ]
    if beside:
        told.append(f"beside: {', '.join(beside)}")
    for leads, what in (
        (card.before_liquidation, "the venue's liquidation"),
        (card.before_worst, "the worst"),
    ):
        if leads:
            middle = leads[len(leads) // 2]
            told.append(f"lead time before {what}: shortest {_seconds(leads[0])}, median {_seconds(middle)}")
    return tuple(told)


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.1f} s"
