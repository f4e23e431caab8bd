"""What a cross margin account's payload means: one unit whose ratio is 1 where Binance liquidates."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.hooks import SnapshotContext
from brokers.models import AccountId, AccountSnapshot, FindingCode, Measure, Side, Symbol
from brokers.venues.binance.margin_cross_snapshot import (
    CrossPicture,
    check_account,
    net_bases,
    parse_cross,
)
from brokers.venues.binance.margin_markets import read_margin_markets, read_prices, wanted_pairs
from brokers.venues.binance.margin_positions import Levels
from brokers.venues.binance.margin_units import CLASSIC, CLASSIC_LEVELS, PRO, read_levels, read_mode
from daemon.risk.assessment import assess
from daemon.risk.policy import Action, MarginPolicy
from daemon.risk.reduction import ReductionPlan, plan_reduction

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
D = Decimal
Row = dict[str, Any]

BTCUSDT, ETHUSDT, ETHBTC, ETHUSDC = map(Symbol, ("BTCUSDT", "ETHUSDT", "ETHBTC", "ETHUSDC"))


def pair(base: str, quote: str, lot: str = "0.00001", tick: str = "0.01", **more: Any) -> Row:  # noqa: ANN401
    """One row of `exchangeInfo`, as documented for spot pairs."""
    return {
        "symbol": base + quote,
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": quote,
        "isMarginTradingAllowed": True,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000", "stepSize": lot},
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": "100", "stepSize": "0.00000000"},
            {"filterType": "NOTIONAL", "minNotional": "0.0001" if quote == "BTC" else "5"},
        ],
        **more,
    }


MARKETS = read_margin_markets(
    {
        "symbols": [
            pair("BTC", "USDT"),
            pair("ETH", "USDT", "0.0001"),
            pair("ETH", "USDC", "0.0001"),
            pair("ETH", "BTC", "0.0001", "0.00001"),
            pair("BNB", "USDT", "0.001"),
            pair("XRP", "USDT", "1", isMarginTradingAllowed=False),
        ]
    }
)
PRICES = {BTCUSDT: D(60_000), ETHUSDT: D(3_000), ETHUSDC: D(3_000), ETHBTC: D("0.05")}


def asset(
    name: str, free: str, borrowed: str = "0", interest: str = "0", locked: str = "0", **more: str
) -> Row:
    amounts = {"free": free, "locked": locked, "borrowed": borrowed, "interest": interest}
    net = D(free) + D(locked) - D(borrowed) - D(interest)
    return {"asset": name, **amounts, "netAsset": str(net), **more}


IN_USDT = {"BTC": D(60_000), "ETH": D(3_000), "USDT": D(1), "USDC": D(1)}


def account(*assets: Row, **more: Any) -> Row:  # noqa: ANN401
    """`GET /sapi/v1/margin/account` of `assets`, its totals at 60,000 USDT a BTC."""
    held = sum(((D(a["free"]) + D(a["locked"])) * IN_USDT[a["asset"]] for a in assets), D(0))
    owed = sum(((D(a["borrowed"]) + D(a["interest"])) * IN_USDT[a["asset"]] for a in assets), D(0))
    return {
        "created": True,
        "borrowEnabled": True,
        "marginLevel": "999" if owed == 0 else f"{held / owed:.8f}",
        "collateralMarginLevel": "3.2",
        "totalAssetOfBtc": f"{held / 60_000:.8f}",
        "totalLiabilityOfBtc": f"{owed / 60_000:.8f}",
        "totalNetAssetOfBtc": f"{(held - owed) / 60_000:.8f}",
        "tradeEnabled": True,
        "transferInEnabled": True,
        "transferOutEnabled": True,
        "accountType": "MARGIN_1",
        "userAssets": list(assets),
    } | more


def picture(
    payload: Row, prices: Mapping[Symbol, Decimal] = PRICES, levels: Levels = CLASSIC_LEVELS
) -> CrossPicture:
    checked = check_account(payload)
    return CrossPicture(account=checked, prices=prices, levels=levels, mode=read_mode(checked), asked_at=NOW)


def parse(
    payload: Row, prices: Mapping[Symbol, Decimal] = PRICES, levels: Levels = CLASSIC_LEVELS
) -> AccountSnapshot:
    raw = picture(payload, prices, levels)
    context = SnapshotContext(
        account_id=AccountId("desk"),
        broker="binance",
        product="cross",
        now=NOW,
        mode=raw.mode,
        markets=MARKETS,
    )
    return parse_cross(raw, context)


LONG = (asset("BTC", "1"), asset("USDT", "0", "39990", "10"))
"""A coin bought with 20,000 of one's own and 40,000 lent, of which 10 are interest."""

SHORT = (asset("USDT", "80000"), asset("BTC", "0", "0.99990", "0.0001"))

DOCUMENTED = {
    "created": True,
    "borrowEnabled": True,
    "marginLevel": "11.64405625",
    "collateralMarginLevel": "3.2",
    "totalAssetOfBtc": "6.82728457",
    "totalLiabilityOfBtc": "0.58633215",
    "totalNetAssetOfBtc": "6.24095242",
    "TotalCollateralValueInUSDT": "5.82728457",
    "totalOpenOrderLossInUSDT": "582.728457",
    "tradeEnabled": True,
    "accountType": "MARGIN_1",
    "userAssets": [
        asset("BTC", "0.00499500"),
        asset("BNB", "2346.50000000", "201.66666672"),
        asset("ETH", "0.00000000"),
        asset("USDT", "0.00000000"),
    ],
}
"""Source: Binance docs, margin trading, "Query Cross Margin Account Details"."""


# ---------------------------------------------------------------- the unit


def test_the_documented_account() -> None:
    # 0.58633215 BTC for 201.66666672 BNB: 0.0029074324 BTC each
    prices = {BTCUSDT: D(60_000), Symbol("BNBUSDT"): D("0.0029074324") * 60_000}
    snapshot = parse(DOCUMENTED, prices)
    assert snapshot.findings == ()
    unit = snapshot.unit("account")
    assert unit.currency == "USDT"
    assert unit.margin_equity == D("6.24095242") * 60_000
    # 1.1 / 11.64405625 = 9.447 %; half of what is owed is what 3x asks for: 4.697 % of the equity
    assert unit.venue_ratio == pytest.approx(D("0.0944688"), abs=D("0.000001"))
    assert unit.initial_margin / unit.margin_equity == pytest.approx(D("0.0469746"), abs=D("0.000001"))
    assert unit.maintenance_margin == pytest.approx(D("0.058633215") * 60_000)
    assert snapshot.positions == ()  # what is owed is held eleven times over: it takes no trade
    bnb = next(row for row in snapshot.collaterals if row.currency == "BNB")
    assert (bnb.debt, bnb.interest, bnb.repayable) == (D("201.66666672"), 0, D("201.66666672"))


@pytest.mark.parametrize(
    ("level", "ratio"),
    [
        ("1.1", "1"),
        ("1.16", "0.948276"),
        ("1.25", "0.88"),
        ("1.3", "0.846154"),
        ("1.5", "0.733333"),
        ("2", "0.55"),
    ],
)
def test_a_classic_account_is_liquidated_at_a_level_of_1_1(level: str, ratio: str) -> None:
    """Source: Binance support, "Binance Margin Level and Margin Call": the levels of 3x and 5x."""
    owed = D(60_000) / D(level)
    snapshot = parse(account(asset("BTC", "1"), asset("USDT", "0", f"{owed:.8f}")))
    unit = snapshot.unit("account")
    assert snapshot.findings == ()
    assert unit.venue_ratio == pytest.approx(D(ratio), abs=D("0.00001"))
    # equity is the maintenance margin exactly where the ratio is 1
    assert (unit.maintenance_margin >= unit.margin_equity - D("0.01")) is (D(level) <= D("1.1"))


def test_five_times_lends_more_and_is_liquidated_at_the_same_level() -> None:
    levels = read_levels({"normalBar": "1.25", "marginCallBar": "1.16", "forceLiquidationBar": "1.1"})
    three, five = parse(account(*LONG)), parse(account(*LONG), levels=levels)
    assert three.unit("account").initial_margin == pytest.approx(
        D(20_000)
    )  # all of the equity: no more is lent
    assert three.unit("account").available_margin == pytest.approx(D(0), abs=D("0.01"))
    assert five.unit("account").initial_margin == pytest.approx(D(10_000))
    assert five.unit("account").venue_ratio == three.unit("account").venue_ratio


@pytest.mark.parametrize(
    "bars",
    [
        {},
        {"normalBar": "1.5"},
        {"normalBar": "1.1", "forceLiquidationBar": "1.1"},
        {"normalBar": "NaN"},
        [],
        None,
    ],
)
def test_levels_that_make_no_sense_are_those_of_three_times(bars: object) -> None:
    assert read_levels(bars) == CLASSIC_LEVELS


def test_a_pro_account_is_liquidated_at_a_level_of_1() -> None:
    snapshot = parse(account(*LONG, accountType="MARGIN_2", marginLevel="5"))
    unit = snapshot.unit("account")
    assert (snapshot.mode, snapshot.findings) == (PRO, ())
    assert unit.venue_ratio == D("0.2")
    assert unit.measures == {Measure.MAINTENANCE}
    assert unit.maintenance_margin == pytest.approx(D(4_000))
    [position] = snapshot.positions
    assert position.maintenance_margin == pytest.approx(D(4_000))
    assert position.initial_margin is None


def test_a_pro_accounts_equity_is_after_haircuts_and_open_order_losses_where_they_are_stated() -> None:
    """(net collateral - open order loss) / maintenance margin; source: Binance support, Cross Margin Pro."""
    stated = {"TotalCollateralValueInUSDT": "57000", "totalOpenOrderLossInUSDT": "1000", "marginLevel": "4"}
    unit = parse(account(*LONG, accountType="MARGIN_2", **stated)).unit("account")
    assert (unit.margin_equity, unit.maintenance_margin) == (
        pytest.approx(D(16_000)),
        pytest.approx(D(4_000)),
    )


def test_without_debt_there_is_no_ratio_and_nothing_required() -> None:
    unit = parse(account(asset("BTC", "1"), asset("USDT", "5"))).unit("account")
    assert (unit.venue_ratio, unit.initial_margin, unit.maintenance_margin) == (None, 0, 0)
    assert unit.available_margin == unit.margin_equity


# ---------------------------------------------------------------- what is damaged, missing or contradictory


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("marginLevel", "", FindingCode.FIELD_MISSING),
        ("marginLevel", "NaN", FindingCode.FIELD_DAMAGED),
        ("marginLevel", "2.0", FindingCode.INCONSISTENT),
        ("marginLevel", "999", FindingCode.INCONSISTENT),
        ("totalAssetOfBtc", None, FindingCode.FIELD_MISSING),
        ("totalLiabilityOfBtc", "", FindingCode.FIELD_MISSING),
        ("totalLiabilityOfBtc", "0", FindingCode.INCONSISTENT),
        ("totalNetAssetOfBtc", "1", FindingCode.INCONSISTENT),
        ("totalAssetOfBtc", "-1", FindingCode.FIELD_DAMAGED),
        ("accountType", "MARGIN_9", FindingCode.MODE_UNKNOWN),
        ("accountType", None, FindingCode.MODE_UNKNOWN),
        ("tradeEnabled", False, FindingCode.VENUE_ACTING),
    ],
)
def test_totals_that_cannot_be_are_findings(name: str, value: object, code: FindingCode) -> None:
    assert code in {finding.code for finding in parse(account(*LONG, **{name: value})).findings}


@pytest.mark.parametrize("stated", ["2.0", "999", ""])
def test_a_level_that_flatters_does_not_lower_the_alarm(stated: str) -> None:
    honest = parse(account(*LONG)).unit("account").venue_ratio
    assert parse(account(*LONG, marginLevel=stated)).unit("account").venue_ratio == pytest.approx(honest)


@pytest.mark.parametrize("name", ["free", "locked", "borrowed", "interest"])
@pytest.mark.parametrize("value", ["", None, "NaN", "1,000", "-1"])
def test_an_amount_that_is_missing_or_damaged_is_a_finding_and_never_zero(name: str, value: object) -> None:
    rows = [dict(LONG[0]), {**LONG[1], name: value}]
    snapshot = parse(account(*LONG) | {"userAssets": rows})
    assert snapshot.findings
    assert snapshot.positions == ()


def test_assets_that_are_missing_from_the_list_show_in_the_totals() -> None:
    snapshot = parse(account(*LONG) | {"userAssets": [LONG[0]]})
    [finding] = snapshot.findings
    assert finding.code is FindingCode.INCONSISTENT
    assert "debts" in finding.detail


def test_a_net_amount_that_is_not_its_parts_is_a_finding() -> None:
    rows = (asset("BTC", "1", netAsset="2"), LONG[1])
    assert FindingCode.INCONSISTENT in {finding.code for finding in parse(account(*rows)).findings}


def test_without_a_price_of_btc_the_ratio_alone_is_left() -> None:
    snapshot = parse(account(*LONG), {})
    unit = snapshot.unit("account")
    assert (unit.margin_equity, unit.maintenance_margin) == (None, None)
    assert unit.venue_ratio == pytest.approx(D("1.1") / D("1.5"))
    codes = {finding.code for finding in snapshot.findings}
    assert codes == {FindingCode.FIELD_MISSING, FindingCode.PRICE_UNKNOWN}


def test_an_account_that_was_never_opened_is_no_empty_one() -> None:
    with pytest.raises(MalformedAnswer, match="not been opened"):
        check_account(account(created=False))


# ---------------------------------------------------------------- positions


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
    assert (nothing.positions, nothing.findings) == ((), ())
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


# ---------------------------------------------------------------- markets and prices


def test_pairs_without_margin_are_left_out_and_market_lots_of_zero_are_none() -> None:
    assert Symbol("XRPUSDT") not in MARKETS
    rules = MARKETS[BTCUSDT]
    assert (rules.lot_step, rules.min_quantity, rules.min_notional) == (D("0.00001"), D("0.00001"), 5)
    assert (rules.max_market_quantity, rules.max_limit_quantity) == (100, 9_000)
    assert (rules.settle, rules.reduce_only_exempt_from_minimum) == ("USDT", False)


def test_prices_are_asked_for_pairs_between_assets_and_of_each_in_usdt_or_btc() -> None:
    assert set(wanted_pairs({"ETH", "USDC"}, MARKETS)) == {ETHUSDT, ETHUSDC, ETHBTC, BTCUSDT}
    assert wanted_pairs(set(), MARKETS) == ()


def test_a_price_that_is_none_is_left_out() -> None:
    rows = [{"symbol": "BTCUSDT", "price": "NaN"}, {"symbol": "ETHUSDT", "price": "0"}, {"symbol": "X"}]
    assert read_prices([*rows, {"symbol": "ETHBTC", "price": "0.05"}]) == {ETHBTC: D("0.05")}
    assert read_prices({"symbol": "BTCUSDT", "price": "60000"}) == {BTCUSDT: 60_000}


def test_the_net_base_of_every_pair_is_known_whatever_it_is_owed_against() -> None:
    held = net_bases(picture(account(asset("BTC", "0.5", "0.2"), asset("USDC", "9"))), MARKETS)
    assert held == {BTCUSDT: D("0.3")}
    assert CLASSIC.label == "cross margin classic"
