"""One hedge group as it stands: what its accounts last saw of it, and what may or must be cut of it now.

Theory of operation. Nothing is commanded from here. Every account reports its legs with each good look;
what is due is a function of those reports, so whoever asks after a restart gets the same answer. An account
that wants to cut a leg asks how much of it may go now (`limit`); one that has nothing else to do asks what
it must trim (`due`), and does so through its own cycle, from its own fresh picture. What was sent counts as
under way until its fill is known; what a fill took counts at once, before the next look shows it.

`owed` are the coins that cuts of ours took from one side and the other has not followed yet: within that, a
partner follows without a second look. What shrank otherwise is a loss: it is repaired after a second look,
and within the group's budget.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from brokers.models import AccountId
from brokers.numbers import ZERO, ceil_to_step, floor_to_step
from daemon.clock import Clock
from daemon.hedge_ledger import HedgeLedger
from daemon.hedge_terms import Answer, Limit, Report, Trim
from daemon.risk.hedge_group import HedgeGroup, LegName, PartnerRule
from daemon.risk.hedge_loss import LegSize, Standing, Verdict, judge, net_of
from daemon.risk.hedge_view import SeenLeg
from daemon.risk.hedging import Balance, Leg
from daemon.risk.reason import Reason

ASK_LASTS_S = 3.0
"""An account that is held back asks again in every cycle; one that no longer does has reached its target."""

FOLLOW_LASTS_S = 30.0
"""What a partner has not followed by then it follows as after any other loss, by a second look."""

REPAIR_AFTER_S = 2.0
"""Between the look that shows a loss and the one that confirms it."""

FIRST_LOOK_S = 20.0
"""After a start, until every account should have been seen."""

WAIT_PATIENCE_S = 20.0
"""A partner that could follow and has not for so long counts as out."""


@dataclass(frozen=True, slots=True)
class _Ask:
    leg: LegName
    coins: Decimal
    at: float


class GroupBook:
    """One group's reports and what follows from them."""

    def __init__(self, group: HedgeGroup, ledger: HedgeLedger, clock: Clock) -> None:
        self.group = group
        self.ledger = ledger
        self._clock = clock
        self._began = clock.uptime()
        self._reports: dict[AccountId, Report] = {}
        self._lost: dict[AccountId, str] = {}
        self._under_way: dict[LegName, Decimal] = {}
        self._ask: _Ask | None = None
        self._before: Decimal | None = None
        self._owed = ZERO
        self._cut_at = float("-inf")
        self._urgent = False
        self._waiting: dict[LegName, tuple[float, float]] = {}  # since when, and when last asked
        self._loss: tuple[float, dict[AccountId, datetime]] | None = None

    # ------------------------------------------------------------------ what is known

    def report(self, account: AccountId, report: Report) -> None:
        """Take what an account has just seen: orders of its own are in it."""
        self._reports[account] = report
        self._lost.pop(account, None)
        for name in self.group.legs_of(account):
            self._under_way.pop(name, None)

    def lose(self, account: AccountId, why: str) -> None:
        """Note that an account's last look was none to act upon; what it saw before ages."""
        self._lost[account] = why

    def forget(self, account: AccountId) -> None:
        """Believe nothing of an account until it has looked again."""
        self._reports.pop(account, None)

    def balance(self) -> Balance | str:
        """Return the group as it stands, or why nobody can say."""
        return self._balance(lambda report: report.good_for_s)

    def why_dark(self) -> str | None:
        """Return why the group is not known, once that has lasted; `None`: it is, or may be in a moment."""
        found = self._balance(lambda report: report.dark_after_s)
        return None if isinstance(found, Balance) or self._is_beginning() else found

    def _is_beginning(self) -> bool:
        """Whether some account has not been looked at yet, so shortly after the start."""
        missing = set(self.accounts()) - self._reports.keys()
        return bool(missing) and self._clock.uptime() - self._began < FIRST_LOOK_S

    def _balance(self, good_for_s: Callable[[Report], float]) -> Balance | str:
        legs, bases = [], set()
        for name in self.group.legs:
            report = self._reports.get(name.account)
            if report is None or self._clock.uptime() - report.uptime > good_for_s(report):
                return f"{name.account}: {self._lost.get(name.account, 'not seen lately')}"
            seen = report.legs[name]
            if not isinstance(seen, SeenLeg):
                return f"{name}: {seen.why}"
            bases |= {seen.base} - {None}
            legs.append(replace(seen.leg, under_way=self._under_way.get(name, ZERO)))
        if len(bases) > 1:
            return f"its legs are of different coins: {', '.join(sorted(map(str, bases)))}"
        net = sum((leg.delta for leg in legs), ZERO)
        before = net if self._before is None else self._before
        return Balance(legs=tuple(legs), tolerance=self.group.tolerance, before=before)

    def quantities(self) -> tuple[Decimal | None, ...]:
        """Return every leg's signed quantity as last seen; `None`: not seen. Prices do not move them."""
        seen = (self._seen(name) for name in self.group.legs)
        return tuple(None if leg is None else leg.size.quantity for leg in seen)

    def _sizes(self) -> dict[LegName, LegSize]:
        found = {}
        for name in self.group.legs:
            seen = self._reports[name.account].legs[name]
            if isinstance(seen, SeenLeg):
                found[name] = seen.size
        return found

    def why_out(self, name: LegName) -> str | None:
        """Return why no partner of a leg can follow; `None`: one can, or there is nothing to follow with."""
        balance = self._balance(lambda report: report.dark_after_s)
        if isinstance(balance, str):
            return None if self._is_beginning() else balance
        partners = balance.partners(name)
        reasons = [self._why_not(leg) for leg in partners]
        if not partners or None in reasons:
            return None
        return "; ".join(str(reason) for reason in reasons)

    def _why_not(self, leg: Leg) -> str | None:
        report = self._reports[leg.name.account]
        if report.out is not None:
            return f"{leg.name.account}: {report.out}"
        return None if leg.can_be_cut else f"{leg.name} cannot be cut"

    # ------------------------------------------------------------------ cutting a leg

    def limit(self, name: LegName, wanted: Decimal, *, urgent: bool, forced: bool) -> Limit:
        """Return how much of `wanted` may be cut of a leg now.

        `urgent`: the account is past its urgent line, so the leg goes first. `forced`: it is flattened, and
        no rule of the group holds that back.
        """
        balance, out = self.balance(), self.why_out(name)
        rule = self.group.partner_out
        if urgent or forced:
            if out is not None and rule is PartnerRule.HOLD and not forced:
                return Limit(answer=Answer.HELD, quantity=ZERO, why=out)
            self._begin(balance, urgent=True)
            if out is not None:
                return Limit(answer=Answer.BARED, quantity=wanted, why=out)
            return Limit(answer=Answer.FREE, quantity=wanted, why="goes first, the others follow at once")
        if isinstance(balance, Balance):
            self._begin(balance, urgent=False)
            leg, quantity = balance.leg(name), balance.slice_of(name, wanted)
            self._ask = _Ask(name, (wanted - quantity) * leg.per_quantity, self._clock.uptime())
            if quantity > 0:
                self._waiting.pop(name, None)
                return _sliced(balance, leg, quantity, wanted)
        now = self._clock.uptime()
        since, _ = self._waiting.get(name, (now, now))
        self._waiting[name] = (since, now)
        if out is None and now - since > WAIT_PATIENCE_S:
            out = f"the others have not followed for {WAIT_PATIENCE_S:g} s"
        if out is None:
            why = (
                balance if isinstance(balance, str) else f"net delta {balance.net:f}, the others follow first"
            )
            return Limit(answer=Answer.WAIT, quantity=ZERO, why=why)
        if rule is PartnerRule.REDUCE_ANYWAY:
            self._begin(balance, urgent=False)
            return Limit(answer=Answer.BARED, quantity=wanted, why=out)
        return Limit(answer=Answer.HELD, quantity=ZERO, why=out)

    def _begin(self, balance: Balance | str, *, urgent: bool) -> None:
        """Remember how the group stood before the first slice."""
        self._urgent = urgent
        if self._before is None:
            self._before = balance.net if isinstance(balance, Balance) else net_of(self.ledger.baseline or {})
            self._owed = ZERO

    def waits(self, account: AccountId) -> bool:
        """Whether a leg of the account does."""
        return any(name.account == account for name in self._waiting)

    # ------------------------------------------------------------------ following

    def due(self, account: AccountId) -> Trim | None:
        """Return what an account must trim now; `None`: nothing, or it cannot."""
        report, balance = self._reports.get(account), self.balance()
        if report is None or report.out is not None or isinstance(balance, str):
            return None
        if any(name in self._under_way for name in self.group.legs_of(account)):
            return None
        found = (
            trim
            for name in self.group.legs_of(account)
            if (leg := balance.leg(name)).can_be_cut
            for trim in (self._follow(leg, balance), self._repair(leg, balance))
            if trim is not None
        )
        return next(found, None)

    def _follow(self, leg: Leg, balance: Balance) -> Trim | None:
        """What our own cuts on the other side leave too much, or must make room for."""
        if self._before is None:
            return None
        ask = self._asked(balance, leg)
        owed = max(-leg.sign * self._owed, ZERO)
        quantity = min(balance.follow(leg.name, ask), ceil_to_step((owed + ask) / leg.per_quantity, leg.lot))
        if quantity < min(leg.least, leg.cuttable):
            return None
        why = f"net delta {balance.net:f}, tolerance {self.group.tolerance:f}"
        return self._trim(leg, quantity, Reason.HEDGE_FOLLOW, why)

    def _asked(self, balance: Balance, leg: Leg) -> Decimal:
        """Return the coins that somebody on the other side still wants to cut."""
        ask = self._ask
        if ask is None or self._clock.uptime() - ask.at > ASK_LASTS_S:
            return ZERO
        return ask.coins if balance.leg(ask.leg).sign == -leg.sign else ZERO

    def _repair(self, leg: Leg, balance: Balance) -> Trim | None:
        """What a loss leaves too much, once it is confirmed."""
        verdict = self.verdict()
        if verdict is None or verdict.standing is not Standing.LOST or not self._is_confirmed():
            return None
        if leg.sign * verdict.net <= 0:
            return None
        kept = leg.sign * (abs(verdict.net) - verdict.surplus)
        quantity = replace(balance, before=kept).follow(leg.name)
        quantity = min(quantity, floor_to_step(self.ledger.budget_left() / leg.per_quantity, leg.lot))
        if quantity <= 0 or quantity < min(leg.least, leg.cuttable):
            return None
        names = ", ".join(map(str, verdict.shrunk))
        return self._trim(leg, quantity, Reason.HEDGE_REPAIR, f"net delta {verdict.net:f}: {names} shrank")

    def _trim(self, leg: Leg, quantity: Decimal, reason: Reason, why: str) -> Trim:
        return Trim(
            group=self.group.name,
            leg=leg.name,
            quantity=quantity,
            coins=quantity * leg.per_quantity,
            reason=reason,
            urgent=self._urgent and reason is Reason.HEDGE_FOLLOW,
            why=why,
        )

    # ------------------------------------------------------------------ losses

    def verdict(self) -> Verdict | None:
        """Return how the group stands against its baseline; `None`: not known, or it is being cut."""
        if self._before is not None or self._under_way or isinstance(self.balance(), str):
            return None
        return judge(self._sizes(), self.ledger.baseline, self.group.tolerance)

    def review(self) -> Verdict | None:
        """Take a new report into account: end what has been followed, keep what is whole, note a loss."""
        self._end_following()
        verdict = self.verdict()
        if verdict is None or verdict.standing is not Standing.LOST:
            self._loss = None if verdict is not None else self._loss
            if verdict is not None and verdict.standing is Standing.WHOLE:
                self.ledger.keep(self._sizes())
        elif self._loss is None:
            looks = {name.account: self._reports[name.account].fetched_at for name in verdict.shrunk}
            self._loss = (self._clock.uptime(), looks)
        return verdict

    def _is_confirmed(self) -> bool:
        """Whether every account that lost something has looked again, a while later."""
        if self._loss is None:
            return False
        since, looks = self._loss
        is_later = all(self._reports[account].fetched_at > first for account, first in looks.items())
        return is_later and self._clock.uptime() - since >= REPAIR_AFTER_S

    def _end_following(self) -> None:
        """Forget a cut that is over: nobody asks for more, and all have followed or have not in time."""
        now = self._clock.uptime()
        if self._ask is not None and now - self._ask.at > ASK_LASTS_S:
            self._ask = None
        self._waiting = {n: (a, b) for n, (a, b) in self._waiting.items() if now - b <= ASK_LASTS_S}
        if self._before is None or self._ask is not None or self._under_way:
            return
        balance = self.balance()
        if isinstance(balance, str):
            self._cut_at = max(self._cut_at, now - ASK_LASTS_S)  # nobody could follow yet
            return
        is_followed = not any(self._follow(leg, balance) for leg in balance.legs)
        if (is_followed and now - self._cut_at > ASK_LASTS_S) or now - self._cut_at > FOLLOW_LASTS_S:
            self._before, self._owed, self._urgent = None, ZERO, False

    # ------------------------------------------------------------------ orders

    def sent(self, name: LegName, quantity: Decimal) -> None:
        """Count an order of a leg as under way."""
        seen = self._seen(name)
        if seen is not None:
            self._under_way[name] = quantity * seen.leg.per_quantity
        self._cut_at = self._clock.uptime()

    def done(self, name: LegName, filled: Decimal) -> None:
        """Take what an order of a leg is known to have filled off at once."""
        self._under_way.pop(name, None)
        seen = self._seen(name)
        if seen is None or filled <= 0:
            return
        coins = filled * seen.leg.per_quantity * seen.leg.sign
        self._owed += coins
        report = self._reports[name.account]
        left = max(seen.leg.cuttable - filled, ZERO)
        leg = replace(seen.leg, delta=seen.leg.delta - coins, cuttable=left)
        size = replace(seen.size, quantity=seen.size.quantity - seen.leg.sign * filled)
        legs = {**report.legs, name: replace(seen, leg=leg, size=size)}
        self._reports[name.account] = replace(report, legs=legs)

    def _seen(self, name: LegName) -> SeenLeg | None:
        report = self._reports.get(name.account)
        seen = report.legs.get(name) if report is not None else None
        return seen if isinstance(seen, SeenLeg) else None

    def accounts(self) -> Iterator[AccountId]:
        """Yield the accounts with a leg in the group, each once."""
        yield from dict.fromkeys(name.account for name in self.group.legs)


def _sliced(balance: Balance, leg: Leg, quantity: Decimal, wanted: Decimal) -> Limit:
    if quantity == wanted:
        return Limit(answer=Answer.FREE, quantity=quantity, why="within the band")
    band = balance.band(leg.name)
    why = f"a slice of {quantity:f} of {wanted:f}, net delta {balance.net:f}"
    if band > balance.tolerance:
        why += f"; lots are coarser than the tolerance, so the band is {band:f}"
    return Limit(answer=Answer.SLICE, quantity=quantity, why=why)
