"""What a rung would do, drawn up from one picture: by itself, or within what an operator approved."""

from collections.abc import Collection, Sequence

from brokers.numbers import ZERO
from brokers.orders import OpenOrder
from daemon.clock import Clock
from daemon.footing import Footing
from daemon.memory import RungMemory
from daemon.recording import plan_summary, position_row, repayment_summary, snapshot_summary
from daemon.risk.adding import increasing
from daemon.risk.decision import Act, Advise
from daemon.risk.keeping import load_of
from daemon.risk.picture import PositionKey
from daemon.risk.policy import Action, MarginPolicy
from daemon.risk.proposal import within
from daemon.risk.reason import Reason
from daemon.risk.reduction import Infeasible, ReductionPlan, plan_reduction
from daemon.risk.repayment import RepaymentPlan, plan_repayment
from daemon.risk.resting import concerning
from daemon.risk.trimming import plan_closing, plan_trim
from daemon.sentences import order_row
from daemon.topup import TopUp
from database.ids import random_id
from database.journal import Journal
from database.records import Plan, PlanState


class Drafting:
    """One account's plans before they are journaled."""

    def __init__(
        self, *, journal: Journal, clock: Clock, policy: MarginPolicy, top_up: TopUp, config_hash: str
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._policy = policy
        self._top_up = top_up
        self._config_hash = config_hash

    def cut(
        self,
        decision: Act | Advise,
        footing: Footing,
        memory: RungMemory,
        held: Collection[PositionKey] = (),
    ) -> ReductionPlan | Infeasible:
        """Plan a step from this picture; within what was approved, where that is asked for.

        `held` are positions that are left out.
        """
        approved = footing.approved
        excluded = memory.resting(self._clock.uptime()).union(held)
        if approved is not None:
            excluded |= approved.beyond(footing.snapshot)
        planned = self._planned(decision, footing, memory.tries.get(decision.scope, 0), excluded)
        if approved is None or isinstance(planned, Infeasible):
            return planned
        return within(planned, approved)

    def _planned(
        self, decision: Act | Advise, footing: Footing, step: int, excluded: frozenset[PositionKey]
    ) -> ReductionPlan | Infeasible:
        """Plan for a bound, where one is to be kept, else for the margin."""
        unit, bound, books = decision.facts.unit or "", decision.bound, footing.books
        if bound is not None and decision.action is Action.FLATTEN:
            return plan_closing(
                bound, footing.snapshot, self._policy, step=step, excluded=excluded, books=books
            )
        if bound is not None:
            load = load_of(footing.assessment, unit, bound)
            return plan_trim(load, footing.snapshot, self._policy, step=step, excluded=excluded, books=books)
        return plan_reduction(
            footing.assessment,
            footing.snapshot,
            unit,
            self._policy,
            step=step,
            action=decision.action,
            excluded=excluded,
            books=books,
        )

    def cancellable(
        self, decision: Act | Advise, found: Sequence[OpenOrder], footing: Footing
    ) -> tuple[OpenOrder, ...]:
        """Return which of the orders that were found concern the unit, or the bound that is to be kept."""
        unit = decision.facts.unit or ""
        if decision.bound is None:
            return concerning(found, footing.snapshot, unit)
        return increasing(found, load_of(footing.assessment, unit, decision.bound), footing.snapshot)

    def repayment(self, unit: str, footing: Footing, memory: RungMemory) -> RepaymentPlan | Infeasible:
        """Plan a repayment, unless one is under way or the venue has just refused one."""
        if self._journal.repayments.in_flight(footing.snapshot.account_id):
            detail = "what became of the last repayment is not known yet"
            return Infeasible(unit=unit, reason=Reason.SETTLING, detail=detail)
        if self._clock.uptime() < memory.repay_again_at:
            detail = "the venue has refused the last repayment; it is tried again in a while"
            return Infeasible(unit=unit, reason=Reason.REPAY_REFUSED, detail=detail)
        return plan_repayment(footing.snapshot, unit, self._policy)

    def detail(self, advise: Advise, footing: Footing, memory: RungMemory) -> dict[str, object] | Infeasible:
        """Return what the plan would do, in the words in which an approval of it is held to it."""
        unit = advise.facts.unit or ""
        match advise.action:
            case Action.CANCEL_ORDERS:
                orders = self.cancellable(advise, footing.orders or (), footing)
                if not orders:
                    detail = "no open order binds margin"
                    return Infeasible(unit=unit, reason=Reason.NO_ORDERS, detail=detail)
                return cancelling(advise, orders)
            case Action.TOP_UP:
                currency = footing.snapshot.unit(unit).currency
                amount = self._top_up.amount(currency, advise.amount or ZERO)
                return {"unit": unit, "currency": currency, "amount": str(amount)}
            case Action.REPAY:
                repayment = self.repayment(unit, footing, memory)
                return repayment if isinstance(repayment, Infeasible) else repayment_summary(repayment)
            case Action.REDUCE | Action.FLATTEN:
                planned = self.cut(advise, footing, memory)
                if isinstance(planned, Infeasible):
                    return planned
                held = footing.snapshot.positions_under(unit)
                return {
                    **plan_summary(planned, footing.books),
                    "held": [position_row(position) for position in held],
                }

    def row(
        self,
        decision: Act | Advise,
        footing: Footing,
        detail: dict[str, object],
        *,
        state: PlanState = PlanState.APPROVED,
    ) -> Plan:
        """Return a decision as a row of the journal."""
        return Plan(
            plan_id=random_id(),
            account=footing.snapshot.account_id,
            decided_at=self._clock.now(),
            decision=decision.action.value,
            reason=decision.reason.value,
            mode=footing.mode.label,
            config_hash=self._config_hash,
            state=state,
            episode=footing.episode or None,
            step=footing.step,
            snapshot=snapshot_summary(footing.snapshot, footing.assessment),
            plan=detail if footing.approved is None else {**detail, "approval": footing.approved.plan_id},
        )


def cancelling(decision: Act | Advise, orders: Sequence[OpenOrder]) -> dict[str, object]:
    """Return which orders are to be cancelled, as plain values for the journal."""
    return {
        "unit": decision.facts.unit,
        "bound": decision.bound,
        "orders": [order_row(order) for order in orders],
    }
