"""Isolated margin: no account totals, a unit per coin and per position."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountSnapshot, FindingCode, MarginMode, Measure, UnitKind
from brokers.venues.bybit.contracts import Category

Payload = dict[str, Any]
AccountOf = Callable[[Payload], Payload]
MakeSnapshot = Callable[..., AccountSnapshot]
Codes = Callable[[AccountSnapshot], set[FindingCode]]
Percent = Callable[[Decimal, Decimal, str], Decimal]


def test_isolated_margin_has_no_account_totals_but_a_unit_per_coin_and_position(
    isolated_wallet: Payload, snapshot: MakeSnapshot, ltc_row: Payload, codes: Codes, percent: Percent
) -> None:
    ltc_row.update(positionIM="2466.37380399", positionMM="42.31621371", positionBalance="2466.37380399")
    ltc_row["unrealisedPnl"] = "-303.7584"
    shot = snapshot(isolated_wallet, [ltc_row], mode="ISOLATED_MARGIN")
    assert codes(shot) == set()
    coin, position = shot.units
    assert (coin.key, coin.kind, coin.measures) == (
        "USDT",
        UnitKind.CURRENCY,
        frozenset({Measure.UTILIZATION}),
    )
    assert percent(coin.initial_margin, coin.margin_equity, "0.001") == Decimal("57.745")
    assert coin.available_margin == Decimal("1804.74769114")
    assert (position.key, position.kind, position.parent) == (
        "LTCUSDT:long",
        UnitKind.ISOLATED_POSITION,
        "USDT",
    )
    assert position.measures == frozenset({Measure.MAINTENANCE})
    assert position.margin_equity == Decimal("2162.61540399")
    assert percent(position.maintenance_margin, position.margin_equity, "0.001") == Decimal("1.957")
    assert shot.positions[0].unit == "LTCUSDT:long"
    assert shot.positions[0].margin_mode is MarginMode.ISOLATED


def test_isolated_utilization_counts_orders_and_what_spot_orders_lock(
    isolated_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot
) -> None:
    account_of(isolated_wallet)["coin"][0].update(
        walletBalance="1000",
        totalPositionIM="300",
        totalOrderIM="150",
        locked="50",
        bonus="20",
        totalPositionMM="0",
    )
    (unit,) = snapshot(isolated_wallet, mode="ISOLATED_MARGIN").units
    assert unit.initial_margin == 500
    assert unit.available_margin == 480
    assert (unit.wallet_balance, unit.margin_equity) == (1000, 980)


def test_a_coins_equity_is_its_wallet_without_the_pnl_of_its_isolated_positions(
    isolated_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot, ltc_row: Payload
) -> None:
    account_of(isolated_wallet)["coin"][0]["unrealisedPnl"] = "-2000"
    unit = snapshot(isolated_wallet, [ltc_row], mode="ISOLATED_MARGIN").unit("USDT")
    assert (unit.margin_equity, unit.unrealized_pnl) == (Decimal("4271.12149513"), None)


def test_an_isolated_account_without_positions_still_has_a_unit(
    isolated_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot, codes: Codes
) -> None:
    account_of(isolated_wallet)["coin"][0].update(totalPositionIM="0", totalPositionMM="0")
    shot = snapshot(isolated_wallet, mode="ISOLATED_MARGIN")
    assert [unit.key for unit in shot.units] == ["USDT"]
    assert codes(shot) == set()


@pytest.mark.parametrize("name", ["walletBalance", "totalPositionIM", "totalOrderIM", "locked", "bonus"])
def test_a_missing_coin_figure_in_isolated_margin_is_a_finding(
    isolated_wallet: Payload,
    snapshot: MakeSnapshot,
    ltc_row: Payload,
    name: str,
    codes: Codes,
) -> None:
    isolated_wallet["result"]["list"][0]["coin"][0][name] = ""
    shot = snapshot(isolated_wallet, [ltc_row], mode="ISOLATED_MARGIN")
    assert shot.unit("USDT").available_margin is None
    assert FindingCode.TOTALS_MISSING in codes(shot)


def test_damage_in_a_coin_is_a_finding_about_that_coins_unit(
    isolated_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot, ltc_row: Payload
) -> None:
    account_of(isolated_wallet)["coin"][0]["bonus"] = "NaN"
    findings = snapshot(isolated_wallet, [ltc_row], mode="ISOLATED_MARGIN").findings
    assert (FindingCode.FIELD_DAMAGED, "USDT") in {(one.code, one.unit) for one in findings}


def test_a_position_whose_coin_has_no_row_still_has_a_parent(
    isolated_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot, ltc_row: Payload, codes: Codes
) -> None:
    account_of(isolated_wallet)["coin"] = []
    shot = snapshot(isolated_wallet, [ltc_row], mode="ISOLATED_MARGIN")
    assert shot.unit("USDT").initial_margin is None
    assert FindingCode.TOTALS_MISSING in codes(shot)


@pytest.mark.parametrize("balance", ["", "0", None])
def test_without_position_balance_the_exact_liquidation_price_tells_the_equity(
    isolated_wallet: Payload, snapshot: MakeSnapshot, ltc_row: Payload, balance: str | None
) -> None:
    ltc_row.update(positionBalance=balance, liqPrice="66.1")
    unit = snapshot(isolated_wallet, [ltc_row], mode="ISOLATED_MARGIN").unit("LTCUSDT:long")
    assert unit.margin_equity == Decimal("0.81072399") + Decimal("1.2") * 5
    ltc_row.update(markPrice="66.1")
    unit = snapshot(isolated_wallet, [ltc_row], mode="ISOLATED_MARGIN").unit("LTCUSDT:long")
    assert unit.margin_equity == unit.maintenance_margin


def test_an_isolated_inverse_short_at_its_liquidation_price_has_equity_equal_to_maintenance(
    isolated_wallet: Payload, snapshot: MakeSnapshot, btcusd_row: Payload
) -> None:
    btcusd_row.update(positionBalance="", liqPrice="28224.50")
    shot = snapshot(isolated_wallet, [btcusd_row], mode="ISOLATED_MARGIN", category=Category.INVERSE)
    unit = shot.unit("BTCUSD:short")
    assert unit.margin_equity == unit.maintenance_margin
    assert unit.currency == "BTC"


def test_without_balance_and_liquidation_price_the_initial_margin_stands_in(
    isolated_wallet: Payload, snapshot: MakeSnapshot, ltc_row: Payload
) -> None:
    ltc_row.update(positionBalance="", liqPrice="")
    unit = snapshot(isolated_wallet, [ltc_row], mode="ISOLATED_MARGIN").unit("LTCUSDT:long")
    assert unit.margin_equity == Decimal("12.95542633") + Decimal("7.800625")


def test_isolated_equity_that_nothing_tells_is_missing(
    isolated_wallet: Payload, snapshot: MakeSnapshot, ltc_row: Payload, codes: Codes
) -> None:
    ltc_row.update(positionBalance="", liqPrice="", positionIM="")
    shot = snapshot(isolated_wallet, [ltc_row], mode="ISOLATED_MARGIN")
    assert shot.unit("LTCUSDT:long").margin_equity is None
    assert FindingCode.FIELD_MISSING in codes(shot)


def test_isolated_unrealized_pnl_is_needed(
    isolated_wallet: Payload, snapshot: MakeSnapshot, ltc_row: Payload, codes: Codes
) -> None:
    ltc_row["unrealisedPnl"] = ""
    shot = snapshot(isolated_wallet, [ltc_row], mode="ISOLATED_MARGIN")
    assert shot.unit("LTCUSDT:long").margin_equity is None
    assert FindingCode.FIELD_MISSING in codes(shot)
