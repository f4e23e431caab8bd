"""How a broken bound begins, is confirmed, and ends; the same rules as a level's.

    begins      with the first picture that shows it, believed or not
    confirmed   by two good samples above the cap, the pause of a LIQUIDATION apart, the later one actionable;
                a gap of more than `alarm_max_age` without a good sample voids that
    ends        with an actionable sample that shows it released: only good news must be proven

Only what is confirmed is acted upon.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from daemon.risk.exposure import Bound
from daemon.risk.leverage import Load
from daemon.risk.policy import MarginPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One bound of a unit that is broken; `key` is that of its load.

    `run_since`: the first of the good samples above the cap that may confirm it; `good_at`: the last good
    sample. `confirmed`: two of them have shown it.
    """

    key: str
    bound: Bound
    subject: str
    since: datetime
    run_since: datetime | None = None
    good_at: datetime | None = None
    confirmed: bool = False

    def to_json(self) -> dict[str, object]:
        """Return it as plain JSON-able values."""
        times = {"since": self.since, "run_since": self.run_since, "good_at": self.good_at}
        texts = {name: at.isoformat() if at is not None else None for name, at in times.items()}
        words = {"key": self.key, "bound": self.bound.value, "subject": self.subject}
        return {**words, "confirmed": self.confirmed, **texts}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return what `to_json` described."""

        def moment(name: str) -> datetime | None:
            return datetime.fromisoformat(values[name]) if values[name] is not None else None

        return cls(
            key=str(values["key"]),
            bound=Bound(values["bound"]),
            subject=str(values["subject"]),
            since=datetime.fromisoformat(values["since"]),
            run_since=moment("run_since"),
            good_at=moment("good_at"),
            confirmed=bool(values["confirmed"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one picture says of a unit's bounds: `faulty` and `actionable` are those of the unit."""

    loads: Sequence[Load]
    seen_at: datetime
    faulty: bool
    actionable: bool


def advance_breaches(known: Sequence[Breach], sample: Sample, policy: MarginPolicy) -> tuple[Breach, ...]:
    """Return the breaches of a unit after one sample."""
    return tuple(_breaches(known, sample, policy))


def _breaches(known: Sequence[Breach], sample: Sample, policy: MarginPolicy) -> Iterator[Breach]:
    before = {breach.key: breach for breach in known}
    for load in sample.loads:
        breach = before.pop(load.key, None)
        if breach is None and load.is_over:
            breach = Breach(key=load.key, bound=load.bound, subject=load.subject, since=sample.seen_at)
        if breach is not None:
            yield _shown(breach, load, sample, policy)
    if not sample.actionable:
        yield from before.values()


def _shown(breach: Breach, load: Load, sample: Sample, policy: MarginPolicy) -> Breach:
    """Return a breach that a sample shows to last."""
    if sample.faulty:
        return breach
    at = sample.seen_at
    if breach.good_at is None or at - breach.good_at > policy.alarm_max_age:
        breach = replace(breach, run_since=None, confirmed=False)
    run_since = breach.run_since
    if run_since is None and load.is_over:
        run_since = at
    shown_twice = (
        sample.actionable
        and load.is_over
        and run_since is not None
        and at > run_since
        and at - run_since >= policy.confirmation.liquidation_after
    )
    return replace(breach, run_since=run_since, good_at=at, confirmed=breach.confirmed or shown_twice)
