"""Days in the life of one account: an honest market, a venue that sometimes lies, and the whole floor."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from brokers.models import AccountSnapshot, Position, Side
from daemon.risk.alarm import Alarm
from daemon.risk.answer import Act, Confirm, Context, Decision, Hold, Rung, RungState, sentence
from daemon.risk.breakers import Conduct, tripped
from daemon.risk.decision import decide
from daemon.risk.guard import ApprovedPlan, History, approve
from daemon.risk.plan import first_step
from daemon.risk.policy import Action, MarginPolicy, Mode, ReductionLimits
from daemon.risk.reason import Reason
from daemon.risk.reduction import Infeasible, PlannedOrder, plan_reduction
from tests.depth import examples

D = Decimal
BUILD = Any
POLICY = MarginPolicy(max_leverage=D(8), limits=ReductionLimits(market_every=3))
LIES = ["no positions", "equity zero", "all zero", "stale", "figure missing", "timeout", "future"]
RATES = {"BTCUSDT": ("0.1", "0.05"), "ETHUSDT": ("0.15", "0.08")}
HEDGE = "BTCUSDT hedge"
LEGS = ["BTCUSDT", HEDGE, "ETHUSDT"]
GIVES_UP = {
    Reason.REDUCING_CANNOT_HELP,
    Reason.NO_POSITIONS,
    Reason.STEP_BUDGET,
    Reason.NOTHING_ORDERABLE,
    Reason.DUST,
}


class Account(RuleBasedStateMachine):
    """A cross account at 5x, watched, de-levered, and interfered with."""

    def __init__(self, build: BUILD) -> None:
        super().__init__()
        self.build = build
        self.watch = build.watch(POLICY)
        self.now = 0.0
        self.cash = D(7_500)
        self.held = {
            "BTCUSDT": (Side.LONG, D("0.6"), D(50_000)),
            HEDGE: (Side.SHORT, D("0.2"), D(50_000)),
            "ETHUSDT": (Side.SHORT, D("4"), D(3_000)),
        }
        self.resting: set[str] = set()
        self.marks = {"BTCUSDT": D(50_000), "ETHUSDT": D(3_000)}
        self.sent: list[float] = []
        self.steps = 0
        self.cancellable = 2
        self.unsettled = False
        self.halted = False
        self.mode = Mode.ENFORCE
        self.flattening: frozenset[str] = frozenset()
        self.honest = True
        self.decision: Decision | None = None
        self.sightings: list[float] = []
        self.seen_twice = 0
        self.cycle(0)  # the first faultless picture is believed, whatever it shows

    def snapshot(self) -> AccountSnapshot:
        rows = [
            self.build.Row(
                symbol=symbol_of(leg),
                side=side,
                quantity=str(quantity),
                mark=str(self.marks[symbol_of(leg)]),
                entry=str(entry),
                initial=RATES[symbol_of(leg)][0],
                maintenance=RATES[symbol_of(leg)][1],
                hedged=symbol_of(leg) == "BTCUSDT",
            )
            for leg, (side, quantity, entry) in self.held.items()
        ]
        pnl = sum((row.pnl for row in rows), D(0))
        return self.build.book(self.cash + pnl, rows, seconds=self.now)

    def lie(self, kind: str) -> AccountSnapshot | None:
        truth = self.snapshot()
        unit = truth.units[0]
        zeros = dict.fromkeys(("margin_equity", "initial_margin", "maintenance_margin"), D(0))
        match kind:
            case "no positions":
                return replace(truth, positions=())
            case "equity zero":
                return replace(truth, units=(replace(unit, margin_equity=D(0)),))
            case "all zero":
                empty = replace(unit, **zeros, available_margin=D(0), wallet_balance=D(0))
                return replace(truth, positions=(), units=(empty,))
            case "stale":
                return replace(truth, as_of=self.build.at(self.now - 7))
            case "figure missing":
                return replace(truth, units=(replace(unit, maintenance_margin=None),))
            case "future":
                return replace(truth, as_of=self.build.at(self.now + 3))
        return None

    def context(self, *rungs: Rung) -> Context:
        return Context(
            halted=self.halted,
            unsettled=self.unsettled,
            rungs=rungs,
            cancellable_orders=self.cancellable,
            trips=tripped(
                Conduct(orders_last_minute=self.orders_last_minute),
                None,
                POLICY.limits,
                self.build.at(self.now),
            ),
            steps={"account": self.steps},
            episodes_last_hour=1,
            flattening=self.flattening,
        )

    @property
    def orders_last_minute(self) -> int:
        return sum(1 for moment in self.sent if moment > self.now - 60)

    @property
    def in_danger(self) -> bool:
        """The ladder's last rung by the plainest arithmetic, from what is really held."""
        unit = self.snapshot().units[0]
        used, needed, equity = unit.initial_margin, unit.maintenance_margin, unit.margin_equity
        over_used = used > 0 and used >= D("0.9") * equity
        return over_used or (needed > 0 and needed >= D("0.8") * equity)

    @property
    def at_target(self) -> bool:
        unit = self.snapshot().units[0]
        used, needed, equity = unit.initial_margin, unit.maintenance_margin, unit.margin_equity
        return used <= D("0.6") * equity and needed <= D("0.4") * equity

    def cycle(self, after: float, *, lie: str | None = None, fate: str = "filled") -> None:
        self.now += after
        shown = self.snapshot() if lie is None else self.lie(lie)
        self.honest = lie is None
        if self.honest and self.in_danger:
            self.sightings.append(self.now)
        self.watch.flattening = self.flattening
        if shown is None:
            self.watch.blind(self.now)
        else:
            self.watch.show(shown)
            if self.watch.assessment.actionable and not shown.positions:
                self.flattening = frozenset()
        observed = self.watch.assessment if self.watch.seen else None
        if observed is None:
            self.decision = self.watch.decide(self.mode)
            return
        self.decision = decide(self.watch.alarm, observed, POLICY, self.mode, self.context())
        if isinstance(self.decision, Act):
            self.act(self.decision, shown, fate)

    def act(self, act: Act, shown: AccountSnapshot, fate: str, *rungs: Rung) -> None:
        assert self.honest, f"acted on a lie: {sentence(act)}"
        assert not self.halted
        assert not self.unsettled
        assert self.mode is Mode.ENFORCE
        if act.action is Action.CANCEL_ORDERS:
            self.cancellable = 0
            return
        assert self.watch.alarm.episode is not None
        assert act.action in {Action.REDUCE, Action.FLATTEN}
        if self.watch.alarm.episode.number != self.seen_twice:
            self.seen_twice = self.watch.alarm.episode.number
            recent = [moment for moment in self.sightings if moment > self.now - 60]
            assert len(recent) > 1, "acted on the first sight of danger"
        if act.action is Action.FLATTEN:
            self.flattening = frozenset({"account"})
        judged = self.watch.assessment
        resting = [position.key for position in shown.positions if self.leg_of(position) in self.resting]
        plan = plan_reduction(
            judged, shown, "account", POLICY, step=self.steps, action=act.action, excluded=resting
        )
        if isinstance(plan, Infeasible):
            over = Rung(unit="account", action=act.action, state=RungState.EXHAUSTED, reason=plan.reason)
            self.decision = decide(self.watch.alarm, judged, POLICY, self.mode, self.context(*rungs, over))
            if isinstance(self.decision, Act):
                self.act(self.decision, shown, fate, *rungs, over)
            return
        if act.single:
            plan = first_step(plan)
        verdict = approve(
            plan,
            snapshot=shown,
            assessment=judged,
            policy=POLICY,
            history=History(
                orders_last_minute=self.orders_last_minute,
                steps_in_episode=self.steps,
                single_step=act.single,
            ),
            now=self.build.at(self.now),
        )
        assert isinstance(verdict, ApprovedPlan), verdict
        assert plan.action is act.action
        self.steps, self.cancellable = self.steps + 1, 1
        net, filled = abs(self.net), D(0)
        for order in verdict.plan.orders:
            tied = order.group is not None and order is not verdict.plan.orders[order.group]
            most = filled if tied else order.quantity
            filled = self.send(order, fate, most) if most > 0 else D(0)
        assert abs(self.net) <= net or fate != "filled", "a hedge was bared"
        if plan.reaches_target and fate == "filled":
            assert self.at_target or not self.held

    @property
    def net(self) -> Decimal:
        """Longs less shorts of the coin that is hedged."""
        return sum(
            (quantity if side is Side.LONG else -quantity)
            for leg, (side, quantity, _) in self.held.items()
            if symbol_of(leg) == "BTCUSDT"
        ) + D(0)

    def leg_of(self, position: Position) -> str:
        return next(
            leg
            for leg, (side, _, _) in self.held.items()
            if (symbol_of(leg), side) == (position.symbol, position.side)
        )

    def send(self, order: PlannedOrder, fate: str, most: Decimal) -> Decimal:
        symbol, leg = order.position.symbol, self.leg_of(order.position)
        side, quantity, entry = self.held[leg]
        assert leg not in self.resting
        assert 0 < order.quantity <= quantity
        self.sent.append(self.now)
        self.unsettled = fate == "unknown"
        filled = min(order.quantity, most)
        if fate == "nothing":
            filled = D(0)
        elif fate in {"half", "unknown"}:
            filled = (filled / 2).quantize(D("0.001"))
        sign = 1 if side is Side.LONG else -1
        self.cash += sign * filled * (self.marks[symbol] - entry)
        self.cash -= filled * self.marks[symbol] * POLICY.limits.cost_rate
        if quantity == filled:
            del self.held[leg]
        else:
            self.held[leg] = (side, quantity - filled, entry)
        return filled

    @rule(
        after=st.sampled_from([0.05, 0.4, 1.0, 2.0, 20.0]),
        fate=st.sampled_from(["filled", "filled", "half", "nothing", "unknown"]),
    )
    def good_cycle(self, after: float, fate: str) -> None:
        self.cycle(after, fate=fate)

    @rule()
    def the_market_falls(self) -> None:
        """The long loses until the account is in danger, seen or unseen."""
        while self.held.get("BTCUSDT") and not self.in_danger and self.marks["BTCUSDT"] > 1_000:
            self.price_moves("BTCUSDT", -2)
        self.cycle(2.0)

    @rule(kind=st.sampled_from(LIES), after=st.sampled_from([0.4, 2.0]), times=st.integers(1, 4))
    def bad_cycles(self, kind: str, after: float, times: int) -> None:
        for _ in range(times):
            self.cycle(after, lie=kind)

    @rule(symbol=st.sampled_from(sorted(RATES)), percent=st.sampled_from([-9, -6, -3, -1, 2, 5, 12]))
    def price_moves(self, symbol: str, percent: int) -> None:
        self.marks[symbol] = (self.marks[symbol] * (100 + percent) / 100).quantize(D("0.1"))

    @rule(leg=st.sampled_from(LEGS), factor=st.sampled_from(["0.5", "1.5", "3"]))
    def human_trades(self, leg: str, factor: str) -> None:
        if leg in self.held:
            side, quantity, _ = self.held[leg]
            traded = max((quantity * D(factor)).quantize(D("0.001")), D("0.001"))
            self.cash += self.pnl_of(leg)
            self.held[leg] = (side, traded, self.marks[symbol_of(leg)])

    def pnl_of(self, leg: str) -> Decimal:
        side, quantity, entry = self.held[leg]
        return (1 if side is Side.LONG else -1) * quantity * (self.marks[symbol_of(leg)] - entry)

    @rule(legs=st.sets(st.sampled_from(LEGS), max_size=2))
    def some_rest(self, legs: set[str]) -> None:
        self.resting = legs

    @rule(amount=st.integers(min_value=-1500, max_value=3000))
    def human_transfers(self, amount: int) -> None:
        self.cash += amount

    @rule()
    def the_verdict_arrives(self) -> None:
        self.unsettled = False

    @rule(
        mode=st.sampled_from([Mode.ENFORCE] * 4 + [Mode.ADVISE, Mode.OBSERVE]),
        halted=st.sampled_from([False, False, False, True]),
    )
    def operator_decides(self, mode: Mode, *, halted: bool) -> None:
        self.mode, self.halted = mode, halted

    @rule()
    def restart(self) -> None:
        before = self.watch.alarm
        self.watch.alarm = Alarm.from_json(json.loads(json.dumps(before.to_json())))
        self.watch.assessment = None
        assert self.watch.alarm == before
        self.cycle(2.0)

    @rule()
    def left_alone_it_comes_to_rest(self) -> None:
        """An honest venue, an armed daemon and a quiet market: danger does not last."""
        self.mode, self.halted, self.unsettled = Mode.ENFORCE, False, False
        self.resting = set()
        if self.watch.alarm.episode is None:
            self.steps = 0
        for _ in range(60):
            self.cycle(2.0)
        if self.watch.alarm.episode is None and not self.in_danger:
            return
        assert isinstance(self.decision, Hold), sentence(self.decision)
        assert self.decision.reason in GIVES_UP, sentence(self.decision)

    @invariant()
    def the_standing_is_sound(self) -> None:
        alarm = self.watch.alarm
        for unit in alarm.units:
            assert unit.confirmed <= unit.level
            assert not unit.in_episode or alarm.episode is not None
        if self.watch.seen:
            assert alarm.level >= self.watch.assessment.level

    @invariant()
    def a_second_read_is_never_far(self) -> None:
        if isinstance(self.decision, Confirm):
            assert self.decision.after.total_seconds() <= 1

    @invariant()
    def an_episode_that_is_over_resets_the_budget(self) -> None:
        if self.watch.alarm.episode is None:
            self.steps = 0


def symbol_of(leg: str) -> str:
    return leg.removesuffix(" hedge")


@pytest.mark.timeout(480)
def test_no_sequence_of_prices_lies_and_fates_makes_it_act_wrongly_or_rest_in_danger(build: BUILD) -> None:
    run_state_machine_as_test(
        lambda: Account(build),
        settings=settings(max_examples=examples(20), stateful_step_count=25, deadline=None),
    )
