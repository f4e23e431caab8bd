"""Plans: every decision with its reason and what it was made from."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from database.audit import DAEMON, AuditTrail
from database.errors import IllegalTransition, UnknownRecord
from database.journal_store import JournalStore
from database.journal_tables import plans
from database.outbox import Outbox
from database.records import Event, Plan, PlanState

LEGAL_MOVES: Mapping[PlanState, frozenset[PlanState]] = {
    PlanState.PROPOSED: frozenset({PlanState.APPROVED, PlanState.REFUSED, PlanState.EXPIRED}),
    PlanState.APPROVED: frozenset({PlanState.EXECUTED, PlanState.REFUSED, PlanState.EXPIRED}),
    PlanState.REFUSED: frozenset(),
    PlanState.EXECUTED: frozenset(),
    PlanState.EXPIRED: frozenset(),
}

INSERT = insert(plans)
ONE = select(plans).where(plans.c.plan_id == bindparam("plan_id"))
WAITING = (
    select(plans)
    .where(plans.c.account == bindparam("account"), plans.c.state == PlanState.PROPOSED)
    .order_by(plans.c.decided_at)
)
BY_HAND = (
    select(plans)
    .where(
        plans.c.account == bindparam("account"),
        plans.c.state == PlanState.APPROVED,
        plans.c.settled_by.is_not(None),
    )
    .order_by(plans.c.decided_at)
)
CHANGE = (
    update(plans)
    .where(plans.c.plan_id == bindparam("of_plan"))
    .values(
        state=bindparam("new_state"),
        settled_at=bindparam("new_settled_at"),
        settled_by=bindparam("new_settled_by"),
    )
)


class Plans:
    """Decisions and what became of them."""

    def __init__(self, store: JournalStore, outbox: Outbox, audit: AuditTrail) -> None:
        self._store = store
        self._outbox = outbox
        self._audit = audit

    def add(self, plan: Plan) -> None:
        """Journal a decision with the open transaction, proposed, approved or refused.

        Raises:
            IllegalTransition: it claims to be executed already, or its id is taken.
        """
        if plan.state is PlanState.EXECUTED:
            raise IllegalTransition("a plan is journaled before it is executed")
        try:
            self._store.write(INSERT, plan.values())
        except IntegrityError as error:
            raise IllegalTransition(f"plan {plan.plan_id} is journaled already") from error
        self._tell(plan, plan.decided_at, plan.reason, DAEMON)

    def settle(
        self,
        plan_id: str,
        state: PlanState,
        at: datetime,
        *,
        actor: str = DAEMON,
        reason: str | None = None,
        detail: str = "",
    ) -> Plan:
        """Move a plan on; `actor` is who approved or refused it, `detail` the figures behind `reason`.

        Raises:
            UnknownRecord: no such plan.
            IllegalTransition: it was settled otherwise.
        """
        old = self.get(plan_id)
        if old is None:
            raise UnknownRecord(f"no plan {plan_id}")
        if state not in LEGAL_MOVES[old.state]:
            raise IllegalTransition(f"plan {plan_id} cannot go from {old.state} to {state}")
        plan = replace(old, state=state, settled_at=at, settled_by=actor)
        self._store.write(
            CHANGE,
            {"of_plan": plan_id, "new_state": state, "new_settled_at": at, "new_settled_by": actor},
        )
        self._tell(plan, at, reason or plan.reason, actor, detail)
        return plan

    def get(self, plan_id: str) -> Plan | None:
        """Return one plan."""
        rows = self._store.rows(ONE, {"plan_id": plan_id})
        return Plan(**rows[0]) if rows else None

    def waiting(self, account: str) -> tuple[Plan, ...]:
        """Return the account's plans that wait for an operator, oldest first."""
        return tuple(Plan(**row) for row in self._store.known(plans, WAITING, {"account": account}))

    def approved(self, account: str) -> tuple[Plan, ...]:
        """Return the account's plans that an operator approved and that are still to be carried out."""
        return tuple(Plan(**row) for row in self._store.known(plans, BY_HAND, {"account": account}))

    def _tell(self, plan: Plan, at: datetime, reason: str, actor: str, detail: str = "") -> None:
        self._outbox.append(
            Event(
                time=at,
                kind=f"plan_{plan.state}",
                message=f"{plan.decision}: {reason}" + (f": {detail}" if detail else ""),
                account=plan.account,
                reason=reason,
                episode=plan.episode,
                step=plan.step,
                plan_id=plan.plan_id,
                detail={
                    "decision": plan.decision,
                    "mode": plan.mode,
                    "config_hash": plan.config_hash,
                    "actor": actor,
                    "plan": plan.plan,
                    "snapshot": plan.snapshot,
                },
            )
        )
        self._audit.append(
            at=at,
            action=f"plan_{plan.state}",
            subject=plan.plan_id,
            actor=actor,
            account=plan.account,
            detail={"decision": plan.decision, "reason": reason, "mode": plan.mode, "plan": plan.plan},
        )
