"""How old a picture is: what its rows and the public mark price prove."""

from datetime import UTC, datetime, timedelta
from typing import Any

from brokers.numbers import ms_from_time
from brokers.venues.binance.freshness import Freshness
from brokers.venues.binance.positions import Rows

START = datetime(2026, 1, 5, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def btc(mark: str, *, changed: datetime = START) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "positionSide": "BOTH",
        "markPrice": mark,
        "notional": "-732000",
        "updateTime": ms_from_time(changed),
    }


def usdt(changed: datetime) -> dict[str, Any]:
    return {"asset": "USDT", "updateTime": ms_from_time(changed)}


def public(mark: str) -> dict[str, Any]:
    return {"symbol": "BTCUSDT", "markPrice": mark}


def look(
    freshness: Freshness, seconds: float, mark: str, public_mark: str | None, *, assets: Rows = ()
) -> datetime:
    told = None if public_mark is None else public(public_mark)
    return freshness.date(assets=assets, positions=[btc(mark)], public=told, asked_at=at(seconds))


def test_a_picture_is_as_old_as_its_request() -> None:
    freshness = Freshness()
    assert freshness.watched is None
    assert look(freshness, 0, "61000", None) == at(0)
    assert freshness.watched == "BTCUSDT"
    assert look(freshness, 2, "61010", "61010.5") == at(2)


def test_a_frozen_picture_keeps_the_date_of_the_last_read_that_moved() -> None:
    freshness = Freshness()
    look(freshness, 0, "61000", None)
    assert look(freshness, 2, "61005", "61005.2") == at(2)
    assert look(freshness, 4, "61005", "60880") == at(2)
    assert look(freshness, 6, "61005", "60770") == at(2)
    assert look(freshness, 8, "60770", "60770") == at(8)


def test_a_frozen_picture_is_known_by_a_slow_drift_too() -> None:
    freshness = Freshness()
    look(freshness, 0, "61000", None)
    public_marks = [61000 - 40 * number for number in range(8)]
    ages = [at(2 * n) - look(freshness, 2 * n, "61000", str(m)) for n, m in enumerate(public_marks, 1)]
    assert ages[:4] == [timedelta(0)] * 4, "122 of 61000 is where they are apart"
    assert ages[4:] == [timedelta(seconds=2 * late) for late in (1, 2, 3, 4)]


def test_a_mark_price_printed_more_coarsely_is_not_frozen() -> None:
    freshness = Freshness()
    look(freshness, 0, "61000", None)
    for seconds, mark in ((2, "61000.91"), (4, "60999.02"), (6, "61003.7"), (8, "60998.88")):
        assert look(freshness, seconds, "61000", mark) == at(seconds)


def test_a_quiet_market_is_not_a_frozen_picture() -> None:
    freshness = Freshness()
    look(freshness, 0, "61000", None)
    for seconds in (2, 4, 6):
        assert look(freshness, seconds, "61000", "61000.1") == at(seconds)


def test_without_public_prices_nothing_is_held_against_a_picture() -> None:
    freshness = Freshness()
    for seconds in (0, 2, 4):
        assert look(freshness, seconds, "61000", None) == at(seconds)


def test_a_row_older_than_one_seen_before_ends_the_picture_at_that_change() -> None:
    freshness = Freshness()
    assert look(freshness, 100, "61000", None, assets=[usdt(at(90))]) == at(100)
    assert look(freshness, 102, "61001", None, assets=[usdt(at(50))]) == at(90)
    assert look(freshness, 104, "61002", None, assets=[usdt(at(103))]) == at(104)
    assert look(freshness, 106, "61003", None, assets=[usdt(at(102.5))]) == at(106), "servers differ a little"


def test_rows_that_never_changed_or_are_damaged_prove_nothing() -> None:
    freshness = Freshness()
    for number, changed in enumerate((0, "", None, "x", 0)):
        rows = [{"asset": "USDT", "updateTime": changed}]
        seen = freshness.date(assets=rows, positions=[], public=None, asked_at=at(number))
        assert seen == at(number)


def test_the_largest_position_is_watched_and_another_one_starts_anew() -> None:
    freshness = Freshness()
    eth = {"symbol": "ETHUSDT", "positionSide": "BOTH", "markPrice": "2000", "notional": "900000"}
    look(freshness, 0, "61000", None)
    look(freshness, 2, "61000", "60000")
    look(freshness, 3, "61000", "59500")
    rows = [btc("61000"), eth]
    freshness.date(assets=[], positions=rows, public=public("59000"), asked_at=at(4))
    assert freshness.watched == "ETHUSDT"
    answer = {"symbol": "ETHUSDT", "markPrice": "2001"}
    assert freshness.date(assets=[], positions=rows, public=answer, asked_at=at(6)) == at(6)
