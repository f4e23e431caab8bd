"""`accounts` -> risk units: the multi-collateral wallet, each coin's inverse one, each isolated position."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from brokers.fields import Fields
from brokers.models import BOTH_MEASURES, Finding, FindingCode, Measure, Position, RiskUnit, UnitKind
from brokers.numbers import ZERO
from brokers.venues.kraken.futures.markets import USD, common_name
from brokers.venues.kraken.futures.positions import FLEX, Holding

MULTI_COLLATERAL, SINGLE_COLLATERAL = "multiCollateralMarginAccount", "marginAccount"

NO_MEASURES: frozenset[Measure] = frozenset()

ROUNDING = Decimal("0.01")  # of the wallet's currency, beside a millionth of the equity
MILLIONTH = Decimal("1e-6")

TORN = Decimal("0.9")
"""A requirement below this share of the least its positions need by the schedule is not of their moment."""


def flex_unit(
    account: Mapping[str, Any], holdings: Sequence[Holding], findings: list[Finding]
) -> tuple[RiskUnit, Mapping[str, Decimal]]:
    """Build the unit of the multi-collateral wallet, and what its positions' margins are to be scaled by.

    Kraken says in figures: margin equity = collateral after haircuts + PnL as margin, and available margin =
    margin equity - initial margin, which its words leave open to mean with orders or without. Orders count
    here either way. A wallet that contradicts both is damaged.
    """
    fields = Fields(account, findings, unit=FLEX)
    at_risk = any(holding.wallet == FLEX for holding in holdings)
    read = fields.required if account or at_risk else fields.optional
    equity, initial = read("marginEquity"), read("initialMarginWithOrders")
    maintenance, available = read("maintenanceMargin"), read("availableMargin")
    of_positions = fields.optional("initialMargin")
    if equity is not None and initial is not None and available is not None:
        available = _available(fields, equity, initial, available, of_positions)
    wallet, pnl = fields.optional("balanceValue"), fields.optional("totalUnrealized")
    if equity == 0:
        detail = f"marginEquity is 0 with a balance of {wallet}, PnL {pnl}"
        _note_zeroed(fields, wallet, pnl, detail, at_risk=at_risk, most=ROUNDING)
    _note_torn(fields, maintenance, holdings, FLEX)
    mixed = any(holding.wallet == FLEX and not holding.is_cross for holding in holdings)
    unit = RiskUnit(
        key=FLEX,
        kind=UnitKind.ACCOUNT,
        currency=USD,
        margin_equity=equity,
        initial_margin=initial,
        maintenance_margin=maintenance,
        available_margin=available,
        # Kraken does not say whether these hold isolated positions: beside any, they are not compared.
        wallet_balance=None if mixed else wallet,
        unrealized_pnl=None if mixed else pnl,
        measures=BOTH_MEASURES if account or at_risk else NO_MEASURES,
    )
    return unit, _scales(holdings, FLEX, of_positions, maintenance)


def coin_unit(
    name: str, account: Mapping[str, Any], holdings: Sequence[Holding], findings: list[Finding]
) -> tuple[RiskUnit, Mapping[str, Decimal]]:
    """Build the unit of one inverse wallet, in its coin.

    Available funds are what is left after positions and orders, so that the larger of the stated requirement
    and of what is not available is what is used.
    """
    fields = Fields(account, findings, unit=name)
    own = [holding for holding in holdings if holding.wallet == name]
    auxiliary = Fields(_part(account, "auxiliary"), findings, unit=name)
    margins = Fields(_part(account, "marginRequirements"), findings, unit=name)
    equity, available = _total(auxiliary, "pv", own), _total(auxiliary, "af", own)
    stated, maintenance = _total(margins, "im", own), _total(margins, "mm", own)
    currency = common_name(fields.text("currency") or "") or (own[0].underlying if own else name)
    _note_torn(fields, maintenance, holdings, name)
    used = stated
    if None not in (stated, equity, available):
        used = max(stated or ZERO, (equity or ZERO) - (available or ZERO))
    margined = bool(own) or bool(used)
    balances = {common_name(coin): value for coin, value in _part(account, "balances").items()}
    wallet, pnl = Fields(balances, findings, unit=name).optional(currency), auxiliary.optional("pnl")
    if equity == 0:
        detail = f"pv is 0 with a balance of {wallet} and a PnL of {pnl}"
        _note_zeroed(fields, wallet, pnl, detail, at_risk=bool(own), most=ZERO)
    unit = RiskUnit(
        key=name,
        kind=UnitKind.CURRENCY,
        currency=currency,
        margin_equity=equity,
        initial_margin=used,
        maintenance_margin=maintenance,
        available_margin=available,
        wallet_balance=wallet,
        unrealized_pnl=pnl,
        measures=BOTH_MEASURES if margined else NO_MEASURES,
    )
    return unit, _scales(holdings, name, None, maintenance)


def is_used(account: Mapping[str, Any]) -> bool:
    """Whether an inverse wallet holds or requires anything: Kraken lists every coin's, funded or not."""
    parts = (_part(account, name) for name in ("auxiliary", "marginRequirements", "balances"))
    return any(value not in (None, "", 0, 0.0, "0", "0.0") for part in parts for value in part.values())


def isolated_unit(holding: Holding, findings: list[Finding]) -> RiskUnit:
    """Build the unit of an isolated position, out of the schedule: the venue states no figure of it.

    Its margin is its entry notional over its fixed leverage and all used from the first moment, so there is
    no utilization; margin and PnL together are its equity.
    """
    position, margin = holding.position, holding.isolated_margin
    pnl = position.unrealized_pnl
    if position.maintenance_margin is None:
        detail = "no margin schedule: an isolated position cannot be measured"
        findings.append(
            Finding(
                code=FindingCode.TOTALS_MISSING, detail=detail, unit=position.unit, symbol=position.symbol
            )
        )
    return RiskUnit(
        key=position.unit,
        kind=UnitKind.ISOLATED_POSITION,
        currency=position.settle,
        margin_equity=None if margin is None or pnl is None else margin + pnl,
        initial_margin=margin,
        maintenance_margin=position.maintenance_margin,
        available_margin=None,
        wallet_balance=margin,
        unrealized_pnl=pnl,
        measures=frozenset({Measure.MAINTENANCE}),
        parent=holding.wallet,
    )


def scaled(position: Position, scales: Mapping[str, Decimal]) -> Position:
    """Return a cross position with its margins as its share of what its wallet states."""
    initial, maintenance = position.initial_margin, position.maintenance_margin
    return replace(
        position,
        initial_margin=None if initial is None else initial * scales["initial"],
        maintenance_margin=None if maintenance is None else maintenance * scales["maintenance"],
    )


def _scales(
    holdings: Sequence[Holding], wallet: str, initial: Decimal | None, maintenance: Decimal | None
) -> Mapping[str, Decimal]:
    """Return by what the schedule's margins fall short of the wallet's own, never below one.

    Clients differ in their schedules (`retailMarginLevels`), and a level may count for a whole position.
    """
    held = [holding.position for holding in holdings if holding.wallet == wallet]
    one = Decimal(1)

    def ratio(stated: Decimal | None, parts: list[Decimal | None]) -> Decimal:
        known = [part for part in parts if part is not None]
        total = sum(known, ZERO)
        return one if stated is None or total <= 0 or len(known) < len(parts) else max(stated / total, one)

    by_maintenance = ratio(maintenance, [position.maintenance_margin for position in held])
    by_initial = ratio(initial, [position.initial_margin for position in held])
    return {
        "initial": by_maintenance if initial is None else by_initial,
        "maintenance": by_maintenance,
    }


def _available(
    fields: Fields, equity: Decimal, initial: Decimal, stated: Decimal, of_positions: Decimal | None
) -> Decimal:
    """Return the margin that positions and orders leave, once the stated figure is found to speak of it."""
    left, rounding = equity - initial, MILLIONTH * abs(equity) + ROUNDING
    if abs(stated - left) <= rounding or (left < 0 and stated == 0):
        return stated
    is_of_positions = of_positions is not None and abs(stated - (equity - of_positions)) <= rounding
    if of_positions is None or of_positions > initial or not is_of_positions:
        fields.find(
            FindingCode.INCONSISTENT,
            f"availableMargin {stated} is not marginEquity {equity} less initialMarginWithOrders {initial}",
        )
        return stated
    return left


def _note_zeroed(
    fields: Fields, wallet: Decimal | None, pnl: Decimal | None, detail: str, *, at_risk: bool, most: Decimal
) -> None:
    """Find an equity of zero that its parts contradict, or cannot confirm where positions depend on it."""
    if wallet is not None and pnl is not None:
        if wallet + pnl > most:
            fields.find(FindingCode.INCONSISTENT, detail)
    elif at_risk:
        fields.find(FindingCode.FIELD_MISSING, detail)


def _note_torn(fields: Fields, maintenance: Decimal | None, holdings: Sequence[Holding], wallet: str) -> None:
    """Find a picture torn between its answers: a requirement without positions, or the reverse."""
    own = [holding for holding in holdings if holding.wallet == wallet]
    needed = sum((holding.least for holding in own if holding.is_cross), ZERO)
    if maintenance and not own:
        fields.find(
            FindingCode.INCONSISTENT, f"maintenance margin is {maintenance}, and no position is listed"
        )
    if maintenance is not None and maintenance < needed * TORN:
        detail = f"maintenance margin is {maintenance}, and its positions need {needed}"
        fields.find(FindingCode.INCONSISTENT, detail)


def _part(account: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = account.get(name)
    return part if isinstance(part, Mapping) else {}


def _total(fields: Fields, name: str, own: Sequence[Holding]) -> Decimal | None:
    value = fields.optional(name)
    if value is None and own:
        fields.find(FindingCode.TOTALS_MISSING, f"{name} is not stated")
    return value
