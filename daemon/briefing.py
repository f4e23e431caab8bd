"""What a decision is told beside the picture: what is under way, what is spent, what was approved."""

from datetime import timedelta

from daemon.bounds import Bounds
from daemon.clock import Clock
from daemon.daybook import Daybook
from daemon.flatten import latched_units
from daemon.ladder import Ladder
from daemon.mandate import Mandate
from daemon.proposals import Proposals
from daemon.provision import Provided, Wants
from daemon.restraint import Restraint
from daemon.risk.answer import Context
from daemon.risk.assessment import Assessment
from daemon.risk.keeping import is_keeping, unit_to_cut
from daemon.risk.policy import Action, Level, MarginPolicy
from daemon.risk.standing import Alarm
from daemon.settlement import Settlement
from daemon.sight import Sight
from database.journal import Journal


class Briefing:
    """One account's books, read for the next decision."""

    def __init__(
        self,
        *,
        journal: Journal,
        clock: Clock,
        policy: MarginPolicy,
        ladder: Ladder,
        mandate: Mandate,
        settlement: Settlement,
        restraint: Restraint,
        proposals: Proposals,
        daybook: Daybook,
        bounds: Bounds,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._policy = policy
        self._ladder = ladder
        self._mandate = mandate
        self._settlement = settlement
        self._restraint = restraint
        self._proposals = proposals
        self._daybook = daybook
        self._bounds = bounds

    def wants(self, alarm: Alarm, previous: Assessment | None) -> Wants:
        """Return what the rungs that may be due now need to be told."""
        memory, policy = self._ladder.memory, self._policy
        if self._mandate.is_halted() or self._settlement.open():
            return Wants()
        level = policy.delevering_level if alarm.episode is not None else None
        actions = policy.actions_at(max(alarm.level, level or Level.SAFE))
        worst = previous.worst if previous else None
        may_move_in = Action.TOP_UP in actions and memory.top_ups < policy.limits.top_ups_per_episode
        by_level = Action.CANCEL_ORDERS in actions and memory.may_cancel(self._clock.uptime())
        by_limit = bool(self._daybook.broken()) and memory.is_awake(self._clock.uptime())
        return Wants(
            orders=by_level or by_limit or is_keeping(alarm, previous, Action.CANCEL_ORDERS),
            funds_in=worst.currency if may_move_in and worst is not None else None,
            cut=worst.key
            if worst and {Action.REDUCE, Action.FLATTEN}.intersection(actions)
            else unit_to_cut(alarm, previous),
        )

    def context(self, sight: Sight, provided: Provided | None, episode: int) -> Context:
        """Return what a decision on this picture is told; `provided` `None`: nobody has looked yet."""
        now, journal, memory = self._clock.now(), self._journal, self._ladder.memory
        standing = self._restraint.standing()
        return Context(
            halted=self._mandate.is_halted(),
            unsettled=self.is_unsettled(sight),
            rungs=memory.rungs,
            cancellable_orders=None if provided is None else len(provided.orders or ()),
            funds=None if provided is None else provided.funds,
            top_ups_in_episode=memory.top_ups,
            can_repay=self._ladder.repaying.is_offered,
            repayments_in_episode=self._ladder.repaying.count_in(episode),
            steps=memory.steps,
            episodes_last_hour=journal.episodes.count_since(
                self._mandate.account, now - timedelta(hours=1), until=now
            ),
            flattening=latched_units(self._journal, self._mandate.account),
            proposed=self._proposals.waiting(),
            approved=frozenset((one.action, one.scope) for one in self._proposals.approved()),
            broken=self._daybook.broken(),
            trips=standing.trips,
            may_step=standing.may_step,
            twin=standing.twin,
            trims_last_hour=self._bounds.trims_last_hour(),
            orders_last_minute=self._bounds.orders_last_minute() if self._bounds.is_kept else 0,
            orders=None if provided is None else provided.orders or (),
            closing=self._bounds.closing(),
        )

    def is_unsettled(self, sight: Sight) -> bool:
        """Whether the picture may not hold yet what we have written."""
        is_behind = sight.snapshot is not None and self._ladder.catch_up.is_behind(
            sight.snapshot, self._clock.uptime()
        )
        return is_behind or self._ladder.repaying.is_fresh() or bool(self._settlement.open())
