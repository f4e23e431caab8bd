"""What the operator wants judged and done: thresholds, targets, actions and limits, validated once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from types import MappingProxyType

from brokers.models import Measure
from brokers.numbers import ONE, ZERO
from daemon.risk.advice import Advice
from daemon.risk.daily_loss import DailyLoss
from daemon.risk.exposure import NO_LIMITS, ExposureLimits
from daemon.risk.strategy import Strategy


class Level(IntEnum):
    """How bad it is; ordered."""

    SAFE = 0
    WARNING = 1
    CRITICAL = 2
    LIQUIDATION = 3

    @property
    def label(self) -> str:
        """The word used in configuration, logs and metrics."""
        return self.name.lower()


def level_word(level: Level | None) -> str:
    """Return the level in a word; `None` (nothing was ever seen) is `unknown`, never `safe`."""
    return "unknown" if level is None else level.label


class Mode(IntEnum):
    """How much margind may do; of two modes the smaller wins (`min`)."""

    OBSERVE = 0  # alarm only
    ADVISE = 1  # journal the plan and wait for an operator's approval
    ENFORCE = 2  # act

    @property
    def label(self) -> str:
        """The word used in configuration, logs and metrics."""
        return self.name.lower()


class Action(StrEnum):
    """The rungs of the action ladder, mildest first."""

    CANCEL_ORDERS = "cancel_orders"
    TOP_UP = "top_up"
    REPAY = "repay"
    REDUCE = "reduce"
    FLATTEN = "flatten"


DELEVERING = frozenset({Action.TOP_UP, Action.REPAY, Action.REDUCE, Action.FLATTEN})
"""Actions that change equity, debt or positions: they run inside an episode, down to the target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The thresholds of one measure, as fractions of 1."""

    warning: Decimal
    critical: Decimal
    liquidation: Decimal

    def __post_init__(self) -> None:
        """Refuse thresholds that do not rise strictly between 0 and 1."""
        if not ZERO < self.warning < self.critical < self.liquidation < ONE:
            raise ValueError(
                "thresholds must rise strictly between 0 and 1: "
                f"warning {self.warning}, critical {self.critical}, liquidation {self.liquidation}",
            )

    def threshold(self, level: Level) -> Decimal:
        """Return where `level` starts; zero for SAFE."""
        return dict(self.rungs).get(level, ZERO)

    @property
    def rungs(self) -> tuple[tuple[Level, Decimal], ...]:
        """Each level above SAFE with its threshold, worst first."""
        return (
            (Level.LIQUIDATION, self.liquidation),
            (Level.CRITICAL, self.critical),
            (Level.WARNING, self.warning),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """How often and how far apart something is seen before it is acted upon.

    Two samples at CRITICAL lie at least `critical_after` apart, two at LIQUIDATION `liquidation_after`; where
    a measure has reached its urgent ratio the second read follows at once. A picture that lost positions or
    changed its mode is believed after `settled_after`, an entirely empty one after `empty_after`; equity at
    or below zero never is.
    """

    critical_after: timedelta = timedelta(seconds=1)
    liquidation_after: timedelta = timedelta(milliseconds=400)
    urgent_utilization: Decimal = Decimal("0.97")
    urgent_maintenance: Decimal = Decimal("0.90")
    settled_after: timedelta = timedelta(seconds=10)
    empty_after: timedelta = timedelta(seconds=60)

    def __post_init__(self) -> None:
        """Refuse negative waits and urgent ratios outside (0, 1]."""
        waits = (self.critical_after, self.liquidation_after, self.settled_after)
        if min(*waits, self.empty_after) < timedelta(0):
            raise ValueError("a confirmation cannot wait a negative time")
        if not (ZERO < self.urgent_utilization <= ONE and ZERO < self.urgent_maintenance <= ONE):
            raise ValueError("urgent ratios must lie in (0, 1]")

    def urgent(self, measure: Measure) -> Decimal:
        """Return the ratio of `measure` from which the second read follows at once."""
        return self.urgent_utilization if measure is Measure.UTILIZATION else self.urgent_maintenance


@dataclass(frozen=True, slots=True, kw_only=True)
class ReductionLimits:
    """How hard and how often margind may cut.

    `strategy` says which positions go first. `step_fraction` is the part of a position one order may take.
    Limit prices start at `slippage` off the mark and move out by as much again with each step, up to
    `max_slippage`; every `market_every`-th step (0: never) and urgent ones go to market. What an order is
    reckoned to cost is not that bound but the taker fee `fee_rate` and the `expected_slippage`, both per
    notional. `common_mode_venues` (0: never) that breach at once trip a breaker.
    """

    strategy: Strategy = Strategy.CHEAPEST_RELIEF
    step_fraction: Decimal = Decimal("0.5")
    positions_per_step: int = 3
    orders_per_minute: int = 30
    orders_per_hour: int = 360
    orders_per_episode: int = 120
    common_mode_venues: int = 3
    steps_per_episode: int = 40
    episodes_per_hour: int = 12
    top_ups_per_episode: int = 2
    repayments_per_episode: int = 5
    slippage: Decimal = Decimal("0.005")
    max_slippage: Decimal = Decimal("0.03")
    fee_rate: Decimal = Decimal("0.0006")
    expected_slippage: Decimal = Decimal("0.0005")
    market_every: int = 4

    def __post_init__(self) -> None:
        """Refuse limits under which nothing could ever be done, or anything could."""
        if not ZERO < self.step_fraction <= ONE:
            raise ValueError(f"step fraction must lie in (0, 1], not {self.step_fraction}")
        counts = (self.positions_per_step, self.orders_per_minute, self.steps_per_episode)
        if min(*counts, self.episodes_per_hour) < 1:
            raise ValueError("positions, orders, steps and episodes must each be allowed at least once")
        if min(self.top_ups_per_episode, self.repayments_per_episode, self.market_every) < 0:
            raise ValueError("top-ups and repayments per episode and market_every cannot be negative")
        if self.common_mode_venues < 0 or self.common_mode_venues == 1:
            raise ValueError("common mode takes two venues at least, or none: 0 for never")
        if not ZERO < self.slippage <= self.max_slippage < ONE:
            raise ValueError(f"slippage {self.slippage} must be above 0 and within {self.max_slippage} < 1")
        budgets = (self.orders_per_minute, self.orders_per_hour, self.orders_per_episode)
        if min(budgets) < self.positions_per_step:
            raise ValueError("every budget of orders must allow for the positions of one step")
        if min(self.fee_rate, self.expected_slippage) < 0 or self.cost_rate >= ONE:
            raise ValueError(
                f"fee rate {self.fee_rate} and expected slippage {self.expected_slippage} make no cost"
            )

    def slippage_at(self, step: int) -> Decimal:
        """Return how far off the mark step number `step` (from 0) of an episode may go."""
        return min(self.slippage * (max(step, 0) + 1), self.max_slippage)

    @property
    def cost_rate(self) -> Decimal:
        """The equity that cutting one unit of notional is reckoned to cost: fee + expected slippage."""
        return self.fee_rate + self.expected_slippage

    def is_market_step(self, step: int) -> bool:
        """Whether step number `step` (from 0) goes to market."""
        return self.market_every > 0 and (step + 1) % self.market_every == 0


DEFAULT_ACTIONS: Mapping[Level, tuple[Action, ...]] = MappingProxyType(
    {
        Level.WARNING: (),
        Level.CRITICAL: (Action.CANCEL_ORDERS,),
        Level.LIQUIDATION: tuple(Action),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginPolicy:
    """Everything `daemon.risk` needs to know of the operator's will for one account.

    A level starts at its threshold and ends below threshold minus `hysteresis`; de-levering starts at
    LIQUIDATION and stops at the target. Data older than `act_max_age` is not acted upon; older than
    `alarm_max_age` leaves the account unprotected. `max_spread` bounds `fetched_at - as_of`, which holds the
    network's latency beside the time between the parts: no less than `act_max_age`, or a venue that answers
    slowly, and fast enough to be acted upon, is only ever watched. How far apart parts came, adapters say.
    `forecast_window` is how much history says when a level may be reached; CRITICAL or worse within
    `forecast_lead` is alarmed, with a lead of zero never. `lower_leverage`: a venue's leverage setting above
    `max_leverage` is lowered where that is harmless.
    """

    utilization: Ladder = Ladder(
        warning=Decimal("0.70"), critical=Decimal("0.80"), liquidation=Decimal("0.90")
    )
    maintenance: Ladder = Ladder(
        warning=Decimal("0.50"), critical=Decimal("0.65"), liquidation=Decimal("0.80")
    )
    target_utilization: Decimal = Decimal("0.60")
    target_maintenance: Decimal = Decimal("0.40")
    hysteresis: Decimal = Decimal("0.03")
    actions: Mapping[Level, tuple[Action, ...]] = field(default_factory=lambda: DEFAULT_ACTIONS)
    max_leverage: Decimal | None = None
    exposure: ExposureLimits = NO_LIMITS
    poll_interval: timedelta = timedelta(seconds=2)
    act_max_age: timedelta = timedelta(seconds=5)
    alarm_max_age: timedelta = timedelta(seconds=15)
    max_spread: timedelta = timedelta(seconds=5)
    forecast_window: timedelta = timedelta(minutes=15)
    forecast_lead: timedelta = timedelta(minutes=5)
    confirmation: Confirmation = Confirmation()
    limits: ReductionLimits = ReductionLimits()
    advice: Advice = field(default_factory=Advice)
    daily_loss: DailyLoss | None = None
    lower_leverage: bool = False

    def __post_init__(self) -> None:
        """Refuse a policy that contradicts itself."""
        for measure in Measure:
            self._check_measure(measure)
        if self.max_leverage is not None and self.max_leverage <= 0:
            raise ValueError(f"max leverage must be positive, not {self.max_leverage}")
        ages = (self.poll_interval, self.max_spread, self.act_max_age)
        if min(ages) <= timedelta(0) or self.alarm_max_age < self.act_max_age:
            raise ValueError("ages must be positive, and alarm_max_age no shorter than act_max_age")
        if self.forecast_window <= timedelta(0) or self.forecast_lead < timedelta(0):
            raise ValueError("a forecast needs a positive window, and its lead cannot be negative")
        self._check_actions()

    def _check_measure(self, measure: Measure) -> None:
        ladder, target = self.ladder(measure), self.target(measure)
        if not ZERO <= self.hysteresis < ladder.warning:
            raise ValueError(f"{measure}: hysteresis {self.hysteresis} must lie in [0, {ladder.warning})")
        begins_at = ladder.threshold(self.delevering_level or Level.LIQUIDATION)
        if not ZERO < target < begins_at - self.hysteresis:
            raise ValueError(
                f"{measure}: target {target} must lie above 0 and below {begins_at - self.hysteresis}, "
                "where the level that de-levers ends",
            )

    def _check_actions(self) -> None:
        if Level.SAFE in self.actions:
            raise ValueError("the safe level has no actions")
        order = tuple(Action)
        for level, actions in self.actions.items():
            if list(actions) != sorted(set(actions), key=order.index):
                raise ValueError(f"{level.label}: each action once, in the order {', '.join(order)}")
            if Action.FLATTEN in actions and level is not Level.LIQUIDATION:
                raise ValueError(f"{level.label}: flatten belongs to the liquidation level only")

    def ladder(self, measure: Measure) -> Ladder:
        """Return the thresholds of `measure`."""
        return self.utilization if measure is Measure.UTILIZATION else self.maintenance

    def target(self, measure: Measure) -> Decimal:
        """Return the ratio of `measure` at which de-levering stops."""
        return self.target_utilization if measure is Measure.UTILIZATION else self.target_maintenance

    def actions_at(self, level: Level) -> tuple[Action, ...]:
        """Return the rungs for `level`, mildest first; none where none are configured."""
        return self.actions.get(level, ())

    @property
    def delevering_level(self) -> Level | None:
        """The lowest level with a de-levering action: an episode begins there. `None`: no level has one."""
        levels = (level for level, actions in self.actions.items() if DELEVERING.intersection(actions))
        return min(levels, default=None)
