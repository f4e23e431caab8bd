"""`brokerage/accounts` -> what a cash account holds, and what that is worth in USD."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from brokers.fields import Fields
from brokers.models import Collateral, Finding, FindingCode, RiskUnit, UnitKind
from brokers.numbers import ONE, ZERO, NumberError, decimal_or_none
from brokers.venues.coinbase.amounts import USD, amount

CASH_UNIT = "cash"

AT_PAR: Mapping[str, Decimal] = MappingProxyType({USD: ONE, "USDC": ONE})
"""Coinbase exchanges USDC one for one; there is no product that would price it."""

ELSEWHERE = frozenset({"ACCOUNT_TYPE_PERP_FUTURES"})
"""Account types that are no part of the cash account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One currency: what may be spent and what open orders hold of it, together; `None`: not known."""

    currency: str
    balance: Decimal | None


def read_holdings(rows: Sequence[Mapping[str, Any]], findings: list[Finding]) -> tuple[Holding, ...]:
    """Read every wallet, one sum a currency; empty ones are left out."""
    found: dict[str, Decimal | None] = {}
    for row in rows:
        if row.get("type") in ELSEWHERE:
            continue
        fields = Fields(row, findings, unit=CASH_UNIT)
        currency = fields.text("currency")
        if currency is None:
            fields.find(FindingCode.FIELD_MISSING, "a wallet without a currency")
            continue
        free = amount(row, "available_balance", fields, currency=currency)
        held = amount(row, "hold", fields, currency=currency)
        if free is None:
            fields.find(FindingCode.FIELD_MISSING, f"available_balance of {currency} is missing")
        before = found.get(currency, ZERO)
        known = before is not None and free is not None
        found[currency] = (before or ZERO) + (free or ZERO) + (held or ZERO) if known else None
    return tuple(
        Holding(currency=currency, balance=balance) for currency, balance in found.items() if balance != 0
    )


def products_for(holdings: Iterable[Holding]) -> tuple[str, ...]:
    """Name the products that price what is held."""
    names = sorted({holding.currency for holding in holdings} - AT_PAR.keys())
    return tuple(f"{name}-{USD}" for name in names)


def read_prices(rows: Sequence[Mapping[str, Any]]) -> dict[str, Decimal]:
    """Read USD prices by currency; a product without a usable price is left out."""
    prices = dict(AT_PAR)
    for row in rows:
        currency, _, quote = str(row.get("product_id") or "").rpartition("-")
        try:
            price = decimal_or_none(row.get("price"))
        except NumberError:
            continue
        if quote == USD and currency and price is not None and price > 0:
            prices[currency] = price
    return prices


def collaterals(holdings: Sequence[Holding], prices: Mapping[str, Decimal]) -> tuple[Collateral, ...]:
    """Return what is held, with its value where a price is known."""
    return tuple(
        Collateral(
            currency=holding.currency,
            wallet_balance=holding.balance,
            equity=holding.balance,
            value=_value(holding, prices),
        )
        for holding in holdings
    )


def cash_unit(
    holdings: Sequence[Holding], prices: Mapping[str, Decimal], findings: list[Finding]
) -> RiskUnit:
    """Build the unit of a cash account: an equity in USD, and no margin of any kind.

    The equity is unknown while one of its parts has no price. A balance below zero would be a debt, which a
    cash account cannot have.
    """
    values = [_value(holding, prices) for holding in holdings]
    known = [value for value in values if value is not None]
    findings += [
        Finding(
            code=FindingCode.INCONSISTENT,
            detail=f"a cash account owes {-holding.balance} {holding.currency}",
            unit=CASH_UNIT,
        )
        for holding in holdings
        if holding.balance is not None and holding.balance < 0
    ]
    equity = sum(known, ZERO) if len(known) == len(values) else None
    return RiskUnit(
        key=CASH_UNIT,
        kind=UnitKind.CASH,
        currency=USD,
        margin_equity=equity,
        initial_margin=None,
        maintenance_margin=None,
        available_margin=None,
        wallet_balance=equity,
        measures=frozenset(),
    )


def _value(holding: Holding, prices: Mapping[str, Decimal]) -> Decimal | None:
    price = prices.get(holding.currency)
    return None if price is None or holding.balance is None else holding.balance * price
