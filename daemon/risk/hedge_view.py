"""The legs of hedge groups as one account's picture shows them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from brokers.models import AccountSnapshot, Position, Symbol
from brokers.numbers import ONE, ZERO
from daemon.risk.delta import Delta, balance_delta, position_delta
from daemon.risk.hedge_group import LegName
from daemon.risk.hedge_loss import LegSize
from daemon.risk.hedging import Leg
from daemon.risk.margin import direction
from daemon.risk.sizing import Lots


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenLeg:
    """One leg: how large it is and what may be cut of it. `base` `None`: it is not there, so of no coin."""

    leg: Leg
    size: LegSize
    base: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnseenLeg:
    """A leg that the picture does not value, and why."""

    name: LegName
    why: str


LegViews = Mapping[LegName, SeenLeg | UnseenLeg]


def view_legs(names: Iterable[LegName], snapshot: AccountSnapshot) -> dict[LegName, SeenLeg | UnseenLeg]:
    """Return each of `names`, which are legs of the account of `snapshot`, as it shows there."""
    return {
        name: _balance(name, snapshot) if name.is_balance else _position(name, snapshot) for name in names
    }


def row_to_cut(rows: Sequence[Position], symbol: Symbol | str) -> Position | None:
    """Return the largest row on the heavier side of a symbol's net position; `None`: it is flat."""
    own = [row for row in rows if row.symbol == symbol]
    net = sum((direction(row.side) * row.quantity for row in own), ZERO)
    heavier = [row for row in own if direction(row.side) * net > 0]
    return max(heavier, key=lambda row: row.quantity, default=None)


def _balance(name: LegName, snapshot: AccountSnapshot) -> SeenLeg | UnseenLeg:
    """A coin that is held counts, and is never cut."""
    held = [one for one in snapshot.collaterals if one.currency == name.symbol]
    deltas = [balance_delta(one) for one in held]
    amount = ZERO
    for delta in deltas:
        if not isinstance(delta, Delta):
            return UnseenLeg(name=name, why=delta.why)
        amount += delta.amount
    leg = Leg(name=name, delta=amount, per_quantity=ONE, lot=ONE, least=ONE, cuttable=ZERO)
    base = next((delta.base for delta in deltas if isinstance(delta, Delta)), None)
    return SeenLeg(leg=leg, size=LegSize(quantity=amount, per_quantity=ONE), base=base)


def _position(name: LegName, snapshot: AccountSnapshot) -> SeenLeg | UnseenLeg:
    """The net of a symbol's rows; what may be cut of it is one order on the row that makes it what it is."""
    symbol = Symbol(name.symbol)
    rules, total, quantity = snapshot.markets.get(symbol), ZERO, ZERO
    each, base = ONE, None
    for row in snapshot.positions:
        if row.symbol != symbol:
            continue
        delta = position_delta(row, rules)
        if not isinstance(delta, Delta):
            return UnseenLeg(name=name, why=delta.why)
        total, each, base = total + delta.amount, delta.per_quantity, delta.base
        quantity += direction(row.side) * row.quantity
    lot, least, cuttable = ONE, ONE, ZERO
    heavy = row_to_cut(snapshot.positions, symbol)
    if heavy is not None and rules is not None:
        most = min(abs(quantity), heavy.quantity)
        lots = Lots(position=heavy, rules=rules, most=most, market=True)
        lot, least = rules.lot_step, lots.least
        cuttable = lots.largest if heavy.reducible else ZERO
    leg = Leg(name=name, delta=total, per_quantity=each, lot=lot, least=least, cuttable=cuttable)
    return SeenLeg(leg=leg, size=LegSize(quantity=_signed(quantity, total), per_quantity=each), base=base)


def _signed(quantity: Decimal, delta: Decimal) -> Decimal:
    """Return the quantity with the sign of the delta: a put that is held is a short."""
    return abs(quantity) if delta > 0 else -abs(quantity) if delta < 0 else ZERO
