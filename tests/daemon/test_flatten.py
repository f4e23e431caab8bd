"""A flatten once begun goes on until the venue shows the unit flat, and not a moment longer."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import VenueUnavailable
from brokers.models import OrderSide
from brokers.sandbox.spec import BookShape
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
