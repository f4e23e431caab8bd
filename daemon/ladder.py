"""Climbing one rung of the action ladder, from cancelling to flattening; each journaled before it is done.

A plan that is infeasible, or that the guard refuses, is over for its own picture only: the next picture is
planned anew. What rungs have given over time is in `daemon.memory`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from brokers.numbers import ZERO
from brokers.orders import CancelReport, OpenOrder, Verdict
from brokers.port import Broker
from daemon.catchup import CatchUp
from daemon.clock import Clock
from daemon.complaints import tell_failing, tell_failing_cancels
from daemon.drafting import Drafting, cancelling
from daemon.execution import Execution
from daemon.flatten import latch, latch_bound
from daemon.footing import Climb, Footing
from daemon.hedge_terms import Trim
from daemon.hedging import Bounded, HedgeSeat
from daemon.memory import RungMemory
from daemon.proposals import Proposals
from daemon.recording import plan_summary, repayment_summary
from daemon.repaying import Repaying, repayment_sentence
from daemon.risk.decision import Act, Advise, RungState
from daemon.risk.following import plan_following
from daemon.risk.guard import History, RefusedPlan, approve
from daemon.risk.plan import first_step
from daemon.risk.policy import Action, MarginPolicy
from daemon.risk.proposal import Proposal, repaid_within
from daemon.risk.reason import Reason
from daemon.risk.reduction import Infeasible, ReductionPlan
from daemon.sentences import cancel_sentence, cut_sentence, transfer_sentence
from daemon.topup import TopUp
from database.journal import Journal
from database.records import NO_EPISODE, Event, IntentState, Plan, PlanState, TransferState
from database.repayment_records import RepaymentState

CANCEL_PATIENCE_S = 3.0
"""Longer than one cancellation may take: of many that hang, the later ones are left to the next round."""

HEDGED_TRIES = 3
"""Plans for one picture, each without the positions that a hedge holds back from the one before."""

REFUSED_REPAYMENT_REST_S = 30.0
"""A refused repayment is not tried again sooner: Bybit takes none for a minute and a half of each hour."""


class Ladder:
    """One account's rungs."""

    def __init__(
        self,
        *,
        broker: Broker,
        journal: Journal,
        clock: Clock,
        policy: MarginPolicy,
        execution: Execution,
        top_up: TopUp,
        proposals: Proposals,
        config_hash: str,
        hedges: HedgeSeat,
    ) -> None:
        self._broker = broker
        self._journal = journal
        self._clock = clock
        self._policy = policy
        self._execution = execution
        self._top_up = top_up
        self._hedges = hedges
        self._proposals = proposals
        self._drafting = Drafting(
            journal=journal, clock=clock, policy=policy, top_up=top_up, config_hash=config_hash
        )
        self.repaying = Repaying(broker=broker, journal=journal, clock=clock)
        self.memory = RungMemory()
        self.catch_up = CatchUp()

    async def climb(self, act: Act, footing: Footing) -> Climb:
        """Do what was decided; everything is in the journal before it leaves.

        Raises:
            JournalError: it could not be journaled, so nothing was sent.
        """
        if act.bound is not None:  # no episode of margin pays for it
            footing = replace(footing, episode=NO_EPISODE, step=0)
        unit = act.facts.unit or ""
        match act.action:
            case Action.CANCEL_ORDERS:
                return await self._cancel(act, footing)
            case Action.TOP_UP:
                return await self._move_in(act, unit, footing)
            case Action.REPAY:
                return await self._repay(act, unit, footing)
            case Action.REDUCE | Action.FLATTEN:
                return await self._cut(act, footing)

    # ------------------------------------------------------------------ cancel

    async def _cancel(self, act: Act, footing: Footing) -> Climb:
        found, approved = footing.orders, footing.approved
        orders = () if found is None else self._drafting.cancellable(act, found, footing)
        if orders and approved is not None:
            orders = tuple(order for order in orders if order.order_id in approved.orders)
            if not orders:
                return self._come_to_nothing(approved, Reason.NO_ORDERS, "no order of the plan is open")
        if not orders:
            self.memory.pass_by(act.scope, Action.CANCEL_ORDERS, Reason.NO_ORDERS)
            known = "the open orders could not be read" if found is None else "no open order binds margin"
            return Climb(sentence=known, gave_nothing=True)
        plan = self._drafting.row(act, footing, cancelling(act, orders))
        with footing.transaction():
            self._write_down(plan, footing)
        began = self._clock.uptime()
        reports = await self._send_cancellations(orders)
        ended = self._clock.uptime()
        gone = sum(report.verdict is Verdict.ACCEPTED for report in reports)
        if act.bound is None or gone < len(orders):  # who adds to what is over its limit is chased for ever
            self.memory.count_cancel(
                act.scope, is_done=gone == len(orders), took_s=ended - began, uptime=ended
            )
        if self.memory.cancels_in_vain and not self.memory.may_cancel(self._clock.uptime()):
            tell_failing_cancels(footing, orders, reports, self.memory)
        sentence = cancel_sentence(len(orders), reports)
        with self._journal.transaction():
            self._journal.plans.settle(plan.plan_id, PlanState.EXECUTED, self._clock.now())
            self._journal.outbox.append(
                Event(
                    time=self._clock.now(),
                    kind="orders_cancelled",
                    message=sentence,
                    account=footing.snapshot.account_id,
                    reason=act.reason.value,
                    episode=footing.episode or None,
                    plan_id=plan.plan_id,
                    detail={
                        "reports": [
                            {
                                "order_id": report.order_id,
                                "symbol": report.symbol,
                                "verdict": report.verdict.value,
                                "code": report.code,
                            }
                            for report in reports
                        ]
                    },
                )
            )
        return Climb(sentence=sentence, sent=len(orders))

    async def _send_cancellations(self, orders: Sequence[OpenOrder]) -> tuple[CancelReport, ...]:
        """Return what became of every cancellation, or nothing where that takes too long.

        What has left by then ends by itself; the next look at the open orders tells what it did.
        """
        cancelling = asyncio.ensure_future(self._broker.cancel_orders(orders))
        done, _ = await asyncio.wait({cancelling}, timeout=CANCEL_PATIENCE_S)
        if done:
            return cancelling.result()
        cancelling.cancel()
        await asyncio.wait({cancelling})
        return ()

    # ------------------------------------------------------------------ top up

    async def _move_in(self, act: Act, unit: str, footing: Footing) -> Climb:
        currency = footing.snapshot.unit(unit).currency
        amount = self._top_up.amount(currency, act.amount or ZERO)
        if footing.approved is not None and footing.approved.amount is not None:
            amount = min(amount, footing.approved.amount)
        if amount <= 0 or currency != footing.funds_in:
            self.memory.pass_by(unit, Action.TOP_UP, act.reason)
            return Climb(sentence=f"nothing may be moved into {unit}", gave_nothing=True)
        plan = self._drafting.row(act, footing, {"unit": unit, "currency": currency, "amount": str(amount)})
        with footing.transaction():
            self._write_down(plan, footing)
            self._count_step(footing)
            transfer = self._top_up.write_down(currency, amount, episode=footing.episode, step=footing.step)
        self.memory.top_ups += 1
        transfer = await self._top_up.send(transfer)
        with self._journal.transaction():
            self._journal.plans.settle(plan.plan_id, PlanState.EXECUTED, self._clock.now())
        if transfer.state is not TransferState.COMPLETED:
            self.memory.finish(unit, Action.TOP_UP, RungState.FAILED, act.reason)
        return Climb(sentence=transfer_sentence(transfer), sent=1)

    # ------------------------------------------------------------------ repay

    async def _repay(self, act: Act, unit: str, footing: Footing) -> Climb:
        planned, approved = self._drafting.repayment(unit, footing, self.memory), footing.approved
        if isinstance(planned, Infeasible):
            self.memory.pass_by(unit, Action.REPAY, planned.reason)
            return Climb(sentence=f"cannot repay: {planned.detail}", gave_nothing=True)
        if approved is not None:
            if planned.currency != approved.currency:
                detail = f"{planned.currency} is to be repaid now, not {approved.currency}"
                return self._come_to_nothing(approved, Reason.NOTHING_TO_REPAY, detail)
            planned = repaid_within(planned, approved)
        plan = self._drafting.row(act, footing, repayment_summary(planned))
        with footing.transaction():
            self._write_down(plan, footing)
            self._count_step(footing)
            repayment = self.repaying.write_down(planned, episode=footing.episode, step=footing.step)
        repayment = await self.repaying.send(repayment)
        with self._journal.transaction():
            self._journal.plans.settle(plan.plan_id, PlanState.EXECUTED, self._clock.now())
        if repayment.state is RepaymentState.REJECTED:
            self.memory.repay_again_at = self._clock.uptime() + REFUSED_REPAYMENT_REST_S
        return Climb(sentence=repayment_sentence(repayment), sent=1)

    # ------------------------------------------------------------------ reduce, flatten

    async def _cut(self, act: Act, footing: Footing) -> Climb:
        bounded = Bounded(plan=None)
        for _ in range(HEDGED_TRIES):
            held, why = bounded.held, bounded
            planned = self._drafting.cut(act, footing, self.memory, held)
            if isinstance(planned, Infeasible):
                break
            bounded = self._bound(act, planned, footing)
            if bounded.plan is not None:
                return await self._carry(act, bounded.plan, footing, is_slice=bounded.is_slice)
            if bounded.held <= held:
                return Climb(sentence=f"{act.action.value} waits: {bounded.why}", held=bounded.reason)
        if isinstance(planned, Infeasible) and not held:
            if footing.approved is not None:
                return self._come_to_nothing(footing.approved, planned.reason, planned.detail)
            self.memory.pass_by(act.scope, act.action, planned.reason)
            return Climb(sentence=f"cannot {act.action.value}: {planned.detail}", gave_nothing=True)
        return Climb(sentence=f"{act.action.value} is held: {why.why}", held=Reason.HEDGE_PARTNER_OUT)

    def _bound(self, act: Act, planned: ReductionPlan, footing: Footing) -> Bounded:
        """Return the plan as the hedges of its positions allow it."""
        judged = footing.assessment.unit(planned.unit)
        return self._hedges.bound(
            planned,
            urgent=judged is not None and judged.urgent,
            forced=act.action is Action.FLATTEN,
            may_slice=2 * footing.orders_last_minute < self._policy.limits.orders_per_minute,
        )

    async def follow(self, act: Act, trim: Trim, footing: Footing) -> Climb:
        """Trim a leg because the other side of its hedge shrank; a step of no episode.

        Raises:
            JournalError: it could not be journaled, so nothing was sent.
        """
        step = self.memory.tries.get(act.scope, 0)
        planned = plan_following(
            footing.snapshot, trim.leg.symbol, trim.quantity, self._policy, step=step, urgent=trim.urgent
        )
        if isinstance(planned, Infeasible):
            return Climb(sentence=f"cannot follow: {planned.detail}", held=planned.reason)
        return await self._carry(act, planned, footing, is_slice=True, trim=trim)

    async def _carry(
        self,
        act: Act,
        planned: ReductionPlan,
        footing: Footing,
        *,
        is_slice: bool,
        trim: Trim | None = None,
    ) -> Climb:
        """Carry a plan out, if the guard lets it pass. A slice is no step by itself unless it misses."""
        if act.single:
            planned = first_step(planned)
        checked = approve(
            planned,
            snapshot=footing.snapshot,
            assessment=footing.assessment,
            policy=self._policy,
            history=History(
                orders_last_minute=footing.orders_last_minute,
                steps_in_episode=self.memory.steps.get(act.scope, 0) if trim is None else 0,
                single_step=act.single,
            ),
            now=self._broker.venue_now(),
        )
        if isinstance(checked, RefusedPlan):
            return self._refuse(act, checked, footing, is_own=trim is None)
        plan = self._drafting.row(act, footing, plan_summary(planned, footing.books))
        with footing.transaction():
            self._write_down(plan, footing)
            if trim is not None:
                self._hedges.charge(trim)
            if act.action is Action.FLATTEN and act.bound is not None:
                latch_bound(self._journal, self._broker.account_id, act.bound, self._clock.now(), act.reason)
            elif act.action is Action.FLATTEN:
                latch(self._journal, footing.snapshot.account_id, planned.unit, self._clock.now(), act.reason)
            self._count_step(footing)
            tickets = self._execution.write_down(
                checked,
                footing.snapshot,
                plan_id=plan.plan_id,
                episode=footing.episode,
                step=footing.step,
                reason=act.reason,
            )
        self._hedges.sent(planned)
        intents = await self._execution.send(tickets)
        self._hedges.done(intents, trim)
        with self._journal.transaction():
            self._journal.plans.settle(plan.plan_id, PlanState.EXECUTED, self._clock.now())
        outcomes = {
            ticket.order.position.key: intent
            for ticket, intent in zip(tickets, intents, strict=True)
            if intent.state is not IntentState.ABANDONED
        }
        self.memory.count_step(act.scope, outcomes, self._clock.uptime(), is_slice=is_slice)
        tell_failing(footing, outcomes, self.memory)
        self.catch_up.note(intents, self._clock.uptime())
        self.memory.objections = frozenset()
        return Climb(sentence=cut_sentence(act, tickets, intents), sent=len(outcomes), intents=intents)

    def _refuse(self, act: Act, refused: RefusedPlan, footing: Footing, *, is_own: bool) -> Climb:
        reasons = "; ".join(objection.detail for objection in refused.objections)
        if is_own:
            self.memory.pass_by(act.scope, act.action, Reason.REFUSED_BY_GUARD)
        climb = Climb(sentence=f"the guard refused the plan: {reasons}", gave_nothing=True, refused=refused)
        if self.memory.objections == frozenset(refused.reasons):
            return climb  # journaled already: the same objections, one picture later
        plan = self._drafting.row(
            act,
            footing,
            {**plan_summary(refused.plan, footing.books), "objections": reasons},
            state=PlanState.REFUSED,
        )
        with footing.transaction():
            self._journal.plans.add(plan)
        self.memory.objections = frozenset(refused.reasons)
        return climb

    # ------------------------------------------------------------------ advise

    def propose(self, advise: Advise, footing: Footing) -> Climb:
        """Journal what would be done, once, and wait for an operator."""
        action = advise.action
        if (pending := self._proposals.pending(advise)) is not None:
            what = "waits for approval" if pending.state is PlanState.PROPOSED else "is approved"
            return Climb(sentence=f"a plan to {action.value} {what}")
        detail = self._drafting.detail(advise, footing, self.memory)
        if isinstance(detail, Infeasible):
            self.memory.pass_by(advise.scope, action, detail.reason)
            return Climb(sentence=f"cannot {action.value}: {detail.detail}", gave_nothing=True)
        plan = self._drafting.row(advise, footing, detail, state=PlanState.PROPOSED)
        with footing.transaction():
            self._journal.plans.add(plan)
        return Climb(sentence=f"proposes to {action.value} ({plan.plan_id[:8]})")

    def _come_to_nothing(self, approved: Proposal, reason: Reason, detail: str) -> Climb:
        """End an approval that this picture leaves nothing to do for; what is due is proposed anew."""
        self._proposals.end(approved, reason, detail)
        return Climb(sentence=f"the approved plan comes to nothing: {detail}", gave_nothing=True)

    def _write_down(self, plan: Plan, footing: Footing) -> None:
        """Journal a plan that is about to be carried out, and use up the approval it rests on."""
        self._journal.plans.add(plan)
        if footing.approved is not None:
            self._proposals.use_up(footing.approved)

    def _count_step(self, footing: Footing) -> None:
        if footing.episode != NO_EPISODE:
            self._journal.episodes.next_step(footing.snapshot.account_id)
