"""A leg as a picture shows it: the net of its symbol, and the one row that an order may cut."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from brokers.models import AccountId, Collateral, MarginMode, MarketRules, Position, Side, Symbol
from daemon.risk.hedge_group import LegName
from daemon.risk.hedge_view import SeenLeg, UnseenLeg, row_to_cut, view_legs

Build = Any
D = Decimal
PERP = LegName(account=AccountId("bybit-main"), symbol="BTCUSDT")
COIN = LegName(account=AccountId("bybit-main"), symbol="BTC", is_balance=True)


def seen(build: Build, *rows: Position, rules: MarketRules | None = None) -> SeenLeg:
    markets = [rules or build.rules()]
    units = [build.unit(), build.unit("isolated")]
    found = view_legs([PERP], build.snapshot(units=units, positions=rows, markets=markets))[PERP]
    assert isinstance(found, SeenLeg), found
    return found


def test_a_leg_is_the_net_of_all_rows_of_its_symbol(build: Build) -> None:
    long = build.Row(quantity="3", hedged=True).position()
    short = build.Row(quantity="1", side=Side.SHORT, hedged=True).position()
    found = seen(build, short, long, build.Row(symbol="ETHUSDT", quantity="9").position())
    assert (found.leg.delta, found.size.quantity, found.base) == (D(2), D(2), "BTC")
    assert found.leg.cuttable == 2, "never more than the net: the short row is its twin"
    assert row_to_cut([short, long], "BTCUSDT") is long


def test_what_can_be_cut_is_one_order_on_the_largest_row(build: Build) -> None:
    cross = build.Row(quantity="3").position()
    isolated = build.Row(quantity="1", margin_mode=MarginMode.ISOLATED, unit="isolated").position()
    assert seen(build, cross, isolated).leg.cuttable == 3
    assert seen(build, cross, isolated).leg.delta == 4
    capped = replace(build.rules(), max_market_quantity=D("0.5"))
    assert seen(build, cross, rules=capped).leg.cuttable == D("0.5")


def test_the_smallest_order_respects_the_least_worth(build: Build) -> None:
    rules = replace(build.rules(), min_notional=D(100))
    assert seen(build, build.Row(mark="20000").position(), rules=rules).leg.least == D("0.005")


def test_a_leg_that_is_not_there_is_flat_and_of_no_coin(build: Build) -> None:
    found = seen(build)
    assert (found.leg.delta, found.size.quantity, found.base) == (0, 0, None)
    assert not found.leg.can_be_cut


def test_what_no_order_can_only_reduce_counts_and_is_not_cut(build: Build) -> None:
    option = build.Row(side=Side.LONG, quantity="4").position(reducible=False, delta=D("-0.6"))
    found = seen(build, option)
    assert (found.leg.delta, found.size.quantity, found.leg.cuttable) == (D("-0.6"), D(-4), 0)


def test_a_row_without_a_delta_leaves_the_leg_unseen(build: Build) -> None:
    row = build.Row().position()
    snapshot = build.snapshot(positions=[row], markets=[])
    assert view_legs([PERP], snapshot)[PERP] == UnseenLeg(name=PERP, why="BTCUSDT: no market rules")


def test_a_balance_counts_and_is_never_cut(build: Build) -> None:
    held = Collateral(currency="BTC", wallet_balance=D(2), equity=D("1.5"))
    found = view_legs([COIN], build.snapshot(collaterals=[held]))[COIN]
    assert isinstance(found, SeenLeg)
    assert (found.leg.delta, found.base, found.leg.can_be_cut) == (D("1.5"), "BTC", False)
    nothing = view_legs([COIN], build.snapshot())[COIN]
    assert isinstance(nothing, SeenLeg)
    assert nothing.leg.delta == 0
    unknown = view_legs([COIN], build.snapshot(collaterals=[replace(held, equity=None)]))[COIN]
    assert isinstance(unknown, UnseenLeg)


def test_a_flat_symbol_has_no_row_to_cut(build: Build) -> None:
    pair = [build.Row(side=side, hedged=True).position() for side in Side]
    assert row_to_cut(pair, Symbol("BTCUSDT")) is None
