from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import (
    AccountMode,
    AccountSnapshot,
    Collateral,
    MarginMode,
    Measure,
    PositionMode,
    UnitKind,
)
from daemon.risk.assessment import Assessment, Protection
from daemon.risk.policy import Level
from daemon.risk.reason import Reason

D = Decimal
BUILD = Any


def reasons(assessment: Assessment) -> list[Reason]:
    return [gate.reason for gate in assessment.gates]


def watch(build: BUILD, *snapshots: AccountSnapshot) -> list[Assessment]:
    """Judge `snapshots` one after the other."""
    seen: list[Assessment] = []
    for snapshot in snapshots:
        seen.append(build.judge(snapshot, previous=seen[-1] if seen else None))
    return seen


def two_coins(build: BUILD, *, seconds: float = 0, **changes: object) -> AccountSnapshot:
    rows = [build.Row(), build.Row(symbol="ETHUSDT", quantity="10", mark="3000", entry="3000")]
    return build.book(10_000, rows, seconds=seconds, **changes)


def test_an_unchanged_picture_raises_nothing(build: BUILD) -> None:
    for assessment in watch(build, *(build.book(10_000, seconds=second) for second in range(0, 10, 2))):
        assert reasons(assessment) == []


def test_a_position_gone_with_its_margin_was_closed(build: BUILD) -> None:
    _, after = watch(build, two_coins(build), build.book(10_000, seconds=2))

    assert reasons(after) == []


def test_a_position_gone_while_its_margin_stands_is_not_believed(build: BUILD) -> None:
    torn = replace(two_coins(build, seconds=2), positions=build.book(1).positions)
    _, after = watch(build, two_coins(build), torn)

    assert reasons(after) == [Reason.POSITIONS_VANISHED]
    assert not after.actionable
    assert after.protection is Protection.UNPROTECTED


def test_a_rising_market_does_not_hide_that_a_closed_position_took_its_margin(build: BUILD) -> None:
    # the small position is closed while the large one's margin rises by more than it freed
    rows = [build.Row(quantity="10"), build.Row(symbol="ETHUSDT", quantity="0.1", mark="3000", entry="3000")]
    before = build.book(100_000, rows)
    after = build.book(110_000, [build.Row(quantity="10", mark="51000")], seconds=2)

    assert reasons(watch(build, before, after)[-1]) == []


def test_a_vanished_position_is_believed_once_the_picture_has_stood_for_ten_seconds(build: BUILD) -> None:
    def torn(seconds: float) -> AccountSnapshot:
        return replace(two_coins(build, seconds=seconds), positions=build.book(1).positions)

    seen = watch(build, two_coins(build), *(torn(second) for second in (2, 4, 6, 8, 10, 12, 14)))

    assert [assessment.actionable for assessment in seen] == [True] + [False] * 5 + [True] * 2


def test_nothing_left_while_maintenance_stands_is_never_believed(build: BUILD) -> None:
    empty = [replace(two_coins(build, seconds=second), positions=()) for second in range(2, 200, 2)]
    seen = watch(build, two_coins(build), *empty)

    assert all(reasons(assessment) == [Reason.POSITIONS_VANISHED] for assessment in seen[1:])
    assert reasons(build.judge(two_coins(build, seconds=201), previous=seen[-1])) == []


def test_nothing_left_with_the_figures_agreeing_takes_a_second_read(build: BUILD) -> None:
    flat = [build.book(10_000, [], seconds=second) for second in (2, 2.3, 2.4)]
    seen = watch(build, build.book(10_000), *flat)

    assert [reasons(assessment) for assessment in seen] == [
        [],
        [Reason.POSITIONS_VANISHED],
        [Reason.POSITIONS_VANISHED],
        [],
    ]
    assert seen[1].protection is Protection.PROTECTED  # a doubt, not a fault


def test_an_isolated_unit_gone_with_its_position_takes_a_second_read(build: BUILD) -> None:
    parent = build.unit("USDT", kind=UnitKind.CURRENCY)
    child = build.unit(
        "BTCUSDT",
        kind=UnitKind.ISOLATED_POSITION,
        parent="USDT",
        maintenance_margin=D(2500),
        measures=frozenset({Measure.MAINTENANCE}),
    )
    other = build.Row(symbol="ETHUSDT", unit="USDT", initial="0", maintenance="0").position()
    row = build.Row(unit="BTCUSDT").position()
    held = build.snapshot(units=[parent, child], positions=[row, other])
    gone = [build.snapshot(units=[parent], positions=[other], seconds=second) for second in (2, 4)]

    first, second, third = watch(build, held, *gone)

    assert reasons(first) == []
    assert [(gate.reason, gate.unit) for gate in second.gates] == [(Reason.POSITIONS_VANISHED, "BTCUSDT")]
    assert second.unit("USDT").actionable
    assert reasons(third) == []


def test_margin_figures_without_rows_must_fall_when_a_position_goes(build: BUILD) -> None:
    rows = [build.Row(maintenance=None), build.Row(symbol="ETHUSDT", maintenance=None)]
    before = build.book(10_000, rows, unit={"maintenance_margin": D(400)})
    stayed = build.book(10_000, rows[:1], unit={"maintenance_margin": D(400)}, seconds=2)
    fell = build.book(10_000, rows[:1], unit={"maintenance_margin": D(200)}, seconds=2)

    assert reasons(watch(build, before, stayed)[-1]) == [Reason.POSITIONS_VANISHED]
    assert reasons(watch(build, before, fell)[-1]) == []


def test_all_zero_after_something_is_not_believed_for_a_minute(build: BUILD) -> None:
    def empty(seconds: float) -> AccountSnapshot:
        zero = {"margin_equity": D(0), "available_margin": D(0), "wallet_balance": D(0)}
        return build.book(0, [], unit=zero, seconds=seconds)

    seen = watch(build, build.book(10_000), *(empty(second) for second in (2, 30, 61, 62)))

    assert [reasons(assessment) for assessment in seen] == [
        [],
        [Reason.EMPTIED],
        [Reason.EMPTIED],
        [Reason.EMPTIED],
        [],
    ]


def test_no_units_at_all_after_something_is_not_believed(build: BUILD) -> None:
    assert reasons(watch(build, build.book(10_000), build.snapshot(units=[], seconds=2))[-1]) == [
        Reason.EMPTIED
    ]


def test_an_account_that_was_always_empty_is_believed(build: BUILD) -> None:
    assert reasons(watch(build, build.snapshot(units=[]), build.snapshot(units=[], seconds=2))[-1]) == []


@pytest.mark.parametrize(
    ("before", "after", "doubted"),
    [("0.30", "0.49", False), ("0.30", "0.51", True), ("0.95", "0.70", True), ("0.95", "0.80", False)],
    ids=["up 19", "up 21", "down 25", "down 15"],
)
def test_a_leap_of_20_points_without_a_cause_is_read_again(
    *, build: BUILD, before: str, after: str, doubted: bool
) -> None:
    pictures = [
        build.levered(utilization=before),
        build.levered(utilization=after, seconds=2),
        build.levered(utilization=after, seconds=2.4),
    ]
    _, second, third = watch(build, *pictures)

    assert reasons(second) == ([Reason.JUMPED] if doubted else [])
    assert reasons(third) == []
    assert second.protection is Protection.PROTECTED


def test_a_leap_to_an_urgent_ratio_is_believed_by_the_very_next_read(build: BUILD) -> None:
    seen = watch(
        build,
        build.levered(utilization="0.3"),
        build.levered(utilization="0.98", seconds=2),
        build.levered(utilization="0.98", seconds=2.05),
    )

    assert [assessment.actionable for assessment in seen] == [True, False, True]


def test_a_leap_there_and_back_is_believed_neither_time_unseen(build: BUILD) -> None:
    seen = watch(
        build,
        build.levered(utilization="0.95"),
        build.levered(utilization="0.30", seconds=2),
        build.levered(utilization="0.95", seconds=4),
        build.levered(utilization="0.30", seconds=6),
    )

    assert [assessment.actionable for assessment in seen] == [True, False, True, False]


def test_a_leap_that_the_prices_explain_is_believed_at_once(build: BUILD) -> None:
    # 5x: a fall of 12 % takes 60 % of equity, and margins follow the notional
    before = build.book(10_000, [build.Row()])
    after = build.book(4_000, [build.Row(mark="44000")], seconds=2)

    _, seen = watch(build, before, after)

    assert seen.level is Level.LIQUIDATION
    assert reasons(seen) == []


def test_a_leap_beside_a_changed_quantity_is_believed_at_once(build: BUILD) -> None:
    before = build.book(10_000, [build.Row()])
    after = build.book(10_000, [build.Row(quantity="1.8")], seconds=2)

    assert reasons(watch(build, before, after)[-1]) == []


def test_another_account_mode_is_not_believed_for_ten_seconds(build: BUILD) -> None:
    hedge = AccountMode(label="hedge", margin_mode=MarginMode.CROSS, position_mode=PositionMode.HEDGE)
    changed = [build.book(10_000, seconds=second, mode=hedge) for second in (2, 8, 12, 14)]
    seen = watch(build, build.book(10_000), *changed)

    assert [reasons(assessment) for assessment in seen] == [
        [],
        [Reason.MODE_CHANGED],
        [Reason.MODE_CHANGED],
        [],
        [],
    ]


def test_equity_gone_is_alarmed_at_once_and_never_acted_upon(build: BUILD) -> None:
    seen = watch(
        build,
        build.book(10_000, [build.Row(entry="60000", mark="50000")]),
        *(build.book(-50, [build.Row(entry="60000", mark="39950")], seconds=s) for s in range(2, 90, 4)),
    )

    assert {assessment.level for assessment in seen[1:]} == {Level.LIQUIDATION}
    assert not any(assessment.actionable for assessment in seen[1:])
    assert all(Reason.EQUITY_BROKEN in reasons(assessment) for assessment in seen[1:])


@pytest.mark.parametrize("available", ["0", "-5"])
def test_a_lone_zero_of_available_margin_alarms_and_sells_nothing(build: BUILD, available: str) -> None:
    zeroed = {"available_margin": D(available)}
    seen = watch(
        build, build.book(10_000), *(build.book(10_000, unit=zeroed, seconds=s) for s in range(2, 30, 2))
    )

    assert all(assessment.level is Level.LIQUIDATION for assessment in seen[1:])
    assert all(Reason.AVAILABLE_MISMATCH in reasons(assessment) for assessment in seen[1:])
    assert not any(assessment.actionable for assessment in seen[1:])


def test_a_unit_whose_pnl_is_not_that_of_its_positions_is_of_another_moment(build: BUILD) -> None:
    frozen = build.book(10_000, [build.Row(entry="60000", mark="50000")], unit={"unrealized_pnl": D(0)})
    assert Reason.POSITIONS_PNL_MISMATCH in reasons(watch(build, frozen)[0])


def test_equity_gone_beside_a_full_wallet_is_never_believed(build: BUILD) -> None:
    zeroed = [build.book(10_000, unit={"margin_equity": D(0)}, seconds=second) for second in range(2, 60, 2)]
    seen = watch(build, build.book(10_000), *zeroed)

    assert all(Reason.EQUITY_MISMATCH in reasons(assessment) for assessment in seen[1:])
    assert not any(assessment.actionable for assessment in seen[1:])


def test_a_faulty_picture_is_neither_believed_nor_a_first_sighting(build: BUILD) -> None:
    stale_and_flat = build.book(10_000, [], seconds=2, age=6)
    flat = [build.book(10_000, [], seconds=second) for second in (4, 6)]
    seen = watch(build, build.book(10_000), stale_and_flat, *flat)

    assert [Reason.POSITIONS_VANISHED in reasons(assessment) for assessment in seen] == [
        False,
        True,
        True,
        False,
    ]


def test_a_faulty_picture_leaves_what_is_believed_where_it_was(build: BUILD) -> None:
    stale_and_flat = build.book(10_000, [], seconds=2, age=6)
    seen = watch(build, build.book(10_000), stale_and_flat, build.book(10_000, seconds=4))

    assert reasons(seen[-1]) == []


@pytest.mark.parametrize(
    ("debt", "believed"), [(D(1), True), (D(0), False), (None, False)], ids=["debt", "none", "not stated"]
)
def test_a_maintenance_margin_that_debt_explains_may_stand_with_nothing_left(
    *, build: BUILD, debt: Decimal | None, believed: bool
) -> None:
    owed = Collateral(currency="BTC", wallet_balance=D(-1), equity=D(-1), debt=debt)
    held = build.book(100_000, unit={"maintenance_margin": D(5_000)}, collaterals=[owed])
    flat = [
        build.book(100_000, [], unit={"maintenance_margin": D(5_200)}, collaterals=[owed], seconds=seconds)
        for seconds in (600, 602, 609, 610, 700)
    ]
    seen = watch(build, held, *flat)

    assert [assessment.actionable for assessment in seen] == [True, *[False] * 3, believed, believed]
