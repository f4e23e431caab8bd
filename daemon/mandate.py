"""What the operator allows now: the mode in force, and a halt."""

from brokers.models import AccountId
from daemon.clock import Clock
from daemon.risk.policy import Mode
from database.journal import Journal
from database.records import OperatorOrderKind


class Mandate:
    """How far margind may go with one account, by its configuration and its operator's orders."""

    def __init__(self, account: AccountId, configured: Mode, *, journal: Journal, clock: Clock) -> None:
        self.account = account
        self.configured = configured
        self._journal = journal
        self._clock = clock

    def mode(self) -> Mode:
        """Return the strictest of the configured mode and those an operator imposed."""
        imposed = [
            Mode[order.mode.upper()]
            for order in self._journal.operator_orders.in_force(self._clock.now(), self.account)
            if order.kind is OperatorOrderKind.MODE
        ]
        return min([self.configured, *imposed])

    def is_halted(self) -> bool:
        """Whether an operator has stopped everything."""
        return any(
            order.kind is OperatorOrderKind.HALT
            for order in self._journal.operator_orders.in_force(self._clock.now(), self.account)
        )
