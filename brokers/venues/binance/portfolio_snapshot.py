"""Portfolio margin: the raw payloads of one read -> the account's snapshot, one unit in USD."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from brokers.fields import Fields, mapping_from, rows_from
from brokers.hooks import SnapshotContext
from brokers.models import (
    AccountMode,
    AccountSnapshot,
    Collateral,
    ContractKind,
    Finding,
    FindingCode,
    MarginMode,
    MarketRules,
    Position,
    RiskUnit,
    Symbol,
    UnitKind,
)
from brokers.numbers import ONE, ZERO
from brokers.venues.binance.positions import ACCOUNT_UNIT, Holding, Rows, Surroundings, read_holdings, torn
from brokers.venues.binance.repaying import repayable
from brokers.venues.binance.units import MAINTENANCE_TOLERANCE

LIQUIDATES_AT = Decimal("1.05")
"""`uniMMR`, adjusted equity / maintenance margin, at or below which the venue liquidates.

It asks for margin below 1.5, and from 1.2 on takes reducing orders only. Source: Binance, "Portfolio Margin".
"""

DOLLAR_COINS = ("USD", "USDT", "USDC", "USD1")
"""How the names of coins end that are worth a dollar."""

LIQUIDATING = frozenset({"ACTIVE_LIQUIDATION", "FORCE_LIQUIDATION", "BANKRUPTED"})

MODE = AccountMode(label="portfolio margin", margin_mode=MarginMode.PORTFOLIO, position_mode=None)
"""Every position draws on the whole account; whether a symbol has two sides is said by each row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """One kind of contracts: the rows of its account, which hold margins, and of `positionRisk`."""

    kind: ContractKind
    account: Rows
    risk: Rows

    @property
    def is_torn(self) -> bool:
        """Whether the two disagree on what is open, as when a fill falls between them."""
        return torn(self.risk, self.account)


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioPicture:
    """One read of a portfolio margin account; `balances` `None`: the venue shows none."""

    account: Mapping[str, Any]
    balances: Rows | None
    contracts: Sequence[Contracts]
    as_of: datetime


def read_contracts(kind: ContractKind, account: object, risk: object) -> Contracts:
    """Read `GET /papi/v1/um/account` (`cm`) and `GET /papi/v1/um/positionRisk` (`cm`).

    Raises:
        MalformedAnswer: they are not those answers.
    """
    positions = mapping_from(account, f"the {kind} account").get("positions")
    return Contracts(
        kind=kind,
        account=rows_from(positions, f"the {kind} account's positions"),
        risk=rows_from(risk, "positionRisk"),
    )


def parse_portfolio(raw: PortfolioPicture, context: SnapshotContext) -> AccountSnapshot:
    """Build the snapshot: one unit in USD, whose positions are margined in dollars and in coin."""
    findings: list[Finding] = []
    assets = [str(row.get("asset")) for row in raw.balances or ()]
    holdings = [
        holding
        for contracts in raw.contracts
        for holding in _holdings(contracts, assets, context.markets, findings)
    ]
    positions = tuple(holding.position for holding in holdings)
    collaterals = _collaterals(raw.balances or (), findings)
    owes = raw.balances is None or any(one.debt != 0 or one.interest != 0 for one in collaterals)
    unit = account_unit(raw.account, findings)
    _check_maintenance(unit, positions, findings, owes=owes)
    held = {position.symbol for position in positions}
    return AccountSnapshot(
        account_id=context.account_id,
        broker=context.broker,
        product=context.product,
        as_of=raw.as_of,
        fetched_at=context.now,
        mode=context.mode,
        units=(unit,),
        positions=positions,
        collaterals=collaterals,
        findings=tuple(findings),
        markets=MappingProxyType({s: context.markets[s] for s in held if s in context.markets}),
        tiers=MappingProxyType({s: context.tiers[s] for s in held if s in context.tiers}),
    )


def account_unit(account: Mapping[str, Any], findings: list[Finding]) -> RiskUnit:
    """Build the unit from `GET /papi/v1/account`.

    Its ratio is 1.05 / `uniMMR`, so that 1 is where the venue liquidates. `totalAvailableBalance` may be
    `""`: the utilization is then initial margin / equity. `accountEquity` is after haircuts.
    """
    fields = Fields(account, findings, unit=ACCOUNT_UNIT)
    equity, maintenance = fields.required("accountEquity"), fields.required("accountMaintMargin")
    if fields.text("accountStatus") in LIQUIDATING:
        fields.find(FindingCode.VENUE_ACTING, f"accountStatus is {account['accountStatus']}")
    return RiskUnit(
        key=ACCOUNT_UNIT,
        kind=UnitKind.ACCOUNT,
        currency="USD",
        margin_equity=equity,
        initial_margin=fields.required("accountInitialMargin"),
        maintenance_margin=maintenance,
        available_margin=fields.optional("totalAvailableBalance"),
        venue_ratio=_venue_ratio(fields, equity, maintenance),
    )


def _check_maintenance(
    unit: RiskUnit, positions: Sequence[Position], findings: list[Finding], *, owes: bool
) -> None:
    """Compare the account's maintenance margin with its positions': more of it means that some are missing.

    Debts need margin, too, so beside any only what is too little shows. A symbol held on both sides may be
    margined as less than the sum.
    """
    stated = unit.maintenance_margin
    needs = [_in_dollars(position) for position in positions]
    if stated is None or None in needs:
        return
    whole = sum((need for need in needs if need is not None), ZERO)
    hedged = len({position.symbol for position in positions}) < len(positions)
    too_much = not owes and stated > whole * (ONE + MAINTENANCE_TOLERANCE)
    too_little = not hedged and stated < whole * (ONE - MAINTENANCE_TOLERANCE)
    if too_much or too_little or (whole > ZERO and stated == ZERO):
        detail = f"accountMaintMargin is {stated}, the positions' sum about {whole:.8f}"
        findings.append(Finding(code=FindingCode.INCONSISTENT, detail=detail, unit=unit.key))


def _in_dollars(position: Position) -> Decimal | None:
    """Return a position's maintenance margin in USD; `None` where its settle currency has no price here."""
    if position.settle.endswith(DOLLAR_COINS):
        return position.maintenance_margin
    if position.kind is ContractKind.LINEAR or position.mark_price is None:
        return None
    return None if position.maintenance_margin is None else position.maintenance_margin * position.mark_price


def _venue_ratio(fields: Fields, equity: Decimal | None, maintenance: Decimal | None) -> Decimal | None:
    """Turn `uniMMR` (high is safe, 1.05 is liquidation) around; where nothing is required there is none.

    A figure of zero or less goes with equity of zero or less, which speaks for itself; neither comes alone.
    """
    if maintenance == ZERO:
        return None
    ratio = fields.required("uniMMR")
    if ratio is None:
        return None
    if equity is not None and (ratio > 0) != (equity > 0):
        fields.find(FindingCode.INCONSISTENT, f"uniMMR is {ratio} with an equity of {equity}")
    return LIQUIDATES_AT / ratio if ratio > 0 else None


def _holdings(
    contracts: Contracts,
    assets: Sequence[str],
    markets: Mapping[Symbol, MarketRules],
    findings: list[Finding],
) -> tuple[Holding, ...]:
    """Read the positions of one kind; the rows need not say that they are cross, for nothing else exists.

    Whether the account's initial margin is the sum of theirs is not documented, so nothing may rely on it.
    """
    around = Surroundings(
        multi_assets=True,
        assets=assets,
        markets=markets,
        settings={},
        kind=contracts.kind,
    )
    risk = [{**row, "marginType": "cross"} for row in contracts.risk]
    account = [{**row, "marginType": "cross"} for row in contracts.account]
    return tuple(
        replace(holding, position=replace(holding.position, margin_mode=MarginMode.PORTFOLIO))
        for holding in read_holdings(risk, account, around, findings)
    )


def _collaterals(balances: Rows, findings: list[Finding]) -> tuple[Collateral, ...]:
    """List the assets that are held or owed; a wallet below zero is a debt, too.

    An asset's equity takes its wallet, both PnLs, loan and interest; without one of them it is not known.
    """
    found = []
    for row in balances:
        fields = Fields(row, findings)
        wallet = fields.optional("totalWalletBalance")
        borrowed, interest = fields.optional("crossMarginBorrowed"), fields.optional("crossMarginInterest")
        lacking = fields.optional("negativeBalance")
        debt = None if borrowed is None and lacking is None else (borrowed or ZERO) + abs(lacking or ZERO)
        if not any((wallet, debt, interest)):
            continue
        pnl = [fields.optional(name) for name in ("umUnrealizedPNL", "cmUnrealizedPNL")]
        parts = [wallet, *pnl, *(None if owed is None else -owed for owed in (borrowed, interest))]
        known = [part for part in parts if part is not None]
        found.append(
            Collateral(
                currency=str(row.get("asset")),
                wallet_balance=wallet,
                equity=sum(known, ZERO) if len(known) == len(parts) else None,
                debt=debt,
                interest=interest,
                repayable=repayable(borrowed, interest, fields.optional("crossMarginFree")),
            )
        )
    return tuple(found)
