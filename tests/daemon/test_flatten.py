"""A flatten once begun goes on until the venue shows the unit flat, and not a moment longer."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import VenueUnavailable
from brokers.models import OrderSide
from brokers.sandbox.spec import BookShape
from daemon.flatten import reset as release_by_hand
from daemon.risk.policy import Action, Ladder, Level, MarginPolicy
from daemon.risk.reason import Reason
from database.records import IntentKind

Desk = Any  # the fixture's type lives in conftest
D = Decimal

AT_ONCE = MarginPolicy(
    maintenance=Ladder(warning=D("0.05"), critical=D("0.06"), liquidation=D("0.085")),
    target_maintenance=D("0.04"),
    hysteresis=D("0.01"),
    actions={Level.LIQUIDATION: (Action.FLATTEN,)},
)


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def doomed(open_desk: Callable[..., Desk], venue_of: Callable[..., Any]) -> Desk:
    """An account whose policy is to close everything, in a book that takes several orders."""
    book = BookShape(half_spread=D("0.001"), level_spacing=D("0.001"), level_notional=D(10_000), levels=3)
    return open_desk(engine=venue_of(book=book), policy=AT_ONCE)


async def test_it_goes_on_below_the_target_until_everything_is_closed(doomed: Desk) -> None:
    await doomed.run()
    doomed.fall_to("0.95")
    await doomed.watch(60)

    assert {intent.kind for intent in doomed.intents()} == {IntentKind.FLATTEN}
    assert len(doomed.intents()) > 1
    assert doomed.held() == 0
    assert doomed.journal.latches.of(doomed.account) == ()
    assert doomed.journal.episodes.current(doomed.account) is None


async def test_it_goes_on_after_a_kill_though_prices_are_back(doomed: Desk) -> None:
    await doomed.run()
    doomed.fall_to("0.95")

    def kill(call: str, moment: str, _arguments: object) -> None:
        if (call, moment) == ("submit", "answered"):
            raise Killed

    doomed.line.at = kill
    with pytest.raises(Killed):
        await doomed.watch(60)
    doomed.line.at = lambda *_: None
    assert 0 < doomed.held() < 500
    doomed.move_to(D(130))
    doomed.restart()
    outcomes = await doomed.watch(90)

    assert doomed.held() == 0
    assert Reason.FLATTEN_LATCHED in {outcome.reason for outcome in outcomes}
    assert doomed.journal.latches.of(doomed.account) == ()


async def test_nothing_is_called_flat_that_is_not_seen(doomed: Desk) -> None:
    await doomed.run()
    doomed.fall_to("0.95")
    await doomed.run()
    doomed.venue.mishaps.fail_read(VenueUnavailable("down"), call="fetch_snapshot", times=10)
    await doomed.watch(8)

    assert [latch.name for latch in doomed.journal.latches.of(doomed.account)] == ["flatten:USDT"]
    await doomed.watch(90)
    assert doomed.journal.latches.of(doomed.account) == ()


def reset(desk: Desk, unit: str | None = None) -> tuple[str, ...]:
    with desk.journal.transaction():
        return release_by_hand(
            desk.journal,
            desk.account,
            desk.clock.now(),
            actor="somebody",
            reason="enough is closed",
            unit=unit,
        )


async def test_an_operators_reset_releases_it_by_hand_and_what_is_left_stays(doomed: Desk) -> None:
    await doomed.run()
    doomed.fall_to("0.95")
    await doomed.run()
    assert 0 < doomed.held() < 500
    doomed.move_to(D(130))
    assert reset(doomed, "somewhere else") == ()
    assert reset(doomed) == ("USDT",)
    left, sent = doomed.held(), len(doomed.received())
    doomed.restart()
    outcomes = await doomed.watch(60)

    assert (doomed.held(), len(doomed.received())) == (left, sent)
    assert Reason.FLATTEN_LATCHED not in {outcome.reason for outcome in outcomes}
    (cleared,) = doomed.events("latch_cleared")
    assert (cleared.detail["actor"], cleared.reason) == ("somebody", "enough is closed")
    assert doomed.journal.episodes.current(doomed.account) is None


async def test_a_reset_is_no_halt_while_the_unit_still_calls_for_it(doomed: Desk) -> None:
    await doomed.run()
    doomed.fall_to("0.95")
    await doomed.run()
    assert reset(doomed) == ("USDT",)
    doomed.fall_to("0.95")
    await doomed.watch(60)

    assert doomed.held() == 0
    assert len(doomed.events("latch_set")) == 2
    assert doomed.journal.latches.of(doomed.account) == ()


async def test_once_the_venue_has_shown_it_flat_there_is_nothing_to_reset(doomed: Desk) -> None:
    await doomed.run()
    doomed.fall_to("0.95")
    await doomed.watch(90)
    assert doomed.held() == 0
    assert reset(doomed) == ()


async def test_a_position_opened_after_it_is_left_alone(doomed: Desk) -> None:
    await doomed.run()
    doomed.fall_to("0.95")
    await doomed.watch(90)
    assert doomed.held() == 0
    sent = len(doomed.received())
    doomed.trade(OrderSide.BUY, 50)
    await doomed.watch(60)

    assert doomed.held() == 50
    assert len(doomed.received()) == sent
