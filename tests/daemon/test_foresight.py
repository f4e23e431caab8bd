"""The forecast in the cycle: announced in log and history before the level, and shown with every cycle."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from daemon.risk.policy import Level, Mode
from tests.daemon.conftest import Desk

D = Decimal


async def test_a_slide_is_announced_before_it_arrives(open_desk: Callable[..., Desk], desk: Desk) -> None:
    policy = replace(desk.policy, forecast_lead=timedelta(minutes=5))
    desk = open_desk(engine=desk.engine, policy=policy, mode=Mode.OBSERVE)
    for step in range(8):  # a point and a half of utilization in 16 seconds
        desk.fall_to(D("0.50") + D("0.015") * step)
        outcomes = await desk.watch(16)

    (event,) = [event for event in desk.events() if event.kind == "call_ahead"]
    assert (event.level, event.reason) == ("critical", "call_ahead")
    assert "by utilization in" in event.message
    assert outcomes[-1].level is Level.SAFE
    assert outcomes[-1].outlook is not None
    assert outcomes[-1].outlook.early < timedelta(minutes=5)


async def test_the_shock_is_where_the_venue_itself_sees_the_level(desk: Desk) -> None:
    desk.fall_to("0.5")
    outcome = await desk.run()
    assert outcome.shock is not None
    assert outcome.shock.level is Level.LIQUIDATION
    assert outcome.outlook is None

    desk.engine.move_price("X", 1 + outcome.shock.move * D("0.98"))
    assert (await desk.run()).level < Level.LIQUIDATION
    desk.fall_to("0.5")
    desk.engine.move_price("X", 1 + outcome.shock.move * D("1.02"))
    assert (await desk.run()).level is Level.LIQUIDATION
