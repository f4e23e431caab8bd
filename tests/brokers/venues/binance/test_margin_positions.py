"""What is held and owed in a cross margin account -> positions, and how far their orders may go."""

from decimal import Decimal

import pytest

from brokers.models import FindingCode, Side, Symbol
from daemon.risk.assessment import assess
from daemon.risk.policy import Action, MarginPolicy
from daemon.risk.reduction import ReductionPlan, plan_reduction
from tests.brokers.venues.binance.margin_payloads import (
    BTCUSDT,
    ETHBTC,
    ETHUSDC,
    ETHUSDT,
    LONG,
    NOW,
    SHORT,
    Row,
    account,
    asset,
    parse,
)

D = Decimal


def test_a_long_is_what_is_held_and_may_be_sold_as_far_as_the_debt_needs() -> None:
    snapshot = parse(account(*LONG))
    [position] = snapshot.positions
    assert (position.symbol, position.side, position.quantity) == (BTCUSDT, Side.LONG, D(1))
    assert (position.notional, position.settle) == (60_000, "USDT")
    assert (position.initial_margin, position.maintenance_margin) == (20_000, 4_000)
    rules = snapshot.markets[BTCUSDT]
    # 40,000 / 60,000 and the fee, in whole lots
    assert rules.max_market_quantity == rules.max_limit_quantity == D("0.66801")
    assert rules.max_market_quantity * 60_000 * D("0.998") >= 40_000


def test_a_short_is_what_is_owed_net_and_never_a_lot_more() -> None:
    snapshot = parse(account(asset("USDT", "80000"), asset("BTC", "0.25", "1.000009")))
    [position] = snapshot.positions
    assert (position.symbol, position.side, position.quantity) == (BTCUSDT, Side.SHORT, D("0.75"))
    assert snapshot.markets[BTCUSDT].max_market_quantity == D("0.75")


def test_interest_is_bought_back_too() -> None:
    [position] = parse(account(*SHORT)).positions
    assert (position.side, position.quantity) == (Side.SHORT, D(1))


def test_what_orders_have_locked_is_not_sold() -> None:
    snapshot = parse(account(asset("BTC", "0.1", locked="0.9"), LONG[1]))
    [position] = snapshot.positions
    assert position.quantity == D(1)
    assert snapshot.markets[BTCUSDT].max_market_quantity == D("0.1")


def test_a_short_is_bought_back_with_what_is_free() -> None:
    rows = (asset("USDT", "6000", locked="74000"), SHORT[1])
    rules = parse(account(*rows)).markets[BTCUSDT]
    assert rules.max_market_quantity == D("0.095")  # 6,000 less a cushion of 5 %, at 60,000


def test_coins_that_share_a_debt_sell_no_more_than_it_needs_together() -> None:
    snapshot = parse(account(asset("BTC", "1"), asset("ETH", "10"), asset("USDT", "0", "63000")))
    found = {position.symbol: position for position in snapshot.positions}
    assert set(found) == {BTCUSDT, ETHUSDT}
    assert found[BTCUSDT].initial_margin == 21_000  # two thirds of 63,000, by worth
    most = {symbol: rules.max_market_quantity for symbol, rules in snapshot.markets.items()}
    assert most[BTCUSDT] == D(1)
    assert most[ETHUSDT] * 3_000 * D("0.998") == pytest.approx(
        D(63_000) - 60_000 * D("0.998"), rel=D("0.001")
    )


def test_a_coin_is_bought_back_with_dollars_before_coins_and_without_a_pair_it_stays_a_debt() -> None:
    owed = asset("ETH", "0", "5")
    with_both = parse(account(owed, asset("USDC", "16000"), asset("BTC", "1"))).positions
    assert [(p.symbol, p.side, p.quantity) for p in with_both] == [(ETHUSDC, Side.SHORT, D(5))]
    with_coins = parse(account(owed, asset("BTC", "1"))).positions
    assert [(p.symbol, p.side, p.settle) for p in with_coins] == [(ETHBTC, Side.SHORT, "BTC")]
    nothing = parse(account(asset("USDC", "0", "5000"), asset("BTC", "1")))
    assert nothing.positions == ()
    [finding] = nothing.findings  # by the pair that it would take; it blocks no other position
    assert (finding.code, finding.symbol) == (FindingCode.SYMBOL_UNKNOWN, Symbol("BTCUSDC"))
    assert next(row.debt for row in nothing.collaterals if row.currency == "USDC") == 5_000


def test_another_coin_is_sold_for_the_one_that_is_owed_where_that_is_the_pair() -> None:
    snapshot = parse(account(asset("ETH", "40"), asset("BTC", "0", "1")))
    [position] = snapshot.positions
    assert (position.symbol, position.side, position.quantity) == (ETHBTC, Side.LONG, D(40))
    assert snapshot.markets[ETHBTC].max_market_quantity == D("20.0401")


def test_what_is_free_of_the_owed_asset_needs_no_trade() -> None:
    snapshot = parse(account(asset("BTC", "1"), asset("USDT", "50000", "40000")))
    assert snapshot.positions == ()
    usdt = next(row for row in snapshot.collaterals if row.currency == "USDT")
    assert (usdt.owed, usdt.repayable, usdt.unit) == (40_000, 40_000, "account")


@pytest.mark.parametrize(
    "rows",
    [
        (asset("BTC", "1"), asset("USDT", "0", "4.99")),  # less than an order
        (asset("BTC", "0.000009"), asset("USDT", "0", "40000")),  # less than a lot
        (asset("USDT", "80000"), asset("BTC", "0", "0.00008")),  # 4.8 USDT
    ],
)
def test_a_trifle_is_a_debt_and_no_position(rows: tuple[Row, ...]) -> None:
    assert parse(account(*rows)).positions == ()


def test_a_position_without_a_price_is_a_finding_of_its_own() -> None:
    snapshot = parse(account(*LONG, asset("ETH", "1")), {BTCUSDT: D(60_000)})
    unknown = [finding for finding in snapshot.findings if finding.code is FindingCode.PRICE_UNKNOWN]
    assert [finding.symbol for finding in unknown] == [ETHUSDT]
    assert {position.symbol for position in snapshot.positions} == {BTCUSDT, ETHUSDT}


def test_a_flatten_sells_what_the_debt_needs_and_leaves_the_rest() -> None:
    snapshot = parse(account(*LONG))
    judged = assess(snapshot, MarginPolicy(), NOW, None)
    plan = plan_reduction(judged, snapshot, "account", MarginPolicy(), step=0, action=Action.FLATTEN)
    assert isinstance(plan, ReductionPlan)
    [order] = plan.orders
    assert (order.position.quantity, order.quantity) == (D(1), D("0.66801"))
