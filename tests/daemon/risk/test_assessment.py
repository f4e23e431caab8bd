from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.models import Measure, Side, UnitKind
from daemon.risk.assessment import Protection, UnitAssessment
from daemon.risk.gate import Weight
from daemon.risk.policy import Level, MarginPolicy
from daemon.risk.reason import Reason

D = Decimal
BUILD = Any


@pytest.mark.parametrize(
    ("utilization", "maintenance", "level"),
    [
        ("0.69", "0.49", Level.SAFE),
        ("0.70", "0.10", Level.WARNING),
        ("0.10", "0.50", Level.WARNING),
        ("0.7999", "0.10", Level.WARNING),
        ("0.80", "0.10", Level.CRITICAL),
        ("0.10", "0.65", Level.CRITICAL),
        ("0.90", "0.10", Level.LIQUIDATION),
        ("0.10", "0.80", Level.LIQUIDATION),
        ("0.75", "0.81", Level.LIQUIDATION),
        ("1.50", "0.10", Level.LIQUIDATION),
    ],
    ids=["below all", "U=w", "M=w", "U<c", "U=c", "M=c", "U=l", "M=l", "U=w,M>l", "U>1"],
)
def test_the_level_is_the_worse_of_both_measures(
    *, build: BUILD, utilization: str, maintenance: str, level: Level
) -> None:
    assessment = build.judge(build.levered(utilization=utilization, maintenance=maintenance))

    assert assessment.level is level
    assert assessment.actionable
    assert assessment.protection is Protection.PROTECTED


def test_a_level_is_held_down_to_its_threshold_less_hysteresis(build: BUILD) -> None:
    unit = build.judge(build.levered(utilization="0.875")).units[0]

    assert (unit.level, unit.held) == (Level.CRITICAL, Level.LIQUIDATION)
    assert build.judge(build.levered(utilization="0.8699")).units[0].held is Level.CRITICAL


def test_target_and_urgency_are_told_per_unit(build: BUILD) -> None:
    def unit(utilization: str, maintenance: str = "0.1") -> UnitAssessment:
        return build.judge(build.levered(utilization=utilization, maintenance=maintenance)).units[0]

    assert not unit("0.60").above_target
    assert unit("0.6001").above_target
    assert not unit("0.96", "0.89").urgent
    assert unit("0.97").urgent
    assert unit("0.1", "0.9").urgent


def test_headroom_leverage_and_notional_are_stated(build: BUILD) -> None:
    unit = build.judge(build.levered(utilization="0.5", maintenance="0.2")).units[0]

    assert (unit.headroom, unit.notional, unit.leverage) == (8_000, 50_000, 5)
    assert (unit.utilization, unit.maintenance_ratio) == (D("0.5"), D("0.2"))


def test_the_account_is_as_bad_as_its_worst_unit_and_units_are_never_summed(build: BUILD) -> None:
    calm = build.unit("USDC", equity=1_000_000, kind=UnitKind.CURRENCY)
    hot = build.unit(
        "USDT", equity=1000, kind=UnitKind.CURRENCY, initial_margin=D(850), available_margin=D(150)
    )
    assessment = build.judge(build.snapshot(units=[calm, hot]))

    assert assessment.level is Level.CRITICAL
    assert assessment.worst.key == "USDT"
    assert assessment.unit("USDC").level is Level.SAFE
    assert assessment.unit("EURC") is None


def test_the_account_states_the_highest_of_each_figure(build: BUILD) -> None:
    """A pool without positions may be the worst unit; its empty figures must not hide those of a position."""
    calm = build.unit("USDC", equity=1_000_000, kind=UnitKind.CURRENCY)
    full = build.unit(
        "USDT", equity=1000, kind=UnitKind.CURRENCY, initial_margin=D(850), available_margin=D(150)
    )
    held = build.levered(utilization="0.5", maintenance="0.2")
    assessment = build.judge(replace(held, units=(calm, full, *held.units)))

    assert (assessment.utilization, assessment.maintenance_ratio) == (D("0.85"), D("0.2"))
    assert assessment.leverage == 5
    assert build.judge(build.snapshot(units=[])).leverage is None


def test_equity_below_zero_with_positions_is_liquidation(build: BUILD) -> None:
    assessment = build.judge(build.book(-5))

    assert assessment.level is Level.LIQUIDATION
    assert assessment.units[0].leverage is None


def test_equity_of_zero_with_positions_is_liquidation_even_without_margin_figures(build: BUILD) -> None:
    snapshot = build.book(0, unit={"initial_margin": None, "maintenance_margin": None})
    assessment = build.judge(snapshot)

    assert assessment.level is Level.LIQUIDATION
    assert not assessment.actionable


def test_equity_below_zero_without_positions_is_safe_but_said(build: BUILD) -> None:
    assessment = build.judge(build.snapshot(units=[build.unit(equity=-5)]))

    assert assessment.level is Level.SAFE
    assert assessment.actionable
    assert [gate.reason for gate in assessment.gates] == [Reason.DEFICIT_WITHOUT_POSITIONS]
    assert assessment.gates[0].weight is Weight.NOTE


def test_a_missing_measure_blocks_acting_and_never_counts_as_zero(build: BUILD) -> None:
    snapshot = build.levered(utilization="0.95", unit={"maintenance_margin": None})
    unit = build.judge(snapshot).units[0]

    assert unit.level is Level.LIQUIDATION
    assert unit.maintenance_ratio is None
    assert unit.above_target
    assert not unit.actionable
    assert [gate.reason for gate in unit.gates] == [Reason.MEASURE_UNKNOWN]


def test_a_measure_that_makes_no_sense_for_a_unit_is_not_missed(build: BUILD) -> None:
    snapshot = build.levered(
        maintenance="0.3",
        unit={"initial_margin": None, "measures": frozenset({Measure.MAINTENANCE})},
    )
    unit = build.judge(snapshot).units[0]

    assert unit.actionable
    assert unit.utilization is None
    assert unit.reading(Measure.UTILIZATION) is None


def test_gates_take_away_the_right_to_act_and_leave_the_level(build: BUILD) -> None:
    stale = build.levered(utilization="0.95", age=6)
    assessment = build.judge(stale)

    assert assessment.level is Level.LIQUIDATION
    assert not assessment.actionable
    assert assessment.protection is Protection.UNPROTECTED


def test_a_fault_of_one_unit_leaves_the_others_actionable(build: BUILD) -> None:
    broken = build.unit("USDC", kind=UnitKind.CURRENCY, initial_margin=None)
    sound = build.unit("USDT", kind=UnitKind.CURRENCY)
    assessment = build.judge(build.snapshot(units=[broken, sound]))

    assert not assessment.unit("USDC").actionable
    assert assessment.unit("USDT").actionable
    assert not assessment.actionable


@pytest.mark.parametrize(
    ("cap", "over", "held"), [("5", False, True), ("4.99", True, True), ("5.2", False, False)]
)
def test_leverage_over_its_cap_is_a_note_with_hysteresis(
    *, build: BUILD, cap: str, over: bool, held: bool
) -> None:
    assessment = build.judge(build.levered(), MarginPolicy(max_leverage=D(cap)))
    unit = assessment.units[0]

    assert [(load.is_over, load.is_held) for load in unit.exposure.loads] == [(over, held)] * held
    assert (Reason.LEVERAGE_OVER_CAP in [gate.reason for gate in assessment.gates]) is over
    assert assessment.actionable
    assert assessment.level is Level.SAFE


def test_a_position_without_notional_leaves_leverage_unknown_but_still_over_the_cap(build: BUILD) -> None:
    snapshot = build.book(1000, [build.Row(initial="0.001", maintenance="0.001")])
    ether = build.Row(symbol="ETHUSDT", initial="0", maintenance="0").position(notional=None)
    snapshot = replace(snapshot, positions=(*snapshot.positions, ether))
    unit = build.judge(snapshot, MarginPolicy(max_leverage=D(5))).units[0]

    assert (unit.notional, unit.leverage) == (None, None)
    assert [load.is_over for load in unit.exposure.loads] == [True]


def test_reducible_counts_what_returns_margin_to_the_unit(build: BUILD) -> None:
    parent = build.unit("USDT", kind=UnitKind.CURRENCY)
    child = build.unit(
        "BTCUSDT",
        equity=5000,
        kind=UnitKind.ISOLATED_POSITION,
        parent="USDT",
        maintenance_margin=D(2500),
        measures=frozenset({Measure.MAINTENANCE}),
    )
    row = build.Row(unit="BTCUSDT", side=Side.SHORT).position()
    assessment = build.judge(build.snapshot(units=[parent, child], positions=[row]))

    assert (assessment.unit("USDT").has_positions, assessment.unit("USDT").reducible) == (False, True)
    assert (assessment.unit("BTCUSDT").has_positions, assessment.unit("BTCUSDT").reducible) == (True, True)


figures = st.none() | st.decimals(min_value=-(10**6), max_value=10**6, places=2)
ratios = st.none() | st.decimals(min_value=0, max_value=5, places=3)


@settings(max_examples=150)
@given(
    unit_figures=st.tuples(figures, figures, figures, figures, figures, figures),
    ratio=ratios,
    row_figures=st.tuples(figures, figures, figures, figures, figures, figures),
    age=st.floats(min_value=-10, max_value=30),
)
def test_every_well_formed_snapshot_has_an_assessment(
    *,
    build: BUILD,
    unit_figures: tuple[Decimal | None, ...],
    ratio: Decimal | None,
    row_figures: tuple[Decimal | None, ...],
    age: float,
) -> None:
    row_names = [
        "entry_price",
        "mark_price",
        "notional",
        "initial_margin",
        "maintenance_margin",
        "unrealized_pnl",
    ]
    unit_names = [
        "margin_equity",
        "initial_margin",
        "maintenance_margin",
        "available_margin",
        "wallet_balance",
        "unrealized_pnl",
    ]
    row = build.Row().position(**dict(zip(row_names, row_figures, strict=True)))
    unit = build.unit(**dict(zip(unit_names, unit_figures, strict=True)), venue_ratio=ratio)
    snapshot = build.snapshot(units=[unit], positions=[row], age=age)

    first = build.judge(snapshot, MarginPolicy(max_leverage=D(5)))
    second = build.judge(build.book(10_000, seconds=2), previous=first)
    third = build.judge(snapshot, previous=second, now=build.at(4))

    assert {first.level, second.level, third.level} <= set(Level)
    if unit.initial_margin is None:
        assert not first.actionable


@given(equity=figures, pnl=figures)
def test_a_cash_account_is_safe_without_a_ratio(
    *, build: BUILD, equity: Decimal | None, pnl: Decimal | None
) -> None:
    unit = build.unit(
        "cash",
        kind=UnitKind.CASH,
        margin_equity=equity,
        wallet_balance=equity,
        unrealized_pnl=None if pnl is None else D(0),
        initial_margin=None,
        maintenance_margin=None,
        available_margin=None,
        measures=frozenset(),
    )
    judged = build.judge(build.snapshot(units=[unit]), MarginPolicy(max_leverage=D(1)))
    assert (judged.level, judged.is_cash) == (Level.SAFE, True)
    assert (judged.utilization, judged.maintenance_ratio) == (None, None)
    assert judged.actionable


@given(
    kind=st.sampled_from([kind for kind in UnitKind if kind is not UnitKind.CASH]),
    measures=st.sets(st.sampled_from(Measure), min_size=1),
    equity=figures,
)
def test_any_other_unit_without_its_figures_is_not_to_be_acted_upon(
    *, build: BUILD, kind: UnitKind, measures: set[Measure], equity: Decimal | None
) -> None:
    unit = build.unit(
        kind=kind,
        margin_equity=equity,
        initial_margin=None,
        maintenance_margin=None,
        available_margin=None,
        measures=frozenset(measures),
    )
    judged = build.judge(build.snapshot(units=[unit]))
    assert not judged.is_cash
    assert not judged.actionable
    assert Reason.MEASURE_UNKNOWN in {gate.reason for gate in judged.gates}


@given(
    equity=st.decimals(min_value="0.01", max_value=10**6, places=2),
    initial=st.decimals(min_value=0, max_value=10**6, places=2),
    maintenance=st.decimals(min_value=0, max_value=10**6, places=2),
    more=st.decimals(min_value=0, max_value=10**6, places=2),
)
def test_the_level_never_falls_with_more_requirement_or_less_equity(
    *, build: BUILD, equity: Decimal, initial: Decimal, maintenance: Decimal, more: Decimal
) -> None:
    def level(worth: Decimal, used: Decimal, needed: Decimal) -> Level:
        unit = build.unit(
            equity=worth,
            initial_margin=used,
            maintenance_margin=needed,
            available_margin=max(worth - used, D(0)),
        )
        return build.judge(build.snapshot(units=[unit])).level

    base = level(equity, initial, maintenance)

    assert level(equity, initial, maintenance + more) >= base
    assert level(equity, initial + more, maintenance) >= base
    assert level(equity - more, initial, maintenance) >= base


@given(
    equity=st.integers(min_value=1, max_value=10**6),
    initial=st.integers(min_value=0, max_value=10**6),
    maintenance=st.integers(min_value=0, max_value=10**6),
    scale=st.sampled_from(["0.001", "7", "1000000"]),
)
def test_the_level_does_not_depend_on_the_unit_of_money(
    *, build: BUILD, equity: int, initial: int, maintenance: int, scale: str
) -> None:
    def level(factor: Decimal) -> Level:
        unit = build.unit(
            equity=equity * factor,
            initial_margin=initial * factor,
            maintenance_margin=maintenance * factor,
            available_margin=max(equity - initial, 0) * factor,
        )
        return build.judge(build.snapshot(units=[unit])).level

    assert level(D(scale)) is level(D(1))
