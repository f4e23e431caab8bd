"""What holds one account's guard back from itself: its breakers, other hands, a possible twin.

Nothing of it is kept but in the journal, where every order of ours is, and in the pictures: after a restart
the same breakers are tripped again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.models import AccountId, AccountSnapshot, MarginMode, MarketRules, Side, Symbol
from brokers.numbers import ZERO
from brokers.orders import OpenOrder
from daemon.clock import Clock
from daemon.commonmode import CommonMode
from daemon.footing import Climb
from daemon.risk.breakers import SINGLE_STEP_EVERY, Conduct, Cut, Trip, may_step, slippage_rate, tripped
from daemon.risk.decision import Act, Advise
from daemon.risk.foreign import Key, reopened
from daemon.risk.policy import ReductionLimits
from daemon.risk.reason import Reason
from daemon.risk.standing import Alarm, Transition, TransitionKind
from daemon.sight import Sight
from database.ids import install_mark, install_of, is_own_order, plain_id
from database.journal import Journal
from database.records import Intent, IntentKind, IntentState

TOLD_EVERY_S = 30.0
"""Somebody who trades against us in every second is told of that often."""

TWIN_HOLD_S = 60.0
"""So long after an unknown order of ours was last seen nothing is sent; then it is looked for again."""

STOPS = (
    "stopped: cutting below LIQUIDATION; goes on: alarms, cancelling, top-ups and repayments, and at "
    "LIQUIDATION cutting, each step alarmed"
)

SLOWLY = f" and of one order or pair, {SINGLE_STEP_EVERY.total_seconds():g} s apart"

NEVER_THERE = frozenset({IntentState.REJECTED, IntentState.ABSENT, IntentState.ABANDONED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the decision is told: the tripped breakers, whether a single order may follow, a possible twin."""

    trips: tuple[Trip, ...] = ()
    may_step: bool = True
    twin: str = ""


class Restraint:
    """One account's breakers, as its cycles see them."""

    def __init__(
        self,
        account: AccountId,
        limits: ReductionLimits,
        common: CommonMode,
        *,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._account = account
        self._journal = journal
        self._clock = clock
        self._limits = limits
        self._common = common
        self._conduct = Conduct()
        self._trips: tuple[Trip, ...] = ()
        self._held: dict[Key, Decimal] | None = None
        self._filled: dict[Key, Decimal] = {}
        self._told: dict[Key, float] = {}
        self._twin = ""
        self._twin_until = float("-inf")

    def standing(self) -> Standing:
        """Return what a decision made now is told."""
        is_held = self._clock.uptime() < self._twin_until
        return Standing(
            trips=self._trips,
            may_step=may_step(self._conduct, self._clock.now()),
            twin=self._twin if is_held else "",
        )

    # ------------------------------------------------------------------ pictures

    def see(
        self, sight: Sight, alarm: Alarm, news: Iterable[Transition], *, is_settled: bool
    ) -> tuple[Transition, ...]:
        """Return what changed with a picture; `is_settled`: it holds all that our own orders did.

        `news` are the transitions that the picture brought about.
        """
        if sight.snapshot is None or sight.assessment is None:
            return ()
        if any(one.kind is TransitionKind.EPISODE_BEGAN for one in news):
            self._common.note(sight.snapshot.broker, self._clock.uptime())
        if alarm.episode is None:
            self._held = None
            self._conduct = Conduct()
            return tuple(self._change((), sight.assessment.fetched_at, None))
        episode, at = alarm.episode.number, sight.assessment.fetched_at
        self._conduct = self._conduct_in(episode, sight.snapshot)
        held = None
        if is_settled and sight.assessment.actionable:
            held = {position.key: position.quantity for position in sight.snapshot.positions}
        changes = [] if held is None else [*self._foreign(held, at, episode)]
        trips = tripped(self._conduct, held, self._limits, self._clock.now())
        return (*changes, *self._change(trips, at, episode))

    def _conduct_in(self, episode: int, snapshot: AccountSnapshot) -> Conduct:
        now = self._clock.now()
        count = self._journal.intents.count_orders_since
        sent = self._journal.intents.of_episode(self._account, episode)
        return Conduct(
            orders_last_minute=count(self._account, now - timedelta(minutes=1), until=now),
            orders_last_hour=count(self._account, now - timedelta(hours=1), until=now),
            cuts=tuple(
                _cut(intent, snapshot.markets)
                for intent in sent
                if intent.kind in {IntentKind.REDUCE, IntentKind.FLATTEN}
                and intent.state is not IntentState.ABANDONED
            ),
            breaching=self._common.breaching(self._clock.uptime()),
        )

    def _foreign(self, held: dict[Key, Decimal], at: datetime, episode: int) -> Iterator[Transition]:
        """Tell of positions that somebody else made larger since the last settled picture."""
        filled: dict[Key, Decimal] = {}
        for cut in self._conduct.cuts:
            filled[cut.key] = filled.get(cut.key, ZERO) + (cut.filled or ZERO)
        before, self._held = self._held, held
        since = {key: total - self._filled.get(key, ZERO) for key, total in filled.items()}
        self._filled = filled
        if before is None:
            return
        uptime = self._clock.uptime()
        for found in reopened(before, since, held):
            if uptime - self._told.get(found.key, float("-inf")) >= TOLD_EVERY_S:
                self._told[found.key] = uptime
                yield Transition(
                    kind=TransitionKind.REOPENED,
                    reason=Reason.REOPENED,
                    at=at,
                    episode=episode,
                    detail=found.sentence,
                )

    def _change(self, trips: tuple[Trip, ...], at: datetime, episode: int | None) -> Iterator[Transition]:
        """Tell which breakers have tripped and which no longer are."""
        before, after = {trip.reason for trip in self._trips}, {trip.reason for trip in trips}
        for trip in trips:
            if trip.reason not in before:
                yield Transition(
                    kind=TransitionKind.BREAKER_TRIPPED,
                    reason=trip.reason,
                    at=at,
                    episode=episode,
                    detail=f"{trip.detail}; {STOPS}{SLOWLY if trip.slows else ''}",
                )
        for reason in sorted(before - after):
            yield Transition(kind=TransitionKind.BREAKER_RESET, reason=reason, at=at, episode=episode)
        self._trips = trips

    # ------------------------------------------------------------------ orders

    def saw_orders(self, orders: Sequence[OpenOrder], at: datetime) -> tuple[Transition, ...]:
        """Return what open orders tell: one that carries our tag and is in no journal of ours is a twin's."""
        unknown = [
            order
            for order in orders
            if is_own_order(order.client_order_id)
            and self._journal.intents.get(plain_id(order.client_order_id)) is None
        ]
        if not unknown:
            return ()
        was_held = self._clock.uptime() < self._twin_until
        self._twin_until = self._clock.uptime() + TWIN_HOLD_S
        same = any(install_of(o.client_order_id) == install_mark(self._install) for o in unknown)
        who = "a copy of this install" if same else "another install of margind"
        names = ", ".join(f"{order.side} {order.symbol} {order.order_id}" for order in unknown)
        self._twin = f"{len(unknown)} open order(s) of {who} that this journal does not know: {names}"
        if was_held:
            return ()
        told = Transition(
            kind=TransitionKind.TWIN_SUSPECTED,
            reason=Reason.UNKNOWN_OWN_ORDER,
            at=at,
            detail=f"{self._twin}; stopped: everything that writes; goes on: alarms",
        )
        return (told,)

    @property
    def _install(self) -> str:
        return self._journal.install.install_id


def step_alarm(decision: Act | Advise, climb: Climb, at: datetime, episode: int) -> tuple[Transition, ...]:
    """Return the alarm that a step despite a breaker gives; none for any other step."""
    if not isinstance(decision, Act) or decision.despite is None or not climb.sent:
        return ()
    alarm = Transition(
        kind=TransitionKind.STEP_DESPITE_BREAKER,
        reason=decision.despite,
        at=at,
        unit=decision.facts.unit,
        episode=episode or None,
        detail=climb.sentence,
    )
    return (alarm,)


def _cut(intent: Intent, markets: Mapping[Symbol, MarketRules]) -> Cut:
    """Return an order of ours as the breakers look at it."""
    return Cut(
        key=(Symbol(intent.symbol), Side(intent.side), MarginMode(intent.margin_mode)),
        at=intent.created_at,
        before=intent.quantity_before,
        filled=intent.filled,
        took_hold=intent.state not in NEVER_THERE and intent.filled != 0,
        slippage=_slippage(intent, markets.get(Symbol(intent.symbol))),
    )


def _slippage(intent: Intent, rules: MarketRules | None) -> Decimal | None:
    if rules is None or intent.slippage is None or not intent.filled or not intent.average_price:
        return None
    return slippage_rate(
        rules.kind,
        Side(intent.side),
        cost=intent.slippage,
        filled=intent.filled,
        contract_size=rules.contract_size,
        average_price=intent.average_price,
    )
