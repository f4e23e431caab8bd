"""How old a picture is, told by what earlier ones showed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import Symbol
from brokers.venues.cryptocom.freshness import Freshness

START = datetime(2026, 1, 1, tzinfo=UTC)
LTC = Symbol("LTCUSD-PERP")


def held(profit: str, *, changed: datetime = START, quantity: str = "4.7") -> dict[str, Any]:
    return {
        "instrument_name": str(LTC),
        "quantity": quantity,
        "open_pos_cost": "310",
        "open_position_pnl": profit,
        "update_timestamp_ms": round(changed.timestamp() * 1000),
    }


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_an_honest_picture_is_as_old_as_its_request() -> None:
    freshness = Freshness()
    for second in range(3):
        price = {LTC: Decimal(70 + second)}
        assert freshness.date([held(f"{second}")], price, at(second)) == at(second)


def test_a_profit_that_stands_still_while_the_price_moves_is_of_the_read_before() -> None:
    freshness = Freshness()
    assert freshness.date([held("5")], {LTC: Decimal(70)}, at(0)) == at(0)
    assert freshness.date([held("5")], {LTC: Decimal("70.1")}, at(2)) == at(2)
    assert freshness.date([held("5")], {LTC: Decimal("70.3")}, at(4)) == at(2)
    assert freshness.date([held("5")], {LTC: Decimal(71)}, at(6)) == at(2)
    assert freshness.date([held("9")], {LTC: Decimal(71)}, at(8)) == at(8)


def test_a_price_that_creeps_is_measured_from_where_the_profit_last_changed() -> None:
    freshness = Freshness()
    dates = [freshness.date([held("5")], {LTC: Decimal(1000 + n)}, at(n)) for n in range(6)]
    assert dates == [at(0), at(1), at(2), at(2), at(2), at(2)]


def test_a_change_that_is_missing_dates_the_picture_before_it() -> None:
    freshness = Freshness()
    freshness.date([held("5", changed=at(-5))], {}, at(0))
    assert freshness.date([held("6", changed=at(-600))], {}, at(2)) == at(-600)
    assert freshness.date([held("7", changed=at(1))], {}, at(4)) == at(4)


@pytest.mark.parametrize("late", [0.0, 0.9])
def test_servers_may_differ_a_little(late: float) -> None:
    freshness = Freshness()
    freshness.date([held("5", changed=at(0))], {}, at(1))
    assert freshness.date([held("6", changed=at(-late))], {}, at(2)) == at(2)


def test_a_flat_account_and_a_venue_without_prices_prove_nothing() -> None:
    freshness = Freshness()
    assert freshness.date([], {}, at(0)) == at(0)
    assert freshness.date([held("5")], {}, at(1)) == at(1)
    assert freshness.date([held("5")], {}, at(9)) == at(9)
    assert freshness.date([held("5", quantity="0")], {LTC: Decimal(99)}, at(11)) == at(11)
