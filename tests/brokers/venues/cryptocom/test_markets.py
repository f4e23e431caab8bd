"""Instrument rows and the venue's clock."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import ContractKind, Symbol
from brokers.venues.cryptocom.markets import read_instruments
from brokers.venues.cryptocom.profile import read_dated_time

Row = dict[str, Any]
DATED_MS = 1688015952000


def test_a_perpetual_is_linear_in_its_base_coin(
    answer: Callable[..., Row], instruments: tuple[Row, ...]
) -> None:
    rules = read_instruments(answer(*instruments))[Symbol("RUNEUSD-PERP")]
    assert (rules.base, rules.quote, rules.settle, rules.kind) == ("RUNE", "USD", "USD", ContractKind.LINEAR)
    assert (rules.contract_size, rules.lot_step, rules.min_quantity) == (
        Decimal(1),
        Decimal("0.1"),
        Decimal("0.1"),
    )
    assert (rules.price_step, rules.min_notional) == (Decimal("0.001"), None)


@pytest.mark.parametrize(
    "change",
    [
        {"inst_type": "CCY_PAIR"},
        {"inst_type": "WARRANT"},
        {"inst_type": None},
        {"qty_tick_size": None},
        {"qty_tick_size": "0"},
        {"price_tick_size": "NaN"},
        {"quote_ccy": ""},
        {"contract_size": "-1"},
    ],
)
def test_what_margind_cannot_close_is_left_out_and_the_others_stay(
    answer: Callable[..., Row], instruments: tuple[Row, ...], change: Row
) -> None:
    first, *others = instruments
    found = read_instruments(answer({**first, **change}, *others))
    assert sorted(found) == ["LTCUSD-PERP", "RUNEUSD-PERP"]


def test_an_expiry_future_without_a_contract_size_is_in_base_coin(
    answer: Callable[..., Row], instruments: tuple[Row, ...]
) -> None:
    future = {**instruments[0], "symbol": "BTCUSD-261225", "inst_type": "FUTURE"}
    del future["contract_size"]
    assert read_instruments(answer(future))[Symbol("BTCUSD-261225")].contract_size == 1


def test_no_list_is_no_empty_list() -> None:
    with pytest.raises(MalformedAnswer):
        read_instruments({"code": 0, "result": {}})


@pytest.mark.parametrize(
    ("published", "told"),
    [
        (DATED_MS + 437, DATED_MS + 437),
        (DATED_MS, DATED_MS),
        (DATED_MS + 1_000, DATED_MS + 500),  # after the answer: not of it
        (DATED_MS - 1, DATED_MS + 500),
        (None, DATED_MS + 500),
        ("soon", DATED_MS + 500),
    ],
)
def test_the_clock_is_the_date_header_narrowed_by_the_ticker(
    answer: Callable[..., Row], published: object, told: int
) -> None:
    assert read_dated_time(DATED_MS, answer({"i": "BTCUSD-PERP", "t": published})) == told


def test_the_date_alone_tells_the_time_of_an_answer_of_another_shape() -> None:
    assert read_dated_time(DATED_MS, {"code": 0}) == DATED_MS + 500
