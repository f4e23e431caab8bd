"""Collateral from the funding wallet: within its caps, each transfer once."""

import asyncio
import io
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import VenueUnavailable
from brokers.sandbox.history import Transferred
from brokers.sandbox.mishaps import Fate
from daemon.arrivals import LATE_AFTER, UNKNOWN
from daemon.risk.policy import Action, Level, MarginPolicy, ReductionLimits
from daemon.topup import FORGET_AFTER, TopUp, TopUpCaps
from database.errors import IntentExists
from database.records import TransferState

Desk = Any  # the fixture's type lives in conftest
Open = Callable[..., Desk]
D = Decimal
S = TransferState


@pytest.fixture
def rich(open_desk: Open, venue_of: Callable[..., Any], spec: Callable[..., Any]) -> Open:
    """Open a desk whose funding wallet holds 100,000 USDT, under the caps given."""

    def open_(
        per_day: object = 50_000, per_transfer: object = None, *, funds: object = 100_000, **more: object
    ) -> Desk:
        caps = TopUpCaps(
            per_transfer={} if per_transfer is None else {"USDT": D(str(per_transfer))},
            per_day={"USDT": D(str(per_day))},
        )
        engine = venue_of(spec(funding={"USDT": D(str(funds))}), tick_ms=60_000)
        return open_desk(engine=engine, caps=caps, **more)

    return open_


def moved(desk: Desk) -> list[Decimal]:
    """The amounts that the venue moved, in order."""
    return [event.amount for event in desk.engine.history if isinstance(event, Transferred)]


def transfers(desk: Desk) -> list[Any]:
    """Every transfer as the journal has it now, in order."""
    ids = dict.fromkeys(e.detail["client_id"] for e in desk.events() if e.kind.startswith("transfer_"))
    return [desk.journal.transfers.get(one) for one in ids]


async def test_where_it_is_the_only_rung_money_is_moved_in_all_the_same(rich: Callable[..., Desk]) -> None:
    desk = rich(policy=MarginPolicy(actions={Level.LIQUIDATION: (Action.TOP_UP,)}))
    await desk.run()
    desk.fall_to("0.95")
    await desk.watch(20)
    (transfer,) = transfers(desk)
    assert (transfer.state, [transfer.amount]) == (S.COMPLETED, moved(desk))
    assert D("0.59") < desk.utilization() <= D("0.60")


async def test_money_is_moved_in_before_anything_is_cut(rich: Callable[..., Desk]) -> None:
    desk = rich()
    await desk.run()
    desk.fall_to("0.95")
    unit = desk.unit()
    await desk.watch(20)

    needed = unit.initial_margin / D("0.60") - unit.margin_equity
    (amount,) = moved(desk)
    assert D(0) <= amount - needed < D("0.01")  # whole cents, rounded up
    assert desk.received() == []
    assert desk.utilization() <= D("0.60")
    (transfer,) = transfers(desk)
    assert (transfer.state, transfer.amount, transfer.episode, transfer.step) == (S.COMPLETED, amount, 1, 0)
    assert transfer.transfer_id is not None
    (plan,) = desk.plans()
    assert (plan.decision, D(plan.plan["amount"]), plan.plan["unit"]) == ("top_up", amount, "USDT")


@pytest.mark.parametrize(
    ("per_transfer", "per_day", "funds", "amounts"),
    [
        (1000, 50_000, 100_000, [D(1000)]),  # until pictures show it no more is moved: the rest is cut
        (None, 700, 100_000, [D(700)]),
        (None, 50_000, 300, [D(300)]),
        (None, 50_000, "123.456", [D("123.45")]),
        (None, 50_000, 0, []),
        (None, "0.005", 100_000, []),
    ],
)
async def test_what_moves_is_bounded_by_transfer_day_and_wallet_and_the_rest_is_cut(
    rich: Open, per_transfer: object, per_day: object, funds: object, amounts: list[Decimal]
) -> None:
    desk = rich(per_day, per_transfer, funds=funds)
    await desk.run()
    desk.fall_to("0.95")
    await desk.watch(30)

    assert moved(desk) == amounts
    assert len(desk.received()) == 1
    assert desk.utilization() <= D("0.60")


async def test_a_currency_without_a_daily_cap_never_moves(
    open_desk: Open, venue_of: Callable[..., Any], spec: Callable[..., Any]
) -> None:
    desk = open_desk(engine=venue_of(spec(funding={"USDT": D(100_000)})))
    desk.fall_to("0.95")
    await desk.watch(20)

    assert moved(desk) == []
    assert "fetch_funding_balance" not in desk.line.log


async def test_the_daily_cap_counts_24_hours_over_every_episode_and_restart(rich: Open) -> None:
    desk = rich(per_day=3000, policy=MarginPolicy(limits=ReductionLimits(top_ups_per_episode=5)))
    for _ in range(3):
        desk.fall_to("0.95")
        await desk.watch(20)
        desk.restart()
        await desk.watch(5)
    assert sum(moved(desk)) == 3000

    desk.clock.turn(timedelta(hours=24, minutes=1).total_seconds())
    desk.fall_to("0.95")
    await desk.watch(20)
    assert 3000 < sum(moved(desk)) <= 6000


@pytest.mark.parametrize("fate", [Fate.ANSWER_LOST, Fate.NEVER_ARRIVED])
async def test_a_transfer_without_a_verdict_is_never_sent_again_and_counts_as_moved(
    rich: Open, fate: Fate
) -> None:
    desk = rich(per_day=2000)
    desk.venue.mishaps.doom_write(fate)
    desk.venue.mishaps.fail_read(VenueUnavailable("down"), call="find_transfer", times=10_000)
    await desk.run()
    desk.fall_to("0.95")
    await desk.watch(60)

    (transfer,) = transfers(desk)
    assert (transfer.state, transfer.amount) == (S.UNKNOWN, D(2000))
    assert moved(desk) == ([D(2000)] if fate is Fate.ANSWER_LOST else [])
    assert desk.utilization() <= D("0.60")  # the rest was cut meanwhile
    assert len(desk.received()) == 1
    assert desk.journal.transfers.total_since(desk.account, "USDT", desk.clock.now() - timedelta(1)) == 2000
    assert await desk.cycle._top_up.funds("USDT") is None


async def test_a_lost_answer_is_found_and_adopted(rich: Open) -> None:
    desk = rich()
    desk.venue.mishaps.doom_write(Fate.ANSWER_LOST)
    await desk.run()
    desk.fall_to("0.95")
    await desk.watch(20)

    (transfer,) = transfers(desk)
    assert transfer.state is S.COMPLETED
    assert moved(desk) == [transfer.amount]
    assert desk.received() == []


def test_a_venue_that_does_not_answer_for_a_transfer_delays_the_cut_by_a_moment_only(
    virtual: asyncio.Runner, rich: Open
) -> None:
    desk = rich(per_day=2000, loop=virtual.get_loop())
    desk.venue.mishaps.doom_write(Fate.ANSWER_LOST)
    desk.line.latency_ms["find_transfer"] = 60_000
    virtual.run(desk.run())
    desk.fall_to("0.95")
    virtual.run(desk.watch(5))

    assert desk.utilization() <= D("0.60")
    assert desk.line.log.count("find_transfer") == 1
    assert transfers(desk)[0].state is S.UNKNOWN

    virtual.run(desk.watch(60))
    assert transfers(desk)[0].state is S.COMPLETED
    assert moved(desk) == [D(2000)]


async def test_a_transfer_nobody_ever_finds_is_called_absent_after_a_while_and_counts_no_more(
    rich: Open,
) -> None:
    desk = rich(per_day=3000)
    desk.venue.mishaps.doom_write(Fate.NEVER_ARRIVED)
    await desk.run()
    desk.fall_to("0.95")
    await desk.watch(FORGET_AFTER.total_seconds() - 5)
    assert transfers(desk)[0].state is S.UNKNOWN

    await desk.watch(20)
    assert transfers(desk)[0].state is S.ABSENT
    assert await desk.cycle._top_up.funds("USDT") == 3000


def late(desk: Desk) -> list[tuple[str, str]]:
    """The alarms for transfers that did not arrive, with what they say of them."""
    told = [event for event in desk.events() if event.kind.startswith("transfer_late")]
    return [(event.kind, event.message.rpartition(": ")[2]) for event in told]


async def test_a_transfer_that_does_not_arrive_is_alarmed_once_until_it_is_found(
    rich: Open, log: io.StringIO
) -> None:
    desk = rich(per_day=2000)
    desk.venue.mishaps.doom_write(Fate.ANSWER_LOST)

    def nobody_knows(call: str, _moment: str, _arguments: object) -> None:
        if call == "find_transfer":
            raise VenueUnavailable("down")

    desk.line.at = nobody_knows
    await desk.run()
    desk.fall_to("0.95")
    await desk.watch(LATE_AFTER.total_seconds() - 5)
    assert late(desk) == []
    await desk.watch(10)
    assert late(desk) == [("transfer_late", UNKNOWN)]
    (event,) = desk.events("transfer_late")
    assert (event.reason, event.detail["amount"], event.episode) == ("transfer_late", "2000", 1)
    for _ in range(3):
        desk.restart()
        await desk.watch(20)
    assert log.getvalue().count('"event": "transfer_late"') == len(late(desk)) == 1

    desk.line.at = lambda *_: None
    await desk.watch(5)
    assert late(desk)[1:] == [("transfer_late_resolved", "it has arrived")]
    assert desk.journal.latches.of(desk.account) == ()
    assert moved(desk) == [D(2000)]
    await desk.watch(90)
    assert len(late(desk)) == 2


async def test_the_alarm_for_one_that_never_was_says_so(rich: Open) -> None:
    desk = rich(per_day=3000)
    desk.venue.mishaps.doom_write(Fate.NEVER_ARRIVED)
    await desk.run()
    desk.fall_to("0.95")
    await desk.watch(FORGET_AFTER.total_seconds() + 20)
    assert late(desk) == [("transfer_late", UNKNOWN), ("transfer_late_resolved", "the venue never had it")]


async def test_a_refused_transfer_makes_room_for_the_cut(rich: Open) -> None:
    desk = rich()
    desk.engine.controls.transfers_blocked = True
    await desk.run()
    desk.fall_to("0.95")
    await desk.watch(20)

    assert [(t.state, t.code) for t in transfers(desk)] == [(S.REJECTED, "transfer_blocked")]
    assert len(desk.received()) == 1
    assert desk.utilization() <= D("0.60")


async def test_a_funding_wallet_that_cannot_be_read_makes_room_for_the_cut(rich: Open) -> None:
    desk = rich()
    desk.venue.mishaps.fail_read(VenueUnavailable("down"), call="fetch_funding_balance", times=10_000)
    await desk.run()
    desk.fall_to("0.95")
    outcome = await desk.run()

    assert outcome.doing == "reduce"
    assert moved(desk) == []


async def test_the_caps_hold_when_the_transfer_is_written_whatever_was_decided(rich: Open) -> None:
    desk = rich(per_day=100, per_transfer=60)
    top_up = TopUp(broker=desk.line, journal=desk.journal, clock=desk.clock, caps=desk.caps)

    assert top_up.amount("USDT", D(1000)) == 60
    assert top_up.amount("USD", D("10.001")) == D("10.01")
    assert top_up.amount("BTC", D(1)) == 0


async def test_the_same_place_of_an_episode_cannot_be_written_twice(rich: Open) -> None:
    desk = rich()
    top_up = TopUp(broker=desk.line, journal=desk.journal, clock=desk.clock, caps=desk.caps)
    with desk.journal.transaction():
        top_up.write_down("USDT", D(10), episode=1, step=0)
    with pytest.raises(IntentExists), desk.journal.transaction():
        top_up.write_down("USDT", D(10), episode=1, step=0)


@pytest.mark.parametrize(
    ("unit", "currency"), [("USDT", "USDT"), ("USD", "USDC"), ("USDC", "USDC"), ("BTC", None)]
)
def test_dollars_of_any_kind_go_into_a_unit_in_dollars(unit: str, currency: str | None) -> None:
    caps = TopUpCaps(per_day={"USDC": D(5), "USDT": D(5)} if unit != "USD" else {"USDC": D(5)})
    assert caps.currency_for(unit) == currency


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("fate", [None, Fate.ANSWER_LOST, Fate.NEVER_ARRIVED])
@pytest.mark.parametrize("point", range(1, 13))
async def test_a_kill_at_any_point_of_a_top_up_never_moves_money_twice(
    rich: Open, fate: Fate | None, point: int
) -> None:
    desk = rich(per_day=2000)
    if fate is not None:
        desk.venue.mishaps.doom_write(fate)
    desk.fall_to("0.95")
    seen = 0

    def count(*moment: object) -> None:
        nonlocal seen
        if len(moment) == 1 or moment[0] in {"transfer_in", "submit"}:
            seen += 1
        if seen >= point:
            raise Killed

    desk.line.at = desk.at_commit = count
    try:
        await desk.watch(20)
    except Killed:
        desk.line.at = desk.at_commit = lambda *_: None
        desk.restart()
        await desk.watch(60)

    assert sum(moved(desk)) in {0, 2000}
    assert len(transfers(desk)) <= 2
    assert D("0.55") < desk.utilization() <= D("0.60")
    assert len({order.client_id for order in desk.received()}) == len(desk.received())
