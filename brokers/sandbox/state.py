"""Everything that lives in one sandbox venue, passed to whatever acts on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from brokers.numbers import ONE
from brokers.sandbox.account import Account
from brokers.sandbox.history import Journal
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.market import Market
from brokers.sandbox.orders import Refusal, Rejection
from brokers.sandbox.spec import SandboxSpec, VenueRules

FIRST_ID = 1_000_000_000


@dataclass(slots=True, kw_only=True)
class Controls:
    """Hands on the venue for tests, drills and the fault server; each holds until it is changed back.

    `halted` symbols refuse orders and fill none. `transfers_blocked` and `repayments_blocked` refuse every
    request of the kind. `depth_factor` scales the book on top of the scenario. `fill_fraction` `f`: of what
    the book could fill at a time, orders get only that share (0 = nothing).
    """

    halted: set[str] = field(default_factory=set)
    transfers_blocked: bool = False
    repayments_blocked: bool = False
    depth_factor: Decimal = ONE
    fill_fraction: Decimal = ONE


class VenueState:
    """The market, the accounts, the journal and the hands on them."""

    __slots__ = ("_last_id", "accounts", "controls", "journal", "market", "rules", "spec")

    def __init__(self, spec: SandboxSpec, seed: int) -> None:
        self.spec = spec
        self.rules: VenueRules = spec.rules
        self.market = Market(spec, seed)
        self.controls = Controls()
        self.journal = Journal(lambda: self.market.now_ms)
        self.accounts: Mapping[str, Account] = {a.name: Account(a, spec.start_ms) for a in spec.accounts}
        self._last_id = FIRST_ID

    @property
    def now_ms(self) -> int:
        """The venue's clock."""
        return self.market.now_ms

    def next_id(self) -> str:
        """Return an id never given before, in decimal digits."""
        self._last_id += 1
        return str(self._last_id)

    def account(self, name: str) -> Account:
        """Return an account; `Rejection(UNKNOWN_ACCOUNT)` if there is none."""
        found = self.accounts.get(name)
        if found is None:
            raise Rejection(Refusal.UNKNOWN_ACCOUNT, name)
        return found

    def instrument(self, symbol: str) -> Instrument:
        """Return an instrument; `Rejection(UNKNOWN_SYMBOL)` if it is not listed."""
        found = self.market.instruments.get(symbol)
        if found is None:
            raise Rejection(Refusal.UNKNOWN_SYMBOL, symbol)
        return found
