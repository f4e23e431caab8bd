"""What the operator allows now: the mode in force, a halt, and what was approved by hand."""

from datetime import timedelta

from brokers.models import AccountId
from daemon.clock import Clock
from daemon.risk.answer import Act
from daemon.risk.policy import Mode
from database.journal import Journal
from database.records import OperatorOrderKind, Plan, PlanState

APPROVAL_LASTS = timedelta(minutes=5)
"""An operator approves what is to be done now, not what may be due in the next excursion."""


class Mandate:
    """How far margind may go with one account, by its configuration and its operator's orders."""

    def __init__(self, account: AccountId, configured: Mode, *, journal: Journal, clock: Clock) -> None:
        self._account = account
        self.configured = configured
        self._journal = journal
        self._clock = clock

    def mode(self) -> Mode:
        """Return the strictest of the configured mode and those an operator imposed."""
        imposed = [
            Mode[order.mode.upper()]
            for order in self._journal.operator_orders.in_force(self._clock.now(), self._account)
            if order.kind is OperatorOrderKind.MODE
        ]
        return min([self.configured, *imposed])

    def is_halted(self) -> bool:
        """Whether an operator has stopped everything."""
        return any(
            order.kind is OperatorOrderKind.HALT
            for order in self._journal.operator_orders.in_force(self._clock.now(), self._account)
        )

    def approval(self) -> Plan | None:
        """Return the plan that an operator has lately approved and that is still to be carried out.

        It is sized anew from the present picture. The plan that carries it out is younger, and so uses the
        approval up in the commit that precedes the first order.
        """
        last = self._journal.plans.last(self._account)
        if last is None or last.state is not PlanState.APPROVED or last.mode != Mode.ADVISE.label:
            return None
        if last.settled_by is None or last.settled_at is None:
            return None  # our own plan under way
        return last if self._clock.now() - last.settled_at <= APPROVAL_LASTS else None

    def covers(self, act: Act) -> bool:
        """Whether what was approved is this: the same action on the same unit, for the same bound."""
        approved = self.approval()
        return (
            approved is not None
            and approved.decision == act.action.value
            and approved.plan.get("unit") == act.facts.unit
            and approved.plan.get("bound") == act.bound
        )
