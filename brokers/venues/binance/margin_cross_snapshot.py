"""`margin/account` and prices -> the snapshot of a cross margin account: one unit, in USDT."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from brokers.errors import MalformedAnswer
from brokers.fields import mapping_from, rows_from
from brokers.hooks import SnapshotContext
from brokers.models import (
    AccountMode,
    AccountSnapshot,
    Collateral,
    Finding,
    FindingCode,
    MarginMode,
    MarketRules,
    Symbol,
)
from brokers.numbers import ZERO
from brokers.venues.binance.margin_amounts import Amounts, read_amounts
from brokers.venues.binance.margin_markets import BTC_USDT, Prices, in_usdt
from brokers.venues.binance.margin_positions import Book, Desk, Levels, match_all
from brokers.venues.binance.margin_units import ACCOUNT_UNIT, Terms, Worth, cross_unit, levels_of


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossPicture:
    """One read of a cross margin account; the answers carry no time, so `asked_at` dates it."""

    account: Mapping[str, Any]
    prices: Prices
    levels: Levels
    mode: AccountMode
    asked_at: datetime


def check_account(payload: object) -> Mapping[str, Any]:
    """Return `GET /sapi/v1/margin/account`.

    Raises:
        MalformedAnswer: it is not that answer, or of an account that does not exist.
    """
    account = mapping_from(payload, "the margin account")
    rows_from(account.get("userAssets"), "the margin account's assets")
    if account.get("created") is False:
        raise MalformedAnswer("the cross margin account has not been opened")
    return account


def assets_of(account: Mapping[str, Any]) -> frozenset[str]:
    """Return the assets of which anything may be held or owed; a row that cannot be read may be."""
    amounts = [read_amounts(row, ACCOUNT_UNIT, []) for row in account["userAssets"]]
    return frozenset(one.asset for one in amounts if one is not None and not one.is_empty)


def parse_cross(raw: CrossPicture, context: SnapshotContext) -> AccountSnapshot:
    """Build the snapshot."""
    findings: list[Finding] = []
    if raw.mode != context.mode:
        detail = f"account mode went from {context.mode.label} to {raw.mode.label}"
        findings.append(Finding(code=FindingCode.MODE_UNKNOWN, detail=detail))
    amounts = _amounts(raw.account["userAssets"], findings)
    terms = Terms(mode=raw.mode, levels=raw.levels, btc=raw.prices.get(BTC_USDT))
    unit = cross_unit(raw.account, terms, _worth(amounts, raw.prices), findings)
    book = Book()
    desk = Desk(
        unit=ACCOUNT_UNIT,
        mode=MarginMode.CROSS,
        levels=levels_of(unit, terms, raw.account),
        markets=context.markets,
        prices=raw.prices,
        findings=findings,
        book=book,
    )
    match_all(desk, amounts)
    return AccountSnapshot(
        account_id=context.account_id,
        broker=context.broker,
        product=context.product,
        as_of=raw.asked_at,
        fetched_at=context.now,
        mode=raw.mode,
        units=(unit,),
        positions=tuple(book.positions),
        collaterals=_collaterals(amounts, raw.prices),
        findings=tuple(dict.fromkeys(findings)),
        markets=MappingProxyType(book.rules),
    )


def net_bases(raw: CrossPicture, markets: Mapping[Symbol, MarketRules]) -> Mapping[Symbol, Decimal]:
    """Return, of every pair, what is held of its base less what is owed."""
    amounts = _amounts(raw.account["userAssets"], [])
    return {rules.symbol: amounts[rules.base].net for rules in markets.values() if rules.base in amounts}


def _amounts(rows: list[Mapping[str, Any]], findings: list[Finding]) -> dict[str, Amounts]:
    found: dict[str, Amounts] = {}
    for row in rows:
        amounts = read_amounts(row, ACCOUNT_UNIT, findings)
        if amounts is None or amounts.is_empty:
            continue
        if amounts.asset in found:
            detail = f"{amounts.asset} is listed twice"
            findings.append(Finding(code=FindingCode.INCONSISTENT, detail=detail, unit=ACCOUNT_UNIT))
        found[amounts.asset] = amounts
    return found


def _worth(amounts: Mapping[str, Amounts], prices: Prices) -> Worth:
    held = owed = ZERO
    complete = True
    for one in amounts.values():
        price = in_usdt(one.asset, prices)
        if price is None:
            complete = False
            continue
        held += one.held * price
        owed += one.owed * price
    return Worth(held=held, owed=owed, complete=complete)


def _collaterals(amounts: Mapping[str, Amounts], prices: Prices) -> tuple[Collateral, ...]:
    rows = []
    for one in amounts.values():
        price = in_usdt(one.asset, prices)
        rows.append(one.collateral(None if price is None else one.net * price, ACCOUNT_UNIT))
    return tuple(rows)
