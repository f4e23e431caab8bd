from dataclasses import replace
from decimal import Decimal
from typing import Any

from brokers.models import Measure
from daemon.risk.picture import picture
from daemon.risk.policy import MarginPolicy
from daemon.risk.shortfall import Shortfall, expected_ratio, shortfalls
from daemon.risk.tiers import build_tiers

D = Decimal
BUILD = Any


def of(build: BUILD, snapshot: Any) -> dict[Measure, Shortfall]:  # noqa: ANN401 - a snapshot
    (unit,) = picture(snapshot)
    return {left.measure: left for left in shortfalls(unit, snapshot, MarginPolicy())}


def test_what_a_row_states_is_what_its_cutting_frees(build: BUILD) -> None:
    snapshot = build.book(10_000)
    (key,) = [position.key for position in snapshot.positions]
    found = of(build, snapshot)

    assert found[Measure.UTILIZATION].freed(key, D(25_000)) == 2_500
    assert found[Measure.MAINTENANCE].freed(key, D(50_000)) == 2_500
    assert found[Measure.MAINTENANCE].freed(key, D(99_000)) == 2_500  # no more than the position


def test_a_cut_leaves_the_lower_brackets_for_the_next(build: BUILD) -> None:
    tiers = build_tiers([(D(0), D("0.01")), (D(40_000), D("0.11"))])
    snapshot = build.book(10_000, [build.Row(maintenance="0.03")], tiers={"BTCUSDT": tiers})
    (key,) = [position.key for position in snapshot.positions]
    before = of(build, snapshot)[Measure.MAINTENANCE]
    after = before.after(key, D(10_000), D(5))

    assert before.freed(key, D(10_000)) == 1_100
    assert after.freed(key, D(10_000)) == 100
    assert (after.usage.used, after.usage.capacity) == (400, 9_995)
    assert after.freed(key, D(40_000)) == 400


def test_a_stated_margin_scales_the_table(build: BUILD) -> None:
    tiers = build_tiers([(D(0), D("0.01"))])
    snapshot = build.book(10_000, [build.Row(maintenance="0.02")], tiers={"BTCUSDT": tiers})
    (key,) = [position.key for position in snapshot.positions]

    assert of(build, snapshot)[Measure.MAINTENANCE].freed(key, D(50_000)) == 1_000


def test_a_hedge_charged_less_than_its_legs_frees_no_more_than_is_charged(build: BUILD) -> None:
    rows = [build.Row(), build.Row(symbol="ETHUSDT", quantity="10", mark="5000", entry="5000")]
    snapshot = build.book(10_000, rows, unit={"maintenance_margin": D(2_500)})
    found = of(build, snapshot)[Measure.MAINTENANCE]

    assert sum(found.freed(position.key, D(50_000)) for position in snapshot.positions) == 2_500


def test_a_position_of_unknown_value_neither_frees_nor_costs(build: BUILD) -> None:
    snapshot = build.book(10_000)
    bare = replace(snapshot, positions=(replace(snapshot.positions[0], notional=None),))
    found = of(build, bare)[Measure.UTILIZATION]

    assert found.after(bare.positions[0].key, D(1_000), D(1)) is found


def test_the_expected_ratio_is_the_worst_of_its_measure(build: BUILD) -> None:
    snapshot = build.book(10_000, unit={"venue_ratio": D("0.4")})
    (unit,) = picture(snapshot)
    state = shortfalls(unit, snapshot, MarginPolicy())

    assert expected_ratio(state, Measure.MAINTENANCE) == D("0.4")
    assert expected_ratio((), Measure.MAINTENANCE) is None
