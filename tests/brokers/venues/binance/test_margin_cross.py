"""What a cross margin account's payload means: one unit whose ratio is 1 where Binance liquidates."""

from decimal import Decimal

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import FindingCode, Measure, Symbol
from brokers.venues.binance.margin_cross_snapshot import (
    check_account,
    net_bases,
)
from brokers.venues.binance.margin_markets import read_prices, wanted_pairs
from brokers.venues.binance.margin_units import CLASSIC, CLASSIC_LEVELS, PRO, read_levels
from tests.brokers.venues.binance.margin_payloads import (
    BTCUSDT,
    ETHBTC,
    ETHUSDC,
    ETHUSDT,
    LONG,
    MARKETS,
    account,
    asset,
    parse,
    picture,
)

D = Decimal

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
