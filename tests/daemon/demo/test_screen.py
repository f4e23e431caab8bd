"""What the demo's screen keeps of a daemon's log lines."""

import io

import pytest
from rich.console import Console

from daemon.demo.screen import Screen

BOTH = ("desk", "other")


@pytest.fixture
def screen() -> Screen:
    return Screen(console=Console(file=io.StringIO(), width=160), accounts=BOTH, started=100.0)


def cycle(account: str, level: str = "safe") -> dict[str, str]:
    shown = dict.fromkeys(("utilization", "maintenance", "leverage", "doing", "why"), "-")
    return {"event": "cycle", "account": account, "level": level, "protection": "protected", **shown}


def test_it_is_complete_once_every_account_has_had_a_cycle(screen: Screen) -> None:
    screen.take(cycle("desk"), 101.0)
    screen.take({"event": "connect_failed", "account": "other"}, 102.0)
    screen.take(cycle("stranger"), 102.0)
    assert not screen.complete.is_set()
    screen.take(cycle("other"), 103.0)
    assert screen.complete.is_set()
    assert set(screen.rows) == set(BOTH)


def test_an_account_that_fell_silent_is_not_among_those_seen_since(screen: Screen) -> None:
    screen.take(cycle("desk"), 101.0)
    screen.take(cycle("other"), 102.0)
    screen.take(cycle("desk", "warning"), 110.0)
    assert screen.rows_since(105.0) == {"desk": cycle("desk", "warning")}
    assert set(screen.rows_since(102.0)) == set(BOTH)
    assert screen.rows_since(111.0) == {}


def test_news_is_told_once_with_its_time_and_what_is_no_news_is_not(screen: Screen) -> None:
    screen.take(
        {"event": "level_rose", "account": "desk", "message": "level rose to CRITICAL account"}, 102.5
    )
    screen.take({"event": "request_sent", "account": "desk", "message": "nobody asked"}, 103.0)
    assert list(screen.news) == ["  2.5 s  desk: level rose to CRITICAL account"]
    assert isinstance(screen.console.file, io.StringIO)
    assert "nobody asked" not in screen.console.file.getvalue()
