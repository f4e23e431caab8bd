"""What a USD-M account's payloads mean: the documented examples to the digit, and every known trap."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import (
    AccountSnapshot,
    FindingCode,
    MarginMode,
    Measure,
    PositionMode,
    Side,
    Symbol,
    UnitKind,
)
from brokers.venues.binance.settings import read_settings
from brokers.venues.binance.snapshot import contradicts, mode_of, read_mode, split_account

Payload = Callable[[str], Any]
Usdm = Callable[..., AccountSnapshot]


def percent(part: Decimal | None, whole: Decimal | None) -> float:
    assert part is not None
    assert whole is not None
    return round(float(part / whole) * 100, 3)


def codes(snapshot: AccountSnapshot) -> list[FindingCode]:
    return [finding.code for finding in snapshot.findings]


# ---------------------------------------------------------------------- worked examples


def test_a_multi_assets_account_is_one_unit_in_usd_from_its_totals(payload: Payload, usdm: Usdm) -> None:
    # Source: ccxt static response test, binanceusdm fetchBalance (multi-assets mode).
    snapshot = usdm(payload("account_multi_assets"), payload("risk_multi_assets"), multi_assets=True)
    (unit,) = snapshot.units
    assert (unit.key, unit.kind, unit.currency) == ("account", UnitKind.ACCOUNT, "USD")
    assert unit.initial_margin is not None
    assert unit.available_margin is not None
    assert percent(unit.initial_margin, unit.initial_margin + unit.available_margin) == 28.928
    assert percent(unit.initial_margin, unit.margin_equity) == 28.912
    assert percent(unit.maintenance_margin, unit.margin_equity) == 9.252
    assert snapshot.findings == ()
    assert [c.currency for c in snapshot.collaterals] == ["USDT", "USDC"]


def test_a_multi_assets_account_with_haircuts_differs_by_denominator(payload: Payload, usdm: Usdm) -> None:
    # Source: account payload of a multi-assets account with haircuts, figures as published with it.
    account = payload("account_multi_assets") | {
        "totalInitialMargin": "15982.2915",
        "availableBalance": "10997.1879",
        "totalMarginBalance": "28252.8914",
        "totalMaintMargin": "1896.4583",
    }
    (unit,) = usdm(account, payload("risk_multi_assets"), multi_assets=True).units
    assert unit.initial_margin is not None
    assert unit.available_margin is not None
    assert round(percent(unit.initial_margin, unit.initial_margin + unit.available_margin), 2) == 59.24
    assert round(percent(unit.initial_margin, unit.margin_equity), 2) == 56.57
    assert percent(unit.maintenance_margin, unit.margin_equity) == 6.712
    assert unit.maintenance_margin is not None
    assert unit.margin_equity is not None
    exact = unit.maintenance_margin / unit.margin_equity * 100
    assert exact == pytest.approx(Decimal("6.713"), abs=Decimal("0.0006")), "as published, rounded up"


def test_a_short_position_is_read_with_the_venues_own_maintenance(payload: Payload, usdm: Usdm) -> None:
    # Source: ccxt static response test of positionRisk v3. ccxt itself says 4758: the rate without `cum`.
    snapshot = usdm(payload("account_single_asset"), payload("risk_single_asset"))
    short = next(p for p in snapshot.positions if p.symbol == "BTCUSDT")
    assert (short.side, short.quantity, short.notional) == (Side.SHORT, Decimal(12), Decimal(732000))
    assert (short.initial_margin, short.maintenance_margin) == (Decimal(73200), Decimal(3808))
    assert (short.mark_price, short.liquidation_price) == (Decimal(61000), Decimal(95000))
    assert (short.margin_mode, short.hedged, short.unit) == (MarginMode.CROSS, False, "USDT")
    assert short.leverage_setting is None


# ---------------------------------------------------------------------- single-asset mode


def test_every_margin_asset_is_its_own_unit_and_totals_are_not_used(payload: Payload, usdm: Usdm) -> None:
    snapshot = usdm(payload("account_single_asset"), payload("risk_single_asset"))
    assert [unit.key for unit in snapshot.units] == ["USDT", "USDC", "BNB"]
    usdc = snapshot.unit("USDC")
    assert (usdc.kind, usdc.currency) == (UnitKind.CURRENCY, "USDC")
    assert (usdc.initial_margin, usdc.available_margin) == (Decimal(850), Decimal(50))
    assert (usdc.margin_equity, usdc.maintenance_margin) == (Decimal(900), Decimal(20))
    assert [p.symbol for p in snapshot.positions_of("USDC")] == ["ETHUSDC"]
    assert snapshot.findings == ()


def test_an_asset_that_never_changed_is_kept_when_it_holds_something(payload: Payload, usdm: Usdm) -> None:
    # ccxt drops rows whose updateTime is 0 (issue #27997).
    account = payload("account_single_asset")
    account["assets"][1]["updateTime"] = 0
    assert usdm(account, payload("risk_single_asset")).unit("USDT").margin_equity == Decimal(96000)


def test_an_asset_that_holds_nothing_is_no_unit(payload: Payload, usdm: Usdm) -> None:
    snapshot = usdm(payload("account_single_asset"), payload("risk_single_asset"))
    assert "FDUSD" not in {unit.key for unit in snapshot.units}


def test_a_margin_asset_without_a_row_is_a_unit_without_figures(payload: Payload, usdm: Usdm) -> None:
    account = payload("account_single_asset")
    account["assets"] = [row for row in account["assets"] if row["asset"] != "USDC"]
    snapshot = usdm(account, payload("risk_single_asset"))
    assert snapshot.unit("USDC").margin_equity is None
    assert codes(snapshot) == [FindingCode.TOTALS_MISSING]


def test_an_open_order_row_of_amount_zero_is_no_position(payload: Payload, usdm: Usdm) -> None:
    snapshot = usdm(payload("account_single_asset"), payload("risk_single_asset"))
    assert {p.symbol for p in snapshot.positions} == {"BTCUSDT", "ETHUSDC"}


def test_a_position_binds_its_own_margin_and_not_that_of_its_orders(payload: Payload, usdm: Usdm) -> None:
    risk = payload("risk_single_asset")
    snapshot = usdm(payload("account_single_asset"), risk)
    assert snapshot.positions_of("USDC")[0].initial_margin == Decimal(800)
    for row in risk:
        del row["positionInitialMargin"]
    assert usdm(payload("account_single_asset"), risk).positions_of("USDC")[0].initial_margin == Decimal(800)


def test_a_position_without_an_entry_price_is_still_one(payload: Payload, usdm: Usdm) -> None:
    risk = payload("risk_single_asset")
    risk[0]["entryPrice"] = "0.0"
    assert len(usdm(payload("account_single_asset"), risk).positions) == 2


# ---------------------------------------------------------------------- isolated positions


def test_an_isolated_position_is_a_unit_of_its_own_below_its_asset(payload: Payload, usdm: Usdm) -> None:
    snapshot = usdm(payload("account_isolated"), payload("risk_isolated"))
    isolated = snapshot.unit("isolated:ETHUSDT:long")
    assert isolated.kind is UnitKind.ISOLATED_POSITION
    assert isolated.measures == {Measure.MAINTENANCE}
    assert isolated.parent == "USDT"
    assert percent(isolated.maintenance_margin, isolated.margin_equity) == 23.333  # 70 / 300, PnL included
    assert isolated.wallet_balance == Decimal(400)
    assert [p.symbol for p in snapshot.positions_under("USDT")] == ["BTCUSDT", "ETHUSDT"]


def test_beside_isolated_positions_the_asset_counts_cross_only(payload: Payload, usdm: Usdm) -> None:
    cross = usdm(payload("account_isolated"), payload("risk_isolated")).unit("USDT")
    assert cross.margin_equity == Decimal(1550)  # cross wallet 1600, cross PnL -50
    assert cross.maintenance_margin == Decimal(20)
    assert cross.initial_margin == Decimal(520)  # 500 for the position, 20 for orders
    assert cross.available_margin == Decimal(1030)
    assert cross.measures == {Measure.MAINTENANCE, Measure.UTILIZATION}


def test_an_asset_with_isolated_positions_only_has_no_maintenance(payload: Payload, usdm: Usdm) -> None:
    account, risk = payload("account_isolated"), payload("risk_isolated")[1:]
    account["positions"] = account["positions"][1:]
    account["assets"][0] |= {"maintMargin": "70", "crossUnPnl": "0"}
    snapshot = usdm(account, risk)
    assert snapshot.unit("USDT").measures == {Measure.UTILIZATION}
    assert snapshot.findings == ()


def test_an_isolated_position_at_exactly_no_equity_is_still_isolated(payload: Payload, usdm: Usdm) -> None:
    account, risk = payload("account_isolated"), payload("risk_isolated")
    risk[1]["isolatedMargin"] = account["positions"][1]["isolatedMargin"] = "0.00000000"
    assert usdm(account, risk).unit("isolated:ETHUSDT:long").margin_equity == 0


def test_a_row_that_does_not_tell_cross_from_isolated_is_settled_by_the_symbols_setting(
    payload: Payload, usdm: Usdm
) -> None:
    account, risk = payload("account_isolated"), payload("risk_isolated")
    for row in (risk[1], account["positions"][1]):
        del row["isolatedMargin"], row["isolatedWallet"]
    assert FindingCode.FIELD_MISSING in codes(usdm(account, risk))
    settings = read_settings([{"symbol": "ETHUSDT", "marginType": "ISOLATED", "leverage": 10}])
    snapshot = usdm(account, risk, settings=settings)
    assert snapshot.unit("isolated:ETHUSDT:long").margin_equity is None
    assert codes(snapshot) == [FindingCode.FIELD_MISSING]


# ---------------------------------------------------------------------- hedge mode, settings, modes


def test_in_hedge_mode_the_side_is_named_and_not_inferred(payload: Payload, usdm: Usdm) -> None:
    account, risk = payload("account_single_asset"), payload("risk_single_asset")[:1]
    account["positions"] = account["positions"][:1]
    for row in (risk[0], account["positions"][0]):
        row |= {"positionSide": "SHORT", "positionAmt": "12.000"}
    (short,) = usdm(account, risk, dual_side=True).positions
    assert (short.side, short.hedged) == (Side.SHORT, True)


def test_both_legs_of_a_symbol_are_two_positions(payload: Payload, usdm: Usdm) -> None:
    risk = payload("risk_multi_assets")
    long, short = (
        risk[0] | {"positionSide": "LONG"},
        risk[0] | {"positionSide": "SHORT", "positionAmt": "-0.004"},
    )
    account = payload("account_multi_assets") | {"positions": [long, short]}
    snapshot = usdm(account, [long, short], multi_assets=True, dual_side=True)
    assert [(p.side, p.quantity) for p in snapshot.positions] == [
        (Side.LONG, Decimal("0.009")),
        (Side.SHORT, Decimal("0.004")),
    ]
    assert snapshot.findings == ()


def test_the_leverage_setting_comes_from_symbol_config(payload: Payload, usdm: Usdm) -> None:
    settings = read_settings([{"symbol": "BTCUSDT", "marginType": "CROSSED", "leverage": 21}])
    snapshot = usdm(payload("account_single_asset"), payload("risk_single_asset"), settings=settings)
    assert [p.leverage_setting for p in snapshot.positions] == [Decimal(21), None]


def test_account_configuration_names_both_modes() -> None:
    config = {"feeTier": 0, "canTrade": True, "dualSidePosition": True, "multiAssetsMargin": False}
    mode = read_mode(config)
    assert (mode.label, mode.margin_mode, mode.position_mode) == ("single-asset", None, PositionMode.HEDGE)
    assert read_mode(config | {"multiAssetsMargin": True}).margin_mode is MarginMode.CROSS
    assert read_mode(config | {"dualSidePosition": "false"}).position_mode is PositionMode.ONE_WAY
    with pytest.raises(MalformedAnswer):
        read_mode({"dualSidePosition": True})


def test_a_picture_that_cannot_be_of_the_known_mode_is_noticed(payload: Payload) -> None:
    single, hedge = mode_of(multi_assets=False, dual_side=False), mode_of(multi_assets=False, dual_side=True)
    account, assets, _ = split_account(payload("account_multi_assets"))
    assert contradicts(single, account, assets, [])  # totals are not the USDT row's
    account, assets, _ = split_account(payload("account_single_asset"))
    assert not contradicts(single, account, assets, payload("risk_single_asset"))
    sided = [payload("risk_single_asset")[0] | {"positionSide": "SHORT"}]
    assert contradicts(single, account, assets, sided)
    assert not contradicts(hedge, account, assets, sided)


# ---------------------------------------------------------------------- what must not pass for safe


def test_a_position_in_one_payload_only_is_kept_and_reported(payload: Payload, usdm: Usdm) -> None:
    snapshot = usdm(payload("account_single_asset"), payload("risk_single_asset")[1:])
    assert [p.symbol for p in snapshot.positions] == ["ETHUSDC", "BTCUSDT"]
    assert FindingCode.INCONSISTENT in codes(snapshot)
    account = payload("account_single_asset")
    account["positions"] = []
    snapshot = usdm(account, payload("risk_single_asset"))
    assert [f.symbol for f in snapshot.findings] == [Symbol("BTCUSDT"), Symbol("ETHUSDC")]


def test_differing_amounts_are_reported(payload: Payload, usdm: Usdm) -> None:
    risk = payload("risk_single_asset")
    risk[0]["positionAmt"] = "-10.000"
    snapshot = usdm(payload("account_single_asset"), risk)
    assert codes(snapshot) == [FindingCode.INCONSISTENT]
    assert "-12.000" in snapshot.findings[0].detail


def test_margin_without_positions_is_not_flat(payload: Payload, usdm: Usdm) -> None:
    account = payload("account_single_asset") | {"positions": []}
    snapshot = usdm(account, [])
    assert snapshot.positions == ()
    assert codes(snapshot) == [FindingCode.INCONSISTENT, FindingCode.INCONSISTENT]
    multi = usdm(payload("account_multi_assets") | {"positions": []}, [], multi_assets=True)
    assert codes(multi) == [FindingCode.INCONSISTENT]


def test_positions_without_margin_are_not_safe(payload: Payload, usdm: Usdm) -> None:
    account = payload("account_single_asset")
    account["assets"][1]["maintMargin"] = "0.00000000"
    assert codes(usdm(account, payload("risk_single_asset"))) == [FindingCode.INCONSISTENT]
    multi = payload("account_multi_assets") | {"totalMaintMargin": "0.00000000"}
    snapshot = usdm(multi, payload("risk_multi_assets"), multi_assets=True)
    assert codes(snapshot) == [FindingCode.INCONSISTENT]


@pytest.mark.parametrize("field", ["marginBalance", "initialMargin", "maintMargin", "availableBalance"])
@pytest.mark.parametrize("damage", ["NaN", "1,234.5", "Infinity", "1e99", True])
def test_a_damaged_figure_is_missing_and_never_zero(
    payload: Payload, usdm: Usdm, field: str, damage: object
) -> None:
    account = payload("account_single_asset")
    account["assets"][1][field] = damage
    snapshot = usdm(account, payload("risk_single_asset"))
    unit = snapshot.unit("USDT")
    assert None in (
        unit.margin_equity,
        unit.initial_margin,
        unit.maintenance_margin,
        unit.available_margin,
    )
    assert FindingCode.FIELD_DAMAGED in codes(snapshot)


@pytest.mark.parametrize(
    "field", ["totalMarginBalance", "totalInitialMargin", "totalMaintMargin", "availableBalance"]
)
@pytest.mark.parametrize("gone", ["", None])
def test_a_missing_total_is_a_finding(payload: Payload, usdm: Usdm, field: str, gone: object) -> None:
    account = payload("account_multi_assets") | {field: gone}
    snapshot = usdm(account, payload("risk_multi_assets"), multi_assets=True)
    assert [(f.code, f.unit) for f in snapshot.findings] == [(FindingCode.FIELD_MISSING, "account")]


def test_a_damaged_amount_hides_no_position_that_the_other_payload_states(
    payload: Payload, usdm: Usdm
) -> None:
    risk = payload("risk_single_asset")
    risk[0]["positionAmt"] = "--12"
    snapshot = usdm(payload("account_single_asset"), risk)
    assert {p.symbol for p in snapshot.positions} == {"BTCUSDT", "ETHUSDC"}
    assert FindingCode.FIELD_DAMAGED in codes(snapshot)


def test_a_position_in_an_unlisted_symbol_is_counted_and_reported(payload: Payload, usdm: Usdm) -> None:
    account, risk = payload("account_single_asset"), payload("risk_single_asset")
    risk[0]["symbol"] = account["positions"][0]["symbol"] = "NEWUSDT"
    snapshot = usdm(account, risk)
    assert codes(snapshot) == [FindingCode.SYMBOL_UNKNOWN]
    assert snapshot.positions_of("USDT")[0].symbol == "NEWUSDT"


def test_a_row_without_margin_asset_goes_by_the_market_and_then_by_its_name(
    payload: Payload, usdm: Usdm
) -> None:
    account, risk = payload("account_single_asset"), payload("risk_single_asset")
    del risk[1]["marginAsset"]
    assert usdm(account, risk).positions_of("USDC")[0].symbol == "ETHUSDC"
    risk[1]["symbol"] = account["positions"][1]["symbol"] = "XYZUSDC"
    assert usdm(account, risk).positions_of("USDC")[0].symbol == "XYZUSDC"


def test_one_position_stated_twice_is_kept_once_and_reported(payload: Payload, usdm: Usdm) -> None:
    account, risk = payload("account_multi_assets"), payload("risk_multi_assets")
    twice = [risk[0], risk[0] | {"positionSide": "LONG"}]
    snapshot = usdm(account | {"positions": twice}, twice, multi_assets=True)
    assert len(snapshot.positions) == 1
    assert codes(snapshot) == [FindingCode.INCONSISTENT]


def test_liquidation_price_zero_means_none(payload: Payload, usdm: Usdm) -> None:
    snapshot = usdm(payload("account_single_asset"), payload("risk_single_asset"))
    assert snapshot.positions_of("USDC")[0].liquidation_price is None


@pytest.mark.parametrize("foreign", [None, [], "", {"code": 200}, {"assets": None}, {"assets": [1]}])
def test_a_foreign_account_answer_is_refused(foreign: object) -> None:
    with pytest.raises(MalformedAnswer):
        split_account(foreign)


def test_an_account_answer_without_positions_is_judged_by_position_risk(payload: Payload, usdm: Usdm) -> None:
    account = payload("account_single_asset")
    del account["positions"]
    assert usdm(account, payload("risk_single_asset")).findings == ()
