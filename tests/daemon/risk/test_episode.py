import json
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountSnapshot, UnitKind
from daemon.risk.alarm import Alarm, TransitionKind
from daemon.risk.policy import Level
from daemon.risk.reason import Reason

D = Decimal
BUILD = Any
KIND = TransitionKind
HOURS = 12 * 3600
"""Long after the last good sample."""


def begun(build: BUILD) -> Any:  # noqa: ANN401 - a builder
    return build.watch().levered("0.91", 0).levered("0.91", 0.4)


def two_units(build: BUILD, first: int, second: int, seconds: float) -> AccountSnapshot:
    used = {"USDT": first, "USDC": second}
    units = [
        build.unit(
            key,
            equity=1000,
            kind=UnitKind.CURRENCY,
            initial_margin=D(amount),
            available_margin=D(1000 - amount),
        )
        for key, amount in used.items()
    ]
    return build.snapshot(units=units, seconds=seconds)


def members(watch: Any) -> set[str]:  # noqa: ANN401 - a builder
    return {unit.key for unit in watch.alarm.units if unit.in_episode}


def test_an_episode_does_not_end_while_a_flatten_is_latched(build: BUILD) -> None:
    watch = begun(build)
    watch.flattening = frozenset({"account"})
    for seconds in range(2, 20, 2):
        watch.levered("0.55", seconds)
        assert watch.alarm.episode.number == 1
        assert members(watch) == {"account"}

    watch.flattening = frozenset()
    watch.levered("0.55", 20)
    assert watch.levered("0.55", 22).kinds == [KIND.EPISODE_ENDED]


def test_the_other_units_leave_an_episode_that_a_latched_flatten_keeps(build: BUILD) -> None:
    watch = build.watch().show(two_units(build, 910, 910, 0)).show(two_units(build, 910, 910, 1))
    watch.flattening = frozenset({"USDT"})
    for seconds in (3, 5, 7):
        watch.show(two_units(build, 550, 550, seconds))

    (left,) = watch.transitions
    assert (left.kind, left.reason, left.unit) == (KIND.EPISODE_LEFT, Reason.TARGET_REACHED, "USDC")
    assert members(watch) == {"USDT"}
    assert watch.alarm.episode.number == 1


def test_after_a_gap_a_unit_still_in_danger_is_confirmed_anew(build: BUILD) -> None:
    watch = begun(build).levered("0.95", HOURS)

    assert (watch.level, watch.confirmed) == (Level.LIQUIDATION, Level.SAFE)
    assert watch.alarm.units[0].resumed_at == build.at(HOURS)
    watch.levered("0.95", HOURS + 0.3)
    assert watch.confirmed is Level.SAFE
    watch.levered("0.95", HOURS + 0.4)
    assert watch.confirmed is Level.LIQUIDATION
    assert watch.alarm.units[0].resumed_at is None
    assert (watch.alarm.episode.number, members(watch)) == (1, {"account"})


@pytest.mark.parametrize("utilization", ["0.50", "0.65", "0.89"])
def test_after_a_gap_a_unit_no_longer_in_danger_ends_its_episode(*, build: BUILD, utilization: str) -> None:
    watch = begun(build)
    watch.assessment = None
    watch.levered(utilization, HOURS)

    ended = watch.transitions[-1]
    assert (ended.kind, ended.reason, ended.episode) == (KIND.EPISODE_ENDED, Reason.EPISODE_LAPSED, 1)
    assert watch.alarm.episode is None
    assert members(watch) == set()


def test_a_gap_that_is_no_gap_lets_the_episode_go_on(build: BUILD) -> None:
    watch = begun(build).levered("0.75", 15)

    assert members(watch) == {"account"}
    assert watch.alarm.units[0].resumed_at is None


def test_a_bad_picture_after_a_gap_neither_ends_nor_resumes(build: BUILD) -> None:
    watch = begun(build).levered("0.50", HOURS, age=6)

    assert (watch.alarm.episode.number, watch.confirmed) == (1, Level.LIQUIDATION)
    watch.assessment = None
    assert watch.levered("0.50", HOURS + 2).alarm.episode is None


def test_after_a_gap_one_unit_leaves_and_another_goes_on(build: BUILD) -> None:
    watch = build.watch().show(two_units(build, 910, 910, 0)).show(two_units(build, 910, 910, 1))
    watch.assessment = None
    watch.show(two_units(build, 650, 910, HOURS))

    assert members(watch) == {"USDC"}
    left = [change for change in watch.transitions if change.kind is KIND.EPISODE_LEFT]
    assert [(change.unit, change.reason) for change in left] == [("USDT", Reason.EPISODE_LAPSED)]


def test_a_latched_unit_stays_in_its_episode_over_a_gap_and_needs_two_samples(build: BUILD) -> None:
    watch = begun(build)
    watch.flattening = frozenset({"account"})
    watch.assessment = None
    watch.levered("0.50", HOURS)

    assert members(watch) == {"account"}
    assert watch.alarm.units[0].resumed_at == build.at(HOURS)
    assert watch.levered("0.50", HOURS + 0.3).alarm.units[0].resumed_at is not None
    assert watch.levered("0.50", HOURS + 0.4).alarm.units[0].resumed_at is None


def test_what_awaits_confirmation_survives_a_restart(build: BUILD) -> None:
    watch = begun(build).levered("0.95", HOURS)
    told = json.loads(json.dumps(watch.alarm.to_json()))

    assert Alarm.from_json(told) == watch.alarm
    del told["units"][0]["resumed_at"]
    assert Alarm.from_json(told).units[0].resumed_at is None
