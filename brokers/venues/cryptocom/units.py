"""Balance rows -> risk units and collateral: the wallet that backs everything, and each isolated position."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from brokers.fields import Fields
from brokers.models import BOTH_MEASURES, Collateral, FindingCode, Measure, RiskUnit, UnitKind
from brokers.numbers import ZERO
from brokers.venues.cryptocom.positions import ACCOUNT_UNIT, USD, Margins, OpenRow, total_pnl

HOURS_PER_YEAR = Decimal(24 * 365)

ROUNDING = Decimal("0.01")
RELATIVE = Decimal("0.000001")
"""Two figures of one answer that must agree may differ by a cent, or by a millionth of the larger."""

YES = frozenset({True, "true", "TRUE"})


def account_unit(fields: Fields, rows: Sequence[OpenRow], *, liquidating: bool) -> RiskUnit:
    """Build the unit of the wallet that backs every cross position, in USD.

    The wallet balance is left out: profit moves into it every hour, so that with the profit since entry it is
    not the equity. `total_session_unrealized_pnl` is what has not moved yet, and is not used.
    """
    equity, initial, available, maintenance = _totals(fields)
    _note_odd_totals(fields, equity, initial, available)
    _note_torn(fields, maintenance, rows)
    if liquidating:
        fields.find(FindingCode.VENUE_ACTING, "Crypto.com is liquidating the account")
    return RiskUnit(
        key=ACCOUNT_UNIT,
        kind=UnitKind.ACCOUNT,
        currency=USD,
        margin_equity=equity,
        initial_margin=initial,
        maintenance_margin=maintenance,
        available_margin=available,
        unrealized_pnl=total_pnl(rows),
        measures=BOTH_MEASURES,
    )


def isolated_unit(key: str, fields: Fields, rows: Sequence[OpenRow], *, liquidating: bool) -> RiskUnit:
    """Build the unit of an isolated position; without totals it is there, and unknown."""
    equity, initial, available, maintenance = _totals(fields)
    _note_odd_totals(fields, equity, initial, available)
    _note_torn(fields, maintenance, rows)
    if liquidating:
        fields.find(FindingCode.VENUE_ACTING, "Crypto.com is liquidating the position")
    return RiskUnit(
        key=key,
        kind=UnitKind.ISOLATED_POSITION,
        currency=USD,
        margin_equity=equity,
        initial_margin=initial,
        maintenance_margin=maintenance,
        available_margin=available,
        unrealized_pnl=total_pnl(rows),
        measures=frozenset({Measure.MAINTENANCE}),
        parent=ACCOUNT_UNIT,
    )


def margins_of(fields: Fields) -> Margins:
    """Return what a unit requires for its positions alone.

    Initial margin without the haircut of the collateral, which no trade frees; of the maintenance margin the
    same part. Margin of resting orders cannot be told apart and counts as the positions'.
    """
    initial = fields.optional("total_initial_margin")
    maintenance = fields.optional("total_maintenance_margin")
    own = fields.optional("total_position_im")
    if own is None:
        own = initial
    if own is None or initial is None or maintenance is None:
        return Margins(initial=own, maintenance=None)
    return Margins(initial=own, maintenance=maintenance * own / initial if initial > 0 else maintenance)


def collateral_of(fields: Fields) -> Collateral:
    """Read one currency of the wallet: a negative quantity is a loan."""
    name = fields.text("instrument_name") or ""
    if not name:
        fields.find(FindingCode.FIELD_MISSING, "a balance without instrument_name")
    quantity, hourly = fields.optional("quantity"), fields.optional("hourly_interest_rate")
    return Collateral(
        currency=name,
        wallet_balance=quantity,
        equity=quantity,
        value=fields.optional("market_value"),
        debt=None if quantity is None else max(-quantity, ZERO),
        interest_rate=None if hourly is None else hourly * HOURS_PER_YEAR,
    )


def is_liquidating(row: Mapping[str, Any]) -> bool:
    """Whether the venue says that it is liquidating; it writes booleans as text, too."""
    raw = row.get("is_liquidating")
    return isinstance(raw, (bool, str)) and raw in YES


def _totals(fields: Fields) -> tuple[Decimal | None, Decimal | None, Decimal | None, Decimal | None]:
    """Return equity, initial, available and maintenance margin."""
    return (
        _total(fields, "total_margin_balance"),
        _total(fields, "total_initial_margin"),
        _total(fields, "total_available_balance"),
        _total(fields, "total_maintenance_margin"),
    )


def _total(fields: Fields, name: str) -> Decimal | None:
    value = fields.optional(name)
    if value is None:
        fields.find(FindingCode.TOTALS_MISSING, f"{name} is not stated")
    return value


def _note_odd_totals(
    fields: Fields, equity: Decimal | None, initial: Decimal | None, available: Decimal | None
) -> None:
    """Find figures of one answer that contradict one another; a balance floored at zero does not."""
    if equity is not None and initial is not None and available is not None:
        left = equity - initial
        floored = available == 0 and left < 0
        if not floored and not _agree(available, left, max(abs(equity), abs(initial))):
            fields.find(
                FindingCode.INCONSISTENT,
                f"available {available} is not margin balance {equity} less initial margin {initial}",
            )
    own, haircut = fields.optional("total_position_im"), fields.optional("total_haircut")
    if initial is None or own is None or haircut is None:
        return
    if not _agree(initial, own + haircut, max(abs(initial), abs(own + haircut))):
        fields.find(
            FindingCode.INCONSISTENT,
            f"initial margin {initial} is not that of positions {own} and haircut {haircut}",
        )


def _note_torn(fields: Fields, maintenance: Decimal | None, rows: Sequence[OpenRow]) -> None:
    """Find a picture torn between the two answers: totals without positions, or positions without totals."""
    cost, own = fields.optional("total_position_cost"), fields.optional("total_position_im")
    if not rows and cost and own:
        fields.find(
            FindingCode.INCONSISTENT, f"the totals speak of positions worth {cost}, and none is listed"
        )
    if rows and maintenance == ZERO:
        fields.find(FindingCode.INCONSISTENT, "positions are listed, and the maintenance margin is 0")


def _agree(one: Decimal, other: Decimal, scale: Decimal) -> bool:
    return abs(one - other) <= ROUNDING + RELATIVE * scale
