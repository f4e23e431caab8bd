"""The process ends at every point of an episode that leaves another trace on the disk or at the venue.

Each run counts the points (a write leaves, its answer is here, a commit is about to be durable, it is; in the
runs without mishaps every read besides), kills the daemon at the n-th, drops everything it had in memory and
starts another one over the same state directory and venue. Prices stand still, so whatever the point, what
became of the request and how the venue treats a client id used before, the account must end where one
uninterrupted run ends it: at its target, and no further below than the last order's reckoned cost explains.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.models import Measure, OrderSide, Side
from brokers.sandbox.history import Actor
from brokers.sandbox.mishaps import Fate
from brokers.sandbox.orders import OrderType
from brokers.sandbox.spec import BookShape
from daemon.risk.policy import MarginPolicy, ReductionLimits
from daemon.risk.reason import Reason

Desk = Any  # the fixture's type lives in conftest
Start = Callable[[Path], Desk]
D = Decimal

PATIENCE_S = 60
HEALTHY = None


class Killed(BaseException):
    """The process is gone: nothing of it runs on, least of all what catches errors."""


WRITES = frozenset({"submit", "cancel_orders", "transfer_in"})


class Executioner:
    """Kills the daemon at its `n`-th point, and then at every further one, since the dead do nothing."""

    def __init__(self, n: int | None = None, *, reads: bool = False) -> None:
        self.n = n
        self.seen = 0
        self._reads = reads

    def at_line(self, call: str, _moment: str, _arguments: object) -> None:
        if self._reads or call in WRITES or self._is_dead:
            self.point()

    def point(self, _moment: str = "") -> None:
        self.seen += 1
        if self._is_dead:
            raise Killed

    @property
    def _is_dead(self) -> bool:
        return self.n is not None and self.seen >= self.n


@contextmanager
def under(executioner: Executioner, desk: Desk) -> Iterator[None]:
    """Let the executioner watch a desk."""
    desk.line.at, desk.at_commit = executioner.at_line, executioner.point
    try:
        yield
    finally:
        desk.line.at = desk.at_commit = lambda *_: None


async def until_calm(desk: Desk) -> None:
    """Run cycles until the account is at its target and nothing is open."""
    until = desk.clock.uptime() + PATIENCE_S
    while desk.clock.uptime() < until:
        outcome = await desk.cycle.run()
        if outcome.reason is Reason.CALM and not desk.journal.intents.open(desk.account):
            return
        await desk.clock.sleep(outcome.next_s)
    raise AssertionError(f"not calm within {PATIENCE_S} s: {outcome}")


async def killed_at(desk: Desk, *points: int, reads: bool = False) -> int:
    """Run an episode whose daemon dies at each of `points` in turn; return how many points were left."""
    for n in points:
        try:
            with under(Executioner(n, reads=reads), desk):
                await until_calm(desk)
        except Killed:
            pass
        desk.restart()
    executioner = Executioner(reads=reads)
    with under(executioner, desk):
        await until_calm(desk)
    return executioner.seen


def holdings(desk: Desk) -> dict[str, Decimal]:
    """What is held of everything."""
    return {symbol: desk.held(symbol) for symbol in ("X-USDT", "Y-USDT", "Z-USDT")}


def check_history(desk: Desk, opened: dict[str, Decimal]) -> None:
    """Nothing was opened or turned, every order was journaled, and the journal's fills are the venue's."""
    held = dict(opened)
    for fill in desk.fills():
        change = fill.quantity if fill.side is OrderSide.BUY else -fill.quantity
        after = held[fill.symbol] + change
        assert abs(after) < abs(held[fill.symbol]), f"{fill} opened or added"
        assert after * held[fill.symbol] >= 0, f"{fill} turned the position"
        held[fill.symbol] = after
    received = [order.client_id for order in desk.received()]
    intents = {intent.intent_id: intent for intent in desk.intents()}
    assert len(set(received)) == len(received), "an id was sent twice"
    assert set(received) <= intents.keys(), "an order without an intent"
    assert all(intent.state.is_final for intent in intents.values())
    filled = {fill.client_id: fill.quantity for fill in desk.fills()}
    believed = {i.intent_id: i.filled for i in intents.values() if i.filled}
    assert believed == filled
    assert all(filled.get(i.intent_id, D(0)) <= i.quantity for i in intents.values())
    assert desk.fills(Actor.LIQUIDATION) == []


FATES = {
    "ok": HEALTHY,
    "lost": (Fate.ANSWER_LOST, 0),
    "never": (Fate.NEVER_ARRIVED, 0),
    "late": (Fate.LATE, 300),
    "very_late": (Fate.LATE, 4000),
}


@pytest.fixture
def one_position(
    open_desk: Callable[..., Desk], venue_of: Callable[..., Any], request: pytest.FixtureRequest
) -> Start:
    """One long in two steps, and an order resting that must go first."""

    def start(folder: Path) -> Desk:
        rule = getattr(request, "param", "for_ever")
        desk = open_desk(folder=folder, engine=venue_of(rules={"duplicate_client_ids": rule}))
        desk.rest(OrderSide.BUY, 1, type=OrderType.LIMIT, price=D(50))
        desk.fall_to("1.3")
        return desk

    return start


@pytest.fixture
def three_positions(
    open_desk: Callable[..., Desk],
    venue_of: Callable[..., Any],
    spec: Callable[..., Any],
    opening: Callable[..., Any],
) -> Start:
    """A step with several orders: two longs and a short that all must shrink."""

    def start(folder: Path) -> Desk:
        positions = (opening("X-USDT", 200), opening("Y-USDT", 100), opening("Z-USDT", 100, Side.SHORT))
        rules, exact = (
            {"duplicate_client_ids": "open_orders"},
            BookShape(half_spread=D(0), levels=1, level_notional=D(10**9)),
        )
        engine = venue_of(spec(positions=positions), rules=rules, book=exact)
        free = ReductionLimits(fee_rate=D(0), expected_slippage=D(0))
        desk = open_desk(folder=folder, engine=engine, policy=MarginPolicy(limits=free))
        desk.move_to(D(170), "Y")
        desk.move_to(D(85))
        desk.move_to(D(54), "Z")
        return desk

    return start


async def run_through(start: Start, folder: Path, fate: str, *points: int) -> Desk:
    """Run an episode with kills at `points` and that fate for its first order; check what it left behind."""
    desk = start(folder)
    opened = holdings(desk)
    if (doom := FATES[fate]) is not None:
        desk.venue.mishaps.doom_write(doom[0], delay_ms=doom[1])
    await killed_at(desk, *points, reads=fate == "ok")
    check_history(desk, opened)
    return desk


async def sweep(start: Start, folder: Path, fate: str, *, every: int = 1) -> None:
    """Kill at every point of an episode, or each `every`-th, with that fate for its first order."""
    reference = start(folder / "reference")
    points = await killed_at(reference, reads=fate == "ok")
    assert points >= 20
    for n in range(1 + list(FATES).index(fate) % every, points + 1, every):
        desk = await run_through(start, folder / str(n), fate, n)
        assert same(desk, reference), f"killed at point {n}"
        desk.close()
        shutil.rmtree(desk.folder)


def same(desk: Desk, reference: Desk) -> bool:
    """Whether both are at their target and use as much margin, within one lot of the dearest contract.

    Which positions a step takes may differ: after a kill it is planned anew from what is left. So may whether
    an order book came in time for the last order; without one it takes as much more as makes up for the
    slippage it is reckoned to cost.
    """
    policy = desk.policy
    target = policy.target(Measure.UTILIZATION)
    if max(desk.utilization(), reference.utilization()) > target:
        return False
    lot = D("0.01") * 170 * D("0.1")
    last = max(one.fills()[-1].quantity * one.fills()[-1].price for one in (desk, reference))
    off = abs(desk.unit().initial_margin - reference.unit().initial_margin)
    return off <= lot + target * policy.limits.expected_slippage * last


@pytest.mark.parametrize(
    ("fate", "one_position"),
    [
        ("ok", "open_orders"),
        ("lost", "for_ever"),
        ("lost", "open_orders"),
        ("never", "open_orders"),
        ("late", "for_ever"),
        ("late", "open_orders"),
        ("very_late", "open_orders"),
    ],
    indirect=["one_position"],
)
async def test_a_kill_at_any_point_leaves_the_position_where_one_run_leaves_it(
    one_position: Start, quick_folder: Path, fate: str
) -> None:
    await sweep(one_position, quick_folder, fate)


@pytest.mark.parametrize("fate", FATES)
async def test_a_kill_at_any_point_of_a_step_of_several_orders_leaves_what_one_run_leaves(
    three_positions: Start, quick_folder: Path, fate: str
) -> None:
    await sweep(three_positions, quick_folder, fate, every=3)


@pytest.mark.parametrize("fate", ["lost", "late"])
async def test_a_second_kill_while_the_first_is_being_recovered_changes_nothing(
    one_position: Start, quick_folder: Path, fate: str
) -> None:
    reference = one_position(quick_folder / "reference")
    await killed_at(reference)
    for first in range(9, 22, 4):
        for second in range(1, 14, 3):
            folder = quick_folder / f"{first}-{second}"
            desk = await run_through(one_position, folder, fate, first, second)
            assert same(desk, reference), f"killed at {first}, then at {second}"
            desk.close()
