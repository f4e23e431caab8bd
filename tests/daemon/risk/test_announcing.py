"""A level is announced once before it is reached, and taken back once when it does not come."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from brokers.models import AccountId, Measure
from daemon.risk.alarm import Alarm, TransitionKind, advance
from daemon.risk.forecast import Outlook, Trails, outlooks
from daemon.risk.policy import Level, MarginPolicy

BUILD = Any
KIND = TransitionKind
TOLD = {KIND.CALL_AHEAD, KIND.CALL_AVERTED}


class Story:
    """An account followed with its forecast; `told` is every announcement so far."""

    def __init__(self, build: BUILD, policy: MarginPolicy | None = None) -> None:
        self.build, self.policy = build, policy or MarginPolicy()
        self.alarm = Alarm.begin(AccountId("bybit-main"), build.at(0))
        self.trails = Trails()
        self.seconds = 0.0
        self.told: list[tuple[TransitionKind, Level | None]] = []

    def show(self, *utilizations: str, **changes: object) -> "Story":
        for utilization in utilizations:
            snapshot = self.build.levered(utilization=utilization, seconds=self.seconds, **changes)
            seen = self.build.judge(snapshot)
            self.trails = self.trails.follow(seen, self.policy.forecast_window)
            self.alarm, changed = advance(
                self.alarm,
                seen,
                self.policy,
                snapshot.fetched_at,
                outlooks=outlooks(self.trails, seen, self.policy),
            )
            self.told += [(one.kind, one.after) for one in changed if one.kind in TOLD]
            self.seconds += 15
        return self


RISING = ("0.50", "0.52", "0.54", "0.56", "0.58")


def test_a_rise_is_announced_once(build: BUILD) -> None:
    story = Story(build).show(*RISING)  # 8 points a minute: CRITICAL in less than three

    assert story.told == [(KIND.CALL_AHEAD, Level.LIQUIDATION)]
    assert story.show("0.60", "0.62").told == [(KIND.CALL_AHEAD, Level.LIQUIDATION)]


def test_what_does_not_come_is_taken_back_once(build: BUILD) -> None:
    story = Story(build).show(*RISING).show(*["0.58", "0.56", "0.54", "0.52", "0.50"])
    story.show(*["0.50"] * 80)

    assert story.told == [(KIND.CALL_AHEAD, Level.LIQUIDATION), (KIND.CALL_AVERTED, None)]


def test_what_comes_is_told_by_its_level(build: BUILD) -> None:
    story = Story(build).show(*RISING, "0.75", "0.91")

    assert story.told == [(KIND.CALL_AHEAD, Level.LIQUIDATION)]
    assert story.alarm.units[0].call_ahead is Level.SAFE


def test_a_slow_rise_is_none_of_the_nights(build: BUILD) -> None:
    assert Story(build).show(*(f"{0.5 + 0.0002 * step:.4f}" for step in range(60))).told == []


def test_no_lead_no_announcement(build: BUILD) -> None:
    assert Story(build, MarginPolicy(forecast_lead=timedelta(0))).show(*RISING).told == []


def test_a_bad_picture_takes_nothing_back(build: BUILD) -> None:
    story = Story(build).show(*RISING).show("0.3", "0.3", age=9)

    assert story.told == [(KIND.CALL_AHEAD, Level.LIQUIDATION)]


def test_a_restart_goes_on_where_it_stood(build: BUILD) -> None:
    story = Story(build).show(*RISING)
    story.alarm, story.trails = Alarm.from_json(story.alarm.to_json()), Trails()

    assert story.show("0.58").told == [(KIND.CALL_AHEAD, Level.LIQUIDATION)]
    assert story.alarm.units[0].call_ahead is Level.LIQUIDATION


def test_the_sentence_names_measure_and_both_times() -> None:
    outlook = Outlook(
        unit="account",
        level=Level.CRITICAL,
        measure=Measure.UTILIZATION,
        early=timedelta(seconds=240),
        expected=timedelta(minutes=11),
    )

    assert str(outlook) == "CRITICAL by utilization in 4 min at the earliest, in 11 min as it goes"
    assert str(replace(outlook, early=timedelta(seconds=70), expected=None)) == (
        "CRITICAL by utilization in 70 s at the earliest"
    )
