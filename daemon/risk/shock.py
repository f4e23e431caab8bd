"""How far prices may move before a unit reaches a level.

Everything else is held still: quantities, other underlyings, collateral ratios, margin rates. Equity moves
with positions and with collateral in the underlying itself, margins move with the mark. A venue that margins
at entry, or steps up a tier on the way, departs from that; it shows as soon as the move has begun.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from brokers.models import AccountSnapshot, ContractKind, Measure, UnitKind
from brokers.numbers import ONE, ZERO
from daemon.risk.figures import percent
from daemon.risk.margin import Usage, direction
from daemon.risk.picture import DOLLARS, UnitPicture, ValuedPosition
from daemon.risk.policy import Level, MarginPolicy

LARGEST_MOVE = Decimal(10)
"""A price eleven times as high is no longer a shock; beyond it a level counts as out of reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shock:
    """The move of `underlying` (`None`: of every one alike) at which `unit` reaches `level`.

    `move` is a fraction of the price, above -1: -0.08 is a fall by 8 %.
    """

    unit: str
    level: Level
    underlying: str | None
    move: Decimal

    def __str__(self) -> str:
        """Say it in words: `BTC -8.4 % to LIQUIDATION`, `all prices +12 % to CRITICAL`."""
        moving = self.underlying or "all prices"
        return f"{moving} {'+' if self.move > 0 else ''}{percent(self.move)} to {self.level.name}"


def largest_underlying(unit: UnitPicture, snapshot: AccountSnapshot) -> str | None:
    """Return the base currency with the largest net notional; `None`: no position has a known one."""
    net: dict[str, Decimal] = {}
    for valued in unit.positions:
        base = _base(valued, snapshot)
        if base is not None and valued.notional is not None:
            net[base] = net.get(base, ZERO) + direction(valued.position.side) * valued.notional
    return max(sorted(net), key=lambda base: abs(net[base]), default=None)


def shocks(unit: UnitPicture, snapshot: AccountSnapshot, policy: MarginPolicy) -> tuple[Shock, ...]:
    """Return, for each level `unit` is below, the smallest move that takes it there, up or down.

    First of its largest underlying, then of all of them together; a level that no move within `LARGEST_MOVE`
    reaches is left out, and so is everything while the notional of a position is not known.
    """
    bases = [_base(valued, snapshot) for valued in unit.positions]
    if not bases or None in bases or any(valued.notional is None for valued in unit.positions):
        return ()
    found = []
    for underlying in (largest_underlying(unit, snapshot), None):
        tilt = _Tilt.of(unit, snapshot, underlying)
        for level in (Level.WARNING, Level.CRITICAL, Level.LIQUIDATION):
            move = _nearest(unit, policy, level, tilt)
            if move is not None:
                found.append(Shock(unit=unit.unit.key, level=level, underlying=underlying, move=move))
    return tuple(found)


def nearest(found: Sequence[Shock], level: Level) -> Shock | None:
    """Return the smallest of the moves to `level`; `None`: none leads there."""
    return min((one for one in found if one.level is level), key=lambda one: abs(one.move), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tilt:
    """What the equity and the margins of a unit change by when a price moves by 100 %.

    In a coin's own unit it is 1 / price that they are linear in: see `_to_price`.
    """

    equity: Decimal
    margins: dict[Measure, Decimal]

    @classmethod
    def of(cls, unit: UnitPicture, snapshot: AccountSnapshot, underlying: str | None) -> "_Tilt":
        """Return the tilt of `unit` towards `underlying`, `None` for all of them."""
        moving = [
            valued for valued in unit.positions if underlying is None or _base(valued, snapshot) == underlying
        ]
        equity = sum((direction(v.position.side) * (v.notional or ZERO) for v in moving), ZERO)
        margins = {measure: _margins_slope(unit, moving, measure) for measure in Measure}
        return cls(equity=equity + _collateral(unit, snapshot, underlying), margins=margins)


def _margins_slope(unit: UnitPicture, moving: Sequence[ValuedPosition], measure: Measure) -> Decimal:
    """Return what the margins of `moving` change by; where not all are stated, by share of notional."""
    is_stated = unit.positions_margin(measure) is not None
    gross = sum((valued.notional or ZERO for valued in unit.positions), ZERO)
    rate = (unit.margin(measure) or ZERO) / gross if gross > 0 else ZERO
    total = ZERO
    for valued in moving:
        margin = valued.margin(measure) if is_stated else (valued.notional or ZERO) * rate
        if _is_coin(unit):
            total -= margin or ZERO  # a higher price makes the contract, and its margin, worth less coin
        elif valued.position.kind is not ContractKind.INVERSE:  # that is counted in dollars
            total += margin or ZERO
    return total


def _nearest(unit: UnitPicture, policy: MarginPolicy, level: Level, tilt: _Tilt) -> Decimal | None:
    """Return the smallest move to `level`; `None`: it is reached already, or out of reach."""
    moves = []
    for measure in Measure:
        if measure not in unit.unit.measures:
            continue
        threshold, stated = policy.ladder(measure).threshold(level), unit.margin(measure)
        for usage in unit.usages(measure):
            if usage.reaches(threshold):
                return None
            # the venue's own ratio stands for more than the stated margin: it moves in proportion to it
            scale = usage.used / stated if stated is not None and stated > 0 else ONE
            moves.append(
                _to_price(_crossing(usage, tilt.margins[measure] * scale, tilt.equity, threshold), unit)
            )
    reachable = [move for move in moves if move is not None and -ONE < move <= LARGEST_MOVE]
    return min(reachable, key=abs, default=None)


def _crossing(usage: Usage, used: Decimal, capacity: Decimal, threshold: Decimal) -> Decimal | None:
    """Return the x at which the usage, `used` and `capacity` its slopes, comes to `threshold`; `None`: never.

    U + x*u = t * (C + x*c), so x = (t*C - U) / (u - t*c). The numerator is what is left to the threshold and
    above zero, so the sign of x is that of the denominator.
    """
    steepness = used - threshold * capacity
    return (threshold * usage.capacity - usage.used) / steepness if steepness != 0 else None


def _to_price(x: Decimal | None, unit: UnitPicture) -> Decimal | None:
    """Return the move of the price behind `x`.

    In a coin's own unit amounts go by 1 / price: they are linear in x = m / (1 + m), so that m = x / (1 - x).
    """
    if x is None or not _is_coin(unit):
        return x
    return x / (1 - x) if x < 1 else None


def _is_coin(unit: UnitPicture) -> bool:
    return unit.unit.currency not in DOLLARS


def _collateral(unit: UnitPicture, snapshot: AccountSnapshot, underlying: str | None) -> Decimal:
    """Return the value of collateral that moves along, debts with their sign.

    Only where all currencies back the unit, which is then stated in dollars; before haircuts, so that it
    moves rather more than the venue will count.
    """
    if unit.unit.kind is not UnitKind.ACCOUNT or _is_coin(unit):
        return ZERO
    values = (
        collateral.value
        for collateral in snapshot.collaterals
        if collateral.value is not None and _moves(collateral.currency, underlying)
    )
    return sum(values, ZERO)


def _moves(currency: str, underlying: str | None) -> bool:
    return currency == underlying if underlying is not None else currency not in DOLLARS


def _base(valued: ValuedPosition, snapshot: AccountSnapshot) -> str | None:
    rules = snapshot.markets.get(valued.position.symbol)
    return rules.base if rules is not None else None
