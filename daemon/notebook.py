"""What one account's cycles write down: its standing, its transitions, its margin history.

Rows are written once per change, with whatever the cycle is about to do, or by themselves when it does
nothing. What a failed transaction did not take is written with the next one.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal

from brokers.models import AccountId
from daemon.clock import Clock
from daemon.flatten import closed_bounds, flat_units, release
from daemon.logs import logger
from daemon.recording import PositionKeyText, margin_samples, position_samples, transition_event
from daemon.risk.assessment import Assessment
from daemon.risk.policy import Level
from daemon.risk.standing import Alarm, Transition, TransitionKind
from daemon.sight import Sight
from database.canonical import canonical_json
from database.journal import Journal
from database.records import AlarmState

SAMPLE_EVERY_S = 30.0
"""Margin history is written this often when nothing moves, and at once when something does."""

SAMPLE_MOVE = Decimal("0.01")
"""... which is a measure moving by a point."""

Sampled = dict[str, tuple[float, Decimal | None, Decimal | None]]


class Notebook:
    """The journal as one account's cycles use it for what they saw."""

    def __init__(self, account: AccountId, *, journal: Journal, clock: Clock) -> None:
        self._account = account
        self._journal = journal
        self._clock = clock
        self._untold: list[Transition] = []
        self._sampled: Sampled = {}
        self._held: dict[PositionKeyText, Decimal] = {}
        self._is_told = False

    def recall(self) -> Alarm:
        """Return the account's standing when the process last ended; a new one where there is none.

        One that cannot be read (another version's words) is no reason to leave the account unguarded: it is
        judged anew, and an episode that was running ends in the journal.
        """
        saved = self._journal.alarms.get(self._account)
        try:
            if saved is not None:
                return Alarm.from_json(json.loads(saved.state))
        except ValueError as error:
            logger().error("standing_unreadable", account=self._account, why=str(error))
        now = self._clock.now()
        if self._journal.episodes.current(self._account) is not None:
            with self._journal.transaction():
                self._journal.episodes.close(self._account, at=now, outcome="standing_unreadable")
        last = self._journal.episodes.last_number(self._account)
        return Alarm.begin(self._account, now, last_episode=last)

    def note(self, transitions: Iterable[Transition]) -> None:
        """Keep transitions until a transaction takes them."""
        self._untold.extend(transitions)
        self._is_told = False

    @contextmanager
    def transaction(self, alarm: Alarm, sight: Sight) -> Iterator[None]:
        """Open a transaction that takes what the cycle learned along with what is written inside."""
        sampled, held = self._sampled, dict(self._held)
        try:
            with self._journal.transaction():
                self._write(alarm, sight)
                yield
        except BaseException:
            self._sampled, self._held = sampled, held
            raise
        self._untold.clear()
        self._is_told = True

    def commit(self, alarm: Alarm, sight: Sight) -> None:
        """Write what is new in a transaction of its own, unless the cycle's action has taken it along."""
        if not self._is_told and self._has_news(sight):
            with self.transaction(alarm, sight):
                pass
        self._is_told = False

    def _write(self, alarm: Alarm, sight: Sight) -> None:
        now = self._clock.now()
        if self._untold:
            self._write_transitions(alarm, now)
        if self._untold or alarm.episode is not None:
            # within an episode every time: how old its last good sample is decides what a restart may believe
            state = canonical_json(alarm.to_json())
            self._journal.alarms.save(AlarmState(account=self._account, state=state, updated_at=now))
        if sight.snapshot is None or sight.assessment is None:
            return
        if self._samples_due(sight.assessment):
            for sample in margin_samples(sight.snapshot, sight.assessment, now):
                self._journal.outbox.append(sample)
            self._sampled = {
                unit.key: (self._clock.uptime(), unit.utilization, unit.maintenance_ratio)
                for unit in sight.assessment.units
            }
        for position in position_samples(sight.snapshot, self._held, now):
            self._journal.outbox.append(position)
        release(self._journal, sight.assessment, now)

    def _has_news(self, sight: Sight) -> bool:
        if self._untold:
            return True
        if sight.assessment is None:
            return False
        gone = flat_units(self._journal, sight.assessment) or closed_bounds(self._journal, sight.assessment)
        return self._samples_due(sight.assessment) or bool(gone)

    def _write_transitions(self, alarm: Alarm, now: datetime) -> None:
        for transition in self._untold:
            if transition.kind is TransitionKind.EPISODE_BEGAN:
                self._journal.episodes.start(
                    self._account, at=now, trigger=transition.reason.value, level=alarm.level.label
                )
            elif transition.kind is TransitionKind.EPISODE_ENDED:
                self._journal.episodes.close(self._account, at=now, outcome=transition.reason.value)
            else:  # episodes tell of themselves
                self._journal.outbox.append(transition_event(self._account, transition))
        self._raise_peak(alarm)

    def _raise_peak(self, alarm: Alarm) -> None:
        """Note the worst level that the running episode has come to."""
        episode = self._journal.episodes.current(self._account)
        if episode is not None and alarm.level > Level[episode.peak_level.upper()]:
            self._journal.episodes.raise_peak(self._account, alarm.level.label)

    def _samples_due(self, assessment: Assessment) -> bool:
        now = self._clock.uptime()
        return any(
            unit.key not in self._sampled
            or now - self._sampled[unit.key][0] >= SAMPLE_EVERY_S
            or _moved(self._sampled[unit.key][1], unit.utilization)
            or _moved(self._sampled[unit.key][2], unit.maintenance_ratio)
            for unit in assessment.units
        )


def _moved(before: Decimal | None, after: Decimal | None) -> bool:
    if before is None or after is None:
        return before is not after
    return abs(after - before) >= SAMPLE_MOVE
