"""What an account's rungs have given in the running episode, so that the next is due when they give no more.

The memory is not durable and need not be: after a restart a rung is tried once more, and a rung never opens
anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from daemon.risk.decision import Rung, RungState
from daemon.risk.policy import Action
from daemon.risk.reason import Reason
from daemon.risk.reduction import PositionKey
from database.records import Intent, IntentState

REFUSALS_FREE = 1
"""The first refusal of a position costs nothing: the next step's price is wider."""

MISSES_FREE = 4
"""So many orders in a row may fill nothing; by then one of them went to market."""

LONGEST_REST_S = 5.0
"""Short: when a dead book comes back to life, an account in danger must not sleep through it."""

CANCEL_ROUNDS = 3
"""Who places orders again as often as they are cancelled is not chased any further."""

CANCELS_IN_VAIN_FREE = 2
SLOW_CANCEL_S = 1.0
LONGEST_CANCEL_REST_S = 15.0
"""A venue that cancels nothing must not keep the next rung waiting: so many quick failures in a row may be
repeated at once, a slow one may not; then cancelling rests 2, 4, 8, ... seconds."""

FAILURES_TOLD = 3
"""From so many on an operator must know that relief does not work."""


@dataclass(frozen=True, slots=True)
class Rest:
    """How often in a row a position's orders came to nothing, and until when it is left alone."""

    refusals: int = 0
    misses: int = 0
    until: float = 0.0


@dataclass(slots=True)
class RungMemory:
    """What the rungs have given; `passing` holds for the present picture only.

    `tries` counts a unit's steps and widens its limit prices, `steps` only those that filled something.
    """

    over: dict[tuple[str, Action], Rung] = field(default_factory=dict)
    passing: dict[tuple[str, Action], Rung] = field(default_factory=dict)
    cancel_rounds: int = 0
    cancels_in_vain: int = 0
    cancel_rests: int = 0
    cancel_again_at: float = 0.0
    top_ups: int = 0
    repay_again_at: float = 0.0
    tries: dict[str, int] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    rests: dict[PositionKey, Rest] = field(default_factory=dict)
    objections: frozenset[Reason] = frozenset()

    def finish(self, unit: str, action: Action, state: RungState, reason: Reason) -> None:
        """Remember that a rung has no more to give to `unit`."""
        self.over[unit, action] = Rung(unit=unit, action=action, state=state, reason=reason)

    def pass_by(self, unit: str, action: Action, reason: Reason) -> None:
        """Remember that a rung has nothing to give to `unit` as it looks now."""
        rung = Rung(unit=unit, action=action, state=RungState.EXHAUSTED, reason=reason)
        self.passing[unit, action] = rung

    def next_picture(self, uptime: float) -> None:
        """Forget what held for the last picture only, and a rest from cancelling that is over."""
        self.passing.clear()
        if uptime >= self.cancel_again_at and self.cancel_rounds < CANCEL_ROUNDS:
            for key in [key for key in self.over if key[1] is Action.CANCEL_ORDERS]:
                del self.over[key]

    def calm(self) -> None:
        """Forget what the margin's rungs have given; what keeps a bound goes on."""
        self.cancel_rounds = self.top_ups = 0
        self.over.clear()
        self.steps.clear()

    def may_cancel(self, uptime: float) -> bool:
        """Whether the open orders are worth a look."""
        return self.cancel_rounds < CANCEL_ROUNDS and self.is_awake(uptime)

    def is_awake(self, uptime: float) -> bool:
        """Whether cancelling does not rest from failing."""
        return uptime >= self.cancel_again_at

    def count_cancel(self, unit: str, *, is_done: bool, took_s: float, uptime: float) -> None:
        """Remember a round of cancellations; `is_done`: the venue has confirmed every one."""
        if is_done:
            self.cancels_in_vain = self.cancel_rests = 0
            self.cancel_rounds += 1
            if self.cancel_rounds >= CANCEL_ROUNDS:
                self.finish(unit, Action.CANCEL_ORDERS, RungState.EXHAUSTED, Reason.ORDERS_COME_BACK)
            return
        self.cancels_in_vain += 1
        if self.cancels_in_vain > CANCELS_IN_VAIN_FREE or took_s >= SLOW_CANCEL_S:
            self.cancel_rests += 1
            self.cancel_again_at = uptime + min(2.0**self.cancel_rests, LONGEST_CANCEL_REST_S)
            self.finish(unit, Action.CANCEL_ORDERS, RungState.FAILED, Reason.CANCELS_FAIL)

    def count_step(
        self, unit: str, outcomes: Mapping[PositionKey, Intent], uptime: float, *, is_slice: bool = False
    ) -> None:
        """Remember what a step's orders came to, abandoned ones left out.

        The slices of a hedge are many and small: one that filled whole is no step, and widens no price.

        A position whose orders are refused, or fill nothing, again and again rests 2, 4, 8, ... seconds, so
        that others get their turn.
        """
        if not is_slice or any(intent.filled != intent.quantity for intent in outcomes.values()):
            self.tries[unit] = self.tries.get(unit, 0) + 1
            if any(intent.filled for intent in outcomes.values()):
                self.steps[unit] = self.steps.get(unit, 0) + 1
        for position, intent in outcomes.items():
            self._note(position, intent, uptime)

    def _note(self, position: PositionKey, intent: Intent, uptime: float) -> None:
        if (intent.filled or Decimal(0)) > 0:
            self.rests.pop(position, None)
            return
        before = self.rests.get(position, Rest())
        refused = intent.state is IntentState.REJECTED
        refusals, misses = before.refusals + refused, before.misses + (not refused)
        excess = max(refusals - REFUSALS_FREE, misses - MISSES_FREE, 0)
        until = uptime + min(2.0**excess, LONGEST_REST_S) if excess else 0.0
        self.rests[position] = Rest(refusals=refusals, misses=misses, until=until)

    def failing(self) -> dict[PositionKey, int]:
        """Return how many orders in a row came to nothing, by position, once it is more than a miss."""
        return {
            key: rest.refusals + rest.misses
            for key, rest in self.rests.items()
            if rest.refusals + rest.misses >= FAILURES_TOLD
        }

    def resting(self, uptime: float) -> frozenset[PositionKey]:
        """Return the positions that are not to be tried now."""
        return frozenset(key for key, rest in self.rests.items() if rest.until > uptime)

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """The rungs that are over."""
        return (*self.over.values(), *self.passing.values())
