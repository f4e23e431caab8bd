"""Finding out what became of an order without a verdict, and never sending it again."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import VenueUnavailable
from brokers.models import OrderSide
from brokers.orders import OrderState, Verdict
from brokers.sandbox.broker import SandboxBroker
from brokers.sandbox.mishaps import Fate
from brokers.sandbox.orders import OrderSpec
from daemon.risk.reason import Reason
from daemon.settlement import (
    FORGOTTEN_MESSAGE,
    LINGERING_MESSAGE,
    PATIENCE,
    SILENT_MESSAGE,
    SLACK,
    UNSENT_MESSAGE,
    Settlement,
)
from database.records import Intent, IntentKind, IntentState

Desk = Any  # the fixture's type lives in conftest
D = Decimal
S = IntentState
TTL = timedelta(seconds=5)


def journal_intent(desk: Desk, *path: IntentState, intent_id: str = "6d67" + "0" * 28) -> Intent:
    """Journal an intent and move it along `path`; its deadline is the usual one."""
    intent = Intent(
        intent_id=intent_id,
        account=desk.account,
        symbol="X-USDT",
        side="long",
        margin_mode="cross",
        episode=1,
        step=0,
        attempt=1,
        kind=IntentKind.REDUCE,
        reason="above_target",
        created_at=desk.clock.now(),
        quantity=D(100),
        quantity_before=D(500),
        deadline=desk.venue.venue_now() + TTL,
    )
    with desk.journal.transaction():
        desk.journal.intents.add(intent)
        for state in path:
            intent = desk.journal.intents.advance(intent.intent_id, state, desk.clock.now())
    return intent


@pytest.fixture
def settlement(desk: Desk) -> Settlement:
    return Settlement(broker=desk.line, journal=desk.journal, clock=desk.clock)


async def test_nothing_open_asks_nothing(desk: Desk, settlement: Settlement) -> None:
    assert await settlement.settle() == ()
    assert desk.line.log == []


async def test_a_planned_intent_never_left_and_is_abandoned_unasked(
    desk: Desk, settlement: Settlement
) -> None:
    journal_intent(desk)
    (settled,) = await settlement.settle()

    assert (settled.state, settled.message) == (S.ABANDONED, UNSENT_MESSAGE)
    assert desk.line.log == []


@pytest.mark.parametrize("path", [(S.SENT,), (S.SENT, S.UNKNOWN), (S.SENT, S.UNKNOWN, S.NOT_FOUND)])
async def test_one_absence_before_the_deadline_is_no_proof_however_often_it_is_seen(
    desk: Desk, settlement: Settlement, path: tuple[IntentState, ...]
) -> None:
    intent = journal_intent(desk, *path)
    while desk.venue.venue_now() < intent.deadline:
        await settlement.settle()
        desk.clock.turn(0.5)

    assert desk.journal.intents.get(intent.intent_id).state is S.NOT_FOUND
    assert settlement.open()


async def test_a_second_absence_after_the_deadline_and_its_slack_is_proof(
    desk: Desk, settlement: Settlement
) -> None:
    intent = journal_intent(desk, S.SENT)
    await settlement.settle()
    desk.clock.turn((TTL + SLACK).total_seconds() - 0.1)
    assert await settlement.settle() == ()

    desk.clock.turn(0.2)
    (settled,) = await settlement.settle()
    assert settled.state is S.ABSENT
    assert settled.intent_id == intent.intent_id
    assert settlement.open() == ()


async def test_a_first_absence_long_after_the_deadline_still_needs_a_second(
    desk: Desk, settlement: Settlement
) -> None:
    journal_intent(desk, S.SENT)
    desk.clock.turn(3600)

    assert [i.state for i in await settlement.settle()] == [S.NOT_FOUND]
    assert [i.state for i in await settlement.settle()] == [S.ABSENT]


async def test_the_lookup_that_proves_absence_was_asked_after_the_deadline_not_answered_after_it(
    desk: Desk, settlement: Settlement
) -> None:
    intent = journal_intent(desk, S.SENT, S.NOT_FOUND)
    desk.clock.turn((TTL + SLACK).total_seconds() - 1)
    desk.line.latency_ms["find_order"] = 3000
    await settlement.settle()

    assert desk.venue.venue_now() > intent.deadline + SLACK
    assert desk.journal.intents.get(intent.intent_id).state is S.NOT_FOUND


async def test_a_venue_that_never_answers_lookups_does_not_hold_the_account_for_ever(
    desk: Desk, settlement: Settlement
) -> None:
    journal_intent(desk, S.SENT)
    desk.venue.mishaps.fail_read(VenueUnavailable("down"), call="find_order", times=10_000)
    desk.clock.turn((TTL + PATIENCE).total_seconds() - 1)
    assert await settlement.settle() == ()

    desk.clock.turn(1.1)
    (settled,) = await settlement.settle()
    assert settled.state is S.ABSENT
    assert settled.message == f"{SILENT_MESSAGE}: down"


@pytest.mark.parametrize(
    ("silent", "message"), [(True, f"{SILENT_MESSAGE}: down"), (False, FORGOTTEN_MESSAGE)]
)
async def test_an_acknowledged_order_that_the_venue_forgets_is_never_called_absent(
    desk: Desk, settlement: Settlement, *, silent: bool, message: str
) -> None:
    journal_intent(desk, S.SENT, S.ACCEPTED)
    if silent:
        desk.venue.mishaps.fail_read(VenueUnavailable("down"), call="find_order", times=10_000)
    desk.clock.turn((TTL + PATIENCE).total_seconds() - 1)
    assert await settlement.settle() == ()

    desk.clock.turn(1.1)
    (settled,) = await settlement.settle()
    assert (settled.state, settled.message) == (S.CANCELLED, message)


@pytest.mark.parametrize("path", [(S.SENT,), (S.SENT, S.UNKNOWN), (S.SENT, S.UNKNOWN, S.NOT_FOUND)])
async def test_an_order_the_venue_knows_is_adopted_with_what_it_did(
    desk: Desk, settlement: Settlement, path: tuple[IntentState, ...]
) -> None:
    intent = journal_intent(desk, *path)
    place_at_venue(desk, intent)
    (settled,) = await settlement.settle()

    assert (settled.state, settled.filled) == (S.FILLED, D(100))
    assert settled.average_price == D("99.99")
    assert settled.venue_order_id is not None


def place_at_venue(desk: Desk, intent: Intent) -> None:
    """Let the venue execute what an intent asked for."""
    desk.engine.place(
        desk.account,
        OrderSpec(
            symbol=intent.symbol,
            side=OrderSide.SELL,
            quantity=intent.quantity,
            client_id=intent.intent_id,
            reduce_only=True,
        ),
    )


class Confused(SandboxBroker):
    """A venue that answers lookups with another order, or with one that never ends."""

    changes: dict[str, object]

    async def find_order(self, client_order_id: Any, symbol: Any) -> Any:  # noqa: ANN401 - the port's types
        report = await super().find_order(client_order_id, symbol)
        return None if report is None else replace(report, **self.changes)


async def test_a_lookup_that_answers_about_another_order_is_no_answer(desk: Desk) -> None:
    intent = journal_intent(desk, S.SENT, S.ACCEPTED)
    place_at_venue(desk, intent)
    venue = Confused(desk.engine, desk.account, desk.venue.account_id)
    venue.changes = {"verdict": Verdict.UNKNOWN, "state": None, "filled": None}
    settlement = Settlement(broker=venue, journal=desk.journal, clock=desk.clock)

    assert await settlement.settle() == ()
    desk.clock.turn(60)
    assert [i.state for i in await settlement.settle()] == [S.CANCELLED]


async def test_an_order_that_is_still_open_stays_open(desk: Desk) -> None:
    intent = journal_intent(desk, S.SENT)
    place_at_venue(desk, intent)
    venue = Confused(desk.engine, desk.account, desk.venue.account_id)
    venue.changes = {"state": OrderState.OPEN, "filled": D(0)}
    settlement = Settlement(broker=venue, journal=desk.journal, clock=desk.clock)

    assert [i.state for i in await settlement.settle()] == [S.ACCEPTED]
    assert await settlement.settle() == ()
    venue.changes = {}
    assert [i.state for i in await settlement.settle()] == [S.FILLED]


async def test_an_order_that_is_never_final_does_not_hold_the_account_for_ever(desk: Desk) -> None:
    intent = journal_intent(desk, S.SENT)
    place_at_venue(desk, intent)
    venue = Confused(desk.engine, desk.account, desk.venue.account_id)
    venue.changes = {"state": OrderState.OPEN, "filled": D(40)}
    settlement = Settlement(broker=venue, journal=desk.journal, clock=desk.clock)
    await settlement.settle()
    desk.clock.turn((TTL + PATIENCE).total_seconds() + 1)
    (settled,) = await settlement.settle()

    assert (settled.state, settled.filled, settled.message) == (S.CANCELLED, D(40), LINGERING_MESSAGE)


def test_open_intents_are_asked_for_at_once(virtual: asyncio.Runner, open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(loop=virtual.get_loop())
    for number in range(3):
        journal_intent_numbered(desk, number)
    desk.line.latency_ms["find_order"] = 2_000
    settled = virtual.run(desk.cycle._settlement.settle())

    assert [intent.state for intent in settled] == [S.NOT_FOUND] * 3
    assert desk.clock.uptime() == pytest.approx(2.0)


async def test_each_open_intent_is_asked_for_once_a_round(desk: Desk, settlement: Settlement) -> None:
    for number in range(3):
        intent = journal_intent_numbered(desk, number)
        assert intent.state is S.SENT
        desk.clock.turn(1)
    await settlement.settle()

    assert desk.line.log == ["find_order"] * 3


def journal_intent_numbered(desk: Desk, number: int) -> Intent:
    """Journal one of several open intents."""
    intent = Intent(
        intent_id=f"6d67{number:028x}",
        account=desk.account,
        symbol="X-USDT",
        side="long",
        margin_mode="cross",
        episode=1,
        step=number,
        attempt=1,
        kind=IntentKind.REDUCE,
        reason="above_target",
        created_at=desk.clock.now(),
        quantity=D(1),
        quantity_before=D(500),
        deadline=desk.venue.venue_now() + TTL,
        state=S.SENT,
    )
    with desk.journal.transaction():
        desk.journal.intents.add(intent)
    return intent


async def test_intents_of_other_accounts_are_not_asked_for(desk: Desk, settlement: Settlement) -> None:
    intent = replace(journal_intent(desk, S.SENT), account="other", intent_id="6d67" + "f" * 28, state=S.SENT)
    with desk.journal.transaction():
        desk.journal.intents.add(intent)
    await settlement.settle()

    assert desk.line.log == ["find_order"]
    assert desk.journal.intents.get(intent.intent_id).state is S.SENT


# ---------------------------------------------------------------- within the cycle


async def test_a_lost_answer_after_execution_is_adopted_and_nothing_is_cut_twice(desk: Desk) -> None:
    await desk.run()
    desk.fall_to("0.95")
    desk.venue.mishaps.doom_write(Fate.ANSWER_LOST)
    outcomes = await desk.watch(60)

    (intent,) = desk.intents()
    assert (intent.state, intent.filled) == (S.FILLED, intent.quantity)
    assert len(desk.received()) == 1
    assert outcomes[-1].reason is Reason.CALM
    assert D("0.59") < desk.utilization() <= D("0.60")


@pytest.mark.parametrize("delay_ms", [300, 3000, 4900])
async def test_an_order_that_is_executed_late_within_its_deadline_is_waited_for(
    desk: Desk, delay_ms: int
) -> None:
    await desk.run()
    desk.fall_to("0.95")
    desk.venue.mishaps.doom_write(Fate.LATE, delay_ms=delay_ms)
    await desk.watch(60)

    assert len(desk.received()) == 1
    assert [i.state for i in desk.intents()] == [S.FILLED]
    assert D("0.59") < desk.utilization() <= D("0.60")


async def test_an_order_that_comes_after_its_deadline_is_refused_by_the_venue_and_replaced(
    desk: Desk,
) -> None:
    await desk.run()
    desk.fall_to("0.95")
    desk.venue.mishaps.doom_write(Fate.LATE, delay_ms=5100)
    await desk.watch(60)

    assert [i.state for i in desk.intents()] == [S.ABSENT, S.FILLED]
    assert len(desk.fills()) == 1
    assert D("0.59") < desk.utilization() <= D("0.60")


async def test_an_order_that_never_arrived_is_replaced_only_after_proof(desk: Desk) -> None:
    await desk.run()
    desk.fall_to("0.95")
    desk.venue.mishaps.doom_write(Fate.NEVER_ARRIVED)
    outcome = await desk.run()
    sent_at = desk.clock.uptime()
    assert outcome.next_s == 0.5
    outcomes = await desk.watch(60)

    held = [o for o in outcomes if o.reason is Reason.SETTLING]
    assert len(held) >= 10
    assert all(o.doing == "hold" and o.next_s == 0.5 for o in held)
    first, second = desk.intents()
    assert (first.state, second.state) == (S.ABSENT, S.FILLED)
    assert second.created_at > first.deadline + SLACK
    assert desk.clock.uptime() - sent_at > 6.5
    assert len(desk.received()) == 1


async def test_while_an_order_is_unsettled_the_alarm_goes_on(desk: Desk) -> None:
    await desk.run()
    desk.fall_to("0.91")
    desk.venue.mishaps.doom_write(Fate.NEVER_ARRIVED)
    desk.venue.mishaps.fail_read(VenueUnavailable("down"), call="find_order", times=20)
    await desk.watch(3)
    desk.fall_to("0.60")
    await desk.watch(3)

    assert [e.level for e in desk.events("level_fell")] == ["safe"]


@pytest.mark.parametrize("rule", ["for_ever", "open_orders"])
async def test_whatever_lookups_answer_one_exposure_is_cut_by_one_order(
    open_desk: Callable[..., Desk], venue_of: Callable[..., Any], rule: str
) -> None:
    """Answers lost, lookups failing for a while: the position ends where one clean run ends it."""
    desk = open_desk(engine=venue_of(rules={"duplicate_client_ids": rule}))
    await desk.run()
    desk.fall_to("0.95")
    desk.venue.mishaps.doom_write(Fate.ANSWER_LOST)
    desk.venue.mishaps.fail_read(VenueUnavailable("down"), call="find_order", times=15)
    await desk.watch(120)

    assert len(desk.received()) == 1
    assert len(desk.fills()) == 1
    assert D("0.59") < desk.utilization() <= D("0.60")


async def test_a_silent_venue_is_given_up_on_and_the_next_order_is_sized_from_a_newer_picture(
    desk: Desk,
) -> None:
    """The order was executed, no lookup ever answers: the picture says so, and nothing more is cut."""
    await desk.run()
    desk.fall_to("0.95")
    desk.venue.mishaps.doom_write(Fate.ANSWER_LOST)
    desk.venue.mishaps.fail_read(VenueUnavailable("down"), call="find_order", times=10_000)
    await desk.watch(60)

    assert [i.state for i in desk.intents()] == [S.ABSENT]
    assert len(desk.received()) == 1
    assert D("0.59") < desk.utilization() <= D("0.60")
