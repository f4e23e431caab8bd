"""By how much a unit misses its targets, and what each of its positions would free."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from brokers.models import AccountSnapshot, Measure
from brokers.numbers import ONE, ZERO
from daemon.risk.debt import debts_of, value_of
from daemon.risk.margin import Usage, worst_ratio
from daemon.risk.picture import PositionKey, UnitPicture, ValuedPosition, value
from daemon.risk.policy import Level, MarginPolicy
from daemon.risk.relief import after_cut
from daemon.risk.tiers import Bracket, relief_brackets, tiered_maintenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """One usage of a measure, its target, and the brackets of notional that each position could be cut by.

    Everything in the unit's currency. A position without an entry neither frees nor costs anything here.
    """

    measure: Measure
    usage: Usage
    target: Decimal
    relief: Mapping[PositionKey, tuple[Bracket, ...]]

    @property
    def is_open(self) -> bool:
        """Whether the target is missed."""
        return self.usage.exceeds(self.target)

    @property
    def missing(self) -> Decimal:
        """The margin that must be freed, less what that costs times the target; zero or less: at target."""
        return self.usage.used - self.target * self.usage.capacity

    @property
    def beyond_positions(self) -> Decimal:
        """What of the usage no position frees: a debt's requirement, a haircut's, that of resting orders."""
        frees = (bracket.width * bracket.rate for brackets in self.relief.values() for bracket in brackets)
        return max(self.usage.used - sum(frees, ZERO), ZERO)

    def freed(self, key: PositionKey, notional: Decimal) -> Decimal:
        """Return the margin that cutting `notional` of a position frees, from its top bracket down."""
        total = ZERO
        for bracket in self.relief.get(key, ()):
            cut = min(bracket.width, notional)
            total += cut * bracket.rate
            notional -= cut
        return total

    def after(self, key: PositionKey, notional: Decimal, cost: Decimal) -> "Shortfall":
        """Return what is left after cutting `notional` of a position at `cost`."""
        if key not in self.relief:
            return self
        usage = after_cut(self.usage, self.freed(key, notional), cost)
        remaining = []
        for bracket in self.relief[key]:
            cut = min(bracket.width, notional)
            notional -= cut
            if cut < bracket.width:
                remaining.append(replace(bracket, width=bracket.width - cut))
        return replace(self, usage=usage, relief={**self.relief, key: tuple(remaining)})


def shortfalls(unit: UnitPicture, snapshot: AccountSnapshot, policy: MarginPolicy) -> tuple[Shortfall, ...]:
    """Return every usage of `unit` with its target, those that are at target included.

    Maintenance is the business of the unit's own positions; initial margin returns to it also from the units
    under it.
    """
    found = []
    for measure in Measure:
        if measure not in unit.unit.measures:
            continue
        if measure is Measure.UTILIZATION:
            positions = value(snapshot.positions_under(unit.unit.key), unit.unit, snapshot)
        else:
            positions = unit.positions
        known: dict[Decimal, Mapping[PositionKey, tuple[Bracket, ...]]] = {}
        for usage in unit.usages(measure):
            if usage.used not in known:
                known[usage.used] = _relief(unit, usage, measure, positions, snapshot)
            found.append(
                Shortfall(
                    measure=measure, usage=usage, target=policy.target(measure), relief=known[usage.used]
                )
            )
    return tuple(found)


def when_flat(shortfall: Shortfall, positions: Sequence[ValuedPosition], policy: MarginPolicy) -> Usage:
    """Return what would be left after closing all of `positions`, whether or not that can be done now."""
    freed = cost = ZERO
    for valued in positions:
        brackets = shortfall.relief.get(valued.position.key)
        if brackets is not None:
            freed += sum([bracket.width * bracket.rate for bracket in brackets])
            cost += valued.notional or ZERO
    return after_cut(shortfall.usage, freed, cost * policy.limits.cost_rate)


def out_of_danger(shortfall: Shortfall, policy: MarginPolicy) -> Decimal:
    """Return the ratio at which the measure's liquidation level has ended."""
    return policy.ladder(shortfall.measure).threshold(Level.LIQUIDATION) - policy.hysteresis


def expected_ratio(state: Sequence[Shortfall], measure: Measure) -> Decimal | None:
    """Return the ratio of `measure` in `state`, for people; `None`: unknown or senseless."""
    return worst_ratio([shortfall.usage for shortfall in state if shortfall.measure is measure])


def _relief(
    unit: UnitPicture,
    usage: Usage,
    measure: Measure,
    positions: Sequence[ValuedPosition],
    snapshot: AccountSnapshot,
) -> dict[PositionKey, tuple[Bracket, ...]]:
    """Return what cutting each position takes off `usage`.

    The venue's ratio can stand for more than the stated margin (fees, haircuts), and a hedge for less
    than the sum of its legs: relief is scaled to it. Positions that state nothing share what is left of
    the unit's figure by notional, and with what the unit owes by its value: no venue states what that takes.
    """
    stated = unit.margin(measure)
    relief = {}
    unknown: list[tuple[PositionKey, Decimal]] = []
    known_margin = ZERO
    for valued in positions:
        notional = valued.notional
        if notional is None or notional <= 0:
            continue
        brackets = _stated_relief(valued, notional, measure, snapshot)
        if brackets is None:
            unknown.append((valued.position.key, notional))
        else:
            relief[valued.position.key] = brackets
            known_margin += sum((bracket.width * bracket.rate for bracket in brackets), ZERO)
    total = stated if stated is not None and stated > 0 else usage.used
    owed = value_of(debts_of(unit.unit, snapshot)) or ZERO
    shared, over = max(total - known_margin, ZERO), sum((notional for _, notional in unknown), owed)
    for key, notional in unknown:
        relief[key] = (Bracket(width=notional, rate=shared / over),)
    scale = usage.used / max(total, known_margin) if total > 0 else ONE
    if scale == ONE:
        return relief
    return {
        key: tuple(replace(bracket, rate=bracket.rate * scale) for bracket in brackets)
        for key, brackets in relief.items()
    }


def _stated_relief(
    valued: ValuedPosition, notional: Decimal, measure: Measure, snapshot: AccountSnapshot
) -> tuple[Bracket, ...] | None:
    """Return the relief that the venue's own figures for a position imply; `None`: it states none."""
    margin, position = valued.margin(measure), valued.position
    tiers = snapshot.tiers.get(position.symbol) if measure is Measure.MAINTENANCE else None
    covered = tiers and position.notional is not None and any(t.floor <= position.notional for t in tiers)
    if tiers and covered and valued.rate is not None and position.notional is not None:
        by_table = tiered_maintenance(position.notional, tiers)
        if by_table > 0:
            scale = margin / valued.rate / by_table if margin is not None else ONE
            return tuple(
                Bracket(width=bracket.width * valued.rate, rate=bracket.rate * scale)
                for bracket in relief_brackets(position.notional, tiers)
            )
    if margin is not None:
        return (Bracket(width=notional, rate=max(margin, ZERO) / notional),)
    setting = position.leverage_setting
    if measure is Measure.UTILIZATION and setting is not None and setting > 0:
        return (Bracket(width=notional, rate=1 / setting),)
    return None
