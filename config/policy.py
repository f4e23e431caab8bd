"""When margind worries, and what it may then do: two ladders, their targets, the actions of each level."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from config.scalars import Amount, Currency, Threshold, Word
from config.section import Complaint, Section, refuse


class Action(StrEnum):
    """What margind may do, from the mildest to the harshest."""

    CANCEL_ORDERS = "cancel_orders"  # risk-increasing orders only; protective ones stay
    TOP_UP = "top_up"  # collateral from the same venue's funding wallet, within `top_up`
    REPAY = "repay"  # what is owed, out of that currency's own free balance; nothing is sold for it
    REDUCE = "reduce"  # cut positions by `strategy`, down to the target
    FLATTEN = "flatten"  # close what is left, latched until the venue confirms flat


class Strategy(StrEnum):
    """Which positions `reduce` cuts first."""

    CHEAPEST_RELIEF = "cheapest_relief"  # the set of cuts that reaches the target at the least cost
    LARGEST_MARGIN = "largest_margin"  # what frees the most margin first
    WORST_PNL = "worst_pnl"  # the largest unrealized loss first
    PRO_RATA = "pro_rata"  # the same part of everything


ActionList = tuple[Word[Action], ...]
LEVELS = ("warning", "critical", "liquidation")
RELIEVING = frozenset({Action.TOP_UP, Action.REPAY, Action.REDUCE, Action.FLATTEN})


class Ladder(Section):
    """The measure's value at which each level starts."""

    warning: Threshold
    critical: Threshold
    liquidation: Threshold

    @model_validator(mode="after")
    def _rises(self) -> Self:
        refuse(
            self._inversion(lower, upper)
            for lower, upper in (LEVELS[:2], LEVELS[1:])
            if not getattr(self, lower) < getattr(self, upper)
        )
        return self

    def _inversion(self, lower: str, upper: str) -> Complaint:
        hint = "a ladder rises: warning < critical < liquidation < 1"
        if lower in self.model_fields_set and upper not in self.model_fields_set:
            what = f"is not below {upper}, {getattr(self, upper)} by default"
            return Complaint(path=(lower,), what=what, hint=hint)
        return Complaint(path=(upper,), what=f"is not above {lower}", hint=hint)

    @property
    def narrowest_step(self) -> Decimal:
        """The smallest distance between a level and the one below it."""
        return min(self.warning, self.critical - self.warning, self.liquidation - self.critical)


class UtilizationLadder(Ladder):
    """Of initial margin used / (initial margin used + available margin)."""

    warning: Threshold = Decimal("0.70")
    critical: Threshold = Decimal("0.80")
    liquidation: Threshold = Decimal("0.90")


class MaintenanceLadder(Ladder):
    """Of the venue's own distance to forced liquidation; 1 = the venue liquidates."""

    warning: Threshold = Decimal("0.50")
    critical: Threshold = Decimal("0.65")
    liquidation: Threshold = Decimal("0.80")


class Targets(Section):
    """Where relief stops, per measure."""

    utilization: Threshold = Decimal("0.60")
    maintenance: Threshold = Decimal("0.40")


class Actions(Section):
    """What is done at each level, mildest first; a worse level never stops at a milder action."""

    warning: ActionList = ()
    critical: ActionList = (Action.CANCEL_ORDERS,)
    liquidation: ActionList = tuple(Action)

    @model_validator(mode="after")
    def _escalates(self) -> Self:
        complaints = []
        order = list(Action)
        for level in LEVELS:
            chosen = [order.index(action) for action in getattr(self, level)]
            if chosen != sorted(set(chosen)):
                what = "repeats an action or is out of order"
                hint = "mildest first, each once: " + ", ".join(order)
                complaints.append(Complaint(path=(level,), what=what, hint=hint))
            if Action.FLATTEN in getattr(self, level) and level != LEVELS[-1]:
                hint = "flatten belongs to liquidation; reduce is as far as this level goes"
                complaints.append(Complaint(path=(level,), what="holds flatten", hint=hint))
        for lower, upper in (LEVELS[:2], LEVELS[1:]):
            if self._harshest(upper) < self._harshest(lower):
                what, hint = f"goes less far than {lower}", "a worse level never does less"
                complaints.append(Complaint(path=(upper,), what=what, hint=hint))
        refuse(complaints)
        return self

    def _harshest(self, level: str) -> int:
        return max((list(Action).index(action) for action in getattr(self, level)), default=-1)

    def first_relief(self) -> str:
        """Return the mildest level that does more than cancel; `liquidation` if none does."""
        return next((level for level in LEVELS if RELIEVING & set(getattr(self, level))), LEVELS[-1])


class PolicySettings(Section):
    """How one account is judged and protected. A level ends `hysteresis` below its threshold."""

    utilization: UtilizationLadder = UtilizationLadder()
    maintenance: MaintenanceLadder = MaintenanceLadder()
    target: Targets = Targets()
    hysteresis: Threshold = Decimal("0.03")
    actions: Actions = Actions()
    strategy: Word[Strategy] = Strategy.CHEAPEST_RELIEF

    @model_validator(mode="after")
    def _leaves_room(self) -> Self:
        refuse([*self._tight_hysteresis(), *self._high_targets()])
        return self

    def _tight_hysteresis(self) -> Iterator[Complaint]:
        for measure in ("utilization", "maintenance"):
            step = getattr(self, measure).narrowest_step
            if self.hysteresis >= step:
                what = f"is not below {step}, the narrowest step of policy.{measure}"
                hint = "a level must end above the start of the one below it"
                yield Complaint(path=("hysteresis",), what=what, hint=hint)

    def _high_targets(self) -> Iterator[Complaint]:
        level = self.actions.first_relief()
        for measure in ("utilization", "maintenance"):
            trigger = getattr(getattr(self, measure), level)
            if getattr(self.target, measure) + self.hysteresis >= trigger:
                what = f"plus hysteresis is not below {trigger}, the {level} threshold where relief starts"
                hint = "relief must end clearly below its trigger, or it starts again at once"
                yield Complaint(path=("target", measure), what=what, hint=hint)


class Breach(StrEnum):
    """What follows a day's loss beyond its limit."""

    ALARM = "alarm"
    CANCEL = "cancel"  # orders that would increase risk, as often as any are found
    FLATTEN = "flatten"  # ... and every position of the unit


class DailyLossSettings(Section):
    """What a risk unit may lose in a UTC day; without share and amount there is no limit."""

    share: Threshold | None = None  # of what the day began with
    amount: Mapping[Currency, Amount] = Field(default_factory=dict)
    action: Word[Breach] = Breach.ALARM

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.action is not Breach.ALARM and self.share is None and not self.amount:
            hint = "add share or amount, or remove it"
            refuse([Complaint(path=("action",), what="has no limit to follow from", hint=hint)])
        return self


class LadderOverride(Section):
    """The thresholds an account has of its own."""

    warning: Threshold | None = None
    critical: Threshold | None = None
    liquidation: Threshold | None = None


class TargetsOverride(Section):
    """The targets an account has of its own."""

    utilization: Threshold | None = None
    maintenance: Threshold | None = None


class ActionsOverride(Section):
    """The actions an account has of its own; a level's list replaces the general one."""

    warning: ActionList | None = None
    critical: ActionList | None = None
    liquidation: ActionList | None = None


class PolicyOverride(Section):
    """What an account has of its own; every value left out comes from the general policy."""

    utilization: LadderOverride | None = None
    maintenance: LadderOverride | None = None
    target: TargetsOverride | None = None
    hysteresis: Threshold | None = None
    actions: ActionsOverride | None = None
    strategy: Word[Strategy] | None = None
