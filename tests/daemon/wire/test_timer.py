"""Kraken's timer over both wires: armed, renewed, run out when nobody renews it, disarmed at a clean stop."""

import asyncio
import io
import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from brokers.sandbox.faults import FaultKind
from daemon.risk.policy import Mode
from database.records import OperatorOrder, OperatorOrderKind
from tests.daemon.matrix.site import CATALOGUE, Site

PATHS = {
    "kraken spot": "/0/private/CancelAllOrdersAfter",
    "kraken futures": "/derivatives/api/v3/cancelallordersafter",
}


class Timed(Site):
    """An account whose timer is watched at the venue: when it was set, s from the start, and to how many."""

    def __init__(self, label: str, after: str | None, mode: str = "enforce") -> None:
        super().__init__("desk", CATALOGUE[label])
        self.path = PATHS[label]
        self._more = {"mode": mode, **({} if after is None else {"cancel_all_after": after})}
        self.set: list[tuple[float, float]] = []
        self._began_ms, arm = self.engine.now_ms, self.engine.arm_timer

        def watched(account: str, after_ms: int) -> None:
            assert account == self.name
            self.set.append(((self.engine.now_ms - self._began_ms) / 1000, after_ms / 1000))
            arm(account, after_ms)

        self.engine.arm_timer = watched  # type: ignore[method-assign]

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), **self._more}


@pytest.fixture(params=sorted(PATHS))
def label(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def told(log: io.StringIO) -> Callable[[], list[dict[str, Any]]]:
    """Return what the log says of timers, in order."""

    def read() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in log.getvalue().splitlines()]
        return [line for line in lines if str(line.get("event", "")).startswith("timer_")]

    return read


def events(lines: list[dict[str, Any]]) -> list[str]:
    return [line["event"] for line in lines]


async def test_it_is_renewed_at_a_third_of_its_time_and_disarmed_at_a_clean_stop(
    label: str, watching: Callable[..., Any], told: Callable[[], list[dict[str, Any]]]
) -> None:
    site = Timed(label, "60s")
    async with watching([site]):
        await asyncio.sleep(150)
        assert site.stop in site.resting()
        times = [at for at, after in site.set if after == 60]
        assert len(times) == len(site.set) >= 7
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert all(19 < gap < 26 for gap in gaps), gaps
    assert site.set[-1][1] == 0
    site.engine.advance(site.engine.now_ms + 200_000)
    assert site.stop in site.resting()
    assert events(told()) == ["timer_armed", "timer_disarmed"]


async def test_when_the_daemon_is_killed_every_order_goes_and_the_position_stays(
    label: str, watching: Callable[..., Any]
) -> None:
    site = Timed(label, "60s")
    async with watching([site]):
        await asyncio.sleep(50)
        assert site.set
        assert site.stop in site.resting()
        for task in asyncio.all_tasks():
            if task.get_name() in {"timer of desk", "guard desk"}:
                task.cancel()
        await asyncio.sleep(35)
        assert site.stop in site.resting()
        await asyncio.sleep(35)
        assert site.resting() == set()
        assert site.held() == site.opened != 0
    assert all(after == 60 for _, after in site.set)


async def test_a_renewal_that_fails_is_warned_of_once_and_made_up_for(
    label: str, watching: Callable[..., Any], told: Callable[[], list[dict[str, Any]]]
) -> None:
    site = Timed(label, "60s")
    async with watching([site]):
        await asyncio.sleep(30)
        site.fault(FaultKind.HTTP_500, path=site.path)
        before = len(site.set)
        await asyncio.sleep(100)
        assert len(site.set) == before
        assert site.resting() == set()
        assert site.held() == site.opened
        _, warned = told()
        assert (warned["event"], warned["severity"]) == ("timer_not_renewed", "warning")
        assert "protective stops included" in warned["message"]
        site.heal()
        await asyncio.sleep(20)
        assert len(site.set) > before
        assert events(told())[2:] == ["timer_renewed"]


@pytest.mark.parametrize(("after", "mode"), [(None, "enforce"), ("60s", "observe"), ("60s", "advise")])
async def test_it_is_not_armed_unless_asked_for_and_enforced(
    label: str, after: str | None, mode: str, watching: Callable[..., Any]
) -> None:
    site = Timed(label, after, mode)
    async with watching([site]):
        await asyncio.sleep(60)
    assert site.set == []
    assert site.asked("POST", site.path) == 0


async def test_an_operator_who_takes_the_account_out_of_enforce_disarms_it(
    label: str, watching: Callable[..., Any], told: Callable[[], list[dict[str, Any]]]
) -> None:
    site = Timed(label, "60s")
    async with watching([site]) as watch:
        await asyncio.sleep(30)
        with watch.journal.transaction():
            watch.journal.operator_orders.impose(
                OperatorOrder(
                    account="desk",
                    kind=OperatorOrderKind.MODE,
                    mode=Mode.OBSERVE.label,
                    set_at=watch.outcome(site).at,
                    actor="somebody",
                    reason="a look",
                )
            )
        await asyncio.sleep(100)
        assert site.set[-1][1] == 0
        assert site.stop in site.resting()
        assert events(told()) == ["timer_armed", "timer_disarmed"]


async def test_a_blind_daemon_that_lives_goes_on_renewing(label: str, watching: Callable[..., Any]) -> None:
    site = Timed(label, "60s")
    reading = "/0/private/TradeBalance" if label == "kraken spot" else "/derivatives/api/v3/accounts"
    async with watching([site]):
        await asyncio.sleep(30)
        site.fault(FaultKind.HTTP_500, path=reading)
        before = len(site.set)
        await asyncio.sleep(100)
        assert len(site.set) >= before + 3
        assert site.stop in site.resting()


async def test_one_that_has_seen_nothing_yet_does_not_arm(label: str, watching: Callable[..., Any]) -> None:
    site = Timed(label, "60s")
    reading = "/0/private/OpenPositions" if label == "kraken spot" else "/derivatives/api/v3/openpositions"
    site.fault(FaultKind.HTTP_500, path=reading)
    async with watching([site]):
        await asyncio.sleep(60)
        assert site.set == []
        site.heal()
        await asyncio.sleep(40)
        assert site.set


async def test_a_guard_that_ends_no_cycle_any_more_counts_as_dead(
    label: str, watching: Callable[..., Any], told: Callable[[], list[dict[str, Any]]]
) -> None:
    site = Timed(label, "60s")
    async with watching([site]):
        await asyncio.sleep(30)
        for task in asyncio.all_tasks():
            if task.get_name() == "guard desk":
                task.cancel()
        await asyncio.sleep(150)
        assert site.resting() == set()
        assert site.held() == site.opened
        assert events(told()) == ["timer_armed", "timer_not_renewed"]
        assert "no cycle has ended" in told()[1]["why"]
        for task in asyncio.all_tasks():
            if task.get_name() == "timer of desk":
                task.cancel()
