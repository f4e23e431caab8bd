from dataclasses import replace
from decimal import Decimal
from typing import Any

from brokers.models import UnitKind
from daemon.risk.answer import Act, Advise, Hold, Rung, RungState
from daemon.risk.breakers import Trip
from daemon.risk.policy import Action, Mode
from daemon.risk.reason import Reason

D = Decimal
SPENT = Trip(reason=Reason.ORDER_BUDGET, detail="30 orders within a minute")

BUILD = Any

LOOKED = {"cancellable_orders": 0}
"""Somebody looked for orders in this step and found none."""


def over(action: Action, reason: Reason, state: RungState = RungState.EXHAUSTED) -> Rung:
    return Rung(unit="account", action=action, state=state, reason=reason)


def test_a_unit_that_cannot_be_acted_upon_does_not_shield_the_others(build: BUILD) -> None:
    def shown(seconds: float, **broken: object) -> Any:  # noqa: ANN401 - a builder
        names = ("USDC", "USDT")
        units = [
            build.unit(
                key,
                equity=10_000,
                kind=UnitKind.CURRENCY,
                initial_margin=D(9_200),
                maintenance_margin=D(100),
                available_margin=D(800),
            )
            for key in names
        ]
        rows = [build.Row(unit=key, symbol=f"BTC{key}", maintenance="0.001").position() for key in names]
        units[0] = replace(units[0], **broken)
        return build.snapshot(units=units, positions=rows, seconds=seconds)

    watch = build.watch().show(shown(0)).show(shown(1)).show(shown(2, maintenance_margin=None))

    act = watch.decide(**LOOKED)
    assert isinstance(act, Act)
    assert act.facts.unit == "USDT"


def two_units(build: BUILD, seconds: float, **used: int) -> Any:  # noqa: ANN401 - a builder
    """Two settle currencies of 10,000 each, by the initial margin they use and what the venue needs of it."""
    units, rows = [], []
    for key, amount in used.items():
        units.append(
            build.unit(
                key,
                kind=UnitKind.CURRENCY,
                initial_margin=D(amount),
                available_margin=D(10_000 - amount),
                maintenance_margin=D(amount - 500),
            )
        )
        rows.append(build.Row(unit=key, symbol=f"BTC{key}", initial=None, maintenance=None).position())
    return build.snapshot(units=units, positions=rows, seconds=seconds)


def both_in_danger(build: BUILD) -> Any:  # noqa: ANN401 - a builder
    watch = build.watch()
    for seconds in (0, 1):
        watch.show(two_units(build, seconds, USDC=9_500, USDT=9_200))
    return watch


def test_a_latched_unit_that_has_nothing_to_give_makes_room_for_the_next(build: BUILD) -> None:
    watch = both_in_danger(build)
    latched = {**LOOKED, "flattening": frozenset({"USDC"})}
    dust = Rung(unit="USDC", action=Action.FLATTEN, state=RungState.EXHAUSTED, reason=Reason.DUST)
    spent = Rung(unit="USDC", action=Action.REDUCE, state=RungState.EXHAUSTED, reason=Reason.DUST)

    first = watch.decide(**latched)
    assert (first.action, first.facts.unit) == (Action.FLATTEN, "USDC")
    then = watch.decide(**latched, rungs=(dust, spent))
    assert isinstance(then, Act)
    assert (then.action, then.facts.unit) == (Action.REDUCE, "USDT")
    calm = watch.show(two_units(build, 3, USDC=9_500, USDT=1_000)).show(
        two_units(build, 4, USDC=9_500, USDT=1_000)
    )
    hold = calm.decide(**latched, rungs=(dust, spent))
    assert isinstance(hold, Hold)
    assert (hold.reason, hold.instead_of, hold.facts.unit) == (Reason.DUST, Action.FLATTEN, "USDC")


def test_the_steps_of_one_unit_are_not_those_of_another(build: BUILD) -> None:
    watch = both_in_danger(build)
    over_too = Rung(unit="USDC", action=Action.FLATTEN, state=RungState.FAILED, reason=Reason.DUST)

    act = watch.decide(**LOOKED, steps={"USDC": 40}, rungs=(over_too,))
    assert isinstance(act, Act)
    assert (act.action, act.facts.unit) == (Action.REDUCE, "USDT")
    assert watch.decide(**LOOKED, steps={"USDT": 40}).facts.unit == "USDC"


def test_a_unit_that_the_episode_budget_holds_back_does_not_hold_back_one_near_its_end(build: BUILD) -> None:
    def units(seconds: float) -> Any:  # noqa: ANN401 - a builder
        shown = two_units(build, seconds, USDC=9_900, USDT=9_200)
        far = replace(shown.units[0], maintenance_margin=D(100))
        return replace(shown, units=(far, shown.units[1]))

    watch = build.watch().show(units(0)).show(units(1))
    assert watch.assessment.worst.key == "USDC"
    act = watch.decide(**LOOKED, episodes_last_hour=99)

    assert isinstance(act, Act)
    assert act.facts.unit == "USDT"


def test_without_orders_left_another_unit_may_still_be_topped_up(build: BUILD) -> None:
    watch = both_in_danger(build)
    no_funds_for = Rung(unit="USDC", action=Action.TOP_UP, state=RungState.EXHAUSTED, reason=Reason.CALM)

    act = watch.decide(**LOOKED, funds=D(500), rungs=(no_funds_for,), trips=(SPENT,), may_step=False)
    assert isinstance(act, Act)
    assert (act.action, act.facts.unit) == (Action.TOP_UP, "USDT")


def test_a_unit_that_waits_for_approval_makes_room_for_the_next(build: BUILD) -> None:
    watch = build.watch()
    for seconds in (0, 1):
        watch.show(two_units(build, seconds, USDT=9_500, USDC=9_300))
    usdt, usdc = (Action.REDUCE, "USDT"), (Action.REDUCE, "USDC")

    def unit_of(**context: Any) -> tuple[type, str]:  # noqa: ANN401 - fields of a context
        decision = watch.decide(Mode.ADVISE, **LOOKED, **context)
        return type(decision), decision.facts.unit

    assert unit_of() == (Advise, "USDT")
    assert unit_of(proposed=frozenset({usdt})) == (Advise, "USDC")
    assert unit_of(proposed=frozenset({usdt, usdc})) == (Advise, "USDT")
    assert unit_of(proposed=frozenset({usdt}), approved=frozenset({usdc})) == (Act, "USDC")
