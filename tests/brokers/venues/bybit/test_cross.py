"""A wallet in cross margin: worked examples, and one test a trap."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import AccountSnapshot, FindingCode, Measure, UnitKind
from brokers.venues.bybit.wallet import read_wallet

Payload = dict[str, Any]
AccountOf = Callable[[Payload], Payload]
MakeSnapshot = Callable[..., AccountSnapshot]
Codes = Callable[[AccountSnapshot], set[FindingCode]]
Percent = Callable[[Decimal, Decimal, str], Decimal]


def test_cross_sample_gives_the_documented_utilization_and_maintenance(
    cross_wallet: Payload, snapshot: MakeSnapshot, percent: Percent
) -> None:
    unit = snapshot(cross_wallet, [{"symbol": "BTCUSDT", "size": "0"}]).unit("account")
    assert unit.kind is UnitKind.ACCOUNT
    assert unit.currency == "USD"
    assert percent(unit.initial_margin, unit.margin_equity, "0.0001") == Decimal("1.0105")
    used_of_capacity = unit.initial_margin + unit.available_margin
    assert percent(unit.initial_margin, used_of_capacity, "0.0001") == Decimal("1.0105")
    assert percent(unit.maintenance_margin, unit.margin_equity, "0.00001") == Decimal("0.00211")
    assert unit.measures == frozenset(Measure)


def test_stream_sample_gives_the_documented_ratios(
    cross_wallet: Payload,
    snapshot: MakeSnapshot,
    ltc_row: Payload,
    codes: Codes,
    percent: Percent,
) -> None:
    cross_wallet["result"]["list"][0].update(
        totalInitialMargin="205.72562486",
        totalAvailableBalance="12632.05767702",
        totalMarginBalance="12837.78330188",
        totalMaintenanceMargin="39.42876721",
        accountIMRate="0.016",
        accountMMRate="0.003",
    )
    shot = snapshot(cross_wallet, [ltc_row])
    unit = shot.unit("account")
    assert percent(unit.initial_margin, unit.initial_margin + unit.available_margin, "0.0001") == Decimal(
        "1.6025"
    )
    assert percent(unit.maintenance_margin, unit.margin_equity, "0.0001") == Decimal("0.3071")
    assert codes(shot) == set()


def test_the_venues_rounded_rate_of_zero_is_kept_and_contradicts_nothing(
    cross_wallet: Payload, snapshot: MakeSnapshot, codes: Codes
) -> None:
    shot = snapshot(cross_wallet, [])
    assert shot.unit("account").venue_ratio == 0
    assert FindingCode.INCONSISTENT not in codes(shot)


def test_a_rate_of_zero_says_nothing(
    cross_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot, codes: Codes
) -> None:
    account_of(cross_wallet).update(totalMaintenanceMargin="9000", accountMMRate="0", accountIMRate="0")
    assert FindingCode.INCONSISTENT not in codes(snapshot(cross_wallet))


def test_a_rate_above_ours_is_a_haircut_and_no_contradiction(
    cross_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot, codes: Codes
) -> None:
    account_of(cross_wallet).update(accountMMRate="0.0300", accountIMRate="0.2")
    shot = snapshot(cross_wallet)
    assert shot.unit("account").venue_ratio == Decimal("0.03")
    assert FindingCode.INCONSISTENT not in codes(shot)


@pytest.mark.parametrize("rate", ["accountIMRate", "accountMMRate"])
def test_a_rate_far_below_ours_means_that_a_total_is_damaged(
    cross_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot, rate: str, codes: Codes
) -> None:
    account_of(cross_wallet).update(totalMarginBalance="200", totalMaintenanceMargin="150", **{rate: "0.01"})
    assert FindingCode.INCONSISTENT in codes(snapshot(cross_wallet))


def test_rates_that_are_not_there_are_no_finding(
    cross_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot, ltc_row: Payload, codes: Codes
) -> None:
    for name in ("accountIMRate", "accountMMRate", "accountLTV"):
        del account_of(cross_wallet)[name]
    shot = snapshot(cross_wallet, [ltc_row])
    assert shot.unit("account").venue_ratio is None
    assert codes(shot) == set()


def test_equity_below_zero_is_passed_on_as_it_is(
    cross_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot
) -> None:
    account_of(cross_wallet).update(totalMarginBalance="-12.5", totalAvailableBalance="-195")
    unit = snapshot(cross_wallet).unit("account")
    assert unit.margin_equity == Decimal("-12.5")
    assert unit.available_margin == Decimal(-195)


@pytest.mark.parametrize(
    "name",
    ["totalMarginBalance", "totalInitialMargin", "totalMaintenanceMargin", "totalAvailableBalance"],
)
@pytest.mark.parametrize("empty", ["", None, "left out"])
def test_a_total_that_is_missing_is_missing_and_never_zero(
    cross_wallet: Payload,
    snapshot: MakeSnapshot,
    name: str,
    empty: str | None,
    codes: Codes,
) -> None:
    account = cross_wallet["result"]["list"][0]
    if empty == "left out":
        del account[name]
    else:
        account[name] = empty
    shot = snapshot(cross_wallet)
    unit = shot.unit("account")
    missing = {
        "totalMarginBalance": unit.margin_equity,
        "totalInitialMargin": unit.initial_margin,
        "totalMaintenanceMargin": unit.maintenance_margin,
        "totalAvailableBalance": unit.available_margin,
    }
    assert missing[name] is None
    assert FindingCode.TOTALS_MISSING in codes(shot)


@pytest.mark.parametrize("damage", ["NaN", "Infinity", "1e99", "18,070.32", "n/a", True])
def test_a_damaged_total_is_a_finding_and_none(
    cross_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot, damage: object, codes: Codes
) -> None:
    account_of(cross_wallet)["totalMarginBalance"] = damage
    shot = snapshot(cross_wallet)
    assert shot.unit("account").margin_equity is None
    assert FindingCode.FIELD_DAMAGED in codes(shot)


@pytest.mark.parametrize("name", ["totalInitialMargin", "totalMaintenanceMargin"])
def test_a_negative_requirement_is_damage(
    cross_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot, name: str, codes: Codes
) -> None:
    account_of(cross_wallet)[name] = "-1"
    assert FindingCode.FIELD_DAMAGED in codes(snapshot(cross_wallet))


def test_mark_price_variants_are_not_needed_and_not_used(
    cross_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot
) -> None:
    account_of(cross_wallet).update(totalInitialMarginByMp="9999", accountMMRateByMp="0.99")
    unit = snapshot(cross_wallet).unit("account")
    assert unit.initial_margin == Decimal("182.60183684")
    assert unit.venue_ratio == 0


def test_collateral_shows_debt_and_interest(
    cross_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot
) -> None:
    account_of(cross_wallet)["coin"][0].update(borrowAmount="1.25", accruedInterest="0.0003", usdValue="")
    (row,) = snapshot(cross_wallet).collaterals
    assert (row.currency, row.debt, row.interest, row.value) == (
        "BTC",
        Decimal("1.25"),
        Decimal("0.0003"),
        None,
    )


def test_an_empty_list_of_accounts_is_no_account_without_money(cross_wallet: Payload) -> None:
    cross_wallet["result"]["list"] = []
    with pytest.raises(MalformedAnswer):
        read_wallet(cross_wallet)


@pytest.mark.parametrize(
    "payload",
    [{}, {"result": None}, {"result": {}}, {"result": {"list": "x"}}, {"result": {"list": [1]}}, [], None],
)
def test_a_wallet_of_another_shape_is_malformed(payload: object) -> None:
    with pytest.raises(MalformedAnswer):
        read_wallet(payload)


def test_the_contract_wallet_is_not_taken_for_the_unified_one(
    cross_wallet: Payload, account_of: AccountOf
) -> None:
    account_of(cross_wallet)["accountType"] = "CONTRACT"
    with pytest.raises(MalformedAnswer):
        read_wallet(cross_wallet)


def test_damage_in_a_coin_is_a_finding_about_the_whole_cross_account(
    cross_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot, ltc_row: Payload
) -> None:
    account_of(cross_wallet)["coin"][0]["walletBalance"] = "NaN"
    (finding,) = snapshot(cross_wallet, [ltc_row]).findings
    assert (finding.code, finding.unit) == (FindingCode.FIELD_DAMAGED, None)


def test_two_rows_of_one_coin_are_inconsistent(
    cross_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot, codes: Codes
) -> None:
    account_of(cross_wallet)["coin"] *= 2
    assert FindingCode.INCONSISTENT in codes(snapshot(cross_wallet))
