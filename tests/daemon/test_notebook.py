"""What an account's cycles write down, and what a restart reads back."""

import json
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from brokers.errors import VenueUnavailable
from brokers.models import OrderSide
from brokers.sandbox.spec import OpeningWallet
from daemon.notebook import SAMPLE_EVERY_S
from daemon.risk.assessment import Protection
from daemon.risk.policy import Level, Mode
from daemon.risk.standing import Alarm
from database.carrier import Carrier
from database.engine import history_engine, history_url
from database.history import History
from database.upgrade import upgrade

Desk = Any  # the fixture's type lives in conftest
Open = Callable[..., Desk]
D = Decimal


async def test_margin_is_sampled_every_30_seconds_when_nothing_moves(desk: Desk) -> None:
    await desk.watch(10 * SAMPLE_EVERY_S)

    times = [row.time for row in desk.samples()]
    gaps = [round((later - earlier).total_seconds()) for earlier, later in pairwise(times)]
    assert len(times) == 10
    assert set(gaps) <= {30, 32}  # a poll later where half a minute was not quite over


@pytest.mark.parametrize(
    ("steps", "samples"),
    [
        (["0.505", "0.509", "0.505"], 1),  # less than a point off the last sample
        (["0.511"], 2),
        (["0.505", "0.511", "0.515"], 2),  # measured from the sample, not from the last read
        (["0.52", "0.54", "0.52"], 4),
    ],
)
async def test_margin_is_sampled_at_once_when_a_measure_has_moved_by_a_point(
    desk: Desk, steps: list[str], samples: int
) -> None:
    await desk.watch(2)
    for step in steps:
        desk.fall_to(step)
        await desk.watch(2)

    assert len(desk.samples()) == samples


async def test_a_sample_holds_what_the_venue_showed(
    open_desk: Open, venue_of: Callable[..., Any], spec: Callable[..., Any]
) -> None:
    desk = open_desk(engine=venue_of(spec(wallets={"USDT": OpeningWallet(balance=D(10_000))})))
    desk.move_to(D(96))
    await desk.run()

    (row,) = desk.samples()
    assert (row.account, row.broker, row.product, row.unit, row.currency, row.level) == (
        "desk",
        "sandbox",
        "engine",
        "USDT",
        "USDT",
        "safe",
    )
    assert (row.equity_balance, row.market_value) == (D(8_000), D(48_000))  # 10,000 - 500 x 4; 500 x 96
    assert (row.initial_margin, row.maintenance_margin, row.available_margin) == (D(4_800), D(480), D(3_200))
    assert (row.margin_utilization, row.maintenance_ratio) == (D("0.6"), D("0.06"))
    assert (row.maintenance_excess, row.effective_leverage) == (D(7_520), D(6))
    assert row.margin_ratio == D(8_000) / D(48_000)


async def test_a_position_is_written_with_the_sample_that_follows_its_change(desk: Desk) -> None:
    await desk.watch(4)
    desk.trade(OrderSide.SELL, 100)
    await desk.watch(4)
    desk.trade(OrderSide.SELL, 400)
    await desk.watch(4)

    assert [row.quantity for row in desk.position_rows()] == [D(500), D(400), D(0)]


async def test_each_transition_is_told_once_however_long_it_lasts(desk: Desk) -> None:
    desk.fall_to("0.75")
    await desk.watch(600)
    desk.fall_to("0.50")
    await desk.watch(60)

    assert [e.kind for e in desk.events()] == ["level_rose", "confirmed", "level_fell"]


async def test_a_standing_survives_a_restart_and_is_not_told_again(open_desk: Open) -> None:
    desk = open_desk(mode=Mode.OBSERVE)
    desk.fall_to("0.95")
    await desk.watch(5)
    before = [e.kind for e in desk.events()]
    desk.restart()
    outcomes = await desk.watch(5)

    assert [e.kind for e in desk.events()] == before
    assert (outcomes[0].level, outcomes[0].episode) == (Level.LIQUIDATION, 1)
    assert outcomes[0].transitions == ()


async def test_a_restart_within_an_episode_goes_on_with_its_number_and_steps(desk: Desk) -> None:
    await desk.run()
    desk.fall_to("1.3")  # two steps
    await desk.run()
    desk.restart()
    await desk.watch(30)

    assert [(i.episode, i.step) for i in desk.intents()] == [(1, 0), (1, 1)]
    assert [e.kind for e in desk.events() if e.kind.startswith("episode")] == [
        "episode_began",
        "episode_ended",
    ]


async def test_episodes_are_numbered_on_over_restarts(desk: Desk) -> None:
    for number in (1, 2, 3):
        desk.fall_to("0.95")
        await desk.watch(20)
        desk.restart()
        assert desk.journal.episodes.get(desk.account, number).outcome == "target_reached"

    assert desk.journal.episodes.get(desk.account, 4) is None


async def test_an_unprotected_account_is_unprotected_after_a_restart_until_the_picture_is_back(
    desk: Desk,
) -> None:
    await desk.watch(4)
    desk.venue.mishaps.fail_read(VenueUnavailable("down"), call="fetch_snapshot", times=10_000)
    await desk.watch(10)
    desk.restart()
    outcome = await desk.run()

    assert outcome.protection is Protection.UNPROTECTED
    assert [e.kind for e in desk.events()] == ["protection_lost"]


async def test_the_saved_standing_is_the_alarms_own_words(desk: Desk) -> None:
    desk.fall_to("0.75")
    await desk.watch(5)

    saved = desk.journal.alarms.get(desk.account)
    alarm = Alarm.from_json(json.loads(saved.state))
    assert (alarm.account_id, alarm.level, alarm.episode) == (desk.account, Level.WARNING, None)


async def test_everything_that_cycles_write_is_taken_by_the_history(desk: Desk, tmp_path: Path) -> None:
    desk.fall_to("0.95")
    await desk.watch(30)
    url = history_url("sqlite", tmp_path)
    upgrade(url)
    engine = history_engine(url)
    history = History(engine, desk.journal.install.install_id)
    waiting = len(desk.journal.outbox.batch(10_000))
    status = Carrier(desk.journal, history, desk.clock.now).drain()
    engine.dispose()

    assert (status.delivered, status.waiting, status.parked, status.last_error) == (waiting, 0, 0, None)
