"""A risk unit beside its positions, their amounts turned into the unit's currency."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from brokers.models import (
    AccountSnapshot,
    Collateral,
    ContractKind,
    MarginMode,
    Measure,
    Position,
    RiskUnit,
    Side,
    Symbol,
)
from brokers.numbers import ONE, ZERO
from daemon.risk.margin import Usage, maintenance_usage, utilization

PositionKey = tuple[Symbol, Side, MarginMode]
"""`Position.key`."""

DOLLARS = frozenset(
    ["USD", "USDT", "USDC", "USDE", "USDG", "USDS", "USD1", "FDUSD", "BUSD", "TUSD", "PYUSD", "RLUSD", "DAI"],
)
"""Taken as one another where the venue states no value: for sums that are compared roughly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuedPosition:
    """A position and the value of one unit of its settle currency in the unit's; `None`: not known."""

    position: Position
    rate: Decimal | None

    def _in_unit(self, amount: Decimal | None) -> Decimal | None:
        return None if amount is None or self.rate is None else amount * self.rate

    @property
    def notional(self) -> Decimal | None:
        """Notional at mark, in the unit's currency."""
        return self._in_unit(self.position.notional)

    @property
    def unrealized_pnl(self) -> Decimal | None:
        """Unrealized PnL, in the unit's currency."""
        return self._in_unit(self.position.unrealized_pnl)

    def margin(self, measure: Measure) -> Decimal | None:
        """The initial or maintenance margin that `measure` is about, in the unit's currency."""
        if measure is Measure.UTILIZATION:
            return self._in_unit(self.position.initial_margin)
        return self._in_unit(self.position.maintenance_margin)


@dataclass(frozen=True, kw_only=True)
class UnitPicture:
    """A unit with the positions it answers for."""

    unit: RiskUnit
    positions: tuple[ValuedPosition, ...]

    def usages(self, measure: Measure) -> tuple[Usage, ...]:
        """Return the usages of `measure`; empty when its figures are missing."""
        return self._utilization if measure is Measure.UTILIZATION else self._maintenance

    @cached_property
    def _utilization(self) -> tuple[Usage, ...]:
        unit = self.unit
        return utilization(unit.initial_margin, unit.available_margin, unit.margin_equity)

    @cached_property
    def _maintenance(self) -> tuple[Usage, ...]:
        unit = self.unit
        return maintenance_usage(unit.maintenance_margin, unit.margin_equity, unit.venue_ratio)

    def margin(self, measure: Measure) -> Decimal | None:
        """The unit's own initial or maintenance margin that `measure` is about."""
        if measure is Measure.UTILIZATION:
            return self.unit.initial_margin
        return self.unit.maintenance_margin

    def positions_margin(self, measure: Measure) -> Decimal | None:
        """Return the sum of the positions' margins; `None` unless every one is known."""
        margins = [position.margin(measure) for position in self.positions]
        known = [margin for margin in margins if margin is not None]
        return sum(known, ZERO) if len(known) == len(margins) else None


def rate_of(owned: str, currency: str, collaterals: Sequence[Collateral]) -> Decimal | None:
    """Return what one unit of `owned` is worth in `currency`; `None`: not known.

    In this order: the same currency; what the venue says the collateral is worth; dollars as dollars.
    """
    if owned == currency:
        return ONE
    if currency not in DOLLARS:
        return None
    for collateral in collaterals:
        worth, equity = collateral.value, collateral.equity
        if collateral.currency == owned and worth and equity and worth / equity > 0:
            return worth / equity
    return ONE if owned in DOLLARS else None


def settle_rate(position: Position, currency: str, collaterals: Sequence[Collateral]) -> Decimal | None:
    """Return what one unit of the position's settle currency is worth in `currency`; `None`: not known.

    As `rate_of` says; else by the mark of an inverse contract, which prices its coin in dollars.
    """
    rate = rate_of(position.settle, currency, collaterals)
    if rate is not None or currency not in DOLLARS:
        return rate
    if position.kind is ContractKind.INVERSE and position.mark_price is not None and position.mark_price > 0:
        return position.mark_price
    return None


def value(
    positions: Sequence[Position], unit: RiskUnit, snapshot: AccountSnapshot
) -> tuple[ValuedPosition, ...]:
    """Return `positions` valued in the currency of `unit`."""
    return tuple(
        ValuedPosition(position=position, rate=settle_rate(position, unit.currency, snapshot.collaterals))
        for position in positions
    )


def picture(snapshot: AccountSnapshot) -> tuple[UnitPicture, ...]:
    """Return every unit of `snapshot` with the positions it answers for."""
    return tuple(
        UnitPicture(unit=unit, positions=value(snapshot.positions_of(unit.key), unit, snapshot))
        for unit in snapshot.units
    )
