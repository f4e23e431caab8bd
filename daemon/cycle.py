"""One poll cycle of one account, from the first look to the last record.

    settle -> look -> advance -> decide -> (look again -> advance -> decide) -> climb a rung -> publish

One snapshot, one decision, one outcome. Only the confirming read asks the venue a second time, and from it
the order is sized. What a cycle learned is committed with what it is about to do, before it does it; a cycle
that does nothing commits only when something changed.
"""

from brokers.errors import BrokerError
from brokers.models import AccountId
from daemon.bounds import Bounds
from daemon.briefing import Briefing
from daemon.clock import Clock
from daemon.clockwatch import ClockWatch
from daemon.commonmode import CommonMode
from daemon.daybook import Daybook
from daemon.deadman import DeadMan
from daemon.diary import log_transitions
from daemon.execution import Execution
from daemon.flatten import latched_units
from daemon.footing import Climb, Footing
from daemon.foresight import Foresight
from daemon.guarded import Guarded
from daemon.hedging import HedgeDesk, is_pressing, means_of
from daemon.ladder import Ladder
from daemon.leverage import LeverageKeeper
from daemon.mandate import Mandate
from daemon.memory import RungMemory
from daemon.notebook import Notebook
from daemon.pace import next_look_s
from daemon.proposals import Proposals
from daemon.provision import Provided, Provision
from daemon.restraint import Restraint, step_alarm
from daemon.risk.alarm import advance
from daemon.risk.assessment import Assessment, Protection
from daemon.risk.decision import Act, Advise, Confirm, Decision, Facts, Hold, decide
from daemon.risk.hedge_view import row_to_cut
from daemon.risk.policy import Action, Level, Mode
from daemon.risk.reason import Reason
from daemon.risk.standing import Transition
from daemon.settlement import Settlement
from daemon.shadowing import Shadowing
from daemon.sight import Sight, blind, look
from daemon.state import CycleOutcome
from daemon.topup import TopUp
from daemon.wording import doing_word, outcome_sentence
from database.journal import Journal
from database.records import NO_EPISODE

RUNGS_AT_ONCE = 8
"""A rung that has nothing to give makes room for the next; so many within one cycle."""

CONFIRMATIONS = 3
"""A picture that keeps getting worse needs a further read at each new level; so many within one cycle."""


class Cycle:
    """The cycles of one account; `run` is one of them."""

    def __init__(
        self,
        guarded: Guarded,
        *,
        journal: Journal,
        clock: Clock,
        is_ready: bool = False,
        common: CommonMode | None = None,
        hedges: HedgeDesk | None = None,
    ) -> None:
        self._account = guarded.account
        self._connect = guarded.connect
        self._is_ready = is_ready
        self._broker = guarded.broker
        self._policy = guarded.policy
        self._mandate = Mandate(self._account, guarded.mode, journal=journal, clock=clock)
        self._journal = journal
        self._clock = clock
        self._execution = Execution(broker=guarded.broker, journal=journal, clock=clock)
        self._settlement = Settlement(broker=guarded.broker, journal=journal, clock=clock)
        self._top_up = TopUp(broker=guarded.broker, journal=journal, clock=clock, caps=guarded.caps)
        self._proposals = Proposals(self._account, guarded.policy, journal=journal, clock=clock)
        self._daybook = Daybook(self._account, guarded.policy, journal=journal, clock=clock)
        self._provision = Provision(broker=guarded.broker, top_up=self._top_up, clock=clock)
        desk = hedges or HedgeDesk((), journal=journal, clock=clock)
        self._hedges = desk.seat(self._account, guarded.policy)
        self._ladder = Ladder(
            broker=guarded.broker,
            journal=journal,
            clock=clock,
            policy=guarded.policy,
            execution=self._execution,
            top_up=self._top_up,
            proposals=self._proposals,
            config_hash=guarded.config_hash,
            hedges=self._hedges,
        )
        self._leverage = LeverageKeeper(
            broker=guarded.broker,
            journal=journal,
            clock=clock,
            policy=guarded.policy,
            config_hash=guarded.config_hash,
        )
        self._clock_watch = ClockWatch(broker=guarded.broker, clock=clock)
        interval, after = guarded.policy.poll_interval, guarded.cancel_all_after
        self._dead_man = DeadMan(broker=guarded.broker, clock=clock, after=after, interval=interval)
        self._notebook = Notebook(self._account, journal=journal, clock=clock)
        self._shadowing = Shadowing(guarded.broker, guarded.policy, journal=journal, clock=clock)
        self._alarm = self._notebook.recall()
        self._ladder.catch_up.recall(journal, self._account, now=clock.now(), uptime=clock.uptime())
        self._foresight = Foresight(guarded.policy)
        self._restraint = Restraint(
            self._account, guarded.policy.limits, common or CommonMode(), journal=journal, clock=clock
        )
        self._previous: Assessment | None = None
        self._transitions: list[Transition] = []
        self._bounds = Bounds(self._account, journal=journal, clock=clock)
        self._briefing = self._open_briefing()
        self._is_stopping = False

    def _open_briefing(self) -> Briefing:
        return Briefing(
            journal=self._journal,
            clock=self._clock,
            policy=self._policy,
            ladder=self._ladder,
            mandate=self._mandate,
            settlement=self._settlement,
            restraint=self._restraint,
            proposals=self._proposals,
            daybook=self._daybook,
            bounds=self._bounds,
        )

    @property
    def account(self) -> AccountId:
        """Whose cycles they are."""
        return self._account

    def stop(self) -> None:
        """Send nothing more; a step under way is recorded to its end."""
        self._is_stopping = True
        self._execution.stop()

    async def end(self) -> None:
        """Disarm the venue's timer, where there is one; after the last cycle."""
        await self._dead_man.end()

    async def run(self) -> CycleOutcome:
        """Run one cycle; whatever the venue does, an outcome comes back.

        Raises:
            JournalError: the journal refused; nothing was sent that is not in it.
        """
        started = self._clock.uptime()
        self._transitions = []
        try:
            sight, decision = await self._see()
            provided = None
            if isinstance(decision, (Act, Advise)) or self._may_funds_help(decision, sight):
                provided = await self._provision.take(sight.snapshot)
                self._tell(self._restraint.saw_orders(provided.seen, self._clock.now()))
                decision = self._decide(sight, provided)
        finally:
            self._provision.stop()
        decision, climb = await self._follow(decision, sight)
        if climb is None:
            decision, climb = await self._carry_out(decision, sight, provided)
        self._notebook.commit(self._alarm, sight)
        if sight.assessment is not None and self._is_calm(decision):
            await self._leverage.keep(sight.assessment)
        sent = climb.sent if climb is not None else 0
        self._shadowing.follow(decision, sight, self._alarm, self._mandate.mode(), sent=sent)
        is_good = sight.assessment is not None and self._alarm.protection is Protection.PROTECTED
        self._dead_man.saw(self._mandate.mode(), is_good=is_good)
        return self._outcome(sight, decision, climb, self._clock.uptime() - started)

    async def _see(self) -> tuple[Sight, Decision]:
        """Look, judge, and look again as long as the judgement asks for it."""
        sight = await self._look(protective=self._is_alarmed(), settle=True)
        decision = self._judge(sight)
        for _ in range(CONFIRMATIONS):
            if self._may_act():
                self._provision.start(self._briefing.wants(self._alarm, self._previous), sight.snapshot)
            if not isinstance(decision, Confirm):
                break
            await self._clock.sleep(decision.after.total_seconds())
            sight = await self._look(protective=True)
            decision = self._judge(sight)
        return sight, decision

    # ------------------------------------------------------------------ look

    async def _look(self, *, protective: bool, settle: bool = False) -> Sight:
        """Read the account; before the first read connect it, and first of all settle what is open."""
        try:
            if not self._is_ready:
                await self._connect()
                self._is_ready = True
        except BrokerError as error:
            return Sight(observation=blind(error))
        if settle:
            self._ladder.catch_up.note(await self._settlement.settle(), self._clock.uptime())
            await self._top_up.settle()
        self._proposals.take_note()
        sight = await look(self._broker, self._policy, self._previous, protective=protective)
        self._ladder.repaying.settle(sight.snapshot)
        await self._clock_watch.look(sight.assessment)
        return sight

    # ------------------------------------------------------------------ judge

    def _judge(self, sight: Sight) -> Decision:
        self._advance(sight)
        is_good = self._alarm.protection is Protection.PROTECTED and not self._briefing.is_unsettled(sight)
        is_good = is_good and not self._restraint.standing().twin
        means = means_of(self._mandate.mode(), halted=self._mandate.is_halted(), is_good=is_good)
        self._hedges.saw(sight, means)
        self._daybook.follow(sight.observation)
        limited = self._daybook.broken()
        self._proposals.review(self._alarm, sight.observation, self._mandate.mode(), limited)
        return self._decide(sight, None)

    def _advance(self, sight: Sight) -> None:
        before = self._alarm.episode
        self._alarm, transitions = advance(
            self._alarm,
            sight.observation,
            self._policy,
            self._broker.venue_now(),
            flattening=latched_units(self._journal, self._account),
            outlooks=self._foresight.follow(sight.observation),
        )
        self._tell(transitions)
        settled = not self._briefing.is_unsettled(sight)
        self._tell(self._restraint.see(sight, self._alarm, transitions, is_settled=settled))
        if sight.assessment is not None:
            self._previous = sight.assessment
        self._ladder.memory.next_picture(self._clock.uptime())
        self._bounds.follow(self._alarm, self._previous)
        is_idle = self._alarm.episode is None and not self._policy.actions_at(self._alarm.level)
        is_idle = is_idle and not self._daybook.broken()
        if is_idle and self._bounds.is_kept:
            self._ladder.memory.calm()
        elif is_idle or (before is None and self._alarm.episode is not None):
            self._ladder.memory = RungMemory()

    def _tell(self, transitions: tuple[Transition, ...]) -> None:
        self._transitions.extend(transitions)
        self._notebook.note(transitions)
        log_transitions(self._account, self._alarm.seen_level, transitions)

    def _is_alarmed(self) -> bool:
        """Whether reads protect: they then use the emergency door and the reserve of the budget."""
        is_alarmed = self._alarm.level >= Level.CRITICAL or self._alarm.episode is not None
        return is_alarmed or self._hedges.due() is not None

    def _may_act(self) -> bool:
        """Whether any rung may be due, so that what it needs is worth reading."""
        return self._mandate.mode() is not Mode.OBSERVE and bool(
            self._alarm.episode is not None
            or self._policy.actions_at(self._alarm.level)
            or self._bounds.is_kept
            or self._daybook.broken()
        )

    def _is_calm(self, decision: Decision) -> bool:
        """Whether margind may act and nothing asks it to: the time for what only matters in the long run."""
        is_armed = self._mandate.mode() is Mode.ENFORCE and not self._mandate.is_halted()
        is_safe = decision.reason is Reason.CALM and self._alarm.level is Level.SAFE
        return is_armed and is_safe and not self._is_stopping and not self._settlement.open()

    def _may_funds_help(self, decision: Decision, sight: Sight) -> bool:
        """Whether no rung is due and a top-up might be, once it is known what may be moved in."""
        is_stuck = isinstance(decision, Hold) and decision.instead_of is None
        is_needed = is_stuck and decision.reason is not Reason.TARGET_REACHED
        return is_needed and sight.assessment is not None and self._provision.seeks_funds

    def _decide(self, sight: Sight, provided: Provided | None) -> Decision:
        context = self._briefing.context(sight, provided, self._episode_number())
        return decide(self._alarm, sight.observation, self._policy, self._mandate.mode(), context)

    # ------------------------------------------------------------------ act

    async def _follow(self, decision: Decision, sight: Sight) -> tuple[Decision, Climb | None]:
        """Trim a leg whose hedge asks for it, unless the account's own need is more pressing."""
        trim = None if self._is_stopping or sight.assessment is None else self._hedges.due()
        if trim is None or isinstance(decision, Confirm) or is_pressing(decision, sight):
            return decision, None
        held = sight.snapshot.positions if sight.snapshot is not None else ()
        row = row_to_cut(held, trim.leg.symbol)
        facts = Facts(unit=row.unit if row else None, level=self._alarm.level, detail=str(trim))
        act = Act(action=Action.REDUCE, reason=trim.reason, facts=facts)
        climb = await self._ladder.follow(act, trim, self._footing(sight, Provided(), act))
        return (act, climb) if climb.sent else (decision, None)

    async def _carry_out(
        self, decision: Decision, sight: Sight, provided: Provided | None
    ) -> tuple[Decision, Climb | None]:
        """Climb the decided rung, and where it gives nothing the next one; return what was decided last.

        No climb: nothing was to be done, and nothing is journaled yet.
        """
        climb = None
        for _ in range(RUNGS_AT_ONCE):
            if self._is_stopping or not isinstance(decision, (Act, Advise)):
                break
            footing = self._footing(sight, provided or Provided(), decision)
            if isinstance(decision, Advise):
                climb = self._ladder.propose(decision, footing)
            else:
                climb = await self._ladder.climb(decision, footing)
            if climb.held is not None:
                decision = Hold(reason=climb.held, facts=decision.facts, instead_of=decision.action)
                break
            if not climb.gave_nothing:
                self._tell(step_alarm(decision, climb, self._clock.now(), self._episode_number()))
                break
            decision = self._decide(sight, provided)
        if climb is not None and climb.sent and not climb.intents:
            self._provision.look_again()
        return decision, climb

    def _footing(self, sight: Sight, provided: Provided, decision: Act | Advise) -> Footing:
        asked = self._mandate.mode() is Mode.ADVISE and isinstance(decision, Act)
        assert sight.snapshot is not None  # noqa: S101 - checked by the caller
        assert sight.assessment is not None  # noqa: S101
        current = self._journal.episodes.current(self._account)
        return Footing(
            snapshot=sight.snapshot,
            assessment=sight.assessment,
            orders=provided.orders,
            funds_in=provided.funds_in,
            books=provided.books,
            episode=self._episode_number(),
            step=current.steps if current and self._alarm.episode else 0,
            mode=self._mandate.mode(),
            orders_last_minute=self._bounds.orders_last_minute(),
            approved=self._proposals.approving(decision) if asked and isinstance(decision, Act) else None,
            transaction=lambda: self._notebook.transaction(self._alarm, sight),
        )

    def _episode_number(self) -> int:
        return self._alarm.episode.number if self._alarm.episode else NO_EPISODE

    # ------------------------------------------------------------------ tell

    def distress(self, error: Exception) -> CycleOutcome:
        """Return the outcome of a cycle that `error` ended: unprotected, and at least as bad as known."""
        mode, transitions = self._mandate.configured, tuple(self._transitions)
        return CycleOutcome.failed(self._alarm, mode, transitions, at=self._clock.now(), error=error)

    def _outcome(
        self, sight: Sight, decision: Decision, climb: Climb | None, duration_s: float
    ) -> CycleOutcome:
        seen = sight.assessment
        return CycleOutcome(
            account=self._account,
            at=self._clock.now(),
            level=self._alarm.seen_level,
            protection=self._alarm.protection,
            mode=self._mandate.mode(),
            doing=doing_word(decision, climb),
            reason=decision.reason,
            sentence=outcome_sentence(decision, climb),
            unit=seen.worst.key if seen and seen.worst else None,
            utilization=seen.utilization if seen else None,
            maintenance_ratio=seen.maintenance_ratio if seen else None,
            leverage=seen.leverage if seen else None,
            positions=len(sight.snapshot.positions) if sight.snapshot else None,
            orders_sent=climb.sent if climb else 0,
            episode=self._alarm.episode.number if self._alarm.episode else None,
            transitions=tuple(self._transitions),
            duration_s=duration_s,
            next_s=self._next_s(climb, duration_s),
            cash=seen.is_cash if seen else False,
            outlook=self._foresight.nearest() if seen else None,
            shock=seen.shock if seen else None,
            exposure=seen.exposure if seen else None,
        )

    def _next_s(self, climb: Climb | None, duration_s: float) -> float:
        acute = climb is not None and climb.sent > 0 and self._is_acute()
        venue = self._broker.capabilities
        return next_look_s(
            self._alarm, self._policy, venue, self._settlement, acute=acute, duration_s=duration_s
        )

    def _is_acute(self) -> bool:
        """Whether the account is still in danger, so that the next look follows at once."""
        return self._previous is not None and self._previous.level >= Level.CRITICAL
