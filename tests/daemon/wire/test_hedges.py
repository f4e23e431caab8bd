"""A hedged pair at two brokers: when one leg is in danger the hedge is not left naked.

Long 2 BTC with little margin at one venue, short 2 BTC with plenty at another. What came of a crash, with
margind and without, is printed.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import OrderSide, Side
from brokers.sandbox.faults import FaultKind
from brokers.sandbox.history import Actor, Filled
from brokers.sandbox.spec import OpeningWallet
from daemon.risk.policy import Level
from database.records import OperatorOrder, OperatorOrderKind
from tests.virtual import VirtualClock

pytestmark = pytest.mark.wire

Cell = Watch = Log = Any  # the fixtures' types live in conftest
D = Decimal
TOLERANCE = D("0.05")
RICH = OpeningWallet(balance=D(500_000))
TARGET = D("0.60")
NAMES = {"bybit": "BTCUSDT", "binance": "BTCUSDT", "okx": "BTC-USDT-SWAP"}
PAIRS = [("bybit", "okx"), ("okx", "binance"), ("binance", "bybit")]
ENDANGERED = 86_800
"""Here the long leg is at LIQUIDATION and short of its urgent line; at 86,300 it is beyond."""

Watching = Callable[..., Any]
CellOf = Callable[..., Cell]
Show = Callable[[str], None]


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Show:
    """Print a line of figures into the test's output."""

    def write(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{line}")

    return write


def group(*cells: Cell, **more: object) -> dict[str, Any]:
    """The configuration of one group over `cells`."""
    legs = [{"account": cell.name, "symbol": NAMES[cell.broker]} for cell in cells]
    return {"hedges": [{"id": "pair", "legs": legs, "tolerance": "0.05", "repair_budget": "3", **more}]}


def pair_of(cell_of: CellOf, one: str = "bybit", other: str = "okx") -> tuple[Cell, Cell]:
    return cell_of("long", one), cell_of("short", other, side=Side.SHORT, wallet=RICH)


def fills(pair: tuple[Cell, ...]) -> list[tuple[int, str, Decimal]]:
    """Every change of a position at any venue: when, whose, and by how many coins, in order."""
    return sorted(
        (event.ms, cell.name, event.fill.quantity * (1 if event.fill.side is OrderSide.BUY else -1))
        for cell in pair
        for event in cell.engine.history
        if isinstance(event, Filled)
    )


def nets(pair: tuple[Cell, ...]) -> Iterator[Decimal]:
    """The net delta at the beginning and after every fill."""
    net = sum((cell.opened for cell in pair), D(0))
    yield net
    for *_, change in fills(pair):
        net += change
        yield net


async def filled(pair: tuple[Cell, ...], count: int) -> None:
    """Return right after so many fills, in the middle of whatever goes on."""
    while len(fills(pair)) < count:  # noqa: ASYNC110 - a venue has no event for it
        await asyncio.sleep(0.001)


def widest(pair: tuple[Cell, ...]) -> Decimal:
    return max(abs(net) for net in nets(pair))


def fall(pair: tuple[Cell, ...], price: int) -> None:
    for cell in pair:
        cell.fall_to(price)


def reasons(watch: Watch, cell: Cell) -> set[str]:
    return {intent.reason for intent in watch.intents(cell)}


def told(log: Log, kind: str) -> list[str]:
    return [line for line in log.getvalue().splitlines() if kind in line]


async def at_target(watch: Watch, cell: Cell, within: float = 60) -> None:
    await watch.until(
        [cell],
        lambda one: one.utilization() <= TARGET and watch.is_settled(one),
        within=within,
        why="the leg in danger at its target",
    )


@pytest.mark.parametrize(("one", "other"), PAIRS)
async def test_a_leg_in_danger_shrinks_with_its_partner_slice_by_slice(
    cell_of: CellOf, watching: Watching, show: Show, one: str, other: str
) -> None:
    pair = long, short = pair_of(cell_of, one, other)
    async with watching(pair, **group(*pair)) as watch:
        fall(pair, ENDANGERED)
        await at_target(watch, long)
        assert widest(pair) <= TOLERANCE
        assert abs(long.held() + short.held()) < D("0.01")
        assert reasons(watch, short) == {"hedge_follow"}
        long.check_that_it_only_reduced()
        short.check_that_it_only_reduced()
        took = (fills(pair)[-1][0] - fills(pair)[0][0]) / 1000
        show(
            f"{one} long, {other} short: {len(fills(pair))} orders in {took:.1f} s, "
            f"|net delta| at most {widest(pair)} BTC, left {long.held()} and {short.held()} BTC"
        )


async def test_a_crash_with_margind_and_without(cell_of: CellOf, watching: Watching, show: Show) -> None:
    """Down 24 % in seven stages: without a guard the long leg is liquidated and the short one stays naked."""
    path = (90_000, 87_000, 86_000, 84_000, 81_000, 78_000, 76_000)
    guarded = long, short = pair_of(cell_of)
    alone = cell_of("long-alone", "bybit"), cell_of("short-alone", "okx", side=Side.SHORT, wallet=RICH)
    async with watching(guarded, **group(*guarded)) as watch:
        for price in path:
            fall(guarded, price)
            fall(alone, price)
            for cell in alone:
                cell.engine.advance(cell.engine.now_ms + 1_000)
            await asyncio.sleep(15)
        assert watch.outcome(long).level is Level.SAFE
        assert abs(long.held() + short.held()) < D("0.01")
        assert widest(guarded) <= D(1), "one step of a leg past its urgent line, until the partner follows"
        assert not any(_was_liquidated(cell) for cell in guarded)
    naked = abs(sum(cell.held() for cell in alone))
    assert (_was_liquidated(alone[0]), naked) == (True, D(2))
    rows = {"with margind": guarded, "without": alone}
    for name, cells in rows.items():
        rebound = abs(sum(cell.held() for cell in cells)) * 10_000
        show(
            f"{name:12}: legs {cells[0].held():f} and {cells[1].held():f} BTC, |net delta| at most "
            f"{widest(cells):f}, and a rebound of 10,000 costs {rebound:.0f} USDT"
        )


def _was_liquidated(cell: Cell) -> bool:
    return any(
        isinstance(event, Filled) and event.actor is Actor.LIQUIDATION for event in cell.engine.history
    )


async def test_past_its_urgent_line_the_leg_goes_first_and_the_other_at_once(
    cell_of: CellOf, watching: Watching
) -> None:
    pair = long, short = pair_of(cell_of)
    async with watching(pair, **group(*pair)) as watch:
        fall(pair, 86_300)
        await at_target(watch, long)
        assert abs(long.held() + short.held()) < D("0.01")
        (at, who, sold), (then, next_one, bought) = fills(pair)[:2]
        assert (who, next_one) == ("long", "short")
        assert sold < -TOLERANCE
        assert bought == -sold
        assert then - at < 1_000, "milliseconds"


async def test_a_partner_that_fills_in_part_stops_the_next_slice(cell_of: CellOf, watching: Watching) -> None:
    pair = long, short = pair_of(cell_of)
    short.fault(FaultKind.PARTIAL_FILL, fraction=D("0.3"))
    async with watching(pair, **group(*pair)) as watch:
        fall(pair, ENDANGERED)
        await asyncio.sleep(4)
        assert long.held() < long.opened
        short.heal()
        await at_target(watch, long, within=300)
        assert widest(pair) <= TOLERANCE
        assert abs(long.held() + short.held()) <= TOLERANCE


@pytest.mark.parametrize("rule", ["hold", "urgent_only", "reduce_anyway"])
async def test_with_the_partner_s_venue_out_the_group_s_rule_decides(
    cell_of: CellOf,
    watching: Watching,
    log: Log,
    rule: str,
) -> None:
    """Below the urgent line `hold` and `urgent_only` cut nothing, beyond it only `hold` does not."""
    pair = long, short = pair_of(cell_of)
    async with watching(pair, **group(*pair, partner_out=rule)) as watch:
        short.fault(FaultKind.HTTP_503_HTML)
        await asyncio.sleep(20)
        fall(pair, ENDANGERED)
        await asyncio.sleep(10)
        if rule == "reduce_anyway":
            assert long.held() < D("1.9")
            assert told(log, "hedge_bared")
        else:
            assert long.held() == 2
            assert watch.outcome(long).reason == "hedge_partner_out"
            assert told(log, "hedge_held")
        fall(pair, 86_200)
        await asyncio.sleep(5)
        assert (long.held() == 2) == (rule == "hold")
        if rule == "urgent_only":
            assert told(log, "hedge_bared")
        assert short.held() == -2
        short.heal()
        await watch.until(
            pair,
            lambda _: long.held() < 2 and abs(long.held() + short.held()) <= TOLERANCE,
            within=60,
            why="cut and whole again",
        )
        await watch.until(
            [long], lambda one: watch.outcome(one).level < Level.CRITICAL, within=30, why="out of danger"
        )


async def test_a_partner_that_may_not_act_is_out_but_within_the_tolerance_there_is_room(
    cell_of: CellOf,
    watching: Watching,
    log: Log,
) -> None:
    pair = long, short = pair_of(cell_of)
    async with watching(pair, **group(*pair)) as watch:
        with watch.journal.transaction():
            watch.journal.operator_orders.impose(
                OperatorOrder(
                    account="short",
                    kind=OperatorOrderKind.MODE,
                    mode="observe",
                    set_at=VirtualClock().now(),
                    actor="somebody",
                    reason="a test",
                )
            )
        await asyncio.sleep(3)
        fall(pair, ENDANGERED)
        await asyncio.sleep(15)
        assert (long.held(), short.held()) == (D(2) - TOLERANCE, D(-2))
        assert watch.outcome(long).reason == "hedge_partner_out"
        assert any("mode observe" in line for line in told(log, "hedge_held"))


async def test_a_leg_that_the_venue_took_is_repaired_after_a_second_look(
    cell_of: CellOf,
    watching: Watching,
    log: Log,
) -> None:
    """The winning short is deleveraged by 40 %: the long follows, as far as the budget goes."""
    pair = long, short = pair_of(cell_of)
    async with watching(pair, **group(*pair)) as watch:
        await asyncio.sleep(3)
        short.engine.deleverage("short", short.symbol, D("0.4"))
        await asyncio.sleep(1.5)
        assert long.held() == 2, "one look is none"
        await watch.until([long], lambda _: long.held() < 2, within=15, why="repaired")
        await asyncio.sleep(5)
        assert (long.held(), short.held()) == (D("1.2"), D("-1.2"))
        assert reasons(watch, long) == {"hedge_repair"}
        assert told(log, "hedge_lost")
        (_, _, taken), (_, _, trimmed) = fills(pair)
        assert (taken, trimmed) == (D("0.8"), D("-0.8"))


async def test_a_repair_stays_within_its_budget_and_says_so(
    cell_of: CellOf,
    watching: Watching,
    log: Log,
) -> None:
    pair = long, short = pair_of(cell_of)
    async with watching(pair, **group(*pair, repair_budget="0.5")) as watch:
        await asyncio.sleep(3)
        short.engine.deleverage("short", short.symbol, D("0.4"))
        await asyncio.sleep(20)
        assert (long.held(), short.held()) == (D("1.5"), D("-1.2"))
        assert told(log, "hedge_naked")
        await watch.kill()
        await asyncio.sleep(10)
        assert long.held() == D("1.5"), "a restart gives no new budget"


async def test_a_group_that_is_being_built_is_left_alone(cell_of: CellOf, watching: Watching) -> None:
    pair = long, short = pair_of(cell_of)
    async with watching(pair, **group(*pair)):
        await asyncio.sleep(3)
        short.engine.external_trade("short", short.symbol, OrderSide.SELL, D(1))
        await asyncio.sleep(15)
        assert (long.held(), short.held()) == (D(2), D(-3))


@pytest.mark.parametrize("after_fills", [1, 2, 5])
async def test_a_kill_in_the_middle_leaves_no_leg_behind(
    cell_of: CellOf, watching: Watching, after_fills: int
) -> None:
    pair = long, short = pair_of(cell_of)
    async with watching(pair, **group(*pair)) as watch:
        fall(pair, ENDANGERED)
        await filled(pair, after_fills)
        await watch.kill()
        await at_target(watch, long)
        await asyncio.sleep(5)
        assert widest(pair) <= TOLERANCE
        assert abs(long.held() + short.held()) <= TOLERANCE
        assert long.held() < D("1.5")
        long.check_that_it_only_reduced()
        short.check_that_it_only_reduced()


async def test_a_kill_between_an_urgent_cut_and_its_follower_is_made_good(
    cell_of: CellOf, watching: Watching
) -> None:
    """Nothing remembers the cut but the legs themselves and what they were when the group was whole."""
    pair = long, short = pair_of(cell_of)
    async with watching(pair, **group(*pair)) as watch:
        await asyncio.sleep(3)
        short.fault(FaultKind.HTTP_500)
        fall(pair, 86_300)
        await filled(pair, 1)
        await watch.kill()
        short.heal()
        await watch.until(
            pair, lambda _: abs(long.held() + short.held()) <= TOLERANCE, within=60, why="whole again"
        )
        assert short.held() > -2
        short.check_that_it_only_reduced()
