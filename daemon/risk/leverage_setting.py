"""A venue's leverage setting above the cap: to what it may be lowered, and whether that is harmless.

Theory of operation. The setting says how much initial margin a cross position ties up: notional / setting.
To lower it frees nothing and moves nothing; it raises the initial margin, and with it the utilization. So the
utilization is projected first, on the careful side:

    increase = notional / new - what the venue states as initial margin, or notional / old if that is less
               (summed over the symbol's positions)
             + what the unit requires beyond its positions x (old / new - 1)      orders may be resting there
    harmless   while (initial margin + increase) / capacity stays below WARNING less hysteresis, in every way
               in which the unit's utilization is reckoned, and the increase is available

Only whole settings are made, at least 1: some venues take no others. An isolated position would draw margin
out of the account, and portfolio margin does not ask for the setting: both are left alone.

Source: derived here. That initial margin is notional / leverage: Bybit help centre, "Initial Margin";
Binance, "Leverage and Margin of USDT-M Futures"; OKX, "Cross margin trading: initial margin".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from brokers.models import AccountSnapshot, MarginMode, Measure, Symbol
from brokers.numbers import ONE, ZERO
from daemon.risk.margin import Usage
from daemon.risk.picture import UnitPicture, ValuedPosition, picture
from daemon.risk.policy import MarginPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowering:
    """One setting that is above the cap.

    `projected` is the unit's utilization once it is lowered, `None` where that cannot be said; `below` is
    where it must stay. Only a `harmless` one may be made.
    """

    symbol: Symbol
    unit: str
    before: Decimal
    after: Decimal
    projected: Decimal | None
    below: Decimal
    harmless: bool


def lowerings(snapshot: AccountSnapshot, policy: MarginPolicy) -> tuple[Lowering, ...]:
    """Return every setting above the cap, by symbol, and what lowering it would come to by itself."""
    cap = policy.max_leverage
    if cap is None:
        return ()
    after = max(cap.to_integral_value(rounding="ROUND_FLOOR"), ONE)
    found = [lowering for unit in picture(snapshot) for lowering in _of_unit(unit, after, policy)]
    return tuple(sorted(found, key=lambda one: one.symbol))


def _of_unit(unit: UnitPicture, after: Decimal, policy: MarginPolicy) -> Iterator[Lowering]:
    symbols = dict.fromkeys(valued.position.symbol for valued in unit.positions)
    for symbol in symbols:
        rows = [valued for valued in unit.positions if valued.position.symbol == symbol]
        settings = [valued.position.leverage_setting for valued in rows]
        known = [setting for setting in settings if setting is not None]
        is_cross = all(valued.position.margin_mode is MarginMode.CROSS for valued in rows)
        if is_cross and len(known) == len(rows) and max(known) > after:
            yield _lowering(unit, symbol, rows, before=max(known), after=after, policy=policy)


def _lowering(
    unit: UnitPicture,
    symbol: Symbol,
    rows: Sequence[ValuedPosition],
    *,
    before: Decimal,
    after: Decimal,
    policy: MarginPolicy,
) -> Lowering:
    below = policy.utilization.warning - policy.hysteresis
    increase, usages = _increase(unit, rows, before, after), unit.usages(Measure.UTILIZATION)
    projected = []
    if increase is not None:
        projected = [Usage(used=usage.used + increase, capacity=usage.capacity) for usage in usages]
    available = unit.unit.available_margin
    has_room = increase is not None and available is not None and increase <= available
    return Lowering(
        symbol=symbol,
        unit=unit.unit.key,
        before=before,
        after=after,
        projected=max((usage.ratio for usage in projected), default=None),
        below=below,
        harmless=has_room and bool(projected) and not any(usage.reaches(below) for usage in projected),
    )


def _increase(
    unit: UnitPicture, rows: Sequence[ValuedPosition], before: Decimal, after: Decimal
) -> Decimal | None:
    """Return by how much the unit's initial margin would rise; `None`: a figure is missing."""
    total, increase = unit.unit.initial_margin, ZERO
    if total is None:
        return None
    for valued in rows:
        notional, setting = valued.notional, valued.position.leverage_setting
        if notional is None or not setting:
            return None
        now = notional / setting
        stated = valued.margin(Measure.UTILIZATION)
        increase += max(notional / after - min(now, now if stated is None else stated), ZERO)
    stated_all = [valued.margin(Measure.UTILIZATION) for valued in unit.positions]
    others = max(total - sum((margin for margin in stated_all if margin is not None), ZERO), ZERO)
    return increase + others * (before / after - 1)
