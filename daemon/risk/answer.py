"""One cycle's answer, and what the daemon must tell to get it. `decision.py` gives it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from brokers.models import Measure
from brokers.orders import OpenOrder
from daemon.risk.breakers import Trip
from daemon.risk.figures import money, percent
from daemon.risk.policy import Action, Level, level_word
from daemon.risk.reason import Reason


class RungState(StrEnum):
    """What became of a rung."""

    EXHAUSTED = "exhausted"  # it has nothing more to give
    FAILED = "failed"  # it was refused or had no effect; the next rung is due


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One rung that is over for `unit`, and why.

    An infeasible plan is over for its own picture only: the next one may be feasible, and is planned anew.
    """

    unit: str
    action: Action
    state: RungState
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenLimit:
    """A limit that was broken and holds, whatever the level.

    Risk-increasing orders are cancelled as they are found, with `flatten` the unit's positions are closed,
    too. `detail` holds the figures for people.
    """

    reason: Reason
    flatten: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the daemon knows beside the picture: its journal, its budgets, its operator.

    `unsettled`: a write has no final verdict yet. `cancellable_orders` counts resting orders that may raise
    risk, `None` when nobody has looked in this step. `funds` is what may be moved in, in the unit's currency;
    `None`: unknown, or not wanted. `can_repay`: the venue has a call that gives back debt. `steps` are the
    reducing steps that each unit has taken in this episode, by key; one that is not named has taken none.
    `flattening` names units whose flatten is latched. `ordered` is an operator's command for `ordered_unit`
    (`None`: every unit); `proposed` is what waits for approval, `approved` what an operator allowed, each by
    action and scope: a unit, or a bound by its key. `trims_last_hour` counts the orders that only kept a
    bound. `orders` are the resting ones that are not protective, `None` when nobody has looked; `closing`
    names the bounds whose positions are being closed, latched; `orders_last_minute` counts all that cut.
    `trips` are tripped breakers, `may_step` says whether a single order may follow despite them; `twin` is
    why another margind may be here. `broken` are the limits that were broken, by unit.
    """

    halted: bool = False
    unsettled: bool = False
    rungs: tuple[Rung, ...] = ()
    cancellable_orders: int | None = None
    funds: Decimal | None = None
    top_ups_in_episode: int = 0
    can_repay: bool = False
    repayments_in_episode: int = 0
    steps: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    episodes_last_hour: int = 0
    flattening: frozenset[str] = frozenset()
    ordered: Action | None = None
    ordered_unit: str | None = None
    proposed: frozenset[tuple[Action, str]] = frozenset()
    approved: frozenset[tuple[Action, str]] = frozenset()
    broken: Mapping[str, BrokenLimit] = field(default_factory=lambda: MappingProxyType({}))
    trims_last_hour: int = 0
    orders_last_minute: int = 0
    orders: tuple[OpenOrder, ...] | None = None
    closing: frozenset[str] = frozenset()
    trips: tuple[Trip, ...] = ()
    may_step: bool = True
    twin: str = ""

    def waits(self, advise: "Advise") -> bool:
        """Whether a plan for it waits for approval already."""
        return (advise.action, advise.scope) in self.proposed

    def allows(self, action: Action, scope: str) -> bool:
        """Whether an operator approved `action` on a unit, or for a bound by its key."""
        return (action, scope) in self.approved

    def over(self, unit: str, action: Action) -> Rung | None:
        """Return the rung of `unit`, or of a bound by its key, for `action` if it is over."""
        return next((rung for rung in self.rungs if rung.unit == unit and rung.action is action), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The numbers behind a decision.

    `level` `None`: nothing has been seen yet. `threshold` is what `ratio` is held against: that of a level,
    or with `is_target` the target.
    """

    unit: str | None = None
    level: Level | None = None
    measure: Measure | None = None
    ratio: Decimal | None = None
    threshold: Decimal | None = None
    is_target: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Do nothing. `instead_of` is what would have been done, had `reason` not stood against it."""

    reason: Reason
    facts: Facts
    instead_of: Action | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """Read again after `after` (zero: at once) before anything is done."""

    reason: Reason
    facts: Facts
    after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Advise:
    """Journal what would be done and wait for an operator's approval; fields as of `Act`."""

    action: Action
    reason: Reason
    facts: Facts
    amount: Decimal | None = None
    bound: str | None = None

    @property
    def scope(self) -> str:
        """What its rung is remembered by: the bound it keeps, else its unit."""
        return self.bound or self.facts.unit or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Do `action` on the unit of `facts`. `amount`: what to move in, in the unit's currency (TOP_UP only).

    `bound` is the key of a load that is to be brought back within its bound, `None` for what margin asks.
    FLATTEN is to be latched by the caller: it goes on until a good picture shows the unit flat. `despite`: a
    breaker is tripped, and the step is alarmed; `single`: it may only be one order, or one pair of a hedge.
    """

    action: Action
    reason: Reason
    facts: Facts
    amount: Decimal | None = None
    despite: Reason | None = None
    single: bool = False
    bound: str | None = None

    @property
    def scope(self) -> str:
        """What its rung is remembered by: the bound it keeps, else its unit."""
        return self.bound or self.facts.unit or ""


Decision = Hold | Confirm | Advise | Act
"""One cycle's answer."""


def sentence(decision: Decision) -> str:
    """Return `decision` as one line for people, numbers included."""
    facts = decision.facts
    parts = [f"{_verb(decision)} ({decision.reason})", f"level {level_word(facts.level)}"]
    if facts.unit is not None:
        parts.append(f"unit {facts.unit}")
    if facts.measure is not None:
        parts.append(f"{facts.measure} {percent(facts.ratio) if facts.ratio is not None else 'unknown'}")
        if facts.threshold is not None:
            parts.append(f"{'target' if facts.is_target else 'threshold'} {percent(facts.threshold)}")
    if isinstance(decision, Act | Advise) and decision.amount is not None:
        parts.append(f"amount {money(decision.amount)}")
    if facts.detail:
        parts.append(facts.detail)
    return ", ".join(parts)


def _verb(decision: Decision) -> str:
    """Return what is done, in a word or two."""
    match decision:
        case Hold(instead_of=None):
            return "hold"
        case Hold():
            return f"hold {decision.instead_of}"
        case Confirm():
            return f"confirm after {decision.after.total_seconds():g} s"
        case Advise():
            return f"advise {decision.action}"
        case Act():
            return f"act {decision.action}"
