"""Debt given back: what is needed and no more, each repayment once, believed when a picture shows it.

The account owes 30,000 USDT, which require 30 % of themselves, and holds 100 X at 100, which require 1 %. Its
equity is 10,000: maintenance 91 %, 90 points of it the debt's. Its target of 40 % leaves room for a debt of
13,000.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import Side, UnitKind
from brokers.sandbox.broker import SandboxBroker
from brokers.sandbox.history import Repaid, RepaymentRefused
from brokers.sandbox.mishaps import Fate
from brokers.sandbox.spec import Asset, MarginPool, OpeningPosition, OpeningWallet
from daemon.repaying import CATCH_UP, FORGET_AFTER, Repaying
from daemon.risk.policy import Action, Level, MarginPolicy, Mode, ReductionLimits
from daemon.risk.reason import Reason
from daemon.risk.repayment import RepaymentPlan, plan_repayment
from database.errors import IntentExists
from database.repayment_records import RepaymentRow, RepaymentState

Desk = Any  # the fixture's type lives in conftest
Open = Callable[..., Desk]
D = Decimal
R = RepaymentState

ASSETS = (
    Asset(name="X", usd_price=D(100)),
    Asset(name="Y", usd_price=D(200)),
    Asset(name="Z", usd_price=D(50)),
    Asset(
        name="USDT",
        usd_price=D(1),
        stable=True,
        borrow_initial_rate=D("0.1"),
        borrow_maintenance_rate=D("0.3"),
    ),
)
WALLETS = {"USDT": OpeningWallet(balance=D(40_000), borrowed=D(30_000))}
HELD = (OpeningPosition(symbol="X-USDT", side=Side.LONG, quantity=D(100)),)
NEEDED = D(17_000)


class Mute(SandboxBroker):
    """A venue without a call that gives debt back."""

    @property
    def capabilities(self) -> Any:  # noqa: ANN401
        return replace(super().capabilities, repay=False)


@pytest.fixture
def owing(open_desk: Open, venue_of: Callable[..., Any], spec: Callable[..., Any]) -> Open:
    """Open a desk on the account described above."""

    def open_(
        *,
        positions: Any = HELD,  # noqa: ANN401
        wallets: Any = WALLETS,  # noqa: ANN401
        margin_pool: MarginPool = MarginPool.CURRENCY,
        **more: object,
    ) -> Desk:
        account = spec(wallets=wallets, positions=positions, margin_pool=margin_pool)
        return open_desk(engine=venue_of(account, assets=ASSETS, tick_ms=60_000), **more)

    return open_


def given(desk: Desk) -> list[Decimal]:
    """What the venue was given back, in order."""
    return [event.amount for event in desk.engine.history if isinstance(event, Repaid)]


def refused(desk: Desk) -> int:
    return sum(isinstance(event, RepaymentRefused) for event in desk.engine.history)


def rows(desk: Desk) -> list[RepaymentRow]:
    """Every repayment as the journal has it now, in order."""
    ids = dict.fromkeys(e.detail["client_id"] for e in desk.events() if e.kind.startswith("repayment_"))
    found = [desk.journal.repayments.get(one) for one in ids]
    return [one for one in found if one is not None]


def maintenance(desk: Desk) -> Decimal:
    unit = desk.unit()
    assert unit.kind is UnitKind.CURRENCY
    return unit.maintenance_margin / unit.margin_equity


def reasons(desk: Desk) -> list[str | None]:
    return [event.reason for event in desk.events() if event.kind == "debt_drives_risk"]


async def test_debt_is_given_back_down_to_the_target_and_nothing_is_cut(owing: Open) -> None:
    desk = owing()
    assert maintenance(desk) == D("0.91")
    await desk.watch(20)

    assert given(desk) == [NEEDED]
    assert maintenance(desk) == D("0.4")
    assert desk.received() == []
    (row,) = rows(desk)
    assert (row.state, row.amount, row.repaid, row.owed_before) == (R.COMPLETED, NEEDED, NEEDED, D(30_000))
    assert (row.unit, row.episode, row.step) == ("USDT", 1, 0)
    (plan,) = desk.plans()
    assert (plan.decision, D(plan.plan["amount"]), plan.plan["owed"]) == ("repay", NEEDED, "30000")
    assert plan.plan["reaches_target"] is True
    assert reasons(desk) == ["debt_drives_risk"]
    kinds = [event.kind for event in desk.events() if event.kind.startswith("repayment_")]
    assert kinds == [f"repayment_{state}" for state in ("planned", "sent", "accepted", "completed")]


async def test_it_is_in_the_journal_before_it_leaves(owing: Open) -> None:
    desk = owing()
    seen: list[Any] = []

    def look(call: str, moment: str, _arguments: object) -> None:
        if (call, moment) == ("repay", "leaves"):
            seen.extend(row.state for row in desk.journal.repayments.in_flight(desk.account))

    desk.line.at = look
    await desk.watch(10)
    assert seen == [R.SENT]


async def test_of_a_debt_only_what_is_free_is_given_back_and_what_stays_is_alarmed(owing: Open) -> None:
    # 35,000 of the equity lie in X, which nobody sells
    wallets = {
        "USDT": OpeningWallet(balance=D(5_000), borrowed=D(30_000)),
        "X": OpeningWallet(balance=D(350)),
    }
    desk = owing(wallets=wallets, margin_pool=MarginPool.ACCOUNT)
    outcomes = await desk.watch(20)

    assert given(desk) == [D(5_000)]
    assert outcomes[-1].reason is Reason.NOTHING_TO_REPAY
    assert outcomes[-1].level is Level.CRITICAL
    assert "owes 25000 USDT, of which 0 could be repaid" in outcomes[-1].sentence
    assert desk.received() == []


@pytest.mark.parametrize(
    ("policy", "venue", "reason"),
    [
        (
            MarginPolicy(actions={Level.LIQUIDATION: (Action.CANCEL_ORDERS, Action.REDUCE, Action.FLATTEN)}),
            SandboxBroker,
            Reason.DEBT_DRIVES_RISK,
        ),
        (MarginPolicy(), Mute, Reason.REPAY_NOT_OFFERED),
        (
            MarginPolicy(limits=ReductionLimits(repayments_per_episode=0)),
            SandboxBroker,
            Reason.REPAY_BUDGET,
        ),
    ],
)
async def test_where_it_may_not_be_given_back_it_alarms_with_the_reason_and_does_nothing_else(
    owing: Open, policy: MarginPolicy, venue: type[SandboxBroker], reason: Reason
) -> None:
    desk = owing()
    desk.close()
    desk = owing(policy=policy, venue=venue(desk.engine, desk.account))
    outcomes = await desk.watch(20)

    assert outcomes[-1].reason is reason
    assert outcomes[-1].level is Level.LIQUIDATION
    assert "owes 30000 USDT" in outcomes[-1].sentence
    assert given(desk) == []
    assert desk.received() == []
    assert rows(desk) == []
    assert reasons(desk) == ["debt_drives_risk"]


@pytest.mark.parametrize(("mode", "doing"), [(Mode.OBSERVE, "hold"), (Mode.ADVISE, "advise_repay")])
async def test_who_may_not_act_says_what_it_would_do(owing: Open, mode: Mode, doing: str) -> None:
    desk = owing(mode=mode)
    outcomes = await desk.watch(5)

    assert outcomes[-1].doing == doing
    assert given(desk) == []
    if mode is Mode.ADVISE:
        (plan,) = desk.plans()
        assert (plan.decision, D(plan.plan["amount"])) == ("repay", NEEDED)
    assert reasons(desk) == ["debt_drives_risk"]


@pytest.mark.parametrize("fate", [Fate.ANSWER_LOST, Fate.NEVER_ARRIVED])
async def test_a_repayment_without_a_verdict_is_not_sent_again_until_pictures_have_told(
    owing: Open, fate: Fate
) -> None:
    desk = owing()
    desk.venue.mishaps.doom_write(fate)
    await desk.watch(FORGET_AFTER.total_seconds() - 5)
    arrived = fate is Fate.ANSWER_LOST
    (row,) = rows(desk)
    assert row.state is (R.COMPLETED if arrived else R.UNKNOWN)
    assert given(desk) == ([NEEDED] if arrived else [])
    assert desk.received() == []

    await desk.watch(30)
    assert given(desk) == [NEEDED]
    states = [row.state for row in rows(desk)]
    assert states == ([R.COMPLETED] if arrived else [R.ABSENT, R.COMPLETED])
    assert maintenance(desk) == D("0.4")


async def test_a_late_one_and_its_successor_never_give_back_more_than_is_owed(owing: Open) -> None:
    desk = owing()
    desk.venue.mishaps.doom_write(Fate.LATE, delay_ms=round((FORGET_AFTER.total_seconds() + 20) * 1000))
    await desk.watch(FORGET_AFTER.total_seconds() + 60)
    assert given(desk) == [NEEDED]  # the late one asks for more than is still owed: the venue refuses it
    assert refused(desk) == 1


async def test_until_pictures_show_it_nothing_else_is_done(owing: Open) -> None:
    desk = owing()
    frozen = []

    def freeze(call: str, moment: str, _arguments: object) -> None:
        if (call, moment) == ("repay", "leaves") and not frozen:
            desk.venue.freeze()
            frozen.append(True)

    desk.line.at = freeze
    outcomes = await desk.watch(CATCH_UP.total_seconds() / 2)
    assert outcomes[-1].reason is Reason.SETTLING
    desk.venue.thaw()
    await desk.watch(10)
    assert given(desk) == [NEEDED]
    assert desk.received() == []
    assert [row.state for row in rows(desk)] == [R.COMPLETED]


async def test_a_refused_one_is_tried_again_after_a_while_and_not_for_ever(owing: Open) -> None:
    desk = owing()
    desk.engine.controls.repayments_blocked = True
    outcomes = await desk.watch(20)
    assert refused(desk) == 1
    assert outcomes[-1].reason is Reason.REPAY_REFUSED
    (row,) = rows(desk)
    assert (row.state, row.code) == (R.REJECTED, "repay_blocked")
    assert desk.received() == []

    desk.engine.controls.repayments_blocked = False
    await desk.watch(30)
    assert given(desk) == [NEEDED]


async def test_refusals_count_against_the_limit_of_the_episode_across_restarts(owing: Open) -> None:
    desk = owing(policy=MarginPolicy(limits=ReductionLimits(repayments_per_episode=2)))
    desk.engine.controls.repayments_blocked = True
    await desk.watch(10)
    desk.restart()
    await desk.watch(10)
    desk.restart()
    outcomes = await desk.watch(10)
    assert refused(desk) == 2
    assert outcomes[-1].reason is Reason.REPAY_BUDGET


async def test_an_account_that_only_owes_is_brought_to_its_target_too(owing: Open) -> None:
    desk = owing(positions=())
    await desk.watch(20)
    assert given(desk) == [D("16666.67")]
    assert maintenance(desk) < D("0.4001")


async def test_the_same_place_of_an_episode_cannot_be_written_twice(owing: Open) -> None:
    desk = owing()
    plan = plan_repayment(desk.venue_snapshot(), "USDT", desk.policy)
    assert isinstance(plan, RepaymentPlan)
    repaying = Repaying(broker=desk.line, journal=desk.journal, clock=desk.clock)
    with desk.journal.transaction():
        repaying.write_down(plan, episode=1, step=0)
    with pytest.raises(IntentExists), desk.journal.transaction():
        repaying.write_down(plan, episode=1, step=0)


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("fate", [None, Fate.ANSWER_LOST, Fate.NEVER_ARRIVED])
@pytest.mark.parametrize("point", range(1, 13))
async def test_a_kill_at_any_point_of_a_repayment_gives_back_what_is_needed_and_no_more(
    owing: Open, fate: Fate | None, point: int
) -> None:
    desk = owing()
    if fate is not None:
        desk.venue.mishaps.doom_write(fate)
    seen = 0

    def count(*moment: object) -> None:
        nonlocal seen
        if len(moment) == 1 or moment[0] in {"repay", "submit"}:
            seen += 1
        if seen >= point:
            raise Killed

    desk.line.at = desk.at_commit = count
    try:
        await desk.watch(20)
    except Killed:
        desk.line.at = desk.at_commit = lambda *_: None
        desk.restart()
    desk.line.at = desk.at_commit = lambda *_: None
    await desk.watch(2 * FORGET_AFTER.total_seconds() + 30)

    assert given(desk) == [NEEDED]
    assert maintenance(desk) == D("0.4")
    assert desk.received() == []
    assert desk.journal.repayments.in_flight(desk.account) == ()
