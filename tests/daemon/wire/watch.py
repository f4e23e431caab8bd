"""The guards of many accounts under one supervisor and one journal, and what a test sees of them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import yaml

from brokers.budget import boot_seconds
from brokers.sandbox.server import SandboxServer
from config.loader import parse
from config.resolution import resolve
from daemon.app import _connect, assemble, open_journal
from daemon.opening import open_accounts
from daemon.state import Board, CycleOutcome
from daemon.supervisor import Supervisor
from database.journal import Journal
from database.payload import decode
from database.records import Event, Intent, IntentState, RowKind, Transfer
from database.repayment_records import RepaymentRow
from tests.hosts import forget_hosts
from tests.virtual import VirtualClock

LOOK_S = 0.1


class Cell(Protocol):
    """An account that is watched."""

    name: str
    server: SandboxServer

    def settings(self) -> dict[str, Any]: ...
    def environment(self) -> Mapping[str, str]: ...
    def heal(self) -> None: ...


class Watch:
    """The guards of all cells under one supervisor, and the journal they share."""

    def __init__(
        self,
        journal: Journal,
        board: Board,
        start: Callable[[], tuple[Supervisor, asyncio.Task[None]]],
        clock: VirtualClock,
    ) -> None:
        self.journal = journal
        self.clock = clock
        self.board = board
        self._start = start
        self._supervisor, self._guarding = start()
        self._read_at = float("-inf")
        self._told: list[tuple[RowKind, Any]] = []

    async def kill(self) -> None:
        """End every guard where it is, as a kill would, and begin anew from the journal."""
        self._guarding.cancel()
        await asyncio.wait({self._guarding})
        self._supervisor, self._guarding = self._start()

    async def end(self) -> None:
        """Let every guard end its cycle."""
        self._supervisor.stop()
        await self._guarding

    async def until(
        self, cells: Iterable[Cell], wanted: Callable[[Cell], object], *, within: float, why: str
    ) -> None:
        """Wait until `wanted` holds of every cell."""
        left, until = list(cells), boot_seconds() + within
        while left := [cell for cell in left if not wanted(cell)]:
            assert not self._guarding.done(), self._guarding.result()
            assert boot_seconds() < until, "\n".join([f"{why}: not within {within} s", *map(self.tell, left)])
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
        if self._read_at != boot_seconds():  # time stands still while somebody looks
            batch = self.journal.outbox.batch(1_000_000)
            wanted = {RowKind.EVENT, RowKind.ORDER}
            self._told = [(row.kind, decode(row.kind, row.payload)) for row in batch if row.kind in wanted]
            self._read_at = boot_seconds()
        return [told for one, told in self._told if one is kind]

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

    def was_unknown(self, cell: Cell) -> bool:
        """Whether any order of a cell was for a time without a verdict."""
        doubts = {IntentState.UNKNOWN, IntentState.NOT_FOUND}
        return any(row.account == cell.name and row.state in doubts for row in self._rows(RowKind.ORDER))

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


def configuration(cells: Iterable[Cell], folder: object, more: Mapping[str, Any]) -> bytes:
    """Return a file that guards `cells`; `more` is laid over it."""
    document = {
        "mode": "enforce",
        "state_dir": str(folder),
        "poll": {"interval": "1s"},
        "accounts": [cell.settings() for cell in cells],
        **more,
    }
    return yaml.safe_dump(document).encode()


@asynccontextmanager
async def watching(cells: tuple[Cell, ...], folder: Path, more: Mapping[str, Any]) -> AsyncIterator[Watch]:
    """Guard cells, under settings that `more` is laid over, while the context is open."""
    forget_hosts()
    async with AsyncExitStack() as stack:
        for cell in cells:
            await stack.enter_async_context(cell.server)
        environment = {name: value for cell in cells for name, value in cell.environment().items()}
        settings = parse(configuration(cells, folder, more), "margind.yaml")
        clock, board = VirtualClock(), Board()
        journal = open_journal(settings, clock.now())
        stack.callback(journal.close)
        accounts = open_accounts(settings, resolve(settings, environment))
        for account in accounts:
            stack.push_async_callback(account.broker.aclose)
        trusted = await _connect(accounts)

        def start() -> tuple[Supervisor, asyncio.Task[None]]:
            supervisor = assemble(settings, trusted, journal=journal, board=board, clock=clock)
            return supervisor, asyncio.create_task(supervisor.run())

        watch = Watch(journal, board, start, clock)
        try:
            await watch.until(cells, lambda cell: cell.name in board.outcomes, within=20, why="a first cycle")
            yield watch
        finally:
            for cell in cells:
                cell.heal()
            await watch.end()
