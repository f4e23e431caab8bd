"""One guarded account at a venue in memory: the real engine, a real journal, and a clock that tests turn.

The account is the one of `tests/conftest.py`: long 500 X at 100, leverage 10, on 10,000 USDT. `fall_to(u)`
moves the price to where the utilization of what is held now is `u`.
"""

import asyncio
import inspect
import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog

from brokers.models import AccountId, AccountSnapshot, OrderSide, RiskUnit, Side
from brokers.sandbox.broker import SandboxBroker
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import Actor, Filled, OrderCancelled, OrderPlaced, OrderRefused
from brokers.sandbox.orders import OrderSpec
from brokers.sandbox.snapshot import snapshot_of
from daemon.cycle import Cycle
from daemon.guarded import Guarded
from daemon.logs import configure
from daemon.risk.policy import MarginPolicy, Mode
from daemon.state import CycleOutcome
from daemon.topup import TopUpCaps
from database.journal import Journal
from database.payload import decode
from database.records import Event, Intent, MarginSample, Plan, PositionSample, RowKind

D = Decimal
NAME, X = "desk", "X-USDT"


class VenueClock:
    """The daemon's clock: the venue's own, passing when somebody sleeps; `skew_s` moves the wall time."""

    def __init__(self, venue: SandboxBroker) -> None:
        self._venue = venue
        self.skew_s = 0.0

    def now(self) -> datetime:
        moment = self._venue.venue_now()
        return datetime.fromtimestamp(moment.timestamp() + self.skew_s, moment.tzinfo)

    def uptime(self) -> float:
        return self._venue.engine.now_ms / 1000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.turn(seconds)

    def turn(self, seconds: float) -> None:
        """Let time pass, at least a millisecond of it."""
        self._venue.advance(self._venue.engine.now_ms + max(1, round(seconds * 1000)))

    def follow(self) -> None:
        """The venue's clock is this one."""


class LoopClock:
    """The daemon's clock where several guards run at once: that of a virtual loop; the venue follows it."""

    def __init__(self, venue: SandboxBroker, loop: asyncio.AbstractEventLoop) -> None:
        self._venue = venue
        self._loop = loop
        self._began = venue.venue_now()
        self._began_ms = venue.engine.now_ms

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self._loop.time())

    def uptime(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.follow()

    def follow(self) -> None:
        """Let the venue's time pass up to ours."""
        self._venue.advance(self._began_ms + round(self._loop.time() * 1000))


class Line:
    """The line to the venue, itself a broker: every call takes time, and a test may cut in on either end.

    `at(call, moment, arguments)` is asked when a call leaves ("leaves") and when its answer is here
    ("answered"); what it raises is what the daemon meets. `latency_ms` may be set per call.
    """

    def __init__(self, venue: SandboxBroker, clock: VenueClock | LoopClock, *, latency_ms: int = 2) -> None:
        self.venue = venue
        self._clock = clock
        self.latency_ms: dict[str, int] = {}
        self.at: Callable[[str, str, tuple[Any, ...]], None] = lambda _call, _moment, _arguments: None
        self.log: list[str] = []
        self._usual_ms = latency_ms

    def venue_now(self) -> datetime:
        self._clock.follow()
        return self.venue.venue_now()

    def __getattr__(self, name: str) -> Callable[..., object]:
        attribute = getattr(self.venue, name)
        if not inspect.iscoroutinefunction(attribute):
            return attribute

        async def call(*arguments: object, **named: object) -> object:
            self.at(name, "leaves", arguments)
            self.log.append(name)
            await self._clock.sleep(self.latency_ms.get(name, self._usual_ms) / 1000)
            answer = await attribute(*arguments, **named)
            self.at(name, "answered", arguments)
            return answer

        return call


class CheckedJournal(Journal):
    """A journal whose commits a test may cut in on: just before one is durable, and just after."""

    at: Callable[[str], None] = staticmethod(lambda _moment: None)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with super().transaction():
            yield
            self.at("commits")
        self.at("committed")


class Desk:
    """The account, its venue, its journal and its guard's cycle."""

    def __init__(
        self,
        folder: Path,
        *,
        engine: Engine,
        account: str = NAME,
        mode: Mode = Mode.ENFORCE,
        policy: MarginPolicy | None = None,
        caps: TopUpCaps | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        venue: SandboxBroker | None = None,
        journal: "CheckedJournal | None" = None,
    ) -> None:
        self.engine = engine
        self.account = account
        self.venue = venue or SandboxBroker(self.engine, account)
        self.clock = VenueClock(self.venue) if loop is None else LoopClock(self.venue, loop)
        self.line = Line(self.venue, self.clock)
        self.policy = policy or MarginPolicy(forecast_lead=timedelta(0))  # forecasts have tests of their own
        self.mode = mode
        self.caps = caps or TopUpCaps()
        self.folder = folder
        self.at_commit: Callable[[str], None] = lambda _moment: None
        self.journal = journal or self._open()
        self.cycle = self.begin()

    # --- the daemon

    def _open(self) -> CheckedJournal:
        journal = CheckedJournal.open(self.folder, self.clock.now())
        journal.at = self._commits
        return journal

    def _commits(self, moment: str) -> None:
        self.at_commit(moment)

    def begin(self, **changes: object) -> Cycle:
        """Begin anew, with nothing remembered but the journal; return the cycle."""
        guarded = Guarded(
            broker=self.line,
            policy=self.policy,
            mode=self.mode,
            caps=self.caps,
            config_hash="c" * 64,
            connect=changes.pop("connect", self.line.connect),
        )
        self.cycle = Cycle(guarded, journal=self.journal, clock=self.clock, **changes)
        return self.cycle

    def restart(self) -> None:
        """End the process and start another one over the same state directory."""
        self.journal.close()
        self.journal = self._open()
        self.begin()

    async def run(self, cycles: int = 1) -> CycleOutcome:
        """Run some cycles at their own pace and return what the last came to."""
        for number in range(cycles):
            outcome = await self.cycle.run()
            if number < cycles - 1:
                await self.clock.sleep(outcome.next_s)
        return outcome

    async def watch(self, seconds: float) -> list[CycleOutcome]:
        """Run cycles at their own pace for so long."""
        until, outcomes = self.clock.uptime() + seconds, []
        while self.clock.uptime() < until:
            outcomes.append(await self.cycle.run())
            await self.clock.sleep(outcomes[-1].next_s)
        return outcomes

    # --- the market and other hands

    def move_to(self, price: Decimal, asset: str = "X") -> None:
        """Put the price of an asset there."""
        self.engine.move_price(asset, price / self.engine.usd_price(asset))

    def fall_to(self, utilization: object) -> None:
        """Move X to where the utilization is `utilization`, or a hair above it, on the price grid.

        With q held, wallet w, entry e and leverage 10: u = 0.1 q p / (w + q (p - e)), solved for p.
        """
        u, unit = D(str(utilization)), self.unit()
        row = self.venue_snapshot().positions[0]
        q, e, w = row.quantity, row.entry_price, unit.wallet_balance
        self.move_to((u * (q * e - w) / (q * (u - D("0.1")))).quantize(D("0.01"), ROUND_CEILING) - D("0.01"))

    def trade(self, side: OrderSide, quantity: object, symbol: str = X) -> None:
        """Trade as somebody else with access to the account."""
        self.engine.external_trade(self.account, symbol, side, D(str(quantity)))

    def rest(self, side: OrderSide, quantity: object, **more: object) -> str:
        """Leave an order resting as the account's owner; return its id."""
        symbol = more.pop("symbol", X)
        spec = OrderSpec(symbol=symbol, side=side, quantity=D(str(quantity)), **more)
        return self.engine.place(self.account, spec).order_id

    # --- what the venue has and got

    def venue_snapshot(self) -> AccountSnapshot:
        """The account as it is, whatever the line shows."""
        return snapshot_of(self.engine, self.account, AccountId(self.account), self.venue.venue_now())

    def unit(self) -> RiskUnit:
        """The account's cross unit as it is."""
        return self.venue_snapshot().unit("USDT")

    def utilization(self) -> Decimal:
        """Initial margin over margin equity, as it is."""
        unit = self.unit()
        return unit.initial_margin / unit.margin_equity

    def held(self, symbol: str = X) -> Decimal:
        """The signed quantity held."""
        rows = [row for row in self.venue_snapshot().positions if row.symbol == symbol]
        return sum((row.quantity if row.side is Side.LONG else -row.quantity for row in rows), D(0))

    def entry_price(self, symbol: str = X) -> Decimal | None:
        """The entry price of what is held; `None` when flat."""
        rows = [row for row in self.venue_snapshot().positions if row.symbol == symbol]
        return rows[0].entry_price if rows else None

    def received(self) -> list[OrderSpec]:
        """Every order of ours that reached the venue, accepted or not."""
        specs = [
            event.order.spec if isinstance(event, OrderPlaced) else event.spec
            for event in self.engine.history
            if isinstance(event, (OrderPlaced, OrderRefused)) and event.account == self.account
        ]
        return [spec for spec in specs if (spec.client_id or "").startswith("6d67")]

    def fills(self, actor: Actor = Actor.API) -> list[Any]:
        """Every trade on the account by that hand."""
        return [
            event.fill
            for event in self.engine.history
            if isinstance(event, Filled) and event.actor is actor and event.account == self.account
        ]

    def cancelled(self) -> list[str]:
        """The ids of the orders that were cancelled at the venue, in order."""
        return [event.order.order_id for event in self.engine.history if isinstance(event, OrderCancelled)]

    # --- what the journal holds

    def rows(self, kind: RowKind) -> list[Any]:
        """Everything of a kind that waits for the history, in order."""
        batch = self.journal.outbox.batch(1_000_000)
        return [decode(row.kind, row.payload) for row in batch if row.kind is kind]

    def events(self, kind: str | None = None) -> list[Event]:
        return [event for event in self.rows(RowKind.EVENT) if kind in {None, event.kind}]

    def samples(self) -> list[MarginSample]:
        return self.rows(RowKind.MARGIN)

    def position_rows(self) -> list[PositionSample]:
        return self.rows(RowKind.POSITION)

    def intents(self) -> list[Intent]:
        """Every intent as it stands now, in the order of planning."""
        ids = dict.fromkeys(row.intent_id for row in self.rows(RowKind.ORDER))
        return [intent for one in ids if (intent := self.journal.intents.get(one)) is not None]

    def plans(self) -> list[Plan]:
        """Every plan as it stands now, in the order of deciding."""
        ids = dict.fromkeys(e.plan_id for e in self.events() if e.kind.startswith("plan_") and e.plan_id)
        return [plan for one in ids if (plan := self.journal.plans.get(one)) is not None]

    def close(self) -> None:
        self.journal.close()


@pytest.fixture
def open_desk(quick_folder: Path, venue_of: Callable[..., Engine]) -> Iterator[Callable[..., Desk]]:
    """Open a desk; a first argument or `folder` names its state directory, the rest is the desk's."""
    desks: list[Desk] = []

    def open_(**changes: object) -> Desk:
        folder = changes.pop("folder", None) or quick_folder / f"state-{len(desks)}"
        engine = changes.pop("engine", None) or venue_of()
        desks.append(Desk(folder, engine=engine, **changes))
        return desks[-1]

    yield open_
    for desk in desks:
        desk.close()


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    """The account described above, armed, its guard not yet run."""
    return open_desk()


@pytest.fixture(autouse=True)
def log() -> Iterator[io.StringIO]:
    """What margind logs, one JSON object a line; logging is left as it was found."""
    root = logging.getLogger()
    before = (root.level, root.handlers[:])
    stream = io.StringIO()
    configure(level="debug", form="json", secrets=(), stream=stream)
    yield stream
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    structlog.reset_defaults()
