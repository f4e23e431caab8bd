"""When a level may be reached: estimates against series of known parameters, times against the law."""

from datetime import timedelta
from decimal import Decimal
from math import erf, exp, sqrt
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.models import Measure
from daemon.risk.assessment import Assessment
from daemon.risk.forecast import SAMPLES, Motion, Trails, outlooks
from daemon.risk.policy import Level, MarginPolicy

BUILD = Any
WINDOW = timedelta(minutes=15)
POLICY = MarginPolicy()


def follow(build: BUILD, ratios: list[float], every_s: float = 15.0) -> tuple[Trails, Assessment]:
    """Return the trails of an account seen at `ratios` of utilization, and the last picture."""
    trails, seen = Trails(), None
    for number, ratio in enumerate(ratios):
        snapshot = build.levered(utilization=Decimal(repr(ratio)), seconds=number * every_s)
        seen = build.judge(snapshot)
        trails = trails.follow(seen, WINDOW)
    assert seen is not None
    return trails, seen


def chance(motion: Motion, threshold: float, seconds: float) -> float:
    """Return the probability that a Brownian motion with drift has passed `threshold` by then.

    Phi((mu t - d) / (s sqrt t)) + exp(2 mu d / s^2) Phi((-mu t - d) / (s sqrt t)).

    Source: the distribution function of the inverse Gaussian (Schroedinger 1915; Folks and Chhikara 1978).
    """
    distance, scale = threshold - motion.ratio, motion.sigma * sqrt(seconds)

    def normal(x: float) -> float:
        return (1 + erf(x / sqrt(2))) / 2

    reflected = exp(2 * motion.drift * distance / motion.sigma**2)
    past = motion.drift * seconds
    return normal((past - distance) / scale) + reflected * normal((-past - distance) / scale)


@given(
    distance=st.floats(0.005, 0.5),
    sigma=st.floats(1e-4, 1e-2),
    share=st.floats(0, 1),
)
def test_the_early_time_is_passed_in_one_of_twenty_cases_at_most(
    distance: float, sigma: float, share: float
) -> None:
    motion = Motion(ratio=0.8 - distance, drift=share * sigma**2 / distance, sigma=sigma)
    early = motion.early(0.8)

    assert early is not None
    assert 0.0249 < chance(motion, 0.8, early) < 0.0501


def test_without_noise_the_early_time_is_the_expected_one() -> None:
    motion = Motion(ratio=0.5, drift=0.001, sigma=0.0)

    assert motion.early(0.8) == pytest.approx(300)
    assert motion.expected(0.8) == pytest.approx(300)


def test_a_measure_that_falls_far_enough_is_not_expected_to_return() -> None:
    assert Motion(ratio=0.5, drift=-0.001, sigma=0.001).early(0.8) is None
    assert Motion(ratio=0.5, drift=-0.001, sigma=0.001).expected(0.8) is None
    assert Motion(ratio=0.5, drift=0.0, sigma=0.0).early(0.8) is None


def test_a_steady_rise_is_told_to_the_second(build: BUILD) -> None:
    trails, seen = follow(build, [0.40 + 0.005 * step for step in range(21)])  # 2 points a minute up to 50 %
    by_level = {outlook.level: outlook for outlook in outlooks(trails, seen, POLICY)["account"]}

    assert by_level[Level.CRITICAL].measure is Measure.UTILIZATION
    assert by_level[Level.CRITICAL].early.total_seconds() == pytest.approx(900, abs=0.1)
    assert by_level[Level.WARNING].expected is not None
    assert by_level[Level.WARNING].expected.total_seconds() == pytest.approx(600, abs=0.1)


def test_drift_and_volatility_are_found_again(build: BUILD) -> None:
    random, ratio, ratios = Random(20251010), 0.3, []
    for _ in range(SAMPLES):
        ratios.append(round(ratio, 12))
        ratio += 0.0001 * 15 + 0.0004 * sqrt(15) * random.gauss(0, 1)
    motion = follow(build, ratios)[0].motion("account", Measure.UTILIZATION)

    assert motion is not None
    assert motion.sigma == pytest.approx(0.0004, rel=0.3)
    assert motion.drift == pytest.approx(0.0001, abs=3 * 0.0004 / sqrt(15 * SAMPLES))


def test_a_little_history_says_nothing(build: BUILD) -> None:
    assert outlooks(*follow(build, [0.4, 0.5, 0.6, 0.7]), POLICY) == {}
    assert outlooks(*follow(build, [0.4, 0.5, 0.6, 0.69, 0.7], every_s=5), POLICY) == {}
    assert "account" in outlooks(*follow(build, [0.4, 0.5, 0.6, 0.69, 0.7], every_s=15), POLICY)


def test_the_window_bounds_what_is_kept(build: BUILD) -> None:
    trails, _ = follow(build, [0.4] * 900, every_s=2)
    (samples, *_) = trails.samples.values()

    assert len(samples) <= SAMPLES + 1
    assert WINDOW.total_seconds() - 30 <= samples[-1].at - samples[0].at <= WINDOW.total_seconds()


def test_a_trade_begins_the_trail_anew(build: BUILD) -> None:
    trails, seen = follow(build, [0.4 + 0.01 * step for step in range(10)])
    cut = build.book(10_000, [build.Row(quantity="0.5")], seconds=200)
    trails = trails.follow(build.judge(cut, previous=seen), WINDOW)

    assert trails.samples
    assert all(len(trail) == 1 for trail in trails.samples.values())


def test_a_picture_that_cannot_be_believed_adds_nothing(build: BUILD) -> None:
    trails, seen = follow(build, [0.4 + 0.01 * step for step in range(10)])
    stale = build.judge(build.levered(utilization="0.9", seconds=160, age=9), previous=seen)

    assert trails.follow(stale, WINDOW) == trails
    assert trails.follow(seen, WINDOW) == trails
