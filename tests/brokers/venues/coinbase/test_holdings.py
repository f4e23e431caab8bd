from decimal import Decimal
from typing import Any

import pytest

from brokers.models import Finding, FindingCode, UnitKind
from brokers.venues.coinbase.holdings import (
    cash_unit,
    collaterals,
    products_for,
    read_holdings,
    read_prices,
)

Row = dict[str, Any]
D = Decimal
PRICES = read_prices(
    [
        {"product_id": "BTC-USD", "price": "60000"},
        {"product_id": "ETH-USD", "price": ""},
        {"product_id": "SOL-USD", "price": "NaN"},
        {"product_id": "BTC-EUR", "price": "55000"},
    ]
)


def wallet(currency: str = "BTC", free: object = "1", hold: object = "0", **more: object) -> Row:
    def money(value: object) -> object:
        return {"value": value, "currency": currency} if isinstance(value, str) else value

    return {
        "currency": currency,
        "available_balance": money(free),
        "hold": money(hold),
        "type": "ACCOUNT_TYPE_CRYPTO",
        **more,
    }


def read(*rows: Row) -> tuple[dict[str, Decimal | None], list[Finding]]:
    findings: list[Finding] = []
    return {holding.currency: holding.balance for holding in read_holdings(rows, findings)}, findings


def test_what_orders_hold_is_still_owned() -> None:
    assert read(wallet(free="0.4", hold="0.6")) == ({"BTC": D("1.0")}, [])


def test_several_wallets_of_a_currency_are_one_holding() -> None:
    found, findings = read(
        wallet(free="1"), wallet(free="2", hold="0.5"), wallet("USD", "7"), wallet("ETH", "0")
    )
    assert found == {"BTC": D("3.5"), "USD": D(7)}
    assert findings == []


def test_a_wallet_of_another_product_is_not_counted() -> None:
    assert read(wallet(type="ACCOUNT_TYPE_PERP_FUTURES")) == ({}, [])


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (wallet(free=None), FindingCode.FIELD_MISSING),
        (wallet(free={}), FindingCode.FIELD_MISSING),
        (wallet(free="NaN"), FindingCode.FIELD_DAMAGED),
        (wallet(free={"value": "1", "currency": "ETH"}), FindingCode.FIELD_DAMAGED),
    ],
)
def test_a_balance_that_is_not_known_makes_the_sum_unknown(row: Row, code: FindingCode) -> None:
    for rows in ((row,), (wallet(), row), (row, wallet())):
        found, findings = read(*rows)
        assert found == {"BTC": None}
        assert code in {finding.code for finding in findings}


def test_a_wallet_without_a_currency_is_a_finding() -> None:
    found, findings = read(wallet(""))
    assert found == {}
    assert [finding.code for finding in findings] == [FindingCode.FIELD_MISSING]


def test_prices_are_asked_for_what_has_none_of_its_own() -> None:
    holdings = read_holdings([wallet(), wallet("USD"), wallet("USDC"), wallet("ETH")], [])
    assert products_for(holdings) == ("BTC-USD", "ETH-USD")
    assert {"USD": D(1), "USDC": D(1), "BTC": D(60_000)} == PRICES


def test_the_equity_is_the_value_of_everything_or_unknown() -> None:
    findings: list[Finding] = []
    priced = read_holdings([wallet(free="0.5"), wallet("USDC", "100"), wallet("USD", "1")], findings)
    unit = cash_unit(priced, PRICES, findings)
    assert (unit.kind, unit.margin_equity, unit.measures) == (UnitKind.CASH, D(30_101), frozenset())
    with_dust = read_holdings([wallet(free="0.5"), wallet("SCAM", "1000000")], findings)
    assert cash_unit(with_dust, PRICES, findings).margin_equity is None
    assert [row.value for row in collaterals(with_dust, PRICES)] == [D(30_000), None]
    assert findings == []


def test_a_cash_account_that_owes_is_none() -> None:
    findings: list[Finding] = []
    cash_unit(read_holdings([wallet(free="-1")], findings), PRICES, findings)
    assert [finding.code for finding in findings] == [FindingCode.INCONSISTENT]
