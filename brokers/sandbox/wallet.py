"""One currency of a trading account, and the ledger of why it changed."""

from decimal import Decimal

from brokers.numbers import ZERO
from brokers.sandbox.history import LedgerKind
from brokers.sandbox.spec import OpeningWallet


class CoinWallet:
    """Balance, debt and ledger of one currency.

    `balance` holds borrowed coins and the margins of isolated positions. It may be negative: a pool of
    several currencies lends it then.
    """

    __slots__ = ("balance", "borrowed", "interest", "ledger", "updated_ms")

    def __init__(self, opening: OpeningWallet, now_ms: int) -> None:
        self.balance = opening.balance
        self.borrowed = opening.borrowed
        self.interest = opening.interest
        self.ledger: dict[LedgerKind, Decimal] = {}
        self.updated_ms = now_ms

    def change(self, kind: LedgerKind, amount: Decimal, now_ms: int) -> None:
        """Add `amount` (either sign) to the balance, for a reason."""
        if amount:
            self.balance += amount
            self.ledger[kind] = self.ledger.get(kind, ZERO) + amount
            self.updated_ms = now_ms

    def repay(self, amount: Decimal, now_ms: int) -> Decimal:
        """Give back up to `amount` of what is owed, interest first, and return what was given."""
        given = min(amount, self.owed)
        if given <= 0:
            return ZERO
        on_interest = min(given, self.interest)
        self.interest -= on_interest
        self.borrowed -= given - on_interest
        self.change(LedgerKind.REPAYMENT, -given, now_ms)
        return given

    @property
    def owed(self) -> Decimal:
        """Principal and interest."""
        return self.borrowed + self.interest

    @property
    def liability(self) -> Decimal:
        """Principal and what the balance lacks to zero: what venues print as borrowed."""
        return self.borrowed + max(ZERO, -self.balance)

    @property
    def realized_pnl(self) -> Decimal:
        """Profit and loss of closed positions since the start."""
        return self.ledger.get(LedgerKind.REALIZED_PNL, ZERO)
