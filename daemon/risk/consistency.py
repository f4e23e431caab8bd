"""Whether one snapshot, looked at alone, may be acted upon: its age, its gaps, figures that must agree.

A tolerance is wide enough for what venues round and for a price that moves between two of their figures, and
far below what a lost page, a zeroed balance or a unit mistake does.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.models import (
    AccountSnapshot,
    ContractKind,
    Finding,
    FindingCode,
    MarginMode,
    MarketRules,
    Measure,
    Position,
    Side,
    UnitKind,
)
from brokers.numbers import ZERO
from daemon.risk.debt import debts_of, value_of
from daemon.risk.figures import money
from daemon.risk.gate import Gate, Weight
from daemon.risk.margin import notional, unrealized_pnl
from daemon.risk.picture import UnitPicture, ValuedPosition
from daemon.risk.policy import MarginPolicy
from daemon.risk.reason import Reason

CLOCK_TOLERANCE = timedelta(seconds=1)
"""How far ahead of us a venue's time may seem: the most our measurement of its clock may be off."""

NOT_ORDERABLE = frozenset({FindingCode.SYMBOL_UNKNOWN, FindingCode.PRICE_UNKNOWN})

MARGIN_TOLERANCE = Decimal("0.10")  # of the positions' sum: venues round, and convert at rates of their own
EQUITY_TOLERANCE = Decimal("0.10")  # of the larger figure
AVAILABLE_TOLERANCE = Decimal("0.10")  # of utilization: what haircuts and frozen balances may explain
PNL_SUM_TOLERANCE = Decimal("0.10")  # of the equity: the two are read moments apart
NOTIONAL_TOLERANCE = Decimal("0.01")  # of the notional
PNL_TOLERANCE = Decimal("0.02")  # of the notional


def check(
    snapshot: AccountSnapshot, units: Sequence[UnitPicture], policy: MarginPolicy, now: datetime
) -> tuple[Gate, ...]:
    """Return everything in `snapshot` that stands against acting on it."""
    gates = [*_time_gates(snapshot, policy, now)]
    gates += [_finding_gate(finding, snapshot) for finding in snapshot.findings]
    for unit in units:
        gates += _missing_measures(unit)
        gates += _margin_below_positions(unit)
        gates += _equity_gates(unit, snapshot)
        gates += _available_gates(unit)
        gates += _pnl_sum_gates(unit)
        for valued in unit.positions:
            rules = snapshot.markets.get(valued.position.symbol)
            if rules is not None:
                gates += _position_gates(valued.position, rules)
    return tuple(gates)


def _time_gates(snapshot: AccountSnapshot, policy: MarginPolicy, now: datetime) -> Iterator[Gate]:
    """Old, from the future, or read too far apart."""
    age = now - snapshot.as_of
    if age > policy.act_max_age:
        detail = f"{age.total_seconds():.1f} s old, at most {policy.act_max_age.total_seconds():g} s"
        yield Gate(reason=Reason.STALE, weight=Weight.FAULT, detail=detail)
    ahead = max(snapshot.as_of - now, snapshot.fetched_at - now, snapshot.as_of - snapshot.fetched_at)
    if ahead > CLOCK_TOLERANCE:
        detail = f"{ahead.total_seconds():.1f} s ahead of the clock"
        yield Gate(reason=Reason.FUTURE_DATED, weight=Weight.FAULT, detail=detail)
    spread = snapshot.fetched_at - snapshot.as_of
    if spread > policy.max_spread:
        detail = (
            f"parts {spread.total_seconds():.1f} s apart, at most {policy.max_spread.total_seconds():g} s"
        )
        yield Gate(reason=Reason.TORN, weight=Weight.FAULT, detail=detail)


def _finding_gate(finding: Finding, snapshot: AccountSnapshot) -> Gate:
    """A broker's finding blocks what it is about: a unit that the picture shows, else the account.

    An instrument without market rules or a live price blocks only its own position: the venue's totals still
    count it, so the other positions may be cut.
    """
    owners = {position.unit for position in snapshot.positions if position.symbol == finding.symbol}
    unit = finding.unit if finding.unit is not None else (owners.pop() if len(owners) == 1 else None)
    if unit not in {one.key for one in snapshot.units}:
        unit = None
    unknown = finding.code in NOT_ORDERABLE and finding.symbol is not None
    return Gate(
        reason=Reason(finding.code.value),
        weight=Weight.POSITION if unknown else Weight.FAULT,
        detail=finding.detail,
        unit=unit,
        symbol=finding.symbol,
    )


def _missing_measures(unit: UnitPicture) -> Iterator[Gate]:
    """A measure that applies, without the figures it takes."""
    for measure in Measure:
        if measure in unit.unit.measures and not unit.usages(measure):
            yield Gate(
                reason=Reason.MEASURE_UNKNOWN,
                weight=Weight.FAULT,
                detail=f"{measure} applies and its figures are missing",
                unit=unit.unit.key,
            )


def _margin_below_positions(unit: UnitPicture) -> Iterator[Gate]:
    """The unit must show at least what its positions need; more may be orders or debt.

    Of a hedged pair only the larger leg counts, since some venues charge no more. Portfolio margin has no
    sum.
    """
    if any(valued.position.margin_mode is MarginMode.PORTFOLIO for valued in unit.positions):
        return
    for measure in Measure:
        stated, needed = unit.margin(measure), _least_margin(unit.positions, measure)
        if stated is None or needed is None or measure not in unit.unit.measures:
            continue
        if stated < needed * (1 - MARGIN_TOLERANCE):
            yield Gate(
                reason=Reason.MARGIN_BELOW_POSITIONS,
                weight=Weight.FAULT,
                detail=f"{measure}: the unit shows {money(stated)}, its positions need {money(needed)}",
                unit=unit.unit.key,
            )


def _least_margin(positions: Sequence[ValuedPosition], measure: Measure) -> Decimal | None:
    """Return the least margin that `positions` can need; `None` when one is not stated."""
    by_symbol: dict[str, dict[Side, Decimal]] = {}
    for valued in positions:
        margin = valued.margin(measure)
        if margin is None:
            return None
        legs = by_symbol.setdefault(valued.position.symbol, {})
        side = valued.position.side
        legs[side] = legs.get(side, ZERO) + margin
    return sum((max(legs.values()) for legs in by_symbol.values()), ZERO)


def _equity_gates(unit: UnitPicture, snapshot: AccountSnapshot) -> Iterator[Gate]:
    """Margin equity must be wallet + unrealized PnL, less haircuts where collateral is mixed.

    A unit of one currency has no haircut: the two agree. Across currencies equity may be lower, but not
    higher, and not gone while the wallet is full. A wallet may hold what is owed, and be so much higher.
    """
    equity, wallet, pnl = unit.unit.margin_equity, unit.unit.wallet_balance, unit.unit.unrealized_pnl
    if equity is None or wallet is None or pnl is None:
        return
    built = wallet + pnl
    tolerance = EQUITY_TOLERANCE * max(abs(equity), abs(built))
    too_high = equity > built + tolerance
    owed = value_of(debts_of(unit.unit, snapshot))
    too_low = owed is not None and equity < built - owed - tolerance
    if unit.unit.kind is UnitKind.ACCOUNT:
        too_low = too_low and equity <= 0
    if too_high or too_low:
        yield Gate(
            reason=Reason.EQUITY_MISMATCH,
            weight=Weight.FAULT,
            detail=f"margin equity {money(equity)}, wallet {money(wallet)}, unrealized PnL {money(pnl)}",
            unit=unit.unit.key,
        )


def _available_gates(unit: UnitPicture) -> Iterator[Gate]:
    """Available margin far below equity - initial margin contradicts both.

    The larger utilization still alarms. A single zeroed figure must not sell a healthy account, and where a
    venue keeps collateral from backing new orders (restricted currencies), that says nothing of liquidation.
    A venue whose own utilization says the same (Bybit's, after haircuts) is believed.
    """
    equity, used, available = unit.unit.margin_equity, unit.unit.initial_margin, unit.unit.available_margin
    if equity is None or used is None or available is None or equity <= 0 or used <= 0:
        return
    stated = unit.unit.venue_utilization
    if stated is not None and used <= (stated + AVAILABLE_TOLERANCE) * (used + available):
        return
    if used > (used / equity + AVAILABLE_TOLERANCE) * (used + available):
        detail = f"available {money(available)}, but equity {money(equity)} less initial margin {money(used)}"
        yield Gate(reason=Reason.AVAILABLE_MISMATCH, weight=Weight.FAULT, detail=detail, unit=unit.unit.key)


def _pnl_sum_gates(unit: UnitPicture) -> Iterator[Gate]:
    """The unit's unrealized PnL must be that of its positions, or one of the two is of another moment."""
    stated, equity = unit.unit.unrealized_pnl, unit.unit.margin_equity
    parts = [valued.unrealized_pnl for valued in unit.positions]
    known = [part for part in parts if part is not None]
    if stated is None or equity is None or not parts or len(known) < len(parts):
        return
    built = sum(known, ZERO)
    if abs(stated - built) > PNL_SUM_TOLERANCE * max(abs(equity), abs(stated), abs(built)):
        detail = f"the unit shows unrealized PnL {money(stated)}, its positions {money(built)}"
        yield Gate(
            reason=Reason.POSITIONS_PNL_MISMATCH, weight=Weight.FAULT, detail=detail, unit=unit.unit.key
        )


def _position_gates(position: Position, rules: MarketRules) -> Iterator[Gate]:
    """Notional and unrealized PnL must follow from quantity and prices: this catches a unit mistake."""
    linear = position.kind is ContractKind.LINEAR
    if position.settle != (rules.quote if linear else rules.base):
        return  # settled in a third currency: no rate here
    mark, entry, size = position.mark_price, position.entry_price, rules.contract_size
    if mark is None or mark <= 0 or position.notional is None:
        return
    built = notional(position.kind, position.quantity, size, mark)
    if abs(position.notional - built) > NOTIONAL_TOLERANCE * built:
        detail = f"notional {money(position.notional)}, built {money(built)}"
        yield _position_gate(position, Reason.NOTIONAL_MISMATCH, detail)
    if entry is None or entry <= 0 or position.unrealized_pnl is None:
        return
    pnl = unrealized_pnl(
        position.kind,
        position.side,
        quantity=position.quantity,
        contract_size=size,
        entry_price=entry,
        mark_price=mark,
    )
    if abs(position.unrealized_pnl - pnl) > PNL_TOLERANCE * built:
        detail = f"unrealized PnL {money(position.unrealized_pnl)}, built {money(pnl)}"
        yield _position_gate(position, Reason.PNL_MISMATCH, detail)


def _position_gate(position: Position, reason: Reason, detail: str) -> Gate:
    """Block the unit of a position."""
    return Gate(reason=reason, weight=Weight.FAULT, detail=detail, unit=position.unit, symbol=position.symbol)
