"""What one snapshot means: a level for every risk unit, and whether it may be acted upon."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from brokers.models import AccountId, AccountSnapshot, Measure, UnitKind
from brokers.numbers import ZERO
from daemon.risk.consistency import check
from daemon.risk.continuity import Memory, compare
from daemon.risk.debt import Debt, debts_of
from daemon.risk.exposure import OVER_BOUND
from daemon.risk.figures import money
from daemon.risk.gate import Gate, Weight
from daemon.risk.leverage import Exposure, exposure_of
from daemon.risk.margin import Usage, margin_headroom, worst_ratio
from daemon.risk.picture import UnitPicture, picture
from daemon.risk.policy import Level, MarginPolicy
from daemon.risk.reason import Reason
from daemon.risk.repayment import debt_drives
from daemon.risk.shock import Shock, nearest, shocks


class Protection(StrEnum):
    """Whether margind could act on the account if it had to."""

    PROTECTED = "protected"
    UNPROTECTED = "unprotected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One measure of one unit.

    `level` is the highest whose threshold is reached, `held` the highest whose threshold minus hysteresis is:
    a level that has started lasts while it is held. `ratio` is for people; `None`: unknown.
    """

    measure: Measure
    usages: tuple[Usage, ...]
    ratio: Decimal | None
    level: Level
    held: Level
    above_target: bool
    urgent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitAssessment:
    """One risk unit, judged. Amounts in `currency`; `None`: not known.

    `has_positions`: it answers for some itself; `reducible`: so does it, or a unit whose margin returns
    to it. `debts` are what it owes, the most within reach first. `gates` are those that concern it, the
    account's own included. `exposure` is what it holds beside its equity, and which bounds that breaks.
    `shocks` are the price moves that would take it to each further level.
    """

    key: str
    kind: UnitKind
    currency: str
    level: Level
    held: Level
    readings: tuple[Reading, ...]
    has_positions: bool
    reducible: bool
    debts: tuple[Debt, ...]
    margin_equity: Decimal | None
    initial_margin: Decimal | None
    maintenance_margin: Decimal | None
    available_margin: Decimal | None
    headroom: Decimal | None
    exposure: Exposure
    gates: tuple[Gate, ...]
    shocks: tuple[Shock, ...] = ()

    def reading(self, measure: Measure) -> Reading | None:
        """Return the reading of `measure`; `None` where it makes no sense for the unit."""
        return next((reading for reading in self.readings if reading.measure is measure), None)

    @property
    def utilization(self) -> Decimal | None:
        """The margin utilization, for people; `None`: unknown or senseless for this unit."""
        reading = self.reading(Measure.UTILIZATION)
        return reading.ratio if reading else None

    @property
    def maintenance_ratio(self) -> Decimal | None:
        """The maintenance ratio, for people; `None`: unknown or senseless for this unit."""
        reading = self.reading(Measure.MAINTENANCE)
        return reading.ratio if reading else None

    @property
    def notional(self) -> Decimal | None:
        """The gross notional of its positions; `None`: that of one is unknown."""
        return self.exposure.gross

    @property
    def leverage(self) -> Decimal | None:
        """The effective leverage, for people; `None`: unknown."""
        return self.exposure.leverage

    @property
    def debt_drives(self) -> str | None:
        """Why debt, not positions, keeps it above a target, in words; `None`: it does not."""
        notes = (gate.detail for gate in self.gates if gate.reason is Reason.DEBT_DRIVES_RISK)
        return next(notes, None)

    @property
    def actionable(self) -> bool:
        """Whether its picture may be acted upon."""
        return not any(gate.blocks for gate in self.gates)

    @property
    def faulty(self) -> bool:
        """Whether its picture is wrong or incomplete, not merely in need of a second read."""
        return any(gate.weight is Weight.FAULT for gate in self.gates)

    @property
    def above_target(self) -> bool:
        """Whether any measure is above its target or unknown, or equity is gone beneath open positions."""
        return self.level is Level.LIQUIDATION or any(reading.above_target for reading in self.readings)

    @property
    def urgent(self) -> bool:
        """Whether any measure is so high that the second read follows at once."""
        return any(reading.urgent for reading in self.readings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """One snapshot, judged by one policy. The account is as bad as its worst unit; units are never summed.

    `units` stand worst first. `memory` is what the next snapshot is compared with.
    """

    account_id: AccountId
    snapshot: AccountSnapshot = field(repr=False)
    age: timedelta
    units: tuple[UnitAssessment, ...]
    gates: tuple[Gate, ...]
    memory: Memory = field(repr=False)

    @property
    def as_of(self) -> datetime:
        """The venue's time of the oldest figure."""
        return self.snapshot.as_of

    @property
    def fetched_at(self) -> datetime:
        """When the last byte arrived, by the venue's clock; it tells one sample from the next."""
        return self.snapshot.fetched_at

    @property
    def level(self) -> Level:
        """The level of the worst unit."""
        return max((unit.level for unit in self.units), default=Level.SAFE)

    @property
    def utilization(self) -> Decimal | None:
        """The highest margin utilization of any unit; `None` where no unit has one."""
        return _highest(unit.utilization for unit in self.units)

    @property
    def maintenance_ratio(self) -> Decimal | None:
        """The highest maintenance ratio of any unit; `None` where no unit has one."""
        return _highest(unit.maintenance_ratio for unit in self.units)

    @property
    def leverage(self) -> Decimal | None:
        """The highest effective leverage of any unit; `None` where no unit has one."""
        return _highest(unit.leverage for unit in self.units)

    @property
    def exposure(self) -> Exposure | None:
        """What the unit with the highest effective leverage holds; `None` where none has one."""
        levered = [unit.exposure for unit in self.units if unit.leverage is not None]
        return max(levered, key=lambda held: held.leverage or ZERO, default=None)

    @property
    def shock(self) -> Shock | None:
        """The smallest price move that takes any unit to LIQUIDATION; `None`: none does, or it is there."""
        return nearest([shock for unit in self.units for shock in unit.shocks], Level.LIQUIDATION)

    @property
    def worst(self) -> UnitAssessment | None:
        """The unit to look at first; `None` without units."""
        return self.units[0] if self.units else None

    @property
    def is_cash(self) -> bool:
        """Whether the account is documented to owe nothing: then no measure applies to any part of it."""
        return bool(self.units) and all(unit.kind is UnitKind.CASH for unit in self.units)

    @property
    def actionable(self) -> bool:
        """Whether every part of the picture may be acted upon."""
        return not any(gate.blocks for gate in self.gates)

    @property
    def protection(self) -> Protection:
        """Whether margind could act on everything it sees; a mere doubt awaits its second read."""
        lost = any(gate.weight in {Weight.FAULT, Weight.POSITION} for gate in self.gates)
        return Protection.UNPROTECTED if lost else Protection.PROTECTED

    def unit(self, key: str) -> UnitAssessment | None:
        """Return the judged unit named `key`; `None`: not in the picture."""
        return next((unit for unit in self.units if unit.key == key), None)


def assess(
    snapshot: AccountSnapshot, policy: MarginPolicy, now: datetime, previous: Assessment | None
) -> Assessment:
    """Judge `snapshot` by `policy` at `now`, which is by the venue's clock; `previous` is the last answer.

    Total: every well-formed snapshot has an assessment. Gates take away the right to act, never the level:
    that is computed from whatever is there and says "at least this bad".
    """
    units = picture(snapshot)
    faults = check(snapshot, units, policy, now)
    memory = previous.memory if previous else None
    doubts, memory = compare(snapshot, units, faults, policy, memory)
    gates = (*faults, *doubts)
    judged = [_judge_unit(unit, snapshot, policy, gates) for unit in units]
    notes = tuple(note for unit in judged for note in unit.gates if note.weight is Weight.NOTE)
    return Assessment(
        account_id=snapshot.account_id,
        snapshot=snapshot,
        age=now - snapshot.as_of,
        units=tuple(sorted(judged, key=_severity, reverse=True)),
        gates=(*gates, *notes),
        memory=memory,
    )


def _highest(ratios: Iterable[Decimal | None]) -> Decimal | None:
    return max((ratio for ratio in ratios if ratio is not None), default=None)


def _notes(unit: UnitPicture, exposure: Exposure) -> Iterator[Gate]:
    """What is said of a unit without taking anything away."""
    for load in exposure.loads:
        if load.is_over:
            yield Gate(
                reason=OVER_BOUND[load.bound], weight=Weight.NOTE, detail=str(load), unit=unit.unit.key
            )
    equity = unit.unit.margin_equity
    if equity is not None and equity < 0 and not unit.positions:
        yield Gate(
            reason=Reason.DEFICIT_WITHOUT_POSITIONS,
            weight=Weight.NOTE,
            detail=f"margin equity {money(equity)} and no position to cut",
            unit=unit.unit.key,
        )


def _driven_by_debt(unit: UnitPicture, snapshot: AccountSnapshot, policy: MarginPolicy) -> tuple[Gate, ...]:
    """Say of a unit in trouble that its positions are not what it is in trouble for."""
    why = debt_drives(unit, snapshot, policy)
    if why is None:
        return ()
    return (Gate(reason=Reason.DEBT_DRIVES_RISK, weight=Weight.NOTE, detail=why, unit=unit.unit.key),)


def _severity(unit: UnitAssessment) -> tuple[Level, bool, Decimal, Decimal]:
    """Order units by what must be looked at first; an unknown ratio ranks below every known one."""
    unknown = Decimal(-1)
    maintenance, used = unit.maintenance_ratio, unit.utilization
    return (
        unit.level,
        unit.urgent,
        unknown if maintenance is None else maintenance,
        unknown if used is None else used,
    )


def _judge_unit(
    unit: UnitPicture, snapshot: AccountSnapshot, policy: MarginPolicy, gates: Sequence[Gate]
) -> UnitAssessment:
    """Judge one unit by its own figures."""
    key, equity = unit.unit.key, unit.unit.margin_equity
    readings = tuple(_read(unit, measure, policy) for measure in Measure if measure in unit.unit.measures)
    broken = equity is not None and equity <= 0 and bool(unit.positions)
    floor = Level.LIQUIDATION if broken else Level.SAFE
    exposure = exposure_of(unit, snapshot, policy)
    level = max([floor, *(reading.level for reading in readings)])
    driven = _driven_by_debt(unit, snapshot, policy) if level > Level.SAFE else ()
    maintenance = unit.unit.maintenance_margin
    headroom = None
    if equity is not None and maintenance is not None:
        headroom = margin_headroom(equity, maintenance)
    return UnitAssessment(
        key=key,
        kind=unit.unit.kind,
        currency=unit.unit.currency,
        level=level,
        held=max([floor, *(reading.held for reading in readings)]),
        readings=readings,
        has_positions=bool(unit.positions),
        reducible=bool(snapshot.positions_under(key)),
        debts=debts_of(unit.unit, snapshot),
        margin_equity=equity,
        initial_margin=unit.unit.initial_margin,
        maintenance_margin=maintenance,
        available_margin=unit.unit.available_margin,
        headroom=headroom,
        exposure=exposure,
        gates=(*(gate for gate in gates if gate.concerns(key)), *_notes(unit, exposure), *driven),
        shocks=shocks(unit, snapshot, policy),
    )


def _read(unit: UnitPicture, measure: Measure, policy: MarginPolicy) -> Reading:
    """Hold one measure of a unit against its ladder, target and urgent ratio."""
    usages, ladder = unit.usages(measure), policy.ladder(measure)

    def reached(threshold: Decimal) -> bool:
        return any(usage.reaches(threshold) for usage in usages)

    def highest(less: Decimal) -> Level:
        return next((level for level, at in ladder.rungs if reached(at - less)), Level.SAFE)

    target = policy.target(measure)
    return Reading(
        measure=measure,
        usages=usages,
        ratio=worst_ratio(usages),
        level=highest(ZERO),
        held=highest(policy.hysteresis),
        above_target=not usages or any(usage.exceeds(target) for usage in usages),
        urgent=reached(policy.confirmation.urgent(measure)),
    )
