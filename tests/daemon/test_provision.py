"""What is read beside the picture neither delays the cut nor is read more often than it is worth."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import VenueUnavailable
from brokers.models import OrderSide
from brokers.sandbox.orders import OrderType
from daemon.provision import LOOK_EVERY_S, PATIENCE_S
from daemon.risk.policy import Mode
from daemon.topup import TopUpCaps

Desk = Any  # the fixture's type lives in conftest
D = Decimal


@pytest.mark.parametrize("call", ["fetch_open_orders", "fetch_funding_balance"])
def test_a_venue_that_is_slow_here_delays_the_cut_by_a_moment_only(
    virtual: asyncio.Runner, open_desk: Callable[..., Desk], call: str
) -> None:
    desk = open_desk(loop=virtual.get_loop(), caps=TopUpCaps(per_day={"USDT": D(1000)}))
    desk.line.latency_ms[call] = 60_000
    desk.fall_to("0.98")  # urgent: confirmed at once
    outcome = virtual.run(desk.cycle.run())

    assert outcome.doing == "reduce"
    assert desk.clock.uptime() < PATIENCE_S + 0.1


def test_what_comes_while_the_picture_is_confirmed_costs_no_time(
    virtual: asyncio.Runner, open_desk: Callable[..., Desk]
) -> None:
    desk = open_desk(loop=virtual.get_loop())
    desk.line.latency_ms["fetch_open_orders"] = 300
    desk.fall_to("0.95")  # confirmed 400 ms later
    outcome = virtual.run(desk.cycle.run())

    assert outcome.doing == "reduce"
    assert desk.clock.uptime() < 0.45


async def test_open_orders_are_not_read_in_every_cycle(desk: Desk) -> None:
    desk.fall_to("0.85")
    await desk.watch(600)

    assert desk.line.log.count("fetch_open_orders") <= 600 / LOOK_EVERY_S + 1
    assert desk.line.log.count("fetch_snapshot") >= 590


async def test_a_cancellation_is_worth_a_second_look_at_once(desk: Desk) -> None:
    desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
    desk.fall_to("0.85")
    await desk.watch(5)

    assert desk.line.log.count("fetch_open_orders") == 2
    assert len(desk.cancelled()) == 1


async def test_a_failed_look_is_repeated_soon(desk: Desk) -> None:
    desk.venue.mishaps.fail_read(VenueUnavailable("down"), call="fetch_open_orders", times=1)
    order = desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
    desk.fall_to("0.85")
    await desk.watch(6)

    assert desk.cancelled() == [order]


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.ENFORCE])
async def test_nothing_is_fetched_for_an_account_that_is_calm(
    open_desk: Callable[..., Desk], mode: Mode
) -> None:
    desk = open_desk(mode=mode, caps=TopUpCaps(per_day={"USDT": D(1000)}))
    desk.fall_to("0.75")
    await desk.watch(60)

    assert not {"fetch_open_orders", "fetch_funding_balance"} & set(desk.line.log)


def test_orders_are_cancelled_though_the_funding_wallet_does_not_answer(
    virtual: asyncio.Runner, open_desk: Callable[..., Desk]
) -> None:
    desk = open_desk(loop=virtual.get_loop(), caps=TopUpCaps(per_day={"USDT": D(1000)}))
    desk.line.latency_ms["fetch_funding_balance"] = 60_000
    order = desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
    desk.fall_to("0.98")
    outcome = virtual.run(desk.cycle.run())

    assert outcome.doing == "cancel_orders"
    assert desk.cancelled() == [order]


def test_orders_that_come_too_late_for_one_picture_are_looked_for_again_soon(
    virtual: asyncio.Runner, open_desk: Callable[..., Desk]
) -> None:
    desk = open_desk(loop=virtual.get_loop())
    desk.line.latency_ms["fetch_open_orders"] = 5_000
    order = desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
    desk.fall_to("0.85")
    virtual.run(desk.watch(4))
    assert desk.cancelled() == []
    desk.line.latency_ms.clear()
    virtual.run(desk.watch(4))

    assert desk.cancelled() == [order]
