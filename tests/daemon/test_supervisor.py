"""Guards side by side, in virtual time: what fails in one stays in it, and how all of them end."""

import asyncio
import io
import json
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from brokers.errors import VenueUnavailable
from daemon.risk.assessment import Protection
from daemon.state import Board
from daemon.supervisor import MISSED_BEAT_S, PAUSES_S, STOP_GRACE_S, Guard, Supervisor
from database.errors import JournalFailed
from database.records import IntentState

Desk = Any  # the fixture's type lives in conftest
D = Decimal


class Post:
    """Two accounts of one venue under two guards of one supervisor."""

    def __init__(self, desks: list[Desk]) -> None:
        self.desks = desks
        self.board = Board()
        clock = desks[0].clock
        self.guards = [Guard(cycle=desk.cycle, board=self.board, clock=clock) for desk in desks]
        self.supervisor = Supervisor(self.guards, board=self.board, clock=clock)

    async def watch(self, seconds: float) -> None:
        """Guard for so long, then stop."""
        running = asyncio.create_task(self.supervisor.run())
        await asyncio.wait({running}, timeout=seconds)
        self.supervisor.stop()
        await running


class Systemd:
    """What systemd is to a service: a datagram socket, and the wish for a heartbeat every 2 s."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self.beats: list[float] = []

    async def listen(self) -> None:
        """Note when each heartbeat comes, to the half second."""
        while True:
            await asyncio.sleep(0.5)
            with suppress(BlockingIOError):
                while True:
                    assert self._channel.recv(4096) == b"WATCHDOG=1"
                    self.beats.append(asyncio.get_running_loop().time())

    async def beside(self, guarding: Coroutine[Any, Any, None]) -> None:
        """Listen while the guards run."""
        listening = asyncio.create_task(self.listen())
        try:
            await guarding
        finally:
            listening.cancel()


@pytest.fixture
def post(
    virtual: asyncio.Runner,
    open_desk: Callable[..., Desk],
    venue_of: Callable[..., Any],
    spec: Callable[..., Any],
) -> Post:
    loop = virtual.get_loop()
    engine = venue_of(spec("left"), spec("right"))
    left = open_desk(engine=engine, account="left", loop=loop)
    right = open_desk(engine=engine, account="right", loop=loop, journal=left.journal)
    return Post([left, right])


@pytest.fixture
def systemd(quick_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    address = str(quick_folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(address)
        channel.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        monkeypatch.setenv("WATCHDOG_USEC", "2000000")
        yield Systemd(channel)


def logged(log: io.StringIO, event: str) -> list[dict[str, Any]]:
    """The log lines of one event."""
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    return [line for line in lines if line["event"] == event]


def test_every_account_is_read_at_its_own_pace(virtual: asyncio.Runner, post: Post) -> None:
    virtual.run(post.watch(60))

    for desk in post.desks:
        assert 29 <= desk.line.log.count("fetch_snapshot") <= 31


def test_accounts_are_all_looked_at_at_once_and_then_spread_over_the_interval(
    virtual: asyncio.Runner, post: Post
) -> None:
    looks: dict[str, list[float]] = {}

    def note(desk: Desk, call: str, moment: str) -> None:
        if (call, moment) == ("fetch_snapshot", "leaves"):
            looks.setdefault(desk.account, []).append(desk.clock.uptime())

    for desk in post.desks:
        desk.line.at = lambda call, moment, _arguments, desk=desk: note(desk, call, moment)
    virtual.run(post.watch(20))

    left, right = looks["left"], looks["right"]
    assert right[0] - left[0] < 0.1
    assert all(abs(later - sooner - 1.0) < 0.1 for sooner, later in zip(left[1:], right[1:], strict=False))


def test_a_guard_that_is_woken_looks_at_once_and_no_other_does(virtual: asyncio.Runner, post: Post) -> None:
    left, right = post.desks
    counts: list[tuple[int, int]] = []

    def looks() -> None:
        counts.append((left.line.log.count("fetch_snapshot"), right.line.log.count("fetch_snapshot")))

    async def wake() -> None:
        await asyncio.sleep(10.2)
        looks()
        post.guards[0].wake()
        await asyncio.sleep(0.2)
        looks()

    async def run() -> None:
        await asyncio.gather(post.watch(12), wake())

    virtual.run(run())
    before, after = counts
    assert after == (before[0] + 1, before[1])


def test_guards_that_are_woken_late_look_as_often_all_the_same(virtual: asyncio.Runner, post: Post) -> None:
    loop: Any = virtual.get_loop()

    async def busy() -> None:
        """The machine has no time for us, most of the time."""
        while True:
            await asyncio.sleep(0.17)
            loop._elapsed += 0.4

    async def watch_beside_it() -> None:
        other = asyncio.create_task(busy())
        await post.watch(200)
        other.cancel()

    virtual.run(watch_beside_it())

    for desk in post.desks:
        assert 99 <= desk.line.log.count("fetch_snapshot") <= 102


def test_a_bug_in_one_accounts_cycle_never_touches_another(
    virtual: asyncio.Runner, post: Post, log: io.StringIO
) -> None:
    left, right = post.desks

    def break_it(call: str, _moment: str, _arguments: object) -> None:
        if call == "fetch_snapshot":
            raise KeyError("totalEquity")

    left.line.at = break_it
    right.fall_to("0.95")
    virtual.run(post.watch(60))

    assert right.utilization() <= D("0.60")
    assert len(right.received()) == 1
    assert left.received() == []
    bugs = logged(log, "cycle_bug")
    assert {bug["account"] for bug in bugs} == {"left"}
    assert [bug["retry_in_s"] for bug in bugs[:5]] == [*PAUSES_S, PAUSES_S[-1]]
    assert "KeyError: 'totalEquity'" in bugs[0]["exception"]


def test_a_guard_whose_cycle_had_a_bug_goes_on_when_it_is_gone(virtual: asyncio.Runner, post: Post) -> None:
    left, _ = post.desks

    def break_for_a_while(call: str, _moment: str, _arguments: object) -> None:
        if call == "fetch_snapshot" and left.clock.uptime() < 20:
            raise KeyError("totalEquity")

    left.line.at = break_for_a_while
    left.fall_to("0.95")
    virtual.run(post.watch(60))

    assert left.utilization() <= D("0.60")


def test_a_venue_that_hangs_for_one_account_does_not_delay_another(
    virtual: asyncio.Runner, post: Post
) -> None:
    left, right = post.desks
    left.line.latency_ms["fetch_snapshot"] = 120_000
    right.fall_to("0.95")
    virtual.run(post.watch(10))

    assert len(right.received()) == 1
    assert right.clock.uptime() < 10 + STOP_GRACE_S + 1


def test_an_outage_of_one_account_is_on_the_board_as_unprotected(virtual: asyncio.Runner, post: Post) -> None:
    left, _ = post.desks
    left.venue.mishaps.fail_read(VenueUnavailable("down"), call="fetch_snapshot", times=10_000)
    virtual.run(post.watch(30))

    shown = {account: outcome.protection for account, outcome in post.board.outcomes.items()}
    assert shown == {"left": Protection.UNPROTECTED, "right": Protection.PROTECTED}


def test_the_heartbeat_comes_twice_within_systemds_limit(
    virtual: asyncio.Runner, post: Post, systemd: Systemd
) -> None:
    virtual.run(systemd.beside(post.watch(60)))

    assert 59 <= len(systemd.beats) <= 61
    assert max(b - a for a, b in pairwise(systemd.beats)) <= 1.5


def test_the_heartbeat_is_held_back_while_a_guard_is_silent_and_comes_back_with_it(
    virtual: asyncio.Runner, post: Post, systemd: Systemd
) -> None:
    left, _ = post.desks

    async def scenario() -> None:
        guarding = asyncio.create_task(post.watch(200))
        await asyncio.sleep(20)
        left.line.latency_ms["fetch_snapshot"] = 90_000  # the read that begins within two seconds
        await asyncio.sleep(10)
        left.line.latency_ms["fetch_snapshot"] = 2
        await guarding

    virtual.run(systemd.beside(scenario()))

    (gap,) = [(a, b) for a, b in pairwise(systemd.beats) if b - a > 3]
    assert 17 + MISSED_BEAT_S <= gap[0] <= 22 + MISSED_BEAT_S
    assert 109 <= gap[1] <= 114


def test_a_guard_that_visibly_fails_again_and_again_does_not_hold_the_heartbeat_back(
    virtual: asyncio.Runner, post: Post, systemd: Systemd
) -> None:
    def break_it(call: str, _moment: str, _arguments: object) -> None:
        if call == "fetch_snapshot":
            raise KeyError("totalEquity")

    post.desks[0].line.at = break_it
    virtual.run(systemd.beside(post.watch(90)))

    assert len(systemd.beats) >= 89


def test_a_guard_that_never_finished_a_cycle_holds_the_heartbeat_back(
    virtual: asyncio.Runner, post: Post, systemd: Systemd
) -> None:
    post.desks[0].line.latency_ms["connect"] = 3_600_000
    virtual.run(systemd.beside(post.watch(120)))

    assert max(systemd.beats) <= MISSED_BEAT_S + 1.5


def test_a_systemd_that_no_longer_listens_does_not_stop_the_guards(
    virtual: asyncio.Runner, post: Post, systemd: Systemd
) -> None:
    post.desks[1].fall_to("0.95")
    virtual.run(post.watch(600))  # nobody reads: the queue of the socket is full after a few

    assert len(post.desks[1].received()) == 1
    assert systemd.beats == []


def test_stop_in_the_middle_of_a_step_lets_it_be_recorded_and_sends_nothing_more(
    virtual: asyncio.Runner,
    open_desk: Callable[..., Desk],
    venue_of: Callable[..., Any],
    spec: Callable[..., Any],
    opening: Callable[..., Any],
) -> None:
    positions = (opening("X-USDT", 200), opening("Y-USDT", 100))
    desk = open_desk(engine=venue_of(spec(positions=positions)), loop=virtual.get_loop())
    desk.move_to(D(170), "Y")
    desk.move_to(D(85))  # 3,400 over 4,000: both must be cut
    desk.move_to(D(82))
    post = Post([desk])

    def stop(call: str, moment: str, _arguments: object) -> None:
        if (call, moment) == ("submit", "answered"):
            post.supervisor.stop()

    desk.line.at = stop
    virtual.run(post.watch(60))

    states = [intent.state for intent in desk.intents()]
    assert states[0] is IntentState.FILLED
    assert set(states[1:]) <= {IntentState.ABANDONED}
    assert len(desk.received()) == 1
    assert desk.journal.intents.open(desk.account) == ()
    assert desk.plans()[-1].settled_at is not None
    assert desk.clock.uptime() < 5


def test_stop_between_the_alarming_and_the_confirming_read_sends_nothing(
    virtual: asyncio.Runner, post: Post
) -> None:
    left, _ = post.desks
    left.fall_to("0.95")

    def stop(call: str, moment: str, _arguments: object) -> None:
        if (call, moment) == ("fetch_snapshot", "answered") and left.line.log.count(call) == 2:
            post.supervisor.stop()

    left.line.at = stop
    virtual.run(post.watch(60))

    assert (left.received(), left.plans()) == ([], [])
    assert post.board.outcomes["left"].doing == "hold"


def test_stop_ends_the_pause_between_two_cycles(virtual: asyncio.Runner, post: Post) -> None:
    virtual.run(post.watch(10.5))

    assert post.desks[0].clock.uptime() < 10.6


def test_a_cycle_that_hangs_at_the_end_is_cut_off_after_the_grace_period(
    virtual: asyncio.Runner, post: Post
) -> None:
    post.desks[0].line.latency_ms["fetch_snapshot"] = 3_600_000
    virtual.run(post.watch(10))

    assert post.desks[0].clock.uptime() == pytest.approx(10 + STOP_GRACE_S, abs=0.1)


def test_a_journal_that_fails_ends_every_guard_with_that_error(virtual: asyncio.Runner, post: Post) -> None:
    left, right = post.desks
    left.fall_to("0.95")
    right.fall_to("0.95")

    def refuse(moment: str) -> None:
        if moment == "commits":
            raise JournalFailed("input/output error")

    left.at_commit = right.at_commit = refuse
    with pytest.raises(JournalFailed, match="input/output error"):
        virtual.run(post.watch(60))

    assert left.clock.uptime() < 5
    assert (left.received(), right.received()) == ([], [])


def test_without_systemd_nobody_is_told_and_guards_run_all_the_same(
    virtual: asyncio.Runner, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    virtual.run(post.watch(10))

    assert post.board.outcomes.keys() == {"left", "right"}
