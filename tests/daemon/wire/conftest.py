"""The daemon's guards in this process, each over a real adapter at a sandbox venue of its own on loopback.

A cell is one fault's own venue: one account, one server, one address, so that a ban or a spent budget is
nobody else's. All cells of a test run side by side under one supervisor and one journal, in real time. Unless
told otherwise an account is long 2 BTC with a leverage of 10 on 45,000 USDT: at 88,000 it is CRITICAL, at
86,680 beyond that.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from brokers.models import OrderSide, Side
from brokers.sandbox.catalogue import ASSETS
from brokers.sandbox.engine import Engine
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.history import Actor, Filled, OrderPlaced, OrderRefused, Transferred
from brokers.sandbox.orders import Order, OrderSpec, OrderType, TimeInForce, Trigger
from brokers.sandbox.scenarios import calm
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import AccountSpec, OpeningPosition, OpeningWallet, SandboxSpec
from brokers.sandbox.venues import VENUES
from config.loader import parse
from config.resolution import resolve
from daemon.app import _connect, open_journal
from daemon.clock import SystemClock
from daemon.cycle import Cycle
from daemon.opening import guarded_of, open_accounts
from daemon.state import Board, CycleOutcome
from daemon.supervisor import Guard, Supervisor
from database.journal import Journal
from database.payload import decode
from database.records import Event, Intent, RowKind, Transfer
from database.repayment_records import RepaymentRow

D = Decimal
MODES = {"bybit": "cross", "binance": "single_asset", "okx": "futures", "binancepm": "portfolio_margin"}
PRICES = {"BTC": D(100_000), "ETH": D(4_000)}
HELD = D(2)
WALLET = OpeningWallet(balance=D(45_000))
LOOK_S = 0.05
UNCAUGHT = ("Traceback", "cycle_bug", "connect_bug", "provision_failed", "journal_unavailable")


class Cell:
    """One account at a venue of its own, seen from the venue's side."""

    def __init__(
        self,
        name: str,
        venue: str,
        *,
        funding: Decimal,
        wallet: OpeningWallet = WALLET,
        held: Decimal = HELD,
        mode: str | None = None,
    ) -> None:
        self.name = name
        self.venue = VENUES[venue]
        self.broker = self.venue.broker or venue
        self.symbol = self.venue.listed_as("BTC-USDT")
        self.opened = held
        mode = mode or MODES[venue]
        account = AccountSpec(
            name=name,
            api_key=f"key-of-{name}",
            secret=f"secret-of-{name}",
            password="phrase",
            wallets={"USDT": wallet},
            funding={"USDT": funding},
            margin_pool=self.venue.pools[mode],
            positions=(OpeningPosition(symbol=self.symbol, side=Side.LONG, quantity=held),),
        )
        self.engine = Engine(
            SandboxSpec(
                instruments=self.venue.instruments,
                assets=tuple(replace(one, usd_price=PRICES.get(one.name, one.usd_price)) for one in ASSETS),
                accounts=(account,),
                rules=self.venue.rules,
                scenario=calm(noise=0.0),
                start_ms=round(time.time() * 1000),
            )
        )
        self.server = SandboxServer(self.venue.build(self.engine, {name: mode}))

    # --- hands on the venue

    def fault(self, kind: FaultKind, **more: Any) -> None:  # noqa: ANN401 - fields of a fault
        self.server.faults.set(Fault(kind=kind, **more))

    def heal(self) -> None:
        self.server.faults.clear()

    def fall_to(self, price: object) -> None:
        """Put BTC at that price."""
        self.engine.move_price("BTC", D(str(price)) / self.engine.usd_price("BTC"))

    def rest(self, side: OrderSide, quantity: object, **more: Any) -> Order:  # noqa: ANN401
        """Leave an order resting as the account's owner: `price` of a limit order, `trigger` of a stop."""
        price, trigger = more.pop("price", None), more.pop("trigger", None)
        return self.engine.place(
            self.name,
            OrderSpec(
                symbol=self.symbol,
                side=side,
                quantity=D(str(quantity)),
                type=OrderType.MARKET if price is None else OrderType.LIMIT,
                time_in_force=TimeInForce.GTC,
                price=None if price is None else D(str(price)),
                trigger=None if trigger is None else Trigger(price=D(str(trigger))),
                **more,
            ),
        )

    # --- what the venue has and got

    @property
    def contract_size(self) -> Decimal:
        """How much BTC one of the venue's order units is."""
        return self.engine.instrument(self.symbol).contract_size

    def held(self) -> Decimal:
        """The signed BTC held, in base units."""
        rows = self.engine.figures(self.name).positions
        return sum((row.quantity if row.side is Side.LONG else -row.quantity for row in rows), D(0))

    def utilization(self) -> Decimal:
        """Initial margin over margin equity of the account's pool, as the venue reckons it now."""
        pool = max(self.engine.figures(self.name).pools, key=lambda one: one.initial_margin)
        return pool.initial_margin / pool.margin_balance

    def received(self) -> list[OrderSpec]:
        """Every order of ours that reached the venue's books, accepted or not."""
        specs = [
            event.order.spec if isinstance(event, OrderPlaced) else event.spec
            for event in self.engine.history
            if isinstance(event, (OrderPlaced, OrderRefused))
        ]
        return [spec for spec in specs if spec.client_id]

    def asked(self, method: str, path: str) -> int:
        """How many such requests came."""
        return sum(request[:2] == (method, path) for request in self.server.received)

    def resting(self) -> set[str]:
        return {order.order_id for order in self.engine.open_orders(self.name)}

    def moved(self) -> list[Decimal]:
        """What was moved between the wallets, in order."""
        return [event.amount for event in self.engine.history if isinstance(event, Transferred)]

    def check_that_it_only_reduced(self) -> None:
        """Every fill was ours and made the position smaller without turning it; no id came twice."""
        held, specs = self.opened, self.received()
        assert len({spec.client_id for spec in specs}) == len(specs), (self.name, specs)
        assert all(spec.reduce_only for spec in specs), (self.name, specs)
        for event in self.engine.history:
            if isinstance(event, Filled):
                assert event.actor is Actor.API, (self.name, event)
                after = held + (
                    event.fill.quantity if event.fill.side is OrderSide.BUY else -event.fill.quantity
                )
                assert 0 <= after < held, (self.name, event)
                held = after
        assert held == self.held()


class Watch:
    """The guards of all cells under one supervisor, and the journal they share."""

    def __init__(self, journal: Journal, board: Board, guarding: asyncio.Task[None]) -> None:
        self.journal = journal
        self.board = board
        self._guarding = guarding

    async def until(
        self, cells: Iterable[Cell], wanted: Callable[[Cell], object], *, within: float, why: str
    ) -> None:
        """Wait until `wanted` holds of every cell."""
        left, until = list(cells), time.monotonic() + within
        while left := [cell for cell in left if not wanted(cell)]:
            assert not self._guarding.done(), self._guarding.result()
            assert time.monotonic() < until, "\n".join(
                [f"{why}: not within {within} s", *map(self.tell, left)]
            )
            await asyncio.sleep(LOOK_S)

    def tell(self, cell: Cell) -> str:
        """Say how a cell stands, for a failure's message."""
        told = [f"{event.kind}/{event.reason}" for event in self.events(cell)]
        intents = [(one.state.value, one.filled, one.code, one.message) for one in self.intents(cell)]
        seen = self.outcome(cell)
        return f"{cell.name}: {seen.doing}/{seen.reason} {seen.sentence}; {told[-8:]}; {intents[-4:]}"

    def outcome(self, cell: Cell) -> CycleOutcome:
        """The last cycle of a cell."""
        return self.board.outcomes[cell.name]

    def _rows(self, kind: RowKind) -> list[Any]:
        batch = self.journal.outbox.batch(1_000_000)
        return [decode(row.kind, row.payload) for row in batch if row.kind is kind]

    def events(self, cell: Cell, kind: str | None = None) -> list[Event]:
        """What the journal tells of a cell, in order."""
        return [
            event
            for event in self._rows(RowKind.EVENT)
            if event.account == cell.name and kind in {None, event.kind}
        ]

    def intents(self, cell: Cell) -> list[Intent]:
        """Every intent of a cell as it stands now, in the order of planning."""
        ids = dict.fromkeys(row.intent_id for row in self._rows(RowKind.ORDER) if row.account == cell.name)
        return [intent for one in ids if (intent := self.journal.intents.get(one)) is not None]

    def repayments(self, cell: Cell) -> list[RepaymentRow]:
        """Every repayment of a cell as it stands now, in order."""
        told = [event for event in self.events(cell) if event.kind.startswith("repayment_")]
        ids = dict.fromkeys(event.detail["client_id"] for event in told)
        return [found for one in ids if (found := self.journal.repayments.get(one)) is not None]

    def transfers(self, cell: Cell) -> list[Transfer]:
        """Every transfer of a cell as it stands now, in order."""
        told = [event for event in self.events(cell) if event.kind.startswith("transfer_")]
        ids = dict.fromkeys(event.detail["client_id"] for event in told)
        return [found for one in ids if (found := self.journal.transfers.get(one)) is not None]

    def is_settled(self, cell: Cell) -> bool:
        """Whether the last episode is over, and no write of the cell is without an end."""
        return bool(
            self.journal.episodes.last_number(cell.name)
            and self.journal.episodes.current(cell.name) is None
            and not self.journal.intents.open(cell.name)
        )


def _settings(cells: Iterable[Cell], folder: Path, more: Mapping[str, Any]) -> bytes:
    document = {
        "mode": "enforce",
        "state_dir": str(folder),
        "poll": {"interval": "1s"},
        "accounts": [
            {
                "id": cell.name,
                "broker": cell.broker,
                **({"product": cell.venue.product} if cell.venue.product else {}),
                "endpoint": cell.server.url,
                "credentials": {
                    "api_key": f"env:{_variable(cell)}_KEY",
                    "secret": f"env:{_variable(cell)}_SECRET",
                    **({"password": f"env:{_variable(cell)}_PHRASE"} if cell.broker == "okx" else {}),
                },
            }
            for cell in cells
        ],
        **more,
    }
    return yaml.safe_dump(document).encode()


def _variable(cell: Cell) -> str:
    return cell.name.upper().replace("-", "_")


@asynccontextmanager
async def _watching(cells: tuple[Cell, ...], folder: Path, more: Mapping[str, Any]) -> AsyncIterator[Watch]:
    async with AsyncExitStack() as stack:
        for cell in cells:
            await stack.enter_async_context(cell.server)
        environment = {}
        for cell in cells:
            environment[f"{_variable(cell)}_KEY"] = f"key-of-{cell.name}"
            environment[f"{_variable(cell)}_SECRET"] = f"secret-of-{cell.name}"
            environment[f"{_variable(cell)}_PHRASE"] = "phrase"
        settings = parse(_settings(cells, folder, more), "margind.yaml")
        clock, board = SystemClock(), Board()
        journal = open_journal(settings, clock.now())
        stack.callback(journal.close)
        accounts = open_accounts(settings, resolve(settings, environment))
        for account in accounts:
            stack.push_async_callback(account.broker.aclose)
        guards = [
            Guard(
                cycle=Cycle(guarded_of(settings, account), journal=journal, clock=clock, is_ready=is_ready),
                board=board,
                clock=clock,
            )
            for account, is_ready in await _connect(accounts)
        ]
        supervisor = Supervisor(guards, board=board, clock=clock)
        guarding = asyncio.create_task(supervisor.run())
        watch = Watch(journal, board, guarding)
        try:
            await watch.until(cells, lambda cell: cell.name in board.outcomes, within=20, why="a first cycle")
            yield watch
        finally:
            for cell in cells:
                cell.heal()
            supervisor.stop()
            await guarding


@pytest.fixture
def cell_of() -> Callable[..., Cell]:
    """Build a cell: `name`, `venue`, what its funding wallet holds, and what else differs."""

    def build(name: str, venue: str, funding: object = 0, **more: Any) -> Cell:  # noqa: ANN401 - a cell's
        return Cell(name, venue, funding=D(str(funding)), **more)

    return build


@pytest.fixture
def watching(quick_folder: Path, log: Any) -> Callable[..., Any]:  # noqa: ANN401 - a stream
    """Guard cells while the context is open; whatever happened, no guard met a bug."""

    @asynccontextmanager
    async def watch(cells: Iterable[Cell], **settings: Any) -> AsyncIterator[Watch]:  # noqa: ANN401
        async with _watching(tuple(cells), quick_folder / "state", settings) as watch:
            yield watch
        told = [line for line in log.getvalue().splitlines() if any(word in line for word in UNCAUGHT)]
        assert not told, told[:3]

    return watch
