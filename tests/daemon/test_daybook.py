"""The daily loss limit: what counts as lost, what holds once it is, and until when."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import VenueUnavailable
from brokers.models import OrderSide
from brokers.sandbox.history import Wallet
from brokers.sandbox.orders import OrderType, Trigger
from daemon.daybook import BROKEN, DOUBTED
from daemon.risk.daily_loss import Breach, DailyLoss
from daemon.risk.policy import Level, MarginPolicy, Mode
from daemon.risk.reason import Reason
from database.records import PlanState

Desk = Any  # the fixture's type lives in conftest
D = Decimal
EVENING = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
LATCH, DOUBT = BROKEN + "USDT", DOUBTED + "USDT"


@pytest.fixture
def limited(
    open_desk: Callable[..., Desk], venue_of: Callable[..., Any], spec: Callable[..., Any]
) -> Callable[..., Desk]:
    """Open a desk that may lose 1,000 of its 10,000 USDT a day, two hours before midnight."""

    def build(breach: Breach = Breach.CANCEL, *, mode: Mode = Mode.ENFORCE, **limit: Any) -> Desk:  # noqa: ANN401
        engine = venue_of(
            spec(funding={"USDT": D(100_000)}),
            start_ms=round(EVENING.timestamp() * 1000),
            tick_ms=60_000,
        )
        loss = DailyLoss(breach=breach, **(limit or {"amounts": {"USDT": D(1_000)}}))
        policy = MarginPolicy(forecast_lead=timedelta(0), daily_loss=loss)
        return open_desk(engine=engine, policy=policy, mode=mode)

    return build


def deposit(desk: Desk, amount: object) -> None:
    """Move money in (out, if negative) as the account's owner."""
    inward = D(str(amount)) > 0
    source, target = (Wallet.FUNDING, Wallet.TRADING) if inward else (Wallet.TRADING, Wallet.FUNDING)
    desk.engine.transfer(desk.account, "USDT", abs(D(str(amount))), source=source, target=target)


def latches(desk: Desk) -> list[str]:
    return [latch.name for latch in desk.journal.latches.of(desk.account)]


def moved(desk: Desk) -> list[Decimal]:
    """What was told to be moved, to the cent."""
    return [D(event.detail["amount"]).quantize(D("0.01")) for event in desk.events("money_moved")]


async def test_a_loss_beyond_the_limit_is_seen_twice_told_once_and_keeps_orders_away(
    limited: Callable[..., Desk],
) -> None:
    desk = limited()
    await desk.watch(4)
    desk.rest(OrderSide.SELL, 1, trigger=Trigger(price=D(80)), reduce_only=True)  # a stop, which stays
    first = desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
    desk.move_to(D("97.9"))  # 1,050 lost; utilization 55 %
    outcome = await desk.run()
    assert (latches(desk), desk.cancelled()) == ([], [])  # seen once

    await desk.clock.sleep(outcome.next_s)
    outcomes = await desk.watch(20)
    assert latches(desk) == [LATCH]
    assert desk.cancelled() == [first]
    later = []
    for _ in range(6):  # more often than a level would chase them
        later.append(desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50)))
        await desk.watch(40)
    assert desk.cancelled() == [first, *later]
    (event,) = desk.events("daily_loss")
    assert (event.reason, D(event.detail["loss"])) == ("daily_loss", D(1_050))
    assert (outcomes[-1].reason, outcomes[-1].level) == (Reason.DAILY_LOSS, Level.SAFE)
    assert desk.received() == []
    assert desk.held() == 500


async def test_what_is_moved_is_neither_loss_nor_profit(limited: Callable[..., Desk]) -> None:
    desk = limited()
    await desk.watch(4)
    deposit(desk, 5_000)
    await desk.watch(4)
    desk.move_to(D("98.2"))  # 900 lost
    await desk.watch(4)
    deposit(desk, -3_000)
    await desk.watch(4)
    assert moved(desk) == [D(5_000), D(-3_000)]
    assert latches(desk) == []

    desk.move_to(D("97.9"))
    await desk.watch(6)
    assert latches(desk) == [LATCH]
    assert D(desk.events("daily_loss")[0].detail["loss"]) == D(1_050)


async def test_a_share_is_of_what_the_day_began_with_and_what_came_since(
    limited: Callable[..., Desk],
) -> None:
    desk = limited(share=D("0.05"))
    await desk.watch(4)
    deposit(desk, 10_000)
    await desk.watch(4)
    desk.move_to(D("98.1"))  # 950 of 20,000
    await desk.watch(6)
    assert latches(desk) == []
    desk.move_to(D("97.9"))
    await desk.watch(6)
    assert latches(desk) == [LATCH]


async def test_trades_of_others_are_profit_and_loss(limited: Callable[..., Desk]) -> None:
    desk = limited()
    await desk.watch(4)
    for price, side, quantity in [("101", "sell", 200), ("99", "buy", 300), ("98", "sell", 250)]:
        desk.move_to(D(price))
        desk.trade(OrderSide(side), quantity)
        await desk.watch(4)
    desk.trade(OrderSide.SELL, 350)
    await desk.watch(4)
    assert desk.held() == 0
    # 500 x 1 - 300 x 2 - 600 x 1
    assert desk.unit().margin_equity == D(10_000 + 500 - 600 - 600)
    assert (moved(desk), latches(desk)) == ([], [])
    kept = desk.cycle._daybook._days["USDT"]
    assert kept.loss == D(700)


async def test_it_holds_over_a_restart_and_an_outage_until_the_next_day(limited: Callable[..., Desk]) -> None:
    desk = limited()
    await desk.watch(4)
    desk.move_to(D("97.9"))
    await desk.watch(6)
    desk.restart()
    order = desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
    await desk.watch(20)
    assert desk.cancelled() == [order]
    assert len(desk.events("daily_loss")) == 1

    desk.venue.mishaps.fail_read(VenueUnavailable("no answer"), call="fetch_snapshot", times=3)
    desk.clock.turn(2 * 3600 - 60)  # half a minute to midnight
    await desk.watch(10)
    assert latches(desk) == [LATCH]
    desk.clock.turn(30)
    await desk.watch(10)
    assert latches(desk) == []
    assert [event.reason for event in desk.events("day_began")] == ["day_began", "day_began"]
    order = desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
    await desk.watch(20)
    assert order not in desk.cancelled()

    desk.move_to(D("96.0"))  # 950 since midnight
    await desk.watch(10)
    assert latches(desk) == []
    desk.move_to(D("95.8"))
    await desk.watch(10)
    assert latches(desk) == [LATCH]


async def test_a_restart_after_hours_still_knows_what_was_moved_meanwhile(
    limited: Callable[..., Desk],
) -> None:
    desk = limited()
    await desk.watch(40)
    desk.move_to(D("99"))
    deposit(desk, -2_000)
    desk.clock.turn(3600)
    desk.restart()
    await desk.watch(10)
    assert moved(desk) == [D(-2_000)]
    assert latches(desk) == []
    assert desk.cycle._daybook._days["USDT"].loss == D(500)


async def test_an_operator_s_reset_forgives_what_was_lost(limited: Callable[..., Desk]) -> None:
    desk = limited()
    await desk.watch(4)
    desk.move_to(D("97.9"))
    await desk.watch(6)
    with desk.journal.transaction():
        desk.journal.latches.clear(
            desk.account, LATCH, desk.clock.now(), actor="kim", reason="seen, going on"
        )
    await desk.watch(20)
    assert latches(desk) == []
    assert desk.events("day_began")[-1].reason == "operator_reset"
    desk.move_to(D("96.1"))
    await desk.watch(6)
    assert latches(desk) == []
    desk.move_to(D("95.8"))
    await desk.watch(6)
    assert latches(desk) == [LATCH]


async def test_flatten_closes_and_closes_again_what_is_opened_while_it_holds(
    limited: Callable[..., Desk],
) -> None:
    desk = limited(Breach.FLATTEN)
    await desk.watch(4)
    desk.move_to(D("97.9"))
    await desk.watch(20)
    assert desk.held() == 0
    assert latches(desk) == [LATCH]
    desk.trade(OrderSide.BUY, 50)
    await desk.watch(20)
    assert desk.held() == 0
    assert all(order.reduce_only for order in desk.received())
    assert moved(desk) == []


@pytest.mark.parametrize("breach", [Breach.ALARM, Breach.CANCEL])
async def test_no_more_is_done_than_is_configured(limited: Callable[..., Desk], breach: Breach) -> None:
    desk = limited(breach)
    order = desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
    await desk.watch(4)
    desk.move_to(D("97.9"))
    await desk.watch(20)
    assert latches(desk) == [LATCH]
    assert desk.received() == []
    assert desk.cancelled() == ([] if breach is Breach.ALARM else [order])


async def test_in_advise_the_cancelling_is_proposed_and_waits(limited: Callable[..., Desk]) -> None:
    desk = limited(mode=Mode.ADVISE)
    desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
    await desk.watch(4)
    desk.move_to(D("97.9"))
    await desk.watch(60)
    (plan,) = desk.plans()
    assert (plan.decision, plan.reason, plan.state) == ("cancel_orders", "daily_loss", PlanState.PROPOSED)
    assert desk.cancelled() == []


async def test_observe_only_tells(limited: Callable[..., Desk]) -> None:
    desk = limited(Breach.FLATTEN, mode=Mode.OBSERVE)
    await desk.watch(4)
    desk.move_to(D("97.9"))
    outcomes = await desk.watch(10)
    assert latches(desk) == [LATCH]
    assert outcomes[-1].reason is Reason.OBSERVE_MODE
    assert desk.received() == []


async def test_what_goes_out_beside_trades_alarms_and_is_not_acted_upon(
    limited: Callable[..., Desk],
) -> None:
    desk = limited(Breach.FLATTEN)
    await desk.watch(4)
    desk.trade(OrderSide.SELL, 10)  # 1,000 of notional: 50 may be its slippage
    deposit(desk, -1_500)
    await desk.watch(10)
    assert latches(desk) == [DOUBT]
    (event,) = desk.events("daily_loss_in_doubt")
    assert event.detail["proven"] == "0"
    assert desk.received() == []

    desk.move_to(D("97.8"))  # 1,078 beyond doubt
    await desk.watch(10)
    assert LATCH in latches(desk)
    assert desk.held() == 0


async def test_a_bad_picture_breaks_no_limit(limited: Callable[..., Desk]) -> None:
    desk = limited(Breach.FLATTEN)
    await desk.watch(4)
    desk.venue.freeze()
    desk.move_to(D("97.9"))
    await desk.watch(30)
    assert latches(desk) == []


async def test_what_was_seen_once_before_a_gap_is_seen_twice_after_it(limited: Callable[..., Desk]) -> None:
    desk = limited(Breach.FLATTEN)
    await desk.watch(4)
    desk.move_to(D("97.9"))
    await desk.run()
    desk.restart()
    desk.clock.turn(600)
    await desk.run()
    assert (latches(desk), desk.received()) == ([], [])
    await desk.watch(6)
    assert latches(desk) == [LATCH]
