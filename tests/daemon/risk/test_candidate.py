from decimal import Decimal
from typing import Any

from brokers.models import MarginMode, Side
from daemon.risk.candidate import Candidate, candidates
from daemon.risk.picture import picture
from daemon.risk.policy import MarginPolicy
from daemon.risk.shortfall import Shortfall, shortfalls

D = Decimal
BUILD = Any


def choices(build: BUILD, *rows: Any, equity: int = 100_000) -> tuple[Candidate, ...]:  # noqa: ANN401 - rows
    snapshot = build.book(equity, rows)
    (unit,) = picture(snapshot)
    return candidates(unit.positions, snapshot, market=False)


def open_shortfalls(build: BUILD, *rows: Any, equity: int) -> tuple[Shortfall, ...]:  # noqa: ANN401 - rows
    snapshot = build.book(equity, rows)
    (unit,) = picture(snapshot)
    return tuple(left for left in shortfalls(unit, snapshot, MarginPolicy()) if left.is_open)


def legs(candidate: Candidate) -> list[tuple[str, Side]]:
    return [(leg.position.symbol, leg.position.side) for leg in candidate.legs]


def test_a_position_without_an_opposite_stands_alone(build: BUILD) -> None:
    found = choices(build, build.Row(), build.Row(symbol="ETHUSDT", side=Side.SHORT))

    assert [legs(candidate) for candidate in found] == [
        [("BTCUSDT", Side.LONG)],
        [("ETHUSDT", Side.SHORT)],
    ]
    assert [candidate.most for candidate in found] == [1, 1]


def test_a_hedge_offers_its_overhang_and_then_both_legs(build: BUILD) -> None:
    short = build.Row(hedged=True, side=Side.SHORT)
    (tilted,) = choices(build, build.Row(hedged=True, quantity="3"), short)
    (balanced,) = choices(build, build.Row(hedged=True), short)

    assert (legs(tilted), tilted.most) == ([("BTCUSDT", Side.LONG)], 2)
    assert tilted.twin is not None
    assert (tilted.twin.position.side, tilted.in_all) == (Side.SHORT, 3)  # the pair goes in steps to come
    assert (len(balanced.legs), balanced.most, balanced.notional) == (2, 1, 100_000)


def test_an_overhang_below_the_minimum_counts_as_balanced(build: BUILD) -> None:
    short = build.Row(hedged=True, side=Side.SHORT, quantity="0.9999")
    (found,) = choices(build, build.Row(hedged=True), short)

    assert len(found.legs) == 2
    assert found.most == D("0.9999")


def test_both_legs_free_and_cost_what_they_do_together(build: BUILD) -> None:
    rows = (build.Row(hedged=True), build.Row(hedged=True, side=Side.SHORT, initial="0.2"))
    (found,) = choices(build, *rows)
    (short,) = open_shortfalls(build, *rows, equity=20_000)[:1]

    assert found.relief(short) == 15_000
    assert found.cost(D("0.001")) == 100


def hedge_choices(build: BUILD, long: str, short: str, *excluded: Side, **rules: Decimal) -> list[Any]:
    rows = (build.Row(hedged=True, quantity=long), build.Row(hedged=True, side=Side.SHORT, quantity=short))
    snapshot = build.book(100_000, rows, markets=[build.rules(**rules)])
    (unit,) = picture(snapshot)
    resting = [row.position.key for row in unit.positions if row.position.side in excluded]
    found = candidates(unit.positions, snapshot, market=False, excluded=resting)
    return [([side for _, side in legs(candidate)], candidate.most) for candidate in found]


def test_a_leg_whose_twin_rests_does_not_stand_alone(build: BUILD) -> None:
    assert hedge_choices(build, "4.5", "3.5", Side.LONG) == []
    assert hedge_choices(build, "2", "2", Side.LONG) == []
    assert hedge_choices(build, "2", "2", Side.SHORT) == []


def test_the_overhang_can_go_whatever_the_smaller_leg_does(build: BUILD) -> None:
    assert hedge_choices(build, "4.5", "3.5", Side.SHORT) == [([Side.LONG], 1)]
    assert hedge_choices(build, "4.5", "0.5", min_quantity=D(1)) == [([Side.LONG], 4)]


def test_a_pair_with_a_leg_too_small_to_order_is_left_alone(build: BUILD) -> None:
    assert hedge_choices(build, "1.2", "0.5", min_quantity=D(1)) == []


def test_the_larger_leg_of_a_pair_stands_first(build: BUILD) -> None:
    assert hedge_choices(build, "1.9999", "2") == [([Side.SHORT, Side.LONG], D("1.9999"))]


def test_two_positions_on_one_side_are_no_hedge(build: BUILD) -> None:
    isolated = build.Row(margin_mode=MarginMode.ISOLATED)
    found = choices(build, build.Row(), isolated)

    assert [len(candidate.legs) for candidate in found] == [1, 1]
