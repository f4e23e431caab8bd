"""Whether a snapshot can follow from the one before.

Theory of operation. Venues sometimes answer with a picture that is well-formed and wrong: no positions during
maintenance, a balance of zeros, a margin figure of another account. Looked at alone it is flawless; it gives
itself away only beside what was seen before. So every unit's last believed picture is kept, each new one is
compared with it, and what cannot follow becomes a suspicion:

    EMPTIED             everything was zero or gone at once
    MODE_CHANGED        the account's margin or position mode is another
    POSITIONS_VANISHED  a position is gone and the unit's margin figure did not fall with it; or all are gone
    JUMPED              a measure moved more than 20 points and neither a quantity nor the prices explain it
    EQUITY_BROKEN       margin equity at or below zero with positions open (needs no picture before it)

A suspicion is settled once further reads have shown the same for its waiting time; the new picture is
believed then. One is never settled by time: no position left while the maintenance margin still stands, and
no debt in the account that it could be for.
Until settled a suspicion takes away the right to act and keeps the believed picture where it is. A daemon
that has just started believes its first faultless picture.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.models import AccountMode, AccountSnapshot, ContractKind, Measure
from brokers.numbers import ZERO
from daemon.risk.figures import money, percent
from daemon.risk.gate import Gate, Weight
from daemon.risk.margin import Usage, direction, worst_ratio
from daemon.risk.picture import PositionKey, UnitPicture, ValuedPosition
from daemon.risk.policy import Confirmation, MarginPolicy
from daemon.risk.reason import Reason

JUMP = Decimal("0.20")
"""A change of a ratio that needs a cause."""

SHOWN_JUMP_CEILING = Decimal(2)
"""Ratios beyond 200 % are all the same to the jump rule."""

STAYED = Decimal("0.10")  # of the margin of vanished positions
NOISE = Decimal("0.02")  # of the unit's figure: orders and debt make it breathe

NEVER = None
"""The waiting time of a suspicion that no repetition settles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """Something that did not follow, and since when every read has shown it."""

    reason: Reason
    unit: str | None
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the next picture is compared with: what is believed, and what was seen last."""

    mode: AccountMode | None
    believed: tuple[UnitPicture, ...]
    last_mode: AccountMode
    last: tuple[UnitPicture, ...]
    suspicions: tuple[Suspicion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Doubt:
    """One thing that cannot follow; `wait`: how long it must persist to be believed."""

    reason: Reason
    unit: str | None
    weight: Weight
    wait: timedelta | None
    detail: str

    @property
    def about(self) -> tuple[Reason, str | None]:
        """What makes it the same doubt in the next picture."""
        return (self.reason, self.unit)


def compare(
    snapshot: AccountSnapshot,
    units: Sequence[UnitPicture],
    faults: Sequence[Gate],
    policy: MarginPolicy,
    memory: Memory | None,
) -> tuple[tuple[Gate, ...], Memory]:
    """Return what in `units` cannot follow from `memory`, and the memory for the next picture.

    `units` is the picture of `snapshot`; `faults` are what is wrong with it by itself: a faulty picture of a
    unit is compared, but never believed.
    """
    confirmation = policy.confirmation
    doubts = [*_broken_equity(units)]
    fresh: set[tuple[Reason, str | None]] = set()
    if memory is not None:
        doubts += _doubts(snapshot, units, memory.mode, memory.believed, confirmation)
    if memory is not None and doubts:
        since_last = _doubts(snapshot, units, memory.last_mode, memory.last, confirmation)
        fresh = {doubt.about for doubt in since_last}
    suspicions = [
        suspicion
        for doubt in doubts
        if (suspicion := _suspect(doubt, snapshot.fetched_at, faults, memory, fresh)) is not None
    ]
    since = {(suspicion.reason, suspicion.unit): suspicion.since for suspicion in suspicions}
    gates = [
        Gate(reason=doubt.reason, weight=doubt.weight, detail=doubt.detail, unit=doubt.unit)
        for doubt in doubts
        if not _is_settled(doubt, since.get(doubt.about), snapshot.fetched_at)
    ]
    believed = _believe(units, [*faults, *gates], memory)
    trusts_mode = not any(gate.blocks and gate.unit is None for gate in (*faults, *gates))
    mode = snapshot.mode if trusts_mode else (memory.mode if memory else None)
    return tuple(gates), Memory(
        mode=mode,
        believed=believed,
        last_mode=snapshot.mode,
        last=tuple(units),
        suspicions=tuple(suspicions),
    )


def _suspect(
    doubt: _Doubt,
    seen_at: datetime,
    faults: Sequence[Gate],
    memory: Memory | None,
    fresh: Collection[tuple[Reason, str | None]],
) -> Suspicion | None:
    """Return the suspicion that `doubt` begins or goes on with; a faulty picture begins none."""
    held = memory.suspicions if memory else ()
    known = next((old for old in held if (old.reason, old.unit) == doubt.about), None)
    if known is not None and doubt.about not in fresh:
        return known
    faulty = any(gate.blocks and (gate.unit is None or gate.unit == doubt.unit) for gate in faults)
    return None if faulty else Suspicion(reason=doubt.reason, unit=doubt.unit, since=seen_at)


def _is_settled(doubt: _Doubt, since: datetime | None, seen_at: datetime) -> bool:
    """Whether a later read has shown the same for long enough."""
    if doubt.wait is NEVER or since is None:
        return False
    return since < seen_at and seen_at - since >= doubt.wait


def _believe(
    units: Sequence[UnitPicture], gates: Sequence[Gate], memory: Memory | None
) -> tuple[UnitPicture, ...]:
    """Return each unit as new where nothing blocks it, as it was where something does."""

    def blocked(key: str) -> bool:
        return any(gate.blocks and gate.concerns(key) for gate in gates)

    before = {unit.unit.key: unit for unit in memory.believed} if memory else {}
    believed = {key: unit for key, unit in before.items() if blocked(key)}
    believed |= {unit.unit.key: unit for unit in units if not blocked(unit.unit.key)}
    return tuple(believed.values())


def _broken_equity(units: Sequence[UnitPicture]) -> Iterator[_Doubt]:
    """Equity at or below zero is a zeroed answer more often than a wiped-out account.

    It is never acted upon, however often it is read: the same wrong answer twice confirms nothing, and an
    account that is truly wiped out is the venue's business by then. It alarms as the worst there is.
    """
    for unit in units:
        equity = unit.unit.margin_equity
        if equity is not None and equity <= 0 and unit.positions:
            yield _Doubt(
                reason=Reason.EQUITY_BROKEN,
                unit=unit.unit.key,
                weight=Weight.FAULT,
                wait=NEVER,
                detail=f"margin equity {money(equity)} with {len(unit.positions)} positions open",
            )


def _doubts(
    snapshot: AccountSnapshot,
    units: Sequence[UnitPicture],
    old_mode: AccountMode | None,
    old_units: Sequence[UnitPicture],
    confirmation: Confirmation,
) -> list[_Doubt]:
    """Return what in `units` cannot follow from `old_units`."""
    doubts = []
    mode = snapshot.mode
    if old_mode is not None and mode != old_mode:
        doubts.append(
            _Doubt(
                reason=Reason.MODE_CHANGED,
                unit=None,
                weight=Weight.FAULT,
                wait=confirmation.settled_after,
                detail=f"account mode was {old_mode.label}, is {mode.label}",
            )
        )
    if any(_holds_something(unit) for unit in old_units) and not any(map(_holds_something, units)):
        doubts.append(
            _Doubt(
                reason=Reason.EMPTIED,
                unit=None,
                weight=Weight.FAULT,
                wait=confirmation.empty_after,
                detail="balances and positions were there and are all zero or gone",
            )
        )
        return doubts
    new = {unit.unit.key: unit for unit in units}
    held = {(valued.position.symbol, valued.position.side) for unit in units for valued in unit.positions}
    owes = any(collateral.debt for collateral in snapshot.collaterals)
    for old in old_units:
        present = new.get(old.unit.key)
        gone = [p for p in old.positions if (p.position.symbol, p.position.side) not in held]
        if gone:
            doubts += _vanished(old, present, gone, all_gone=not held, owes=owes, confirmation=confirmation)
        if present is not None:
            doubts += _jumped(old, present, confirmation)
    return doubts


def _holds_something(unit: UnitPicture) -> bool:
    """Whether a unit has a position or any amount other than zero."""
    stated = unit.unit
    amounts = (
        stated.margin_equity,
        stated.wallet_balance,
        stated.initial_margin,
        stated.maintenance_margin,
    )
    return bool(unit.positions) or any(amounts)


def _vanished(
    old: UnitPicture,
    new: UnitPicture | None,
    gone: Sequence[ValuedPosition],
    *,
    all_gone: bool,
    owes: bool,
    confirmation: Confirmation,
) -> Iterator[_Doubt]:
    """A position that is really closed takes its margin with it.

    With the figures agreeing a second read is asked for only when nothing is left, or when the unit went with
    its position: an isolated one has no figure left to look at. Debt has a maintenance margin of its own.
    """
    names = ", ".join(f"{valued.position.symbol} {valued.position.side}" for valued in gone)
    wait: timedelta | None
    if new is None:
        weight, wait, words = Weight.DOUBT, confirmation.liquidation_after, "is gone with its unit"
    elif _margin_stayed(old, new, gone):
        weight, words = Weight.FAULT, "is gone and its margin is not"
        stands = bool(new.unit.maintenance_margin) and not new.positions
        wait = NEVER if stands and not owes else confirmation.settled_after
    elif all_gone:
        weight, wait, words = Weight.DOUBT, confirmation.liquidation_after, "is gone and nothing is left"
    else:
        return
    yield _Doubt(
        reason=Reason.POSITIONS_VANISHED,
        unit=old.unit.key,
        weight=weight,
        wait=wait,
        detail=f"{names} {words}",
    )


def _margin_stayed(old: UnitPicture, new: UnitPicture, gone: Sequence[ValuedPosition]) -> bool:
    """Whether the margin of what is gone is still in the unit's figure.

    The figure less the sum over the positions is what orders and debt need; vanished positions whose margin
    stayed make that part grow. A tenth of their margin is enough to tell, since part of them may have been
    closed in earnest just before. Where positions state no margin, the figure itself must have fallen.
    """
    for measure in (Measure.MAINTENANCE, Measure.UTILIZATION):
        before, after = old.margin(measure), new.margin(measure)
        if before is None or after is None:
            continue
        summed_before, summed_after = old.positions_margin(measure), new.positions_margin(measure)
        if summed_before is None or summed_after is None:
            return after >= before > 0
        lost = sum((valued.margin(measure) or ZERO for valued in gone), ZERO)
        grown = (after - summed_after) - (before - summed_before)
        return grown > max(lost * STAYED, after * NOISE)
    return False


def _jumped(old: UnitPicture, new: UnitPicture, confirmation: Confirmation) -> Iterator[_Doubt]:
    """A ratio that leaps without a cause is read again before it is believed, in either direction."""
    for measure in Measure:
        before, after = worst_ratio(old.usages(measure)), worst_ratio(new.usages(measure))
        if before is None or after is None or abs(_capped(after) - _capped(before)) <= JUMP:
            continue
        if _quantities(old) != _quantities(new):
            return
        expected = _ratio_by_prices(old, new, measure)
        if expected is not None and abs(_capped(after) - _capped(expected)) <= JUMP / 2:
            continue
        urgent = any(usage.reaches(confirmation.urgent(measure)) for usage in new.usages(measure))
        yield _Doubt(
            reason=Reason.JUMPED,
            unit=new.unit.key,
            weight=Weight.DOUBT,
            wait=timedelta(0) if urgent else confirmation.liquidation_after,
            detail=f"{measure} went from {percent(before)} to {percent(after)} without a cause",
        )
        return


def _capped(ratio: Decimal) -> Decimal:
    """A ratio, cut off where further differences mean nothing."""
    return min(ratio, SHOWN_JUMP_CEILING)


def _quantities(unit: UnitPicture) -> dict[PositionKey, Decimal]:
    """Every position's quantity: a change of it is a cause."""
    return {valued.position.key: valued.position.quantity for valued in unit.positions}


def _ratio_by_prices(old: UnitPicture, new: UnitPicture, measure: Measure) -> Decimal | None:
    """Return the ratio that the marks' moves alone would have made of the old one; `None`: cannot be said."""
    margin, equity = old.margin(measure), old.unit.margin_equity
    marks = {valued.position.key: valued.position.mark_price for valued in new.positions}
    if margin is None or equity is None:
        return None
    gained, before, after = ZERO, ZERO, ZERO
    for valued in old.positions:
        mark, moved_to = valued.position.mark_price, marks.get(valued.position.key)
        worth = valued.notional
        if not mark or not moved_to or worth is None:
            return None
        linear = valued.position.kind is ContractKind.LINEAR
        move = moved_to / mark - 1 if linear else 1 - mark / moved_to
        gained += direction(valued.position.side) * worth * move
        before += worth
        after += worth * moved_to / mark if linear else worth * mark / moved_to
    if before == 0:
        return None
    return Usage(used=margin * after / before, capacity=equity + gained).ratio
