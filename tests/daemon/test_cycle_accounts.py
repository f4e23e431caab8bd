"""De-levering accounts of other shapes: isolated, hedged, inverse, in contracts, with caps and with dust."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import ContractKind, MarginMode, OrderSide, PositionMode, Side
from brokers.sandbox.history import Actor
from brokers.sandbox.spec import BookShape, MarginPool, OpeningWallet
from daemon.risk.policy import Level
from daemon.risk.reason import Reason
from database.records import IntentState

Desk = Any  # the fixture's type lives in conftest
Build = Callable[..., Desk]
D = Decimal


@pytest.fixture
def build(open_desk: Callable[..., Desk], venue_of: Callable[..., Any], spec: Callable[..., Any]) -> Build:
    """Open a desk over an account of another shape; `instrument` changes what is listed."""

    def open_(*, instrument: dict[str, object] | None = None, **account: object) -> Desk:
        return open_desk(engine=venue_of(spec(**account), instrument=instrument))

    return open_


def ratio(desk: Desk, key: str) -> Decimal:
    """The maintenance ratio of a unit as it is."""
    unit = desk.venue_snapshot().unit(key)
    return unit.maintenance_margin / unit.margin_equity


async def test_an_isolated_position_near_its_liquidation_is_closed_and_no_other_is_touched(
    build: Build, opening: Callable[..., Any]
) -> None:
    """Cutting a part frees a part of its margin, which returns to the wallet: only being rid of it helps."""
    positions = (
        opening("X-USDT", 300, margin_mode=MarginMode.ISOLATED),
        opening("Y-USDT", 50, margin_mode=MarginMode.ISOLATED),
    )
    desk = build(positions=positions, margin_pool=MarginPool.ACCOUNT)
    await desk.run()
    desk.move_to(D("91.05"))  # 315 left of 3,000; 273.15 must stand
    assert ratio(desk, "X-USDT:net").quantize(D("0.001")) == D("0.867")
    outcomes = await desk.watch(30)

    assert (desk.held("X-USDT"), desk.held("Y-USDT")) == (0, 50)
    assert {(order.symbol, order.margin_mode) for order in desk.received()} == {
        ("X-USDT", MarginMode.ISOLATED)
    }
    assert outcomes[-1].level is Level.SAFE
    assert desk.fills(Actor.LIQUIDATION) == []


async def test_of_a_hedge_the_larger_leg_is_cut_and_its_order_names_the_leg(
    build: Build, opening: Callable[..., Any]
) -> None:
    positions = (opening("X-USDT", 500), opening("X-USDT", 100, Side.SHORT))
    desk = build(positions=positions, position_mode=PositionMode.HEDGE)
    await desk.run()
    desk.move_to(D("88.5"))  # 600 x 8.85 over 10,000 - 400 x 11.5: 98 %
    await desk.watch(30)

    assert {(order.side, order.position_side) for order in desk.received()} == {(OrderSide.SELL, Side.LONG)}
    quantities = {row.side: row.quantity for row in desk.venue_snapshot().positions}
    assert quantities[Side.SHORT] == 100
    assert desk.utilization() <= D("0.60")


INVERSE = {
    "kind": ContractKind.INVERSE,
    "settle": "X",
    "quote": "USDT",
    "lot_step": D(10),
    "min_quantity": D(10),
    "contract_size": D(10),
}


async def test_inverse_contracts_are_cut_in_contracts_and_judged_in_their_coin(
    build: Build, opening: Callable[..., Any]
) -> None:
    wallets = {"X": OpeningWallet(balance=D(100))}
    desk = build(positions=(opening("X-USDT", 50_000),), wallets=wallets, instrument=INVERSE)
    await desk.run()
    desk.move_to(D("88.5"))
    await desk.watch(30)

    unit = desk.venue_snapshot().unit("X")
    assert D("0.59") < unit.initial_margin / unit.margin_equity <= D("0.60")
    intents = desk.intents()
    assert intents[0].quantity_before == 5_000  # contracts of 10 dollars
    assert [order.quantity for order in desk.received()] == [intent.quantity * 10 for intent in intents]
    for intent in intents:  # bought back at the price met, in X: contracts x 10 x (1 / fill - 1 / mark)
        mark = D("88.5")
        assert intent.slippage == intent.filled * 10 / intent.average_price - intent.filled * 10 / mark


async def test_quantities_of_a_venue_in_contracts_are_contracts(
    build: Build, opening: Callable[..., Any]
) -> None:
    desk = build(positions=(opening("X-USDT", 500),), instrument={"contract_size": D("0.01")})
    await desk.run()
    desk.move_to(D("89.41"))  # 95 %
    await desk.watch(30)

    (intent,), (order,) = desk.intents(), desk.received()
    assert intent.quantity_before == 50_000
    assert order.quantity == intent.quantity / 100
    assert desk.utilization() <= D("0.60")


async def test_an_order_is_no_larger_than_the_venue_takes_and_the_next_step_follows(
    build: Build, opening: Callable[..., Any]
) -> None:
    caps = {"max_limit_quantity": D(40), "max_market_quantity": D(20)}
    desk = build(positions=(opening("X-USDT", 500),), instrument=caps)
    await desk.run()
    desk.fall_to("0.95")
    await desk.watch(60)

    sizes = [(order.type.value, order.quantity) for order in desk.received()]
    assert len(sizes) > 4
    assert set(sizes[:-1]) == {("limit", D(40)), ("market", D(20))}
    assert desk.utilization() <= D("0.60")


async def test_what_is_too_small_to_order_is_an_alarm_and_no_endless_attempt(
    open_desk: Callable[..., Desk],
    venue_of: Callable[..., Any],
    spec: Callable[..., Any],
    opening: Callable[..., Any],
) -> None:
    engine = venue_of(
        spec(positions=(opening("X-USDT", 5),), wallets={"USDT": OpeningWallet(balance=D(100))}),
        instrument={"min_quantity": D(10)},
        rules={"reduce_only_exempt_from_minimum": False},
    )
    desk = open_desk(engine=engine)
    await desk.run()
    desk.fall_to("0.95")
    outcomes = await desk.watch(60)

    assert desk.received() == []
    assert outcomes[-1].level is Level.LIQUIDATION
    assert outcomes[-1].reason is Reason.DUST
    assert desk.plans() == []


async def test_a_thin_book_is_worked_off_in_steps_that_widen(
    open_desk: Callable[..., Desk], venue_of: Callable[..., Any]
) -> None:
    book = BookShape(half_spread=D("0.001"), level_spacing=D("0.003"), level_notional=D(4_000), levels=20)
    desk = open_desk(engine=venue_of(book=book))
    await desk.run()
    desk.fall_to("0.90")  # no more urgent than at the first try
    await desk.watch(60)

    intents = desk.intents()
    assert {intent.state for intent in intents} <= {IntentState.CANCELLED, IntentState.FILLED}
    limits = [intent.limit_price for intent in intents]
    assert limits[1] < limits[0]
    assert limits[3] is None  # every fourth goes to market
    assert desk.utilization() <= D("0.60")
    assert sum(intent.filled for intent in intents) == 500 - desk.held()


async def test_a_position_that_somebody_turns_between_read_and_order_is_not_touched(desk: Desk) -> None:
    await desk.run()
    desk.fall_to("0.95")

    def turn(call: str, moment: str, _arguments: object) -> None:
        if (call, moment) == ("submit", "leaves"):
            desk.line.at = lambda *_: None
            desk.trade(OrderSide.SELL, 550)

    desk.line.at = turn
    await desk.run()
    assert desk.held() == -50
    assert [intent.state for intent in desk.intents()] == [IntentState.REJECTED]
    assert desk.intents()[0].code == "reduce_only_wrong_side"

    await desk.watch(30)
    assert desk.held() == -50


async def test_a_position_that_somebody_closes_meanwhile_is_cut_by_what_is_left(desk: Desk) -> None:
    await desk.run()
    desk.fall_to("0.95")

    def close(call: str, moment: str, _arguments: object) -> None:
        if (call, moment) == ("submit", "leaves"):
            desk.line.at = lambda *_: None
            desk.trade(OrderSide.SELL, 450)

    desk.line.at = close
    await desk.watch(30)

    assert desk.held() == 0
    assert [intent.filled for intent in desk.intents()] == [D(50)]


async def test_what_the_venue_liquidates_itself_is_not_chased(desk: Desk) -> None:
    await desk.run()
    desk.engine.controls.halted.add("X-USDT")
    desk.fall_to("9")
    desk.move_to(D("80.5"))
    outcomes = await desk.watch(90)

    assert desk.fills(Actor.LIQUIDATION) != []
    assert desk.fills() == []
    assert outcomes[-1].positions == len(desk.venue_snapshot().positions)
