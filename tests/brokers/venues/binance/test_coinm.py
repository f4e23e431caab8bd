"""What a COIN-M account's payloads mean: the documented figures to the digit, and a unit per coin."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.hooks import SnapshotContext
from brokers.models import (
    AccountId,
    AccountSnapshot,
    ContractKind,
    FindingCode,
    MarginMode,
    Measure,
    PositionMode,
    Side,
    Symbol,
    UnitKind,
)
from brokers.venues.binance.freshness import Freshness
from brokers.venues.binance.markets import read_coinm_markets, read_tiers
from brokers.venues.binance.snapshot import RawPicture, parse_snapshot, read_coinm_mode, split_account

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
D = Decimal
BTC, ETH = Symbol("BTCUSD_PERP"), Symbol("ETHUSD_PERP")

Coinm = Callable[..., AccountSnapshot]


def rules_row(base: str, size: int) -> dict[str, Any]:
    """One instrument of `GET /dapi/v1/exchangeInfo`."""
    lot = {"stepSize": "1", "maxQty": "1000000", "minQty": "1"}
    return {
        "symbol": f"{base}USD_PERP",
        "pair": f"{base}USD",
        "contractType": "PERPETUAL",
        "contractStatus": "TRADING",
        "contractSize": size,
        "quoteAsset": "USD",
        "baseAsset": base,
        "marginAsset": base,
        "quantityPrecision": 0,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.1", "maxPrice": "100000", "tickSize": "0.1"},
            {"filterType": "LOT_SIZE", **lot},
            {"filterType": "MARKET_LOT_SIZE", **lot, "maxQty": "60000"},
        ],
    }


RULES = {"symbols": [rules_row("BTC", 100), rules_row("ETH", 10)]}


def risk(symbol: str, amount: str, **more: str) -> dict[str, Any]:
    """One row of `GET /dapi/v1/positionRisk`: a short of three contracts, unless told otherwise.

    Source: ccxt static response test, binancecoinm fetchPositions.
    """
    row = {
        "symbol": symbol,
        "positionAmt": amount,
        "entryPrice": "68911.0",
        "markPrice": "68234.2",
        "unRealizedProfit": "0.00004318",
        "liquidationPrice": "72491.17",
        "leverage": "20",
        "maxQty": "100",
        "marginType": "cross",
        "isolatedMargin": "0.00000000",
        "isAutoAddMargin": "false",
        "positionSide": "BOTH",
        "notionalValue": "-0.00439662",
        "isolatedWallet": "0",
        "updateTime": 1767614400000,
    }
    return row | more


def held(symbol: str, amount: str, **more: str) -> dict[str, Any]:
    """One position row of `GET /dapi/v1/account`."""
    row = {
        "symbol": symbol,
        "positionAmt": amount,
        "initialMargin": "0.00021983",
        "maintMargin": "0.0000175865",
        "positionInitialMargin": "0.00021983",
        "openOrderInitialMargin": "0",
        "leverage": "20",
        "isolated": False,
        "positionSide": "BOTH",
        "updateTime": 1767614400000,
    }
    return row | more


def asset(name: str, balance: str, **more: str) -> dict[str, Any]:
    """One asset row of `GET /dapi/v1/account`."""
    row = {
        "asset": name,
        "walletBalance": balance,
        "unrealizedProfit": "0",
        "marginBalance": balance,
        "maintMargin": "0",
        "initialMargin": "0",
        "positionInitialMargin": "0",
        "openOrderInitialMargin": "0",
        "maxWithdrawAmount": balance,
        "crossWalletBalance": balance,
        "crossUnPnl": "0",
        "availableBalance": balance,
        "updateTime": 1767614400000,
    }
    return row | more


SHORT_BTC = asset(
    "BTC",
    "0.00030",
    unrealizedProfit="0.00004318",
    marginBalance="0.00034318",
    crossUnPnl="0.00004318",
    maintMargin="0.0000175865",
    initialMargin="0.00021983",
    positionInitialMargin="0.00021983",
    availableBalance="0.00012335",
)


@pytest.fixture
def coinm() -> Coinm:
    """Make a snapshot out of an account's assets and positions, and the rows of positionRisk."""

    def snapshot(
        assets: list[Any], positions: list[Any], risks: list[Any], *, hedge: bool | None = False
    ) -> AccountSnapshot:
        totals, rows, listed = split_account({"assets": assets, "positions": positions, "canTrade": True})
        mode = read_coinm_mode({"dualSidePosition": hedge})
        raw = RawPicture(account=totals, assets=rows, account_positions=listed, risk=risks, as_of=NOW)
        context = SnapshotContext(
            account_id=AccountId("desk"),
            broker="binance",
            product="coinm",
            now=NOW,
            mode=mode,
            markets=read_coinm_markets(RULES),
        )
        return parse_snapshot(raw, context)

    return snapshot


def test_three_short_contracts_are_300_dollars_in_coin(coinm: Coinm) -> None:
    snapshot = coinm([SHORT_BTC], [held(BTC, "-3")], [risk(BTC, "-3")])
    (position,) = snapshot.positions
    assert (position.symbol, position.side, position.quantity) == (BTC, Side.SHORT, 3)
    assert (position.kind, position.settle, position.unit) == (ContractKind.INVERSE, "BTC", "BTC")
    assert position.notional == D("0.00439662")
    size = snapshot.markets[BTC].contract_size
    assert (position.quantity * size / position.mark_price).quantize(D("1e-8")) == position.notional
    assert (position.initial_margin, position.maintenance_margin) == (D("0.00021983"), D("0.0000175865"))
    assert (position.notional / 20).quantize(D("1e-8")) == position.initial_margin
    assert position.notional * D("0.004") == pytest.approx(position.maintenance_margin, abs=D("1e-10"))
    exact = position.quantity * size * (1 / position.mark_price - 1 / position.entry_price)
    assert position.unrealized_pnl == exact.quantize(D("1e-8")) == D("0.00004318")
    assert (position.leverage_setting, position.liquidation_price) == (20, D("72491.17"))
    assert position.margin_mode is MarginMode.CROSS
    assert snapshot.findings == ()


def test_a_coin_is_a_unit_with_figures_in_that_coin(coinm: Coinm) -> None:
    assets = [SHORT_BTC, asset("ETH", "1.5"), asset("ADA", "0")]
    snapshot = coinm(assets, [held(BTC, "-3")], [risk(BTC, "-3")])
    assert [(unit.key, unit.kind, unit.currency) for unit in snapshot.units] == [
        ("BTC", UnitKind.CURRENCY, "BTC"),
        ("ETH", UnitKind.CURRENCY, "ETH"),
    ]
    unit = snapshot.unit("BTC")
    assert unit.margin_equity == D("0.00034318")
    assert unit.maintenance_margin / unit.margin_equity == pytest.approx(D("0.0512457"), abs=D("1e-7"))
    used = unit.initial_margin / (unit.initial_margin + unit.available_margin)
    assert used == pytest.approx(D("0.640568"), abs=D("1e-6"))
    assert [(c.currency, c.wallet_balance) for c in snapshot.collaterals] == [
        ("BTC", D("0.00030")),
        ("ETH", D("1.5")),
    ]


def test_the_account_has_no_totals_and_none_are_missed(coinm: Coinm) -> None:
    snapshot = coinm([SHORT_BTC], [held(BTC, "-3"), held(ETH, "0")], [risk(BTC, "-3"), risk(ETH, "0")])
    assert snapshot.findings == ()
    assert snapshot.mode.label == "coin-margined"
    assert snapshot.mode.position_mode is PositionMode.ONE_WAY


def test_an_isolated_position_is_a_unit_below_its_coin(coinm: Coinm) -> None:
    isolated = {"isolatedMargin": "0.00026301", "isolatedWallet": "0.00021983", "marginType": "isolated"}
    snapshot = coinm([SHORT_BTC], [held(BTC, "-3")], [risk(BTC, "-3", **isolated)])
    unit = snapshot.unit("isolated:BTCUSD_PERP:short")
    assert (unit.currency, unit.parent, unit.measures) == ("BTC", "BTC", {Measure.MAINTENANCE})
    assert unit.maintenance_margin / unit.margin_equity == pytest.approx(D("0.0668663"), abs=D("1e-7"))
    coin = snapshot.unit("BTC")
    assert (coin.margin_equity, coin.measures) == (D("0.00034318"), {Measure.UTILIZATION})


def test_a_row_without_its_value_is_worth_its_dollars_at_mark(coinm: Coinm) -> None:
    # Source: Binance docs, COIN-M "Position Information": the example has no notionalValue.
    row = risk(BTC, "-3")
    del row["notionalValue"]
    snapshot = coinm([SHORT_BTC], [held(BTC, "-3")], [row])
    assert snapshot.positions[0].notional.quantize(D("1e-8")) == D("0.00439662")
    assert snapshot.findings == ()
    spoilt = coinm([SHORT_BTC], [held(BTC, "-3")], [row | {"notionalValue": "NaN"}])
    assert spoilt.positions[0].notional is None
    assert FindingCode.FIELD_DAMAGED in {finding.code for finding in spoilt.findings}


def test_both_sides_of_a_symbol_are_told_apart(coinm: Coinm) -> None:
    both = [
        risk(BTC, "5", positionSide="LONG", notionalValue="0.00732770"),
        risk(BTC, "-3", positionSide="SHORT"),
    ]
    rows = [held(BTC, "5", positionSide="LONG"), held(BTC, "-3", positionSide="SHORT")]
    snapshot = coinm([SHORT_BTC | {"maintMargin": "0.000035173"}], rows, both, hedge=True)
    assert {(p.side, p.quantity, p.hedged) for p in snapshot.positions} == {
        (Side.LONG, D(5), True),
        (Side.SHORT, D(3), True),
    }
    assert snapshot.mode.position_mode is PositionMode.HEDGE
    assert snapshot.findings == ()


def test_margins_that_the_account_does_not_state_are_missing_not_zero(coinm: Coinm) -> None:
    snapshot = coinm([SHORT_BTC], [], [risk(BTC, "-3")])
    (position,) = snapshot.positions
    assert (position.initial_margin, position.maintenance_margin) == (None, None)
    assert {finding.code for finding in snapshot.findings} >= {
        FindingCode.INCONSISTENT,
        FindingCode.FIELD_MISSING,
    }


def test_a_coin_with_a_position_and_no_row_is_a_unit_without_figures(coinm: Coinm) -> None:
    snapshot = coinm([asset("ETH", "1")], [held(BTC, "-3")], [risk(BTC, "-3")])
    assert snapshot.unit("BTC").margin_equity is None
    assert FindingCode.TOTALS_MISSING in {finding.code for finding in snapshot.findings}


def test_a_contract_without_rules_is_still_its_coins(coinm: Coinm) -> None:
    snapshot = coinm([SHORT_BTC], [held("BTCUSD_260327", "-3")], [risk("BTCUSD_260327", "-3")])
    (position,) = snapshot.positions
    assert (position.settle, position.kind) == ("BTC", ContractKind.INVERSE)
    assert FindingCode.SYMBOL_UNKNOWN in {finding.code for finding in snapshot.findings}


def test_a_venue_that_does_not_say_the_position_mode_leaves_it_to_the_positions() -> None:
    assert read_coinm_mode({}).position_mode is None
    assert read_coinm_mode({"dualSidePosition": "true"}).position_mode is PositionMode.HEDGE


def test_rules_are_in_contracts_of_fixed_dollars() -> None:
    markets = read_coinm_markets(RULES)
    btc, eth = markets[BTC], markets[ETH]
    assert (btc.contract_size, eth.contract_size) == (100, 10)
    assert (btc.kind, btc.settle, btc.base, btc.quote) == (ContractKind.INVERSE, "BTC", "BTC", "USD")
    assert (btc.lot_step, btc.min_quantity, btc.min_notional) == (1, 1, None)
    assert (btc.max_market_quantity, btc.max_limit_quantity) == (60_000, 1_000_000)


@pytest.mark.parametrize("absent", ["contractSize", "marginAsset"])
def test_an_instrument_whose_size_or_coin_is_unknown_is_left_out(absent: str) -> None:
    row = rules_row("BTC", 100)
    del row[absent]
    read = read_coinm_markets({"symbols": [row, rules_row("ETH", 10)]})
    assert set(read) == {ETH}


def test_brackets_are_in_coin_under_either_name() -> None:
    # Source: Binance docs, COIN-M "Notional Bracket for Symbol", whose example spells the floor "qtylFloor".
    def brackets(floor: str) -> dict[str, Any]:
        rows = [
            {"bracket": 1, "qtyCap": 5, floor: 0, "maintMarginRatio": 0.004, "cum": 0.0},
            {"bracket": 2, "qtyCap": 10, floor: 5, "maintMarginRatio": 0.005, "cum": 0.005},
        ]
        return {"symbol": BTC, "brackets": rows}

    for name in ("qtyFloor", "qtylFloor"):
        (first, second) = read_tiers([brackets(name)])[BTC]
        assert (first.floor, first.rate, second.floor, second.deduction) == (0, D("0.004"), 5, D("0.005"))
    assert read_tiers([brackets("floor")]) == {}


def test_the_largest_position_is_watched_by_its_worth_in_dollars() -> None:
    # 2 BTC at 60,000 outweigh 30 ETH at 3,000, though the figure in coin is smaller.
    freshness = Freshness()
    rows = [
        risk(BTC, "1200", notionalValue="2", markPrice="60000"),
        risk(ETH, "9000", notionalValue="30", markPrice="3000"),
    ]
    freshness.date(assets=[], positions=rows, public=None, asked_at=NOW)
    assert freshness.watched == BTC
