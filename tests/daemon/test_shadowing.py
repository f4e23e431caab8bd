"""What a guard that may not act writes down: what it would have done, once, and what became of it."""

import io
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import OrderSide
from daemon.risk.policy import Action, Mode
from daemon.shadow_report import scorecard

Desk = Any  # the fixtures' types live in conftest
D = Decimal


def told(desk: Desk) -> list[str]:
    return [event.message for event in desk.events() if event.kind.startswith("would_act")]


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.ADVISE])
async def test_what_would_be_cut_is_told_once_with_its_size_and_nothing_is_sent(
    *, open_desk: Callable[..., Desk], mode: Mode
) -> None:
    desk = open_desk(mode=mode)
    await desk.run()
    desk.fall_to("0.93")
    await desk.watch(10)
    (event,) = desk.events("would_act")
    assert event.message.startswith("would reduce with USDT (maintenance ")
    assert event.reason == "liquidation_reached"
    (order,) = event.detail["act"]["plan"]["orders"]
    assert (order["symbol"], order["side"], order["of"]) == ("X-USDT", "sell", "500")
    assert 0 < D(order["quantity"]) <= D(250), "sized: half of the position at most"
    assert event.detail["cancel"]["action"] == "cancel_orders"
    assert desk.received() == []
    assert desk.held() == 500
    card = scorecard(desk.events())
    assert (card.running, card.right_acts, card.false_acts, card.missed_acts) == (1, 0, 0, 0)


async def test_at_critical_only_cancelling_is_told_and_a_worse_level_tells_the_cut(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(mode=Mode.OBSERVE)
    await desk.run()
    desk.fall_to("0.85")
    await desk.watch(5)
    assert [message.split(" with ")[0] for message in told(desk)] == ["would cancel_orders"]
    desk.fall_to("0.93")
    await desk.watch(5)
    assert [message.split(" with ")[0] for message in told(desk)] == ["would cancel_orders", "would reduce"]
    first, second = desk.events("would_act")
    assert first.detail["began_at"] == second.detail["began_at"], "one excursion"


async def test_the_venues_liquidation_makes_it_a_right_act_with_its_lead_time(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(mode=Mode.OBSERVE)
    await desk.run()
    desk.fall_to("0.93")
    await desk.watch(10)
    acted = desk.events("would_act")[0].detail["act"]["at"]
    desk.move_to(D("80.1"))  # what is left of 10,000 is 50
    await desk.watch(5)
    assert desk.held() == 0
    (ended,) = desk.events("would_act_ended")
    assert (ended.detail["ending"], ended.detail["act"]["at"]) == ("liquidated", acted)
    card = scorecard(desk.events())
    assert (card.right_acts, card.missed_acts, card.running) == (1, 0, 0)
    (lead,) = card.before_liquidation
    assert 9 <= lead.total_seconds() <= 14


async def test_an_account_that_comes_back_by_itself_makes_it_a_false_act(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(mode=Mode.OBSERVE)
    await desk.run()
    desk.fall_to("0.93")
    await desk.watch(10)
    desk.move_to(D(100))
    await desk.watch(10)
    (ended,) = desk.events("would_act_ended")
    assert ended.message.startswith("USDT: came_back, ")
    assert ended.message.endswith(": false_act")
    assert scorecard(desk.events()).false_acts == 1
    desk.fall_to("0.93")
    await desk.watch(10)
    assert len(desk.events("would_act")) == 2, "the next excursion is told anew"


async def test_an_owner_who_closes_in_time_leaves_it_untold(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(mode=Mode.OBSERVE)
    await desk.run()
    desk.fall_to("0.93")
    await desk.watch(5)
    desk.trade(OrderSide.SELL, 250)
    await desk.watch(5)
    (ended,) = desk.events("would_act_ended")
    assert ended.detail["ending"] == "helped"
    assert scorecard(desk.events()).untold == 1


async def test_a_restart_goes_on_following_and_tells_nothing_twice(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(mode=Mode.OBSERVE)
    await desk.run()
    desk.fall_to("0.93")
    await desk.watch(5)
    desk.restart()
    await desk.watch(5)
    assert len(desk.events("would_act")) == 1
    desk.restart()
    desk.move_to(D("80.1"))
    await desk.watch(5)
    (ended,) = desk.events("would_act_ended")
    assert ended.detail["ending"] == "liquidated"
    desk.restart()
    await desk.watch(3)
    assert len(told(desk)) == 2


async def test_when_margind_may_act_after_all_the_excursion_is_overtaken(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(mode=Mode.OBSERVE)
    await desk.run()
    desk.fall_to("0.93")
    await desk.watch(5)
    desk.mode = Mode.ENFORCE
    desk.restart()
    await desk.watch(10)
    assert desk.held() < 500
    assert [event.detail["ending"] for event in desk.events("would_act_ended")] == ["overtaken"]
    assert len(told(desk)) == 2, "where it acts there is nothing to shadow"


async def test_a_unit_that_no_rung_may_cut_is_missed_when_the_venue_takes_it(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(mode=Mode.OBSERVE)
    levels = {
        level: (Action.CANCEL_ORDERS,) for level in desk.policy.actions if desk.policy.actions_at(level)
    }
    desk.policy = replace(desk.policy, actions=levels)
    desk.begin()
    await desk.run()
    desk.fall_to("0.93")
    await desk.watch(5)
    desk.move_to(D("80.1"))
    await desk.watch(5)
    assert scorecard(desk.events()).missed_acts == 1


async def test_what_cannot_be_read_of_the_last_process_is_given_up_loudly(
    open_desk: Callable[..., Desk], log: io.StringIO
) -> None:
    desk = open_desk(mode=Mode.OBSERVE)
    await desk.run()
    desk.fall_to("0.93")
    await desk.watch(3)
    saved = desk.journal.shadows.get("desk")
    with desk.journal.transaction():
        desk.journal.shadows.save(replace(saved, state='[{"unit": "USDT"}]'))
    desk.restart()
    await desk.watch(3)
    assert "shadows_unreadable" in log.getvalue()
    assert len(desk.events("would_act")) == 2
