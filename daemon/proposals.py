"""Plans that wait for an operator: read back from the journal, ended when over, used up once approved.

An approval is only believed for pictures that were read after it: `take_note` is asked before each read, and
what is approved meanwhile counts from the next one on.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from brokers.models import AccountId, MarginMode, Measure, OrderSide, Side, Symbol
from brokers.numbers import ZERO
from daemon.clock import Clock
from daemon.flatten import latched_units
from daemon.logs import logger
from daemon.risk.answer import Act, Advise
from daemon.risk.assessment import Assessment
from daemon.risk.picture import PositionKey
from daemon.risk.policy import Action, MarginPolicy, Mode
from daemon.risk.proposal import Expiry, Proposal, expiry, lapse
from daemon.risk.reason import Reason
from daemon.risk.standing import Alarm, Observation
from database.journal import Journal
from database.records import Plan, PlanState

UNREADABLE = Expiry(reason=Reason.PLAN_LAPSED, detail="it was written in other words than these")
ADVICE_ENDED = Expiry(reason=Reason.ADVICE_ENDED, detail="the account is no longer in advise mode")


class Proposals:
    """One account's plans between proposing and carrying out."""

    def __init__(self, account: AccountId, policy: MarginPolicy, *, journal: Journal, clock: Clock) -> None:
        self._account = account
        self._policy = policy
        self._journal = journal
        self._clock = clock
        self._noted: frozenset[str] = frozenset()

    def take_note(self) -> None:
        """Remember which plans are approved now, before the picture is read that they are held against."""
        self._noted = frozenset(plan.plan_id for plan in self._journal.plans.approved(self._account))

    def approved(self) -> tuple[Proposal, ...]:
        """Return what an operator approved before the present picture was read, and is not carried out."""
        plans = self._journal.plans.approved(self._account)
        read = [proposal_of(plan) for plan in plans if plan.plan_id in self._noted]
        return tuple(proposal for proposal in read if proposal is not None)

    def waiting(self) -> frozenset[tuple[Action, str]]:
        """Return what waits for approval, by action and scope."""
        plans = self._journal.plans.waiting(self._account)
        read = (proposal_of(plan) for plan in plans)
        return frozenset((one.action, one.scope) for one in read if one is not None)

    def approving(self, act: Act) -> Proposal | None:
        """Return what allows `act`, the oldest first; `None`: nothing does."""
        return next((proposal for proposal in self.approved() if proposal.answers(act)), None)

    def pending(self, advise: Advise) -> Plan | None:
        """Return the plan that asks for the same already, or was approved since the picture was read."""
        plans = (*self._journal.plans.waiting(self._account), *self._journal.plans.approved(self._account))
        return next((plan for plan in plans if (p := proposal_of(plan)) and p.answers(advise)), None)

    def use_up(self, proposal: Proposal) -> None:
        """Note within the open transaction that what was approved is carried out: it is good for once."""
        self._journal.plans.settle(proposal.plan_id, PlanState.EXECUTED, self._clock.now())

    def end(self, proposal: Proposal, reason: Reason, detail: str) -> None:
        """End what was approved, where it has come to nothing."""
        with self._journal.transaction():
            self._expire(proposal.plan_id, Expiry(reason=reason, detail=detail))

    def review(
        self, alarm: Alarm, observation: Observation, mode: Mode, limited: Collection[str] = ()
    ) -> None:
        """End every plan that this picture, or time, has gone on without; of `limited` units any is due."""
        plans = (*self._journal.plans.waiting(self._account), *self._journal.plans.approved(self._account))
        if not plans:
            return
        over = [(plan, why) for plan in plans if (why := self._over(plan, alarm, observation, mode, limited))]
        if over:
            with self._journal.transaction():
                for plan, why in over:
                    self._expire(plan.plan_id, why)

    def _over(
        self, plan: Plan, alarm: Alarm, observation: Observation, mode: Mode, limited: Collection[str]
    ) -> Expiry | None:
        if mode is not Mode.ADVISE:
            return ADVICE_ENDED
        proposal = proposal_of(plan)
        if proposal is None:
            return UNREADABLE
        late = lapse(proposal, self._policy.advice, self._clock.now())
        if late is not None or not isinstance(observation, Assessment):
            return late
        flattening = latched_units(self._journal, self._account)
        return expiry(proposal, alarm, observation, self._policy, flattening=flattening, limited=limited)

    def _expire(self, plan_id: str, why: Expiry) -> None:
        plan = self._journal.plans.settle(
            plan_id, PlanState.EXPIRED, self._clock.now(), reason=why.reason.value, detail=why.detail
        )
        logger().warning(
            "plan_expired",
            account=self._account,
            plan=plan_id,
            action=plan.decision,
            reason=why.reason.value,
            why=why.detail,
            next="what is still due is proposed anew",
        )


def proposal_of(plan: Plan) -> Proposal | None:
    """Read a journaled plan; `None`: it is not written as this version writes it."""
    told = plan.plan
    try:
        action = Action(plan.decision)
        return Proposal(
            plan_id=plan.plan_id,
            action=action,
            unit=str(told["unit"]),
            bound=told.get("bound"),
            since=_since(plan),
            approved=plan.state is PlanState.APPROVED,
            cuts={} if action is Action.CANCEL_ORDERS else _cuts(told),
            held=frozenset(_key(row, Side(row["side"])) for row in told.get("held", ())),
            orders=frozenset(
                str(row["order_id"]) for row in told.get("orders", ()) if action is Action.CANCEL_ORDERS
            ),
            currency=told.get("currency"),
            amount=Decimal(told["amount"]) if "amount" in told else None,
            ratios=_ratios(plan.snapshot, str(told["unit"])),
        )
    except (KeyError, TypeError, ValueError, InvalidOperation):
        return None


def _since(plan: Plan) -> datetime:
    is_approved = plan.state is PlanState.APPROVED and plan.settled_at is not None
    return plan.settled_at if is_approved and plan.settled_at is not None else plan.decided_at


def _cuts(told: Mapping[str, Any]) -> dict[PositionKey, Decimal]:
    cuts: dict[PositionKey, Decimal] = {}
    for row in told.get("orders", ()):
        side = Side.LONG if OrderSide(row["side"]) is OrderSide.SELL else Side.SHORT
        key = _key(row, side)
        cuts[key] = cuts.get(key, ZERO) + Decimal(row["quantity"])
    return cuts


def _key(row: Mapping[str, Any], side: Side) -> PositionKey:
    return (Symbol(row["symbol"]), side, MarginMode(row["margin_mode"]))


def _ratios(snapshot: Mapping[str, Any], unit: str) -> dict[Measure, Decimal]:
    names = {Measure.UTILIZATION: "utilization", Measure.MAINTENANCE: "maintenance_ratio"}
    rows = [row for row in snapshot.get("units", ()) if row["key"] == unit]
    return {
        measure: Decimal(row[name])
        for row in rows
        for measure, name in names.items()
        if row.get(name) is not None
    }
