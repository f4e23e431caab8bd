"""The desk at which accounts that hedge one another meet, and each account's seat at it.

All accounts of a process share one desk. It sends nothing: an account reports what it saw, asks what it may
cut and what it must trim, and does that in its own cycle. The desk only wakes those for whom something is
due.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from brokers.models import AccountId, Position, Side
from brokers.numbers import ZERO
from daemon.clock import Clock
from daemon.hedge_book import GroupBook
from daemon.hedge_ledger import HedgeLedger
from daemon.hedge_terms import Answer, Limit, Report, Trim
from daemon.logs import logger
from daemon.risk.answer import Act, Decision
from daemon.risk.following import slice_plan
from daemon.risk.hedge_group import HedgeGroup, LegName
from daemon.risk.hedge_loss import Standing, Verdict
from daemon.risk.hedge_view import view_legs
from daemon.risk.hedging import Balance
from daemon.risk.picture import PositionKey
from daemon.risk.plan import ReductionPlan
from daemon.risk.policy import Action, MarginPolicy, Mode
from daemon.risk.reason import Reason
from daemon.sight import Sight
from database.journal import Journal
from database.records import Event, Intent, IntentState

WAKE_EVERY_S = 0.5
"""An account is not woken more often than this, unless a leg has changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """Whether an account could act on what it sees: `why_not` it cannot follow, `None`: it can.

    `is_good`: its picture may be acted upon, and no order of its own is without an end.
    """

    is_good: bool
    why_not: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounded:
    """A plan as its hedges allow it; `plan` `None`: nothing of it may go now, `reason` says why.

    `held` are positions that may not be cut at all: another plan may do without them.
    """

    plan: ReductionPlan | None
    held: frozenset[PositionKey] = frozenset()
    reason: Reason = Reason.HEDGE_WAITS
    why: str = ""
    is_slice: bool = False


class HedgeDesk:
    """All hedge groups of a process."""

    def __init__(self, groups: Iterable[HedgeGroup], *, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._books = tuple(
            GroupBook(group, HedgeLedger(group, journal=journal, clock=clock), clock) for group in groups
        )
        self._wakers: dict[AccountId, Callable[[], None]] = {}
        self._woken: dict[AccountId, float] = {}
        self._told: dict[tuple[str, str], str] = {}

    def seat(self, account: AccountId, policy: MarginPolicy) -> "HedgeSeat":
        """Return an account's place at the desk."""
        books = tuple(book for book in self._books if book.group.legs_of(account))
        return HedgeSeat(account, policy, books, self, self._clock)

    def on_due(self, account: AccountId, wake: Callable[[], None]) -> None:
        """Have `wake` called when an account should look at once."""
        self._wakers[account] = wake

    def rouse(self, book: GroupBook, actor: AccountId, *, changed: bool) -> None:
        """Wake the others of a group that have something to trim, or wait for `actor`."""
        now = self._clock.uptime()
        for account in book.accounts():
            wake = self._wakers.get(account)
            if account == actor or wake is None:
                continue
            if not changed and now - self._woken.get(account, float("-inf")) < WAKE_EVERY_S:
                continue
            if book.due(account) is not None or book.waits(account):
                self._woken[account] = now
                wake()

    def tell(self, book: GroupBook, topic: str, kind: str, message: str, **more: object) -> None:
        """Say once, in the log and in the history, what has changed of a group."""
        key = (book.group.name, topic)
        if self._told.get(key) == kind:
            return
        self._told[key] = kind
        write = logger().info if kind in CALM_NEWS else logger().critical
        write(kind, hedge=book.group.name, why=message, **more)
        event = Event(time=self._clock.now(), kind=kind, message=f"{book.group.name}: {message}", detail=more)
        with self._journal.transaction():
            self._journal.outbox.append(event)


CALM_NEWS = frozenset({"hedge_whole", "hedge_known", "hedge_building", "hedge_drifted", "hedge_followed"})


class HedgeSeat:
    """One account's place at the desk; an account without a leg sits at none and is never bound."""

    def __init__(
        self,
        account: AccountId,
        policy: MarginPolicy,
        books: Sequence[GroupBook],
        desk: HedgeDesk,
        clock: Clock,
    ) -> None:
        self._account = account
        self._policy = policy
        self._books = books
        self._desk = desk
        self._clock = clock
        self._may_follow = False

    # ------------------------------------------------------------------ looking

    def saw(self, sight: Sight, means: Means) -> None:
        """Report a look; one that may not be acted upon leaves what was seen before to age."""
        is_sound = means.is_good and _is_sound(sight)
        self._may_follow = is_sound and means.why_not is None
        for book in self._books:
            if sight.snapshot is None or not is_sound:
                book.lose(self._account, _why_dark(sight, means))
                self._tell_dark(book)
                continue
            before = book.quantities()
            legs = view_legs(book.group.legs_of(self._account), sight.snapshot)
            report = Report(
                uptime=self._clock.uptime(),
                fetched_at=sight.snapshot.fetched_at,
                legs=legs,
                out=means.why_not,
                good_for_s=self._policy.act_max_age.total_seconds(),
                dark_after_s=self._policy.alarm_max_age.total_seconds(),
            )
            book.report(self._account, report)
            verdict = book.review()
            self._tell_dark(book)
            if verdict is not None:
                self._tell(book, verdict)
            self._desk.rouse(book, self._account, changed=before != book.quantities())

    def _tell_dark(self, book: GroupBook) -> None:
        known, why = book.balance(), book.why_dark()
        if why is not None:
            self._desk.tell(book, "known", "hedge_unknown", why, next="nobody follows until it is known")
        elif isinstance(known, Balance):
            self._desk.tell(book, "known", "hedge_known", f"net delta {known.net:f}")

    def _tell(self, book: GroupBook, verdict: Verdict) -> None:
        net = f"net delta {verdict.net:f}, tolerance {book.group.tolerance:f}"
        names = ", ".join(map(str, verdict.shrunk or verdict.grown))
        match verdict.standing:
            case Standing.WHOLE:
                self._desk.tell(book, "standing", "hedge_whole", net)
            case Standing.BUILDING:
                self._desk.tell(book, "standing", "hedge_building", f"{net}; {names or 'never whole'}")
            case Standing.DRIFTED:
                self._desk.tell(book, "standing", "hedge_drifted", f"{net}; prices moved it")
            case Standing.LOST:
                left = book.ledger.budget_left()
                after = "it is trimmed" if left > 0 else "the repair budget is spent: look at the venues"
                message = f"{net}; {names} shrank, surplus {verdict.surplus:f}, budget left {left:f}"
                kind = "hedge_lost" if left > 0 else "hedge_naked"
                self._desk.tell(book, "standing", kind, message, next=after)

    # ------------------------------------------------------------------ cutting

    def bound(self, plan: ReductionPlan, *, urgent: bool, forced: bool, may_slice: bool) -> Bounded:
        """Return `plan` cut down to what its hedges allow.

        `may_slice`: orders are left for slices; a plan of whole cuts goes out all the same.
        """
        limits = [
            self._limit(order.position, order.quantity, urgent=urgent, forced=forced) for order in plan.orders
        ]
        if all(limit is None or limit.answer is Answer.FREE for _, limit in limits):
            return Bounded(plan=plan)
        quantities = [
            order.quantity if limit is None else limit.quantity
            for order, (_, limit) in zip(plan.orders, limits, strict=True)
        ]
        for number, order in enumerate(plan.orders):  # the legs of a pair are cut by the same
            if order.group is not None:
                pair = [n for n, one in enumerate(plan.orders) if one.group == order.group]
                quantities[number] = min(quantities[n] for n in pair)
        told = [(book, limit) for book, limit in limits if book is not None and limit is not None]
        is_slice = any(limit.answer is Answer.SLICE for _, limit in told)
        if is_slice and not may_slice:
            why = "half of the order budget is kept for what is urgent"
            return Bounded(plan=None, why=why)
        for book, limit in told:
            self._tell_limit(book, limit)
        held = frozenset(
            order.position.key
            for order, (_, limit) in zip(plan.orders, limits, strict=True)
            if limit is not None and limit.answer is Answer.HELD
        )
        reason = Reason.HEDGE_PARTNER_OUT if held else Reason.HEDGE_WAITS
        why = "; ".join(f"hedge {book.group.name}: {limit.why}" for book, limit in told)
        if not any(quantities):
            return Bounded(plan=None, held=held, reason=reason, why=why)
        sliced = slice_plan(plan, tuple(quantities), why)
        return Bounded(plan=sliced, held=held, reason=reason, why=why, is_slice=is_slice)

    def _limit(
        self, row: Position, quantity: Decimal, *, urgent: bool, forced: bool
    ) -> tuple[GroupBook | None, Limit | None]:
        for book in self._books:
            name = book.group.leg(self._account, row.symbol)
            if name is not None:
                return book, book.limit(name, quantity, urgent=urgent, forced=forced)
        return None, None

    def _tell_limit(self, book: GroupBook, limit: Limit) -> None:
        match limit.answer:
            case Answer.HELD:
                self._desk.tell(
                    book,
                    "rule",
                    "hedge_held",
                    f"{self._account} is not cut: {limit.why}",
                    account=self._account,
                )
            case Answer.BARED:
                message = f"{self._account} is cut although nobody follows: {limit.why}"
                self._desk.tell(book, "rule", "hedge_bared", message, account=self._account)
            case _:
                self._desk.tell(book, "rule", "hedge_followed", limit.why)

    # ------------------------------------------------------------------ following

    def due(self) -> Trim | None:
        """Return what the account must trim now; `None`: nothing, or its last look is none to act upon."""
        if not self._may_follow:
            return None
        return next((trim for book in self._books if (trim := book.due(self._account)) is not None), None)

    def charge(self, trim: Trim) -> None:
        """Take a repair from its group's budget, with the open transaction."""
        if trim.reason is Reason.HEDGE_REPAIR:
            self._book(trim.group).ledger.spend(trim.coins)

    def _book(self, name: str) -> GroupBook:
        return next(book for book in self._books if book.group.name == name)

    # ------------------------------------------------------------------ orders

    def sent(self, plan: ReductionPlan) -> None:
        """Count the orders of a plan as under way."""
        for book, name in self._legs({order.position.symbol for order in plan.orders}):
            book.sent(name, _net(plan, name.symbol))

    def done(self, intents: Iterable[Intent], trim: Trim | None) -> None:
        """Take in what orders came to, and wake those that must follow.

        Where the fill is not known nothing is known of the account until it has looked again.
        """
        by_symbol: dict[str, list[Intent]] = {}
        for intent in intents:
            by_symbol.setdefault(intent.symbol, []).append(intent)
        for book, name in self._legs(by_symbol):
            fills = [_fill(intent) for intent in by_symbol[name.symbol]]
            filled = sum((fill or ZERO for fill in fills), ZERO)
            if None in fills:
                book.forget(self._account)
            else:
                book.done(name, filled)
            if trim is not None and trim.reason is Reason.HEDGE_REPAIR and None not in fills:
                book.ledger.give_back(trim.coins * (1 - filled / trim.quantity))
            self._desk.rouse(book, self._account, changed=True)

    def _legs(self, symbols: Iterable[str]) -> list[tuple[GroupBook, LegName]]:
        return [
            (book, name)
            for book in self._books
            for symbol in symbols
            if (name := book.group.leg(self._account, symbol)) is not None
        ]


def _net(plan: ReductionPlan, symbol: str) -> Decimal:
    """Return what the orders on a symbol take off its net position at most."""
    sides: dict[Side, Decimal] = {}
    for order in plan.orders:
        if order.position.symbol == symbol:
            side = order.position.side
            sides[side] = sides.get(side, ZERO) + order.quantity
    return max(sides.values(), default=ZERO)


def _fill(intent: Intent) -> Decimal | None:
    """Return what an order filled; `None`: not known yet, or never said."""
    if intent.filled is None and intent.state is IntentState.FILLED:
        return intent.quantity
    if intent.filled is None and intent.state in {IntentState.ABANDONED, IntentState.REJECTED}:
        return ZERO
    return intent.filled if intent.state.is_final else None


def _is_sound(sight: Sight) -> bool:
    return sight.assessment is not None and sight.assessment.actionable


def is_pressing(decision: Decision, sight: Sight) -> bool:
    """Whether what an account itself needs cannot wait until it has followed a hedge."""
    if not isinstance(decision, Act) or sight.assessment is None:
        return False
    unit = sight.assessment.unit(decision.facts.unit or "")
    return decision.action is Action.FLATTEN or (unit is not None and unit.urgent)


def _why_dark(sight: Sight, means: Means) -> str:
    if sight.assessment is None:
        return "no picture"
    if means.why_not is not None:
        return means.why_not
    gates = [gate.detail for gate in sight.assessment.gates if gate.blocks]
    return gates[0] if gates else "an order of its own has no end yet"


def means_of(mode: Mode, *, halted: bool, is_good: bool) -> Means:
    """Return whether an account could follow."""
    why = "halted" if halted else None if mode is Mode.ENFORCE else f"mode {mode.label}"
    return Means(is_good=is_good, why_not=why)
