"""Which resting orders go, and when."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import Measure, OrderSide, Symbol, UnitKind
from brokers.orders import OpenOrder, OrderBook
from daemon.risk.resting import concerning, in_turn

BUILD = Any
RAISING = OpenOrder(
    order_id="raising",
    client_order_id=None,
    symbol=Symbol("BTCUSDT"),
    side=OrderSide.BUY,
    quantity=Decimal(1),
    price=Decimal(40_000),
    reduce_only=False,
    book=OrderBook.ACTIVE,
    kind="Limit",
)
ENTRY = replace(RAISING, order_id="entry", book=OrderBook.TRIGGER)
PROFIT = replace(RAISING, order_id="profit", side=OrderSide.SELL, reduce_only=True)
STOP = replace(PROFIT, order_id="stop", book=OrderBook.TRIGGER)


@pytest.mark.parametrize(
    ("orders", "before_cut", "due"),
    [
        ((STOP, PROFIT, RAISING, ENTRY), False, (RAISING, ENTRY)),
        ((STOP, PROFIT, RAISING, ENTRY), True, (RAISING, ENTRY)),
        ((STOP, PROFIT), False, ()),
        ((STOP, PROFIT), True, (PROFIT,)),
        ((STOP,), True, ()),
    ],
)
def test_what_adds_risk_goes_first_what_only_reduces_before_a_cut_and_protection_never(
    orders: tuple[OpenOrder, ...], *, before_cut: bool, due: tuple[OpenOrder, ...]
) -> None:
    assert in_turn(orders, before_cut=before_cut) == due


def test_an_order_concerns_the_units_that_it_can_change(build: BUILD) -> None:
    ether, unknown = replace(RAISING, symbol=Symbol("ETHUSDT")), replace(RAISING, symbol=Symbol("NEWUSDT"))
    inverse = replace(RAISING, symbol=Symbol("BTCUSD"))
    orders = (RAISING, ether, inverse, unknown)
    alone = build.unit(
        "BTCUSDT",
        kind=UnitKind.ISOLATED_POSITION,
        measures=frozenset({Measure.MAINTENANCE}),
        initial_margin=None,
        available_margin=None,
    )
    snapshot = build.snapshot(
        units=[alone, build.unit("USDT", kind=UnitKind.CURRENCY), build.unit("account")],
        positions=[build.Row(unit="BTCUSDT").position()],
        markets=[build.rules("BTCUSDT"), build.rules("ETHUSDT"), build.rules("BTCUSD", settle="BTC")],
    )
    assert concerning(orders, snapshot, "BTCUSDT") == (RAISING,)
    assert concerning(orders, snapshot, "USDT") == (RAISING, ether, unknown)
    assert concerning(orders, snapshot, "account") == orders
