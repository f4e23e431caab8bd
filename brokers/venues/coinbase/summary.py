"""`cfm/balance_summary` -> the one risk unit of a futures account.

Coinbase liquidates when `available_margin` falls to `liquidation_threshold`. `available_margin` is gross:
USD at both Coinbase entities plus the futures' PnL less holds, with nothing taken off for open positions, and
so it is the margin equity; `futures_buying_power` is another figure. Requirements depend on the margin
window: overnight they can be three times those of the day, and the account meets them when the window
changes, whatever it does before. So the worst of the current and both stated windows counts at any hour.

Source: Coinbase docs, "Get US Derivatives Balance Summary"; Coinbase help, "Understanding futures margin" and
"Futures liquidations".
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from brokers.fields import Fields
from brokers.models import Finding, FindingCode, RiskUnit, UnitKind
from brokers.numbers import ZERO
from brokers.venues.coinbase.amounts import USD, amount, required

FUTURES_UNIT = "futures"

CURRENT = "the current window"
OVERNIGHT = "overnight_margin_window_measure"
INTRADAY = "intraday_margin_window_measure"

TOLERANCE = Decimal("0.01")
"""Of the margin equity: what two figures of one answer may differ by."""

Raw = Mapping[str, Any]


def states_overnight(summary: Raw) -> bool:
    """Say whether the overnight window is stated at all; the documents do not promise it."""
    window = summary.get(OVERNIGHT)
    return isinstance(window, Mapping) and bool(window)


def futures_unit(
    summary: Raw, *, holds_positions: bool, findings: list[Finding], expects_overnight: bool = True
) -> RiskUnit:
    """Build the unit, in USD; every figure that is missing or contradicts another leaves a finding.

    `expects_overnight`: the host states the overnight window, so that its absence is one, too.
    """
    fields = Fields(summary, findings, unit=FUTURES_UNIT)
    equity = required(summary, "available_margin", fields)
    initial = required(summary, "initial_margin", fields)
    threshold = required(summary, "liquidation_threshold", fields)
    _check_buffer(summary, equity, threshold, fields)
    _check_torn(summary, threshold, holds_positions=holds_positions, fields=fields)
    used, maintenance = initial, threshold
    for name in (INTRADAY, OVERNIGHT):
        needed = holds_positions and (expects_overnight or states_overnight(summary))
        window = _window(summary, name, needed=needed, fields=fields)
        if window is None:
            continue
        used = _worse(used, amount(window, "initial_margin", fields))
        maintenance = _worse(maintenance, amount(window, "maintenance_margin", fields))
    return RiskUnit(
        key=FUTURES_UNIT,
        kind=UnitKind.ACCOUNT,
        currency=USD,
        margin_equity=equity,
        initial_margin=used,
        maintenance_margin=maintenance,
        available_margin=None if equity is None or used is None else equity - used,
        wallet_balance=amount(summary, "total_usd_balance", fields),
        unrealized_pnl=amount(summary, "unrealized_pnl", fields),
    )


def _window(summary: Raw, name: str, *, needed: bool, fields: Fields) -> Raw | None:
    """Return one window's measure. Without the overnight one the step at the next change cannot be seen."""
    window = summary.get(name)
    if isinstance(window, Mapping) and window:
        if needed and name == OVERNIGHT:
            for figure in ("initial_margin", "maintenance_margin"):
                required({f"overnight {figure}": window.get(figure)}, f"overnight {figure}", fields)
        return window
    if needed and name == OVERNIGHT:
        fields.find(FindingCode.TOTALS_MISSING, f"{name} is not stated though positions are open")
    return None


def _worse(current: Decimal | None, other: Decimal | None) -> Decimal | None:
    """Return the larger requirement; an unknown current one stays unknown."""
    if current is None or other is None:
        return current
    return max(current, other)


def _check_buffer(summary: Raw, equity: Decimal | None, threshold: Decimal | None, fields: Fields) -> None:
    """Hold the stated distance to liquidation against the two figures that it is made of."""
    stated = amount(summary, "liquidation_buffer_amount", fields)
    if stated is None or equity is None or threshold is None:
        return
    built = equity - threshold
    if abs(stated - built) > TOLERANCE * max(abs(equity), abs(stated), abs(built)):
        fields.find(
            FindingCode.INCONSISTENT,
            f"liquidation_buffer_amount is {stated}, available_margin less liquidation_threshold {built}",
        )


def _check_torn(summary: Raw, threshold: Decimal | None, *, holds_positions: bool, fields: Fields) -> None:
    """Find a picture torn between the two answers: a requirement without positions, or the reverse.

    Open orders alone may require something, never more than they hold.
    """
    of_orders = amount(summary, "total_open_orders_hold_amount", fields) or ZERO
    if threshold is None:
        return
    if threshold > of_orders and not holds_positions:
        fields.find(
            FindingCode.INCONSISTENT, f"liquidation_threshold is {threshold}, and no position is listed"
        )
    if threshold == ZERO and holds_positions:
        fields.find(FindingCode.INCONSISTENT, "positions are listed, and liquidation_threshold is 0")
