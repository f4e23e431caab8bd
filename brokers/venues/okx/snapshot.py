"""Raw payloads of balance and positions -> one account snapshot.

What is a risk unit depends on the account level. Multi-currency and portfolio accounts are liquidated as a
whole, by figures in USD, and so is a spot account that borrows; one that owes nothing is cash. In futures
mode every settle currency is a unit, and the account's own figures are `""`. An isolated position is always a
unit of its own.
"""

from dataclasses import dataclass
from typing import Any

from brokers.fields import Fields, rows_from
from brokers.hooks import SnapshotContext
from brokers.models import AccountSnapshot, Collateral, Finding, FindingCode
from brokers.venues.okx.account import AccountLevel, level_of
from brokers.venues.okx.envelope import row_of, rows_of
from brokers.venues.okx.markets import is_pair
from brokers.venues.okx.positions import ACCOUNT_UNIT, USD, Surroundings, read_positions
from brokers.venues.okx.repaying import repayable
from brokers.venues.okx.units import account_unit, cash_unit, currency_units, isolated_unit, owes_nothing

CONVERTING = "5"
"""`colBorrAutoConversion`: OKX is selling this collateral to repay debt now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSnapshot:
    """The answers of `account/balance` and `account/positions`, with their envelopes."""

    balance: Any
    positions: Any


def read_snapshot(raw: RawSnapshot, context: SnapshotContext) -> AccountSnapshot:
    """Build the snapshot.

    `as_of` is the `uTime` of the balance answer: the time of its totals, which move with every price, so it
    stands for the age of the picture. A position's own `uTime` is when its size last changed and proves
    nothing about freshness; the positions answer carries no other time. It is tied to the totals instead:
    totals that speak of positions while none is listed, or the reverse, are inconsistent.

    Raises:
        MalformedAnswer: a payload is not what OKX documents.
    """
    findings: list[Finding] = []
    account = row_of(raw.balance, "account/balance")
    level = level_of(context.mode)
    totals = Fields(account, findings, unit=ACCOUNT_UNIT)
    if level is None:
        totals.find(FindingCode.MODE_UNKNOWN, f"{context.mode.label} is no account mode margind knows")
    pooled = level.is_pooled if level is not None else totals.optional("adjEq") is not None
    # A pool is told by its totals; without them, and for debts in spot mode, the currencies are needed.
    told = pooled and level is not AccountLevel.SPOT
    details = rows_from(account.get("details", [] if told else None), "details of account/balance")
    around = Surroundings(pooled=pooled, risk_units=level is AccountLevel.PORTFOLIO, markets=context.markets)
    book = read_positions(rows_of(raw.positions, "account/positions"), around, findings)
    if level is AccountLevel.SPOT and owes_nothing(account, details) and book.is_empty:
        units = [cash_unit(account, findings)]
    elif pooled:
        units = [account_unit(account, details, book, findings)]
    else:
        settles = {rules.settle for rules in context.markets.values() if not is_pair(rules.symbol)}
        units = currency_units(details, settles, book, findings)
    for holding in book.holdings:
        if not holding.is_cross:
            parent, currency = (ACCOUNT_UNIT, USD) if pooled else (holding.currency, holding.currency)
            units.append(isolated_unit(holding, parent, currency, findings))
    as_of = totals.time("uTime")
    if as_of is None:
        totals.find(FindingCode.TIME_MISSING, "the balance answer carries no uTime")
    return AccountSnapshot(
        account_id=context.account_id,
        broker=context.broker,
        product=context.product,
        as_of=as_of or context.now,
        fetched_at=context.now,
        mode=context.mode,
        units=tuple(units),
        positions=tuple(holding.position for holding in book.holdings),
        collaterals=tuple(_collateral(Fields(row, findings), level) for row in details),
        findings=tuple(dict.fromkeys(findings)),
        markets=context.markets,
        tiers=context.tiers,
    )


def _collateral(fields: Fields, level: AccountLevel | None) -> Collateral:
    """Read one currency. OKX documents liabilities as positive and also sends them negative."""
    name = fields.text("ccy") or ""
    if not name:
        fields.find(FindingCode.FIELD_MISSING, "a currency without a name")
    if fields.text("colBorrAutoConversion") == CONVERTING:
        fields.find(FindingCode.VENUE_ACTING, f"OKX is converting {name} to repay debt")
    owed = fields.optional("liab")
    if owed is None:
        owed = fields.optional("crossLiab")
    interest = fields.optional("interest")
    return Collateral(
        currency=name,
        wallet_balance=fields.optional("cashBal"),
        equity=fields.optional("eq"),
        value=fields.optional("eqUsd"),
        debt=None if owed is None else abs(owed),
        interest=None if interest is None else abs(interest),
        repayable=repayable(fields, owed, level),
    )
