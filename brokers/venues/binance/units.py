"""What Binance futures liquidate as one: a margin asset, the multi-assets wallet, an isolated position."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from brokers.fields import Fields
from brokers.models import (
    BOTH_MEASURES,
    Collateral,
    Finding,
    FindingCode,
    MarginMode,
    Measure,
    Position,
    RiskUnit,
    UnitKind,
)
from brokers.numbers import ONE, ZERO
from brokers.venues.binance.positions import ACCOUNT_UNIT, Holding

MAINTENANCE_TOLERANCE = Decimal("0.10")
"""By how much an asset's maintenance margin may differ from the sum of its positions'."""

MARGIN_FIELDS = ("walletBalance", "marginBalance", "initialMargin", "maintMargin")


def currency_units(
    asset_rows: Mapping[str, Mapping[str, Any]], holdings: Sequence[Holding], findings: list[Finding]
) -> tuple[RiskUnit, ...]:
    """Build one unit per margin asset that holds anything (single-asset mode, COIN-M).

    The account's totals are never used here: they count USDT only. A margin asset with positions and no row
    of its own is a unit without figures.
    """
    units = []
    with_positions = {holding.position.settle for holding in holdings}
    for asset, row in asset_rows.items():
        if asset in with_positions or _holds_anything(row):
            units.append(_currency_unit(asset, row, holdings, findings))
    for asset in sorted(with_positions - set(asset_rows)):
        findings.append(Finding(code=FindingCode.TOTALS_MISSING, detail="no row for the asset", unit=asset))
        units.append(_unstated_unit(asset))
    return tuple(units)


def account_unit(
    account: Mapping[str, Any], holdings: Sequence[Holding], findings: list[Finding]
) -> RiskUnit:
    """Build the one unit of multi-assets mode: every asset after haircuts, in USD, from the totals."""
    fields = Fields(account, findings, unit=ACCOUNT_UNIT)
    maintenance = fields.required("totalMaintMargin")
    stated = [holding.position.maintenance_margin for holding in holdings]
    if maintenance is not None and (maintenance > 0) != any(
        margin is None or margin > 0 for margin in stated
    ):
        detail = f"{len(holdings)} positions, but totalMaintMargin is {maintenance}"
        fields.find(FindingCode.INCONSISTENT, detail)
    equity, available = fields.required("totalMarginBalance"), fields.required("availableBalance")
    _note_gone_equity(fields, equity, available)
    return RiskUnit(
        key=ACCOUNT_UNIT,
        kind=UnitKind.ACCOUNT,
        currency="USD",
        margin_equity=equity,
        initial_margin=fields.required("totalInitialMargin"),
        maintenance_margin=maintenance,
        available_margin=available,
        wallet_balance=fields.optional("totalWalletBalance"),
        unrealized_pnl=fields.optional("totalUnrealizedProfit"),
    )


def isolated_units(
    holdings: Sequence[Holding], parent_of: Callable[[str], str], findings: list[Finding]
) -> tuple[RiskUnit, ...]:
    """Build one unit per isolated position: maintenance margin against `isolatedMargin`, its PnL included."""
    units = []
    for holding in holdings:
        position = holding.position
        if position.margin_mode is not MarginMode.ISOLATED:
            continue
        if holding.isolated_equity is None:
            detail = "isolatedMargin is missing"
            findings.append(
                Finding(
                    code=FindingCode.FIELD_MISSING, detail=detail, unit=position.unit, symbol=position.symbol
                )
            )
        units.append(
            RiskUnit(
                key=position.unit,
                kind=UnitKind.ISOLATED_POSITION,
                currency=position.settle,
                margin_equity=holding.isolated_equity,
                initial_margin=position.initial_margin,
                maintenance_margin=position.maintenance_margin,
                available_margin=None,
                wallet_balance=holding.isolated_wallet,
                unrealized_pnl=position.unrealized_pnl,
                measures=frozenset({Measure.MAINTENANCE}),
                parent=parent_of(position.settle),
            )
        )
    return tuple(units)


def collaterals(
    asset_rows: Mapping[str, Mapping[str, Any]], findings: list[Finding]
) -> tuple[Collateral, ...]:
    """List the assets that hold anything; a negative wallet (multi-assets mode) stays negative."""
    found = []
    for asset, row in asset_rows.items():
        fields = Fields(row, findings)
        wallet = fields.optional("walletBalance")
        if wallet:
            equity = fields.optional("marginBalance")
            found.append(Collateral(currency=asset, wallet_balance=wallet, equity=equity))
    return tuple(found)


def _note_gone_equity(fields: Fields, equity: Decimal | None, available: Decimal | None) -> None:
    """Find equity of zero or less beside margin that is still available: one of the two is damaged."""
    if equity is not None and equity <= 0 and available is not None and available > 0:
        fields.find(FindingCode.INCONSISTENT, f"{available} is available out of an equity of {equity}")


def _holds_anything(row: Mapping[str, Any]) -> bool:
    """Tell whether any margin figure of an asset is not zero; a damaged one counts as something."""
    ignored: list[Finding] = []
    fields = Fields(row, ignored)
    return any(fields.optional(name) for name in MARGIN_FIELDS) or bool(ignored)


def _unstated_unit(asset: str) -> RiskUnit:
    return RiskUnit(
        key=asset,
        kind=UnitKind.CURRENCY,
        currency=asset,
        margin_equity=None,
        initial_margin=None,
        maintenance_margin=None,
        available_margin=None,
    )


def _currency_unit(
    asset: str, row: Mapping[str, Any], holdings: Sequence[Holding], findings: list[Finding]
) -> RiskUnit:
    fields = Fields(row, findings, unit=asset)
    positions = [holding.position for holding in holdings if holding.position.settle == asset]
    isolated = [position for position in positions if position.margin_mode is MarginMode.ISOLATED]
    cross = [position for position in positions if position.margin_mode is not MarginMode.ISOLATED]
    _check_maintenance(fields, positions, cross)
    if isolated:
        return _cross_only_unit(asset, fields, cross)
    equity, available = fields.required("marginBalance"), fields.required("availableBalance")
    _note_gone_equity(fields, equity, available)
    return RiskUnit(
        key=asset,
        kind=UnitKind.CURRENCY,
        currency=asset,
        margin_equity=equity,
        initial_margin=fields.required("initialMargin"),
        maintenance_margin=fields.required("maintMargin"),
        available_margin=available,
        wallet_balance=fields.optional("walletBalance"),
        unrealized_pnl=fields.optional("unrealizedProfit"),
    )


def _cross_only_unit(asset: str, fields: Fields, cross: Sequence[Position]) -> RiskUnit:
    """Leave the isolated positions out of an asset's figures; its own row counts them in.

    Equity is `crossWalletBalance + crossUnPnl`, maintenance the sum over cross positions (without any there
    is nothing to maintain), initial margin that of cross positions and of the asset's open orders.
    """
    wallet, pnl = fields.required("crossWalletBalance"), fields.required("crossUnPnl")
    orders = fields.required("openOrderInitialMargin")
    initial = _sum(position.initial_margin for position in cross)
    equity = None if wallet is None or pnl is None else wallet + pnl
    available = fields.required("availableBalance")
    _note_gone_equity(fields, equity, available)
    return RiskUnit(
        key=asset,
        kind=UnitKind.CURRENCY,
        currency=asset,
        margin_equity=equity,
        initial_margin=None if initial is None or orders is None else initial + orders,
        maintenance_margin=_sum(position.maintenance_margin for position in cross) if cross else None,
        available_margin=available,
        wallet_balance=wallet,
        unrealized_pnl=pnl,
        measures=BOTH_MEASURES if cross else frozenset({Measure.UTILIZATION}),
    )


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """Add up; one missing amount makes the sum missing."""
    total = ZERO
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total


def _check_maintenance(fields: Fields, positions: Sequence[Position], cross: Sequence[Position]) -> None:
    """Compare an asset's own maintenance margin with its positions': they come out of one risk engine.

    Whether the row counts isolated positions is not documented, so either sum will do; and a symbol held on
    both sides may be margined as less than the sum. More in the row than in all positions means that
    positions are missing, less than in the cross ones that the row is older than they are.
    """
    stated = fields.optional("maintMargin")
    whole, cross_only = (_sum(p.maintenance_margin for p in group) for group in (positions, cross))
    if stated is None or whole is None or cross_only is None:
        return
    both_sides = len({position.symbol for position in positions}) < len(positions)
    too_much = stated > whole * (ONE + MAINTENANCE_TOLERANCE)
    too_little = stated < cross_only * (ONE - MAINTENANCE_TOLERANCE) and not both_sides
    if too_much or too_little:
        detail = f"maintMargin is {stated}, its positions' sum {whole}"
        fields.find(FindingCode.INCONSISTENT, detail)
