"""What a hedge group allows and asks for, from what its accounts report; over a real journal."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from brokers.models import AccountId
from daemon.hedge_book import GroupBook
from daemon.hedge_ledger import HedgeLedger
from daemon.hedge_terms import Answer, Report
from daemon.risk.hedge_group import HedgeGroup, LegName, PartnerRule
from daemon.risk.hedge_loss import LegSize, Standing
from daemon.risk.hedge_view import SeenLeg, UnseenLeg
from daemon.risk.hedging import Leg
from daemon.risk.reason import Reason
from database.journal import Journal

D = Decimal
NOON = datetime(2025, 10, 10, 12, tzinfo=UTC)
LONG, SHORT = (LegName(account=AccountId(name), symbol="BTC") for name in ("long", "short"))


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.s = 1000.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.s)

    def uptime(self) -> float:
        return self.s

    async def sleep(self, seconds: float) -> None:
        self.s += seconds


class Bench:
    """One group of a long and a short leg."""

    def __init__(self, journal: Journal, **changes: object) -> None:
        self.clock = Clock()
        self.journal = journal
        group = HedgeGroup(
            name="pair",
            legs=(LONG, SHORT),
            tolerance=D("0.05"),
            partner_out=PartnerRule.URGENT_ONLY,
            repair_budget=D(3),
        )
        self.group = replace(group, **changes)
        self.restart()

    def restart(self) -> None:
        ledger = HedgeLedger(self.group, journal=self.journal, clock=self.clock)
        self.book = GroupBook(self.group, ledger, self.clock)

    def see(self, name: LegName, delta: str, *, out: str | None = None, base: str = "BTC") -> None:
        leg = Leg(
            name=name,
            delta=D(delta),
            per_quantity=D(1),
            lot=D("0.001"),
            least=D("0.001"),
            cuttable=abs(D(delta)),
        )
        size = LegSize(quantity=D(delta), per_quantity=D(1))
        self.report(name, SeenLeg(leg=leg, size=size, base=base if D(delta) else None), out)

    def report(self, name: LegName, seen: SeenLeg | UnseenLeg, out: str | None = None) -> None:
        self.book.report(
            name.account,
            Report(
                uptime=self.clock.s,
                fetched_at=self.clock.now(),
                legs={name: seen},
                out=out,
                good_for_s=5.0,
                dark_after_s=15.0,
            ),
        )
        self.book.review()

    def both(self, long: str, short: str, *, after: float = 1.0) -> None:
        self.clock.s += after
        self.see(LONG, long)
        self.see(SHORT, short)

    def limit(self, wanted: str, *, urgent: bool = False, forced: bool = False) -> tuple[Answer, Decimal]:
        found = self.book.limit(LONG, D(wanted), urgent=urgent, forced=forced)
        return found.answer, found.quantity

    def due(self, name: LegName) -> tuple[Decimal, Reason, bool] | None:
        found = self.book.due(name.account)
        return None if found is None else (found.quantity, found.reason, found.urgent)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    with Journal.open(tmp_path, NOON) as journal:
        yield lambda **changes: Bench(journal, **changes)


def test_a_slice_then_the_partner_then_the_next_slice(bench: Callable[..., Bench]) -> None:
    pair = bench()
    pair.both("1", "-1")
    assert pair.limit("0.5") == (Answer.SLICE, D("0.050"))
    pair.book.sent(LONG, D("0.050"))
    assert pair.due(SHORT) is None, "not before the fill is known"
    pair.book.done(LONG, D("0.050"))
    assert pair.limit("0.45") == (Answer.WAIT, 0)
    assert pair.book.waits(LONG.account)
    assert pair.due(SHORT) == (D("0.050"), Reason.HEDGE_FOLLOW, False)
    pair.book.sent(SHORT, D("0.020"))
    assert pair.due(SHORT) is None, "one order of a leg at a time"
    pair.book.done(SHORT, D("0.020"))
    assert pair.limit("0.45") == (Answer.SLICE, D("0.020")), "as far as the partner got"
    assert pair.due(SHORT) == (D("0.030"), Reason.HEDGE_FOLLOW, False)


def test_past_the_urgent_line_it_goes_whole_and_the_partner_at_market(bench: Callable[..., Bench]) -> None:
    pair = bench()
    pair.both("1", "-1")
    assert pair.limit("0.5", urgent=True) == (Answer.FREE, D("0.5"))
    pair.book.sent(LONG, D("0.5"))
    pair.book.done(LONG, D("0.5"))
    assert pair.due(SHORT) == (D("0.500"), Reason.HEDGE_FOLLOW, True)


def test_a_fill_that_nobody_knows_leaves_the_account_unknown(bench: Callable[..., Bench]) -> None:
    pair = bench()
    pair.both("1", "-1")
    pair.limit("0.5", urgent=True)
    pair.book.sent(LONG, D("0.5"))
    pair.book.forget(LONG.account)
    assert pair.due(SHORT) is None
    pair.see(LONG, "0.7")
    assert pair.due(SHORT) is None, "what it did is not known to be ours: a second look"
    for _ in range(7):
        pair.both("0.7", "-1")
    assert pair.due(SHORT) == (D("0.300"), Reason.HEDGE_REPAIR, False)


def test_an_old_picture_makes_the_leg_wait_and_a_very_old_one_is_out(bench: Callable[..., Bench]) -> None:
    pair = bench()
    pair.both("1", "-1")
    pair.clock.s += 6
    pair.see(LONG, "1")
    assert pair.limit("0.5") == (Answer.WAIT, 0)
    pair.clock.s += 10
    pair.see(LONG, "1")
    assert pair.limit("0.5") == (Answer.HELD, 0)
    assert pair.limit("0.5", urgent=True) == (Answer.BARED, D("0.5"))


@pytest.mark.parametrize(
    ("rule", "below", "beyond"),
    [
        (PartnerRule.HOLD, Answer.HELD, Answer.HELD),
        (PartnerRule.URGENT_ONLY, Answer.HELD, Answer.BARED),
        (PartnerRule.REDUCE_ANYWAY, Answer.BARED, Answer.BARED),
    ],
)
def test_the_rule_decides_where_nobody_follows(
    bench: Callable[..., Bench], rule: PartnerRule, below: Answer, beyond: Answer
) -> None:
    pair = bench(partner_out=rule)
    pair.both("1", "-1")
    pair.see(SHORT, "-1", out="mode observe")
    assert pair.limit("0.5") == (Answer.SLICE, D("0.050")), "the tolerance needs nobody"
    pair.book.done(LONG, D("0.050"))
    assert pair.limit("0.45")[0] is below
    assert pair.limit("0.45", urgent=True)[0] is beyond
    assert pair.limit("0.45", forced=True)[0] is Answer.BARED, "a flatten is never held"
    assert pair.due(SHORT) is None


def test_a_partner_that_does_not_follow_counts_as_out_after_a_while(bench: Callable[..., Bench]) -> None:
    pair = bench()
    pair.both("0.95", "-1")
    answers = []
    for _ in range(26):
        pair.both("0.95", "-1")
        answers.append(pair.limit("0.5")[0])
    assert answers[:20] == [Answer.WAIT] * 20
    assert answers[-1] is Answer.HELD


def test_at_a_start_a_partner_that_was_not_looked_at_yet_is_waited_for(bench: Callable[..., Bench]) -> None:
    pair = bench(partner_out=PartnerRule.REDUCE_ANYWAY)
    pair.see(LONG, "1")
    assert pair.limit("0.5") == (Answer.WAIT, 0)
    assert pair.book.why_dark() is None
    pair.clock.s += 21
    pair.see(LONG, "1")
    assert pair.limit("0.5") == (Answer.BARED, D("0.5"))
    assert pair.book.why_dark() == "short: not seen lately"


def test_legs_of_different_coins_are_no_hedge(bench: Callable[..., Bench]) -> None:
    pair = bench()
    pair.see(LONG, "1")
    pair.see(SHORT, "-1", base="ETH")
    assert pair.book.balance() == "its legs are of different coins: BTC, ETH"
    assert pair.limit("0.5")[0] is Answer.HELD


def test_a_leg_without_a_delta_makes_the_group_unknown(bench: Callable[..., Bench]) -> None:
    pair = bench()
    pair.see(LONG, "1")
    pair.report(SHORT, UnseenLeg(name=SHORT, why="no mark price"))
    assert pair.book.balance() == "short/BTC: no mark price"


def test_a_loss_is_repaired_after_a_second_look_and_within_the_budget(bench: Callable[..., Bench]) -> None:
    pair = bench(repair_budget=D("0.3"))
    pair.both("1", "-1")
    pair.both("1", "-0.5")
    assert pair.due(LONG) is None
    pair.both("1", "-0.5", after=1.5)
    assert pair.due(LONG) is None, "too soon"
    pair.both("1", "-0.5", after=1.5)
    assert pair.due(LONG) == (D("0.300"), Reason.HEDGE_REPAIR, False)
    pair.book.sent(LONG, D("0.1"))
    assert pair.book.verdict() is None, "while it is being repaired nobody can say"
    pair.see(LONG, "1")
    with pair.journal.transaction():
        pair.book.ledger.spend(D("0.3"))
    assert pair.due(LONG) is None
    pair.restart()
    assert pair.book.ledger.budget_left() == 0
    pair.clock.s += 25 * 3600
    assert pair.book.ledger.budget_left() == D("0.3")


def test_without_a_budget_a_loss_is_only_told(bench: Callable[..., Bench]) -> None:
    pair = bench(repair_budget=None)
    pair.both("1", "-1")
    for _ in range(5):
        pair.both("1", "0")
    verdict = pair.book.verdict()
    assert verdict is not None
    assert (verdict.standing, verdict.surplus) == (Standing.LOST, D(1))
    assert pair.due(LONG) is None


def test_the_picture_that_shows_a_loss_must_be_another_one_than_confirms_it(
    bench: Callable[..., Bench],
) -> None:
    pair = bench()
    pair.both("1", "-1")
    pair.both("1", "-0.5")
    for _ in range(4):
        pair.clock.s += 1
        pair.see(LONG, "1")
    assert pair.due(LONG) is None, "the short account has not looked again"
    pair.see(SHORT, "-0.5")
    assert pair.due(LONG) == (D("0.500"), Reason.HEDGE_REPAIR, False)


def test_a_loss_is_known_after_a_restart_and_a_growing_leg_is_none(bench: Callable[..., Bench]) -> None:
    pair = bench()
    pair.both("1", "-1")
    pair.restart()
    for _ in range(4):
        pair.both("1", "-0.5")
    assert pair.due(LONG) == (D("0.500"), Reason.HEDGE_REPAIR, False)
    for _ in range(4):
        pair.both("1.6", "-0.5")
    assert pair.due(LONG) is None
    assert pair.due(SHORT) is None


def test_no_loss_is_seen_while_a_leg_is_being_cut(bench: Callable[..., Bench]) -> None:
    pair = bench()
    pair.both("1", "-1")
    pair.limit("0.5", urgent=True)
    pair.book.sent(LONG, D("0.5"))
    assert pair.book.verdict() is None


def test_what_is_followed_is_what_we_cut_and_not_what_an_owner_added(bench: Callable[..., Bench]) -> None:
    pair = bench()
    pair.both("1", "-1")
    pair.limit("0.5", urgent=True)
    pair.book.sent(LONG, D("0.5"))
    pair.book.done(LONG, D("0.5"))
    pair.see(SHORT, "-1.8")
    assert pair.due(SHORT) == (D("0.500"), Reason.HEDGE_FOLLOW, True)


def test_a_partner_that_was_away_still_follows_what_we_cut(bench: Callable[..., Bench]) -> None:
    """Without a repair budget: it is no loss, it is ours."""
    pair = bench(repair_budget=None, partner_out=PartnerRule.REDUCE_ANYWAY)
    pair.both("1", "-1")
    for _ in range(20):
        pair.clock.s += 1
        pair.see(LONG, "1")
    assert pair.limit("0.4") == (Answer.BARED, D("0.4"))
    pair.book.sent(LONG, D("0.4"))
    pair.book.done(LONG, D("0.4"))
    for _ in range(120):
        pair.clock.s += 1
        pair.see(LONG, "0.6")
    pair.see(SHORT, "-1")
    assert pair.due(SHORT) == (D("0.400"), Reason.HEDGE_FOLLOW, False)


def test_a_ledger_that_cannot_be_read_is_forgotten(bench: Callable[..., Bench]) -> None:
    pair = bench()
    pair.both("1", "-1")
    saved = pair.journal.alarms.get("hedge:pair")
    assert saved is not None
    with pair.journal.transaction():
        pair.journal.alarms.save(replace(saved, state='{"spent": 3}'))
    pair.restart()
    assert pair.book.ledger.baseline is None
    assert pair.book.ledger.budget_left() == 3
