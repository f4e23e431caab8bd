from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.models import AccountId, AccountSnapshot, Collateral, UnitKind
from daemon.risk.alarm import Alarm, TransitionKind, advance
from daemon.risk.assessment import Protection
from daemon.risk.policy import Action, Ladder, Level, MarginPolicy
from daemon.risk.reason import Reason

D = Decimal
BUILD = Any
KIND = TransitionKind


def test_a_level_is_jumped_to_and_stepped_down_from(build: BUILD) -> None:
    watch = build.watch()

    assert watch.levered("0.5", 0).level is Level.SAFE
    assert watch.levered("0.69", 2).level is Level.SAFE
    assert watch.levered("0.89", 4).level is Level.CRITICAL
    assert watch.levered("0.75", 6).level is Level.WARNING
    assert watch.levered("0.66", 8).level is Level.SAFE


@pytest.mark.parametrize(
    ("utilization", "level"),
    [
        ("0.87", Level.LIQUIDATION),
        ("0.8699", Level.CRITICAL),
        ("0.77", Level.CRITICAL),
        ("0.7699", Level.WARNING),
    ],
    ids=["l-h", "<l-h", "c-h", "<c-h"],
)
def test_a_level_ends_below_its_threshold_less_hysteresis(
    *, build: BUILD, utilization: str, level: Level
) -> None:
    assert build.watch().levered("0.91", 0).levered(utilization, 2).level is level


def test_entering_the_band_from_below_starts_nothing(build: BUILD) -> None:
    assert build.watch().levered("0.5", 0).levered("0.69", 2).level is Level.SAFE


def test_a_transition_says_what_rose_and_by_which_figure(build: BUILD) -> None:
    (rose,) = build.watch().levered("0.85", 0).transitions

    assert (rose.kind, rose.reason, rose.unit) == (KIND.LEVEL_ROSE, Reason.CRITICAL_REACHED, "account")
    assert (rose.before, rose.after, rose.ratio) == (Level.SAFE, Level.CRITICAL, D("0.85"))


def test_a_level_rises_on_a_picture_that_cannot_be_acted_upon_and_does_not_fall_on_one(build: BUILD) -> None:
    watch = build.watch().levered("0.5", 0).levered("0.95", 2, age=6)

    assert watch.level is Level.LIQUIDATION
    assert watch.levered("0.5", 4, age=6).level is Level.LIQUIDATION
    assert watch.confirmed is Level.SAFE


def test_liquidation_is_confirmed_by_two_samples_400_ms_apart(build: BUILD) -> None:
    watch = build.watch().levered("0.85", 0).levered("0.91", 2)

    assert watch.levered("0.91", 2.3).confirmed is Level.CRITICAL
    assert watch.levered("0.91", 2.4).confirmed is Level.LIQUIDATION
    assert watch.alarm.episode.number == 1


def test_an_urgent_unit_is_confirmed_by_the_very_next_sample(build: BUILD) -> None:
    watch = build.watch().levered("0.85", 0).levered("0.97", 2)

    assert watch.confirmed is Level.CRITICAL
    assert watch.levered("0.97", 2.05).confirmed is Level.LIQUIDATION


def test_critical_is_confirmed_by_two_samples_a_second_apart(build: BUILD) -> None:
    watch = build.watch().levered("0.80", 0)

    assert watch.levered("0.80", 0.9).confirmed is Level.SAFE
    assert watch.levered("0.80", 1.0).confirmed is Level.CRITICAL
    assert watch.alarm.episode is None


def test_a_sample_within_the_hysteresis_neither_confirms_nor_breaks_the_run(build: BUILD) -> None:
    watch = build.watch().levered("0.91", 0).levered("0.88", 2)

    assert watch.confirmed is Level.CRITICAL
    assert watch.levered("0.91", 4).confirmed is Level.LIQUIDATION


def test_a_sighting_that_the_hysteresis_has_outlasted_is_none(build: BUILD) -> None:
    watch = build.watch().levered("0.91", 0)
    for seconds in range(2, 18, 2):
        watch.levered("0.88", seconds)

    assert watch.levered("0.95", 18).confirmed is Level.CRITICAL
    assert watch.levered("0.95", 18.4).confirmed is Level.LIQUIDATION


def test_a_sample_below_the_hysteresis_breaks_the_run(build: BUILD) -> None:
    watch = build.watch().levered("0.91", 0).levered("0.86", 0.2).levered("0.91", 0.5)

    assert watch.confirmed is Level.SAFE
    assert watch.levered("0.91", 0.9).confirmed is Level.LIQUIDATION


def test_a_faulty_sample_neither_counts_nor_breaks_the_run(build: BUILD) -> None:
    watch = build.watch().levered("0.91", 0).levered("0.91", 2, age=6)

    assert watch.confirmed is Level.SAFE
    assert watch.levered("0.91", 4).confirmed is Level.LIQUIDATION


def test_a_sighting_older_than_the_alarm_age_is_none(build: BUILD) -> None:
    watch = build.watch().levered("0.91", 0).levered("0.91", 16)

    assert watch.confirmed is Level.SAFE
    assert watch.levered("0.91", 17).confirmed is Level.LIQUIDATION


def test_a_doubted_leap_counts_as_the_first_of_two_samples(build: BUILD) -> None:
    watch = build.watch().levered("0.5", 0).levered("0.91", 2)

    assert not watch.assessment.actionable
    assert watch.levered("0.91", 2.4).confirmed is Level.LIQUIDATION


def test_a_missing_unit_stays_until_its_absence_is_believed(build: BUILD) -> None:
    watch = build.watch().show(two_units(build, 910, 100, 0))
    gone = two_units(build, 910, 100, 2)
    stale = replace(gone, units=gone.units[1:], as_of=build.at(-6))

    assert watch.show(stale).alarm.unit("USDT").level is Level.LIQUIDATION


def test_an_episode_lasts_until_two_samples_show_the_target(build: BUILD) -> None:
    watch = build.watch().levered("0.91", 0).levered("0.91", 0.4)

    assert watch.kinds == [KIND.CONFIRMED, KIND.EPISODE_BEGAN]
    assert watch.levered("0.85", 2).alarm.episode.number == 1
    assert watch.level is Level.CRITICAL
    assert watch.levered("0.70", 4).levered("0.61", 6).alarm.units[0].in_episode
    assert watch.levered("0.60", 8).alarm.episode.calm_since == build.at(8)
    assert watch.levered("0.60", 8.3).alarm.episode is not None
    assert watch.levered("0.60", 8.4).kinds == [KIND.EPISODE_ENDED]
    assert watch.alarm.episode is None
    assert not watch.alarm.units[0].in_episode


def test_a_relapse_between_the_two_samples_keeps_the_episode(build: BUILD) -> None:
    watch = build.watch().levered("0.91", 0).levered("0.91", 0.4).levered("0.75", 2)
    watch.levered("0.58", 4).levered("0.63", 6).levered("0.58", 8)

    assert watch.alarm.episode.number == 1
    assert watch.alarm.episode.calm_since == build.at(8)


def test_a_drop_without_a_cause_does_not_end_an_episode_unseen(build: BUILD) -> None:
    watch = build.watch().levered("0.91", 0).levered("0.91", 0.4).levered("0.30", 2)

    assert watch.alarm.episode.calm_since is None
    assert watch.level is Level.LIQUIDATION
    assert watch.levered("0.30", 4).alarm.episode.calm_since == build.at(4)


def test_episodes_are_numbered_on_from_what_the_caller_seeds(build: BUILD) -> None:
    watch = build.watch()
    watch.alarm = Alarm.begin(AccountId("bybit-main"), build.at(0), last_episode=17)

    assert watch.levered("0.91", 0).levered("0.91", 1).alarm.episode.number == 18


def test_an_episode_begins_where_the_ladder_delevers(build: BUILD) -> None:
    policy = MarginPolicy(actions={Level.CRITICAL: (Action.REDUCE,), Level.LIQUIDATION: (Action.REDUCE,)})
    watch = build.watch(policy).levered("0.81", 0)

    assert watch.alarm.episode is None
    assert watch.levered("0.81", 1).alarm.episode.number == 1
    never = build.watch(MarginPolicy(actions={Level.LIQUIDATION: (Action.CANCEL_ORDERS,)}))
    assert never.levered("0.95", 0).levered("0.95", 1).alarm.episode is None


def two_units(build: BUILD, first: int, second: int, seconds: float) -> AccountSnapshot:
    units = [
        build.unit(
            key,
            equity=1000,
            kind=UnitKind.CURRENCY,
            initial_margin=D(used),
            available_margin=D(1000 - used),
        )
        for key, used in (("USDT", first), ("USDC", second))
    ]
    return build.snapshot(units=units, seconds=seconds)


def test_units_are_confirmed_each_by_itself_and_join_the_episode_late(build: BUILD) -> None:
    watch = build.watch().show(two_units(build, 910, 800, 0)).show(two_units(build, 850, 910, 1))

    assert watch.alarm.episode is None
    watch.show(two_units(build, 850, 910, 2))
    assert [unit.key for unit in watch.alarm.units if unit.in_episode] == ["USDC"]
    watch.show(two_units(build, 910, 700, 3)).show(two_units(build, 910, 580, 4))
    assert {unit.key for unit in watch.alarm.units if unit.in_episode} == {"USDT", "USDC"}
    assert watch.alarm.episode.number == 1
    watch.show(two_units(build, 750, 580, 5)).show(two_units(build, 590, 580, 6))
    assert watch.alarm.episode.calm_since == build.at(6)


def test_a_unit_that_is_gone_is_at_target(build: BUILD) -> None:
    watch = build.watch().show(two_units(build, 910, 100, 0)).show(two_units(build, 910, 100, 1))
    gone = [two_units(build, 910, 100, second) for second in (3, 5, 7)]
    for snapshot in gone:
        watch.show(replace(snapshot, units=snapshot.units[1:]))

    assert watch.alarm.unit("USDT") is None
    assert watch.alarm.episode is None


def test_no_picture_for_two_poll_periods_loses_protection(build: BUILD) -> None:
    watch = build.watch().levered("0.5", 0).blind(2)

    assert watch.alarm.protection is Protection.PROTECTED
    (lost,) = watch.blind(4).transitions
    assert (lost.kind, lost.reason) == (KIND.PROTECTION_LOST, Reason.VENUE_UNAVAILABLE)
    assert lost.detail == "timeout after 4 s"
    assert watch.blind(6).transitions == ()
    assert watch.levered("0.5", 8).kinds == [KIND.PROTECTION_REGAINED]
    assert watch.alarm.protection is Protection.PROTECTED


def test_an_account_never_seen_loses_protection_as_soon(build: BUILD) -> None:
    watch = build.watch().blind(2)

    assert watch.alarm.protection is Protection.PROTECTED
    assert watch.blind(4).alarm.protection is Protection.UNPROTECTED


def test_one_bad_picture_between_good_ones_is_forgiven_below_critical(build: BUILD) -> None:
    watch = build.watch().levered("0.5", 0).levered("0.5", 2, age=6).levered("0.5", 4)

    assert watch.transitions == ()


def test_an_implausible_picture_at_critical_loses_protection_at_once(build: BUILD) -> None:
    watch = build.watch().levered("0.82", 0)

    (lost,) = watch.levered("0.82", 2, unit={"maintenance_margin": None}).transitions
    assert (lost.kind, lost.reason) == (KIND.PROTECTION_LOST, Reason.MEASURE_UNKNOWN)


def test_a_picture_older_than_the_alarm_age_loses_protection_at_once(build: BUILD) -> None:
    assert build.watch().levered("0.5", 0).levered("0.5", 1, age=16).kinds == [KIND.PROTECTION_LOST]


def test_a_blind_cycle_leaves_level_confirmation_and_episode(build: BUILD) -> None:
    watch = build.watch().levered("0.91", 0).levered("0.91", 1)
    before = watch.alarm
    after = watch.blind(3).alarm

    assert (after.units, after.episode) == (before.units, before.episode)


def test_leverage_over_its_cap_is_told_once_and_not_around_the_cap(build: BUILD) -> None:
    watch = build.watch(MarginPolicy(max_leverage=D(5)))

    def at(equity: int, seconds: float) -> list[TransitionKind]:
        return watch.show(build.book(equity, seconds=seconds)).kinds

    assert at(10_000, 0) == []
    assert at(9_900, 2) == [KIND.LEVERAGE_OVER_CAP]
    assert at(10_100, 4) == []
    assert at(9_900, 6) == []
    assert at(10_400, 8) == [KIND.LEVERAGE_WITHIN_CAP]


UTILIZATIONS = st.integers(min_value=0, max_value=1200).map(lambda points: str(D(points) / 1000))


@settings(max_examples=100)
@given(path=st.lists(UTILIZATIONS, min_size=1, max_size=25), gap=st.sampled_from([0.2, 0.5, 2.0]))
def test_the_same_assessment_again_changes_nothing(*, build: BUILD, path: list[str], gap: float) -> None:
    watch = build.watch()
    for number, utilization in enumerate(path):
        watch.levered(utilization, number * gap)
        again = advance(watch.alarm, watch.assessment, watch.policy, build.at(number * gap))

        assert again == (watch.alarm, ())


@settings(max_examples=100)
@given(points=st.lists(st.integers(min_value=770, max_value=799), min_size=2, max_size=30))
def test_inside_the_band_nothing_oscillates(*, build: BUILD, points: list[int]) -> None:
    entered_from_above = build.watch().levered("0.85", 0)
    entered_from_below = build.watch().levered("0.75", 0)
    for number, point in enumerate(points, start=1):
        for watch in (entered_from_above, entered_from_below):
            watch.levered(D(point) / 1000, number * 2)
            assert not {KIND.LEVEL_ROSE, KIND.LEVEL_FELL} & set(watch.kinds)

    assert entered_from_above.level is Level.CRITICAL
    assert entered_from_below.level is Level.WARNING


@settings(max_examples=100)
@given(path=st.lists(st.tuples(UTILIZATIONS, st.booleans()), min_size=1, max_size=30))
def test_the_standing_keeps_its_invariants(*, build: BUILD, path: list[tuple[str, bool]]) -> None:
    watch = build.watch()
    for number, (utilization, stale) in enumerate(path):
        before = watch.alarm
        watch.levered(utilization, number * 0.5, age=6 if stale else 0.1)
        unit = watch.alarm.units[0]

        assert unit.confirmed <= unit.level
        assert unit.level >= watch.assessment.units[0].level
        assert unit.in_episode is (watch.alarm.episode is not None)
        if stale and before.units:
            assert unit.level >= before.units[0].level
            assert unit.confirmed == before.units[0].confirmed
            assert watch.alarm.last_episode == before.last_episode
            assert (watch.alarm.episode is None) is (before.episode is None)


def test_a_ladder_of_its_own_is_obeyed(build: BUILD) -> None:
    policy = MarginPolicy(
        utilization=Ladder(warning=D("0.2"), critical=D("0.3"), liquidation=D("0.4")),
        target_utilization=D("0.1"),
    )

    assert build.watch(policy).levered("0.31", 0).level is Level.CRITICAL


def test_that_debt_drives_the_risk_is_told_once_and_again_after_the_account_was_safe(build: BUILD) -> None:
    debt = Collateral(currency="USDT", wallet_balance=D(0), equity=None, debt=D(9), repayable=D(0))
    watch = build.watch()

    def at(maintenance: int, seconds: float) -> list[TransitionKind]:
        unit = {"maintenance_margin": D(maintenance)}
        watch.levered("0.1", seconds, maintenance="0.05", unit=unit, collaterals=[debt])
        assert Alarm.from_json(watch.alarm.to_json()) == watch.alarm
        return [kind for kind in watch.kinds if kind is TransitionKind.DEBT_DRIVES_RISK]

    assert at(4_500, 0) == []  # above its target, and still SAFE
    assert at(5_200, 2) == [TransitionKind.DEBT_DRIVES_RISK]
    [told] = [t for t in watch.transitions if t.kind is TransitionKind.DEBT_DRIVES_RISK]
    assert (told.reason, told.unit) == (Reason.DEBT_DRIVES_RISK, "account")
    assert "owes 9 USDT" in told.detail
    assert at(9_000, 4) == []
    assert at(1_000, 6) == at(1_000, 8) == []
    assert at(5_200, 10) == [TransitionKind.DEBT_DRIVES_RISK]
