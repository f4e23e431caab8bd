"""What a cycle does without a picture it can trust, and without a journal."""

import io
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import (
    Banned,
    BrokerError,
    ClockRefused,
    MalformedAnswer,
    RateLimited,
    RequestRefused,
    Unauthorized,
    VenueUnavailable,
)
from brokers.models import AccountMode, OrderSide, PositionMode
from brokers.sandbox.history import OrderPlaced
from brokers.sandbox.orders import OrderType
from daemon.risk.assessment import Protection
from daemon.risk.policy import Level, MarginPolicy, ReductionLimits
from daemon.risk.reason import Reason
from database.errors import JournalBusy, JournalFailed
from database.records import IntentState

Desk = Any  # the fixture's type lives in conftest
D = Decimal


@contextmanager
def foreign_lock(desk: Desk) -> Iterator[None]:
    """Hold the journal's write lock from outside, as a maintenance tool would."""
    with closing(sqlite3.connect(desk.folder / "journal.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (VenueUnavailable("no answer"), Reason.VENUE_UNAVAILABLE),
        (RateLimited("slow down", retry_after=3), Reason.RATE_LIMITED),
        (Banned("go away", retry_after=60), Reason.BANNED),
        (MalformedAnswer("<html>"), Reason.MALFORMED_ANSWER),
        (RequestRefused("no", code="1"), Reason.REQUEST_REFUSED),
        (ClockRefused("late", code="10002"), Reason.CLOCK_REFUSED),
        (Unauthorized("revoked", code="33004"), Reason.UNAUTHORIZED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BrokerError) else value.value,
)
async def test_without_data_for_two_polls_the_account_is_unprotected_and_nothing_is_sent(
    desk: Desk, error: BrokerError, reason: Reason
) -> None:
    await desk.watch(4)
    desk.fall_to("0.95")
    desk.venue.mishaps.fail_read(error, call="fetch_snapshot", times=10_000)
    outcomes = await desk.watch(10)

    assert [o.protection for o in outcomes[:2]] == [Protection.PROTECTED, Protection.UNPROTECTED]
    assert {(o.reason, o.doing) for o in outcomes} == {(reason, "hold")}
    (lost,) = desk.events("protection_lost")
    assert (lost.reason, lost.message) == (reason.value, f"protection lost: {error}")
    assert desk.received() == []


async def test_a_mode_changed_under_way_leaves_the_account_unprotected_until_it_has_settled(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.watch(4)
    desk.fall_to("0.95")
    other = AccountMode(label="another", margin_mode=None, position_mode=PositionMode.ONE_WAY)
    monkeypatch.setattr("brokers.sandbox.snapshot.account_mode", lambda _: other)
    outcomes = await desk.watch(9)

    assert outcomes[0].protection is Protection.UNPROTECTED
    assert {outcome.protection for outcome in outcomes} == {Protection.UNPROTECTED}
    assert {outcome.reason for outcome in outcomes} == {Reason.MODE_CHANGED}
    assert desk.received() == []

    await desk.watch(10)
    assert [event.kind for event in desk.events() if event.kind.startswith("protection")] == [
        "protection_lost",
        "protection_regained",
    ]
    assert len(desk.received()) == 1


async def test_an_unprotected_account_is_read_more_often(desk: Desk) -> None:
    await desk.watch(4)
    desk.venue.mishaps.fail_read(VenueUnavailable("down"), call="fetch_snapshot", times=10_000)
    await desk.watch(6)
    before = len(desk.line.log)
    await desk.watch(10)

    assert 9 <= len(desk.line.log) - before <= 11


async def test_when_data_is_back_the_account_is_protected_and_what_is_due_is_done(desk: Desk) -> None:
    await desk.watch(4)
    desk.fall_to("0.95")
    desk.venue.mishaps.fail_read(VenueUnavailable("down"), call="fetch_snapshot", times=20)
    await desk.watch(60)

    assert [e.kind for e in desk.events() if e.kind.startswith("protection")] == [
        "protection_lost",
        "protection_regained",
    ]
    assert len(desk.received()) == 1


async def test_an_outage_in_the_middle_of_an_episode_sends_nothing_until_the_picture_is_back(
    desk: Desk,
) -> None:
    await desk.run()
    desk.fall_to("1.9")  # one step leaves 95 %
    await desk.run()
    desk.venue.mishaps.fail_read(VenueUnavailable("down"), call="fetch_snapshot", times=30)
    await desk.watch(20)
    assert len(desk.received()) == 1

    await desk.watch(30)
    assert len(desk.received()) == 2
    assert desk.utilization() <= D("0.60")


async def test_a_failed_confirming_read_confirms_nothing(desk: Desk) -> None:
    await desk.run()
    desk.fall_to("0.95")
    reads = 0

    def cut_second(call: str, moment: str, _arguments: object) -> None:
        nonlocal reads
        reads += call == "fetch_snapshot" and moment == "leaves"
        if (call, moment, reads) == ("fetch_snapshot", "leaves", 2):
            raise VenueUnavailable("cut")

    desk.line.at = cut_second
    outcome = await desk.run()
    assert (outcome.level, outcome.doing) == (Level.LIQUIDATION, "hold")
    assert desk.received() == []


async def test_a_frozen_picture_is_not_acted_upon_and_becomes_an_alarm(desk: Desk) -> None:
    await desk.run()
    desk.fall_to("0.95")
    desk.venue.freeze()
    desk.clock.turn(6)  # older than act_max_age
    outcomes = await desk.watch(20)

    assert desk.received() == []
    assert outcomes[-1].protection is Protection.UNPROTECTED
    assert outcomes[-1].reason is Reason.STALE
    desk.venue.thaw()
    await desk.watch(5)
    assert len(desk.received()) == 1


async def test_a_venue_that_cannot_be_connected_is_an_alarm_and_tried_again(desk: Desk) -> None:
    desk.venue.mishaps.fail_read(VenueUnavailable("no route"), call="connect", times=10)
    outcomes = await desk.watch(9)
    assert {o.reason for o in outcomes} == {Reason.VENUE_UNAVAILABLE}
    assert "fetch_snapshot" not in desk.line.log
    assert outcomes[-1].protection is Protection.UNPROTECTED

    outcomes = await desk.watch(20)
    assert outcomes[-1].protection is Protection.PROTECTED
    assert desk.line.log.count("connect") == 11  # once it has worked it is not repeated


async def test_a_journal_that_is_busy_means_that_nothing_is_sent_and_later_everything_is(
    desk: Desk,
) -> None:
    await desk.run()
    desk.fall_to("0.95")
    with foreign_lock(desk), pytest.raises(JournalBusy):
        await desk.run()
    assert desk.received() == []

    await desk.watch(5)
    assert len(desk.received()) == 1
    assert [e.kind for e in desk.events()][:3] == ["level_rose", "confirmed", "episode_began"]
    assert desk.journal.episodes.current(desk.account) is None
    assert [row.quantity for row in desk.position_rows()] == [D(500), desk.held()]


async def test_a_journal_that_fails_leaves_the_cycle_as_journal_failed_and_nothing_is_sent(
    desk: Desk,
) -> None:
    await desk.run()
    desk.fall_to("0.95")

    def refuse(moment: str) -> None:
        if moment == "commits":
            raise JournalFailed("input/output error")

    desk.at_commit = refuse
    with pytest.raises(JournalFailed):
        await desk.run()
    assert desk.received() == []
    assert desk.intents() == []


async def test_a_bug_in_the_adapter_after_the_commit_is_no_trap_for_the_cycles_that_follow(
    desk: Desk,
) -> None:
    await desk.run()
    desk.fall_to("0.95")

    def break_once(call: str, moment: str, _arguments: object) -> None:
        if (call, moment) == ("submit", "leaves"):
            desk.line.at = lambda *_: None
            raise KeyError("result")

    desk.line.at = break_once
    with pytest.raises(KeyError):
        await desk.run()
    assert [intent.state for intent in desk.intents()] == [IntentState.SENT]

    await desk.watch(30)
    assert [intent.state for intent in desk.intents()] == [IntentState.ABSENT, IntentState.FILLED]
    assert desk.utilization() <= D("0.60")


async def test_open_orders_that_cannot_be_read_do_not_keep_a_position_from_being_cut(desk: Desk) -> None:
    desk.venue.mishaps.fail_read(VenueUnavailable("down"), call="fetch_open_orders", times=10_000)
    await desk.run()
    desk.fall_to("0.95")
    outcome = await desk.run()

    assert outcome.doing == "reduce"
    assert len(desk.received()) == 1


async def test_a_bug_while_reading_open_orders_does_not_keep_a_position_from_being_cut(
    desk: Desk, log: io.StringIO
) -> None:
    def break_always(call: str, _moment: str, _arguments: object) -> None:
        if call == "fetch_open_orders":
            raise KeyError("list")

    desk.line.at = break_always
    await desk.run()
    desk.fall_to("0.95")
    outcome = await desk.run()

    assert outcome.doing == "reduce"
    assert "provision_failed" in log.getvalue()


async def test_open_orders_unreadable_at_critical_are_cancelled_once_they_can_be_read(desk: Desk) -> None:
    order = desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
    desk.venue.mishaps.fail_read(VenueUnavailable("down"), call="fetch_open_orders", times=5)
    await desk.run()
    desk.fall_to("0.85")
    await desk.watch(20)

    assert desk.cancelled() == [order]


async def test_orders_that_come_back_at_each_excursion_are_cancelled_at_each(desk: Desk) -> None:
    cancelled = []
    for _ in range(5):
        cancelled.append(desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50)))
        desk.fall_to("0.85")
        await desk.watch(10)
        desk.fall_to("0.50")
        await desk.watch(20)

    assert desk.cancelled() == cancelled


async def test_orders_that_come_back_at_once_are_not_chased_for_ever(desk: Desk) -> None:
    """Somebody else's bot places them again; three rounds, then the ladder goes on without."""
    desk.fall_to("0.85")

    def place_again(call: str, moment: str, _arguments: object) -> None:
        if (call, moment) == ("fetch_open_orders", "leaves"):
            desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))

    desk.line.at = place_again
    await desk.watch(60)

    assert [plan.decision for plan in desk.plans()] == ["cancel_orders"] * 3


async def test_the_wall_clock_may_step_in_an_episode_and_nothing_but_timestamps_changes(
    open_desk: Callable[..., Desk],
) -> None:
    histories = []
    for skew in (0, 3600, -3600):
        desk = open_desk()
        await desk.run()
        desk.fall_to("1.3")
        await desk.run()
        desk.clock.skew_s = skew
        await desk.watch(30)
        placed = [event for event in desk.engine.history if isinstance(event, OrderPlaced)]
        histories.append([(e.ms, e.order.spec.quantity, e.order.spec.price) for e in placed])

    assert histories[0] == histories[1] == histories[2]
    assert len(histories[0]) == 2


async def test_a_wall_clock_that_is_set_back_does_not_use_up_the_budgets(
    open_desk: Callable[..., Desk],
) -> None:
    limits = ReductionLimits(step_fraction=D("0.02"), orders_per_minute=6, positions_per_step=1)
    desk = open_desk(policy=MarginPolicy(limits=limits))
    await desk.run()
    desk.fall_to("0.95")
    await desk.watch(120)
    before = len(desk.received())
    assert before >= 10
    desk.clock.skew_s = -3600
    outcomes = await desk.watch(120)

    assert len(desk.received()) > before
    assert outcomes[-1].utilization <= D("0.60") or len(desk.received()) >= before + 10


async def test_a_sample_of_a_failed_commit_is_written_with_the_next(desk: Desk) -> None:
    with foreign_lock(desk), pytest.raises(JournalBusy):
        await desk.run()
    await desk.run()

    assert len(desk.samples()) == 1
    assert len(desk.position_rows()) == 1
