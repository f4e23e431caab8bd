"""Thresholds below the venue's points of no return: what moves, how far, and what stays as it was written."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brokers.models import Measure
from brokers.no_return import PointOfNoReturn, Regime, opening_refused, venue_acts
from daemon.risk.clamp import DISTANCE, Clamped, clamp
from daemon.risk.policy import Action, Ladder, Level, MarginPolicy

D = Decimal
UTILIZATION, MAINTENANCE = Measure.UTILIZATION, Measure.MAINTENANCE

REDUCE_ONLY = PointOfNoReturn(
    measure=MAINTENANCE, ratio=D("0.875"), regime=Regime.REFUSES_OPENING, words="uniMMR 1.20"
)
USUAL = (opening_refused("no margin is left"), venue_acts("maintenance margin >= equity"))


def ladder(warning: str, critical: str, liquidation: str) -> Ladder:
    return Ladder(warning=D(warning), critical=D(critical), liquidation=D(liquidation))


def maintained(*thresholds: str, target: str = "0.40", hysteresis: str = "0.03") -> MarginPolicy:
    """A policy with a maintenance ladder of its own."""
    return MarginPolicy(
        maintenance=ladder(*thresholds), target_maintenance=D(target), hysteresis=D(hysteresis)
    )


@pytest.mark.parametrize("points", [(), USUAL, (*USUAL, REDUCE_ONLY)])
def test_the_default_ladders_are_below_every_known_point(points: tuple[PointOfNoReturn, ...]) -> None:
    assert clamp(MarginPolicy(), points) == Clamped(policy=MarginPolicy())


@pytest.mark.parametrize(
    ("thresholds", "target", "effective", "effective_target"),
    [
        (("0.50", "0.65", "0.83125"), "0.40", ("0.50", "0.65", "0.83125"), "0.40"),
        (("0.50", "0.65", "0.83126"), "0.40", ("0.50", "0.65", "0.83125"), "0.40"),
        (("0.50", "0.65", "0.90"), "0.40", ("0.50", "0.65", "0.83125"), "0.40"),
        (("0.50", "0.80", "0.95"), "0.40", ("0.50", "0.80", "0.83125"), "0.40"),
        (("0.50", "0.81", "0.95"), "0.40", ("0.50", "0.70875", "0.83125"), "0.40"),
        (("0.70", "0.81", "0.95"), "0.40", ("0.6125", "0.70875", "0.83125"), "0.40"),
        (("0.50", "0.65", "0.95"), "0.828", ("0.50", "0.65", "0.83125"), "0.7211250"),
    ],
    ids=["at it", "just above", "above", "critical fits", "critical too", "warning too", "target too"],
)
def test_liquidation_starts_a_twentieth_below_the_point_and_what_is_too_close_moves_along(
    thresholds: tuple[str, ...], target: str, effective: tuple[str, str, str], effective_target: str
) -> None:
    found = clamp(maintained(*thresholds, target=target), (REDUCE_ONLY,))

    assert found.policy.maintenance == ladder(*effective)
    assert found.policy.target_maintenance == D(effective_target).quantize(D("1e-7"))
    assert found.policy.utilization == MarginPolicy().utilization
    assert [one.measure for one in found.clamps] == [MAINTENANCE] * (thresholds != effective)


def test_the_nearest_of_several_points_counts_whatever_their_order() -> None:
    policy = maintained("0.50", "0.65", "0.97")

    for points in ((*USUAL, REDUCE_ONLY), (REDUCE_ONLY, *USUAL)):
        (one,) = clamp(policy, points).clamps
        assert (one.point, one.effective.liquidation) == (REDUCE_ONLY, D("0.83125"))
    assert clamp(policy, USUAL).policy.maintenance.liquidation == D("0.95")


def test_a_point_of_one_measure_leaves_the_other_alone() -> None:
    policy = replace(MarginPolicy(), utilization=ladder("0.70", "0.80", "0.99"))

    assert clamp(policy, (venue_acts("-"),)).clamps == ()
    (one,) = clamp(policy, USUAL).clamps
    assert (one.measure, one.effective.liquidation) == (UTILIZATION, D("0.95"))


def test_an_earlier_level_that_delevers_keeps_its_target_below_itself() -> None:
    actions = {Level.CRITICAL: (Action.REDUCE,), Level.LIQUIDATION: (Action.REDUCE,)}
    policy = replace(maintained("0.70", "0.82", "0.95", target="0.78"), actions=actions)

    found = clamp(policy, (REDUCE_ONLY,)).policy
    assert found.maintenance.critical == D("0.82") * D("0.83125") / D("0.95")
    assert found.target_maintenance < found.maintenance.critical - found.hysteresis


def test_a_point_near_zero_shrinks_the_hysteresis_with_the_ladder() -> None:
    low = replace(REDUCE_ONLY, ratio=D("0.02"))
    found = clamp(MarginPolicy(), (low,)).policy

    assert found.maintenance.liquidation == D("0.019")
    assert found.hysteresis < found.maintenance.warning < found.maintenance.critical


def test_what_was_moved_is_told_in_one_line() -> None:
    (one,) = clamp(maintained("0.71", "0.81", "0.95", target="0.85"), (REDUCE_ONLY,)).clamps

    assert one.sentence == (
        "maintenance: liquidation is configured at 95 % and counts as 83.1 %: from 87.5 % on (uniMMR 1.20) "
        "the venue takes only orders that reduce; with it critical 81 % as 70.9 %, warning 71 % as 62.1 %, "
        "target 85 % as 74 %"
    )


@pytest.mark.parametrize("regime", Regime)
def test_every_regime_has_its_words(regime: Regime) -> None:
    (one,) = clamp(maintained("0.5", "0.6", "0.9"), (replace(REDUCE_ONLY, regime=regime),)).clamps

    assert one.why.startswith("from 87.5 % on (uniMMR 1.20) the venue ")


@pytest.mark.parametrize("ratio", ["0", "-0.1", "1.01"])
def test_a_point_that_no_threshold_could_keep_below_is_refused(ratio: str) -> None:
    with pytest.raises(ValueError, match="point of no return"):
        opening_refused("-", D(ratio))


places = st.decimals(min_value="0.0001", max_value="0.9999", places=4)
rungs = st.lists(places, min_size=3, max_size=3, unique=True).map(sorted)
shares = st.decimals(min_value="0.01", max_value="0.99", places=2)
points = st.lists(
    st.builds(
        PointOfNoReturn,
        measure=st.sampled_from(Measure),
        ratio=st.decimals(min_value="0.001", max_value=1, places=3),
        regime=st.sampled_from(Regime),
        words=st.just("-"),
    ),
    max_size=4,
)


calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def policies(draw: st.DrawFn) -> MarginPolicy:
    """Any policy that is valid by itself, however tight."""
    ladders = [Ladder(warning=w, critical=c, liquidation=x) for w, c, x in (draw(rungs), draw(rungs))]
    level = draw(st.sampled_from([Level.WARNING, Level.CRITICAL, Level.LIQUIDATION]))
    hysteresis = min(one.warning for one in ladders) * draw(shares)
    targets = [(one.threshold(level) - hysteresis) * draw(shares) for one in ladders]
    return MarginPolicy(
        utilization=ladders[0],
        maintenance=ladders[1],
        target_utilization=targets[0],
        target_maintenance=targets[1],
        hysteresis=hysteresis,
        actions={level: (Action.REDUCE,)},
    )


@calm
@given(policies(), points)
def test_whatever_is_configured_the_answer_is_valid_never_later_and_below_every_point(
    policy: MarginPolicy, known: list[PointOfNoReturn]
) -> None:
    found = clamp(policy, known)  # a policy validates itself: rising ladders, targets below their trigger

    assert found.policy.hysteresis <= policy.hysteresis
    for measure in Measure:
        before, after = policy.ladder(measure), found.policy.ladder(measure)
        assert all(after.threshold(level) <= before.threshold(level) for level in Level)
        assert found.policy.target(measure) <= policy.target(measure)
        ceilings = [point.ratio * (1 - DISTANCE) for point in known if point.measure is measure]
        assert after.liquidation == min([before.liquidation, *ceilings])
    moved = {one.measure for one in found.clamps}
    assert moved == {one for one in Measure if policy.ladder(one) != found.policy.ladder(one)}
    assert moved or found.policy == policy


@calm
@given(policies(), points)
def test_clamping_again_changes_nothing(policy: MarginPolicy, known: list[PointOfNoReturn]) -> None:
    once = clamp(policy, known).policy

    assert clamp(once, known) == Clamped(policy=once)
