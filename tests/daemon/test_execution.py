"""Sending an approved plan, order by order, with the journal one step ahead of the venue."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import VenueUnavailable
from brokers.models import OrderSide, PositionMode, Side
from brokers.orders import OrderReport, OrderState, Verdict
from brokers.sandbox.mishaps import Fate
from brokers.sandbox.orders import OrderType, TimeInForce
from brokers.sandbox.spec import BookShape
from daemon.execution import Execution, Ticket
from daemon.risk.assessment import assess
from daemon.risk.guard import ApprovedPlan, History, approve
from daemon.risk.policy import Action
from daemon.risk.reason import Reason
from daemon.risk.reduction import plan_reduction
from database.errors import JournalBusy, JournalMisuse
from database.ids import client_order_id, is_own_order
from database.records import Intent, IntentKind, IntentState, Plan, PlanState

Desk = Any  # the fixture's type lives in conftest
D = Decimal
S = IntentState


def approved(desk: Desk, action: Action = Action.FLATTEN, *, step: int = 0) -> tuple[ApprovedPlan, Any]:
    """Plan and approve an action on the account as it is."""
    snapshot = desk.venue_snapshot()
    assessment = assess(snapshot, desk.policy, desk.venue.venue_now(), None)
    planned = plan_reduction(assessment, snapshot, "USDT", desk.policy, step=step, action=action)
    checked = approve(
        planned,
        snapshot=snapshot,
        assessment=assessment,
        policy=desk.policy,
        history=History(orders_last_minute=0, steps_in_episode=step),
        now=desk.venue.venue_now(),
    )
    assert isinstance(checked, ApprovedPlan), checked
    return checked, snapshot


def write_down(
    desk: Desk, execution: Execution, action: Action = Action.FLATTEN, *, step: int = 0
) -> tuple[Ticket, ...]:
    """Journal a plan with its intents, as the ladder does."""
    checked, snapshot = approved(desk, action, step=step)
    plan = Plan(
        plan_id=f"plan-{len(desk.plans())}",
        account=desk.account,
        decided_at=desk.clock.now(),
        decision=action.value,
        reason="above_target",
        mode="enforce",
        config_hash="c",
        state=PlanState.APPROVED,
    )
    with desk.journal.transaction():
        desk.journal.plans.add(plan)
        return execution.write_down(
            checked, snapshot, plan_id=plan.plan_id, episode=1, step=step, reason=Reason.ABOVE_TARGET
        )


@pytest.fixture
def triple(
    open_desk: Callable[..., Desk],
    venue_of: Callable[..., Any],
    spec: Callable[..., Any],
    opening: Callable[..., Any],
) -> Desk:
    """An account with three positions of 20,000 each, so that a plan has three orders."""
    positions = (opening("X-USDT", 200), opening("Y-USDT", 100), opening("Z-USDT", 400, Side.SHORT))
    return open_desk(engine=venue_of(spec(positions=positions)))


@pytest.fixture
def execution(triple: Desk) -> Execution:
    return Execution(broker=triple.line, journal=triple.journal, clock=triple.clock)


def states(intents: Sequence[Intent]) -> list[IntentState]:
    return [intent.state for intent in intents]


async def test_every_order_of_a_plan_is_sent_once_and_its_fill_recorded(
    triple: Desk, execution: Execution
) -> None:
    done = await execution.send(write_down(triple, execution))

    assert states(done) == [S.FILLED] * 3
    assert [o.client_id for o in triple.received()] == [intent.intent_id for intent in done]
    assert {intent.symbol: (intent.kind, intent.filled) for intent in done} == {
        "X-USDT": (IntentKind.FLATTEN, D(200)),
        "Y-USDT": (IntentKind.FLATTEN, D(100)),
        "Z-USDT": (IntentKind.FLATTEN, D(400)),
    }
    assert {order.symbol: order.side for order in triple.received()} == {
        "X-USDT": OrderSide.SELL,
        "Y-USDT": OrderSide.SELL,
        "Z-USDT": OrderSide.BUY,
    }
    assert triple.venue_snapshot().positions == ()
    assert triple.intents() == list(done)


async def test_orders_are_reduce_only_immediate_and_dead_after_the_venues_time_to_live(
    triple: Desk, execution: Execution
) -> None:
    before = triple.engine.now_ms
    await execution.send(write_down(triple, execution))

    for order in triple.received():
        assert order.reduce_only
        assert (order.type, order.time_in_force) == (OrderType.LIMIT, TimeInForce.IOC)
        assert order.deadline_ms == before + 5000
    assert [i.deadline - i.created_at for i in triple.intents()] == [timedelta(seconds=5)] * 3


async def test_ids_are_a_pure_function_of_the_place_in_the_episode(
    triple: Desk, execution: Execution
) -> None:
    tickets = write_down(triple, execution)

    for ticket in tickets:
        intent = ticket.intent
        assert is_own_order(intent.intent_id)
        assert intent.intent_id == client_order_id(
            triple.journal.install.install_id,
            account=triple.account,
            symbol=intent.symbol,
            side=intent.side,
            margin_mode="cross",
            episode=1,
            step=0,
            attempt=1,
        )
    again = write_down(triple, execution)
    assert [ticket.intent.attempt for ticket in again] == [2, 2, 2]
    assert not {t.intent.intent_id for t in again} & {t.intent.intent_id for t in tickets}


async def test_when_an_order_reaches_the_venue_the_disk_holds_it_as_sent(
    triple: Desk, execution: Execution
) -> None:
    on_disk: list[dict[str, str]] = []

    def read_the_disk(call: str, moment: str, arguments: Sequence[Any]) -> None:
        if (call, moment) != ("submit", "leaves"):
            return
        with closing(sqlite3.connect(f"file:{triple.folder}/journal.db?mode=ro", uri=True)) as other:
            rows = dict(other.execute("SELECT symbol, state FROM intents").fetchall())
            (state,) = other.execute(
                "SELECT state FROM intents WHERE intent_id = ?", [arguments[0].client_order_id]
            ).fetchone()
            (plans,) = other.execute("SELECT count(*) FROM plans").fetchone()
        assert (state, plans) == ("sent", 1)
        on_disk.append(rows)

    triple.line.at = read_the_disk
    done = await execution.send(write_down(triple, execution))

    first, second, third = (intent.symbol for intent in done)
    assert on_disk == [
        {first: "sent", second: "planned", third: "planned"},
        {first: "filled", second: "sent", third: "planned"},
        {first: "filled", second: "filled", third: "sent"},
    ]


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_an_answer_without_a_verdict_abandons_the_rest_unsent(
    triple: Desk, execution: Execution, place: int
) -> None:
    tickets = write_down(triple, execution)

    def lose_one(call: str, moment: str, arguments: Sequence[Any]) -> None:
        mine = arguments and getattr(arguments[0], "client_order_id", None)
        if (call, moment, mine) == ("submit", "leaves", tickets[place].intent.intent_id):
            triple.venue.mishaps.doom_write(Fate.ANSWER_LOST)

    triple.line.at = lose_one
    done = await execution.send(tickets)

    assert states(done) == [S.FILLED] * place + [S.UNKNOWN] + [S.ABANDONED] * (2 - place)
    assert len(triple.received()) == place + 1
    assert triple.intents() == list(done)
    assert triple.journal.intents.open(triple.account) == (done[place],)


async def test_a_proved_rejection_does_not_stop_the_others(triple: Desk, execution: Execution) -> None:
    tickets = write_down(triple, execution)
    triple.engine.controls.halted.add(tickets[0].intent.symbol)
    done = await execution.send(tickets)

    assert states(done) == [S.REJECTED, S.FILLED, S.FILLED]
    assert done[0].code == "halted"
    assert done[0].filled is None


async def test_an_id_the_venue_holds_already_is_looked_up_and_adopted_not_sent_again(
    triple: Desk, execution: Execution
) -> None:
    tickets = write_down(triple, execution)
    await triple.venue.submit(tickets[0].order)  # a twin, or our own request that came late
    done = await execution.send(tickets)

    assert states(done) == [S.UNKNOWN, S.ABANDONED, S.ABANDONED]
    settled = await triple.cycle._settlement.settle()
    assert states(settled) == [S.FILLED]
    assert settled[0].filled == tickets[0].intent.quantity
    assert len(triple.received()) == 2  # the twin's and ours, refused
    assert len(triple.fills()) == 1


async def test_a_partial_fill_is_recorded_as_what_it_is(
    open_desk: Callable[..., Desk], venue_of: Callable[..., Any]
) -> None:
    thin = BookShape(half_spread=D("0.0001"), level_spacing=D("0.002"), level_notional=D(10_000), levels=3)
    desk = open_desk(engine=venue_of(book=thin))
    execution = Execution(broker=desk.line, journal=desk.journal, clock=desk.clock)
    (intent,) = await execution.send(write_down(desk, execution))

    (fill, *rest) = desk.fills()
    assert intent.state is S.CANCELLED
    assert intent.code == "ioc_remainder"
    assert intent.filled == sum((one.quantity for one in rest), fill.quantity)
    assert 0 < intent.filled < 500
    assert desk.held() == 500 - intent.filled


async def test_slippage_is_the_distance_to_the_mark_and_the_fee_is_apart(
    open_desk: Callable[..., Desk],
    venue_of: Callable[..., Any],
    spec: Callable[..., Any],
    opening: Callable[..., Any],
) -> None:
    positions = (opening("X-USDT", 200), opening("Z-USDT", 400, Side.SHORT))
    book = BookShape(half_spread=D("0.001"), level_spacing=D("0.0001"), level_notional=D(1_000_000), levels=3)
    engine = venue_of(spec(positions=positions), book=book, instrument={"taker_fee": D("0.0005")})
    desk = open_desk(engine=engine)
    execution = Execution(broker=desk.line, journal=desk.journal, clock=desk.clock)
    sent = {i.symbol: i for i in await execution.send(write_down(desk, execution))}

    # X: sold at 100 x (1 - 0.001) = 99.90: 0.10 below mark on 200, and 0.05 % of 19,980
    assert (sent["X-USDT"].average_price, sent["X-USDT"].fee) == (D("99.90"), D("9.99"))
    assert sent["X-USDT"].slippage == D("20.00")
    # Z: bought at 50 x (1 + 0.001) = 50.05: 0.05 above mark on 400, and 0.05 % of 20,020
    assert (sent["Z-USDT"].average_price, sent["Z-USDT"].fee) == (D("50.05"), D("10.01"))
    assert sent["Z-USDT"].slippage == D("20.00")


async def test_an_order_that_was_not_filled_has_no_slippage(triple: Desk, execution: Execution) -> None:
    tickets = write_down(triple, execution)
    triple.engine.controls.halted.update(ticket.intent.symbol for ticket in tickets)
    done = await execution.send(tickets)

    assert [intent.slippage for intent in done] == [None] * 3


class Acknowledging:
    """A venue whose answer to an order says no more than that it has it, as Bybit's does."""

    def __init__(self, line: Any, *, silent_lookups: int = 0, failing: bool = False) -> None:  # noqa: ANN401
        self._line = line
        self._silent = silent_lookups
        self._failing = failing

    def __getattr__(self, name: str) -> Callable[..., object]:
        return getattr(self._line, name)

    async def submit(self, order: Any) -> Any:  # noqa: ANN401 - the port's own types
        report = await self._line.submit(order)
        kept = {"client_order_id", "symbol", "verdict", "order_id"}
        return type(report)(**{name: getattr(report, name) for name in kept})

    async def find_order(self, client_order_id: str, symbol: str) -> Any:  # noqa: ANN401
        self._silent -= 1
        if self._failing:
            raise VenueUnavailable("down")
        return None if self._silent >= 0 else await self._line.find_order(client_order_id, symbol)


class Empty(Acknowledging):
    """A venue that calls an immediate order that met nobody a rejection, as Kraken does."""

    async def submit(self, order: Any) -> Any:  # noqa: ANN401 - the port's own types
        named = {"client_order_id": order.client_order_id, "symbol": order.symbol}
        over = {"state": OrderState.CANCELLED, "filled": D(0), "code": "iocWouldNotExecute"}
        return OrderReport(verdict=Verdict.REJECTED, **named, **over)


async def test_a_rejection_that_only_found_nobody_is_a_miss_and_no_refusal(triple: Desk) -> None:
    execution = Execution(broker=Empty(triple.line), journal=triple.journal, clock=triple.clock)
    done = await execution.send(write_down(triple, execution))

    assert states(done) == [S.CANCELLED] * 3
    assert [(intent.filled, intent.code) for intent in done] == [(0, "iocWouldNotExecute")] * 3


async def test_what_an_acknowledged_order_filled_is_looked_up(triple: Desk) -> None:
    broker = Acknowledging(triple.line, silent_lookups=2)
    execution = Execution(broker=broker, journal=triple.journal, clock=triple.clock)
    done = await execution.send(write_down(triple, execution))

    assert states(done) == [S.FILLED] * 3
    assert all(intent.filled == intent.quantity for intent in done)
    assert all(intent.slippage is not None for intent in done)
    assert len(triple.received()) == 3


async def test_an_acknowledged_order_that_nobody_can_find_stays_open(triple: Desk) -> None:
    broker = Acknowledging(triple.line, failing=True)
    execution = Execution(broker=broker, journal=triple.journal, clock=triple.clock)
    done = await execution.send(write_down(triple, execution))

    assert states(done) == [S.ACCEPTED] * 3
    assert {i.intent_id for i in triple.journal.intents.open(triple.account)} == {i.intent_id for i in done}


async def test_stop_in_the_middle_of_a_step_records_what_left_and_abandons_the_rest(
    triple: Desk, execution: Execution
) -> None:
    tickets = write_down(triple, execution)

    def stop(call: str, moment: str, _arguments: object) -> None:
        if (call, moment) == ("submit", "answered"):
            execution.stop()

    triple.line.at = stop
    done = await execution.send(tickets)

    assert states(done) == [S.FILLED, S.ABANDONED, S.ABANDONED]
    assert len(triple.received()) == 1


async def test_intents_outside_a_transaction_are_refused(triple: Desk, execution: Execution) -> None:
    checked, snapshot = approved(triple)
    with pytest.raises(JournalMisuse):
        execution.write_down(checked, snapshot, plan_id="p", episode=1, step=0, reason=Reason.ABOVE_TARGET)
    assert triple.intents() == []


async def test_a_journal_that_refuses_the_record_stops_before_the_next_order(
    triple: Desk, execution: Execution
) -> None:
    tickets = write_down(triple, execution)
    with closing(
        sqlite3.connect(triple.folder / "journal.db", isolation_level=None, check_same_thread=False)
    ) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalBusy):
            await execution.send(tickets)
        other.execute("ROLLBACK")

    assert len(triple.received()) == 1
    assert states(triple.intents()) == [S.SENT, S.PLANNED, S.PLANNED]


@pytest.fixture
def hedged(
    open_desk: Callable[..., Desk],
    venue_of: Callable[..., Any],
    spec: Callable[..., Any],
    opening: Callable[..., Any],
) -> Desk:
    """A hedge of 400 against 400 in one symbol, and its execution."""
    positions = (opening("X-USDT", 400), opening("X-USDT", 400, Side.SHORT))
    return open_desk(engine=venue_of(spec(positions=positions, position_mode=PositionMode.HEDGE)))


@pytest.mark.parametrize("fraction", ["0", "0.5"])
async def test_the_second_leg_of_a_hedge_stays_when_the_first_did_not_fill_whole(
    hedged: Desk, fraction: str
) -> None:
    execution = Execution(broker=hedged.line, journal=hedged.journal, clock=hedged.clock)
    tickets = write_down(hedged, execution)
    assert [ticket.group for ticket in tickets] == [tickets[0].group] * 2
    assert tickets[0].group is not None
    hedged.engine.controls.fill_fraction = D(fraction)
    done = await execution.send(tickets)

    assert len(hedged.received()) == 1
    assert states(done)[1] is S.ABANDONED
    assert abs(hedged.held()) == 400 * D(fraction)


async def test_both_legs_of_a_hedge_go_when_the_first_filled(hedged: Desk) -> None:
    execution = Execution(broker=hedged.line, journal=hedged.journal, clock=hedged.clock)
    done = await execution.send(write_down(hedged, execution))
    assert states(done) == [S.FILLED] * 2
    assert hedged.venue_snapshot().positions == ()
